"""Salesforce record ids: 15 case-sensitive characters, 18 with the check suffix."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

# Digits, capitals, small letters: byte order is then creation order, which keyset paging by Id relies on.
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FORM = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?\Z")


def _base62(number: int, width: int) -> str:
    out = ""
    while number or len(out) < width:
        number, digit = divmod(number, 62)
        out = _DIGITS[digit] + out
    return out


@lru_cache(maxsize=4096)
def _check_character(chunk: str) -> str:
    return _SUFFIX[sum(1 << i for i, char in enumerate(chunk) if char.isupper())]


def check_suffix(id15: str) -> str:
    """Return the three characters that tell the capitals of a 15-character id (evidenced on real ids)."""
    return _check_character(id15[:5]) + _check_character(id15[5:10]) + _check_character(id15[10:15])


def to18(value: object) -> str | None:
    """Return the 18-character form of a 15 or 18 character id, or None when ``value`` is not an id."""
    if not isinstance(value, str) or not _FORM.match(value):
        return None
    id18 = value[:15] + check_suffix(value[:15])
    return id18 if len(value) == 15 or value[15:].upper() == id18[15:] else None


class IdFactory:
    """Hands out ids by key prefix: one counter per prefix, the pod characters from the seed."""

    def __init__(self, seed: int) -> None:
        self._pod = _base62(seed % 62**2, 2) + "0"
        self._counters: dict[str, int] = defaultdict(int)

    def next(self, prefix: str) -> str:
        """Return the next 18-character id of the three-character ``prefix``."""
        self._counters[prefix] += 1
        id15 = f"{prefix}{self._pod}{_base62(self._counters[prefix], 9)}"
        return id15 + check_suffix(id15)

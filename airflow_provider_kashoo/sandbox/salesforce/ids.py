"""Salesforce record ids: 15 case-sensitive characters, 18 with the check suffix."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
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

    def block(self, prefix: str, size: int) -> IdBlock:
        """Set the next ``size`` ids of ``prefix`` aside; the prefix must be unused so far."""
        if self._counters[prefix]:
            raise ValueError(f"ids of {prefix} were given out already")
        self._counters[prefix] = size
        return IdBlock(f"{prefix}{self._pod}", size)


_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_PAIR_BITS = [pair[0].isupper() + 2 * pair[1].isupper() for pair in _PAIRS]
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_FULL = 62**4


class IdBlock:
    """The first ids of a prefix by number, computed instead of kept: millions of them, each in well under 1 µs."""

    def __init__(self, head: str, size: int) -> None:
        if size >= _FULL:
            raise ValueError(f"a block has fewer than {_FULL} ids")
        self._head, self._size = f"{head}00000", size
        self._tail = check_suffix(f"{self._head}0000")[:2]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(self._size))

    def __getitem__(self, index: int) -> str:
        high, low = divmod(index + 1, 3844)
        check = _SUFFIX[_PAIR_BITS[high] << 1 | _PAIR_BITS[low] << 3]
        return f"{self._head}{_PAIRS[high]}{_PAIRS[low]}{self._tail}{check}"

    def index(self, id18: str) -> int | None:
        """Return the number of an 18-character id, or None when it is none of these."""
        if not id18.startswith(self._head):
            return None
        number = 0
        for digit in id18[11:15]:
            number = number * 62 + _VALUES[digit]
        return number - 1 if 0 < number <= self._size else None

"""Identifiers across the two systems: record ids, our reference, operation keys, keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SUFFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
OPENING = "[sf:"
"""How every reference of ours begins."""

_REFERENCE = re.compile(r"\[sf:([A-Za-z0-9]{18}):(\d{1,9}):(\d{1,9})\]")
LONGEST_REFERENCE = len("[sf:") + 18 + len(":") + 9 + len(":") + 9 + len("]")
"""Most characters of one reference."""


def to_18(record_id: str) -> str:
    """Normalise a Salesforce id to its case-safe 18 characters.

    :param record_id: 15 or 18 characters; the suffix rule is evidenced (checked on real ids).
    :raises ValueError: when it is neither.
    """
    if len(record_id) not in {15, 18} or not (record_id.isascii() and record_id.isalnum()):
        raise ValueError("it is not a Salesforce id: those have 15 or 18 letters and digits")
    if len(record_id) == 18:
        return record_id
    chunks = (record_id[i : i + 5] for i in (0, 5, 10))
    return record_id + "".join(
        SUFFIX_ALPHABET[sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())] for chunk in chunks
    )


def is_record_id(value: Any) -> bool:
    """Return whether a value is a record id: Salesforce refuses a whole query if the suffix of one id is wrong."""
    try:
        return isinstance(value, str) and to_18(value[:15]) == to_18(value)
    except ValueError:
        return False


@dataclass(frozen=True)
class Reference:
    """Our reference in a record that we wrote: readable by a person, unique to one intent.

    :param source_id: 18-character Salesforce id; its prefix says the object.
    :param part: 1, or the number of the part of a split deal.
    :param generation: rises only after a confirmed void.
    """

    source_id: str
    part: int = 1
    generation: int = 1

    def __str__(self) -> str:
        return f"[sf:{self.source_id}:{self.part}:{self.generation}]"

    @classmethod
    def find(cls, text: Any) -> list[Reference]:
        """List every valid reference in a text field of the books."""
        found = _REFERENCE.findall(text) if isinstance(text, str) else []
        return [cls(ident, int(part), int(generation)) for ident, part, generation in found if is_record_id(ident)]

    @staticmethod
    def without(text: str) -> str:
        """Remove every reference from a text, also one that only appears when another is removed from its middle."""
        while OPENING in text and _REFERENCE.search(text):
            text = _REFERENCE.sub("", text)
        return text.strip()

    def add_to(self, text: str | None) -> str:
        """Append the reference, unless the text contains it; what a person wrote stays."""
        own = str(self)
        if own in (text or ""):
            return text or ""
        return f"{text} {own}" if text else own


def operation_key(sync: str, source_object: str, source_id: str, part: int, kind: str, generation: int) -> str:
    """Build the key of one intended write; two operations with the same key are never live together."""
    return f"{sync}/{source_object}/{source_id}/{part}/{kind}/{generation}"


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def canonical(value: Any) -> str:
    """Serialise a JSON value so that equal values give equal text; dates and decimals as text."""
    return _ENCODER.encode(value)


class KeyedHash:
    """Keyed hashes of field values, so that an amount cannot be guessed by hashing all amounts.

    :param secret: the store's own random key.
    """

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod=hashlib.sha256)

    def of(self, value: Any) -> str:
        """Hash one JSON value, 128 bits as hex."""
        return self.of_json(canonical(value))

    def of_json(self, text: str) -> str:
        """Hash a value that is written as :func:`canonical` JSON."""
        mac = self._keyed.copy()  # half the time of a new one, which has to prepare its key
        mac.update(text.encode())
        return mac.hexdigest()[:32]

    def fields(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Hash each field of a document separately, for a three-way comparison without the values."""
        return {name: self.of(value) for name, value in values.items()}

"""When two spellings are the same name, address, phone number or code.

Each function gives the form in which spellings are compared; an empty one says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

SIGNS = frozenset("&#@%*/\\")
"""Punctuation that tells names apart, as symbols such as ``+`` do: ``A/B`` is not ``AB``."""

DECORATION = frozenset("®©™℠")

UNMARKED_SCRIPTS = ("LATIN ", "GREEK ")
"""Scripts whose accents are often left out. Elsewhere a mark makes another letter: ハ is not バ."""

NATIONAL_DIGITS = 7
"""A phone number of so many digits may be the end of one with a country or area code."""

_TRUNK = re.compile(r"\(\s*0\s*\)")
"""The digit of a number with country code that is dialled only without it: +49 (0)30 1234567."""

_EXTENSION = re.compile(r"(?i)(?<![^\W\d_])(?:x|ext(?:n|ension)?|durchwahl|dw)[.:]?\s*\d{1,6}\s*$")


def fold(value: Any) -> str:
    """Compare names and streets: case, accents, spaces and most punctuation do not count, letters, digits, signs do.

    Between two digits a gap counts: ``Studio 1.5`` is not ``Studio 15``.
    """
    bare = "".join(letter for letter in text_of(value) if letter not in DECORATION)
    folded, base, gap = "", "", False
    for letter in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", bare).casefold()):
        if unicodedata.combining(letter):
            folded += letter if _keeps_marks(base) else ""
            continue
        base = letter
        if not _tells_apart(letter):
            gap = True
            continue
        between = gap and folded[-1:].isnumeric() and letter.isnumeric()
        folded, gap = folded + (" " if between else "") + letter, False
    return folded


def compact(value: Any) -> str:
    """Compare postal codes: only letters and digits count."""
    return "".join(letter for letter in plain(value) if letter.isalnum())


def plain(value: Any) -> str:
    """Compare codes and e-mail addresses: case and runs of spaces do not count, punctuation does."""
    return " ".join(unicodedata.normalize("NFC", text_of(value)).casefold().split())


def digits(value: Any) -> str:
    """Compare phone numbers: only digits count, without leading zeros, a trunk "(0)" and an extension such as "x12"."""
    number = _EXTENSION.sub("", _TRUNK.sub("", text_of(value)))
    return "".join(letter for letter in number if letter.isdecimal()).lstrip("0")


def same_phone(one: str, other: str) -> bool:
    """Say whether two numbers (as :func:`digits`) may be one, with and without country or area code."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= NATIONAL_DIGITS and long.endswith(short))


def text_of(value: Any) -> str:
    """Give a value of the books as text; what is no text or number says nothing."""
    return str(value) if type(value) in {str, int} else ""


def _tells_apart(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] in "LNM" or letter in SIGNS or (category[0] == "S" and category != "Sk")


def _keeps_marks(base: str) -> bool:
    return bool(base) and _tells_apart(base) and not unicodedata.name(base, "").startswith(UNMARKED_SCRIPTS)

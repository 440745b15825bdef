"""JSON with exact numbers, whatever values it contains: one odd value must not make a whole answer unreadable."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

LARGEST = Decimal("1e300")
"""Just below the largest number that a double can hold."""

SMALLEST = 300
"""Zeros after the point of the smallest one, or almost."""

LONGEST_INTEGER = 1_000
"""Digits; longer whole numbers are read as decimals, because Python refuses to make an integer of them."""

_NO_LETTER = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_REPLACEMENT = "\ufffd"


def loads(text: str) -> Any:
    """Read JSON, with decimals instead of floats.

    Half a surrogate pair and the zero character, which no database stores, become the replacement character; ``NaN``
    and ``Infinity``, which JSON does not have, become null.

    :raises ValueError: when it is not JSON.
    """
    try:
        read = json.loads(text, parse_float=_number, parse_int=_integer, parse_constant=lambda _: None)
        return _with_letters(read) if _NO_LETTER.search(text) else read
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(digits: str) -> Decimal:
    """Read a number; what no double can hold is infinite or zero, as doubles have it: its digits could fill a disk."""
    try:
        number = Decimal(digits)
    except InvalidOperation:  # its exponent has more digits than any number needs
        return Decimal(0) if "e-" in digits.lower() else Decimal("Infinity")
    if number.is_zero() or number.adjusted() < -SMALLEST:
        return Decimal(0)
    return number if abs(number) < LARGEST else Decimal("Infinity").copy_sign(number)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= LONGEST_INTEGER else _number(digits)


def _with_letters(value: Any) -> Any:
    if isinstance(value, dict):
        return {_with_letters(name): _with_letters(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_letters(each) for each in value]
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", _REPLACEMENT)
    return value

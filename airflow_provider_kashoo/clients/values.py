"""Values of Kashoo's JSON, whatever stands in a field: each reader gives None for what its type cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_kashoo.core.kinds import FieldType

MOST = 1 << 63
"""Upper limit of amounts and ids."""

MOST_PLACES = 30
"""Most zeros after the point of a number that is not taken for nonsense."""


def ident_of(row: Any) -> int:
    """Return the id of a row; 0 for one that shows no id that a record can have."""
    ident = row.get("id") if isinstance(row, dict) else None
    return ident if type(ident) is int and 0 < ident < MOST else 0


def text_of(value: Any) -> str | None:
    """Return a text, or a whole number as one; None for anything else."""
    return str(value) if type(value) in {str, int} else None


def day_of(value: Any) -> str | None:
    """Return a date as it is; None for anything else."""
    try:
        return value if isinstance(value, str) and date.fromisoformat(value).isoformat() == value else None
    except ValueError:
        return None


def decimal_of(value: Any) -> Decimal | None:
    """Return a number, or a text of one, that can be written with some tens of digits; None for anything else."""
    try:
        number = Decimal(value) if type(value) in {int, str, Decimal} else None
    except InvalidOperation:
        return None
    if number is None or not number.is_finite() or not -MOST < number < MOST or number.adjusted() < -MOST_PLACES:
        return None
    return number


def code_of(value: Any) -> str | int | None:
    """Return a code, or the id that stands for one; None for anything else."""
    return value if type(value) in {str, int} else None


def whole_of(value: Any) -> int | None:
    """Return a number without a fraction as an integer; None for anything else."""
    if type(value) not in {int, Decimal} or not -MOST < value < MOST:
        return None
    return int(value) if value == int(value) else None


READERS: dict[FieldType, Callable[[Any], Any]] = {
    "text": text_of,
    "date": day_of,
    "money": whole_of,
    "number": decimal_of,
    "link": whole_of,
    "code": code_of,
}
"""Type of a kind's field -> what reads it; what cannot be a value of that type is None, as if it were not there."""

"""One value of a mapping: looked up, converted, moved or put into a text; the same for both directions.

A value that cannot be converted becomes its :class:`Problem`, and passes through all that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.kinds import FieldType
from airflow_provider_kashoo.core.mapping.values.field_types import FIRST_YEAR, LAST_YEAR, MAX_DIGITS
from airflow_provider_kashoo.core.mapping.values.operations import words
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.ids import Reference


def convert(value: Any, kind: FieldType, zone: str) -> Any:
    """Convert a value to the type of its field.

    :param value: None and a problem stay as they are.
    :param zone: business time zone in which an instant becomes a date.
    :returns: a problem, with the value, where that cannot be done.
    """
    if value is None or isinstance(value, Problem):
        return value
    try:
        return _CONVERTERS[kind](value, zone)
    except money.NotMoney as error:
        cause = f"{shown(words(value))} is not an amount: {error}"
        return Problem("not_money", cause, "Correct the amount in Salesforce.", said=shown(words(value)))
    except (TypeError, ValueError, ArithmeticError) as error:
        why = str(error) if isinstance(error, _Unfit) else f"is not {_NOUNS.get(kind, 'text')}"
        said = shown(words(value))
        return Problem("wrong_type", f"{said} {why}", "Correct it in Salesforce or in the mapping.", said)


def moved(value: Any, days: Any) -> Any:
    """Add days to a converted date.

    :param value: what is no text stays as it is.
    :param days: a converted number, or its problem; None adds nothing.
    """
    if not isinstance(value, str) or days is None:
        return value
    if isinstance(days, Problem):
        return replace(days, cause=f"add_days: {days.cause}")
    if Decimal(days) != int(Decimal(days)):
        return Problem("wrong_type", f"add_days: {days} is not a whole number", "Correct it in Salesforce.")
    try:
        return _to_date(date.fromisoformat(value) + timedelta(days=int(Decimal(days))), "")
    except (OverflowError, ValueError):
        cause = f"{value} with {days} days added is not between the years {FIRST_YEAR} and {LAST_YEAR}"
        return Problem("wrong_type", cause, "Correct it in Salesforce.")


class _Unfit(ValueError):
    """A value cannot be converted; the message says what is wrong with it."""


_NOUNS: dict[FieldType, str] = {"date": "a date", "number": "a number", "money": "an amount"}


def _to_date(value: Any, zone: str) -> str:
    if isinstance(value, datetime):
        value = business_date(value, zone)
    day = value if isinstance(value, date) else date.fromisoformat(value)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _Unfit(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return day.isoformat()


def _to_text(value: Any, _: str) -> str:
    return words(value)


def _to_own_text(value: Any, zone: str) -> str | None:
    """Remove references: one that a person typed in Salesforce would look like our own in the books."""
    return Reference.without(_to_text(value, zone)) or None


def _to_number(value: Any, _: str) -> str:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    if len(number.normalize().as_tuple().digits) > MAX_DIGITS:
        raise _Unfit(f"has more than {MAX_DIGITS} digits")
    return format(number.normalize(), "f")


_CONVERTERS: dict[FieldType, Callable[[Any, str], Any]] = {
    "text": _to_own_text,
    "code": _to_text,
    "link": _to_text,
    "date": _to_date,
    "number": _to_number,
    "money": lambda value, _: money.to_minor(Decimal(value) if isinstance(value, str) else value),
}

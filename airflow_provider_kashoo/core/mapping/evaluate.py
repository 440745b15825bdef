"""One field of a mapping evaluated: columns in, a value for every row out."""

from __future__ import annotations

import string
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.kinds import FieldType
from airflow_provider_kashoo.core.mapping.field_types import FIRST_YEAR, LAST_YEAR, MAX_DIGITS
from airflow_provider_kashoo.core.mapping.model import Field
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.ids import Reference, is_record_id, to_18
from airflow_provider_kashoo.core.values.parents import symbolic

Column = list[Any]


@dataclass(frozen=True)
class Surroundings:
    """What a transform needs besides the records.

    :param zone: business time zone in which a DateTime becomes a date.
    :param org_currency: ISO code used where an org without multi-currency gives none.
    :param targets: mapping name -> kind that it makes, to resolve links.
    :param room: kind -> the field to which our reference is added, and how many characters of text fit before it.
    :param line_text: most characters of a line's description that the books keep; None if that is not known.
    """

    zone: str
    org_currency: str | None
    targets: MappingType[str, str]
    room: MappingType[str, tuple[str, int]] = field(default_factory=dict)
    line_text: int | None = None


def evaluate(spec: Field, frame: pd.DataFrame, kind: FieldType, around: Surroundings) -> Column:
    """Return a field's value for every row, None where empty.

    A value that cannot be converted is replaced by its :class:`Problem`.
    """
    if spec.value is not None:
        values: Column = [spec.value] * len(frame)
    elif spec.text is not None:
        values = _texts(spec.text, frame)
    else:
        values = column(frame, str(spec.link or spec.from_))
    if spec.map is not None:
        values = _mapped(values, spec)
    if spec.link is not None:
        values = each_once(partial(_linked, around.targets[str(spec.mapping)]), values)
    else:
        values = each_once(partial(_convert, kind=kind, zone=around.zone), values)
    if spec.default is not None:
        fallback = evaluate(spec.default, frame, kind, around)
        values = [other if value is None else value for value, other in zip(values, fallback, strict=True)]
    if spec.max_length is not None:
        values = [value[: spec.max_length].rstrip() if isinstance(value, str) else value for value in values]
    if spec.add_days is not None:
        days = evaluate(spec.add_days, frame, "number", around)
        values = [_moved(value, count) for value, count in zip(values, days, strict=True)]
    return values


def column(frame: pd.DataFrame, path: str) -> Column:
    """Give the values of a path, texts trimmed, None where empty or where no record has it."""
    if path not in frame.columns:
        return [None] * len(frame)
    cells: Any = pa.array(frame[path], from_pandas=True)
    if pa.types.is_decimal(cells.type):  # by way of texts, because Arrow makes its decimals ten times as slowly
        return each_once(lambda text: text and Decimal(text), cells.cast(pa.string()).to_pylist())
    if pa.types.is_string(cells.type):
        return [text or None for text in pc.utf8_trim_whitespace(cells).to_pylist()]
    given: Column = cells.to_pylist()
    return given


def each_once(function: Callable[[Any], Any], values: Column) -> Column:
    """Apply a function to each distinct value, and give its result wherever the value stands."""
    results = {value: function(value) for value in set(values)}
    return [results[value] for value in values]


def _texts(template: str, frame: pd.DataFrame) -> Column:
    pieces = [(literal, path) for literal, path, _, _ in string.Formatter().parse(template)]
    columns = {path: column(frame, path) for _, path in pieces if path}
    return [
        "".join(literal + (_words(columns[path][row]) if path else "") for literal, path in pieces).strip() or None
        for row in range(len(frame))
    ]


def _mapped(values: Column, spec: Field) -> Column:
    table, strict = spec.map or {}, spec.default is None

    def look_up(value: Any) -> Any:
        if value is None or isinstance(value, Problem):
            return value
        found = table.get(words := _words(value))
        if found is not None or not strict:
            return found
        cause = f"the value {shown(words)} of {spec.from_ or 'its source'} is not listed in map"
        fix = "Add the value, or a default, to the map in the mapping file."
        return Problem("unmapped_value", cause, fix, said=shown(words))

    return each_once(look_up, values)


class _Unfit(ValueError):
    """A value cannot be converted; the message says what is wrong with it."""


_NOUNS: dict[FieldType, str] = {"date": "a date", "number": "a number", "money": "an amount"}


def _convert(value: Any, kind: FieldType, zone: str) -> Any:
    if value is None or isinstance(value, Problem | dict):
        return value
    try:
        return _CONVERTERS[kind](value, zone)
    except money.NotMoney as error:
        cause = f"{shown(_words(value))} is not an amount: {error}"
        return Problem("not_money", cause, "Correct the amount in Salesforce.", said=shown(_words(value)))
    except (TypeError, ValueError, ArithmeticError) as error:
        why = str(error) if isinstance(error, _Unfit) else f"is not {_NOUNS.get(kind, 'text')}"
        said = shown(_words(value))
        return Problem("wrong_type", f"{said} {why}", "Correct it in Salesforce or in the mapping.", said)


def _to_date(value: Any, zone: str) -> str:
    if isinstance(value, datetime):
        value = business_date(value, zone)
    day = value if isinstance(value, date) else date.fromisoformat(value)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _Unfit(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return day.isoformat()


def _to_text(value: Any, _: str) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def _to_own_text(value: Any, zone: str) -> str | None:
    """Remove references: one that a person typed in Salesforce would look like our own in the books."""
    return Reference.without(_to_text(value, zone)) or None


def _words(value: Any) -> str:
    return "" if value is None else _to_text(value, "")


def _linked(target: str, value: Any) -> Any:
    ident = record_id(value)
    return symbolic((target, ident)) if isinstance(ident, str) else ident


def record_id(value: Any) -> str | Problem | None:
    """Normalise a record id to 18 characters; the problem when it is none, None when it is empty."""
    if value is None or isinstance(value, Problem):
        return value
    why = "is not a Salesforce id: those have 15 or 18 letters and digits"
    try:
        ident = to_18(str(value))
        if is_record_id(ident):
            return ident
        why = "is not a Salesforce id: its last three characters do not match the others"
    except ValueError:
        pass
    said = shown(value)
    return Problem("wrong_type", f"{said} {why}", "Correct the field in Salesforce or the mapping.", said)


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


def _moved(value: Any, days: Any) -> Any:
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

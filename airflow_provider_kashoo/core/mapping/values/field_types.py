"""What a field of Salesforce takes, by its type in a describe.

A value to be written back travels as text, in the form in which Salesforce would give it back: no digit moves, and what
is held can be compared with what was written. It gets its JSON type when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.values.dates import midnight, parse_instant, rest_instant
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18

NUMBERS = frozenset({"currency", "double", "percent", "int", "long"})
TEXTS = frozenset({"string", "textarea", "phone", "url", "email", "encryptedstring", "combobox"})
PICKLISTS = frozenset({"picklist", "multipicklist"})
DATES = frozenset({"date", "datetime"})
CHECKBOX = "boolean"
IDS = frozenset({"reference", "id"})
"""Salesforce's names of field types (evidenced). All others, such as ``address`` or ``time``, are not written back."""

DOES_NOT_FIT = "does_not_fit"
"""Error class of a value that its field cannot hold; only a person can correct it, no payment does."""

MAX_DIGITS = 15
"""Most digits of a decimal that a JSON number represents exactly."""

_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")

FIRST_YEAR, LAST_YEAR = 1700, 4000
"""First and last year of a Salesforce date field (evidenced)."""


@dataclass(frozen=True)
class FieldInfo:
    """One field of a describe.

    :param type: Salesforce's type name, such as ``currency`` or ``reference``.
    :param scale: digits after the decimal point.
    :param length: most characters of a text; 0 for other types.
    :param formula: computed when read, so its changes do not move the record's time stamp (evidenced).
    :param precision: most digits of a number, those after the decimal point included; 0 when not known.
    :param values: the active values of a picklist.
    :param inactive: the values of a picklist that older records may still have.
    :param restricted: the picklist takes no other value.
    :param required: it may not be empty.
    :param is_key: no two records have the same value, and one can be found by it: an external id that is unique.
    """

    name: str
    type: str
    scale: int
    length: int
    formula: bool
    updateable: bool
    reference_to: tuple[str, ...]
    relationship: str | None
    precision: int = 0
    values: tuple[str, ...] = ()
    restricted: bool = False
    required: bool = False
    inactive: tuple[str, ...] = ()
    is_key: bool = False


class _Misfit(Exception):
    """A value that a field does not take.

    :param takes: what it takes.
    :param fix: what a person should do.
    :param given: the value, as the message shows it; None for the plain value.
    """

    def __init__(self, takes: str, fix: str, given: str | None = None) -> None:
        self.takes, self.fix, self.given = takes, fix, given
        super().__init__(takes)


def fitted(field: FieldInfo, value: str | None, zone: str) -> str | Problem | None:
    """Give a value the form in which its field holds it.

    :param zone: business time zone: a date becomes the beginning of that day in a datetime field.
    :returns: a problem, with field and value, where that cannot be done exactly.
    """
    try:
        found = _of_type(field)(field, value, zone) if value else None
        if not found:
            _check_empty(field)
    except _Misfit as error:
        given = error.given or shown(value)
        return Problem(DOES_NOT_FIT, f"{field.name} takes {error.takes}, not {given}", error.fix)
    return found or None


def as_json(field: FieldInfo, value: str | None) -> Any:
    """Give a fitted value the JSON type of its field."""
    if value is None:
        return None
    if field.type in NUMBERS:
        return Decimal(value)
    return value == "true" if field.type == CHECKBOX else value


def _check_empty(field: FieldInfo) -> None:
    if field.required or field.type == CHECKBOX:
        raise _Misfit("a value", f"Add a default to {field.name} in the mapping.", "nothing")


def _number(field: FieldInfo, value: str, _: str) -> str:
    fix = f"Map {field.name} to a value that fits, or change the field in Salesforce."
    found = _DECIMAL.fullmatch(value)
    if found is None:
        raise _Misfit("a number", fix)
    whole, fraction = found[2].lstrip("0"), (found[3] or "").rstrip("0")
    digits = (whole + fraction).strip("0")
    if len(fraction) > field.scale:
        raise _Misfit(f"a number with at most {field.scale} decimals", fix)
    if whole and field.precision and len(whole) > (most := field.precision - field.scale):
        raise _Misfit(f"a number with at most {most} digits before the decimal point", fix)
    if len(digits) > MAX_DIGITS:
        raise _Misfit(f"a number of at most {MAX_DIGITS} digits", fix)
    sign = "-" if digits and found[1] == "-" else ""
    return f"{sign}{whole or '0'}.{fraction}" if fraction else f"{sign}{whole or '0'}"


def _text(field: FieldInfo, value: str, _: str) -> str:
    if field.length and len(value) > field.length:
        fix = f"Make {field.name} longer in Salesforce, or add max_length: {field.length} to it in the mapping."
        raise _Misfit(f"at most {field.length} characters", fix, f"the {len(value)} of {shown(value)}")
    return value


def _checkbox(field: FieldInfo, value: str, _: str) -> str:
    if value.lower() not in {"true", "false"}:
        raise _Misfit("true or false", f"Map each value of {field.name} to true or false.")
    return value.lower()


def _date(field: FieldInfo, value: str, _: str) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = date.min
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _Misfit("a date as YYYY-MM-DD", f"Map {field.name} to a date.")
    return day.isoformat()


def _instant(field: FieldInfo, value: str, zone: str) -> str:
    if len(value) == len("YYYY-MM-DD"):
        return rest_instant(midnight(date.fromisoformat(_date(field, value, zone)), zone))
    try:
        instant = parse_instant(value)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise _Misfit("a date, or a time such as 2026-03-01T12:00:00Z", f"Map {field.name} to a date.")
    return rest_instant(instant)


def _choice(field: FieldInfo, value: str, zone: str) -> str:
    if field.restricted and value not in field.values:
        raise _not_listed(field)
    return _text(field, value, zone)


def _choices(field: FieldInfo, value: str, zone: str) -> str:
    """Put the choices in the order of the picklist, in which Salesforce gives them back (assumed)."""
    chosen = dict.fromkeys(part.strip() for part in value.split(";") if part.strip())
    if field.restricted and not chosen.keys() <= set(field.values):
        raise _not_listed(field)
    listed = [each for each in field.values if each in chosen]
    return _text(field, ";".join([*listed, *(each for each in chosen if each not in field.values)]), zone)


def _not_listed(field: FieldInfo) -> _Misfit:
    fix = f"Add the value to the picklist of {field.name} in Salesforce, or map it to one that is there."
    return _Misfit(f"only {_listed(field.values)}", fix)


def _record_id(field: FieldInfo, value: str, _: str) -> str:
    if not is_record_id(value):
        raise _Misfit("the id of a record", f"Write a Salesforce id of 15 or 18 characters for {field.name}.")
    return to_18(value)


def _listed(values: Iterable[str], most: int = 12) -> str:
    names = [repr(each) for each in values]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


_BY_TYPE: dict[str, Callable[[FieldInfo, str, str], str]] = {
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(TEXTS, _text),
    **dict.fromkeys(IDS, _record_id),
    CHECKBOX: _checkbox,
    "date": _date,
    "datetime": _instant,
    "picklist": _choice,
    "multipicklist": _choices,
}


def _of_type(field: FieldInfo) -> Callable[[FieldInfo, str, str], str]:
    if check := _BY_TYPE.get(field.type):
        return check
    raise _Misfit(f"values of type {field.type}", "Write back to a field of another type.", "what a mapping can give")

"""How a number or a date is written for people: ``#,##0.00``, ``%d %B %Y``. Names of months and days are English."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.mapping.values.cells import TEXT, Rows
from airflow_provider_kashoo.core.mapping.values.expressions import ExpressionError
from airflow_provider_kashoo.core.mapping.values.operations import DATE, MOST_PLACES, NUMBER, Kind, kind_of, words
from airflow_provider_kashoo.core.mapping.values.written import MOST_UNITS, written

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_DIRECTIVES: Mapping[str, Callable[[date], str]] = {
    "%Y": lambda day: f"{day.year:04d}",
    "%y": lambda day: f"{day.year % 100:02d}",
    "%m": lambda day: f"{day.month:02d}",
    "%-m": lambda day: str(day.month),
    "%d": lambda day: f"{day.day:02d}",
    "%-d": lambda day: str(day.day),
    "%j": lambda day: f"{day.timetuple().tm_yday:03d}",
    "%B": lambda day: MONTHS[day.month - 1],
    "%b": lambda day: MONTHS[day.month - 1][:3],
    "%A": lambda day: DAYS[day.weekday()],
    "%a": lambda day: DAYS[day.weekday()][:3],
    "%%": lambda _: "%",
}
_DIRECTIVE = re.compile(r"%-?.?", re.DOTALL)
_NUMBER = re.compile(r"(?:#([,. '])##)?0(?:([.,])(0*)(#*))?")

_FEW_PLACES, _DIGITS = 9, 38
"""Of numbers that are written by the column: most decimals of a format, and digits of their type."""

_WIDEST = Context(4 * MOST_PLACES, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Format:
    """A parsed format.

    :param kind: of the values that it writes.
    :param write: writes one.
    :param write_column: writes numbers by the column; gives None where each is to be written for itself.
    """

    text: str
    kind: Kind
    write: Callable[[Any], str]
    write_column: Callable[[pa.Array], pa.Array | None] = lambda _: None

    def of(self, value: Any) -> Any:
        """Write a value; None and a problem stay, and one of another kind is a problem."""
        if value is None or isinstance(value, Problem):
            return value
        if kind_of(value) != self.kind:
            said = shown(words(value))
            cause = f"{said} is {kind_of(value)}, and the format {shown(self.text)} is for {self.kind}"
            return Problem("wrong_type", cause, "Correct it in Salesforce or in the mapping.", said)
        return self.write(value)


@lru_cache(maxsize=1024)
def format_of(text: str) -> Format:
    """Parse a format.

    :raises ExpressionError: saying what is allowed.
    """
    if "%" in text:
        for found in _DIRECTIVE.finditer(text):
            if found[0] not in _DIRECTIVES:
                known = ", ".join(_DIRECTIVES)
                raise ExpressionError(f"{found[0]!r} is no part of a date; known: {known}", found.start())
        return Format(text, DATE, lambda day: _DIRECTIVE.sub(lambda found: _DIRECTIVES[found[0]](day), text))
    number = _NUMBER.fullmatch(text)
    thousands, point, always, more = number.groups() if number else (None, None, None, None)
    if number is None or (thousands and thousands == point) or (point and not (always or more)):
        known = "numbers are written as #,##0.00, 0.## or #.##0,00, dates as %d %B %Y or %Y-%m-%d"
        raise ExpressionError(f"{text!r} is no format; {known}")
    least, most = len(always or ""), len(always or "") + len(more or "")
    if most > MOST_PLACES:
        raise ExpressionError(f"{text!r} has more than {MOST_PLACES} decimals", text.index(point or ""))
    how = thousands or "", point or "", least, most
    return Format(text, NUMBER, lambda value: _number(value, *how), lambda values: _numbers(values, *how))


def _number(value: Decimal, thousands: str, point: str, least: int, most: int) -> str:
    rounded = _WIDEST.quantize(value, Decimal(1).scaleb(-most))
    whole, _, fraction = f"{rounded.copy_abs():,f}".partition(".")
    fraction = fraction[:least] + fraction[least:].rstrip("0")
    sign = "-" if rounded < 0 else ""
    return f"{sign}{whole.replace(',', thousands)}{point if fraction else ''}{fraction}"


def _numbers(values: pa.Array, thousands: str, point: str, least: int, most: int) -> pa.Array | None:
    """Write numbers as :func:`_number` does; None where a column has no room for them."""
    units = _units_of(values, most)
    if units is None:
        return None
    places = np.full(len(units), most)
    for _ in range(most - least):  # a zero that may be left out
        idle = units % 10 == 0
        units, places = np.where(idle, units // 10, units), places - idle
    return pc.if_else(values.is_valid(), written(units, places, thousands, point), pa.scalar(None, TEXT))


def _units_of(numbers: pa.Array, places: int) -> Rows | None:
    """Round decimals, half away from zero, and count them in units; what is empty is 0.

    :returns: None where a column may have no room for them.
    """
    if not pa.types.is_decimal128(numbers.type) or places > _FEW_PLACES:
        return None
    # Arrow does not always notice that a rounded number does not fit its type any more.
    limit = min(MOST_UNITS // 10**places, 10 ** (_DIGITS - numbers.type.scale)) - 1
    ends = [each.as_py() for each in pc.min_max(numbers).values()]
    if any(each is not None and abs(each) >= limit for each in ends):
        return None
    roomy = pc.fill_null(numbers, Decimal(0)).cast(pa.decimal128(_DIGITS, numbers.type.scale))
    counted = pc.round(roomy, places, "half_towards_infinity").cast(pa.decimal128(_DIGITS, places))
    words = np.frombuffer(counted.buffers()[1], np.int64).reshape(-1, 2)
    units: Rows = words[counted.offset :][: len(counted), 0]
    return units

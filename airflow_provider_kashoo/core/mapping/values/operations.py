"""What may be computed in a value: operators and functions, which kinds of values they take, and what they give.

A number is an exact decimal of at most :data:`MOST_PLACES` digits before, and as many after, the decimal point. What
has no such result is a :class:`Unfit`: never an infinity, and never a number that is only nearly right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from typing import Any, Literal

import pyarrow as pa

from airflow_provider_kashoo.core.mapping.values.field_types import FIRST_YEAR, LAST_YEAR

Kind = Literal["a number", "a text", "a date", "a checkbox", "empty"]
"""What a value is, as people call it; a DateTime is its day."""

MOST_PLACES = 38
QUOTIENT_PLACES = 18
"""Decimals of a quotient that has no end."""

EXACT = Context(6 * MOST_PLACES, traps=[Inexact, InvalidOperation])
"""Holds every sum and product of two numbers."""

_WIDEST = Context(6 * MOST_PLACES, rounding=ROUND_HALF_UP)

NUMBER: Kind = "a number"
TEXT: Kind = "a text"
DATE: Kind = "a date"
CHECKBOX: Kind = "a checkbox"
NOTHING: Kind = "empty"

Signature = tuple[tuple[Kind, ...], Kind]
"""The kinds that are taken, and the kind that is given."""


class Unfit(ValueError):
    """Nothing can be computed from some values; the message says why."""


@dataclass(frozen=True)
class Operation:
    """An operator or a function.

    :param takes: what it takes, in words.
    :param signatures: each way to use it; of one that takes any number of values, the kinds that it takes. Without
        any, it makes a text of whatever it gets.
    :param each: computes from single values.
    :param least: fewest values.
    :param most: most values; None for any number.
    :param skips: it leaves out what is empty; otherwise the result is empty where one value is.
    :param parameter: bounds of the whole number that is written behind the values; None if there is none.
    :param assumed: that number where it is not written; None if it must be.
    """

    takes: str
    signatures: tuple[Signature, ...]
    each: Callable[..., Any]
    least: int
    most: int | None
    skips: bool = False
    parameter: tuple[int, int] | None = None
    assumed: int | None = None

    def gives(self, kinds: Sequence[Kind]) -> Kind | None:
        """Say what it gives for some kinds; None when it does not take them."""
        known = [kind for kind in kinds if kind != NOTHING]
        if not known:
            return NOTHING
        if not self.signatures:
            return TEXT
        if self.skips:
            return next((given for (taken,), given in self.signatures if {*known} == {taken}), None)
        for taken, given in self.signatures:
            if all(kind in {wanted, NOTHING} for kind, wanted in zip(kinds, taken, strict=True)):
                return given if len(known) == len(kinds) else NOTHING
        return None

    def of(self, values: Sequence[Any], parameter: int) -> Any:
        """Compute from single values; None for what is empty.

        :raises Unfit: when there is no result.
        """
        given = [value for value in values if value is not None]
        if not given or (not self.skips and len(given) < len(values)):
            return None
        if self.gives([kind_of(value) for value in values]) is None:
            raise Unfit(f"it takes {self.takes}")
        found = self.each(*given) if self.parameter is None else self.each(*given, parameter)
        if isinstance(found, Decimal):
            return _known(found)
        return found or None if isinstance(found, str) else found


def kind_of(value: Any) -> Kind:
    """Say of what kind a value is."""
    kinds: dict[type, Kind] = {bool: CHECKBOX, str: TEXT, date: DATE, type(None): NOTHING}
    return kinds.get(type(value), NUMBER)


def kind_of_column(kind: pa.DataType) -> Kind:
    """Say of what kind the values of a column are."""
    if pa.types.is_decimal(kind):
        return NUMBER
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return DATE
    if pa.types.is_null(kind):
        return NOTHING
    return CHECKBOX if pa.types.is_boolean(kind) else TEXT


def words(value: Any) -> str:
    """Write a value as a text, None as an empty one."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, Decimal):
        return format(EXACT.normalize(value), "f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def _known(number: Decimal) -> Decimal:
    """Bring a number to its shortest form.

    :raises Unfit: when it has too many digits.
    """
    number = EXACT.normalize(number)
    if number.adjusted() >= MOST_PLACES or -int(number.as_tuple().exponent) > MOST_PLACES:
        raise Unfit(f"the result has more than {MOST_PLACES} digits before or after the decimal point")
    return number or Decimal(0)


def _divided(one: Decimal, by: Decimal) -> Decimal:
    if not by:
        raise Unfit("nothing can be divided by 0")
    (above, below), (more, less) = one.as_integer_ratio(), by.as_integer_ratio()
    units, each = above * less * 10**QUOTIENT_PLACES, below * more
    whole, rest = divmod(units, each)
    twice = 2 * abs(rest) - abs(each)
    return EXACT.scaleb(Decimal(whole + (twice > 0 or (twice == 0 and whole % 2))), -QUOTIENT_PLACES)


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, date):
        return _moved(one, other)
    return _moved(other, one) if isinstance(other, date) else EXACT.add(one, other)


def _subtracted(one: Any, other: Any) -> Any:
    if isinstance(other, date):
        return Decimal((one - other).days)
    return _moved(one, other.copy_negate()) if isinstance(one, date) else EXACT.subtract(one, other)


def _moved(day: date, days: Decimal) -> date:
    if days != days.to_integral_value():
        raise Unfit(f"{words(days.copy_abs())} is not a whole number of days")
    try:
        moved = day + timedelta(days=int(days))
    except OverflowError:
        moved = date.min
    if not FIRST_YEAR <= moved.year <= LAST_YEAR:
        raise Unfit(f"the result is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moved


def _rounded(number: Decimal, places: int) -> Decimal:
    return _WIDEST.quantize(number, Decimal(1).scaleb(-places))


def _concat(*values: Any) -> str:
    return "".join(map(words, values))


_NUMBERS: Signature = ((NUMBER, NUMBER), NUMBER)
_OF_TEXT: tuple[Signature, ...] = (((TEXT,), TEXT),)
_COMPARABLE: tuple[Signature, ...] = (((NUMBER,), NUMBER), ((DATE,), DATE))
_ANY: tuple[Signature, ...] = (*_COMPARABLE, *_OF_TEXT, ((CHECKBOX,), CHECKBOX))

OPERATORS: Mapping[str, Operation] = {
    "+": Operation(
        "two numbers, or a date and a number of days",
        (_NUMBERS, ((DATE, NUMBER), DATE), ((NUMBER, DATE), DATE)),
        _added,
        2,
        2,
    ),
    "-": Operation(
        "two numbers, two dates, or a date and a number of days",
        (_NUMBERS, ((DATE, NUMBER), DATE), ((DATE, DATE), NUMBER)),
        _subtracted,
        2,
        2,
    ),
    "*": Operation("two numbers", (_NUMBERS,), EXACT.multiply, 2, 2),
    "/": Operation("two numbers", (_NUMBERS,), _divided, 2, 2),
    "minus": Operation("a number", (((NUMBER,), NUMBER),), EXACT.minus, 1, 1),
}

FUNCTIONS: Mapping[str, Operation] = {
    "min": Operation("numbers, or dates", _COMPARABLE, lambda *values: min(values), 2, None, skips=True),
    "max": Operation("numbers, or dates", _COMPARABLE, lambda *values: max(values), 2, None, skips=True),
    "coalesce": Operation("values of one kind", _ANY, lambda first, *_: first, 2, None, skips=True),
    "concat": Operation("values of any kind", (), _concat, 2, None, skips=True),
    "round": Operation("a number", (((NUMBER,), NUMBER),), _rounded, 1, 1, parameter=(-9, 18), assumed=0),
    "lower": Operation("a text", _OF_TEXT, str.lower, 1, 1),
    "upper": Operation("a text", _OF_TEXT, str.upper, 1, 1),
    "strip": Operation("a text", _OF_TEXT, str.strip, 1, 1),
    "left": Operation("a text", _OF_TEXT, lambda text, most: text[:most], 1, 1, parameter=(1, 32_000)),
}

OPERATIONS: Mapping[str, Operation] = {**OPERATORS, **FUNCTIONS}

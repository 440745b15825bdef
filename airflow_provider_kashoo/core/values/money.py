"""Money is counted in minor units (cents), converted from decimals and never from floats.

A Salesforce amount may have fractions of a cent (33.335 after a discount): it stays exact until the lines of an invoice
are rounded together. Kashoo takes and returns JSON integers in the smallest unit (evidenced by three independent
clients); how it rounds quantity times rate, and tax, is assumed: see :mod:`.totals`.

Before the currency of a record is known, its amounts are counted in hundredths. Almost every currency has them; the
others are counted in the minor unit of ISO 4217 from then on, if the books are known to do so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import (
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
)
from enum import StrEnum
from functools import lru_cache, reduce

from airflow_provider_kashoo.core.errors import shown
from airflow_provider_kashoo.core.values.currencies import OTHER_DECIMALS

MINOR_DIGITS = 2
CENTS = Decimal(10) ** MINOR_DIGITS

LONGEST = 76
"""Most digits of an amount, and most digits before the decimal point; a Salesforce number has fewer (evidenced)."""

_GIVEN = Context(LONGEST, Emin=-LONGEST, Emax=LONGEST, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
_EXACT = Context(4 * LONGEST, traps=[Inexact, InvalidOperation])
"""Holds every sum of given amounts."""

_LONG = Context(4 * LONGEST, traps=[InvalidOperation])
"""For what does not divide: more digits than decide how it is rounded."""


class NotMoney(ValueError):
    """A value is no amount, or no amount in a currency that Kashoo is known to handle."""


class Rounding(StrEnum):
    """Where an amount goes that is just between two minor units."""

    HALF_UP = "half_up"  # away from zero
    HALF_EVEN = "half_even"  # to the even one of the two


_IN_DECIMAL = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN}


def check_currency(currency: str, counted: Collection[str] = ()) -> None:
    """Refuse a currency whose minor unit is not a hundredth.

    :param currency: ISO 4217 code.
    :param counted: those without hundredths that are taken, because the books count them in their own minor unit.
    :raises NotMoney: for other currencies with 0, 3 or 4 decimals, and for anything that is not a code.
    """
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha() or not currency.isupper():
        raise NotMoney(f"its currency {shown(currency)} is not a three-letter ISO code")
    if currency in OTHER_DECIMALS and currency not in counted:
        raise NotMoney(f"its currency {currency} does not have two decimals, and how Kashoo handles it is not known")


def decimals_of(currency: str | None) -> int:
    """Return how many decimals a currency has (evidenced: ISO 4217); 2 for one that is not known."""
    return OTHER_DECIMALS.get(currency or "", MINOR_DIGITS)


def in_units_of(currency: str | None, hundredths: Decimal) -> Decimal:
    """Count an amount in the minor unit of its currency, exactly."""
    more = decimals_of(currency) - MINOR_DIGITS
    return _EXACT.scaleb(hundredths, more) if more else hundredths


def to_minor(value: Decimal | int) -> Decimal:
    """Turn an amount into hundredths, exactly; it keeps fractions of a hundredth.

    :param value: amount in major units; a float is refused because it is not exact.
    :raises NotMoney: when the amount is not a finite number, or longer than any in Salesforce.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"money from {type(value).__name__}: only Decimal and int are exact")
    amount = Decimal(value)
    if not amount.is_finite():
        raise NotMoney("it is not a finite number")
    try:
        return _GIVEN.scaleb(amount, MINOR_DIGITS)
    except ArithmeticError:
        raise NotMoney(f"it has more than {LONGEST} digits") from None


def add_up(amounts: Iterable[Decimal]) -> Decimal:
    """Add exact amounts, minor units, without any rounding."""
    return reduce(_EXACT.add, amounts, Decimal(0))


def round_to_unit(value: Decimal, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Round to a whole minor unit: the one place where money loses a fraction."""
    return int(value.to_integral_value(rounding=_IN_DECIMAL[rounding]))


def round_together(amounts: Sequence[Decimal], total: Decimal, rounding: Rounding = Rounding.HALF_UP) -> list[int]:
    """Round amounts to whole minor units that add up to their total, which is rounded once.

    By the method of the largest remainder: each amount is rounded down, then those that lost most get one unit more; of
    equal ones the first. So each differs from its exact value by less than one unit.

    :param amounts: exact, minor units; negative ones too.
    :param total: what they should add up to, exact, minor units. If it differs from their sum, the result comes as near
        to it as rounding alone can bring it.
    """
    whole = [int(amount.to_integral_value(rounding=ROUND_FLOOR)) for amount in amounts]
    if whole == list(amounts):
        return whole
    lost = [_EXACT.subtract(amount, down) for amount, down in zip(amounts, whole, strict=True)]
    missing = round_to_unit(total, rounding) - sum(whole)
    most = sum(1 for each in lost if each)
    by_loss = sorted(range(len(whole)), key=lost.__getitem__, reverse=True)  # stable: ties stay in the order of lines
    for place in by_loss[: max(0, min(missing, most))]:
        whole[place] += 1
    return whole


def line_total(quantity: Decimal, rate: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Return the total of a line as Kashoo computes it, minor units (assumed: rounded so)."""
    return round_to_unit(_EXACT.multiply(quantity, rate), rounding)


def rate_of(amount: int, quantity: Decimal) -> tuple[Decimal, int]:
    """Find a quantity and a rate in minor units whose product is exactly ``amount``.

    The source's quantity is kept when a whole rate reproduces the amount; otherwise the line becomes
    quantity 1 at its total, because a rounded rate would be off by cents.

    :param amount: line total after discount, minor units.
    :param quantity: quantity of the source line.
    :returns: quantity and rate with ``line_total(quantity, rate) == amount``.
    """
    if quantity > 0:
        _, sold, by = _known(quantity)
        rate, rest = divmod(amount * by, sold)
        if not rest:
            return quantity, rate
    return Decimal(1), amount


def sold_as(quantity: Decimal, amount: Decimal | int) -> str:
    """Say in words what was sold, such as ``7,000 x 0.1648``.

    The unit price is exact if it is short; otherwise it is rounded to four digits, cents at least, and marked ``~``.

    :param quantity: not 0.
    :param amount: exact total of the line, minor units.
    """
    (above, below), (text, sold, by) = amount.as_integer_ratio(), _known(quantity)
    units, each = above * by, below * sold * int(CENTS)  # their ratio is the unit price
    units, each = (-units, -each) if each < 0 else (units, each)
    rounded = MINOR_DIGITS
    while units and abs(units) * 10**rounded < 1000 * each:
        rounded += 1
    short = range(MINOR_DIGITS, max(6, rounded) + 1)
    exact = next((places for places in short if units * 10**places % each == 0), None)
    mark, places = ("~", rounded) if exact is None else ("", exact)
    return f"{text} x {mark}{_fixed(_rounded(units * 10**places, each), places)}"


def quantity_in_words(text: str) -> str:
    """Write a quantity for people, such as ``7,000``.

    :param text: a decimal.
    """
    return _known(Decimal(text))[0]


@lru_cache
def _known(quantity: Decimal) -> tuple[str, int, int]:
    """Write a quantity for people, and as a fraction: most lines are sold in one of a few quantities."""
    return f"{quantity.normalize():,f}", *quantity.as_integer_ratio()


def _rounded(units: int, each: int) -> int:
    """Divide, and round to the nearest whole number; of two, to the even one."""
    found, rest = divmod(units, each)
    return found + (2 * rest > each or (2 * rest == each and found % 2))


def percent_of(amount: int, percent: Decimal, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Return a share of an amount, such as a tax, rounded to a whole minor unit."""
    return round_to_unit(share_of(amount, percent), rounding)


def included_in(amount: int, percent: Decimal, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Return the tax that an amount includes, rounded to a whole minor unit."""
    return round_to_unit(_LONG.divide(_EXACT.multiply(amount, percent), 100 + percent), rounding)


def share_of(amount: int, percent: Decimal) -> Decimal:
    """Return a share of an amount, exactly."""
    return _EXACT.scaleb(_EXACT.multiply(amount, percent), -2)


def format_minor(amount: int, currency: str | None = "") -> str:
    """Format an amount for people, such as ``1,234.50 CAD``."""
    return f"{format_in(currency, amount)} {currency or ''}".rstrip()


def format_in(currency: str | None, amount: int) -> str:
    """Format an amount for people who see its currency beside it, such as ``1,234.50``."""
    return _fixed(amount, decimals_of(currency))


def as_decimal(amount: int, currency: str | None = None) -> str:
    """Write minor units as a decimal in major units without idle zeros, such as ``1234.5``, exactly."""
    digits = decimals_of(currency)
    whole, rest = divmod(abs(amount), 10**digits)
    fraction = f".{rest:0{digits}d}".rstrip("0") if rest else ""
    return f"{'-' if amount < 0 else ''}{whole}{fraction}"


def format_exact(amount: Decimal) -> str:
    """Format an exact amount in hundredths for people, such as ``33.335``: with cents at least."""
    major = _EXACT.normalize(_EXACT.scaleb(amount, -MINOR_DIGITS))
    places = max(MINOR_DIGITS, -int(major.as_tuple().exponent))
    return _fixed(int(_EXACT.scaleb(major, places)), places)


def _fixed(units: int, places: int) -> str:
    whole, rest = divmod(abs(units), 10**places)
    return f"{'-' if units < 0 else ''}{whole:,}" + (f".{rest:0{places}d}" if places else "")

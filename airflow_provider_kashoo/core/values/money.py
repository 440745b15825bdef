"""Money is an integer in minor units (cents), converted from decimals and never from floats.

Kashoo takes and returns JSON integers in the smallest unit (evidenced by three independent
clients); how it rounds quantity times rate, and tax, is assumed: half up, per line and per tax.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MINOR_DIGITS = 2
CENTS = Decimal(10) ** MINOR_DIGITS

# ISO 4217 currencies that do not have two decimals. How Kashoo handles them is not known, so they are refused.
OTHER_EXPONENTS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF BHD IQD JOD KWD LYD OMR TND CLF UYW".split()
)


class NotMoney(ValueError):
    """A value cannot be held exactly in minor units of its currency."""


def check_currency(currency: str) -> None:
    """Refuse a currency whose minor unit is not a hundredth.

    :param currency: ISO 4217 code.
    :raises NotMoney: for currencies with 0, 3 or 4 decimals, and for anything that is not a code.
    """
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha() or not currency.isupper():
        raise NotMoney("the currency is not a three-letter ISO code")
    if currency in OTHER_EXPONENTS:
        raise NotMoney(f"{currency} does not have two decimals, and how Kashoo handles it is not known")


def to_minor(value: Decimal | int) -> int:
    """Turn an amount into minor units, exactly.

    :param value: amount in major units; a float is refused because it is not exact.
    :raises NotMoney: when the amount has fractions of a minor unit, or is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"money from {type(value).__name__}: only Decimal and int are exact")
    amount = Decimal(value)
    if not amount.is_finite():
        raise NotMoney("the amount is not a finite number")
    numerator, denominator = amount.as_integer_ratio()  # a product of decimals is silently rounded to 28 digits
    minor, rest = divmod(numerator * int(CENTS), denominator)
    if rest:
        raise NotMoney("the amount has more than two decimals")
    return minor


def round_half_up(value: Decimal) -> int:
    """Round to a whole minor unit, halves away from zero."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def line_total(quantity: Decimal, rate: int) -> int:
    """Return the total of a line as Kashoo computes it, minor units (assumed: rounded half up)."""
    return round_half_up(quantity * rate)


def rate_of(amount: int, quantity: Decimal) -> tuple[Decimal, int]:
    """Find a quantity and a rate in minor units whose product is exactly ``amount``.

    The source's quantity is kept when a whole rate reproduces the amount; otherwise the line becomes
    quantity 1 at its total, because a rounded rate would be off by cents.

    :param amount: line total after discount, minor units.
    :param quantity: quantity of the source line.
    :returns: quantity and rate with ``line_total(quantity, rate) == amount``.
    """
    if quantity > 0:
        rate = round_half_up(Decimal(amount) / quantity)
        if Decimal(rate) * quantity == amount:
            return quantity, rate
    return Decimal(1), amount


def tax_of(taxable: int, percent: Decimal) -> int:
    """Return one tax on the invoice's taxable sum, minor units (assumed: rounded half up per tax)."""
    return round_half_up(Decimal(taxable) * percent / 100)


def format_minor(amount: int, currency: str = "") -> str:
    """Format an amount for people, such as ``1,234.50 CAD``."""
    sign = "-" if amount < 0 else ""
    whole, cents = divmod(abs(amount), 100)
    return f"{sign}{whole:,}.{cents:02d} {currency}".rstrip()

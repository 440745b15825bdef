"""What an invoice says of its lines: whole cents that add up, and what was sold in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.texts import cut, length

Line = dict[str, Any]


def do_not_add_up(lines: Decimal, total: Decimal, origin: str) -> Problem | None:
    """Return the problem when lines and total differ by a cent or more; less is rounding.

    :param lines: exact sum of the lines, minor units.
    :param total: exact total of the record, minor units.
    :param origin: the field that the total comes from.
    """
    if lines == total or abs(money.add_up([lines, total.copy_negate()])) < 1:
        return None
    cause = f"its lines add up to {money.format_exact(lines)}, but its total is {money.format_exact(total)}"
    fix = f"Compare the sum of its lines with {origin} in Salesforce, and correct one of them."
    return Problem("lines_do_not_add_up", cause, fix)


def charge(lines: Sequence[Line], total: Decimal, longest: int | None = None) -> str:
    """Turn the exact ``amount`` of each line into a ``quantity`` and a whole ``rate``, rounded together.

    A line whose rate minor units cannot hold becomes quantity 1 at its amount; its description says what was sold.

    :param lines: changed in place.
    :param total: exact total of the invoice, minor units.
    :param longest: most characters of a description; None for no limit.
    :returns: how the total was rounded, for people; empty when it was not.
    """
    amounts = [line.pop("amount") for line in lines]
    whole = money.round_together(amounts, total)
    for line, exact, amount in zip(lines, amounts, whole, strict=True):
        sold = Decimal(line.get("quantity", "1"))
        quantity, rate = money.rate_of(amount, sold)
        if sold and quantity != sold:
            line["description"] = _described(line.get("description"), money.sold_as(sold, exact), longest)
        line["quantity"], line["rate"] = format(quantity.normalize(), "f"), rate
    rounded = sum(whole)
    return "" if rounded == total else f"{money.format_exact(total)} rounded to {money.format_minor(rounded)}"


def _described(text: str | None, sold: str, longest: int | None) -> str:
    """Add what was sold to a description that does not end with it already: if one must be shortened, the text."""
    if not text or text == sold:
        return sold
    ending = f" ({sold})"
    if text.endswith(ending):
        return text
    kept = text if longest is None else cut(text, max(0, longest - length(ending)))
    return kept + ending if kept else sold

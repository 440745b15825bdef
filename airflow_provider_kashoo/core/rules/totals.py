"""The expected total of an invoice, computed before it is sent and compared with what Kashoo returns.

How Kashoo computes is assumed, and the profile of the connection can say otherwise. Every line of ours is a whole rate
times a quantity that gives whole minor units, so only taxes are ever rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.values.money import Rounding, line_total, percent_of

NO_TAX = "none"
"""The tax code for untaxed lines; mappings must state it, so that no tax is forgotten by mistake."""

INCLUDED = "-"
"""What a tax code begins with if the amount of its line includes the tax (evidenced in Kashoo's help, not its API)."""


@dataclass(frozen=True)
class Counting:
    """How the books compute an invoice.

    :param rounding: what becomes of half a minor unit (assumed: half up).
    :param by_line: whether a tax is rounded for each line, not once for all that it is on (assumed: once).
    """

    rounding: Rounding = Rounding.HALF_UP
    by_line: bool = False


AS_ASSUMED = Counting()


def net_total(document: Mapping[str, Any], counting: Counting = AS_ASSUMED) -> int:
    """Add up the lines of an invoice document, minor units, before taxes that come on top."""
    return sum(_amounts(document, counting))


def expected_total(document: Mapping[str, Any], rates: Mapping[str, Decimal], counting: Counting = AS_ASSUMED) -> int:
    """Compute ``totalDue`` of an invoice document, minor units.

    :param rates: tax code -> percent, as the books list them.
    :raises KeyError: for a tax code the books do not have.
    """
    taxable: dict[str, list[int]] = defaultdict(list)
    amounts = _amounts(document, counting)
    for line, amount in zip(document["lines"], amounts, strict=True):
        for code in tax_codes(line.get("taxCode")):
            taxable[code].append(amount)
    taxes = 0
    for code, on in taxable.items():
        percent = rates[code.removeprefix(INCLUDED)]
        if not code.startswith(INCLUDED):
            taxes += sum(
                percent_of(each, percent, counting.rounding) for each in (on if counting.by_line else [sum(on)])
            )
    return sum(amounts) + taxes


def _amounts(document: Mapping[str, Any], counting: Counting) -> list[int]:
    return [line_total(Decimal(line["quantity"]), line["rate"], counting.rounding) for line in document["lines"]]


def tax_codes(expression: str | None) -> list[str]:
    """Split a line's tax code; several are separated by commas (evidenced in Kashoo's help, not its API)."""
    return [] if expression in (None, NO_TAX) else [code.strip() for code in str(expression).split(",") if code.strip()]


def mixes(expression: str | None) -> bool:
    """Say whether the amount of a line includes some of its taxes only: how Kashoo computes those is not known."""
    return len({code.startswith(INCLUDED) for code in tax_codes(expression)}) > 1

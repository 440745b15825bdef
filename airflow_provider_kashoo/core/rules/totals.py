"""The expected total of an invoice, computed before it is sent and compared with what Kashoo returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.values.money import line_total, tax_of

NO_TAX = "none"
"""The tax code for untaxed lines; mappings must state it, so that no tax is forgotten by mistake."""


def net_total(document: Mapping[str, Any]) -> int:
    """Add up the lines of an invoice document, minor units, before tax."""
    return sum(line_total(Decimal(line["quantity"]), line["rate"]) for line in document["lines"])


def expected_total(document: Mapping[str, Any], rates: Mapping[str, Decimal]) -> int:
    """Compute ``totalDue`` of an invoice document, minor units.

    Kashoo's rounding is assumed: half up per line, then each tax half up on its taxable sum.

    :param rates: tax code -> percent, as the books list them.
    :raises KeyError: for a tax code the books do not have.
    """
    taxable: dict[str, int] = defaultdict(int)
    for line in document["lines"]:
        for code in tax_codes(line.get("taxCode")):
            taxable[code] += line_total(Decimal(line["quantity"]), line["rate"])
    return net_total(document) + sum(tax_of(amount, rates[code]) for code, amount in taxable.items())


def tax_codes(expression: str | None) -> list[str]:
    """Split a line's tax code; several are separated by commas (evidenced in Kashoo's help, not its API)."""
    return (
        []
        if expression in (None, "", NO_TAX)
        else [code.strip() for code in str(expression).split(",") if code.strip()]
    )

"""What an invoice says, as the books have it, in plain types: all that its PDF is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from airflow_provider_kashoo.core.errors import Problem, SyncError


@dataclass(frozen=True)
class Party:
    """Who sells or buys.

    :param name: as it should stand on the invoice.
    :param address: its lines.
    :param tax_number: such as a VAT or GST number; of a buyer it is shown only if there is one.
    :param country: ISO 3166-1 code of two letters; only an e-invoice needs that of the seller.
    :param logo: a PNG, JPEG, GIF, WebP or SVG file; shown for the seller only.
    """

    name: str
    address: tuple[str, ...] = ()
    tax_number: str = ""
    country: str = ""
    logo: Path | None = None


@dataclass(frozen=True)
class Line:
    """What was sold.

    :param description: may have several lines.
    :param quantity: negative for goods that came back.
    :param rate: price of one, in minor units; may have fractions of one.
    :param amount: of the line, minor units; negative for a discount or credit.
    :param tax_code: what the books call its tax; the column is left out if no line has one.
    """

    description: str
    quantity: Decimal
    rate: Decimal
    amount: int
    tax_code: str = ""


@dataclass(frozen=True)
class Tax:
    """The sum of one tax.

    :param name: such as ``GST 5%``.
    :param amount: minor units.
    """

    name: str
    amount: int


@dataclass(frozen=True)
class InvoiceDocument:
    """An invoice, or a credit note if its total is below 0.

    The lines and taxes add up to the total; or the lines alone do, and then prices include the taxes.

    :param number: as customers know it.
    :param date: of the invoice, ``YYYY-MM-DD``.
    :param due_date: ``YYYY-MM-DD``, or empty.
    :param currency: ISO 4217 code; it says how many decimals amounts have.
    :param total: with taxes, minor units.
    :param paid: so far, minor units.
    :param balance: what is left to pay, minor units; below 0 it is the customer's.
    :param language: of the words on it, such as ``en`` or ``fr-CA``; see :mod:`.labels`.
    :param labels: words that replace those of the language.
    :param terms: how to pay; may have several lines.
    :param paper: ``a4`` or ``us-letter``.
    """

    number: str
    date: str
    due_date: str
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    total: int
    paid: int
    balance: int
    po_number: str = ""
    memo: str = ""
    terms: str = ""
    language: str = "en"
    labels: Mapping[str, str] = field(default_factory=dict)
    paper: str = "a4"


class NoPdf(SyncError):
    """No PDF can be made of one invoice; the others go on.

    :param problem: why, and what to do.
    """

    def __init__(self, number: str, problem: Problem) -> None:
        self.problem = problem
        super().__init__(
            f"{problem.cause}.",
            remedy=problem.fix,
            record=f"Invoice {number}",
            written="No PDF was made.",
        )

"""Invoices to be set as PDF."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

from pypdf import PdfReader

from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, Line, Party, Tax

SELLER = Party(
    "Harbour & Pine Consulting Ltd.",
    ("1200 Waterfront Street, Suite 400", "Vancouver, BC  V6C 1A1", "Canada"),
    "GST 81234 5678 RT0001",
    "CA",
)
BUYER = Party("Acme Robotics GmbH", ("Industriestraße 12", "70565 Stuttgart", "Germany"))

LINES = (
    Line(
        "Implementation of the billing integration\nPhase 1: design and data model",
        Decimal(12),
        Decimal(18500),
        222000,
        "G",
    ),
    Line("Support plan, April to June 2026", Decimal(3), Decimal(45000), 135000, "G"),
    Line("API calls beyond the plan", Decimal(7000), Decimal("16.48"), 115360, "G"),
    Line("Loyalty discount", Decimal(1), Decimal(-25000), -25000, "G"),
)


def invoice(lines: tuple[Line, ...] = LINES, tax: int | None = None, paid: int = 0, **other: Any) -> InvoiceDocument:
    """An invoice whose amounts add up.

    :param tax: minor units; one of 5 % if it is left out, and none at all if it is 0.
    """
    sold = sum(line.amount for line in lines)
    tax = sold // 20 if tax is None else tax
    given = {
        "number": "INV-1042",
        "date": "2026-03-31",
        "due_date": "2026-04-30",
        "currency": "CAD",
        "seller": SELLER,
        "buyer": BUYER,
        "lines": lines,
        "taxes": (Tax("GST 5%", tax),) if tax else (),
        "total": sold + tax,
        "paid": paid,
        "balance": sold + tax - paid,
        "po_number": "PO 77-2031",
        "terms": "Payable within 30 days to account 12-34567-890, Harbour Bank. Please name the number of the invoice.",
        "memo": "Thank you for your business.",
    }
    return InvoiceDocument(**(given | other))


def line(description: str = "Hours", amount: int = 12550, **other: Any) -> Line:
    return Line(
        **({"description": description, "quantity": Decimal(1), "rate": Decimal(amount), "amount": amount} | other)
    )


def pages(pdf: bytes) -> list[str]:
    """The text of each page; spaces that do not break are plain ones."""
    return [page.extract_text().replace("\xa0", " ") for page in PdfReader(BytesIO(pdf)).pages]


def places(pdf: bytes, page: int = 0) -> list[tuple[str, float, float]]:
    """Each piece of text of a page with where it begins, from the left and from the foot, in points."""
    found: list[tuple[str, float, float]] = []

    def see(text: str, at: list[float], within: list[float], *_: object) -> None:
        if text.strip():
            x, y = within[4], within[5]
            found.append((text, x * at[0] + y * at[2] + at[4], x * at[1] + y * at[3] + at[5]))

    PdfReader(BytesIO(pdf)).pages[page].extract_text(visitor_text=see)
    return found

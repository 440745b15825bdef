"""What a template gets of an invoice: every amount, number and day as the text that is to be printed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.values.money import decimals_of, format_in, format_minor
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, NoPdf, Party
from airflow_provider_kashoo.reports.invoice_pdf.fonts import families
from airflow_provider_kashoo.reports.invoice_pdf.labels import base, labels_of

MOST_LOGO = 1 << 20
"""Bytes of a logo: it is in every PDF."""

_TOTALS_DIFFER = Problem(
    "totals_differ",
    "Its {parts} add up to {sum}, but its {whole} is {given}",
    "Look at the invoice in Kashoo: a PDF that does not add up is not sent to a customer.",
)
_NO_LOGO = Problem("logo_unreadable", "The logo {path} cannot be read: {why}", "Give a readable picture, or none.")


def filled(document: InvoiceDocument) -> dict[str, Any]:
    """Write an invoice as texts, lists and dicts of them.

    :raises NoPdf: when its amounts do not add up, or the logo cannot be read.
    :raises ConfigurationError: when its language lacks words.
    """
    lines, taxes = sum(line.amount for line in document.lines), sum(tax.amount for tax in document.taxes)
    included = lines == document.total
    if not included:
        _check(document, "lines and taxes", lines + taxes, "total", document.total)
    _check(document, "balance and payments", document.balance + document.paid, "total", document.total)
    write = Writer(document)
    return {
        "title": write.labels["credit_note" if document.total < 0 else "invoice"],
        "status": _status(document),
        "language": base(document.language),
        "labels": write.labels,
        "paper": document.paper,
        "number": document.number,
        "date": write.day(document.date),
        "due_date": write.day(document.due_date) if document.due_date else "",
        "day": [int(part) for part in document.date.split("-")],
        "currency": document.currency,
        "po_number": document.po_number,
        "seller": _party(document.seller) | {"logo": _logo(document)},
        "buyer": _party(document.buyer),
        "lines": [
            {
                "description": line.description,
                "quantity": write.number(line.quantity),
                "rate": write.rate(line.rate),
                "tax_code": line.tax_code,
                "amount": write.amount(line.amount),
            }
            for line in document.lines
        ],
        "subtotal": write.amount(lines),
        "tax_included": included,
        "taxes": [{"name": tax.name, "amount": write.amount(tax.amount)} for tax in document.taxes],
        "total": write.amount(document.total),
        "paid": write.amount(-document.paid) if document.paid else "",
        "balance": write.money(abs(document.balance)),
        "memo": document.memo,
        "terms": document.terms,
        "fonts": families(_all_text(document), document.language),
    }


class Writer:
    """Writes numbers and days as the language of a document has them."""

    def __init__(self, document: InvoiceDocument) -> None:
        self.labels = labels_of(document.language, document.labels)
        self._currency = document.currency
        self._signs = str.maketrans({".": self.labels["decimal"], ",": self.labels["thousands"], "-": "\N{MINUS SIGN}"})
        self._months = self.labels["months"].split()

    def amount(self, minor: int) -> str:
        """Write minor units without their currency."""
        return format_in(self._currency, minor).translate(self._signs)

    def money(self, minor: int) -> str:
        """Write minor units with their currency."""
        return f"{self.amount(minor)}\N{NO-BREAK SPACE}{self._currency}"

    def rate(self, minor: Decimal) -> str:
        """Write a price exactly: with the decimals of its currency at least."""
        major = minor.scaleb(-decimals_of(self._currency)).normalize()
        places = max(decimals_of(self._currency), -int(major.as_tuple().exponent))
        return f"{major:,.{places}f}".translate(self._signs)

    def number(self, number: Decimal) -> str:
        """Write a number without idle zeros."""
        return f"{number.normalize():,f}".translate(self._signs)

    def day(self, iso: str) -> str:
        """Write a day such as ``2026-03-31``."""
        day = date.fromisoformat(iso)
        return self.labels["day"].format(day=day.day, month=self._months[day.month - 1], year=day.year)


def _status(document: InvoiceDocument) -> str:
    """Say what is left of it: ``due``, ``paid``, ``credit`` if the customer gets money, or ``nothing``."""
    if document.balance:
        return "due" if document.balance > 0 else "credit"
    return "paid" if document.paid > 0 else "nothing"


def _party(party: Party) -> dict[str, Any]:
    return {"name": party.name, "address": list(party.address), "tax_number": party.tax_number}


def _logo(document: InvoiceDocument) -> list[int] | None:
    """Read the picture; its bytes go to the template, which so opens no file outside of its folder."""
    if (path := document.seller.logo) is None:
        return None
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise no_logo(document, error.strerror or "unknown") from None
    if len(picture) > MOST_LOGO:
        raise no_logo(document, f"it has more than {MOST_LOGO:,} bytes")
    return list(picture)


def no_logo(document: InvoiceDocument, why: str) -> NoPdf:
    """Say that the logo cannot be shown."""
    return NoPdf(document.number, _NO_LOGO.of(path=str(document.seller.logo), why=why))


def _check(document: InvoiceDocument, parts: str, total: int, whole: str, given: int) -> None:
    if total != given:
        currency = document.currency
        problem = _TOTALS_DIFFER.of(
            parts=parts, sum=format_minor(total, currency), whole=whole, given=format_minor(given, currency)
        )
        raise NoPdf(document.number, problem)


def _all_text(document: InvoiceDocument) -> str:
    parties = (document.seller, document.buyer)
    return "\n".join(
        [
            *(text for party in parties for text in (party.name, *party.address)),
            *(line.description for line in document.lines),
            document.memo,
            document.terms,
        ]
    )

"""The PDF of an invoice, made from what the books hold when it is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE
from airflow_provider_kashoo.core.mapping.file.pdf import InvoicePdf
from airflow_provider_kashoo.core.rules.intents import Upsert
from airflow_provider_kashoo.core.rules.totals import INCLUDED, NO_TAX, tax_codes
from airflow_provider_kashoo.core.values.money import included_in, line_total, percent_of
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, Line, NoPdf, Party, Tax
from airflow_provider_kashoo.reports.invoice_pdf.render import render
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.write.looked_up import Make, attached

GONE = Problem("removed_in_books", "its invoice is not in the books any more", "Nothing to do.")


class Printer:
    """Prints the invoices of one run; customers are read once each."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._customers: dict[int, Entry | None] = {}

    def attached(self, intent: Upsert) -> Make:
        """Read the invoice of an intent, print it, and give what attaches it.

        :raises NoPdf: when it cannot be printed.
        :raises BudgetSpent: when the budget needs a longer wait.
        :raises ConfigurationError: when typst is not installed, or a template is not there.
        """
        mapping, ident = self._sync.mappings[intent.mapping], intent.kashoo_id or 0
        entry = self._sync.kashoo.read(INVOICE.name, ident)
        if entry is None or entry.removed:
            raise NoPdf(str(ident), GONE)
        looks, number = mapping.pdf or InvoicePdf(), entry.number or str(ident)
        customer = self._customer(entry.contact)
        folder = Path(mapping.file).parent
        pdf = render(
            self._document(entry, customer, looks, folder),
            template=folder.joinpath(looks.template) if looks.template else None,
            fonts=[folder.joinpath(each) for each in looks.fonts],
            standard=looks.standard,
        )
        return attached(intent, f"Invoice {number}", f"invoice-{number}.pdf", pdf, self._account(entry.contact))

    def _document(self, entry: Entry, customer: Entry | None, looks: InvoicePdf, folder: Path) -> InvoiceDocument:
        """Give what is printed: the invoice as it was billed, whatever was paid since."""
        said, buyer, total = entry.fields, customer.fields if customer else {}, entry.total or 0
        lines = tuple(_line(each) for each in said.get("lines", ()))
        address = (buyer.get(name, "") for name in ("street", "city", "province", "postalCode", "country"))
        seller = looks.seller
        return InvoiceDocument(
            number=entry.number or str(entry.id),
            date=entry.date or "",
            due_date=entry.due_date or "",
            currency=entry.currency or "",
            seller=Party(
                seller.name or self._business,
                tuple(seller.address),
                seller.tax_number,
                seller.country,
                folder.joinpath(seller.logo) if seller.logo else None,
            ),
            buyer=Party(str(buyer.get("name", "")), tuple(filter(None, address))),
            lines=lines,
            taxes=self._taxes(said.get("lines", ()), total - sum(line.amount for line in lines)),
            total=total,
            paid=0,
            balance=total,
            po_number=str(said.get("poNumber", "")),
            memo=str(said.get("memo", "")),
            terms=looks.terms,
            language=looks.language,
            labels=looks.labels,
            paper=looks.paper,
        )

    def _taxes(self, lines: Sequence[Any], on_top: int) -> tuple[Tax, ...]:
        """Name the taxes; as one sum if the rates of the books do not explain it.

        :param on_top: what the total is above the lines, minor units.
        """
        taxable: dict[str, list[int]] = defaultdict(list)
        for line in lines:
            for code in tax_codes(line.get("taxCode")):
                taxable[code].append(_line(line).amount)
        if not all(code.removeprefix(INCLUDED) in self._rates for code in taxable):
            return (Tax("Tax", on_top),)
        taxes = tuple(
            Tax(f"{code.removeprefix(INCLUDED)} {_plain(self._rate(code))} %", self._tax(code, sum(on)))
            for code, on in sorted(taxable.items())
        )
        added = sum(tax.amount for code, tax in zip(sorted(taxable), taxes, strict=True) if code[:1] != INCLUDED)
        return taxes if added == on_top or not taxes else (Tax("Tax", on_top),)

    def _rate(self, code: str) -> Decimal:
        return self._rates[code.removeprefix(INCLUDED)]

    def _tax(self, code: str, on: int) -> int:
        rate, rounding = self._rate(code), self._sync.kashoo.profile.counting.rounding
        if code.startswith(INCLUDED):
            return included_in(on, rate, rounding)
        return percent_of(on, rate, rounding)

    @cached_property
    def _rates(self) -> dict[str, Decimal]:
        """Tax code -> percent, as the books were read last for billing."""
        kept = self._sync.store.codes.get() or {}
        return {code: Decimal(rate) for code, rate in kept.get("rates", {}).items()}

    @cached_property
    def _business(self) -> str:
        """Name of the business in Kashoo."""
        named = {each.id: each.name for each in self._sync.kashoo.businesses()}
        return named.get(self._sync.store.business_id) or ""

    def _customer(self, ident: int | None) -> Entry | None:
        if ident and ident not in self._customers:
            self._customers[ident] = self._sync.kashoo.read(CUSTOMER.name, ident)
        return self._customers.get(ident or 0)

    def _account(self, contact: int | None) -> str | None:
        """Give the Account of a customer, if it is linked to one."""
        found = self._sync.store.links.sharing(CUSTOMER.name, [contact] if contact else [])
        return next((link.source_id for link in found if link.source_object == "Account"), None)


def _line(line: Mapping[str, Any]) -> Line:
    quantity, rate = Decimal(str(line.get("quantity", 1))), line.get("rate", 0)
    code = str(line.get("taxCode", ""))
    return Line(
        str(line.get("description", "")),
        quantity,
        Decimal(rate),
        line_total(quantity, rate),
        "" if code == NO_TAX else code.replace(INCLUDED, ""),
    )


def _plain(percent: Decimal) -> str:
    return format(percent.normalize(), "f")

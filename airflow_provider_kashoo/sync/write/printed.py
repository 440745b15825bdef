"""The PDF of an invoice, made from what the books hold when it is written, or fetched from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.file.pdf import InvoicePdf
from airflow_provider_kashoo.core.rules.intents import Upsert
from airflow_provider_kashoo.core.rules.totals import INCLUDED, NO_TAX, tax_codes
from airflow_provider_kashoo.core.values.money import included_in, line_total, percent_of
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, Line, NoPdf, Party, Tax
from airflow_provider_kashoo.reports.invoice_pdf.render import render
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.write.looked_up import Make, attached

ODD = Problem(
    "not_printable",
    "its invoice cannot be printed: {what}",
    "Open the invoice in Kashoo and correct it. The next run prints it.",
)

NOT_THERE = Problem(
    "pdf_not_there",
    "Kashoo has no PDF of its invoice at the path of the profile",
    "Correct invoice_pdf in the profile of the Kashoo connection, or remove it. The next run tries again.",
)

GONE = Problem("removed_in_books", "its invoice is not in the books any more", "Nothing to do.")


class NotSetUp(ConfigurationError):
    """No PDF can be made as the mapping says: typst, a template or fonts are not there."""


class Printer:
    """Prints the invoices of one run; customers are read once each."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._customers: dict[int, Entry | None] = {}

    def attached(self, intent: Upsert) -> Make:
        """Read the invoice of an intent, print it, and give what attaches it.

        :raises NoPdf: when it cannot be printed.
        :raises BudgetSpent: when the budget needs a longer wait.
        :raises NotSetUp: when typst is not installed, or a template is not there.
        """
        mapping, ident = self._sync.mappings[intent.mapping], intent.kashoo_id or 0
        try:
            entry = self._sync.kashoo.read(INVOICE.name, ident)
            if entry is None or entry.removed:
                raise NoPdf(str(ident), GONE)
            number = entry.number or str(ident)
            pdf = (
                self._fetched(entry) if self._sync.kashoo.profile.invoice_pdf else self._printed(mapping, entry, number)
            )
        except UnreadableError as error:
            raise NoPdf(str(ident), error.problem) from error
        return attached(intent, f"Invoice {number}", f"invoice-{number}.pdf", pdf, self._account(entry.contact))

    def _fetched(self, entry: Entry) -> bytes:
        pdf = self._sync.kashoo.pdf(entry.id)
        if pdf is None:
            raise NoPdf(entry.number or str(entry.id), NOT_THERE)
        return pdf

    def _printed(self, mapping: FieldMapping, entry: Entry, number: str) -> bytes:
        looks, folder = mapping.pdf or InvoicePdf(), Path(mapping.file).parent
        try:
            document = self._document(entry, self._customer(entry.contact), looks, folder)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise NoPdf(number, ODD.of(what=_said(error))) from error
        return self._rendered(document, looks, folder)

    @staticmethod
    def _rendered(document: InvoiceDocument, looks: InvoicePdf, folder: Path) -> bytes:
        try:
            return render(
                document,
                template=folder.joinpath(looks.template) if looks.template else None,
                fonts=[folder.joinpath(each) for each in looks.fonts],
                standard=looks.standard,
            )
        except ConfigurationError as error:
            raise NotSetUp(error.what, remedy=error.remedy) from error

    def _document(self, entry: Entry, customer: Entry | None, looks: InvoicePdf, folder: Path) -> InvoiceDocument:
        """Give what is printed: the invoice as it was billed, whatever was paid since."""
        said, total = entry.fields, entry.total
        if customer is None or not entry.currency or total is None or entry.date is None:
            raise LookupError("it has no customer, currency, date or total")
        buyer = customer.fields
        lines = tuple(_line(each) for each in said.get("lines", ()))
        town = " ".join(filter(None, (buyer.get(name) for name in ("city", "province", "postalCode"))))
        address = (buyer.get("street", ""), town, buyer.get("country", ""))
        seller = looks.seller
        return InvoiceDocument(
            number=entry.number or str(entry.id),
            date=entry.date,
            due_date=entry.due_date or "",
            currency=entry.currency,
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

    def _taxes(self, lines: Sequence[Mapping[str, Any]], on_top: int) -> tuple[Tax, ...]:
        """Name the taxes; those on top as one sum if the rates of the books do not explain it to the cent.

        :param on_top: what the total is above the lines, minor units.
        """
        taxable: dict[str, list[int]] = defaultdict(list)
        for line in lines:
            codes = tax_codes(line.get("taxCode"))
            if sum(code.startswith(INCLUDED) for code in codes) > 1:
                raise ValueError("a line includes several taxes, and how the books divide them is not known")
            for code in codes:
                taxable[code].append(_line(line).amount)
        included = {code: on for code, on in taxable.items() if code.startswith(INCLUDED)}
        above = {code: on for code, on in taxable.items() if code not in included}
        within = tuple(self._tax(code, on, self._included) for code, on in sorted(included.items()))
        if not above:
            return within
        if all(code in self._rates for code in above):
            taxes = tuple(self._tax(code, on, self._on_top) for code, on in sorted(above.items()))
            if sum(tax.amount for tax in taxes) == on_top:
                return within + taxes
        return (*within, Tax("Tax", on_top))

    def _tax(self, code: str, on: Sequence[int], counted: Callable[[Sequence[int], Decimal], int]) -> Tax:
        """Give one tax.

        :raises KeyError: when the books do not say its rate.
        """
        name = code.removeprefix(INCLUDED)
        return Tax(f"{name} {_plain(self._rates[name])} %", counted(on, self._rates[name]))

    def _on_top(self, on: Sequence[int], rate: Decimal) -> int:
        counting = self._sync.kashoo.profile.counting
        each = on if counting.by_line else [sum(on)]
        return sum(percent_of(amount, rate, counting.rounding) for amount in each)

    def _included(self, on: Sequence[int], rate: Decimal) -> int:
        counting = self._sync.kashoo.profile.counting
        each = on if counting.by_line else [sum(on)]
        return sum(included_in(amount, rate, counting.rounding) for amount in each)

    @cached_property
    def _rates(self) -> dict[str, Decimal]:
        """Tax code -> percent, read from the books once a run."""
        return {tax.code: tax.rate for tax in self._sync.kashoo.taxes()}

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
    """Give a line as it is printed.

    :raises ValueError: when the books show it without a quantity or a price.
    """
    quantity, rate, code = line.get("quantity"), line.get("rate"), str(line.get("taxCode", ""))
    if quantity in (None, "") or not isinstance(rate, int):
        raise ValueError("a line has no quantity or no price")
    exact = Decimal(str(quantity))
    printed_code = "" if code == NO_TAX else code.replace(INCLUDED, "")
    return Line(str(line.get("description", "")), exact, Decimal(rate), line_total(exact, rate), printed_code)


def _said(error: Exception) -> str:
    """Say why, without what an exception of Python quotes."""
    if isinstance(error, KeyError):
        return "the books do not say the rate of one of its taxes"
    return str(error) if type(error) in (LookupError, ValueError) else "it has an odd value"


def _plain(percent: Decimal) -> str:
    return format(percent.normalize(), "f")

"""What customers owe by the lists of the books: open invoices, less what was paid too much or for no invoice yet.

What an invoice says is paid is held against its payments. All of it is as of today, so it is compared only by a tie-out
that reaches today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.receivables import BALANCE_STEP, Customer, name_of_payments
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.reports.difference import TODAY, Difference
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.period import Period

PREPAID = timedelta(days=400)
"""How long before the invoices payments are looked for, if those since then do not explain what is paid."""


class Owed:
    """What customers owe, added up while the invoices of the books are listed.

    :param sync: whose budget the lists of payments are counted against.
    :ivar since: first day whose invoices count.
    :ivar until: last day.
    :ivar paid_since: first day whose payments count.
    """

    def __init__(self, sync: Sync, period: Period, today: date) -> None:
        self._sync = sync
        oldest = books.oldest_open(sync) or period.first
        self.since, self.until = min(oldest, period.first), max(period.last, today + books.FUTURE)
        self.paid_since = self.since
        self._paid = _Paid.read(sync, self.paid_since, self.until)
        self._open: list[tuple[str, int, int, int]] = []
        self._apart: dict[int, tuple[str, int]] = {}
        self._unread = 0

    @classmethod
    def of(cls, sync: Sync, period: Period) -> Owed | None:
        """Begin, unless the period ended before today."""
        today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
        return cls(sync, period, today) if period.last >= today else None

    def add(self, entry: Entry) -> None:
        """Count one invoice of the list."""
        invoice = entry.invoice
        if invoice is None:
            self._unread += 1
            return
        currency = invoice.currency or ""
        if invoice.balance:
            self._open.append((currency, invoice.contact or 0, invoice.id, invoice.balance))
        if invoice.paid != self._paid.of_invoices[invoice.id]:
            self._apart[invoice.id] = currency, invoice.paid

    def customers(self) -> list[Customer]:
        """Give the customers that owe something or have a credit, the largest balance of each currency first."""
        ids = (ident for _, _, ident, _ in self._open)
        ours = {link.kashoo_id for link in self._sync.store.linked_records.billed_of(INVOICE.name, kashoo_ids=ids)}
        found: dict[tuple[str, int], Customer] = {}
        for currency, contact, ident, balance in self._open:
            customer = found.setdefault((currency, contact), Customer(currency, contact))
            customer.owes(balance, ours=ident in ours)
        for (currency, contact), credit in self._paid.credits.items():
            if credit:
                found.setdefault((currency, contact), Customer(currency, contact)).credits += credit
        return sorted(found.values(), key=lambda each: (each.currency, -each.balance, each.kashoo_id))

    def differences(self) -> Iterator[Difference]:
        """Give the invoices that say of themselves that something else is paid than their payments say."""
        if not self._apart:
            return
        # Payments are listed once more: some may be older than every invoice, or came while the invoices were listed.
        self.paid_since = self.since - PREPAID
        self._paid = _Paid.read(self._sync, self.paid_since, self.until)
        linked = self._sync.store.linked_records.billed_of(INVOICE.name, kashoo_ids=self._apart)
        links = {link.kashoo_id: link for link in linked}
        for ident, (currency, paid) in sorted(self._apart.items()):
            by_payments = self._paid.of_invoices[ident]
            name, link = name_of_payments(paid, by_payments, ident in self._paid.odd), links.get(ident)
            if name:
                source_id, part = (link.source_id, link.part) if link else (None, 1)
                step = BALANCE_STEP[name]
                yield Difference(name, currency, TODAY, source_id, ident, by_payments, paid, step, part=part)

    @property
    def notes(self) -> list[str]:
        """Say what could not be counted."""
        unread = {"invoices": self._unread, "payments": self._paid.unread}
        said = "{:,} {} cannot be read: balances are without them."
        return [said.format(count, what) for what, count in unread.items() if count]


@dataclass
class _Paid:
    """What the payments of some days say, minor units.

    :ivar of_invoices: invoice -> what is paid on it.
    :ivar credits: currency and customer -> what is left of payments for no invoice yet.
    :ivar odd: invoices with a payment that cannot be read.
    :ivar unread: payments that cannot be read.
    """

    of_invoices: Counter[int] = field(default_factory=Counter)
    credits: Counter[tuple[str, int]] = field(default_factory=Counter)
    odd: set[int] = field(default_factory=set)
    unread: int = 0

    @classmethod
    def read(cls, sync: Sync, start: date, end: date) -> _Paid:
        """Read the list of payments."""
        paid = cls()
        for each in sync.kashoo.payments(start=start.isoformat(), end=end.isoformat()):
            if each.removed:
                continue
            for invoice_id, amount in each.shares:
                paid.of_invoices[invoice_id] += amount
            if each.odd:
                paid.unread += 1
                paid.odd.update(invoice_id for invoice_id, _ in each.shares)
            if each.unallocated:
                paid.credits[each.currency or "", each.contact or 0] += each.unallocated
        return paid

"""What customers owe by the lists of the books: open invoices, less what was paid too much or for no invoice yet.

What an invoice says is paid is held against its payments. All of it is as of today, so it is compared only by a tie-out
that reaches today; which days are looked at does not depend on the period of that tie-out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.receivables import BALANCE_STEP, OF_INVOICES, Customer, name_of_payments
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, PAID, VOID
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.reports.difference import TODAY, Difference
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.known import Known
from airflow_provider_kashoo.sync.tie_out.period import Period

PREPAID = timedelta(days=400)
"""How long before the invoices payments are looked for, if those since then do not explain what is paid."""

OWING = books.EVERY_SETTLEMENT - {PAID, VOID, OUT_OF_REACH}
"""Settlements of an invoice of which something may be owed."""


class Owed:
    """What customers owe, added up while the invoices of the books are listed.

    :param sync: whose budget the lists of payments are counted against.
    :ivar since: first day whose invoices and payments count.
    :ivar until: last day.
    :ivar missing: linked invoices of which something may be owed, and which were not listed; they count whatever their
        date.
    """

    def __init__(self, sync: Sync, known: Known, today: date) -> None:
        self._sync = sync
        usual = Period.usual(today).first
        self.since, self.until = min(books.oldest(sync, OWING) or usual, usual), today + books.FUTURE
        self.missing = sync.store.linked_records.of_settlements(INVOICE.name, OWING) - _removed(sync, known)
        self._noted = sync.store.differences.noted(TODAY, OF_INVOICES)
        self._unlisted = {*self._noted.values()}
        self._paid = _Paid.read(sync, self.since, self.until)
        self._open: list[tuple[str, int, int, int]] = []
        self._apart: dict[int, tuple[str, int]] = {}
        self._unread: list[int] = []

    @classmethod
    def of(cls, sync: Sync, known: Known, period: Period) -> Owed | None:
        """Begin, unless the period ended before today."""
        today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
        return cls(sync, known, today) if period.last >= today else None

    def add(self, entry: Entry) -> None:
        """Count one invoice of the list."""
        known, day = entry.id in self.missing, entry.date
        if not known and day is not None and not self.since.isoformat() <= day <= self.until.isoformat():
            return
        self.missing.discard(entry.id)
        self._unlisted.discard(entry.id)
        invoice = entry.invoice
        if invoice is None:
            self._unread.append(entry.id)
            return
        currency = invoice.currency or ""
        if invoice.balance:
            self._open.append((currency, invoice.contact or 0, invoice.id, invoice.balance))
        if invoice.paid != self._paid.of_invoices[invoice.id]:
            self._apart[invoice.id] = currency, invoice.paid

    def customers(self) -> list[Customer]:
        """Give the customers that owe something or have a credit, the largest balance of each currency first."""
        ours = self._linked(ident for _, _, ident, _ in self._open)
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
        # Some payments may be older than every invoice, or came while the invoices were listed.
        paid = _Paid.read(self._sync, self.since - PREPAID, self.until)
        linked = self._sync.store.linked_records.billed_of(INVOICE.name, kashoo_ids=self._apart)
        links = {link.kashoo_id: link for link in linked}
        for ident, (currency, by_invoice) in sorted(self._apart.items()):
            by_payments, odd = paid.of_invoices[ident], ident in paid.odd or paid.hides_an_invoice
            name, link = name_of_payments(by_invoice, by_payments, odd=odd), links.get(ident)
            if name:
                source_id, part = (link.source_id, link.part) if link else (None, 1)
                amounts = by_payments, by_invoice
                yield Difference(name, currency, TODAY, source_id, ident, *amounts, BALANCE_STEP[name], part=part)

    @property
    def unseen(self) -> frozenset[str]:
        """Keys of the differences that were noted of invoices which were not listed now."""
        return frozenset(key for key, ident in self._noted.items() if ident in self._unlisted)

    @property
    def is_written_back(self) -> bool:
        """Whether balances are written back: not while an invoice of ours shows no total, balance or customer."""
        nobody = (ident for _, contact, ident, _ in self._open if not contact)
        return not self._linked([*self._unread, *nobody])

    @property
    def notes(self) -> list[str]:
        """Say what could not be counted."""
        counts = {
            "{:,} invoices cannot be read: balances are without them.": len(self._unread),
            "{:,} payments cannot be read as a whole: balances may be without them.": self._paid.unread,
            "{:,} invoices that are not paid are in no list: balances are without them.": len(self.missing),
        }
        return [said.format(count) for said, count in counts.items() if count]

    def _linked(self, ids: Iterator[int] | list[int]) -> set[int]:
        return {link.kashoo_id for link in self._sync.store.linked_records.billed_of(INVOICE.name, kashoo_ids=ids)}


def _removed(sync: Sync, known: Known) -> set[int]:
    """Give the invoices of which a person is asked, or was, because they were removed in Kashoo."""
    links = sync.store.linked_records.billed_of(INVOICE.name, sources={source for source, _ in known.removed})
    return {link.kashoo_id for link in links if (link.source_id, link.part) in known.removed}


@dataclass
class _Paid:
    """What the payments of some days say, minor units.

    :ivar of_invoices: invoice -> what is paid on it.
    :ivar credits: currency and customer -> what is left of payments for no invoice yet.
    :ivar odd: invoices with a payment that cannot be read.
    :ivar hides_an_invoice: one that cannot be read shows no invoice.
    :ivar unread: payments that cannot be read.
    """

    of_invoices: Counter[int] = field(default_factory=Counter)
    credits: Counter[tuple[str, int]] = field(default_factory=Counter)
    odd: set[int] = field(default_factory=set)
    hides_an_invoice: bool = False
    unread: int = 0

    @classmethod
    def read(cls, sync: Sync, start: date, end: date) -> _Paid:
        """Read the list of payments."""
        paid = cls()
        for each in sync.kashoo.payments(start=start.isoformat(), end=end.isoformat()):
            for invoice_id, amount in each.shares:
                paid.of_invoices[invoice_id] += amount
            if each.odd:
                paid.unread += 1
                paid.odd.update(invoice_id for invoice_id, _ in each.shares)
                paid.hides_an_invoice |= not each.shares
            if each.unallocated and not each.removed:
                paid.credits[each.currency or "", each.contact or 0] += each.unallocated
        return paid

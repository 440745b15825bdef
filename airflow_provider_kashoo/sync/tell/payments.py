"""The payments of invoices, read as far back as their balances need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.settlement import OPEN, Allocation, Invoice, is_complete, settlement_of
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Known

PREPAID = timedelta(days=400)
"""How long before an invoice's date payments are looked for, if those that were read do not explain its balance."""


class Payments:
    """Allocations by invoice.

    :ivar paid_lately: ids of the invoices to which payments were staged.
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._parts = _by_invoice(books.staged_allocations(sync))
        self.paid_lately = frozenset(self._parts)

    def complete(self, known: Iterable[Known], unsettled: Collection[tuple[str, str]]) -> None:
        """Read older payments too, if those that were read do not explain a balance or an earlier write-back.

        :param unsettled: (object, source id) of records whose last write-back was refused or has no known outcome.
        """
        unexplained = [(link, invoice) for link, invoice in known if not self._explains(link, invoice, unsettled)]
        if not unexplained:
            return
        today = business_date(datetime.fromtimestamp(self._sync.store.now(), UTC), self._sync.settings.zone)
        # An invoice's date may have been moved far; the other invoices still need the window that was staged.
        dates = [each for link, invoice in unexplained for each in (invoice.date, link.journal_date) if each]
        start = min([date.fromisoformat(each) for each in dates] or [today]) - PREPAID
        start = min(start, books.payments_since(self._sync) or today)
        self._parts = _by_invoice(books.read_allocations(self._sync, start, today))

    def problem(self, invoice_id: int) -> Problem | None:
        """Say why the payments of an invoice cannot be read, if one of them has a value that it cannot have."""
        odd = next((part for part in self._parts.get(invoice_id, []) if part.odd), None)
        if odd is None:
            return None
        cause = f"Kashoo shows payment {odd.payment_id} of its invoice with an odd {odd.odd}"
        return Problem("unreadable", cause, "Open the payment in Kashoo and correct it. Every run tries it again.")

    def settlements(self, known: Iterable[Known]) -> list[dict[str, Any]]:
        """Describe each invoice with its payments, see :func:`.settlement_of`."""
        return [settlement_of(invoice, self._parts.get(invoice.id, [])) for _, invoice in known]

    def _explains(self, link: Link, invoice: Invoice, unsettled: Collection[tuple[str, str]]) -> bool:
        seen = self._parts.get(invoice.id, [])
        if not invoice.removed and not is_complete(invoice, seen):
            return False
        had_payments = link.settlement not in {None, OPEN} or (link.source_object, link.source_id) in unsettled
        return bool(seen) or not had_payments


def _by_invoice(found: Iterable[Allocation]) -> dict[int, list[Allocation]]:
    parts: dict[int, list[Allocation]] = defaultdict(list)
    for part in found:
        parts[part.invoice_id].append(part)
    return parts

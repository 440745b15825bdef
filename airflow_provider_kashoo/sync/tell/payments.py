"""The payments of invoices, read as far back as their balances need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.settlement import OPEN, Allocation, Invoice, is_complete
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Known

PREPAID = timedelta(days=400)
"""How long before an invoice's date payments are looked for, if those that were read do not explain its balance."""


class Payments:
    """The payments that were read.

    :ivar paid_lately: ids of the invoices to which payments were staged.
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._known = books.Allocations.staged(sync)
        self.paid_lately = frozenset(self._known.invoice_ids)

    def of(self, known: Sequence[Known]) -> dict[int, list[Allocation]]:
        """Invoice -> its payments, of some invoices that have any."""
        return self._known.of(invoice.id for _, invoice in known)

    @property
    def unreadable(self) -> set[int]:
        """Ids of payments of which it is not known what they pay."""
        return {part.payment_id for part in self._known.of([0]).get(0, ())}

    def complete(
        self,
        parts: Sequence[Sequence[Known]],
        unsettled: Collection[tuple[str, str]],
        told: Mapping[int, Collection[int]] = MappingProxyType({}),
    ) -> None:
        """Read older payments too, if those that were read do not explain a balance or an earlier write-back.

        :param parts: all invoices that are looked at, in parts.
        :param unsettled: (object, source id) of records whose last write-back was refused or has no known outcome.
        :param told: invoice -> payments that Salesforce has a record of.
        """
        unexplained = [each for known in parts for each in self._unexplained(known, unsettled, told)]
        if not unexplained:
            return
        today = business_date(datetime.fromtimestamp(self._sync.store.now(), UTC), self._sync.settings.zone)
        # An invoice's date may have been moved far; the other invoices still need the window that was staged.
        dates = [each for link, invoice in unexplained for each in (invoice.date, link.journal_date) if each]
        start = min([date.fromisoformat(each) for each in dates] or [today]) - PREPAID
        start = min(start, books.payments_since(self._sync) or today)
        self._known = books.Allocations.read(self._sync, start, today)

    def _unexplained(
        self,
        known: Sequence[Known],
        unsettled: Collection[tuple[str, str]],
        told: Mapping[int, Collection[int]],
    ) -> list[Known]:
        paid, found = self.of(known), list[Known]()
        for link, invoice in known:
            seen = paid.get(invoice.id, ())
            missed = set(told.get(invoice.id, ())) - {part.payment_id for part in seen}
            if missed or not _explain(seen, link, invoice, unsettled):
                found.append((link, invoice))
        return found


def _explain(
    seen: Sequence[Allocation], link: Linked, invoice: Invoice, unsettled: Collection[tuple[str, str]]
) -> bool:
    """Say whether payments explain the balance of an invoice, and what was written back of it last."""
    if not invoice.removed and not is_complete(invoice, seen):
        return False
    had_payments = link.settlement not in {None, OPEN} or (link.source_object, link.source_id) in unsettled
    return bool(seen) or not had_payments


def problem(payments: Iterable[Allocation]) -> Problem | None:
    """Say why the payments of an invoice cannot be read, if one of them has a value that it cannot have."""
    odd = next((part for part in payments if part.odd), None)
    if odd is None:
        return None
    cause = f"Kashoo shows payment {odd.payment_id} of its invoice with an odd {odd.odd}"
    return Problem("unreadable", cause, "Open the payment in Kashoo and correct it. Every run tries it again.")

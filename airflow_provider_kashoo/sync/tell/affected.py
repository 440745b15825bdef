"""Which invoices may have to be written back, and what a person is asked about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.field_types import DOES_NOT_FIT
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import (
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    STANDS_AGAIN,
)
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, REFUNDED, VOID, Invoice
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

ONLY_BY_HAND = frozenset({DOES_NOT_FIT, "not_a_number"})
"""Error classes of write-backs that no payment can mend; the second is that of older stores."""

Known = tuple[Link, Invoice]
"""A link, and what the books say of its invoice."""


@dataclass
class Found:
    """Invoices that were found, and what was decided about those that cannot be written back."""

    known: list[Known] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)


class Affected:
    """The linked invoices of one plan.

    :param reads: reads single invoices, each once.
    :ivar mappings: Salesforce object -> the mapping that writes back to it.
    :ivar weekly: whether all that is linked was listed.
    :ivar unsettled: (object, source id) of records whose last write-back was refused or has no known outcome.
    """

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self._sync, self._reads = sync, reads
        self._links = sync.store.links.of_target(INVOICE.name)
        self._voided = sync.store.links.ended(INVOICE.name)
        self._invoices = books.staged_invoices(sync)
        self._removed = Removed(sync)
        self.weekly = books.lists_all(sync)
        self.mappings = {mapping.to: mapping for mapping in sync.mappings.values() if not mapping.into_books}
        journal = sync.store.journal
        self._unanswered = journal.open_records(State.SENT, State.RETRY, State.IN_DOUBT)
        left = frozenset() if sync.run.run_type == "replay" else ONLY_BY_HAND  # a person replays what is mended
        refused = (each for each in journal.unsettled(State.PARKED) if each["error_class"] not in left)
        self.unsettled = self._unanswered | {(each["target"], each["source_id"]) for each in refused}

    def is_known(self, intent: Intent) -> bool:
        """Say whether it is known what Salesforce has on a record: no write-back is unanswered."""
        return intent.record.named not in self._unanswered

    def changed(self, paid_lately: Collection[int]) -> Found:
        """Pair each link whose invoice may have changed, or was not safely written back, with its invoice now.

        :param paid_lately: ids of the invoices to which payments were listed.
        """
        removed = self._sync.store.reviews.sources(INVOICE.name, REMOVED_IN_BOOKS)
        found = Found()
        for link in self._links:
            invoice = self._invoices.get(link.kashoo_id)
            due = link.settlement != VOID or link.source_id in removed  # its question closes if it is restored
            missed = (self.weekly and due) or (link.source_object, link.source_id) in self.unsettled
            paid = missed or link.kashoo_id in paid_lately
            if invoice is None and (paid or link.settlement not in {*books.SETTLED, OUT_OF_REACH}):
                invoice = self._read(link, found)
            if invoice is not None and (paid or not _is_refunded_still(link, invoice)):
                found.known.append((link, invoice))
        return found

    def voids_to_write_back(self) -> Found:
        """Find voids that were not written back yet, unless their record has a later invoice.

        Each is read once more: about an invoice that is there again, although we voided it, a person is asked.
        """
        latest = {link.source_id: link for link in self._voided}
        replaced = {link.source_id for link in self._links}
        found = Found()
        for link in latest.values():
            pending = link.settlement != VOID and (self.weekly or link.settlement != OUT_OF_REACH)
            if link.source_object not in self.mappings or link.source_id in replaced or not pending:
                continue
            try:
                entry = self._reads.read(link.target, link.kashoo_id, link.version)
            except UnreadableError:
                continue  # every run tries again
            if entry is None or entry.removed:
                found.known.append((link, _invoice(link, entry)))
            else:
                found.intents.append(link.intent(self._sync.name).asked(STANDS_AGAIN))
        return found

    def standing_again(self) -> list[Intent]:
        """Ask a person about invoices that we voided and that the books still list."""
        standing = [link for link in self._voided if link.kashoo_id in self._invoices]
        return [link.intent(self._sync.name).asked(STANDS_AGAIN) for link in standing]

    def copies(self) -> list[Intent]:
        """Ask a person about each linked invoice whose reference another invoice carries too."""
        bearers, copies = books.staged_bearers(self._sync), list[Intent]()
        for link in self._links:
            found = bearers.get(str(Reference(link.source_id, link.part, link.generation)), [])
            if others := [ident for ident in found if ident != link.kashoo_id]:
                problem = replace(POSSIBLE_DUPLICATE, cause=f"{len(others)} more invoices carry its reference")
                copies.append(link.intent(self._sync.name, kashoo_id=others[0]).asked(problem))
        return copies

    def _read(self, link: Link, found: Found) -> Invoice | None:
        """Read an invoice that was not listed; park one that cannot be read, if a mapping writes it back."""
        begun = link.intent(self._sync.name)
        try:
            invoice = _invoice(link, self._reads.read(link.target, link.kashoo_id, link.version))
        except UnreadableError as error:
            if link.source_object in self.mappings:
                record = Record(link.source_object, link.source_object, link.source_id, link.part)
                found.intents.append(replace(begun, record=record, generation=1).parked(error.problem))
            return None
        if invoice.removed:
            found.intents.append(self._removed.ask(begun, None))
        return invoice


def _is_refunded_still(link: Link, invoice: Invoice) -> bool:
    """Say whether an invoice that was written back as refunded still is: nothing is paid on it."""
    return link.settlement == REFUNDED and not invoice.paid


def _invoice(link: Link, entry: Entry | None) -> Invoice:
    """Give an invoice that was read; a voided one owes nothing, and the books may not show it any more.

    :raises UnreadableError: when it exists and the books show it with odd values.
    """
    total = link.expected_total or 0
    if entry is None:
        return Invoice(link.kashoo_id, total, 0, currency=link.currency, removed=True, shown=False)
    if entry.removed:
        void = entry.owing(total if entry.total is None else entry.total, 0)
        return replace(void, currency=void.currency or link.currency)
    if entry.invoice is None:
        raise entry.unreadable
    return entry.invoice

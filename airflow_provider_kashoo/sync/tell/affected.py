"""Which invoices may have to be written back, and what a person is asked about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE
from airflow_provider_kashoo.core.mapping.values.field_types import DOES_NOT_FIT
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import (
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    STANDS_AGAIN,
)
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, REFUNDED, VOID, Invoice
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.read import books
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

ONLY_BY_HAND = frozenset({DOES_NOT_FIT, "not_a_number"})
"""Error classes of write-backs that no payment can mend; the second is that of older stores."""

PART = 5_000
"""Links that are looked at together; a multiple of the ids in one query of Salesforce."""

AT_REST = frozenset({*books.SETTLED, OUT_OF_REACH})
"""Settlements of an invoice that changes only if it is listed, or paid."""

Known = tuple[Linked, Invoice]
"""A link, and what the books say of its invoice."""


@dataclass
class Found:
    """Invoices that were found, and what was decided about those that cannot be written back.

    :ivar rests: refunded ones that were written back as that.
    :ivar unread: how many cannot be read.
    """

    known: list[Known] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    rests: list[Known] = field(default_factory=list)
    unread: int = 0


class Affected:
    """The linked invoices of one plan.

    :param reads: reads single invoices, each once.
    :param read: when the books were listed, ISO 8601 UTC.
    :ivar today: by the zone of the business.
    :ivar mappings: Salesforce object -> the mapping that writes back to it.
    :ivar weekly: whether all that is linked was listed.
    :ivar unsettled: (object, source id) of records whose last write-back was refused or has no known outcome.
    """

    def __init__(self, sync: Sync, reads: Reads, read: str = "") -> None:
        self._sync, self._reads, self.read = sync, reads, read
        self.today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
        self._store = sync.store.written_back
        self._voided = self._store.voided()
        self._invoices = books.StagedInvoices(sync)
        self._removed = Removed(sync)
        self._divided, self._due_in_parts = self._store.divided(), set[str]()
        self.weekly = books.lists_all(sync)
        self.mappings = {mapping.to: mapping for mapping in sync.mappings.values() if mapping.tells}
        journal = sync.store.journal
        self._unanswered = journal.open_records(State.SENT, State.RETRY, State.IN_DOUBT)
        self._sent_fields = defaultdict[tuple[str, str], set[str]](set)
        for row in journal.unsettled(State.SENT, State.RETRY):
            self._sent_fields[row["target"], row["source_id"]].update(row["fields"] or {})
        owing = any(mapping.from_.object == CUSTOMER.name for mapping in sync.mappings.values())
        self._at_rest = AT_REST - {REFUNDED} if owing else AT_REST
        left = frozenset() if sync.run.run_type == "replay" else ONLY_BY_HAND  # a person replays what is mended
        refused = (each for each in journal.unsettled(State.PARKED) if each["error_class"] not in left)
        self.unsettled = self._unanswered | {(each["target"], each["source_id"]) for each in refused}

    def is_known(self, intent: Intent) -> bool:
        """Say whether it is known what Salesforce has on a record: no write-back is unanswered."""
        return intent.record.named not in self._unanswered

    def fields_in_flight(self, intent: Intent) -> set[str]:
        """Name the fields of unanswered writes of a record: what Salesforce has in them is not known."""
        return self._sent_fields.get(intent.record.named, set())

    def is_unsettled(self, link: Linked) -> bool:
        """Say whether the last write-back to a link's record was refused or has no known outcome."""
        return (link.source_object, link.source_id) in self.unsettled

    def changed(self, paid_lately: Collection[int]) -> Iterator[Found]:
        """Pair each link whose invoice may have changed, or was not safely written back, with its invoice now.

        :param paid_lately: ids of the invoices to which payments were listed.
        :returns: part by part, oldest first; without those of records that have several, see :meth:`in_parts`.
        """
        removed = self._sync.store.reviews.sources(INVOICE.name, REMOVED_IN_BOOKS)
        ids = self._store.all_ids() if self.weekly else self._due(paid_lately)
        for start in range(0, len(ids), PART):
            links = self._store.of_ids(ids[start : start + PART])
            self._due_in_parts.update(link.source_id for link in links if link.source_id in self._divided)
            single = [link for link in links if link.source_id not in self._divided]
            yield self._paired(single, paid_lately, removed)

    def in_parts(self) -> Iterator[list[Linked]]:
        """Give all links of each record that has several invoices, if one of them was found by :meth:`changed`."""
        found: dict[tuple[str, str], list[Linked]] = {}
        for link in self._store.of_records(self._due_in_parts):
            found.setdefault((link.source_object, link.source_id), []).append(link)
        for links in found.values():
            yield sorted(links, key=lambda link: link.part)

    def invoice(self, link: Linked, found: Found) -> Invoice | None:
        """Give the invoice of a link as the books have it now.

        :param found: takes what is decided about one that cannot be read, or was removed.
        :returns: None for one that cannot be read.
        """
        if link.settlement == VOID and not self.weekly:  # removed by a person, and written back as that
            return _invoice(link, None)
        return self._invoices.of([link.kashoo_id]).get(link.kashoo_id) or self._read(link, found)

    def _due(self, paid_lately: Collection[int]) -> list[int]:
        """List the row ids of the links that are open, listed, paid or not safely written back."""
        unsettled = (source_id for _, source_id in self.unsettled)
        return self._store.ids(books.EVERY_SETTLEMENT - self._at_rest, [*self._invoices.ids, *paid_lately], unsettled)

    def _paired(self, links: list[Linked], paid_lately: Collection[int], removed: Collection[str]) -> Found:
        staged, found = self._invoices.of(link.kashoo_id for link in links), Found()
        for link in links:
            invoice = staged.get(link.kashoo_id)
            due = link.settlement != VOID or link.source_id in removed  # its question closes if it is restored
            missed = (self.weekly and due) or self.is_unsettled(link)
            paid = missed or link.kashoo_id in paid_lately
            if invoice is None and (paid or link.settlement not in self._at_rest):
                invoice = self._read(link, found)
            if invoice is not None:
                rests = not paid and _is_refunded_still(link, invoice)
                (found.rests if rests else found.known).append((link, invoice))
        return found

    def voids_to_write_back(self) -> Found:
        """Find voids that were not written back yet, unless their record has a later invoice.

        Each is read once more: about an invoice that is there again, although we voided it, a person is asked.
        """
        latest = {link.source_id: link for link in self._voided}
        pending = {
            source_id: link
            for source_id, link in latest.items()
            if link.settlement != VOID and (self.weekly or link.settlement != OUT_OF_REACH)
            if link.source_object in self.mappings
        }
        replaced = {reference.source_id for _, reference, _ in self._store.bearers(pending)}
        found = Found()
        for link in (link for source_id, link in pending.items() if source_id not in replaced):
            try:
                entry = self._reads.read(link.target, link.kashoo_id, link.version)
            except UnreadableError:
                continue  # every run tries again
            if entry is None or entry.removed:
                found.known.append((link, _invoice(link, entry)))
            else:
                found.intents.append(link.intent(self._sync.name).asked(STANDS_AGAIN))
        return found

    def voided(self) -> list[Known]:
        """Give the invoices that we voided, as what they are; the books are not asked."""
        return [(link, _invoice(link, None)) for link in self._voided]

    def standing_again(self) -> list[Intent]:
        """Ask a person about invoices that we voided and that the books still list."""
        standing = self._invoices.of(link.kashoo_id for link in self._voided)
        return [link.intent(self._sync.name).asked(STANDS_AGAIN) for link in self._voided if link.kashoo_id in standing]

    def copies(self) -> list[Intent]:
        """Ask a person about each linked invoice whose reference another invoice carries too."""
        bearers, copied = books.staged_bearers(self._sync), dict[int, list[int]]()
        named = (text.split(":")[1] for text in bearers)
        for row, reference, linked in self._store.bearers(named):
            if others := [ident for ident in bearers.get(str(reference), ()) if ident != linked]:
                copied[row] = others
        copies = list[Intent]()
        for link in self._store.of_ids(copied):
            others = copied[link.id]
            problem = replace(POSSIBLE_DUPLICATE, cause=f"{len(others)} more invoices carry its reference")
            copies.append(link.intent(self._sync.name, kashoo_id=others[0]).asked(problem))
        return copies

    def _read(self, link: Linked, found: Found) -> Invoice | None:
        """Read an invoice that was not listed; park one that cannot be read, if a mapping writes it back."""
        begun = link.intent(self._sync.name)
        try:
            invoice = _invoice(link, self._reads.read(link.target, link.kashoo_id, link.version))
        except UnreadableError as error:
            found.unread += 1
            if link.source_object in self.mappings:
                record = Record(link.source_object, link.source_object, link.source_id)
                found.intents.append(replace(begun, record=record, generation=1).parked(error.problem))
            return None
        if invoice.removed:
            found.intents.append(self._removed.ask(begun, None))
        return invoice


def _is_refunded_still(link: Linked, invoice: Invoice) -> bool:
    """Say whether an invoice that was written back as refunded still is: nothing is paid on it."""
    return link.settlement == REFUNDED and not invoice.paid


def _invoice(link: Linked, entry: Entry | None) -> Invoice:
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

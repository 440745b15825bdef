"""Step two, towards Salesforce: each linked invoice's settlement, held against what was written last.

The state written is computed from what the books hold now, never added up from events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.documents import is_gone
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.write_back import (
    NOT_A_NUMBER,
    NUMBER_FIELDS,
    as_told,
    documents,
    told_by_the_invoice,
)
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow, PlanSummary, in_order, summarise
from airflow_provider_kashoo.core.rules.questions import (
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    STANDS_AGAIN,
    removed_in_books,
)
from airflow_provider_kashoo.core.rules.settlement import OPEN, REFUNDED, VOID, Allocation, is_complete, settlement_of
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import books as kashoo_delta
from airflow_provider_kashoo.sync.read import weekly_look as contacts
from airflow_provider_kashoo.sync.run.deltas import all_staged, earliest_read
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

OUT_OF_REACH = "Unreachable"
"""Settlement of a voided invoice whose record in Salesforce is deleted: told once a week, should it come back."""

TOLD_SO_ALREADY = "Salesforce was told so already"

PREPAID = timedelta(days=400)
"""How long before an invoice's date its payments are looked for, when those seen do not explain its balance."""

Invoice = dict[str, Any]
HashedFields = MappingType[str, str]
Known = tuple[Link, Invoice]
"""A link, and what the books say of its invoice."""


class WriteBackPlan:
    """Plans one run of ``kashoo_to_salesforce``.

    :param reads: reads single invoices, each once.
    """

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self.sync, self._reads = sync, reads
        self.rows: list[PlanRow] = []
        self._links = sync.store.links.of_target("invoice")
        self._voided = sync.store.links.ended("invoice")
        self._invoices = kashoo_delta.staged_invoices(sync)
        self._weekly = kashoo_delta.lists_all(sync)
        self._told = {mapping.to: mapping for mapping in sync.mappings.values() if not mapping.into_books}
        journal = sync.store.journal
        self._unanswered = journal.open_records(State.SENT, State.RETRY, State.IN_DOUBT)
        parked = journal.unsettled(State.PARKED)
        self._unsettled = self._unanswered | {
            (each["target"], each["source_id"]) for each in parked if each["error_class"] != NOT_A_NUMBER
        }
        self._parts: dict[int, list[Allocation]] = _by_invoice(kashoo_delta.staged_allocations(sync))

    def make(self) -> PlanSummary:
        """Plan what Salesforce has to be told, stage it, and summarise."""
        known = list(self._affected())
        self.rows += self._copies()
        at_rest = self._at_rest(known)
        known = [(link, invoice) for link, invoice in known if link.id not in at_rest]
        self._complete_payments(known)
        standing = [link for link in self._voided if link.kashoo_id in self._invoices]
        self.rows += [self._question(link, STANDS_AGAIN) for link in standing]
        for mapping, own in self._by_mapping(known + list(self._untold_voids())):
            self.rows += self._rows_of(mapping, own)
        self.rows += contacts.plan(self.sync)
        deltas = all_staged(self.sync.files).values()
        self.rows = in_order(replace(row, source_read=earliest_read(deltas)) for row in self.rows)
        self.sync.files.write_plan(self.rows)
        notes = [f"{delta.source}: {delta.records} records, {delta.note}" for delta in deltas]
        notes += contacts.notes(self.sync)
        return summarise(self.rows, seconds_for=lambda _: 0.0, notes=notes)

    def _affected(self) -> Iterator[Known]:
        """Pair each link that may have changed, or whose last write-back is not settled, with its invoice now."""
        removed = self.sync.store.reviews.sources("invoice", REMOVED_IN_BOOKS)
        for link in self._links:
            invoice = self._invoices.get(link.kashoo_id)
            due = link.settlement != VOID or link.source_id in removed  # its question closes when it stands again
            missed = (self._weekly and due) or (link.source_object, link.source_id) in self._unsettled
            paid = missed or link.kashoo_id in self._parts
            if invoice is None and (paid or link.settlement not in {*kashoo_delta.SETTLED, OUT_OF_REACH}):
                try:
                    invoice = self._reads.read("invoice", link.kashoo_id, link.version)
                except UnreadableError as error:
                    if link.source_object not in self._told:
                        continue
                    own = link.row(self.sync.name, Action.PARK, "", target=link.source_object, generation=1)
                    self.rows.append(own.parked(error.problem))
                    continue
                if is_gone(invoice):
                    self.rows.append(removed_in_books(link.row(self.sync.name, Action.REVIEW, "")))
                    invoice = _void(link, invoice or {})
            if invoice is not None and (paid or not _is_refunded_still(link, invoice)):
                yield link, invoice

    def _untold_voids(self) -> Iterator[Known]:
        """Give what we voided and Salesforce was not told of, unless its record has a later invoice.

        Each is read once more: an invoice that stands again, although we removed it, is for a person.
        """
        latest = {link.source_id: link for link in self._voided}
        replaced = {link.source_id for link in self._links}
        for link in latest.values():
            untold = link.settlement != VOID and (self._weekly or link.settlement != OUT_OF_REACH)
            if link.source_object not in self._told or link.source_id in replaced or not untold:
                continue
            try:
                invoice = self._reads.read("invoice", link.kashoo_id, link.version)
            except UnreadableError:
                continue  # every run asks again
            if is_gone(invoice):
                yield link, _void(link, invoice or {})
            else:
                self.rows.append(self._question(link, STANDS_AGAIN))

    def _at_rest(self, known: list[Known]) -> set[int]:
        """Find the links of whose invoices Salesforce was told all that they say, and to which no payment came since.

        Payments of long ago need not be listed again for them; the week's first run does.

        :returns: their ids; each has its row.
        """
        quiet = [
            (link, invoice)
            for link, invoice in known
            if link.settlement not in {None, VOID} and not invoice.get("removed") and link.kashoo_id not in self._parts
            if not self._weekly and (link.source_object, link.source_id) not in self._unsettled
        ]
        found = set()
        for mapping, own in self._by_mapping(quiet):
            names = told_by_the_invoice(mapping)
            for (link, _), document in zip(own, self._documents(mapping, own), strict=True):
                now = self.sync.store.hashes.fields({name: document.get(name) for name in names})
                if names and all(link.written_back.get(name) == value for name, value in now.items()):
                    found.add(link.id)
                    row = self._begin(mapping, link)
                    self.rows.append(replace(row, action=Action.UNCHANGED, reason=TOLD_SO_ALREADY))
        return found

    def _complete_payments(self, known: list[Known]) -> None:
        """Read older payments too, when those seen do not explain a balance to the cent, or what was told before."""
        unexplained = [(link, invoice) for link, invoice in known if not self._is_explained(link, invoice)]
        if not unexplained:
            return
        today = business_date(datetime.fromtimestamp(self.sync.store.now(), UTC), self.sync.settings.zone)
        # The date may have been moved far, and the window that was staged must not be lost for the other invoices.
        dates = [each for link, invoice in unexplained for each in (invoice.get("date"), link.journal_date) if each]
        start = min([date.fromisoformat(each) for each in dates] or [today]) - PREPAID
        start = min(start, kashoo_delta.payments_since(self.sync) or today)
        self._parts = _by_invoice(kashoo_delta.read_allocations(self.sync, start, today))

    def _is_explained(self, link: Link, invoice: Invoice) -> bool:
        seen = self._parts.get(invoice["id"], [])
        if not invoice.get("removed") and not is_complete(invoice, seen):
            return False
        told_more = link.settlement not in {None, OPEN} or (link.source_object, link.source_id) in self._unsettled
        return bool(seen) or not told_more

    def _by_mapping(self, known: list[Known]) -> Iterator[tuple[Mapping, list[Known]]]:
        for sobject, mapping in self._told.items():
            if own := [(link, invoice) for link, invoice in known if link.source_object == sobject]:
                yield mapping, own

    def _settlements(self, known: list[Known]) -> list[dict[str, Any]]:
        return [settlement_of(invoice, self._parts.get(invoice["id"], [])) for _, invoice in known]

    def _documents(self, mapping: Mapping, known: list[Known]) -> list[dict[str, Any]]:
        types = self.sync.salesforce.describe(mapping.to).fields
        numbers = {name for name in mapping.fields if types[name].type in NUMBER_FIELDS}
        return documents(mapping, self._settlements(known), numbers, self.sync.surroundings)

    def _rows_of(self, mapping: Mapping, known: list[Known]) -> Iterator[PlanRow]:
        held = self._held(mapping, known) if self._weekly else {}
        settlements = self._settlements(known)
        for (link, _), settlement, document in zip(known, settlements, self._documents(mapping, known), strict=True):
            row = replace(self._begin(mapping, link), document=document, settlement=settlement["status"])
            yield self._row(row, link, held.get(link.source_id, link.written_back))

    def _held(self, mapping: Mapping, known: list[Known]) -> dict[str, dict[str, str]]:
        """Read what Salesforce holds: a person may have edited it there, or this store not know what was told last.

        :returns: Salesforce id -> field -> hash.
        """
        ids, fields = sorted({link.source_id for link, _ in known}), list(mapping.fields)
        found = {}
        for text in soql.by_ids(mapping.to, ["Id", *fields], ids):
            for record in self.sync.salesforce.query(text):
                values = {name: as_told(record[name]) for name in fields}
                found[record["Id"]] = self.sync.store.hashes.fields(values)
        return found

    def _begin(self, mapping: Mapping, link: Link) -> PlanRow:
        """Begin the row that tells a record of its invoice.

        All invoices that a record ever had share one key, generation 1: two of them are never told at once.
        """
        more = {"mapping": mapping.name, "target": mapping.to, "generation": 1}
        return link.row(self.sync.name, Action.WRITE_BACK, "", **more)

    def _row(self, row: PlanRow, link: Link, told: HashedFields) -> PlanRow:
        row = replace(row, reason=f"its invoice is {row.settlement}")
        if problem := next((value for value in row.document.values() if isinstance(value, Problem)), None):
            return replace(row, document={}).parked(problem)
        # What Salesforce holds is not known where an answer is missing: it may be what was true then.
        told = {} if (row.target, link.source_id) in self._unanswered else told
        now = self.sync.store.hashes.fields(row.document)
        changed = {name: value for name, value in row.document.items() if now[name] != told.get(name)}
        if not changed:
            return replace(row, action=Action.UNCHANGED, reason=TOLD_SO_ALREADY)
        return replace(row, payload=changed)

    def _copies(self) -> Iterator[PlanRow]:
        """Name every invoice that carries the reference of another one, which is linked."""
        bearers = kashoo_delta.staged_bearers(self.sync)
        for link in self._links:
            found = bearers.get(str(Reference(link.source_id, link.part, link.generation)), [])
            if others := [ident for ident in found if ident != link.kashoo_id]:
                problem = replace(POSSIBLE_DUPLICATE, cause=f"{len(others)} more invoices carry its reference")
                yield replace(self._question(link, problem), kashoo_id=others[0])

    def _question(self, link: Link, problem: Problem) -> PlanRow:
        return link.row(self.sync.name, Action.REVIEW, "").reviewed(problem)


def _by_invoice(found: Iterable[Allocation]) -> dict[int, list[Allocation]]:
    parts: dict[int, list[Allocation]] = {}
    for part in found:
        parts.setdefault(part.invoice_id, []).append(part)
    return parts


def _is_refunded_still(link: Link, invoice: Invoice) -> bool:
    """Say whether nothing speaks against a refund that was told: its payments add up to nothing, seen or not."""
    return link.settlement == REFUNDED and bool(invoice["balanceDue"] == invoice["totalDue"])


def _void(link: Link, invoice: Invoice) -> Invoice:
    """Describe a voided invoice, of which the books may say nothing any more: it owes nothing."""
    known = {"id": link.kashoo_id, "currency": link.currency, "totalDue": link.expected_total or 0}
    return {**known, **invoice, "removed": True, "balanceDue": 0}

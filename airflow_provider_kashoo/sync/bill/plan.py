"""Step two, towards the books: what would be written, and why, before anything is.

Invoices are worked out first, because only they make a customer or an item needed; then their
parents; then each invoice is held against its link. One sale becomes one invoice, whichever
object it arrives as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.transform import Document, Transformed, transform
from airflow_provider_kashoo.core.rules import diff
from airflow_provider_kashoo.core.rules import duplicates as match
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.plan import OUTCOME_UNKNOWN, Action, PlanRow, PlanSummary, in_order, summarise
from airflow_provider_kashoo.core.rules.questions import (
    CHANGED_ON_BOTH_SIDES,
    IDENTITY_CHANGED,
    PAID_INVOICE_CHANGED,
    removed_in_books,
)
from airflow_provider_kashoo.core.rules.totals import expected_total
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT, parents_of, resolve_parents
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.generations import Generations
from airflow_provider_kashoo.sync.bill.holdings import Holdings, copied, fields_of
from airflow_provider_kashoo.sync.bill.leaving import Leaving, returned
from airflow_provider_kashoo.sync.bill.merges import plan_merges
from airflow_provider_kashoo.sync.bill.sales import Sales
from airflow_provider_kashoo.sync.read.codes import Books
from airflow_provider_kashoo.sync.read.records import load_lines, load_records
from airflow_provider_kashoo.sync.run.deltas import all_staged, earliest_read, gone
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

BOOKS_OWN = frozenset({"lines", "currency"})
"""Fields in which the books win when both sides changed; in all others Salesforce does.

In an invoice's fields of which nobody knows what was written last, the books win too: a person is asked.
"""

BOOKS_SEARCHED = "books_searched"
"""Staged beside the plan: whether it was made from all that the books hold, because this store did not know them."""

NOT_READABLE = Problem(
    "not_readable",
    "it waited to be billed, and Salesforce does not show it any more",
    "Let the user of the connection read it; nothing, if it was erased.",
)

NOT_FOR_BOOKS = "parent_left_out"

DIFFERS_FROM_BOOKS = Problem(
    "differs_from_books", "the books hold its invoice with other contents", "Nothing: the next run compares the two."
)

ONLY_BY_A_PERSON = frozenset({"contact", "currency"})
"""Fields of an existing invoice that are never changed without a person."""


@dataclass
class Candidate:
    """A deal that is to be billed, before it is held against the books.

    :param at_rest: its invoice was adopted and nothing changed since: it needs no parents in the books.
    """

    row: PlanRow
    document: Document
    link: Link | None
    at_rest: bool = False


class BooksPlan:
    """Plans one run of ``salesforce_to_kashoo``.

    :param reads: reads single records of the books, each once.
    """

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self.sync, self.books, self._reads = sync, Books.staged(sync), reads
        self.rows: list[PlanRow] = []
        self.unfit: dict[tuple[str, str], Problem] = {}
        self.linked: dict[tuple[str, str], int] = {}
        self._made: set[tuple[str, str]] = set()
        self._found: dict[tuple[str, str], int] = {}
        self._open = sync.store.journal.open_records()
        self._deltas = all_staged(sync.files)
        self._read_at = earliest_read(self._deltas.values())
        self._leaving = Leaving(sync, reads)
        self._generations = Generations(sync.store.links.ended("invoice"))
        self._holdings = Holdings(sync, self._generations, self._open)
        self._ended = {target: sync.store.links.ended_versions(target) for target in match.RUNGS}

    def make(self) -> PlanSummary:
        """Plan, stage and summarise."""
        candidates = self._within_limit(list(self._candidates()))
        for target in ("customer", "item"):
            needing = [each for each in candidates if not each.at_rest]
            needed = {ident for each in needing for kind, ident in parents_of(each.document) if kind == target}
            self.plan_parents(target, needed)
        self._holdings.around(date.fromisoformat(each.document["date"]) for each in candidates if not each.link)
        for each in candidates:
            self._plan_invoice(each)
        self._look_around()
        self.rows = in_order(self.rows)
        self.sync.files.write_plan(self.rows)
        deltas = self._deltas.values()
        notes = [f"{d.source}: {d.records} records in [{d.lower}, {d.upper}), {d.note}" for d in deltas]
        return summarise(self.rows, seconds_for=self.sync.budget.seconds_for, notes=notes)

    def _look_around(self) -> None:
        """Put to a person what stands in the books twice; a store that does not know them links what is its own."""
        whole = not self.sync.store.knows_books
        for target in match.RUNGS if whole else ():
            self._holdings.ladder(target)
        self.rows += self._holdings.copies()
        if whole:
            self.rows += self._holdings.unknown(list(self.rows))
        self.sync.files.write_json(BOOKS_SEARCHED, {"whole": whole})

    def _candidates(self) -> Iterator[Candidate]:
        found: list[tuple[Mapping, Transformed]] = []
        for mapping in self.sync.mappings_to("invoice"):
            frame = load_records(self.sync, mapping.from_.object)
            if frame is not None:
                lines = load_lines(self.sync, mapping.from_.object)
                found.append((mapping, transform(mapping, frame, lines, self.sync.surroundings)))
            self._plan_deleted(mapping)
        _bill_once(found)
        sold = {ident: result.sales[ident] for _, result in found for ident in result.documents}
        unfit = {ident: result.sales[ident] for _, result in found for ident in result.problems}
        left_out = {ident for _, result in found for ident in result.excluded}
        sales = Sales(self.sync, sold, unfit, left_out, self._open)
        self.rows += sales.moves(self._read_at)
        for mapping, result in found:
            yield from self._candidates_of(mapping, result, sales, {*sold, *unfit})
        self.rows += self._leaving.rows(self._open, list(self.rows))

    def _candidates_of(
        self, mapping: Mapping, result: Transformed, sales: Sales, in_hand: set[str]
    ) -> Iterator[Candidate]:
        """Give what one mapping bills.

        :param in_hand: source ids of what some mapping would bill: another one leaves nothing of it out.
        """
        self._leaving.billable([*result.documents, *result.problems])
        for source_id, why in result.excluded.items():
            if source_id not in in_hand:
                self._left_out(self._row(mapping, source_id), sales.link(source_id), f"not {why}")
        for source_id, problem in result.problems.items():
            self._park(self._row(mapping, source_id), problem)
        for source_id, document in result.documents.items():
            sale = result.sales[source_id]
            row = replace(self._row(mapping, source_id), sale_id=sale, currency=document["currency"])
            if elsewhere := sales.claim(row):
                self._leaving.elsewhere(elsewhere, sale)
                continue
            link = sales.link(source_id)
            row = replace(row, sale_id=link.sale_id) if link else row
            resolved = self.books.resolve(document)
            if isinstance(resolved, Problem):
                self._park(row, resolved)
            else:
                at_rest = link is not None and not diff.changed_fields(resolved, link.fields, self.sync.store.hashes)
                row = replace(row, total=expected_total(resolved, self.books.rates))
                yield Candidate(row, resolved, link, at_rest)

    def _ended_version(self, target: str, sale_id: str, part: int = 1) -> int:
        """Give the version at which the last link of a sale ended, from which its next one counts on."""
        return self._ended[target].get((sale_id, part), 0)

    def _parked(self, target: str) -> set[str]:
        """List the records that are parked and read again for that."""
        found = self.sync.store.journal.unsettled(State.PARKED, State.RETRY)
        return {row["source_id"] for row in found if row["target"] == target}

    def _within_limit(self, candidates: list[Candidate]) -> list[Candidate]:
        limit = self.sync.run.limit
        if limit is None:
            return candidates
        for each in candidates[limit:]:
            self._add(each.row, Action.SKIP, f"outside the test batch of {limit}")
        return candidates[:limit]

    def plan_parents(self, target: str, needed: set[str]) -> None:
        """Plan the customers or items that are needed or linked; of several mappings, the first that fits makes one."""
        refused: dict[str, PlanRow] = {}
        for mapping in self.sync.mappings_to(target):
            made = {ident for kind, ident in self._made if kind == target}
            for row in self._plan_parents(mapping, needed, made):
                if row.source_id not in refused or refused[row.source_id].error_class == NOT_FOR_BOOKS:
                    refused[row.source_id] = row
        for ident, row in refused.items():
            if (target, ident) not in self._made:
                self._park(row, row.problem)

    def _plan_parents(self, mapping: Mapping, needed: set[str], made: set[str]) -> Iterator[PlanRow]:
        """Plan the parents that one mapping makes; give those that it cannot, with the reason.

        :param made: by another mapping.
        """
        frame = load_records(self.sync, mapping.from_.object)
        read = set() if frame is None else set(frame["Id"])
        links = self.sync.store.links.of_sources(mapping.to, read | needed)
        merged: set[str] = set()
        for row, link in plan_merges(self.sync, mapping, self._open):
            self.rows.append(row)
            merged.add(row.source_id)
            if link and link.source_id in read | needed:
                links[link.source_id] = link
            elif row.action is Action.PARK:
                self.unfit[mapping.to, row.follow_into] = row.problem
        self.linked |= {(mapping.to, ident): link.kashoo_id for ident, link in links.items()}
        result = None
        if frame is not None:
            result = transform(mapping, frame[frame["Id"].isin({*links, *needed})], None, self.sync.surroundings)
        for ident in sorted({*needed, *links} & (read | needed)):
            if (mapping.to, ident) in self.unfit or ident in made:
                continue
            row = replace(self._row(mapping, ident), link_version=self._ended_version(mapping.to, ident))
            document = result.documents.get(ident) if result else None
            if document is not None:
                self._made.add((mapping.to, ident))
                self._plan_parent(row, document, links.get(ident))
            elif ident in needed and ident not in links:
                yield row.parked((result.problems.get(ident) if result else None) or _not_for_books(mapping))
        seen = read | gone(self._deltas.get(mapping.from_.object)).keys()
        for ident in sorted(seen & self._parked(mapping.to) - {*needed, *links, *merged, *made}):
            self._add(self._row(mapping, ident), Action.SKIP, "nothing that is sold needs it")

    def _plan_parent(self, row: PlanRow, document: Document, link: Link | None) -> None:
        if self._is_open(row):
            self._wait(row)
            return
        resolved = self.books.resolve(document)
        if isinstance(resolved, Problem):
            self._park(row, resolved)
        elif link:
            self._plan_update(row, resolved, link)
        else:
            found = self._holdings.ladder(row.target).find(resolved, row.reference)
            if len(found.candidates) > 1:
                cause = f"{len(found.candidates)} records of the books have the {found.evidence}"
                self._park(row, Problem(match.AMBIGUOUS, cause, "Merge or rename them in Kashoo."))
            elif found.kashoo_id is not None:
                self._link(row, resolved, found)
            else:
                self._create(row, resolved, found.evidence)

    def _plan_invoice(self, candidate: Candidate) -> None:
        row, document = candidate.row, candidate.document
        if self._is_open(row):
            self._wait(row)
            return
        for kind, ident in [] if candidate.at_rest else parents_of(document):
            if (kind, ident) in self.unfit:
                self._park(row, Problem(WAITING_FOR_PARENT, f"its {kind} is parked", f"Settle the {kind} first."))
                return
        document = resolve_parents(document, self.linked)
        if candidate.link:
            known = diff.as_linked(candidate.document, document, candidate.link.fields, self.sync.store.hashes)
            self._plan_update(row, known, candidate.link)
            return
        ladder = self._holdings.ladder("invoice")  # tells the generations what stands in the books
        row = replace(self._generations.next(row), link_version=self._ended_version("invoice", row.sale_id, row.part))
        found = ladder.find({}, row.reference)
        if self._generations.stands_again(row):
            self._park(row, returned())
        elif len(found.candidates) > 1:
            self._park(row, copied(len(found.candidates)))
        elif found.kashoo_id is not None:
            self._adopt(row, document, found)
        else:
            self._create(row, document, "won and not billed yet")

    def _adopt(self, row: PlanRow, document: Document, found: match.Match) -> None:
        """Link an invoice that bears the record's reference; where it says something else, the next run compares."""
        read = self._holdings.fields("invoice", found.kashoo_id or 0)
        known = resolve_parents(document, self._found)
        same = diff.written_base({}, known, read, self.sync.store.hashes)
        differing = known.keys() - same.keys()
        self._link(row, {name: value for name, value in document.items() if name not in differing}, found)
        if differing:
            self.rows.append(row.parked(DIFFERS_FROM_BOOKS))

    def _plan_update(self, row: PlanRow, document: Document, link: Link) -> None:
        row = replace(row, kashoo_id=link.kashoo_id, link_version=link.version, document=document)
        row = replace(row, part=link.part, generation=link.generation)
        if not diff.changed_fields(document, link.fields, self.sync.store.hashes):
            self._add(row, Action.UNCHANGED, "nothing that is mapped changed")
            return
        try:
            theirs = self._reads.read(row.target, link.kashoo_id, link.version)
        except UnreadableError as error:
            self._park(row, error.problem)
            return
        if theirs is None or is_gone(theirs):
            self.rows.append(removed_in_books(row))
            return
        read = fields_of(to_document(row.target, theirs, self.sync.kashoo.profile))
        merged = diff.merge(document, read, link.fields, self.sync.store.hashes)
        # What a person wrote beside our reference stays.
        conflicts = {*merged.conflicts} - {self.sync.kashoo.profile.reference_field(row.target)}
        unknown = conflicts - {*link.fields} if row.target == "invoice" else set()
        if asked := sorted(conflicts & BOOKS_OWN | unknown):
            self.rows.append(row.reviewed(CHANGED_ON_BOTH_SIDES.of(fields=", ".join(asked))))
        merged.write |= {name: document.get(name) for name in sorted(conflicts.difference(asked))}
        if row.target == "invoice" and (question := _question_of(theirs, merged.write)):
            self.rows.append(row.reviewed(question))
            return
        row = replace(row, payload=merged.write, base=self.sync.store.hashes.of(theirs))
        if merged.write:
            reason = f"changed in Salesforce: {', '.join(sorted(merged.write))}"
            self._add(replace(row, requests=2), Action.UPDATE, reason)
        elif not merged.conflicts:
            # What only the books changed keeps its base: linked as it is now, that edit would be forgotten.
            same = {name: document.get(name) for name in {*document, *link.fields} - {*merged.kept}}
            self._add(replace(row, payload=read, document=same), Action.LINK, "the books say the same already")
        else:
            self._add(row, Action.UNCHANGED, "the books win")

    def _plan_deleted(self, mapping: Mapping) -> None:
        vanished = gone(self._deltas.get(mapping.from_.object))
        own = self.sync.store.links.of_sources("invoice", vanished)
        doubtful = {ident for target, ident in self._open if target == "invoice"}
        for ident in sorted(vanished.keys() & {*own, *doubtful, *self._parked("invoice")}):
            row = self._row(mapping, ident)
            if vanished[ident] and ident not in {*own, *doubtful}:
                self._park(row, NOT_READABLE)  # it may be readable again, and nothing else would show it then
            else:
                self._left_out(row, own.get(ident), "deleted in Salesforce", vanished=vanished[ident])

    def _left_out(self, row: PlanRow, link: Link | None, reason: str, *, vanished: bool = False) -> None:
        if link is None and self._is_open(row):
            self._add(row, Action.WAIT, OUTCOME_UNKNOWN)
        elif link is None:
            self._add(row, Action.SKIP, reason)
        else:
            self._leaving.left(row, link, reason, vanished=vanished)

    def _link(self, row: PlanRow, document: Document, found: match.Match) -> None:
        ident = self._found[row.target, row.source_id] = found.kashoo_id or 0
        row = replace(row, kashoo_id=ident, document=document, payload=self._holdings.fields(row.target, ident))
        self._add(row, Action.LINK, f"in the books already: {found.evidence}")

    def _create(self, row: PlanRow, document: Document, reason: str) -> None:
        self._add(replace(row, document=document, payload=document, requests=1), Action.CREATE, reason)

    def _park(self, row: PlanRow, problem: Problem) -> None:
        self.unfit[row.target, row.source_id] = problem
        self.rows.append(row.parked(problem))

    def _add(self, row: PlanRow, action: Action, reason: str) -> None:
        self.rows.append(replace(row, action=action, reason=reason))

    def _row(self, mapping: Mapping, source_id: str) -> PlanRow:
        return PlanRow.of(mapping, self.sync.name, source_id, source_read=self._read_at)

    def _is_open(self, row: PlanRow) -> bool:
        """Say whether its record was sent before, and the outcome is not known yet."""
        return (row.target, row.source_id) in self._open

    def _wait(self, row: PlanRow) -> None:
        self.unfit[row.target, row.source_id] = Problem("in_doubt", OUTCOME_UNKNOWN, "")
        self._add(row, Action.WAIT, OUTCOME_UNKNOWN)


def _question_of(invoice: dict[str, Any], write: dict[str, Any]) -> Problem | None:
    """Ask a person before an invoice gets another customer or currency, or other lines after money came in.

    :param write: the fields that would be changed.
    """
    if fields := sorted(ONLY_BY_A_PERSON & write.keys()):
        return IDENTITY_CHANGED.of(fields=", ".join(fields))
    if "lines" in write and invoice["balanceDue"] != invoice["totalDue"]:
        return PAID_INVOICE_CHANGED
    return None


def _bill_once(found: list[tuple[Mapping, Transformed]]) -> None:
    """Bill nothing that several mappings would bill: each would rewrite the invoice of the other in turns."""
    billing: dict[str, list[str]] = {}
    for mapping, result in found:
        for ident in result.documents:
            billing.setdefault(ident, []).append(mapping.name)
    for ident, names in billing.items():
        if len(names) > 1:
            cause = f"{' and '.join(names)} would both bill it"
            problem = Problem("billed_by_two_mappings", cause, "Let their `when` exclude each other.")
            for _, result in found:
                if result.documents.pop(ident, None) is not None:
                    result.problems[ident] = problem


def _not_for_books(mapping: Mapping) -> Problem:
    name = mapping.from_.object
    return Problem(
        NOT_FOR_BOOKS,
        f"its {name} is not readable or does not match `when` of {mapping.name}",
        f"Correct the {name}.",
    )

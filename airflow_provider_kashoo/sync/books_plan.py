"""Step two, towards the books: what would be written, and why, before anything is.

Invoices are worked out first, because only they make a customer or an item needed; then their
parents; then each invoice is held against its link. One sale becomes one invoice, whichever
object it arrives as.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core import diff, match, soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.ids import Reference
from airflow_provider_kashoo.core.mapping import Mapping
from airflow_provider_kashoo.core.operations import State
from airflow_provider_kashoo.core.plan import Action, PlanRow, PlanSummary, in_order, summarise
from airflow_provider_kashoo.core.totals import expected_total
from airflow_provider_kashoo.core.transform import Document, Transformed, transform
from airflow_provider_kashoo.store.journal import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.books import Books
from airflow_provider_kashoo.sync.generations import Generations
from airflow_provider_kashoo.sync.leaving import Leaving, returned
from airflow_provider_kashoo.sync.merges import INTO, plan_merges
from airflow_provider_kashoo.sync.removals import removed_in_books
from airflow_provider_kashoo.sync.sales import Sales
from airflow_provider_kashoo.sync.salesforce_read import load_lines, load_records
from airflow_provider_kashoo.sync.sync import Sync

GUARD = timedelta(days=31)
"""How far around the dates of new invoices the books are searched for our reference before each create."""

SALESFORCE_OBJECTS = {"001": "Account", "01t": "Product2", "006": "Opportunity", "801": "Order"}
"""Key prefix of a Salesforce id -> object (evidenced)."""

BOOKS_OWN = frozenset({"lines", "currency"})
"""Fields in which the books win when both sides changed; in all others Salesforce does."""

SWEPT = "swept"
"""Staged beside the plan: whether it was made from all that the books hold, because this store did not know them."""

FOUND = Problem("found_in_books", "it was left out, and the books hold it", "Nothing: planned again.")

NOT_ALONE = frozenset({"contact", "currency"})
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
    """Plans one run of ``salesforce_to_kashoo``."""

    def __init__(self, sync: Sync) -> None:
        self.sync, self.books = sync, Books.staged(sync)
        self.rows: list[PlanRow] = []
        self.unfit: dict[tuple[str, str], Problem] = {}
        self.linked: dict[tuple[str, str], int] = {}
        self._ladders: dict[str, match.Ladder] = {}
        self._read: dict[tuple[str, int], Document] = {}
        self._marked: dict[str, dict[Reference, list[int]]] = {}
        self._open = sync.store.journal.open_records()
        self._dates: list[date] = []
        reports = (sync.files.read_json(name) or {} for name in sync.files.names("delta."))
        self._read_at = min((str(report["read"]) for report in reports), default="")
        self._leaving = Leaving(sync)
        self._generations = Generations(sync.store.links.ended("invoice"))
        self._ended = {target: sync.store.links.ended_versions(target) for target in match.RUNGS}

    def make(self) -> PlanSummary:
        """Plan, stage and summarise."""
        candidates = self._within_limit(list(self._candidates()))
        for target in ("customer", "item"):
            needing = [each for each in candidates if not each.at_rest]
            needed = {ident for each in needing for kind, ident in _links(each.document) if kind == target}
            for mapping in self.sync.mappings_to(target):
                self._plan_parents(mapping, needed)
        self._dates = [date.fromisoformat(each.document["date"]) for each in candidates if not each.link]
        for each in candidates:
            self._plan_invoice(each)
        if not self.sync.store.swept:
            self._adopt_the_rest()
        self.sync.files.write_json(SWEPT, {"whole": not self.sync.store.swept})
        self.rows = in_order(self.rows)
        self.sync.files.write_plan(self.rows)
        reports = [self.sync.files.read_json(name) or {} for name in self.sync.files.names("delta.")]
        notes = [f"{r['source']}: {r['records']} records in [{r['lower']}, {r['upper']}), {r['note']}" for r in reports]
        return summarise(self.rows, seconds_for=self.sync.budget.seconds_for, notes=notes)

    def _candidates(self) -> Iterator[Candidate]:
        found: list[tuple[Mapping, dict[str, str], Transformed]] = []
        for mapping in self.sync.mappings_to("invoice"):
            frame = load_records(self.sync, mapping.from_.object)
            if frame is not None:
                lines = load_lines(self.sync, mapping.from_.object)
                found.append((mapping, _stamps(frame), transform(mapping, frame, lines, self.sync.surroundings)))
            self._plan_deleted(mapping)
        sold = {ident: result.sales[ident] for _, _, result in found for ident in result.documents}
        sales = Sales(self.sync, sold, self._open)
        self.rows += sales.moves(self._read_at)
        for mapping, stamps, result in found:
            yield from self._candidates_of(mapping, stamps, result, sales)
        self.rows += self._leaving.rows(self._open, list(self.rows))

    def _candidates_of(
        self, mapping: Mapping, stamps: dict[str, str], result: Transformed, sales: Sales
    ) -> Iterator[Candidate]:
        own = self.sync.store.links.of_sources("invoice", stamps)
        self._leaving.billable([*result.documents, *result.problems])
        for source_id, why in result.excluded.items():
            self._left_out(self._row(mapping, source_id, stamps), own.get(source_id), f"not {why}")
        for source_id, problem in result.problems.items():
            self._park(self._row(mapping, source_id, stamps), problem)
        for source_id, document in result.documents.items():
            sale = result.sales[source_id]
            row = replace(self._row(mapping, source_id, stamps), sale_id=sale, currency=document["currency"])
            if elsewhere := sales.billed_through(row):
                self._leaving.elsewhere(elsewhere)
                continue
            link = sales.link(row)
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

    def _plan_parents(self, mapping: Mapping, needed: set[str]) -> None:
        frame = load_records(self.sync, mapping.from_.object)
        stamps = _stamps(frame) if frame is not None else {}
        links = self.sync.store.links.of_sources(mapping.to, {*stamps, *needed})
        merged: set[str] = set()
        for row, link in plan_merges(self.sync, mapping, self._open):
            self.rows.append(row)
            merged.add(row.source_id)
            if link and link.source_id in {*stamps, *needed}:
                links[link.source_id] = link
            elif row.action is Action.PARK:
                self.unfit[mapping.to, row.payload[INTO]] = Problem(row.error_class, row.reason, row.fix)
        self.linked |= {(mapping.to, ident): link.kashoo_id for ident, link in links.items()}
        result = None
        if frame is not None:
            result = transform(mapping, frame[frame["Id"].isin({*links, *needed})], None, self.sync.surroundings)
        for ident in sorted({*needed, *links} & {*stamps, *needed}):
            if (mapping.to, ident) in self.unfit:
                continue
            row = replace(self._row(mapping, ident, stamps), link_version=self._ended_version(mapping.to, ident))
            document = result.documents.get(ident) if result else None
            if document is not None:
                self._plan_parent(row, document, links.get(ident))
            elif ident in needed and ident not in links:
                problem = (result.problems.get(ident) if result else None) or _not_for_books(mapping)
                self._park(row, problem)
        report = self.sync.files.read_json(f"delta.{mapping.from_.object}") or {}
        seen = {*stamps, *report.get("missing", []), *report.get("deleted", [])}
        for ident in sorted(seen & self._parked(mapping.to) - {*needed, *links, *merged}):
            self._add(self._row(mapping, ident, stamps), Action.SKIP, "nothing that is sold needs it")

    def _plan_parent(self, row: PlanRow, document: Document, link: Link | None) -> None:
        if self._is_open(row):
            return
        resolved = self.books.resolve(document)
        if isinstance(resolved, Problem):
            self._park(row, resolved)
        elif link:
            self._plan_update(row, resolved, link)
        else:
            found = self._ladder(row.target).find(resolved, row.reference)
            if found.candidates > 1:
                cause = f"{found.candidates} records of the books have the {found.evidence}"
                self._park(row, Problem(match.AMBIGUOUS, cause, "Merge or rename them in Kashoo."))
            elif found.kashoo_id is not None:
                self._link(row, resolved, found)
            else:
                self._create(row, resolved, found.evidence)

    def _plan_invoice(self, candidate: Candidate) -> None:
        row, document = candidate.row, candidate.document
        if self._is_open(row):
            return
        for kind, ident in [] if candidate.at_rest else _links(document):
            if (kind, ident) in self.unfit:
                self._park(row, Problem("waiting_for_parent", f"its {kind} is parked", f"Settle the {kind} first."))
                return
        document = resolve_links(document, self.linked)
        if candidate.link:
            known = diff.as_linked(candidate.document, document, candidate.link.fields, self.sync.store.hashes)
            self._plan_update(row, known, candidate.link)
            return
        ladder = self._ladder("invoice")
        row = replace(self._generations.next(row), link_version=self._ended_version("invoice", row.sale_id, row.part))
        found = ladder.find({}, row.reference)
        if self._generations.stands_again(row):
            self._park(row, returned())
        elif found.candidates > 1:
            self._park(row, _copied(found.candidates))
        elif found.kashoo_id is not None:
            self._link(row, document, found)
        else:
            self._create(row, document, "won and not billed yet")

    def _plan_update(self, row: PlanRow, document: Document, link: Link) -> None:
        row = replace(row, kashoo_id=link.kashoo_id, link_version=link.version, document=document)
        row = replace(row, part=link.part, generation=link.generation)
        if not diff.changed_fields(document, link.fields, self.sync.store.hashes):
            self._add(row, Action.UNCHANGED, "nothing that is mapped changed")
            return
        theirs = self.sync.kashoo.read(row.target, link.kashoo_id)
        if theirs is None or is_gone(theirs):
            self.rows.append(removed_in_books(row))
            return
        read = _fields_of(to_document(row.target, theirs, self.sync.kashoo.profile))
        merged = diff.merge(document, read, link.fields, self.sync.store.hashes)
        for name in merged.conflicts:
            if name == self.sync.kashoo.profile.reference_field(row.target):
                continue  # what a person wrote beside our reference stays
            if name in BOOKS_OWN:
                self._review(
                    row, "changed_on_both_sides", f"{name} changed on both sides; the books win", "Compare them."
                )
            else:
                merged.write[name] = document.get(name)
        if row.target == "invoice" and not self._may_change(row, theirs, merged.write):
            return
        row = replace(row, payload=merged.write, base=self.sync.store.hashes.of(theirs))
        if merged.write:
            reason = f"changed in Salesforce: {', '.join(sorted(merged.write))}"
            self._add(replace(row, requests=2), Action.UPDATE, reason)
        elif not merged.conflicts:
            self._add(replace(row, payload=read), Action.LINK, "the books say the same already")
        else:
            self._add(row, Action.UNCHANGED, "the books win")

    def _may_change(self, row: PlanRow, theirs: dict[str, Any], write: dict[str, Any]) -> bool:
        """Say whether an invoice may be changed without a person; otherwise open a review item."""
        alone = sorted(NOT_ALONE & set(write))
        if alone:
            self._review(row, "identity_changed", f"{', '.join(alone)} changed after billing", "Decide in Kashoo.")
        elif "lines" in write and theirs["balanceDue"] != theirs["totalDue"]:
            self._review(row, "paid_invoice_changed", "the deal changed after money came in", "Correct it in Kashoo.")
        else:
            return True
        return False

    def _plan_deleted(self, mapping: Mapping) -> None:
        report = self.sync.files.read_json(f"delta.{mapping.from_.object}") or {}
        gone = {*report.get("deleted", []), *report.get("missing", [])}
        own = self.sync.store.links.of_sources("invoice", gone)
        for ident in sorted(gone & {*own, *self._parked("invoice")}):
            vanished = ident not in report.get("deleted", [])
            self._left_out(self._row(mapping, ident, {}), own.get(ident), "deleted in Salesforce", vanished=vanished)

    def _left_out(self, row: PlanRow, link: Link | None, reason: str, *, vanished: bool = False) -> None:
        if link is None:
            self._add(row, Action.SKIP, reason)
        else:
            self._leaving.left(row, link, reason, vanished=vanished)

    def _link(self, row: PlanRow, document: Document, found: match.Match) -> None:
        read = self._read[row.target, found.kashoo_id or 0]
        row = replace(row, kashoo_id=found.kashoo_id, document=document, payload=read)
        self._add(row, Action.LINK, f"in the books already: {found.evidence}")

    def _create(self, row: PlanRow, document: Document, reason: str) -> None:
        self._add(replace(row, document=document, payload=document, requests=1), Action.CREATE, reason)

    def _park(self, row: PlanRow, problem: Problem) -> None:
        self.unfit[row.target, row.source_id] = problem
        parked = replace(row, error_class=problem.error_class, fix=problem.fix)
        self._add(parked, Action.PARK, problem.cause)

    def _review(self, row: PlanRow, error_class: str, cause: str, fix: str) -> None:
        self._add(replace(row, error_class=error_class, fix=fix), Action.REVIEW, cause)

    def _add(self, row: PlanRow, action: Action, reason: str) -> None:
        self.rows.append(replace(row, action=action, reason=reason))

    def _row(self, mapping: Mapping, source_id: str, stamps: dict[str, str]) -> PlanRow:
        stamp = stamps.get(source_id, "")
        return PlanRow.of(mapping, self.sync.name, source_id, source_stamp=stamp, source_read=self._read_at)

    def _ladder(self, target: str) -> match.Ladder:
        """Read the list once, and only when something is about to be created.

        Invoices are read around the dates of those to be created, so that a second store on the same business
        is noticed; by a store that has not swept the books yet, customers, items and invoices are read whole.
        A reference that this store does not know means that it was restored, or is not the only one: it sweeps again.
        """
        if target not in self._ladders:
            rows = self._list(target)
            if self.sync.store.swept and self._strangers(target):
                self.sync.store.forget_sweep()
                rows = self._list(target)
            self._note_copies(target)
            self._read |= {(target, row["id"]): _fields_of(row) for row in rows}
            self._ladders[target] = match.Ladder(rows, match.RUNGS[target])
        return self._ladders[target]

    def _list(self, target: str) -> list[Document]:
        start, end = None, None
        if target == "invoice" and self.sync.store.swept and self._dates:
            start, end = (min(self._dates) - GUARD).isoformat(), (max(self._dates) + GUARD).isoformat()
        rows = []
        for listed in self.sync.kashoo.listing(target, start=start, end=end, removed=True):
            document = to_document(target, listed, self.sync.kashoo.profile)
            if not is_gone(listed):
                rows.append(document)
            elif target == "invoice" and not self.sync.store.swept:
                self._generations.removed(document["references"])  # voided by a store that this one does not know
        if any(row["references"] for row in rows):
            self.sync.store.saw_reference(target)
        self._marked[target] = defaultdict(list)
        for row in rows:
            for reference in row["references"]:
                self._marked[target][reference].append(row["id"])
        self._generations.stand(self._marked[target])
        return rows

    def _strangers(self, target: str) -> bool:
        """Say whether something in the books carries a reference of ours that this store knows nothing of."""
        single = {ref for ref, idents in self._marked[target].items() if len(idents) == 1}
        waiting = {ident for kind, ident in self._open | self.sync.store.journal.open_records() if kind == target}
        unknown = {ref for ref in single if ref.source_id[:3] in SALESFORCE_OBJECTS and ref.source_id not in waiting}
        unknown -= self._followed(target)
        links = self.sync.store.links.of_sources(target, {ref.source_id for ref in unknown})
        return not all(self._generations.knows(ref, links.get(ref.source_id)) for ref in unknown)

    def _followed(self, target: str) -> set[Reference]:
        """List the references of records that were merged into others: what bears them is linked to the survivor.

        An invoice with two references bills two sales, and neither is to be billed again.
        """
        marked = self._marked[target]
        linked = self.sync.store.links.of_kashoo(target, {ident for idents in marked.values() for ident in idents})
        return {ref for ref, idents in marked.items() if target != "invoice" and linked.keys() >= set(idents)}

    def _is_open(self, row: PlanRow) -> bool:
        """Leave out what was sent before and has no known outcome yet."""
        if (row.target, row.source_id) not in self._open:
            return False
        self.unfit[row.target, row.source_id] = Problem("in_doubt", "its outcome is not known yet", "")
        self._add(row, Action.SKIP, "sent before, and its outcome is not known yet")
        return True

    def _adopt_the_rest(self) -> None:
        """Link what carries a reference of ours and is not known here: this store is new, or was restored."""
        idle = {Action.SKIP, Action.PARK}
        planned = {(row.target, row.source_id) for row in self.rows if row.action not in idle} | self._open
        planned |= {(row.target, row.source_id) for row in self.rows if row.error_class == match.AMBIGUOUS}
        left_out = {(row.target, row.source_id) for row in self.rows if row.action is Action.SKIP}
        for target in match.RUNGS:
            self._ladder(target)
            sources = {reference.source_id for reference in self._marked[target]}
            linked, sales = self.sync.store.links.of_sources(target, sources), self._sales(sources)
            followed = self._followed(target)
            for reference in sorted(self._marked[target], key=lambda each: -each.generation):
                idents, link = self._marked[target][reference], linked.get(reference.source_id)
                known = self._generations.knows(reference, link) or (target, reference.source_id) in planned
                known = known or reference in followed
                if known or reference.source_id[:3] not in SALESFORCE_OBJECTS:
                    continue
                planned.add((target, reference.source_id))
                sale = link.sale_id if link else sales.get(reference.source_id, reference.source_id)
                row = self._bearer(target, reference, sale)
                version = link.version if link else self._ended_version(target, sale, row.part)
                row = replace(row, link_version=version)
                older = link and not is_gone(self.sync.kashoo.read(target, link.kashoo_id))
                if len(idents) > 1 or older:
                    self._park(row, _copied(len(idents) + bool(older)))
                else:
                    self._add(replace(row, kashoo_id=idents[0]), Action.LINK, "in the books already: our reference")
                    if (target, reference.source_id) in left_out:
                        self._park(row, FOUND)

    def _note_copies(self, target: str) -> None:
        """Put to review what stands in the books twice, although one of the two is linked."""
        bearers: dict[str, list[tuple[Reference, int]]] = defaultdict(list)
        for reference, idents in self._marked[target].items():
            bearers[reference.source_id] += [(reference, ident) for ident in idents]
        copied = {ident: found for ident, found in bearers.items() if len(found) > 1}
        for ident, link in self.sync.store.links.of_sources(target, copied).items():
            own = [each for each in copied[ident] if each[0].part == link.part]
            other = next(((ref, kashoo_id) for ref, kashoo_id in own if kashoo_id != link.kashoo_id), None)
            if len(own) > 1 and other:
                row = replace(self._bearer(target, other[0], link.sale_id), kashoo_id=other[1])
                problem = _copied(len(own))
                self._review(row, POSSIBLE_DUPLICATE.error_class, problem.cause, problem.fix)

    def _bearer(self, target: str, reference: Reference, sale_id: str) -> PlanRow:
        return PlanRow(
            action=Action.SKIP,
            mapping="",
            target=target,
            source_object=SALESFORCE_OBJECTS[reference.source_id[:3]],
            source_id=reference.source_id,
            sale_id=sale_id,
            part=reference.part,
            generation=reference.generation,
            sync=self.sync.name,
            reason="",
        )

    def _sales(self, sources: set[str]) -> dict[str, str]:
        """Read which sale each record belongs to, where that is not the record itself."""
        sales: dict[str, str] = {}
        for mapping in self.sync.mappings_to("invoice"):
            sobject, path = mapping.from_.object, (mapping.sale.from_ if mapping.sale else None) or ""
            ids = sorted(ident for ident in sources if SALESFORCE_OBJECTS.get(ident[:3]) == sobject)
            if path in self.sync.salesforce.describe(sobject).fields:
                for text in soql.by_ids(sobject, ["Id", path], ids):
                    found = self.sync.salesforce.query(text)
                    sales |= {row["Id"]: row[path] for row in found if row[path]}
        return sales


def resolve_links(document: Document, linked: dict[tuple[str, str], int]) -> Document:
    """Replace symbolic links by Kashoo ids where the other record is linked, in a copy."""

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and "link" in value:
            return linked.get((value["link"][0], value["link"][1]), value)
        return value

    copy = {name: resolved(value) for name, value in document.items()}
    if "lines" in copy:
        copy["lines"] = [{name: resolved(value) for name, value in line.items()} for line in copy["lines"]]
    return copy


def _links(document: Document) -> Iterator[tuple[str, str]]:
    parts: Iterable[Document] = [document, *document.get("lines", [])]
    for part in parts:
        for value in part.values():
            if isinstance(value, dict) and "link" in value:
                yield value["link"][0], value["link"][1]


def _fields_of(read: Document) -> Document:
    return {name: value for name, value in read.items() if name not in {"id", "references"}}


def _copied(count: int) -> Problem:
    cause = f"{count} records of the books carry its reference"
    return Problem(match.AMBIGUOUS, cause, "Remove the reference from the copy in Kashoo.")


def _not_for_books(mapping: Mapping) -> Problem:
    name = mapping.from_.object
    return Problem(
        "parent_left_out",
        f"its {name} is not readable or does not match `when` of {mapping.name}",
        f"Correct the {name}.",
    )


def _stamps(frame: pd.DataFrame) -> dict[str, str]:
    stamps = (value.isoformat() for value in frame["SystemModstamp"])
    return dict(zip(frame["Id"], stamps, strict=True))

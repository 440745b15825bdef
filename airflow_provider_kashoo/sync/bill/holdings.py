"""What the books hold already: read once per plan, and only when something is about to be created.

Invoices are read around the dates of those to be created, so that a second store on the same business is noticed;
by a store that has not swept the books yet, customers, items and invoices are read whole. A reference that this store
does not know means that it was restored, or is not the only one: it sweeps again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.transform import Document
from airflow_provider_kashoo.core.rules import duplicates as match
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.sync.bill.generations import Generations
from airflow_provider_kashoo.sync.run.sync import Sync

GUARD = timedelta(days=31)
"""How far around the dates of new invoices the books are searched for our reference before each create."""

SALESFORCE_OBJECTS = {"001": "Account", "01t": "Product2", "006": "Opportunity", "801": "Order"}
"""Key prefix of a Salesforce id -> object (evidenced)."""

FOUND = Problem("found_in_books", "it was left out, and the books hold it", "Nothing: planned again.")


class Holdings:
    """The books as one plan sees them.

    :param generations: told of every invoice that is found, standing or removed.
    :param in_doubt: (target, source id) of what was sent before and has no known outcome.
    """

    def __init__(self, sync: Sync, generations: Generations, in_doubt: Collection[tuple[str, str]]) -> None:
        self._sync, self._generations, self._in_doubt = sync, generations, in_doubt
        self._dates: list[date] = []
        self._ladders: dict[str, match.Ladder] = {}
        self._fields: dict[tuple[str, int], Document] = {}
        self._bearers: dict[str, dict[Reference, list[int]]] = {}

    def around(self, dates: Iterable[date]) -> None:
        """Say which dates the new invoices will have."""
        self._dates = list(dates)

    def ladder(self, target: str) -> match.Ladder:
        """Give what a target's new records are looked up in."""
        if target not in self._ladders:
            rows = self._list(target)
            if self._sync.store.knows_books and self._strangers(target):
                self._sync.store.forget_books()
                rows = self._list(target)
            self._fields |= {(target, row["id"]): fields_of(row) for row in rows}
            linked = {link.kashoo_id for link in self._sync.store.links.of_target(target)}
            self._ladders[target] = match.Ladder(rows, match.RUNGS[target], match.APART[target], linked)
        return self._ladders[target]

    def fields(self, target: str, kashoo_id: int) -> Document:
        """Give the fields of a record that was found, as read."""
        return self._fields[target, kashoo_id]

    def copies(self) -> Iterator[PlanRow]:
        """Put to review what stands twice in what was read, although one of the two is linked."""
        for target, bearers in self._bearers.items():
            found: dict[str, list[tuple[Reference, int]]] = defaultdict(list)
            for reference, idents in bearers.items():
                found[reference.source_id] += [(reference, ident) for ident in idents]
            twice = {ident for ident, each in found.items() if len(each) > 1}
            for ident, link in self._sync.store.links.of_sources(target, twice).items():
                own = [each for each in found[ident] if each[0].part == link.part]
                other = next(((ref, kashoo_id) for ref, kashoo_id in own if kashoo_id != link.kashoo_id), None)
                if len(own) > 1 and other:
                    row = replace(self._row(target, other[0], link.sale_id), kashoo_id=other[1])
                    yield row.reviewed(replace(copied(len(own)), error_class=POSSIBLE_DUPLICATE.error_class))

    def unknown(self, planned: Collection[PlanRow]) -> Iterator[PlanRow]:
        """Link what carries a reference of ours and is not known here: this store is new, or was restored.

        :param planned: the rows of the plan so far; what one of them writes or asks is not asked again.
        """
        seen = {(row.target, row.source_id) for row in planned if not _leaves_alone(row)} | {*self._in_doubt}
        left_out = {(row.target, row.source_id) for row in planned if row.action in {Action.SKIP, Action.REVIEW}}
        for target, bearers in self._bearers.items():
            sources = {reference.source_id for reference in bearers}
            linked, sales = self._sync.store.links.of_sources(target, sources), self._sales(sources)
            ended, followed = self._sync.store.links.ended_versions(target), self._followed(target)
            billed = self._billed(target, {*sources, *sales.values()}, planned)
            for reference in sorted(bearers, key=lambda each: -each.generation):
                record, link = (target, reference.source_id), linked.get(reference.source_id)
                known = self._generations.knows(reference, link) or record in seen or reference in followed
                if known or reference.source_id[:3] not in SALESFORCE_OBJECTS:
                    continue
                seen.add(record)
                sale = link.sale_id if link else sales.get(reference.source_id, reference.source_id)
                second = billed.setdefault(sale, reference.source_id) != reference.source_id
                sale = reference.source_id if second else sale  # the next plan sees two invoices of one sale
                version = link.version if link else ended.get((sale, reference.part), 0)
                row = replace(self._row(target, reference, sale), link_version=version)
                idents = bearers[reference]
                older = link and not is_gone(self._sync.kashoo.read(target, link.kashoo_id))
                if len(idents) > 1 or older:
                    yield row.parked(copied(len(idents) + bool(older)))
                    continue
                reason = "in the books already: our reference"
                yield replace(row, action=Action.LINK, kashoo_id=idents[0], reason=reason)
                if second or record in left_out:
                    yield row.parked(FOUND)

    def _billed(self, target: str, sales: Collection[str], planned: Collection[PlanRow]) -> dict[str, str]:
        """Say which record bills a sale already, or is linked by the plan."""
        if target != "invoice":
            return {}
        known = {sale: link.source_id for sale, link in self._sync.store.links.of_sales(sales).items()}
        found = [row for row in planned if row.target == target and row.action is Action.LINK]
        return known | {row.sale_id: row.source_id for row in found}

    def _list(self, target: str) -> list[Document]:
        start, end = None, None
        if target == "invoice" and self._sync.store.knows_books and self._dates:
            start, end = (min(self._dates) - GUARD).isoformat(), (max(self._dates) + GUARD).isoformat()
        rows = []
        for listed in self._sync.kashoo.listing(target, start=start, end=end, removed=True):
            document = to_document(target, listed, self._sync.kashoo.profile)
            if not is_gone(listed):
                rows.append(document)
            elif target == "invoice" and not self._sync.store.knows_books:
                self._generations.removed(document["references"])  # voided by a store that this one does not know
        if any(row["references"] for row in rows):
            self._sync.store.saw_reference(target)
        self._bearers[target] = defaultdict(list)
        for row in rows:
            for reference in row["references"]:
                self._bearers[target][reference].append(row["id"])
        self._generations.stand(self._bearers[target])
        return rows

    def _strangers(self, target: str) -> bool:
        """Say whether something in the books carries a reference of ours that this store knows nothing of."""
        single = {reference for reference, idents in self._bearers[target].items() if len(idents) == 1}
        sent = {*self._in_doubt, *self._sync.store.journal.open_records()}  # by another run, since the plan began
        waiting = {ident for kind, ident in sent if kind == target}
        unknown = {ref for ref in single if ref.source_id[:3] in SALESFORCE_OBJECTS and ref.source_id not in waiting}
        unknown -= self._followed(target)
        links = self._sync.store.links.of_sources(target, {ref.source_id for ref in unknown})
        return not all(self._generations.knows(ref, links.get(ref.source_id)) for ref in unknown)

    def _followed(self, target: str) -> set[Reference]:
        """List the references of records that were merged into others: what bears them is linked to the survivor.

        An invoice with two references bills two sales, and neither is to be billed again.
        """
        bearers = self._bearers[target]
        linked = self._sync.store.links.of_kashoo(target, {ident for idents in bearers.values() for ident in idents})
        return {ref for ref, idents in bearers.items() if target != "invoice" and linked.keys() >= set(idents)}

    def _row(self, target: str, reference: Reference, sale_id: str) -> PlanRow:
        return PlanRow(
            action=Action.SKIP,
            mapping="",
            target=target,
            source_object=SALESFORCE_OBJECTS[reference.source_id[:3]],
            source_id=reference.source_id,
            sale_id=sale_id,
            part=reference.part,
            generation=reference.generation,
            sync=self._sync.name,
            reason="",
        )

    def _sales(self, sources: set[str]) -> dict[str, str]:
        """Read which sale each record belongs to, where that is not the record itself."""
        sales: dict[str, str] = {}
        for mapping in self._sync.mappings_to("invoice"):
            sobject, path = mapping.from_.object, (mapping.sale.from_ if mapping.sale else None) or ""
            ids = sorted(ident for ident in sources if SALESFORCE_OBJECTS.get(ident[:3]) == sobject)
            if path in self._sync.salesforce.describe(sobject).fields:
                for text in soql.by_ids(sobject, ["Id", path], ids):
                    found = self._sync.salesforce.query(text)
                    sales |= {row["Id"]: row[path] for row in found if row[path]}
        return sales


def _leaves_alone(row: PlanRow) -> bool:
    """Say whether a row neither writes to a record of the books nor asks about one."""
    if row.action is Action.PARK:
        return row.error_class != match.AMBIGUOUS
    return row.action is Action.SKIP or (row.action is Action.REVIEW and row.kashoo_id is None)


def fields_of(read: Document) -> Document:
    """Give what a record of the books says, without its id and references."""
    return {name: value for name, value in read.items() if name not in {"id", "references"}}


def copied(count: int) -> Problem:
    """Say that more than one record carries the reference of one."""
    cause = f"{count} records of the books carry its reference"
    return Problem(match.AMBIGUOUS, cause, "Remove the reference from the copy in Kashoo.")

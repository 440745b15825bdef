"""What the books hold already: read once per plan, and only when something is to be created.

Invoices are read around the dates of the new ones, so that a second store on the same business is noticed. A store that
does not know the books yet reads all customers, items and invoices. So does one that finds a reference it does not
know: it was restored, or is not the only store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, MAPPED, is_billed
from airflow_provider_kashoo.core.mapping.stages.transform import Document
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.duplicates import AMBIGUOUS, Ladder, Match, copied
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
    Link,
    Park,
)
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.core.values.ids import Reference, is_record_id
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.bill.facts import PLANNED_AGAIN, Facts
from airflow_provider_kashoo.sync.bill.generations import Generations
from airflow_provider_kashoo.sync.bill.made import Ids

GUARD = timedelta(days=31)
"""How far before and after the dates of new invoices the books are searched for our reference."""

FOUND = Problem("found_in_books", "this run left it out, but Kashoo has a record with its reference", PLANNED_AGAIN)


@dataclass
class _Listing:
    """All records of one kind that were read.

    :param fields: Kashoo id -> fields of the record.
    :param bearers: reference of ours -> Kashoo ids of the records that carry it.
    """

    ladder: Ladder
    fields: dict[int, Document] = field(default_factory=dict)
    bearers: dict[Reference, list[int]] = field(default_factory=dict)


class Holdings:
    """What one plan read of the books.

    :param dates: of the invoices that are to be created.
    """

    def __init__(self, facts: Facts, dates: Sequence[date]) -> None:
        self._facts, self._sync, self._dates = facts, facts.sync, dates
        links = self._sync.store.links
        self._generations = Generations(each for kind in MAPPED for each in links.ended_references(kind))
        self._listings: dict[str, _Listing] = {}
        self._nameless: set[tuple[str, Reference]] = set()

    def find(self, intent: Intent, document: Document) -> Match:
        """Look a new record up in the books; by its reference only, if a person said that it is none of those.

        :raises UnreadableError: when the books list a record with its reference, but without an id.
        """
        kind, is_new = intent.record.kind, intent.record.named in self._facts.new
        found = self._listing(kind).ladder.find({} if is_new else document, intent.reference)
        if (kind, intent.reference) in self._nameless:
            raise UnreadableError("Kashoo lists it without an id.", record=f"Kashoo's {intent.reference}", odd="id")
        return found

    def undecided(self, found: Match, intent: Intent, document: Document) -> Problem | None:
        """Say why a person has to decide about what was found; see :meth:`.Ladder.undecided`."""
        policy = self._sync.mappings[intent.mapping].on_duplicate
        return self._listing(intent.record.kind).ladder.undecided(found, intent.record, document, policy)

    def take(self, kind: str, kashoo_id: int) -> None:
        """Note that this plan links a record, so that it links no other record to it by likeness."""
        self._listing(kind).ladder.take(kashoo_id)

    def fields(self, kind: str, kashoo_id: int) -> Document:
        """Give the fields of a record that was found, as read."""
        return self._listing(kind).fields[kashoo_id]

    def next_generation(self, record: Record) -> int:
        """Give the number of a record's next invoice."""
        self._listing(record.kind)
        return self._generations.next(record)

    def stands_again(self, intent: Intent) -> bool:
        """Say whether the books hold an invoice with the reference of one that was voided."""
        return self._generations.stands_again(intent)

    def reconcile(self, planned: Collection[Intent], left_out: Ids, *, whole: bool) -> list[Intent]:
        """Ask a person about duplicates, and link records that carry our reference but are unknown to this store.

        :param planned: a record that one of these writes or asks about is left alone.
        :param left_out: further records that are not to be billed.
        :param whole: read all that the books hold, and link; otherwise only report duplicates in what was read.
        """
        for kind in MAPPED if whole else ():
            self._listing(kind)
        copies = [each for kind in self._listings for each in self._copies(kind)]
        return [*copies, *(self._unknown([*planned, *copies], left_out) if whole else ())]

    def _listing(self, kind: str) -> _Listing:
        if kind not in self._listings:
            found = self._list(kind)
            if self._sync.store.knows_books and self._has_unknown(kind, found.bearers):
                self._sync.store.forget_books()
                found = self._list(kind)
            self._listings[kind] = found
        return self._listings[kind]

    def _list(self, kind: str) -> _Listing:
        start, end = None, None
        if is_billed(kind) and self._sync.store.knows_books and self._dates:
            start, end = (min(self._dates) - GUARD).isoformat(), (max(self._dates) + GUARD).isoformat()
        rows, fields, bearers = [], {}, defaultdict[Reference, list[int]](list)
        for entry in self._sync.kashoo.listing(kind, start=start, end=end, removed=True):
            if not entry.removed:
                rows.append(entry.document)
                fields[entry.id] = entry.fields
                for reference in entry.references:
                    bearers[reference].append(entry.id)
            elif is_billed(kind) and not self._sync.store.knows_books:
                self._generations.removed(entry.references)  # voided before this store was made or restored
        if bearers:
            self._sync.store.mark_reference_seen(kind)
        self._generations.stand(bearers)
        for entry in self._sync.kashoo.nameless(kind):
            self._nameless |= {(kind, reference) for reference in entry.references}
        linked = self._sync.store.links.linked_ids(kind, fields)
        return _Listing(Ladder(rows, KINDS[kind], linked), fields, dict(bearers))

    def _copies(self, kind: str) -> Iterator[Intent]:
        """Ask about each linked record of which another copy was read."""
        found: dict[str, list[tuple[Reference, int]]] = defaultdict(list)
        for reference, idents in self._listings[kind].bearers.items():
            found[reference.source_id] += [(reference, ident) for ident in idents]
        twice = {ident for ident, each in found.items() if len(each) > 1}
        linked = self._sync.store.links.parts_of(kind, twice)
        for ident, link in ((ident, link) for ident, parts in linked.items() for link in parts.values()):
            own = [
                each
                for each in found[ident]
                # What a person gave up with `relink` may still carry the mark of before.
                if each[0].part == link.part and (is_billed(kind) or each[0].generation >= link.generation)
            ]
            other = next(((ref, kashoo_id) for ref, kashoo_id in own if kashoo_id != link.kashoo_id), None)
            if len(own) > 1 and other:
                intent = self._intent(kind, link.source_object, other[0], link.sale_id)
                problem = replace(copied(len(own)), error_class=POSSIBLE_DUPLICATE.error_class)
                yield replace(intent, kashoo_id=other[1]).asked(problem)

    def _unknown(self, planned: Collection[Intent], not_billed: Ids) -> Iterator[Intent]:
        """Link what carries our reference and is unknown to this store: it is new, or was restored."""
        seen = {each.record.numbered for each in planned if not _leaves_alone(each)}
        left_out = {each.record.named for each in planned if each.action in {Action.SKIP, Action.REVIEW}}
        for kind, listing in self._listings.items():
            sources = {reference.source_id for reference in listing.bearers}
            left_out |= {(kind, ident) for ident in not_billed.among(sources)} if is_billed(kind) else set()
            linked, sales = self._sync.store.links.parts_of(kind, sources), self._sales(sources)
            followed = self._followed(kind, listing.bearers)
            billed = self._billed(kind, {*sources, *sales.values()}, planned)
            for reference in sorted(listing.bearers, key=lambda each: -each.generation):
                named, parts = (kind, reference.source_id), linked.get(reference.source_id, {})
                own = parts[min(parts)] if parts else None
                link = parts.get(reference.part) if is_billed(kind) else own
                numbered = (*named, reference.part)
                known = self._generations.knows(reference, link) or numbered in seen or reference in followed
                known = known or named in self._facts.open
                sobject = self._sync.object_of(reference.source_id)
                if known or sobject is None:
                    continue
                seen.add(numbered)
                sale = own.sale_id if own else sales.get(reference.source_id, reference.source_id)
                second = billed.setdefault(sale, reference.source_id) != reference.source_id
                sale = reference.source_id if second else sale  # the next plan sees two invoices of one sale
                version = link.version if link else self._facts.ended_version(kind, sale, reference.part)
                intent = replace(self._intent(kind, sobject, reference, sale), link_version=version)
                idents = listing.bearers[reference]
                older = link is not None and self._stands(kind, link.kashoo_id)
                if len(idents) > 1 or older:
                    yield intent.parked(copied(len(idents) + older))
                    continue
                yield intent.become(Link, reason="in the books already: our reference", kashoo_id=idents[0])
                if second or named in left_out:
                    yield intent.parked(FOUND)

    def _stands(self, kind: str, kashoo_id: int) -> bool:
        entry = self._sync.kashoo.read(kind, kashoo_id)
        return entry is not None and not entry.removed

    def _billed(self, kind: str, sales: Collection[str], planned: Collection[Intent]) -> dict[str, str]:
        """Say which record bills a sale already, or is linked by the plan."""
        if not is_billed(kind):
            return {}
        known = {sale: link.source_id for sale, link in self._sync.store.links.of_sales(sales).items()}
        found = [each for each in planned if isinstance(each, Link) and each.record.kind == kind]
        return known | {each.sale: each.record.id for each in found}

    def _has_unknown(self, kind: str, bearers: dict[Reference, list[int]]) -> bool:
        """Say whether a record of the books carries our reference and is unknown to this store."""
        single = {reference for reference, idents in bearers.items() if len(idents) == 1}
        sent = {*self._facts.open, *self._sync.store.journal.open_records()}  # by another run, since the plan began
        waiting = {ident for each, ident in sent if each == kind}
        unknown = {ref for ref in single if self._sync.object_of(ref.source_id) and ref.source_id not in waiting}
        unknown -= self._followed(kind, bearers)
        links = self._sync.store.links.parts_of(kind, {ref.source_id for ref in unknown})
        part_of = (lambda ref: ref.part) if is_billed(kind) else (lambda _: 1)
        return not all(self._generations.knows(ref, links.get(ref.source_id, {}).get(part_of(ref))) for ref in unknown)

    def _followed(self, kind: str, bearers: dict[Reference, list[int]]) -> set[Reference]:
        """List references of records that were merged in Salesforce: their customer is linked to the survivor.

        An invoice with two references bills two sales, and neither is to be billed again.
        """
        if is_billed(kind):
            return set()
        linked = self._sync.store.links.of_kashoo(kind, {ident for idents in bearers.values() for ident in idents})
        return {ref for ref, idents in bearers.items() if linked.keys() >= set(idents)}

    def _intent(self, kind: str, sobject: str, reference: Reference, sale: str) -> Intent:
        record = Record(kind, sobject, reference.source_id, reference.part)
        return Intent(record=record, sale=sale, generation=reference.generation, sync=self._sync.name)

    def _sales(self, sources: set[str]) -> dict[str, str]:
        """Read which sale each record belongs to, where that is not the record itself."""
        sales: dict[str, str] = {}
        for mapping in self._sync.mappings_to(INVOICE.name):
            sobject, path = mapping.from_.object, (mapping.sale.from_ if mapping.sale else None) or ""
            ids = sorted(ident for ident in sources if self._sync.object_of(ident) == sobject)
            if path in self._sync.salesforce.describe(sobject).fields:
                for text in soql.by_ids(sobject, ["Id", path], ids):
                    found = self._sync.salesforce.query(text)
                    sales |= {row["Id"]: row[path] for row in found if is_record_id(row.get(path))}
        return sales


def _leaves_alone(intent: Intent) -> bool:
    """Say whether an intent neither writes to a record of the books nor asks about one."""
    if isinstance(intent, Park):
        return intent.error_class != AMBIGUOUS
    return intent.action is Action.SKIP or (intent.action is Action.REVIEW and intent.kashoo_id is None)

"""Bill each sale once, whichever record it arrives as, even when records move to another sale."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.select import Mask, among
from airflow_provider_kashoo.core.rules.intents import Follow, Intent, Park, Release
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS, SALE_BILLED_TWICE, SECOND_OF_SALE
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import PLANNED_AGAIN, Facts
from airflow_provider_kashoo.sync.bill.made import Ids, Made
from airflow_provider_kashoo.sync.run.sync import Sync

BEING_BILLED = Problem(
    "waiting_for_sale",
    "another record of this sale was sent; whether it was invoiced is not known yet",
    PLANNED_AGAIN,
)
LEFT = replace(BEING_BILLED, cause="the invoice of its sale moves to another sale")
JOINED = replace(BEING_BILLED, cause="a record that already has an invoice joined its sale")


class Sales:
    """Which record bills each sale: by a link of before, or by this plan.

    Only records that concern another one, or a sale that is not billed by themselves, are looked at one by one.

    :param made: what the mappings made of the records of this run; which of them are concerned and linked is noted.
    :ivar records: the ids of all records that become invoices, or would if they could, or if the batch were larger.
    :ivar left_out: ids of records that a mapping excludes and none bills: those that are linked, and credits.
    :ivar moves: moves of the links of records that belong to another sale now.
    """

    def __init__(self, facts: Facts, made: Sequence[Made]) -> None:
        store = facts.sync.store
        self._facts, self._made = facts, made
        unfit = {ident: sale for each in made for ident, sale in each.unfit_sales.items()}
        # What is outside a test batch counts as not read: the next run settles its sale.
        self._read = Ids([each.ids for each in made], unfit)
        self.records = Ids([ids for each in made for ids in (each.ids, each.outside)], unfit)
        self._doubtful = facts.open_of(INVOICE.name)
        self._removed = _removed(facts)
        self._fixed = self._doubtful | self._removed
        self._being_billed = {
            operation["sale_id"]: operation["source_id"]
            for operation in store.journal.unsettled(State.SENT, State.IN_DOUBT)
            if operation["target"] == INVOICE.name
        }
        self._billable = self._concerned(unfit)
        self._concern = {**self._billable, **unfit}
        for ident in sorted(self._doubtful & self._concern.keys()):  # whichever sale it was sent for
            self._being_billed.setdefault(self._concern[ident], ident)
        left_out = {ident for each in made for ids in each.excluded.values() for ident in self._linked(ids)}
        left_out |= {ident for each in made for ident in each.credits}
        self.left_out = left_out - self.records.among(left_out)
        self._parts = store.links.parts_of(INVOICE.name, {*self._concern, *left_out})
        self._own = {ident: parts[min(parts)] for ident, parts in self._parts.items()}
        self._links = store.links.of_sales(self._concern.values())
        self._claimed: dict[str, Intent] = {}
        self._instead: dict[str, Intent] = {}  # where the invoice that is linked to the sale was removed
        self._left: set[str] = set()
        self._moved_into: set[str] = set()
        self._joined = {sale for ident, sale in self._concern.items() if self._is_torn(ident, sale)}
        self.moves = self._move_all()
        for each in made:  # a sale that a link left or moved into, or that a billed record joined, is looked at, too
            each.concerned |= _are(each.sales, self._left | self._moved_into | self._joined)

    def _is_torn(self, ident: str, sale: str) -> bool:
        """Say whether a record with several invoices belongs to another sale now: a person is asked, none moves."""
        return len(self._parts.get(ident, ())) > 1 and self._own[ident].sale_id != sale

    def _linked(self, ids: pa.Array) -> list[str]:
        return list(self._facts.sync.store.linked_records.sales_of(INVOICE.name, ids.to_pylist()))

    def _concerned(self, unfit: Mapping[str, str]) -> dict[str, str]:
        """Find records whose sale is linked to another record, being billed, or shared; note which are linked.

        :param unfit: records that cannot be billed now; their invoices may still move to another sale.
        :returns: their ids -> their sales.
        """
        known = self._facts.sync.store.linked_records
        moved, open_sales = {*self._fixed}, set[str]()
        for each in self._made:
            ids, sales = each.ids.to_pylist(), each.sales.to_pylist()
            linked = known.sales_of(INVOICE.name, ids)
            each.linked = np.fromiter((ident in linked for ident in ids), np.bool_, len(ids))
            moved.update(ident for ident, sale in zip(ids, sales, strict=True) if linked.get(ident, sale) != sale)
            apart = [sale for ident, sale in zip(ids, sales, strict=True) if linked.get(ident) != sale]
            open_sales.update(known.sold_through(INVOICE.name, apart))
        every = [*(each.sales for each in self._made), pa.array(list(unfit.values()), pa.string())]
        open_sales.update(self._being_billed, _shared(every))
        found: dict[str, str] = {}
        for each in self._made:
            each.concerned = _are(each.ids, moved) | _are(each.sales, open_sales)
            mask = pa.array(each.concerned)
            found |= zip(each.ids.filter(mask).to_pylist(), each.sales.filter(mask).to_pylist(), strict=True)
        return found

    def _move_all(self) -> list[Intent]:
        """Move the link of each record that belongs to another sale now, if that sale is not being billed.

        The other records of the old sale, and billed records that joined a sale which is about to be billed, are left
        to the next run, which knows how this one ended.
        """
        moves: list[Intent] = []
        while movable := next(self._movable(), None):  # each move may free a sale for another one
            moves.append(self._move(*movable))
        return [*moves, *self._joining(), *self._left_behind()]

    def _movable(self) -> Iterator[tuple[Link, str]]:
        """Find links of records that belong to another sale now, each with the sale that it can move to."""
        for ident, sale in sorted(self._concern.items()):
            own = self._own.get(ident)
            if own and own.sale_id != sale and sale not in self._being_billed and ident not in self._fixed:
                if self._is_torn(ident, sale):
                    continue
                # If that sale has an invoice already, this one moves to a sale of its own, and the old sale can be
                # billed.
                into = ident if sale in self._links else sale
                if own.sale_id != into:
                    yield own, into

    def _move(self, own: Link, sale: str) -> Follow:
        self._left.add(own.sale_id)
        self._moved_into.add(sale)
        self._links.pop(own.sale_id, None)
        ident = own.source_id
        ended = self._facts.ended_version(own.target, sale, own.part)
        self._own[ident] = self._links[sale] = own.followed(ident, sale, ended)
        self._parts[ident] = {own.part: self._own[ident]}
        begun = own.intent(self._facts.sync.name, source_read=self._facts.read_at)
        return begun.become(Follow, reason=f"part of sale {sale} now", into=ident, into_sale=sale)

    def _left_behind(self) -> Iterator[Park]:
        """Park the other records of each sale that a link leaves: the next run reads them, and may bill one."""
        for mapping in self._facts.sync.mappings_to(INVOICE.name) if self._left else []:
            others = dict(records_of(self._facts.sync, mapping, self._left))
            read = self._read.among(others)
            for ident, sale in others.items():
                if ident not in read:
                    yield replace(self._facts.intent(mapping, ident), sale=sale).parked(LEFT)

    def _joining(self) -> Iterator[Intent]:
        """Look for billed records that joined a sale which is about to get its first invoice.

        Their invoice becomes the sale's. A record that this run did not read is read by the next, which moves the
        link; until then the sale is not billed.
        """
        sync = self._facts.sync
        # Without this section, each record is a sale of its own.
        shared = [mapping for mapping in sync.mappings_to(INVOICE.name) if mapping.sale]
        new = self._new_sales() if shared else set()
        for mapping in shared if new else []:
            others = dict(records_of(sync, mapping, new))
            for ident in self._read.among(others):
                del others[ident]
            self._joined.update(sale for ident, sale in others.items() if ident in self._doubtful)
            for ident, own in sync.store.links.of_sources(INVOICE.name, others).items():
                sale = others[ident]
                if ident in self._removed:
                    continue  # its invoice was removed, and a person was asked
                is_torn = self._is_torn(ident, sale)
                if ident in self.left_out and ident not in self._doubtful and sale not in self._links and not is_torn:
                    yield self._move(own, sale)  # its invoice exists until it is voided
                    continue
                self._joined.add(sale)
                if ident in self.left_out and is_torn:
                    continue  # a person is asked about its invoices, or they are voided
                yield replace(self._facts.intent(mapping, ident), sale=sale).parked(JOINED)

    def _new_sales(self) -> set[str]:
        """List the sales that are to get their first invoice."""
        found = {sale for ident, sale in self._billable.items() if ident not in self._own and sale not in self._links}
        for each in self._made:
            found.update(each.sales.filter(pa.array(~each.concerned & ~each.linked)).to_pylist())
        return found

    def links_of(self, source_id: str) -> Mapping[int, Link]:
        """Give the links of all invoices of a record that is concerned or left out, by their parts."""
        return self._parts.get(source_id, {})

    def claim(self, intent: Intent) -> Intent | None:
        """Claim a sale for a record; the first record that asks bills a sale that has no invoice.

        :returns: None when the record bills its sale. Otherwise what to do with it: skip it; ask a person, when two
            records of one object or two invoices share the sale; park it, while it is not known what bills the sale.
        """
        ident, sale = intent.record.id, intent.sale
        link, own = self._links.get(sale), self._own.get(ident)
        if link is None:
            if self._being_billed.get(sale, ident) != ident:
                return intent.parked(BEING_BILLED)
            if own is None and sale in self._left | self._joined:
                return intent.parked(LEFT if sale in self._left else JOINED)
        stands = own is not None and ident not in self._removed
        if link and stands and link.source_id in self._removed:
            other = self._instead.setdefault(sale, intent).record
        elif link is None or link.source_id == ident:
            other = self._claimed.setdefault(sale, intent).record
        else:
            other = link.record
        if other.id == ident or (own and other.id in self._removed):
            return None
        if own and stands:
            intent = replace(intent, sale=own.sale_id, kashoo_id=own.kashoo_id, link_version=own.version)
            return intent.asked(SALE_BILLED_TWICE.of(other=str(other)))
        if other.object == intent.record.object:
            return intent.asked(SECOND_OF_SALE.of(other=f"{other.object}, {other.id}"))
        return intent.become(Release, reason=f"its sale is billed through its {other.object}")


def _removed(facts: Facts) -> set[str]:
    """List the records of which every invoice was removed in the books."""
    store = facts.sync.store
    asked = store.reviews.parts(INVOICE.name, REMOVED_IN_BOOKS)
    links = store.links.parts_of(INVOICE.name, {ident for ident, _ in asked})
    return {ident for ident, _ in asked if asked.issuperset((ident, part) for part in links.get(ident, ()))}


def records_of(sync: Sync, mapping: FieldMapping, sales: Iterable[str]) -> Iterator[tuple[str, str]]:
    """List the records of a mapping's object that belong to sales, each with its sale."""
    sobject, path = mapping.from_.object, (mapping.sale.from_ if mapping.sale else None) or "Id"
    if path == "Id" or path in sync.salesforce.describe(sobject).fields:
        for text in soql.by_ids(sobject, list(dict.fromkeys(["Id", path])), sorted(sales), key=path):
            for found in sync.salesforce.query(text):
                if is_record_id(found.get(path)):
                    yield found["Id"], found[path]


def _are(ids: pa.Array, some: Collection[str]) -> Mask:
    return among(ids, some) if some else np.zeros(len(ids), np.bool_)


def _shared(sales: Sequence[pa.Array]) -> list[str]:
    """List the sales that several records belong to."""
    counts = pa.chunked_array(sales, pa.string()).value_counts()
    found: list[str] = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).to_pylist()
    return found

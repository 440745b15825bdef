"""One sale is billed once, whichever record it arrives as, and although its records may change their sale."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS, SALE_BILLED_TWICE, SECOND_OF_SALE
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.run.sync import Sync

BEING_BILLED = Problem(
    "waiting_for_sale", "it is sold through another record, whose outcome is not known", "Nothing: planned again."
)
LEFT = replace(BEING_BILLED, cause="the invoice of its sale goes on with another sale")
JOINED = replace(BEING_BILLED, cause="a record that is billed already became one of its sale")


class Sales:
    """What bills the sales of the records in hand: what was linked before, and what this plan bills.

    :param billable: source id -> sale, of all objects that become invoices.
    :param unfit: the same of what cannot be billed now; an invoice it has may still move to another sale.
    :param left_out: source ids of what is in hand, and is not to be billed by some mapping.
    :param in_doubt: (target, source id) of what was sent before and has no known outcome.
    """

    def __init__(
        self,
        sync: Sync,
        billable: Mapping[str, str],
        unfit: Mapping[str, str],
        left_out: Collection[str],
        in_doubt: Collection[tuple[str, str]],
    ) -> None:
        self._sync, self._billable, self._records = sync, billable, {**billable, **unfit}
        self._doubtful = {ident for target, ident in in_doubt if target == "invoice"}
        self._left_out = set(left_out) - self._records.keys()
        self._own = sync.store.links.of_sources("invoice", {*self._records, *self._left_out})
        self._links = sync.store.links.of_sales(self._records.values())
        self._being_billed = {
            operation["sale_id"]: operation["source_id"]
            for operation in sync.store.journal.unsettled(State.SENT, State.IN_DOUBT)
            if operation["target"] == "invoice"
        }
        for ident in sorted(self._doubtful & self._records.keys()):  # under which sale it was sent does not matter
            self._being_billed.setdefault(self._records[ident], ident)
        self._removed = sync.store.reviews.sources("invoice", REMOVED_IN_BOOKS)
        self._fixed = self._doubtful | self._removed
        self._claimed: dict[str, PlanRow] = {}
        self._instead: dict[str, PlanRow] = {}  # where the invoice that is linked to the sale was removed
        self._left: set[str] = set()
        self._joined: set[str] = set()

    def moves(self, read_at: str) -> Iterator[PlanRow]:
        """Let the link of each record whose sale is another one by now go on with that, if nothing bills it yet.

        The other records of a sale that a link leaves, and what is billed already and joined a sale that is to be
        billed, are read by the next run, which knows the outcome.

        :param read_at: when the records were read, ISO 8601 UTC.
        """
        ended = self._sync.store.links.ended_versions("invoice")
        while movable := next(self._movable(), None):  # one that leaves a sale makes room for the next
            yield self._move(*movable, ended, read_at)
        yield from self._joining(ended, read_at)
        yield from self._left_behind(read_at)

    def _movable(self) -> Iterator[tuple[Link, str]]:
        """Find what is sold as something else by now, and the sale that its link can go on with."""
        for ident, sale in sorted(self._records.items()):
            own = self._own.get(ident)
            if own and own.sale_id != sale and sale not in self._being_billed and ident not in self._fixed:
                # If the sale has an invoice already, this one is filed under its own record: the sale that it leaves
                # is then free to be billed.
                into = ident if sale in self._links else sale
                if own.sale_id != into:
                    yield own, into

    def _move(self, own: Link, sale: str, ended: Mapping[tuple[str, int], int], read_at: str) -> PlanRow:
        self._left.add(own.sale_id)
        self._links.pop(own.sale_id, None)
        ident = own.source_id
        self._own[ident] = self._links[sale] = own.followed(ident, sale, ended.get((sale, own.part), 0))
        more = {"follow_into": ident, "follow_sale": sale, "source_read": read_at}
        return own.row(self._sync.name, Action.FOLLOW, f"sold as {sale} now", **more)

    def _left_behind(self, read_at: str) -> Iterator[PlanRow]:
        """Let what is not in hand of each sale that a link leaves be read: it may have to be billed by itself."""
        for mapping in self._sync.mappings_to("invoice") if self._left else []:
            for ident, sale in records_of(self._sync, mapping, self._left):
                if ident not in self._records:
                    yield PlanRow.of(mapping, self._sync.name, ident, sale_id=sale, source_read=read_at).parked(LEFT)

    def _joining(self, ended: Mapping[tuple[str, int], int], read_at: str) -> Iterator[PlanRow]:
        """Look for billed records that joined a sale which is about to get its first invoice.

        Such an invoice becomes the sale's: where its record is not in hand, the next run reads it and moves the link,
        and until then nothing is billed.
        """
        new = {sale for ident, sale in self._billable.items() if ident not in self._own and sale not in self._links}
        for mapping in self._sync.mappings_to("invoice") if new else []:
            if mapping.sale is None:
                continue  # a record that names no sale is one by itself
            others = {i: sale for i, sale in records_of(self._sync, mapping, new) if i not in self._records}
            self._joined.update(sale for ident, sale in others.items() if ident in self._doubtful)
            for ident, own in self._sync.store.links.of_sources("invoice", others).items():
                sale = others[ident]
                if ident in self._removed:
                    continue  # it bills nothing, and a person was told
                if ident in self._left_out and ident not in self._doubtful and sale not in self._links:
                    yield self._move(own, sale, ended, read_at)  # its invoice stands, until it is voided
                    continue
                self._joined.add(sale)
                yield PlanRow.of(mapping, self._sync.name, ident, sale_id=sale, source_read=read_at).parked(JOINED)

    def link(self, source_id: str) -> Link | None:
        """Give the invoice that is a record's own, as this plan leaves it."""
        return self._own.get(source_id)

    def claim(self, row: PlanRow) -> PlanRow | None:
        """Claim the sale of a record for it: the first one in hand bills a sale that has no invoice.

        :returns: None when it bills its sale; otherwise what becomes of it: it is left out, unless two records of one
            object, or two invoices, make it a person's question, and waits while it is not known what bills its sale.
        """
        link, own = self._links.get(row.sale_id), self._own.get(row.source_id)
        if link is None:
            if self._being_billed.get(row.sale_id, row.source_id) != row.source_id:
                return row.parked(BEING_BILLED)
            if own is None and row.sale_id in self._left | self._joined:
                return row.parked(LEFT if row.sale_id in self._left else JOINED)
        stands = own is not None and row.source_id not in self._removed
        if link and stands and link.source_id in self._removed:
            other = self._instead.setdefault(row.sale_id, row)
            sobject, ident = other.source_object, other.source_id
        elif link is None or link.source_id == row.source_id:
            other = self._claimed.setdefault(row.sale_id, row)
            sobject, ident = other.source_object, other.source_id
        else:
            sobject, ident = link.source_object, link.source_id
        if ident == row.source_id or (own and ident in self._removed):
            return None
        if own and stands:
            row = replace(row, sale_id=own.sale_id, kashoo_id=own.kashoo_id, link_version=own.version)
            return row.reviewed(SALE_BILLED_TWICE.of(other=f"{sobject} {ident}"))
        if sobject == row.source_object:
            return row.reviewed(SECOND_OF_SALE.of(other=f"{sobject}, {ident}"))
        return replace(row, action=Action.SKIP, reason=f"its sale is billed through its {sobject}")


def records_of(sync: Sync, mapping: FieldMapping, sales: Iterable[str]) -> Iterator[tuple[str, str]]:
    """List the records of a mapping's object that belong to sales, each with its sale."""
    sobject, path = mapping.from_.object, (mapping.sale.from_ if mapping.sale else None) or "Id"
    if path == "Id" or path in sync.salesforce.describe(sobject).fields:
        for text in soql.by_ids(sobject, list(dict.fromkeys(["Id", path])), sorted(sales), key=path):
            for found in sync.salesforce.query(text):
                yield found["Id"], found[path]

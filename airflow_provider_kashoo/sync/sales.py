"""One sale is billed once, whichever record it arrives as, and although its records may change their sale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.plan import Action, PlanRow
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.merges import INTO
from airflow_provider_kashoo.sync.sync import Sync

SALE = "sale"
"""Key of a row's payload: the sale that the link goes on with."""

TWICE, AGAIN = "sale_billed_twice", "second_of_sale"


class Sales:
    """What bills the sales of the records in hand: what was linked before, and what this plan bills.

    :param records: source id -> sale, of all objects that become invoices.
    :param in_doubt: (target, source id) of what was sent before and has no known outcome.
    """

    def __init__(self, sync: Sync, records: Mapping[str, str], in_doubt: set[tuple[str, str]]) -> None:
        self._sync = sync
        self._own = sync.store.links.of_sources("invoice", records)
        self._links = sync.store.links.of_sales(records.values())
        self._claimed: dict[str, PlanRow] = {}
        self._records = {ident: sale for ident, sale in records.items() if ("invoice", ident) not in in_doubt}

    def moves(self, read_at: str) -> Iterator[PlanRow]:
        """Let the link of each record whose sale is another one by now go on with that, if nothing bills it yet.

        :param read_at: when the records were read, ISO 8601 UTC.
        """
        for ident, sale in sorted(self._records.items()):
            own = self._own.get(ident)
            if own and own.sale_id != sale and sale not in self._links:
                self._own[ident] = self._links[sale] = replace(own, sale_id=sale, version=own.version + 1)
                more = {"payload": {INTO: ident, SALE: sale}, "source_read": read_at}
                yield own.row(self._sync.name, Action.FOLLOW, f"sold as {sale} now", **more)

    def link(self, row: PlanRow) -> Link | None:
        """Give the invoice that is a record's own."""
        return self._own.get(row.source_id)

    def billed_through(self, row: PlanRow) -> PlanRow | None:
        """Say what becomes of a record whose sale is billed through another one; None for one that bills its sale.

        It is left out, unless two records of one object, or two invoices, make it a person's question.
        """
        link = self._links.get(row.sale_id)
        if link is None or link.source_id == row.source_id:
            other = self._claimed.setdefault(row.sale_id, row)
            sobject, ident = other.source_object, other.source_id
        else:
            sobject, ident = link.source_object, link.source_id
        if ident == row.source_id:
            return None
        if own := self._own.get(row.source_id):
            cause = f"{sobject} {ident} bills the same sale with an invoice of its own"
            row = replace(row, sale_id=own.sale_id, kashoo_id=own.kashoo_id, link_version=own.version)
            return row.reviewed(Problem(TWICE, cause, "Void one of the two invoices in Kashoo."))
        if sobject == row.source_object:
            cause = f"its sale is billed through another {sobject}, {ident}"
            return row.reviewed(Problem(AGAIN, cause, "Bill it by hand, or correct its sale."))
        return replace(row, action=Action.SKIP, reason=f"its sale is billed through its {sobject}")

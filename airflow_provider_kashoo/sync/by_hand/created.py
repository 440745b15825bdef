"""Which of the invoices that a run created may be voided now, and why the others stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE, PAYMENT
from airflow_provider_kashoo.core.rules.intents import OUTCOME_UNKNOWN, Void
from airflow_provider_kashoo.core.rules.leaving import why_it_stays
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

Operation = Mapping[str, Any]


class Created:
    """The invoices that runs created, as the store and Kashoo have them now.

    :param reads: reads an invoice of Kashoo.
    """

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self._sync, self._reads, store = sync, reads, sync.store
        self._open = store.journal.open_records()
        self._copied = store.reviews.parts(INVOICE.name, POSSIBLE_DUPLICATE)

    def decide(self, run_id: str) -> Iterator[tuple[Operation, Void | str]]:
        """Give each operation by which a run created an invoice, with its void, or why the invoice stays.

        :raises BudgetSpent: when the request limit is reached.
        """
        store, created = self._sync.store, self._sync.store.undone.created_by(run_id, INVOICE.name)
        linked = store.links.of_kashoo(INVOICE.name, [row["kashoo_id"] for row in created if row["kashoo_id"]])
        ended = {*store.links.ended_references(INVOICE.name, [row["source_id"] for row in created])}
        for row in created:
            link = linked.get(row["kashoo_id"])
            if row["state"] != State.DONE:
                yield row, OUTCOME_UNKNOWN
            elif link:
                yield row, self._of_linked(row, link, f"run {run_id} is undone; its invoice is unpaid and unchanged")
            elif Reference(row["source_id"], row["part"], row["generation"]) in ended:
                yield row, "it is voided already"
            else:
                yield row, "the sync store links it to no deal any more"

    def _of_linked(self, operation: Operation, link: Link, reason: str) -> Void | str:
        kind, named = INVOICE.name, link.record
        if link.version != operation["link_version"] + 1:
            return "a later run, or a person, changed it or its link"
        if named.named in self._open or (PAYMENT.name, named.id) in self._open:
            return OUTCOME_UNKNOWN
        if (named.id, named.part) in self._copied:
            return "another invoice carries its reference"
        try:
            entry = self._reads.read(kind, link.kashoo_id, link.version)
        except UnreadableError as error:
            return error.problem.cause
        if entry is None or entry.removed:
            return "it is not in Kashoo any more"
        hashes, until = self._sync.store.hashes, entry.profile.locked_until
        total, settlement = link.expected_total, link.settlement
        known = entry.invoice, entry.fields, link.fields, hashes
        if why := why_it_stays(*known, expected_total=total, settlement=settlement):
            return why
        if until and (entry.date or "") <= until:
            return f"the books are locked up to {until}"
        more = {"currency": link.currency, "total": total, "base": entry.fingerprint(hashes)}
        return link.intent(self._sync.name).become(Void, reason=reason, **more)

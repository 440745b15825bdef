"""What the store knows of invoices beside their links: what waits, what is asked, what was not approved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Update
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS
from airflow_provider_kashoo.core.rules.settled import Settled
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.rules.tie_out import Name
from airflow_provider_kashoo.store.approvals import AskingPlan, asking_plans
from airflow_provider_kashoo.sync.run.approval import asks_by_rows, without_asking
from airflow_provider_kashoo.sync.run.plan_file import PlanFile
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

Numbered = tuple[str, int]
"""Salesforce id, and which of several invoices of the record."""


@dataclass
class Known:
    """What the store says of invoices.

    :ivar doubtful: those that were sent, with an outcome that is not known.
    :ivar parked: error class and fix of those that wait.
    :ivar asked: error classes of the open questions about them.
    :ivar fixes: what the questions say to do.
    :ivar approvals: whether what a plan would write of them waits for a person, or was rejected.
    :ivar settled: what a person last settled for the books about them.
    :ivar removed: those of which a person is asked, or was, because they were removed in Kashoo.
    """

    doubtful: set[Numbered] = field(default_factory=set)
    parked: dict[Numbered, tuple[str, str]] = field(default_factory=dict)
    asked: Mapping[Numbered, set[str]] = field(default_factory=dict)
    fixes: dict[Numbered, str] = field(default_factory=dict)
    approvals: Mapping[Numbered, Name | None] = field(default_factory=dict)
    settled: Mapping[Numbered, Settled] = field(default_factory=dict)
    removed: set[Numbered] = field(default_factory=set)

    @classmethod
    def of(cls, sync: Sync) -> Known:
        """Collect it."""
        known, asked = cls(), defaultdict[Numbered, set[str]](set)
        for row in sync.store.journal.unsettled(State.SENT, State.IN_DOUBT, State.PARKED, State.RETRY):
            if row["target"] != INVOICE.name:
                continue
            numbered = row["source_id"], row["part"]
            if row["state"] in {State.SENT, State.IN_DOUBT}:
                known.doubtful.add(numbered)
            else:
                known.parked[numbered] = row["error_class"] or State.PARKED.value, row["fix"] or ""
        for item in sync.store.reviews.all_open():
            if item["target"] == INVOICE.name:
                numbered = item["source_id"], item["part"]
                asked[numbered].add(item["error_class"])
                known.fixes[numbered] = item["fix"]
        known.asked = asked
        known.removed = sync.store.reviews.parts(INVOICE.name, REMOVED_IN_BOOKS)
        known.settled = sync.store.reviews.settled_for_books(INVOICE.name)
        known.approvals = _approvals(sync)
        return known


def _approvals(sync: Sync) -> dict[Numbered, Name | None]:
    """Say of each invoice what the newest plan that would write it is waiting for; an undo writes none, and hides none.

    :returns: None for what nobody is asked about, or what was approved.
    """
    found: dict[Numbered, Name | None] = {}
    for plan in asking_plans(sync.store.database):
        if plan.scope.id == sync.store.scope_id and plan.sync == TO_KASHOO:
            found = _of_plan(sync, plan) | found
    return found


def _of_plan(sync: Sync, plan: AskingPlan) -> dict[Numbered, Name | None]:
    """Say whether a person has to approve, or rejected, what a plan would write, as a run takes it."""
    try:
        rows = PlanFile(sync.files.of_run(TO_KASHOO, plan.run_id)).rows()
    except ConfigurationError:  # its files were removed, or another version of this package made them
        return {}
    decision, asking = plan.decided and plan.decided.decision, PlanSummary(asks=dict(plan.summary["asks"]))
    free: list[Intent] = []
    if decision is None:
        free = without_asking(sync, asking, rows)
    elif decision is Decision.APPROVE:
        free = rows
    elif asks_by_rows(sync, asking, rows):
        free = [each for each in rows if not sync.settings.approval.reasons(each)]
    name = Name.REJECTED if decision else Name.WAITING
    written = {each.record for each in free}
    return {
        (each.record.id, each.record.part): None if each.record in written else name
        for each in rows
        if each.record.kind == INVOICE.name and isinstance(each, Create | Update)
    }

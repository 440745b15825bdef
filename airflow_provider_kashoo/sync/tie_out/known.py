"""What the store knows of invoices beside their links: what waits, what is asked, what was not approved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.intents import Create, Update
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS
from airflow_provider_kashoo.core.rules.tie_out import Name
from airflow_provider_kashoo.store.approvals import asking_plans
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
    :ivar approvals: whether a plan that would write them waits for a person, or was rejected.
    :ivar removed: those of which a person is asked, or was, because they were removed in Kashoo.
    """

    doubtful: set[Numbered] = field(default_factory=set)
    parked: dict[Numbered, tuple[str, str]] = field(default_factory=dict)
    asked: Mapping[Numbered, set[str]] = field(default_factory=dict)
    fixes: dict[Numbered, str] = field(default_factory=dict)
    approvals: dict[Numbered, Name] = field(default_factory=dict)
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
        known.approvals = _approvals(sync)
        return known


def _approvals(sync: Sync) -> dict[Numbered, Name]:
    """Give the invoices that the newest plan would write which asks a person, and was not applied."""
    plans = asking_plans(sync.store.database)
    mine = (each for each in plans if each.scope.id == sync.store.scope_id and each.sync == TO_KASHOO)
    newest = next(mine, None)
    if newest is None or (newest.decided and newest.decided.decision is Decision.APPROVE):
        return {}
    name = Name.REJECTED if newest.decided else Name.WAITING
    try:
        rows = PlanFile(sync.files.of_run(TO_KASHOO, newest.run_id)).rows()
    except ConfigurationError:  # its files were removed, or another version of this package made them
        return {}
    return {
        (each.record.id, each.record.part): name
        for each in rows
        if each.record.kind == INVOICE.name and isinstance(each, Create | Update)
    }

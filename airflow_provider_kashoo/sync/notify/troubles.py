"""What is wrong now in one org and business, read from the store; neither side is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_kashoo.core.rules.alerts import OF_RECORDS, Name, Trouble
from airflow_provider_kashoo.reports.difference import DECIDED
from airflow_provider_kashoo.store import alerts, figures, stuck
from airflow_provider_kashoo.store.approvals import asking_plans
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.differences import RESOLVED
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.sync.by_hand.status import late_of
from airflow_provider_kashoo.sync.run.approval import SHORT
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

SYNCS = (TO_KASHOO, TO_SALESFORCE)

NAMES = {stuck.PARKED: Name.PARKED, stuck.IN_DOUBT: Name.IN_DOUBT, stuck.ASKED: Name.TO_REVIEW}

REFUSED_SECONDS = 3_600.0
"""For so long after a pause that Kashoo asked for, the request limit is in trouble."""

LOOKED_AT = 5
"""The newest runs among which the last one that is over is searched."""

Failed = Callable[[str, str], bool]
"""Sync and run id -> whether Airflow says that the run failed."""


@dataclass(frozen=True)
class Limits:
    """When something counts as wrong.

    :param late_after: hours without a full run.
    :param empty_runs: runs in a row that read nothing from Salesforce; 0 means never.
    """

    late_after: float
    empty_runs: int


@dataclass(frozen=True)
class Found:
    """What is wrong.

    :param unknown: names of which this cannot be said now.
    """

    troubles: list[Trouble]
    unknown: frozenset[Name] = frozenset()


def troubles_of(database: Database, pair: Pair, limits: Limits, failed: Failed = lambda *_: False) -> Found:
    """Say what is wrong, the records first.

    :raises SyncError: as :meth:`.Database.reading`.
    """
    busy = alerts.in_flight(database, pair.id)
    records = [] if busy else list(_records(database, pair))
    more = [
        *_approvals(database, pair),
        *_runs(database, pair, failed),
        *_late(database, pair, limits),
        *_nothing_came_in(database, pair, limits),
        *_budget(database, pair, limits),
        *_differences(database, pair),
    ]
    return Found([*records, *more], OF_RECORDS if busy else frozenset())


def _records(database: Database, pair: Pair) -> Iterator[Trouble]:
    for each in stuck.groups_of(database, pair.id, stuck.oldest_of(database, pair.id)):
        yield Trouble(NAMES[each.state], each.error_class, each.count, each.since, each.totals, each.fix)


def _approvals(database: Database, pair: Pair) -> Iterator[Trouble]:
    for plan in asking_plans(database):
        if plan.decided is None and (plan.org_id, plan.business_id) == (pair.org_id, pair.business_id):
            yield Trouble(Name.APPROVAL, plan.digest[:SHORT], sum(plan.summary["asks"].values()))


def _runs(database: Database, pair: Pair, failed: Failed) -> Iterator[Trouble]:
    """Find syncs whose last run failed; one that still goes on says nothing yet."""
    for sync in SYNCS:
        for run in figures.newest_runs(database, pair.id, LOOKED_AT, sync):
            if run["finished_at"] is None and failed(sync, run["run_id"]):
                yield Trouble(Name.FAILED, sync, since=run["started_at"])
                break
            if run["finished_at"] is not None:
                break


def _late(database: Database, pair: Pair, limits: Limits) -> Iterator[Trouble]:
    with database.reading() as connection:
        now = database.now(connection)
    for late in late_of(figures.watermarks(database, pair.id), now, limits.late_after):
        yield Trouble(Name.LATE, late.sync, since=late.since)


def _nothing_came_in(database: Database, pair: Pair, limits: Limits) -> Iterator[Trouble]:
    runs = alerts.runs_read(database, pair.id, TO_KASHOO, limits.empty_runs)
    if limits.empty_runs and len(runs) == limits.empty_runs and not any(run["records_read"] for run in runs):
        yield Trouble(Name.NOTHING_CAME_IN, TO_KASHOO, len(runs), runs[-1]["started_at"])


def _budget(database: Database, pair: Pair, limits: Limits) -> Iterator[Trouble]:
    """Find a pause that Kashoo asked for, and plans that need longer than a sync may take until it is late."""
    if until := alerts.paused_lately(database, REFUSED_SECONDS):
        yield Trouble(Name.BUDGET, since=until)
    for sync in SYNCS:
        for run in figures.newest_runs(database, pair.id, 1, sync):
            seconds = float((run["summary"] or {}).get("seconds", 0))
            if run["finished_at"] is None and seconds > limits.late_after * 3600:
                yield Trouble(Name.BUDGET, sync, int(run["summary"]["requests"]), run["started_at"])


def _differences(database: Database, pair: Pair) -> Iterator[Trouble]:
    for row in alerts.open_differences(database, pair.id, {RESOLVED, *DECIDED}):
        yield Trouble(Name.TIE_OUT, row["name"], row["differences"], row["since"])

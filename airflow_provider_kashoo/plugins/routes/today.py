"""The view Today, and the numbers of the dashboard: what is billed, what waits, what runs, what is late."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Depends

from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.settlement import OPEN, PAID, PARTLY_PAID
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.hooks.kashoo import KashooHook
from airflow_provider_kashoo.plugins.access import READS
from airflow_provider_kashoo.plugins.kept import KEPT
from airflow_provider_kashoo.plugins.opened import store
from airflow_provider_kashoo.reports.plan import instant
from airflow_provider_kashoo.runtime.dag_runs import schedule_of, states_of
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

router = APIRouter(prefix="/api/today", dependencies=READS)

LATE = timedelta(hours=1)
"""A run that should have begun so long ago did not: the scheduler stands still, or an earlier run hangs."""

SHOWN_RUNS = 14
FOLLOWED = 20_000
"""Requests of which each is timed; of more it is said how long they take if nothing else is sent."""

WRITING = (Action.CREATE, Action.UPDATE, Action.VOID, Action.WRITE_BACK, Action.UPSERT)
FAILED = (State.PARKED, State.IN_DOUBT)
ENDED = ("success", "failed")

Said = dict[str, Any]


@router.get("")
def today(database: Annotated[Database, Depends(store)]) -> Said:
    """Give all of it."""
    limits, budget = _limits(database)
    return {
        "now": instant(datetime.now(UTC).timestamp()),
        "pairs": [_pair(database, pair, budget) for pair in figures.pairs(database)],
        "schedules": [_schedule(sync) for sync in (TO_KASHOO, TO_SALESFORCE)],
        **limits,
    }


def _pair(database: Database, pair: Pair, budget: Budget | None) -> Said:
    def counted() -> Said:
        return {
            "money": _money(figures.money(database, pair.id)),
            "writes": figures.states(database, pair.id),
        }

    runs = figures.newest_runs(database, pair.id, SHOWN_RUNS)
    ids = [row["run_id"] for row in runs]
    sums, at = KEPT.get((database.url, pair.id, "sums"), counted)
    outcomes, _ = KEPT.get((database.url, pair.id, "runs"), lambda: figures.outcomes(database, pair.id, ids))
    states = {sync: states_of(sync, ids) for sync in (TO_KASHOO, TO_SALESFORCE)}
    told = [_run(row, (outcomes or {}).get(row["run_id"]), states[row["sync"]].get(row["run_id"])) for row in runs]
    return {
        "org_id": pair.org_id,
        "business_id": pair.business_id,
        "counted_at": None if at is None else instant(at),
        **(sums or {"money": None, "writes": None}),
        "asked": figures.questions(database, pair.id),
        "watermarks": [
            {**row, "value": instant(row["value"]), "moved_at": instant(row["moved_at"])}
            for row in figures.watermarks(database, pair.id)
        ],
        "runs": told,
        "running": [_progress(each, budget) for each in told if each["under_way"]],
    }


def _money(rows: list[figures.Row]) -> list[Said]:
    """Add up by currency; what was never read back counts as open."""
    found: dict[str, Said] = defaultdict(lambda: dict.fromkeys((OPEN, PARTLY_PAID, PAID, "all", "invoices"), 0))
    for row in rows:
        sums, settled = found[row["currency"] or ""], row["settlement"] or OPEN
        sums["invoices"] += row["invoices"]
        sums["all"] += row["total"]
        if settled in sums:
            sums[settled] += row["total"]
    return [
        {
            "currency": code,
            "invoices": sums["invoices"],
            "invoiced": format_minor(sums["all"], code),
            "paid": format_minor(sums[PAID], code),
            "partly_paid": format_minor(sums[PARTLY_PAID], code),
            "open": format_minor(sums[OPEN], code),
        }
        for code, sums in sorted(found.items())
    ]


def _run(row: figures.Row, outcome: dict[str, int] | None, state: str | None) -> Said:
    actions = [each for of_target in (row["summary"] or {}).get("actions", {}).values() for each in of_target.items()]
    ended = row["finished_at"] is not None or state in ENDED
    return {
        "sync": row["sync"],
        "run_id": row["run_id"],
        "state": state,
        "started_at": instant(row["started_at"]),
        "finished_at": None if row["finished_at"] is None else instant(row["finished_at"]),
        "under_way": not ended and state is not None,
        "looked_at": sum(count for _, count in actions),
        "planned": sum(count for action, count in actions if action in WRITING),
        "requests": (row["summary"] or {}).get("requests", 0),
        "written": None if outcome is None else outcome.get(State.DONE, 0),
        "failed": None if outcome is None else sum(outcome.get(each, 0) for each in FAILED),
    }


def _progress(run: Said, budget: Budget | None) -> Said:
    """Say how far a run is, and when it will be done if the rest needs as many requests for a write as planned."""
    done = (run["written"] or 0) + (run["failed"] or 0)
    planned = max(run["planned"], done)
    left = round(run["requests"] * (planned - done) / planned) if planned else 0
    progress = {"sync": run["sync"], "run_id": run["run_id"], "planned": planned, "done": done, "requests_left": left}
    if not budget or not left:
        return progress | {"done_at": None}
    pace = budget.pace()
    at = pace.done_at(left) if left <= FOLLOWED else pace.now + budget.seconds_for(left)
    return progress | {"done_at": instant(at)}


def _schedule(sync: str) -> Said:
    known = schedule_of(sync)
    due = known.next_at
    late = bool(due and not known.paused and datetime.now(UTC) - due > LATE)
    return {"sync": sync, "paused": known.paused, "next_at": instant(due.timestamp()) if due else None, "late": late}


def _limits(database: Database) -> tuple[Said, Budget | None]:
    """Give the request limits of the connection ``kashoo_default`` as they stand."""
    try:
        budget = KashooHook().budget(database)
    except (SyncError, AirflowNotFoundException) as error:
        return {"limits": [], "closed_until": None, "no_limits": str(error)}, None
    pace = budget.pace()
    limits = [
        {"requests": each.requests, "seconds": each.seconds, "left": max(0, each.requests - pace.used_of(each))}
        for each in pace.limits
    ]
    closed = instant(pace.closed_until) if pace.closed_until > pace.now else None
    return {"limits": limits, "closed_until": closed, "no_limits": ""}, budget

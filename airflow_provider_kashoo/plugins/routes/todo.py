"""The view To do: what waits for a person, by its cause, a page at a time. Nothing here changes anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.settled import ABOUT_BOTH, ONLY_BOOKS
from airflow_provider_kashoo.core.values.money import format_exact, format_minor
from airflow_provider_kashoo.plugins.access import ASKS_KASHOO, READS, may
from airflow_provider_kashoo.plugins.kept import KEPT
from airflow_provider_kashoo.plugins.opened import Sides, store
from airflow_provider_kashoo.reports.plan import instant
from airflow_provider_kashoo.runtime.dag_runs import states_of
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.approvals import AskingPlan, asking_plans
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.store.stuck import Group, groups_of, oldest_of, page_of
from airflow_provider_kashoo.sync.by_hand.status import Status, Waits, named_live, waits_in
from airflow_provider_kashoo.sync.run.approval import SHORT
from airflow_provider_kashoo.sync.run.record_links import Addresses, newest_addresses
from airflow_provider_kashoo.sync.run.staged_runs import newest_runs
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

router = APIRouter(prefix="/api/todo", dependencies=READS)

Store = Annotated[Database, Depends(store)]
State = Literal["parked", "in_doubt", "asked"]
Cause = Annotated[str, Query(max_length=64)]
Number = Annotated[int, Query(ge=0, le=2**31)]

Said = dict[str, Any]


@router.get("")
def todo(database: Store, user: GetUserDep) -> Said:
    """Give what waits for each org and business, and the plans that wait for an approval."""
    return {
        "now": instant(datetime.now(UTC).timestamp()),
        "may_act": may(user, "PUT", TO_KASHOO),
        "pairs": [_pair(database, pair) for pair in figures.pairs(database)],
        "plans": [_plan(plan) for plan in asking_plans(database) if plan.decided is None],
    }


@router.get("/items")
def items(database: Store, pair: Number, state: State, cause: Cause, after: Number = 0) -> Said:
    """Give the records of one group, the longest known first, a hundred at a time.

    :param pair: which org and business.
    :param after: what the page before said, to go on behind it.
    """
    of = _pair_of(database, pair)
    overview, more = page_of(database, of, state, cause, after)
    waits = waits_in(overview)
    runs = {each["id"]: each["run_id"] for each in (*overview.waiting, *overview.asked)}
    return {"items": _items(waits, runs, of), "after": more}


@router.get("/names", dependencies=ASKS_KASHOO)
def names(database: Store, sides: Sides, pair: Number, state: State, cause: Cause, after: Number = 0) -> Said:
    """Ask Salesforce and Kashoo for the names, amounts and numbers of one page of a group; nothing of it is kept."""
    of = _pair_of(database, pair)
    overview, _ = page_of(database, of, state, cause, after)
    with sides() as sync:
        if (sync.store.org_id, sync.store.business_id) != (of.org_id, of.business_id):
            raise HTTPException(409, "The connections lead to another org or business; so the names are not shown.")
        found = named_live(sync, Status(of.org_id, of.business_id, waits_in(overview), [], []))
    return {"names": {each.number: _named(each) for each in found.waits}, "missing": found.not_asked}


def _pair_of(database: Database, number: int) -> Pair:
    found = next((each for each in figures.pairs(database) if each.id == number), None)
    if found is None:
        raise HTTPException(404, "The store has no such org and business.")
    return found


def _pair(database: Database, pair: Pair) -> Said:
    oldest, _ = KEPT.get((database.url, pair.id, "oldest"), lambda: oldest_of(database, pair.id))
    groups = groups_of(database, pair.id, oldest or {})
    return {
        "id": pair.id,
        "org_id": pair.org_id,
        "business_id": pair.business_id,
        "groups": [_group(each) for each in groups],
    }


def _group(group: Group) -> Said:
    return {
        "state": group.state,
        "cause": group.error_class,
        "count": group.count,
        "totals": [format_minor(minor, code) for code, minor in sorted(group.totals.items())],
        "since": instant(group.since),
        "fix": group.fix,
    }


def _plan(plan: AskingPlan) -> Said:
    summary = plan.summary
    return {
        "digest": plan.digest[:SHORT],
        "sync": plan.sync,
        "run_id": plan.run_id,
        "asks": summary["asks"],
        "actions": summary.get("actions", {}),
        "totals": [format_minor(minor, code) for code, minor in summary.get("totals", {}).items()],
    }


def _items(waits: list[Waits], runs: dict[int, str], pair: Pair) -> list[Said]:
    known = _known_runs((_sync_of(each), runs[_row_id(each)]) for each in waits)
    kept, _ = KEPT.get(
        ("addresses", pair), lambda: newest_addresses(pair.org_id, pair.business_id, newest_runs(staging_root()))
    )
    addresses = kept or Addresses()
    return [
        {
            "id": each.id,
            "number": each.number,
            "state": each.state,
            "target": each.record.kind,
            "source_object": each.record.object,
            "source_id": each.record.id,
            "part": each.record.part,
            "kashoo_id": each.kashoo_id,
            "total": None if each.total is None else format_minor(each.total, each.currency or ""),
            "since": instant(each.since) if each.since else None,
            "cause": each.cause,
            "fix": each.fix,
            "sides": _sides(each),
            "sync": _sync_of(each),
            "run_id": run_id if (_sync_of(each), run_id := runs[_row_id(each)]) in known else None,
            "opens": addresses.opens(each.record.id, each.record.kind, each.kashoo_id),
        }
        for each in waits
    ]


def _sides(each: Waits) -> list[str]:
    """Say of which sides a person can say that it is right."""
    if each.state != "asked" or each.error_class not in ABOUT_BOTH:
        return []
    return ["books"] if each.error_class in ONLY_BOOKS else ["books", "salesforce"]


def _named(each: Waits) -> Said:
    named = each.named
    amount = "" if named.amount is None else f"{format_exact(named.amount * 100)} {named.currency}".strip()
    return {"name": named.name, "customer": named.customer, "amount": amount, "invoice": each.invoice}


def _row_id(each: Waits) -> int:
    return int(each.number.removeprefix("R"))


def _sync_of(each: Waits) -> str:
    return TO_KASHOO if each.record.kind in KINDS else TO_SALESFORCE


def _known_runs(named: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Say which runs Airflow still has a page of."""
    by_sync: dict[str, set[str]] = defaultdict(set)
    for sync, run_id in named:
        by_sync[sync].add(run_id)
    return {(sync, run_id) for sync, ids in by_sync.items() for run_id in states_of(sync, ids)}

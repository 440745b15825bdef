"""Decisions about plans: of one scope, sync and digest; rows are added and never changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.store.approvals import Decided, asking_plans
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import approvals

ORG, BUSINESS, TEST_BUSINESS = "00D000000000001EAA", "9990000001", "9990000002"
SYNC, DIGEST = "salesforce_to_kashoo", "ab" * 32
APPROVE, REJECT = Decision
SUMMARY = {"asks": {"an invoice is voided": 1}, "totals": {"USD": 5}, "notes": ["of no interest"], "requests": 3}


def decide(store: SyncStore, decision: Decision = APPROVE, by: str = "ann", **more: Any) -> Decided | None:
    given = {"by": by, "reason": "", "summary": SUMMARY} | more
    return store.approvals.decide(SYNC, "run 1", DIGEST, decision, **given)


def test_a_decision_keeps_who_when_why_and_what_was_shown(database: Database, store: SyncStore, clock: Any) -> None:
    assert decide(store, REJECT, reason="old prices") is None
    assert store.approvals.of(SYNC, DIGEST) == Decided(REJECT, "ann", clock.now, "old prices")
    with database.begin() as connection:
        row = connection.execute(select(approvals)).one()
    assert row.shown == {name: SUMMARY[name] for name in ("asks", "totals", "requests")}
    assert (row.run_id, row.decision) == ("run 1", "reject")


def test_the_same_decision_is_made_once_and_another_one_counts_from_then_on(store: SyncStore, clock: Any) -> None:
    assert decide(store) is None
    first = clock.now
    clock.now += 60
    assert decide(store, by="bob") == Decided(APPROVE, "ann", first)
    assert decide(store, REJECT, by="bob") is None
    assert decide(store, APPROVE, by="bob") is None
    assert store.approvals.of(SYNC, DIGEST) == Decided(APPROVE, "bob", first + 60)


def test_it_is_of_one_digest_sync_and_business(database: Database, store: SyncStore) -> None:
    decide(store)
    assert store.approvals.of(SYNC, "cd" * 32) is None
    assert store.approvals.of("kashoo_to_salesforce", DIGEST) is None
    assert SyncStore(database, ORG, TEST_BUSINESS).approvals.of(SYNC, DIGEST) is None


def test_the_plans_that_ask_are_those_of_runs_that_are_not_over(
    database: Database, store: SyncStore, clock: Any
) -> None:
    other = SyncStore(database, ORG, TEST_BUSINESS)
    for of, run, asks in ((store, "run 1", {"x": 1}), (other, "run 2", {"x": 1}), (store, "quiet", {})):
        clock.now += 1
        of.start_run(SYNC, run)
        of.record_plan(SYNC, run, PlanSummary(digest=DIGEST, asks=asks))
    store.start_run(SYNC, "without a plan")
    decide(store)
    newest, oldest = asking_plans(database)
    assert (newest.run_id, newest.business_id, newest.decided) == ("run 2", TEST_BUSINESS, None)
    assert (oldest.run_id, oldest.org_id, oldest.digest, oldest.summary["asks"]) == ("run 1", ORG, DIGEST, {"x": 1})
    assert oldest.decided is not None
    other.finish_run(SYNC, "run 2")
    assert [plan.run_id for plan in asking_plans(database)] == ["run 1"]

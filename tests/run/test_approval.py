"""A plan that asks is written only after a person approved exactly that plan, whatever a file says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from records import invoices_of, writes
from rounds import Rounds, Start, price, quiet, remap, win
from voids import lose, void_unpaid

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.approval import FIRST_RUN, VOIDED, Above, Decision, Policy
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.summary import as_text
from airflow_provider_kashoo.store.approvals import asking_plans
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.run.approval import ApprovalNeeded, decide, is_first_run
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

APPROVE, REJECT = Decision
ASKED = "require approval: Amount >= 1000"


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = start.again(tmp_path)
    rule = f"rules: [{{when: {ASKED[18:]}, require: approval}}]"
    remap(drive, "invoice_from_opportunity", "single_line:", f"{rule}\nsingle_line:")
    yield drive
    drive.end()


def planned(drive: Rounds, **facts: Any) -> Sync:
    """Take a run up to the plan."""
    drive.sandbox.clock.advance(60)
    sync = drive.sync(**facts)
    steps.preflight(sync)
    for source in ("Account", "Product2", "Opportunity", "Order"):
        steps.extract(sync, source)
    steps.plan(sync)
    return sync


def asking(drive: Rounds, **facts: Any) -> Sync:
    """Take a run up to the plan, and see that the plan waits for a person."""
    sync = planned(drive, **facts)
    with pytest.raises(ApprovalNeeded):
        steps.approve(sync)
    return sync


def say(sync: Sync, decision: Decision = APPROVE, **more: str) -> None:
    decide(sync, steps._summary(sync), decision, **{"by": "ann", "reason": ""} | more)


def refusal(step: Any, sync: Sync) -> str:
    before = writes_of(sync)
    with pytest.raises(ConfigurationError) as refused:
        step(sync)
    assert writes_of(sync) == before
    return str(refused.value)


def writes_of(sync: Sync) -> int:
    return len(sync.store.links.of_target("invoice"))


def test_a_deal_that_a_rule_catches_is_billed_after_its_approval_and_no_earlier(drive: Rounds) -> None:
    deal = win(drive, "1000.00")
    sync = asking(drive)
    summary = steps._summary(sync)
    assert summary.asks == {ASKED: 1}
    assert f"a person has to approve it: 1 x {ASKED}" in as_text(summary)
    before = writes(drive.sandbox)
    assert "not the one that was approved" in refusal(steps.apply, sync)
    assert writes(drive.sandbox) == before
    say(sync)
    assert steps.approve(sync) == summary.digest
    assert drive.apply(sync)["created"] >= 1
    assert len(invoices_of(drive.sandbox, deal)) == 1
    quiet(drive)


def test_a_plan_that_asks_for_nothing_passes_at_once(drive: Rounds) -> None:
    deal = win(drive, "999.99")
    drive.run()
    assert len(invoices_of(drive.sandbox, deal)) == 1
    assert asking_plans(drive.database) == []


def test_a_change_and_a_void_of_such_a_deal_ask_too(drive: Rounds) -> None:
    void_unpaid(drive, "invoice_from_opportunity")
    deal = win(drive, "500.00")
    drive.run()
    price(drive, deal, "2000.00")
    sync = asking(drive)
    say(sync)
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)
    assert [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] == [200_000]
    lose(drive, deal)
    assert steps._summary(asking(drive)).asks == {ASKED: 1}
    assert len(invoices_of(drive.sandbox, deal)) == 1


def test_the_file_of_the_step_approve_is_not_believed(drive: Rounds) -> None:
    win(drive, "1000.00")
    sync = asking(drive)
    sync.files.write_json("approved", {"digest": steps._summary(sync).digest})
    assert "has to be approved by a person first: 1 x require approval" in refusal(steps.apply, sync)


def test_files_that_say_they_ask_for_nothing_are_not_believed(drive: Rounds) -> None:
    """Whoever can write the staging folder could make a plan whose digest fits."""
    win(drive, "1000.00")
    sync = asking(drive)
    kept = sync.files.read_json("summary") or {}
    told = replace(steps._summary(sync), asks={})
    digest = steps.PlanFile(sync.files).digest(told)
    sync.files.write_json("summary", {**kept, "asks": {}, "digest": digest})
    sync.files.write_json("approved", {"digest": digest})
    for step in (steps.approve, steps.apply):
        assert "not those that were planned" in refusal(step, sync)


def test_an_approval_is_of_one_plan_and_not_of_the_run(drive: Rounds) -> None:
    deal = win(drive, "1000.00")
    sync = asking(drive)
    say(sync)
    steps.approve(sync)
    price(drive, deal, "5000.00")
    again = asking(drive, run_id=sync.run.run_id)
    assert "not the one that was approved" in refusal(steps.apply, again)
    assert [each.decided for each in asking_plans(drive.database)] == [None]
    say(again)
    steps.approve(again)
    drive.apply(again)
    assert [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] == [500_000]


def test_an_approval_of_another_business_or_sync_is_none(drive: Rounds) -> None:
    win(drive, "1000.00")
    sync = asking(drive)
    summary = steps._summary(sync)
    other = SyncStore(drive.database, sync.store.org_id, "9990000777")
    for store, name in ((other, sync.name), (sync.store, "kashoo_to_salesforce")):
        said = {"by": "ann", "reason": "", "summary": {}}
        store.approvals.decide(name, sync.run.run_id, summary.digest, APPROVE, **said)
    assert "has to be approved" in refusal(steps.approve, sync)


def test_a_plan_that_asks_as_a_whole_is_rejected_as_a_whole_and_the_next_run_asks_again(drive: Rounds) -> None:
    deal = win(drive, "900.00")
    drive.settings = replace(drive.settings, approval=Policy(total_above=Above(Decimal(10_000))))
    sync = asking(drive)
    say(sync, REJECT, reason="wait for the new price")
    assert "was rejected by ann at" in refusal(steps.approve, sync)
    assert "wait for the new price" in refusal(steps.approve, sync)
    assert "not the one that was approved" in refusal(steps.apply, sync)
    assert steps.apply_what_nobody_asks(sync) == {}
    again = asking(drive)
    say(again)
    steps.approve(again)
    drive.apply(again)
    assert len(invoices_of(drive.sandbox, deal)) == 1


def parked(drive: Rounds) -> list[tuple[str, str]]:
    rows = drive.store.journal.unsettled(State.PARKED)
    return [(row["source_id"], row["cause"]) for row in rows]


def reject(drive: Rounds, reason: str = "wait for the new price", **facts: Any) -> Sync:
    """Let a run end after a person rejected what asked."""
    sync = asking(drive, **facts)
    say(sync, REJECT, reason=reason)
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)
    return sync


def test_of_a_plan_in_which_single_rows_ask_these_are_parked_and_the_others_written(drive: Rounds) -> None:
    big, small = win(drive, "1000.00"), win(drive, "500.00")
    reject(drive)
    assert [len(invoices_of(drive.sandbox, each)) for each in (big, small)] == [0, 1]
    ((deal, cause),) = parked(drive)
    assert deal == big
    assert re.fullmatch(r"its plan was rejected by ann at [-0-9: ]+ UTC: wait for the new price", cause)
    quiet(drive)
    assert parked(drive) == [(deal, cause)]


def test_what_was_rejected_is_asked_again_when_it_changes(drive: Rounds) -> None:
    deal = win(drive, "1000.00")
    reject(drive)
    price(drive, deal, "1200.00")
    sync = asking(drive)
    say(sync)
    steps.approve(sync)
    drive.apply(sync)
    assert [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] == [120_000]
    assert parked(drive) == []


def test_what_was_rejected_is_asked_again_when_a_person_wants_that(drive: Rounds) -> None:
    deal = win(drive, "1000.00")
    sync = reject(drive)
    (row,) = drive.store.journal.unsettled(State.PARKED)
    with pytest.raises(ConfigurationError, match="has to be approved by a person first"):
        replay(sync, [row["id"]])
    sync = asking(drive)
    say(sync)
    steps.approve(sync)
    drive.apply(sync)
    assert len(invoices_of(drive.sandbox, deal)) == 1
    assert parked(drive) == []


def test_what_was_rejected_closes_when_the_deal_is_lost(drive: Rounds) -> None:
    deal = win(drive, "1000.00")
    reject(drive)
    lose(drive, deal)
    drive.run()
    assert parked(drive) == []


def test_a_rejected_change_and_a_rejected_void_leave_the_invoice_as_it_is(drive: Rounds) -> None:
    void_unpaid(drive, "invoice_from_opportunity")
    deal = win(drive, "500.00")
    drive.run()
    price(drive, deal, "2000.00")
    reject(drive)
    quiet(drive)
    lose(drive, deal)
    reject(drive)
    assert [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] == [50_000]
    quiet(drive)
    assert [ident for ident, _ in parked(drive)] == [deal]


def test_a_rejected_prepaid_deal_is_neither_billed_nor_paid(drive: Rounds) -> None:
    rule = 'rules: [{when: Amount >= 1, mark_paid: {account: "1000", date: {from: CloseDate}}}]'
    remap(drive, "invoice_from_opportunity", "rules: [", f"{rule[:-1]}, ")
    deal = win(drive, "1000.00")
    reject(drive)
    assert invoices_of(drive.sandbox, deal) == []
    quiet(drive)
    assert [ident for ident, _ in parked(drive)] == [deal]


def test_what_asks_nothing_may_be_written_before_a_person_decides(drive: Rounds) -> None:
    big, small = win(drive, "1000.00"), win(drive, "500.00")
    sync = asking(drive)
    assert steps.apply_what_nobody_asks(sync)["created"] >= 1
    assert [len(invoices_of(drive.sandbox, each)) for each in (big, small)] == [0, 1]
    assert parked(drive) == []
    assert steps.apply_what_nobody_asks(sync).get("created", 0) == 0
    say(sync)
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)
    assert [len(invoices_of(drive.sandbox, each)) for each in (big, small)] == [1, 1]
    quiet(drive)


def test_nothing_of_a_plan_that_asks_nothing_is_written_early(drive: Rounds) -> None:
    win(drive, "500.00")
    sync = planned(drive)
    assert steps.apply_what_nobody_asks(sync) == {}


def test_the_last_decision_counts_and_the_same_one_twice_is_one(drive: Rounds) -> None:
    win(drive, "1000.00")
    sync = asking(drive)
    say(sync, REJECT, reason="no")
    say(sync)
    digest = steps.approve(sync)
    told = {"by": "bob", "reason": "", "summary": {}}
    known = sync.store.approvals.decide(sync.name, sync.run.run_id, digest, APPROVE, **told)
    assert known is not None
    assert (known.by, known.decision) == ("ann", APPROVE)
    say(sync, REJECT, reason="stop")
    assert drive.apply(sync)["rejected"] == 1
    with drive.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT decision, decided_by, shown FROM approvals ORDER BY id").all()
    assert [(row[0], row[1]) for row in rows] == [("reject", "ann"), ("approve", "ann"), ("reject", "ann")]
    assert ASKED in str(rows[0][2])


def test_a_void_and_a_first_run_ask_as_the_settings_say(drive: Rounds) -> None:
    drive.settings = replace(drive.settings, approval=Policy(voids=True, first_run=True))
    void_unpaid(drive, "invoice_from_opportunity")
    deal = win(drive, "500.00")
    drive.run()  # what is in step has had its first run
    lose(drive, deal)
    assert VOIDED in steps._summary(asking(drive)).asks


def test_the_first_run_is_over_when_a_full_run_has_billed_something(drive: Rounds, start: Start) -> None:
    sync = drive.sync()
    assert not is_first_run(sync)
    store = SyncStore(drive.database, sync.store.org_id, "9990000777")
    assert is_first_run(replace(sync, store=store))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    store.watermarks.move("salesforce.Opportunity", lower=now, upper=now + timedelta(1), run_id="found nothing")
    assert is_first_run(replace(sync, store=store))
    with drive.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")
    assert is_first_run(sync)
    drive.settings = replace(drive.settings, approval=Policy(first_run=True))
    for facts in ({"limit": 100}, {}):
        deal = win(drive, "500.00")
        sync = asking(drive, **facts)
        assert FIRST_RUN in steps._summary(sync).asks
        say(sync)
        steps.approve(sync)
        drive.apply(sync)
        steps.commit(sync)
        assert len(invoices_of(drive.sandbox, deal)) == 1
    another = win(drive, "500.00")
    drive.run()
    assert len(invoices_of(drive.sandbox, another)) == 1


def test_a_replay_writes_nothing_that_has_to_be_approved(drive: Rounds) -> None:
    deal = win(drive, "500.00", AccountId=None)
    drive.run()
    price(drive, deal, "1000.00")
    drive.sandbox.org.update("Opportunity", deal, {"AccountId": start_account(drive)})
    said = refusal(lambda sync: replay(sync, None), drive.sync())
    assert "require approval" in said
    assert f"The next run of {TO_KASHOO} plans it again, and asks there." in said
    assert asking_plans(drive.database) == []
    sync = asking(drive)
    say(sync)
    steps.approve(sync)
    drive.apply(sync)
    assert len(invoices_of(drive.sandbox, deal)) == 1


def start_account(drive: Rounds) -> str:
    return next(row["Id"] for row in drive.sandbox.org.rows("Account"))

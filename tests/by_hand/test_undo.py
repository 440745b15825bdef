"""``airflow kashoo undo``: what a run billed is voided after an approval, and not billed again by itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from records import add_order, edit, invoice_of, invoices_of
from rounds import (
    Rounds,
    change,
    copy,
    in_doubt,
    knows,
    links,
    open_items,
    price,
    quiet,
    remove,
    replay_all,
    weeks,
    win,
)
from undoing import approved, billed, call, decide, left, printed, refused, undone
from voids import all_invoices, lose, rewin, sent, standing, told

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.approval import Above, Decision, Policy
from airflow_provider_kashoo.core.rules.intents import OUTCOME_UNKNOWN
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.approvals import asking_plans
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand import undo as module
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.by_hand.undo import CHANGED, undo
from airflow_provider_kashoo.sync.run.approval import ApprovalNeeded


def test_what_a_run_billed_is_voided_after_an_approval_and_never_billed_by_itself(drive: Rounds) -> None:
    run_id, deals = billed(drive, 2)
    asked = call(drive, run_id)
    assert asked.report is not None
    assert asked.report.asks == {"an invoice is voided": 2}
    assert sent(drive, "DELETE") == 0
    text = printed(asked, run_id)
    assert f"airflow kashoo approve {asked.report.digest[:12]}" in text
    assert f"Then: airflow kashoo undo --run '{run_id}'" in text
    assert decide(drive) == asked.report.digest
    done = call(drive, run_id)
    assert (done.outcome, done.left) == ({"voided": 2}, [])
    assert open_items(drive) == sorted((deal, "undone") for deal in deals)
    undone(drive, *deals)
    change(drive, deals[0], Name="Another name", Amount=Decimal("300.00"))
    undone(drive, *deals)
    assert told(drive, deals[0])[0] == "Void"


def test_who_replays_a_deal_has_it_billed_again_once(drive: Rounds) -> None:
    run_id, deals = billed(drive, 2)
    approved(drive, run_id)
    drive.run()
    drive.sandbox.clock.advance(60)
    replay(drive.sync(), [deals[0]])
    quiet(drive)
    assert standing(drive, deals[0]) == [f"[sf:{deals[0]}:1:2]"]
    replay_all(drive)
    quiet(drive)
    assert open_items(drive) == [(deals[1], "undone")]
    replay(drive.sync(), [deals[1]])
    quiet(drive)
    assert standing(drive, deals[1]) == [f"[sf:{deals[1]}:1:2]"]
    assert open_items(drive) == []


def test_what_a_person_wants_billed_again_is_billed_by_a_later_run_if_it_could_not_be_at_once(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    approved(drive, run_id)
    as_it_was, asks = drive.settings, Policy(invoice_above=Above(Decimal(1)))
    drive.settings = replace(as_it_was, approval=asks)
    drive.sandbox.clock.advance(60)
    with pytest.raises(ConfigurationError, match="plans it again, and asks there"):
        replay(drive.sync(), [deal])
    drive.settings = as_it_was
    quiet(drive)
    assert standing(drive, deal) == [f"[sf:{deal}:1:2]"]
    assert open_items(drive) == []


def test_a_deal_that_was_undone_and_is_lost_waits_for_nobody_and_won_again_it_waits(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    approved(drive, run_id)
    lose(drive, deal)
    drive.run()
    assert open_items(drive) == []
    rewin(drive, deal)
    undone(drive, deal)


def test_an_order_of_an_undone_deal_is_not_billed_instead(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    approved(drive, run_id)
    lose(drive, deal)  # now the Order bills the sale
    account = str(drive.sandbox.org.get("Opportunity", deal)["AccountId"])
    order = add_order(drive.sandbox, account, deal)
    weeks(drive, 1)
    assert (standing(drive, deal), standing(drive, order)) == ([], [])
    assert (order, "undone") in open_items(drive)


def test_a_deal_whose_order_was_undone_is_not_billed_instead(drive: Rounds) -> None:
    deal = win(drive, StageName="Prospecting")
    order = add_order(drive.sandbox, str(drive.sandbox.org.get("Opportunity", deal)["AccountId"]), deal)
    approved(drive, drive.run().sync.run.run_id)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    rewin(drive, deal)
    weeks(drive, 1)
    assert (standing(drive, deal), standing(drive, order)) == ([], [])
    assert (deal, "undone") in open_items(drive)


def test_an_invoice_that_a_person_makes_for_an_undone_deal_is_linked_and_ends_that(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    invoice = invoice_of(drive.sandbox, deal)
    approved(drive, run_id)
    own = copy(drive, {**invoice, "memo": f"[sf:{deal}:1:2]"})
    weeks(drive, 2)
    assert links(drive)[deal] == own["id"]
    assert standing(drive, deal) == [f"[sf:{deal}:1:2]"]
    call(drive, run_id)
    assert open_items(drive) == []
    assert drive.store.undone.records() == set()


def pay(drive: Rounds, deal: str) -> None:
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 10_000)


def edit_in_kashoo(drive: Rounds, deal: str) -> None:
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 24_000}])


def change_by_a_run(drive: Rounds, deal: str) -> None:
    price(drive, deal, "300.00")
    drive.run()


def remove_in_kashoo(drive: Rounds, deal: str) -> None:
    remove(drive, invoice_of(drive.sandbox, deal))


def lock_its_day(drive: Rounds, deal: str) -> None:
    knows(drive, locked_until=invoice_of(drive.sandbox, deal)["date"])


TOUCHED = {
    pay: "a payment was received",
    edit_in_kashoo: "lines changed in Kashoo",
    change_by_a_run: "a later run, or a person, changed it or its link",
    remove_in_kashoo: "it is not in Kashoo any more",
}


def test_invoices_that_somebody_touched_stay_and_are_named(drive: Rounds) -> None:
    run_id, (other, *deals) = billed(drive, 1 + len(TOUCHED))
    for touch, deal in zip(TOUCHED, deals, strict=True):
        touch(drive, deal)
    before = {deal: invoices_of(drive.sandbox, deal) for deal in deals}
    found = call(drive, run_id)
    assert left(found) == dict(zip(deals, TOUCHED.values(), strict=True))
    assert f"not undone: Opportunity {deals[0]}: a payment was received" in printed(found, run_id)
    decide(drive)
    done = call(drive, run_id)
    assert (done.outcome, left(done)) == ({"voided": 1}, left(found))
    assert {deal: invoices_of(drive.sandbox, deal) for deal in deals} == before
    assert standing(drive, other) == []


def test_what_is_touched_after_the_approval_stays_and_the_rest_is_voided(drive: Rounds) -> None:
    touches = pay, edit_in_kashoo, change_by_a_run
    run_id, (other, *deals) = billed(drive, 1 + len(touches))
    call(drive, run_id)
    decide(drive)
    for touch, deal in zip(touches, deals, strict=True):
        touch(drive, deal)
    done = call(drive, run_id)
    assert left(done) == dict.fromkeys(deals, CHANGED)
    weeks(drive, 1)
    assert [len(all_invoices(drive, deal)) for deal in deals] == [1, 1, 1]
    assert links(drive).keys() >= set(deals)
    assert left(call(drive, run_id)).keys() == {other, *deals}
    undone(drive, other)


def test_what_is_as_it_was_again_is_planned_and_approved_again(drive: Rounds) -> None:
    run_id, (deal, other) = billed(drive, 2)
    invoice = invoice_of(drive.sandbox, deal)
    call(drive, run_id)
    decide(drive)
    edit_in_kashoo(drive, deal)
    assert call(drive, run_id).outcome["voided"] == 1
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), lineItems=invoice["lineItems"])
    assert approved(drive, run_id).outcome == {"voided": 1}
    undone(drive, deal, other)


def test_a_plan_that_came_to_nothing_may_be_made_again(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    as_it_was = dict(invoice_of(drive.sandbox, deal))
    call(drive, run_id)
    decide(drive)
    edit_in_kashoo(drive, deal)
    assert left(call(drive, run_id)) == {deal: CHANGED}
    table.put(as_it_was)
    assert call(drive, run_id).outcome == {"voided": 1}  # the same plan in every value
    undone(drive, deal)


def test_an_invoice_that_may_not_be_written_yet_is_left_for_later(drive: Rounds) -> None:
    deal = win(drive)
    in_doubt(drive, deal)
    run_id = str(drive.store.journal.unsettled(State.IN_DOUBT)[0]["run_id"])
    assert left(call(drive, run_id)) == {deal: OUTCOME_UNKNOWN}
    drive.look_up()
    assert approved(drive, run_id).outcome == {"voided": 1}
    undone(drive, deal)


def test_a_period_that_is_locked_after_the_approval_is_another_plan(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    lock_its_day(drive, deal)
    assert left(call(drive, run_id))[deal].startswith("the books are locked")
    assert sent(drive, "DELETE") == 0


def test_nightly_runs_between_plan_and_approval_change_nothing(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    weeks(drive, 1)
    assert call(drive, run_id).outcome == {"voided": 1}
    undone(drive, deal)


def test_the_same_plan_made_again_is_the_approved_one(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    first = call(drive, run_id)
    drive.run()
    again = call(drive, run_id)
    assert first.report is not None
    assert again.report is not None
    assert first.report.digest == again.report.digest
    decide(drive)
    drive.sync(run_id=f"undo__{run_id}").files.remove("")  # maintenance removes files after some days
    assert call(drive, run_id).outcome == {"voided": 1}
    undone(drive, deal)


def test_nothing_is_written_by_hand_around_the_approval(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    own = module._run_of(drive.sync(), run_id)
    with pytest.raises(ApprovalNeeded):
        steps.approve(own)
    own.files.write_json("approved", {"digest": steps._summary(own).digest})
    with pytest.raises(ApprovalNeeded):
        steps.apply(own)
    assert len(standing(drive, deal)) == 1


def test_a_rejected_plan_voids_nothing_until_it_is_approved_after_all(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    short = decide(drive, Decision.REJECT)[:12]
    for _ in range(2):
        said = refused(drive, run_id)
        assert said.startswith(f"The plan {short} was rejected by ann at ")
        assert "wrong prices. Nothing is voided." in said
    weeks(drive, 1)
    assert len(standing(drive, deal)) == 1
    assert open_items(drive) == []
    (plan,) = asking_plans(drive.database)
    drive.store.approvals.decide(
        plan.sync, plan.run_id, plan.digest, Decision.APPROVE, by="ann", reason="", summary=plan.summary
    )
    call(drive, run_id)
    undone(drive, deal)


def test_undone_twice_there_is_nothing_left(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    approved(drive, run_id)
    again = call(drive, run_id)
    assert (again.report, again.outcome, left(again)) == (None, {}, {deal: "it is voided already"})
    assert "has no invoice that can be voided" in printed(again, run_id)
    assert asking_plans(drive.database) == []
    undone(drive, deal)
    replay(drive.sync(), [deal])
    assert left(call(drive, run_id)) == {deal: "it is voided already"}
    assert len(standing(drive, deal)) == 1


def test_what_cannot_be_undone_is_refused_with_what_to_do(drive: Rounds) -> None:
    run_id, _ = billed(drive)
    assert f"Did you mean {run_id}?" in refused(drive, f"{run_id}x")
    assert "The newest runs are: " in refused(drive, "§§§")
    back = drive.run_back().sync.run.run_id
    assert "wrote to Salesforce" in refused(drive, back)
    empty = drive.run().sync.run.run_id
    assert f"Run {empty} created no invoice" in refused(drive, empty)


def test_a_run_that_goes_on_is_refused_and_one_that_failed_is_not(drive: Rounds) -> None:
    win(drive)
    sync = drive.prepare()
    drive.apply(sync)
    run_id = sync.run.run_id
    with pytest.raises(ConfigurationError, match="still goes on"):
        undo(drive.sync(), run_id, lambda _, run: run == run_id)
    assert undo(drive.sync(), run_id).report is not None
    steps.commit(sync)
    assert undo(drive.sync(), run_id, lambda _, run: run == run_id).report is not None

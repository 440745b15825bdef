"""What may come between a plan, its void and the answer: money, lost answers, crashes, other workers."""

from __future__ import annotations

from typing import Any

import pytest
from records import invoice_of, writes
from rounds import LOOK_UP_AFTER, Rounds, at, bearing, crash, fault, operations, price, quiet, reviews, states_of, win
from turns import in_turns
from voids import ONE_INVOICE, all_invoices, billed_and_lost, causes, lose, rebilled, rewin, sent, voided

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.resolve import resolve

STILL_EXISTS = "the deal no longer meets `IsWon`, but its invoice still exists"
PAID_NOT_VOIDED = f"{STILL_EXISTS}; it was not voided: a payment was received"

# -- between plan and void, and while it is in doubt


def test_money_that_comes_in_between_plan_and_void_keeps_the_invoice(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    slow = drive.prepare()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    assert drive.finish(slow)["stale"] == 1
    assert sent(drive, "DELETE") == 0
    quiet(drive)
    assert causes(drive, deal) == [PAID_NOT_VOIDED]


def test_money_that_comes_in_between_the_last_look_and_the_removal_keeps_the_invoice(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    ident = invoice_of(drive.sandbox, deal)["id"]
    at(drive, f"received DELETE {ident}", lambda: drive.sandbox.books.pay(drive.sandbox.books.main(), ident, 25000))
    assert drive.run().outcome["review"] == 1
    drive.sandbox.faults["kashoo"].hook = None
    quiet(drive)
    assert causes(drive, deal) == [PAID_NOT_VOIDED]
    assert len(bearing(drive, deal)) == 1


FAULTS: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "error_before 500": {"status": 500},
    "error_after 503": {"status": 503},
    "error_before 404": {"status": 404},
    "error_after 404": {"status": 404},
    "unauthorized_before": {},
    "unauthorized_after": {},
    "html_before": {},
    "html_after": {},
    "cut_body": {},
    "too_many": {},
    "duplicate": {},
}


@pytest.mark.parametrize(("kind", "then"), in_turns(FAULTS, ["stays lost", "won again while in doubt"], 2))
def test_whatever_answer_a_void_gets(drive: Rounds, kind: str, then: str) -> None:
    deal = billed_and_lost(drive)
    fault(drive, kind.partition(" ")[0], ONE_INVOICE, "DELETE", **FAULTS[kind])
    drive.run()
    assert drive.sandbox.faults["kashoo"].fired.total() == 1
    gone, again = bearing(drive, deal) == [], then != "stays lost"
    doubtful = states_of(drive, deal)[-1] == "in_doubt"
    if again:
        rewin(drive, deal)
        drive.run()
        assert not doubtful or len(all_invoices(drive, deal)) == 1  # nothing new until it is settled
        rebilled(drive, deal, 2 if gone else 1)
    elif kind == "error_before 404":
        assert causes(drive, deal)[0].endswith("Kashoo does not have this record or path (404)")
        lose(drive, deal)
        drive.run()
        voided(drive, deal)
    else:
        voided(drive, deal)


def test_a_yes_that_removed_nothing_is_looked_up_and_tried_again(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = billed_and_lost(drive), drive.sandbox.books
    with monkeypatch.context() as patch:
        patch.setattr(books, "remove", lambda *_: None)
        drive.run()
    assert states_of(drive, deal)[-1] == "in_doubt"
    voided(drive, deal)


@pytest.mark.parametrize("again", [False, True], ids=["stays lost", "won again"])
@pytest.mark.parametrize("stage", ["received", "processed", "answered"])
def test_a_crash_around_the_void(drive: Rounds, stage: str, again: bool) -> None:
    deal = billed_and_lost(drive)
    ident = invoice_of(drive.sandbox, deal)["id"]
    crash(drive, f"{stage} DELETE {ident}", drive.run)
    assert states_of(drive, deal)[-1] == "sent"
    if again:
        rewin(drive, deal)
        drive.run()
        assert len(all_invoices(drive, deal)) == 1
        rebilled(drive, deal, 1 if stage == "received" else 2)
    else:
        drive.run()
        assert sent(drive, "DELETE") == 1
        voided(drive, deal)


def test_a_void_in_doubt_is_not_resolved_by_hand(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    fault(drive, "drop_after", ONE_INVOICE, "DELETE")
    drive.run()
    (operation,) = operations(drive, State.IN_DOUBT)
    with pytest.raises(ConfigurationError, match="is a void"):
        resolve(drive.sync(), operation["id"], None)
    voided(drive, deal)


def test_a_void_is_not_sent_twice_by_a_task_that_is_tried_again(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    sync = drive.prepare()
    drive.apply(sync)
    before = writes(drive.sandbox)
    assert drive.finish(sync)["done before"] == 1
    assert writes(drive.sandbox) == before
    drive.sandbox.clock.advance(LOOK_UP_AFTER)
    voided(drive, deal)


# -- two workers


def test_two_runs_that_both_saw_the_deal_leave_void_it_once(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    slow = drive.prepare()
    drive.run()
    assert drive.finish(slow) == {"stale": 2}  # its customer was read later, too
    assert sent(drive, "DELETE") == 1
    voided(drive, deal)


def test_a_void_that_waited_while_the_deal_was_voided_and_won_again_touches_nothing(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    slow = drive.prepare()
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.finish(slow)
    rebilled(drive, deal, 2)


def test_a_create_that_waited_while_its_invoice_was_made_and_voided_is_not_sent(drive: Rounds) -> None:
    deal = win(drive)
    slow = drive.prepare()
    drive.run()
    lose(drive, deal)
    drive.run()
    drive.finish(slow)
    assert sent(drive, "POST") == 1
    voided(drive, deal)


def test_an_update_that_waited_does_not_reach_the_next_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    slow = drive.prepare()
    price(drive, deal, "250.00")
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.finish(slow)
    rebilled(drive, deal, 2)
    assert bearing(drive, deal)[0]["totalDue"] == 25000


def test_another_run_meets_a_void_in_flight(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    ident = invoice_of(drive.sandbox, deal)["id"]
    others: list[dict[str, int]] = []

    def other_worker() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        rewin(drive, deal)
        others.append(drive.run().outcome)

    at(drive, f"received DELETE {ident}", other_worker)
    drive.run()
    assert "created" not in others[0]
    assert "updated" not in others[0]
    rebilled(drive, deal, 2)


def test_a_void_that_arrives_after_it_was_settled_without_it_is_named(drive: Rounds) -> None:
    """A process that paused after its check: it can be detected, not prevented."""
    deal = billed_and_lost(drive)
    ident = invoice_of(drive.sandbox, deal)["id"]

    def much_later() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        rewin(drive, deal)
        drive.look_up()

    at(drive, f"received DELETE {ident}", much_later)
    drive.run()
    drive.run_back()
    assert bearing(drive, deal) == []
    assert (deal, "removed_in_books") in reviews(drive)

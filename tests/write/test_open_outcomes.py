"""What is read of a record while the outcome of its write is not known is neither written nor forgotten."""

from __future__ import annotations

import pytest
from records import add_deal, edit, invoice_of, twins
from rounds import (
    CUSTOMERS,
    Rounds,
    at,
    bearing,
    change,
    fault,
    in_doubt,
    lock,
    moved_on,
    open_items,
    operations,
    replay_all,
    states_of,
    weeks,
    win,
)
from voids import lose

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.resolve import resolve


def test_a_create_that_is_refused_while_another_run_plans(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(900)
    older, newer = drive.prepare(), []
    lock(drive, "2030-01-01")
    at(drive, "received POST records/invoices", lambda: newer.append(drive.prepare()))
    drive.finish(older)
    drive.sandbox.faults["kashoo"].hook = None
    assert states_of(drive, deal) == ["parked"]
    drive.finish(newer[0])
    lock(drive, None)
    moved_on(drive)
    assert bearing(drive, deal) or open_items(drive)


def test_absent_by_hand_while_a_plan_waits(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(900)
    fault(drive, "drop_before")
    drive.run()
    drive.sandbox.clock.advance(300)
    slow = drive.prepare()
    resolve(drive.sync(), operations(drive, State.IN_DOUBT)[0]["id"], None)
    drive.finish(slow)
    moved_on(drive)
    assert bearing(drive, deal) or open_items(drive)


@pytest.mark.parametrize("by", ["hand", "replay", "limit", "answer"])
def test_a_change_that_was_left_out_while_an_older_write_was_open(drive: Rounds, by: str) -> None:
    twins(drive.sandbox)  # something to replay
    deal = win(drive)
    drive.run()
    drive.run_back()
    moved_on(drive)
    made = invoice_of(drive.sandbox, deal)["id"]
    change(drive, deal, Name="Second name")
    slow = drive.prepare()  # waits for its budget or approval
    change(drive, deal, Name="Third name")
    drive.sandbox.clock.advance(1800)
    if by == "answer":
        at(drive, f"received PUT {made}", drive.run)
        drive.finish(slow)
        drive.sandbox.faults["kashoo"].hook = None
    else:
        fault(drive, "drop_after", rf"records/invoices/{made}$", "PUT")
        drive.finish(slow)
        drive.run()  # leaves it out: its outcome is not known
        (operation,) = operations(drive, State.IN_DOUBT)
        drive.sandbox.clock.advance(700)
        if by == "hand":
            resolve(drive.sync(), operation["id"], made)
        elif by == "replay":
            replay_all(drive)
        else:
            add_deal(drive.sandbox, drive.sandbox.org.get("Opportunity", deal)["AccountId"], "9000.00")
            drive.run(limit=1)
    for _ in range(2):
        moved_on(drive)
        drive.run_back()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Third name") or deal in dict(open_items(drive))


def test_a_parked_deal_that_cannot_be_read_for_a_while(drive: Rounds) -> None:
    deal = twins(drive.sandbox)
    drive.run()
    weeks(drive, 6)
    assert deal in dict(open_items(drive))
    hidden = drive.sandbox.org.table("Opportunity").rows.pop(deal)
    drive.run()
    drive.sandbox.org.table("Opportunity").rows[deal] = hidden
    weeks(drive, 3)
    assert deal in dict(open_items(drive)) or bearing(drive, deal)


def test_what_was_parked_and_is_in_doubt_now_is_named_once(drive: Rounds) -> None:
    deal = win(drive)
    fault(drive, "error_after", CUSTOMERS)
    drive.run()
    assert states_of(drive, deal) == ["parked"]  # its customer is in doubt
    fault(drive, "drop_before")
    drive.look_up()
    assert states_of(drive, deal) == ["parked", "in_doubt"]
    drive.run()
    assert states_of(drive, deal) == ["closed", "in_doubt"]
    drive.look_up()
    assert len(bearing(drive, deal)) == 1
    assert open_items(drive) == []


@pytest.mark.parametrize("how", ["lost", "deleted"])
def test_a_deal_that_is_read_as_lost_while_its_create_is_in_doubt_is_read_again(drive: Rounds, how: str) -> None:
    deal = win(drive)
    in_doubt(drive, deal)
    cleared = edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), memo="")
    (operation,) = operations(drive, State.IN_DOUBT)
    if how == "lost":
        lose(drive, deal)
    else:
        drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    moved_on(drive)
    resolve(drive.sync(), operation["id"], cleared["id"])
    moved_on(drive)
    assert (deal, "no_longer_billable") in open_items(drive)

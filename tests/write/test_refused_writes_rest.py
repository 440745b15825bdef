"""A write that Kashoo refuses is tried on four days, then once a week, or when something about it changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from records import add_account, add_deal, invoice_of, invoices_of, writes
from rounds import Rounds, change, fault, lock, operations, remap, replay_all, states_of, win

from airflow_provider_kashoo.core.rules.operations import State


def nights(drive: Rounds, count: int) -> list[int]:
    """Let nights pass, with a run in each; give how much each of them wrote to Kashoo."""
    written = []
    for _ in range(count):
        drive.sandbox.clock.advance(86_400)
        before = writes(drive.sandbox)["kashoo"]
        drive.run()
        written.append(writes(drive.sandbox)["kashoo"] - before)
    return written


def reads(drive: Rounds, deal: str) -> int:
    path = f"/records/invoices/{invoice_of(drive.sandbox, deal)['id']}"
    return sum(seen["path"].endswith(path) for seen in drive.sandbox.logs["kashoo"].entries())


def refused_create(drive: Rounds) -> str:
    """A deal in a locked period, refused in the first run; its customer is made."""
    lock(drive, "2026-02-28")
    deal = win(drive, CloseDate="2026-02-10")
    drive.run()
    assert states_of(drive, deal) == ["parked"]
    return deal


def refused_update(drive: Rounds) -> str:
    """A billed deal whose period was locked before it changed."""
    deal = win(drive, CloseDate="2026-02-10")
    drive.run()
    lock(drive, "2026-02-28")
    change(drive, deal, Name="Other words")
    drive.run()
    assert states_of(drive, deal)[-1] == "parked"
    return deal


@pytest.mark.parametrize("begin", [refused_create, refused_update])
def test_it_is_tried_on_four_days_then_once_a_week(drive: Rounds, begin: Callable[[Rounds], str]) -> None:
    begin(drive)
    assert nights(drive, 12) == [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]


def test_many_runs_of_one_day_count_as_one(drive: Rounds) -> None:
    deal = refused_create(drive)
    for _ in range(6):
        drive.run()
    lock(drive, None)
    drive.run()
    assert len(invoices_of(drive.sandbox, deal)) == 1


def test_while_it_rests_it_costs_no_request(drive: Rounds) -> None:
    deal = refused_update(drive)
    nights(drive, 3)
    before = reads(drive, deal)
    nights(drive, 3)
    assert reads(drive, deal) == before
    assert states_of(drive, deal)[-1] == "parked"


@pytest.mark.parametrize("begin", [refused_create, refused_update])
def test_it_is_tried_at_once_when_its_deal_changed(drive: Rounds, begin: Callable[[Rounds], str]) -> None:
    deal = begin(drive)
    nights(drive, 4)
    lock(drive, None)
    assert nights(drive, 1) == [0]
    change(drive, deal, Name="Yet other words")
    assert nights(drive, 1) == [1]
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Yet other words")


def test_it_is_tried_at_once_when_something_else_of_the_deal_changed_too(drive: Rounds) -> None:
    deal = refused_update(drive)
    nights(drive, 4)
    lock(drive, None)
    change(drive, deal, CloseDate="2026-03-03")
    assert nights(drive, 1) == [1]
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Other words")


def test_it_is_tried_at_once_when_its_mapping_changed(drive: Rounds) -> None:
    deal = refused_create(drive)
    nights(drive, 4)
    lock(drive, None)
    remap(drive, "invoice_from_opportunity", "memo: {from: Name}", 'memo: {text: "Deal {Name}"}')
    drive.run()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Deal Deal")


def test_it_is_tried_at_once_when_a_person_replays_it(drive: Rounds) -> None:
    deal = refused_create(drive)
    nights(drive, 4)
    lock(drive, None)
    replay_all(drive)
    assert len(invoices_of(drive.sandbox, deal)) == 1


def test_what_another_deal_needs_meanwhile_is_written(drive: Rounds) -> None:
    refused_create(drive)
    nights(drive, 4)
    other = add_deal(drive.sandbox, add_account(drive.sandbox, "Other", "o@other.example"))
    drive.run()
    assert len(invoices_of(drive.sandbox, other)) == 1


def test_what_kashoo_said_is_kept_no_longer_than_it_helps(drive: Rounds) -> None:
    deal = refused_create(drive)
    assert [row["cause"] is not None for row in operations(drive) if row["source_id"] == deal] == [True]
    lock(drive, None)
    drive.run()
    assert [row["cause"] for row in operations(drive, *State) if row["source_id"] == deal] == [None, None]


def test_a_customer_whose_change_rests_is_billed_all_the_same(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    fault(drive, "error_before", r"contacts/customers/\d+$", "PUT", status=400, times=None)
    drive.sandbox.org.update("Account", account, {"Phone": "555-0199"})
    nights(drive, 5)
    deal = add_deal(drive.sandbox, account)
    nights(drive, 1)
    assert len(invoices_of(drive.sandbox, deal)) == 1

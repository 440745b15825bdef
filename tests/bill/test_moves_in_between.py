"""A link moves while something else is under way: its own write, another move, a void, a wait for the budget."""

from __future__ import annotations

from typing import Any

import pytest
from driver import SOURCES
from records import add_account, add_deal, add_order, invoice_of, sell_as
from rounds import (
    Rounds,
    at,
    bearing,
    change,
    fault,
    links,
    moved_on,
    open_items,
    operations,
    price,
    remove,
    replay_all,
    weeks,
    win,
)
from voids import lose, void_unpaid

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.resolve import resolve
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync


def prospect(drive: Rounds, account: str) -> str:
    return add_deal(drive.sandbox, account, StageName="Prospecting")


def extracted(drive: Rounds) -> Sync:
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)
    return sync


def customer_and_account(drive: Rounds) -> tuple[str, str]:
    """Add two Accounts, the first of which has a customer."""
    first = add_account(drive.sandbox, "Loser", "loser@customer.example")
    second = add_account(drive.sandbox, "Survivor", "survivor@customer.example")
    add_deal(drive.sandbox, first)
    drive.run()
    moved_on(drive)
    return first, second


def during(drive: Rounds, request: str, older: Sync, newer: Sync) -> None:
    """Apply the older plan, and the newer one in the middle of its request."""
    at(drive, f"received {request}", lambda: drive.finish(newer))
    drive.finish(older)
    drive.sandbox.faults["kashoo"].hook = None
    drive.look_up()
    moved_on(drive)


# -- while its own write is in flight


def test_an_order_gets_a_deal_while_its_update_is_in_flight(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order, deal = add_order(drive.sandbox, account, None), prospect(drive, account)
    drive.run()
    moved_on(drive)
    drive.sandbox.org.update("Order", order, {"PoNumber": "PO-7"})
    older = drive.prepare()
    sell_as(drive.sandbox, order, deal)
    during(drive, f"PUT {invoice_of(drive.sandbox, order)['id']}", older, drive.prepare())
    assert open_items(drive) == []
    assert bearing(drive, order)[0]["poNumber"] == "PO-7"


def test_an_order_gets_a_deal_while_its_void_is_in_flight(drive: Rounds) -> None:
    void_unpaid(drive)
    account = add_account(drive.sandbox)
    order, deal = add_order(drive.sandbox, account, None), prospect(drive, account)
    drive.run()
    moved_on(drive)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    older = drive.prepare()
    drive.sandbox.org.update("Order", order, {"Status": "Activated"})
    sell_as(drive.sandbox, order, deal)
    during(drive, f"DELETE {invoice_of(drive.sandbox, order)['id']}", older, drive.prepare())
    drive.run_back()
    weeks(drive, 2)
    assert len(bearing(drive, order)) == 1
    assert open_items(drive) == []


def test_an_account_is_merged_while_its_update_is_in_flight(drive: Rounds) -> None:
    box = drive.sandbox
    loser, survivor = customer_and_account(drive)
    box.org.update("Account", loser, {"Name": "Loser renamed"})
    older = drive.prepare()
    box.org.merge("Account", survivor, [loser])
    box.clock.advance(1800)
    (customer,) = bearing(drive, loser, "customers")
    during(drive, f"PUT {customer['id']}", older, drive.prepare())
    (customer,) = bearing(drive, loser, "customers")
    assert customer["contactInformation"]["name"] == "Survivor"
    assert loser not in links(drive, "customer")


def test_a_merge_is_not_forgotten_with_the_write_it_waits_for(drive: Rounds) -> None:
    box = drive.sandbox
    loser, survivor = customer_and_account(drive)
    (customer,) = bearing(drive, loser, "customers")
    box.org.update("Account", loser, {"Name": "Loser renamed"})
    writer = drive.prepare()
    box.org.merge("Account", survivor, [loser])
    box.clock.advance(1800)
    fault(drive, "drop_after", rf"customers/{customer['id']}$", "PUT")
    drive.finish(writer)
    drive.run()
    box.clock.advance(1800)
    resolve(drive.sync(), operations(drive, State.IN_DOUBT)[0]["id"], customer["id"])
    for _ in range(2):
        moved_on(drive)
    add_deal(box, survivor, "700.00")
    drive.run()
    found = links(drive, "customer")
    assert found[survivor] == customer["id"]
    assert loser not in found
    assert open_items(drive) == []


# -- while it is not known what was written


@pytest.mark.parametrize("what", ["create", "update"])
def test_a_deal_is_not_billed_while_its_order_is_in_doubt(drive: Rounds, what: str) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    if what == "update":
        drive.run()
        moved_on(drive)
        drive.sandbox.org.update("Order", order, {"PoNumber": "PO-7"})
        fault(drive, "drop_after", r"records/invoices/\d+$", "PUT")
    else:
        fault(drive, "drop_after")
    drive.run()
    deal = add_deal(drive.sandbox, account)
    sell_as(drive.sandbox, order, deal)
    drive.run()
    drive.look_up()
    moved_on(drive)
    assert len(bearing(drive, order)) + len(bearing(drive, deal)) == 1
    assert open_items(drive) == []


def test_a_deal_is_not_replayed_while_its_order_is_in_doubt(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    fault(drive, "drop_after")
    drive.run()
    deal = add_deal(drive.sandbox, account)
    table = drive.sandbox.org.table("Opportunity")
    day = table.rows[deal]["CloseDate"]
    drive.sandbox.org._save(table, table.rows[deal] | {"CloseDate": None}, table.rows[deal])
    sell_as(drive.sandbox, order, deal)
    drive.run()
    drive.sandbox.org.update("Opportunity", deal, {"CloseDate": day})
    replay_all(drive)
    drive.look_up()
    for _ in range(2):
        moved_on(drive)
    assert len(bearing(drive, order)) + len(bearing(drive, deal)) == 1


def test_an_older_run_does_not_forget_that_a_newer_one_read_the_record(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    moved_on(drive)
    made = invoice_of(drive.sandbox, deal)["id"]
    change(drive, deal, Name="Second name")
    slow = extracted(drive)
    change(drive, deal, Name="Third name")
    writer = drive.prepare()
    change(drive, deal, Name="Fourth name")
    drive.sandbox.clock.advance(1800)
    fault(drive, "drop_after", rf"records/invoices/{made}$", "PUT")
    drive.finish(writer)
    steps.plan(slow)
    steps.approve(slow)
    drive.run()
    drive.finish(slow)
    (operation,) = operations(drive, State.IN_DOUBT)
    drive.sandbox.clock.advance(700)
    resolve(drive.sync(), operation["id"], made)
    for _ in range(2):
        moved_on(drive)
        drive.run_back()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Fourth name")


# -- while others move, leave or are left out


def test_a_removed_invoice_of_an_order_that_is_left_out_keeps_no_deal_waiting(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    moved_on(drive)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    drive.run()
    remove(drive, invoice_of(drive.sandbox, order))
    drive.run_back()
    deal = add_deal(drive.sandbox, account)
    sell_as(drive.sandbox, order, deal)
    drive.run()
    weeks(drive, 6)
    assert len(bearing(drive, deal)) == 1
    assert dict(open_items(drive)).keys() <= {order}


def test_a_standing_invoice_of_an_order_that_is_left_out_bills_the_deal_it_joins(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    moved_on(drive)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    deal = add_deal(drive.sandbox, account)
    sell_as(drive.sandbox, order, deal)
    drive.run()
    weeks(drive, 2)
    assert len(bearing(drive, order)) == 1
    assert bearing(drive, deal) == []
    assert open_items(drive) == [(order, "no_longer_billable")]


@pytest.mark.parametrize("which", ["order's", "deal's"])
def test_a_deal_that_its_order_leaves_for_a_billed_one_is_billed_by_itself(drive: Rounds, which: str) -> None:
    account = add_account(drive.sandbox)
    one = prospect(drive, account)
    order = add_order(drive.sandbox, account, one)
    drive.run()
    change(drive, one, StageName="Closed Won")
    two = add_deal(drive.sandbox, account, "300.00")
    drive.run()
    drive.run_back()
    moved_on(drive)
    sell_as(drive.sandbox, order, two)
    drive.run()
    assert (order, "sale_billed_twice") in open_items(drive)
    remove(drive, invoice_of(drive.sandbox, order if which == "order's" else two))
    weeks(drive, 8)
    assert len(bearing(drive, one)) == 1


@pytest.mark.parametrize("moves", ["chain", "swap"])
def test_orders_that_change_places_keep_their_invoices(drive: Rounds, moves: str) -> None:
    account = add_account(drive.sandbox)
    one, two = prospect(drive, account), prospect(drive, account)
    orders = [add_order(drive.sandbox, account, sale) for sale in (one, two, None)]
    drive.run()
    moved_on(drive)
    made = links(drive)
    for order, sale in zip(orders, (two, None, one) if moves == "chain" else (two, one, None), strict=True):
        sell_as(drive.sandbox, order, sale)
    for _ in range(3):
        moved_on(drive)
    assert open_items(drive) == []
    assert links(drive) == made


def test_two_invoices_of_a_sale_are_no_question_when_one_is_voided_in_the_same_run(drive: Rounds) -> None:
    void_unpaid(drive)
    account = add_account(drive.sandbox)
    deal, order = add_deal(drive.sandbox, account), add_order(drive.sandbox, account, None)
    drive.run()
    moved_on(drive)
    lose(drive, deal)
    sell_as(drive.sandbox, order, deal)
    drive.run()
    for _ in range(2):
        moved_on(drive)
    assert bearing(drive, deal) == []
    assert len(bearing(drive, order)) == 1
    assert open_items(drive) == []


# -- while a plan waits for its budget


@pytest.mark.parametrize("what", ["price", "lost"])
def test_what_was_read_before_a_wait_is_not_held_against_what_another_run_wrote_since(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    void_unpaid(drive)
    deal, others = win(drive, "100.00"), [win(drive, "500.00") for _ in range(3)]
    drive.run()
    drive.run_back()
    moved_on(drive)
    price(drive, deal, "200.00")
    older = drive.prepare()
    for each in others:
        price(drive, each, "600.00")
    if what == "price":
        price(drive, deal, "300.00")
    else:
        lose(drive, deal)
    drive.sandbox.clock.advance(1800)
    sync = extracted(drive)
    made, read = invoice_of(drive.sandbox, deal)["id"], type(sync.kashoo).read
    seen: list[int] = []

    def starved(client: Any, target: str, ident: int) -> Any:
        if seen:
            raise BudgetSpent(drive.sandbox.clock.time() + 3600)
        seen.extend([ident] if ident == made else [])
        return read(client, target, ident)

    monkeypatch.setattr(type(sync.kashoo), "read", starved)
    with pytest.raises(BudgetSpent):
        steps.plan(sync)
    monkeypatch.undo()
    drive.finish(older)
    drive.sandbox.clock.advance(3600)
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)
    for _ in range(3):
        moved_on(drive)
    assert open_items(drive) == []

"""Records change their sale while something else happens to it: one invoice each, or a person is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, add_order, invoice_of, sell_as, today
from rounds import (
    Rounds,
    at,
    backup_of,
    bearing,
    change,
    fault,
    links,
    lock,
    moved_on,
    open_items,
    remove,
    replay_all,
    weeks,
    win,
)
from voids import lose, void_unpaid


def another_store(drive: Rounds, folders: Any, kind: str) -> Rounds:
    """Give a store on the same business: a new one, or this one as it is now, to be restored later."""
    folder = folders.mktemp("other")
    other = backup_of(drive, folder) if kind == "restored" else Rounds(drive.sandbox, folder)
    other.runs = 500
    return other


def test_an_order_that_gets_a_deal_whose_invoice_was_voided(drive: Rounds) -> None:
    void_unpaid(drive)
    account = add_account(drive.sandbox)
    deal, order = add_deal(drive.sandbox, account), add_order(drive.sandbox, account, None)
    drive.run()
    lose(drive, deal)
    drive.run()
    sell_as(drive.sandbox, order, deal)
    drive.run()
    drive.sandbox.org.update("Order", order, {"PoNumber": "PO-7"})
    drive.run()  # IntegrityError after the PUT; and every later run dies in settle()
    assert bearing(drive, order)[0]["poNumber"] == "PO-7"


def test_two_orders_that_take_turns_with_a_deal(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    first, second = add_order(drive.sandbox, account, None), add_order(drive.sandbox, account, None, "300.00")
    deal = add_deal(drive.sandbox, account, StageName="Prospecting")
    drive.run()
    for order, sale in ((first, deal), (first, None), (second, deal)):
        sell_as(drive.sandbox, order, sale)
        drive.run()
    drive.sandbox.org.update("Order", second, {"PoNumber": "PO-7"})
    for _ in range(3):
        drive.run()
    assert open_items(drive) == []  # "changed_meanwhile", for ever
    assert bearing(drive, second)[0].get("poNumber") == "PO-7"


@pytest.mark.parametrize("when", ["in doubt", "in flight"])
def test_an_order_gets_a_deal_whose_invoice_is_being_made(drive: Rounds, when: str) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    (own,) = bearing(drive, order)
    deal = add_deal(drive.sandbox, account, "300.00")
    if when == "in doubt":
        fault(drive, "drop_after")
        drive.run()
        sell_as(drive.sandbox, order, deal)
        drive.run()
    else:
        older = drive.prepare()
        sell_as(drive.sandbox, order, deal)
        newer = drive.prepare()
        at(drive, "received POST records/invoices", lambda: drive.finish(newer))
        drive.finish(older)
        drive.sandbox.faults["kashoo"].hook = None
    drive.look_up()
    moved_on(drive)
    drive.run_back()
    assert links(drive)[order] == own["id"]  # it is linked to the invoice of the deal
    assert bearing(drive, deal)[0]["totalDue"] == 30000  # which the order's content was written over
    assert (order, "sale_billed_twice") in open_items(drive)


@pytest.mark.parametrize("store", ["new", "restored"])
def test_a_second_order_is_not_billed_by_another_store(drive: Rounds, tmp_path_factory: Any, store: str) -> None:
    box, other = drive.sandbox, another_store(drive, tmp_path_factory, store)
    account = add_account(box)
    deal = add_deal(box, account, StageName="Prospecting")
    draft = {"AccountId": account, "OpportunityId": deal, "Status": "Draft", "EffectiveDate": today(box)}
    first = box.org.insert("Order", draft)
    add_line(box, first, "300.00")
    second = add_order(box, account, deal)
    drive.run()
    box.org.update("Order", first, {"Status": "Activated"})
    drive.run()
    assert open_items(drive) == [(first, "second_of_sale")]
    box.clock.advance(3600)
    other.run()
    moved_on(other)
    assert bearing(other, first) == []
    assert second in links(other)


@pytest.mark.parametrize("store", ["new", "restored"])
def test_two_invoices_of_one_sale_are_named_by_another_store(drive: Rounds, tmp_path_factory: Any, store: str) -> None:
    box, other = drive.sandbox, another_store(drive, tmp_path_factory, store)
    account = add_account(box)
    order, deal = add_order(box, account, None), add_deal(box, account, "300.00")
    drive.run()
    sell_as(drive.sandbox, order, deal)
    drive.run()
    assert open_items(drive) == [(order, "sale_billed_twice")]
    box.clock.advance(3600)
    win(other, "280.00")
    other.run()
    moved_on(other)
    other.run_back()
    assert order in links(other) or order in dict(open_items(other))


def test_a_deal_whose_order_went_elsewhere_after_a_month(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, StageName="Prospecting")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    change(drive, deal, StageName="Closed Won")
    drive.run()
    drive.sandbox.clock.advance(36 * 86400)
    drive.run()
    sell_as(drive.sandbox, order, None)
    weeks(drive, 3)
    assert bearing(drive, deal) or deal in dict(open_items(drive))


@pytest.mark.parametrize("why", ["unfit", "replay"])
def test_a_deal_gets_an_order_that_is_billed_and_not_in_hand(drive: Rounds, why: str) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    moved_on(drive)
    lock(drive, "2030-01-01" if why == "replay" else None)
    deal = add_deal(drive.sandbox, account)
    if why == "replay":
        drive.run()  # refused: parked
        lock(drive, None)
    sell_as(drive.sandbox, order, deal)
    if why == "unfit":
        table = drive.sandbox.org.table("Order")
        table_row = table.rows[order]
        drive.sandbox.org._save(table, table_row | {"TotalAmount": Decimal("260.00")}, table_row)
    else:
        replay_all(drive)
    drive.run()
    moved_on(drive)
    assert len(bearing(drive, order)) + len(bearing(drive, deal)) == 1


def test_voiding_one_of_two_invoices_of_a_sale_closes_its_item(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order, deal = add_order(drive.sandbox, account, None), add_deal(drive.sandbox, account, "300.00")
    drive.run()
    sell_as(drive.sandbox, order, deal)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))  # "Void one of the two invoices in Kashoo."
    weeks(drive, 2)
    drive.sandbox.org.update("Order", order, {"PoNumber": "PO-7"})
    drive.run()
    assert bearing(drive, order)[0].get("poNumber") == "PO-7"
    assert (order, "sale_billed_twice") not in open_items(drive)


def test_two_invoices_of_a_sale_whose_own_was_removed_are_put_to_a_person(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    orders = [add_order(drive.sandbox, account, None, price) for price in ("300.00", "400.00")]
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))
    drive.run_back()
    for order in orders:
        sell_as(drive.sandbox, order, deal)
    drive.run()
    weeks(drive, 2)
    twice = [ident for ident, why in open_items(drive) if why == "sale_billed_twice"]
    assert twice == orders[1:]
    assert (deal, "removed_in_books") in open_items(drive)

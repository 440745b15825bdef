"""Records that change their sale, or share one: each sale is billed once, and what is not billed is named."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, add_order, edit, invoices_of
from rounds import (
    Rounds,
    bearing,
    billed_once,
    change,
    links,
    moved_by,
    moved_on,
    open_items,
    quiet,
    remap,
    remove,
    win,
)

from airflow_provider_kashoo.sync.bill import made


@pytest.fixture
def account(drive: Rounds) -> str:
    return add_account(drive.sandbox)


@pytest.fixture
def order(drive: Rounds, account: str) -> str:
    """An Order that was billed by itself, some time ago."""
    order = add_order(drive.sandbox, account, None)
    drive.run()
    drive.run_back()
    moved_on(drive)
    return order


def sell_as(drive: Rounds, order: str, deal: str | None) -> None:
    drive.sandbox.org.update("Order", order, {"OpportunityId": deal})
    drive.sandbox.clock.advance(600)


def test_an_order_that_gets_a_deal_keeps_its_invoice(drive: Rounds, account: str, order: str) -> None:
    sell_as(drive, order, add_deal(drive.sandbox, account, StageName="Prospecting"))
    other = win(drive)
    drive.run()
    assert len(bearing(drive, order)) == 1
    billed_once(drive, other)  # and stops nobody else


def test_an_order_whose_invoice_was_moved_far_keeps_it_when_it_gets_a_deal(
    drive: Rounds, account: str, order: str
) -> None:
    (made,) = bearing(drive, order)
    edit(drive.sandbox, "invoices", made, date=moved_by(drive, -60))
    sell_as(drive, order, add_deal(drive.sandbox, account, StageName="Prospecting"))
    drive.run()
    quiet(drive)
    assert [row["id"] for row in bearing(drive, order)] == [made["id"]]


@pytest.mark.parametrize("won", ["before", "with it", "later"])
def test_a_deal_is_not_billed_when_it_gets_an_order_that_is(drive: Rounds, account: str, order: str, won: str) -> None:
    deal = add_deal(drive.sandbox, account, StageName="Closed Won" if won == "with it" else "Prospecting")
    sell_as(drive, order, deal)
    if won == "before":
        change(drive, deal, StageName="Closed Won")
    drive.run()
    if won == "later":
        moved_on(drive)
        change(drive, deal, StageName="Closed Won")
    drive.run()
    quiet(drive, writes_nothing=False)
    assert (len(bearing(drive, order)), bearing(drive, deal)) == (1, [])
    assert open_items(drive) == []


def test_a_plan_from_before_an_order_got_a_deal_bills_it_no_second_time(drive: Rounds, account: str) -> None:
    order = add_order(drive.sandbox, account, None)
    older = drive.prepare()
    drive.run()
    sell_as(drive, order, add_deal(drive.sandbox, account, StageName="Prospecting"))
    drive.run()
    drive.finish(older)
    quiet(drive)
    assert len(bearing(drive, order)) == 1


def test_a_deal_whose_order_went_elsewhere_is_billed_by_itself(drive: Rounds, account: str, order: str) -> None:
    deal = add_deal(drive.sandbox, account)
    sell_as(drive, order, deal)
    drive.run()
    assert bearing(drive, deal) == []
    sell_as(drive, order, None)
    change(drive, deal, Description="sold after all")
    drive.run()
    billed_once(drive, deal)
    assert len(bearing(drive, order)) == 1


def test_two_invoices_of_what_became_one_sale_are_put_to_a_person(drive: Rounds, account: str, order: str) -> None:
    deal = add_deal(drive.sandbox, account)
    drive.run()
    sell_as(drive, order, deal)
    drive.run()
    quiet(drive)
    assert (len(bearing(drive, order)), len(bearing(drive, deal))) == (1, 1)
    assert open_items(drive) == [(order, "sale_billed_twice")]
    sell_as(drive, order, None)
    quiet(drive)
    assert open_items(drive) == []


@pytest.mark.parametrize("together", [True, False])
def test_a_second_order_of_one_deal_is_put_to_a_person(drive: Rounds, account: str, together: bool) -> None:
    deal = add_deal(drive.sandbox, account, StageName="Prospecting")
    orders = [add_order(drive.sandbox, account, deal)]
    if not together:
        drive.run()
    orders.append(add_order(drive.sandbox, account, deal, "300.00"))
    drive.run()
    quiet(drive)
    (billed,) = [each for each in orders if bearing(drive, each)]
    (other,) = {*orders} - {billed}
    assert open_items(drive) == [(other, "second_of_sale")]
    remove(drive, bearing(drive, billed)[0])
    sell_as(drive, other, None)
    drive.run()
    assert len(bearing(drive, other)) == 1
    assert (other, "second_of_sale") not in open_items(drive)
    assert links(drive)[other] == bearing(drive, other)[0]["id"]


def test_an_order_outside_of_a_test_batch_that_joined_a_deal_in_it_is_not_billed_again(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "MORE", 0)
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    deal = add_deal(drive.sandbox, account)
    sell_as(drive, order, deal)
    drive.run(limit=1)
    assert invoices_of(drive.sandbox, deal) == []
    drive.run()
    assert (len(invoices_of(drive.sandbox, order)), invoices_of(drive.sandbox, deal)) == (1, [])


@pytest.mark.parametrize("on_leave", ["review", "void_unpaid"])
def test_a_deal_is_not_billed_beside_the_invoice_of_an_order_that_joined_it_and_left(
    drive: Rounds, on_leave: str
) -> None:
    remap(drive, "invoice_from_order", "fields:\n", f"on_leave: {on_leave}\nfields:\n")
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    deal = add_deal(drive.sandbox, account)
    sell_as(drive, order, deal)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    assert "create" not in drive.run().summary["actions"]["invoice"]
    assert invoices_of(drive.sandbox, deal) == []


def test_an_order_that_is_left_out_waits_for_nobody_while_its_deal_is_voided(drive: Rounds, account: str) -> None:
    remap(drive, "invoice_from_opportunity", "fields:\n", "on_leave: void_unpaid\nfields:\n")
    deal = add_deal(drive.sandbox, account)
    drive.run()
    order = add_order(drive.sandbox, account, deal)
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    change(drive, deal, StageName="Closed Lost")
    assert "park" not in drive.run().summary["actions"]["invoice"]
    assert open_items(drive) == []


def test_a_batch_counts_over_all_mappings(drive: Rounds, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "MORE", 0)
    for number in range(2):
        add_deal(drive.sandbox, account, Name=f"Deal {number}")
        add_order(drive.sandbox, account, None)
    assert drive.run(limit=3).summary["actions"]["invoice"] == {"create": 3, "skip": 1}

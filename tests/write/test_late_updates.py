"""An update that was taken for lost comes through after a newer one: the newer value stands in the end, or is named."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest
from answers import says
from records import add_account, add_deal, add_order, edit, invoice_of, sell_as, writes
from rounds import (
    LOOK_UP_AFTER,
    Rounds,
    at,
    billed_once,
    change,
    fault,
    links,
    moved_on,
    open_items,
    price,
    quiet,
    reviews,
    states_of,
    weeks,
    win,
)

RAISED = "late_update"
ONE_INVOICE = r"records/invoices/\d+$"


@pytest.fixture
def deal(drive: Rounds) -> str:
    """A billed deal whose new price of 300 is about to be sent."""
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    return deal


def held_back(drive: Rounds, deal: str, meanwhile: Callable[[], object]) -> None:
    """Let the network hold an update back while something happens."""

    def happens() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        meanwhile()

    at(drive, f"received PUT invoices/{links(drive)[deal]}", happens)
    drive.run()


def looked_up(drive: Rounds) -> None:
    """A run finds the update absent, and dies before it writes."""
    drive.sandbox.clock.advance(LOOK_UP_AFTER)
    drive.prepare()


def written(drive: Rounds, deal: str, **fields: object) -> None:
    """The deal changes, and a run that finds the update absent writes that."""
    change(drive, deal, **fields)
    drive.look_up()


def superseded(drive: Rounds, deal: str) -> None:
    """The older value comes through after 400 was written."""
    held_back(drive, deal, partial(written, drive, deal, Amount=Decimal("400.00")))
    assert states_of(drive, deal) == ["done", "not_written", "closed", "done", "parked"]
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 30000
    assert open_items(drive) == [(deal, RAISED), (deal, RAISED)]  # for a person, and to be read again


def test_the_newer_value_is_written_again_whatever_the_window_is(drive: Rounds, deal: str) -> None:
    superseded(drive, deal)
    drive.sandbox.clock.advance(LOOK_UP_AFTER)
    moved_on(drive)
    billed_once(drive, deal, 40000)


def test_a_value_that_came_since_is_written_and_not_taken_for_a_conflict(drive: Rounds, deal: str) -> None:
    superseded(drive, deal)
    price(drive, deal, "500.00")
    billed_once(drive, deal, 50000)


def test_the_late_value_is_written_over_when_it_is_the_older_of_both_in_salesforce_too(
    drive: Rounds, deal: str
) -> None:
    superseded(drive, deal)
    price(drive, deal, "300.00")
    before = writes(drive.sandbox)["kashoo"]
    billed_once(drive, deal, 30000)
    assert writes(drive.sandbox)["kashoo"] == before  # the books say so already


def test_every_field_of_the_newer_write_comes_back_and_not_only_those_of_the_older(drive: Rounds, deal: str) -> None:
    held_back(drive, deal, partial(written, drive, deal, Name="Another name"))
    assert not invoice_of(drive.sandbox, deal)["memo"].startswith("Another name")
    assert "Another name" in billed_once(drive, deal, 30000)["memo"]


def test_what_the_accountant_changes_after_it_is_a_conflict_that_is_named(drive: Rounds, deal: str) -> None:
    superseded(drive, deal)
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 35000}])
    quiet(drive)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 35000
    assert (deal, "changed_on_both_sides") in reviews(drive)


def test_one_that_was_not_superseded_yet_is_found_to_be_there(drive: Rounds, deal: str) -> None:
    held_back(drive, deal, partial(looked_up, drive))
    assert open_items(drive) == [(deal, RAISED), (deal, RAISED)]
    moved_on(drive)
    billed_once(drive, deal, 30000)


def test_one_that_was_not_superseded_yet_gives_way_to_a_value_that_came_since(drive: Rounds, deal: str) -> None:
    held_back(drive, deal, partial(looked_up, drive))
    price(drive, deal, "400.00")
    billed_once(drive, deal, 40000)


def test_a_plan_from_before_it_came_through_is_stale(drive: Rounds, deal: str) -> None:
    plans = []

    def meanwhile() -> None:
        price(drive, deal, "400.00")
        drive.look_up()
        price(drive, deal, "250.00")
        plans.append(drive.prepare())

    held_back(drive, deal, meanwhile)
    assert drive.finish(plans[0])["stale"] == 1
    billed_once(drive, deal, 25000)


def test_a_late_update_that_cannot_be_read_back(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")

    def meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        price(drive, deal, "400.00")
        drive.look_up()  # finds the update absent and writes 400
        assert invoice_of(drive.sandbox, deal)["totalDue"] == 40000
        fault(drive, "error_before", ONE_INVOICE, "GET", times=4)

    says(monkeypatch, "PUT", ONE_INVOICE, None, does_it=True)  # 200 without a body: it has to be read back
    at(drive, f"received PUT invoices/{links(drive)[deal]}", meanwhile)
    drive.run()
    assert (deal, "late_update") in open_items(drive)
    weeks(drive, 3)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 40000


def test_a_late_update_of_an_invoice_whose_sale_became_another(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    order = add_order(drive.sandbox, account, None)
    drive.run()
    drive.sandbox.org.update("Order", order, {"PoNumber": "P-2"})

    def meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        drive.sandbox.org.update("Order", order, {"PoNumber": "P-3"})
        drive.look_up()
        assert invoice_of(drive.sandbox, order)["poNumber"] == "P-3"
        sell_as(drive.sandbox, order, add_deal(drive.sandbox, account, "400.00", StageName="Prospecting"))
        drive.run()  # the link follows

    at(drive, f"received PUT invoices/{links(drive)[order]}", meanwhile)
    drive.run()
    assert (order, "late_update") in open_items(drive)
    weeks(drive, 3)
    assert invoice_of(drive.sandbox, order)["poNumber"] == "P-3"

"""Voids of a sale that stands in Salesforce twice: when its deal or its order is not to be billed, the other is."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, add_order
from rounds import Rounds, crash, fault, links, open_items, operations, quiet
from voids import ONE_INVOICE, lose, rewin, standing, told

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.replay import replay


@pytest.mark.parametrize("how", ["order touched", "order not touched"])
def test_an_order_is_billed_when_the_invoice_of_its_deal_is_voided(drive: Rounds, how: str) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    drive.run_back()
    for _ in range(2):  # until no window holds the order any more
        drive.sandbox.clock.advance(3600)
        drive.run()
    lose(drive, deal)
    if how == "order touched":
        drive.sandbox.org.update("Order", order, {"Description": "touched"})
    drive.run()
    quiet(drive, writes_nothing=False)
    assert standing(drive, deal) == []
    assert standing(drive, order) == [f"[sf:{order}:1:1]"]
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    assert told(drive, order, "Order")[0] == "Open"
    quiet(drive)
    assert open_items(drive) == []


@pytest.mark.parametrize("crashed", [False, True])
def test_a_deal_is_billed_when_the_invoice_of_its_order_is_voided(drive: Rounds, crashed: bool) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, StageName="Negotiation/Review")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    rewin(drive, deal)
    for _ in range(3):
        drive.run()
        drive.sandbox.clock.advance(3600)
    ident = links(drive)[order]
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    if crashed:
        crash(drive, f"answered DELETE {ident}", drive.run)
    else:
        drive.run()
    quiet(drive, writes_nothing=False)
    assert standing(drive, order) == []
    assert standing(drive, deal) == [f"[sf:{deal}:1:1]"]
    quiet(drive)
    assert open_items(drive) == []


def test_an_order_waits_while_the_void_of_its_deal_is_in_doubt(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    lose(drive, deal)
    fault(drive, "drop_before", ONE_INVOICE, "DELETE")
    for _ in range(2):
        drive.run()
        assert standing(drive, order) == []
        assert (order, "waiting_for_sale") in open_items(drive)
    replay(drive.sync(), [row["id"] for row in operations(drive, State.PARKED)])
    assert (order, "waiting_for_sale") in open_items(drive)
    quiet(drive, writes_nothing=False)
    quiet(drive)
    assert (standing(drive, deal), standing(drive, order)) == ([], [f"[sf:{order}:1:1]"])
    assert open_items(drive) == []

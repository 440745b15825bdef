"""A run that bills two prepaid deals dies at every boundary of its writes, and no payment is missing or made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boundaries import Boundaries, dying
from records import add_deal, books_rows
from rounds import Rounds, Start, bearing, change, fault, open_items, operations, remap

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.run.sync import Sync

RULE = """\
rules:
  - {when: Prepaid__c, mark_paid: {account: "1010", date: {from: CloseDate}}}
fields:
"""
PAYMENTS = "records/invoicePayments$"
LOST = ["drop_before", "drop_after", "cut_body", "error_before", "error_after", "unauthorized_after", "html_after"]
ROUNDS_TO_REST = 3
"""One more than without payments: the first of a store is proved absent once a list has shown another one."""

AMOUNTS = ("250.00", "400.00")

EVERY = 2
"""One boundary in so many is tried every day, in one way; the others, and both ways, are long tests."""


def tried_again(drive: Rounds, sync: Sync) -> None:
    """Airflow tries the task again, with the plan that was approved."""
    drive.finish(drive.sync(run_id=sync.run.run_id))


def given_up(drive: Rounds, _: Sync) -> None:
    """Nobody tries it again: the next run is another one."""
    drive.run()


def prepaid(start: Start, folder: Path) -> tuple[Rounds, list[str]]:
    drive = start.again(folder)
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    deals = [add_deal(drive.sandbox, start.account, amount, Prepaid__c=True) for amount in AMOUNTS]
    return drive, deals


def found(drive: Rounds, deals: list[str]) -> list[Any]:
    """What the books have of each deal, and Salesforce was told: (total, rest, payments, status)."""
    invoices = {deal: bearing(drive, deal) for deal in deals}
    payments = {deal: [row["amount"] for row in bearing(drive, deal, "invoicePayments")] for deal in deals}
    told = {deal: drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] for deal in deals}
    return [
        ([(row["totalDue"], row["balanceDue"]) for row in invoices[deal]], payments[deal], told[deal]) for deal in deals
    ]


WANTED = [([(25_000, 0)], [25_000], "Paid"), ([(40_000, 0)], [40_000], "Paid")]


def comes_to_rest(drive: Rounds, deals: list[str]) -> None:
    for _ in range(ROUNDS_TO_REST):
        drive.look_up()
        drive.run_back()
        if found(drive, deals) == WANTED and not open_items(drive):
            break
    assert found(drive, deals) == WANTED
    assert open_items(drive) == []
    linked = {link.source_id: link.kashoo_id for link in drive.store.links.of_target("payment")}
    assert linked == {deal: bearing(drive, deal, "invoicePayments")[0]["id"] for deal in deals}
    before = len(books_rows(drive.sandbox, "invoicePayments"))
    for deal in deals:
        change(drive, deal, Description="touched")
    drive.run()
    assert len(books_rows(drive.sandbox, "invoicePayments")) == before
    assert operations(drive, State.SENT, State.IN_DOUBT, State.PARKED, State.RETRY) == []


@pytest.mark.parametrize("turn", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, 2 * EVERY))])
def test_a_run_that_dies_while_it_pays_pays_each_deal_once(fixed_weeks: Start, tmp_path: Path, turn: int) -> None:
    drive, deals = prepaid(fixed_weeks, tmp_path / "whole")
    sync, all_of_it = drive.prepare(), Boundaries()
    with dying(drive, all_of_it):
        drive.finish(sync)
    comes_to_rest(drive, deals)
    assert all_of_it.count >= 40
    for at in range(1 + turn % EVERY, all_of_it.count + 1, EVERY):
        drive, deals = prepaid(fixed_weeks, tmp_path / str(at))
        sync = drive.prepare()
        with dying(drive, Boundaries(at)):
            drive.finish(sync)
        (tried_again, given_up)[(at // EVERY + turn // EVERY) % 2](drive, sync)
        comes_to_rest(drive, deals)
        drive.end()


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("kind", LOST)
def test_a_payment_without_a_usable_answer_is_made_once(
    fixed_weeks: Start, tmp_path: Path, kind: str, nth: int
) -> None:
    drive, deals = prepaid(fixed_weeks, tmp_path / kind)
    fault(drive, kind, PAYMENTS, nth=nth)
    drive.run()
    comes_to_rest(drive, deals)


def test_while_it_is_not_known_whether_an_invoice_was_paid_the_invoice_is_left_alone(
    fixed_weeks: Start, tmp_path: Path
) -> None:
    drive, deals = prepaid(fixed_weeks, tmp_path / "late")
    fault(drive, "drop_after", PAYMENTS)
    drive.run()
    (waiting,) = operations(drive, State.IN_DOUBT)
    assert (waiting["target"], waiting["source_id"]) == ("payment", deals[1])  # the bigger one comes first
    change(drive, deals[1], Amount="500.00")
    drive.run()
    assert [row["totalDue"] for row in bearing(drive, deals[1])] == [40_000]  # not before it is known what was paid
    change(drive, deals[1], Amount="400.00")
    comes_to_rest(drive, deals)

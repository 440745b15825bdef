"""What a person approved changes by a person's hand only, whatever the rules and thresholds say by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from records import invoice_of
from rounds import Rounds, Start, change, open_items, price, quiet, remap, reviews, win

from airflow_provider_kashoo.core.rules.approval import Above, Decision, Policy
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.settle import settle
from airflow_provider_kashoo.sync.run.approval import decide
from airflow_provider_kashoo.sync.run.sync import Sync

ASKED = "approved_invoice_changed"
ABOVE = Policy(invoice_above=Above(Decimal(50_000)))


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = start.again(tmp_path)
    drive.settings = replace(drive.settings, approval=ABOVE)
    yield drive
    drive.end()


def asking(drive: Rounds) -> Sync:
    """Take a run up to a plan that asks."""
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in ("Account", "Product2", "Opportunity", "Order"):
        steps.extract(sync, source)
    assert steps.plan(sync).asks
    return sync


def say(sync: Sync, decision: Decision) -> None:
    decide(sync, steps._summary(sync), decision, by="ann", reason="")


def approve(drive: Rounds, sync: Sync | None = None) -> None:
    """Approve the next plan, and end its run."""
    sync = sync or asking(drive)
    say(sync, Decision.APPROVE)
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)


def approved(drive: Rounds, amount: str = "900.00") -> str:
    """Bill a deal that a person approved."""
    deal = win(drive, amount)
    approve(drive)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 90_000
    return deal


def test_a_smaller_amount_than_was_approved_is_asked_about(drive: Rounds) -> None:
    """Nothing asks for 400.00 by itself; but 900.00 is what a person approved."""
    deal = approved(drive)
    price(drive, deal, "400.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 90_000
    assert reviews(drive) == [(deal, ASKED)]
    (item,) = drive.store.reviews.all_open()
    assert "total 900.00 USD -> 400.00 USD" in item["cause"]
    settle(drive.database, deal, Side.SALESFORCE, by="ann", reason="agreed by phone")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 40_000
    quiet(drive)
    assert open_items(drive) == []


def test_whoever_says_that_the_books_are_right_is_not_asked_again(drive: Rounds) -> None:
    deal = approved(drive)
    price(drive, deal, "400.00")
    drive.run()
    settle(drive.database, deal, Side.BOOKS, by="ann", reason="the deal is wrong")
    quiet(drive)
    assert (open_items(drive), invoice_of(drive.sandbox, deal)["totalDue"]) == ([], 90_000)
    price(drive, deal, "300.00")
    drive.run()
    assert reviews(drive) == [(deal, ASKED)]


def test_the_question_closes_when_the_deal_is_as_it_was(drive: Rounds) -> None:
    deal = approved(drive)
    price(drive, deal, "400.00")
    drive.run()
    price(drive, deal, "900.00")
    drive.run()
    assert open_items(drive) == []


def test_texts_of_an_approved_invoice_stay_as_billed_unless_the_mapping_lets_them_follow(drive: Rounds) -> None:
    deal = approved(drive)
    drive.settings = replace(drive.settings, approval=Policy())  # else any change above the threshold asks
    before = invoice_of(drive.sandbox, deal)["memo"]
    change(drive, deal, Name="Another name")
    drive.run()
    assert (open_items(drive), invoice_of(drive.sandbox, deal)["memo"]) == ([], before)
    remap(drive, "invoice_from_opportunity", "fields:\n", "after_payment: [memo]\nfields:\n")
    change(drive, deal, Name="A third name")
    drive.run()
    assert "A third name" in invoice_of(drive.sandbox, deal)["memo"]


def test_an_approved_change_is_approved_as_the_invoice_was(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "900.00")
    approve(drive)
    price(drive, deal, "400.00")
    drive.run()
    assert reviews(drive) == [(deal, ASKED)]


def test_what_was_approved_only_as_a_part_of_a_plan_follows_its_deal(drive: Rounds) -> None:
    """The person looked at the sum, not at each invoice; what asked by itself in the same plan is held."""
    drive.settings = replace(drive.settings, approval=replace(ABOVE, writes_above=1))
    big, small = win(drive, "900.00"), win(drive)
    approve(drive)
    for deal in (big, small):
        price(drive, deal, "300.00")
    drive.run()
    assert [invoice_of(drive.sandbox, deal)["totalDue"] for deal in (big, small)] == [90_000, 30_000]
    assert reviews(drive) == [(big, ASKED)]


def test_the_last_decision_about_a_plan_counts(drive: Rounds) -> None:
    win(drive, "900.00")
    sync = asking(drive)
    say(sync, Decision.APPROVE)
    assert len(drive.store.approvals.invoices()) == 1
    say(sync, Decision.REJECT)
    assert drive.store.approvals.invoices() == frozenset()

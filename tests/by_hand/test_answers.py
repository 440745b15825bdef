"""An answer of a person reaches no further than what that person saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from both_sides import BOTH, both_changed, priced_by_hand, say, total
from records import add_account, invoice_of
from rounds import Rounds, Start, change, open_items, remap, reviews, win

from airflow_provider_kashoo.core.rules.approval import Above, Decision, Policy
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.run.approval import ApprovalNeeded, decide

DEALS = "invoice_from_opportunity"


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def test_a_value_that_came_to_the_books_after_the_answer_is_not_overwritten(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.SALESFORCE)
    priced_by_hand(drive, deal, 700)
    drive.run()
    assert (reviews(drive), total(drive, deal)) == ([(deal, BOTH)], 70_000)


def test_an_answer_about_one_customer_is_none_about_the_next(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, AccountId=add_account(drive.sandbox, "Buyer", "buyer@x.example"))
    drive.run()
    say(drive, deal, Side.SALESFORCE)
    change(drive, deal, AccountId=add_account(drive.sandbox, "Another", "another@x.example"))
    drive.run()
    assert "Another" not in str(invoice_of(drive.sandbox, deal))
    assert reviews(drive) == [(deal, "identity_changed")]


def test_books_are_right_about_what_was_asked_and_another_change_is_still_written(drive: Rounds) -> None:
    currency = "  currency: {from: CurrencyIsoCode}"
    remap(drive, DEALS, currency, f"{currency}\n  poNumber: {{from: Type}}")
    deal = both_changed(drive, Type="PO-1")
    say(drive, deal, Side.BOOKS)
    change(drive, deal, Type="PO-2")
    drive.run()
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 20_000)
    assert invoice_of(drive.sandbox, deal)["poNumber"] == "PO-2"


def test_a_question_that_is_dismissed_after_its_answer_is_left_as_it_is(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.SALESFORCE)
    dismiss(drive.database, deal, by="bob", reason="no, leave it")
    drive.run()
    assert total(drive, deal) == 20_000


def test_the_books_are_right_ends_the_question_of_a_payment_that_came_after_another_answer(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.SALESFORCE)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 100)
    drive.run()
    assert reviews(drive) == [(deal, "paid_invoice_changed")]
    say(drive, deal, Side.BOOKS)
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 20_000)


def rejected(drive: Rounds, planned: Callable[[], None]) -> None:
    """A person rejects what asks of the next run."""
    planned()
    drive.settings = replace(drive.settings, approval=Policy(invoice_above=Above(Decimal(50_000))))
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in ("Account", "Product2", "Opportunity", "Order"):
        steps.extract(sync, source)
    steps.plan(sync)
    with pytest.raises(ApprovalNeeded):
        steps.approve(sync)
    decide(sync, steps._summary(sync), Decision.REJECT, by="ann", reason="wait")
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)


def test_a_replay_of_all_leaves_what_was_rejected_alone(drive: Rounds) -> None:
    found: list[str] = []
    rejected(drive, lambda: found.extend([win(drive, "900.00"), win(drive, AccountId=None)]))
    big, other = found
    assert sorted(open_items(drive)) == [(big, "rejected"), (other, "missing_value")]
    change(drive, other, AccountId=add_account(drive.sandbox))
    drive.sandbox.clock.advance(60)
    replay(drive.sync(), None)
    assert drive.store.waiting.rejected()
    assert len(drive.store.links.of_sources("invoice", [other])) == 1

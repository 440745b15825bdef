"""``airflow kashoo settle``: who is right about what both sides changed, and what the next run makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from both_sides import BOTH, both_changed, priced_by_hand, say, total
from records import add_account, invoice_of
from rounds import Rounds, Start, change, open_items, price, reviews, weeks, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync.by_hand.settle import settle


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def link_of(drive: Rounds, deal: str) -> Any:
    return drive.store.links.of_sources("invoice", [deal])[deal]


def test_when_the_books_are_right_nothing_is_asked_until_one_side_changes(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.BOOKS)
    drive.run()
    assert open_items(drive) == []
    weeks(drive, 2)
    change(drive, deal, Description="touched")
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 20000)
    assert link_of(drive, deal).expected_total == 20000
    price(drive, deal, "400.00")  # the books did not change since: this is no conflict any more
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 40000)


def test_when_both_change_again_a_person_is_asked_again(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.BOOKS)
    drive.run()
    price(drive, deal, "400.00")
    priced_by_hand(drive, deal, 150)
    drive.run()
    assert (reviews(drive), total(drive, deal)) == ([(deal, BOTH)], 15000)


def test_when_salesforce_is_right_the_next_run_writes_its_value_and_says_who_said_so(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.SALESFORCE)
    assert total(drive, deal) == 20000  # the command itself writes nothing
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 30000)
    with drive.database.begin() as connection:
        told = connection.exec_driver_sql("SELECT event, reason FROM audit ORDER BY id").all()
    assert ("settled", f"{BOTH}: Salesforce is right, says ann: agreed by phone") in [tuple(each) for each in told]
    assert any(event == "update" and "Salesforce is right, says ann: lines" in reason for event, reason in told)


@pytest.mark.parametrize("side", Side)
def test_a_question_that_says_something_else_by_then_is_asked_again(drive: Rounds, side: Side) -> None:
    deal = both_changed(drive)
    say(drive, deal, side)
    price(drive, deal, "500.00")
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([(deal, BOTH)], 20000)
    say(drive, deal, Side.SALESFORCE)
    drive.run()
    assert (open_items(drive), total(drive, deal)) == ([], 50000)


def test_a_payment_that_came_meanwhile_keeps_salesforce_from_being_written(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.SALESFORCE)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 100)
    drive.run()
    assert total(drive, deal) == 20000
    assert (deal, "paid_invoice_changed") in reviews(drive)


def test_a_paid_invoice_takes_the_books_as_right_and_refuses_salesforce(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 100)
    price(drive, deal, "300.00")
    drive.run()
    assert reviews(drive) == [(deal, "paid_invoice_changed")]
    with pytest.raises(ConfigurationError, match="No run changes this invoice"):
        say(drive, deal, Side.SALESFORCE)
    assert reviews(drive) == open_items(drive)
    say(drive, deal, Side.BOOKS)
    drive.run()
    weeks(drive, 1)
    assert (open_items(drive), total(drive, deal)) == ([], 25000)


def test_it_waits_for_a_run_whatever_window_that_has(drive: Rounds) -> None:
    deal = both_changed(drive)
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run()
    say(drive, deal, Side.SALESFORCE)
    drive.run()
    assert total(drive, deal) == 30000


def test_only_questions_about_both_sides_can_be_settled_and_with_a_reason(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, StageName="Prospecting")
    drive.run()
    with pytest.raises(ConfigurationError, match="is not about what both sides changed"):
        say(drive, deal, Side.BOOKS)
    with pytest.raises(ConfigurationError, match="reason"):
        settle(drive.database, deal, Side.BOOKS, by="ann", reason=" ")
    with pytest.raises(ConfigurationError, match="airflow kashoo status"):
        settle(drive.database, "R999", Side.BOOKS, by="ann", reason="x")


def test_the_customer_of_an_invoice_is_changed_if_a_person_says_so(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, AccountId=add_account(drive.sandbox, "Buyer", "buyer@x.example"))
    drive.run()
    assert reviews(drive) == [(deal, "identity_changed")]
    before = link_of(drive, deal).fields["contact"]
    say(drive, deal, Side.SALESFORCE)
    drive.run()
    assert open_items(drive) == []
    assert "Buyer" in str(invoice_of(drive.sandbox, deal))
    assert link_of(drive, deal).fields["contact"] != before

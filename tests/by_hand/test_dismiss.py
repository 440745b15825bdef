"""``airflow kashoo dismiss``: what a person leaves as it is is not shown again, until it says something else."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from records import add_account, invoice_of
from rich.console import Console
from rounds import Rounds, change, open_items, remove, reviews, weeks, win

from airflow_provider_kashoo.cli.status import print_status
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss


def status(drive: Rounds) -> str:
    console = Console(file=io.StringIO(), width=300)
    print_status(drive.database, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def left(drive: Rounds) -> str:
    """Dismiss the one question that is shown; give its id."""
    (item,) = drive.store.reviews.all_open()
    ident = f"R{item['id']}"
    assert ident in status(drive)
    dismiss(drive.database, ident, by="ann", reason="it is right so")
    return ident


def paid_then_changed(drive: Rounds) -> str:
    deal = win(drive, CloseDate="2026-02-10")
    drive.run()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    change(drive, deal, CloseDate="2026-02-11")
    drive.run()
    return deal


def test_a_removed_invoice_that_may_stay_so_is_not_shown_again(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))
    weeks(drive, 1)
    left(drive)
    weeks(drive, 3)
    assert "nothing waits for a person" in status(drive)
    change(drive, deal, Name="touched")
    drive.run()
    assert "nothing waits for a person" in status(drive)


def test_a_question_that_says_something_else_is_asked_again(drive: Rounds) -> None:
    deal = paid_then_changed(drive)
    left(drive)
    drive.run()
    assert "nothing waits for a person" in status(drive)
    change(drive, deal, CloseDate="2026-02-12")
    drive.run()
    assert reviews(drive) == [(deal, "paid_invoice_changed")]
    assert "2026-02-12" in status(drive)


def test_a_question_whose_cause_is_gone_closes_though_it_was_dismissed_and_a_new_one_is_asked(drive: Rounds) -> None:
    deal = paid_then_changed(drive)
    left(drive)
    change(drive, deal, CloseDate="2026-02-10")
    drive.run()
    assert open_items(drive) == []
    change(drive, deal, CloseDate="2026-02-11")
    drive.run()
    assert "2026-02-11" in status(drive)


def test_who_left_it_and_why_is_kept(drive: Rounds) -> None:
    paid_then_changed(drive)
    left(drive)
    with drive.database.begin() as connection:
        (said,) = connection.exec_driver_sql("SELECT reason FROM audit WHERE event = 'dismissed'").scalars()
        kept = connection.exec_driver_sql("SELECT dismissed_by, dismissed_reason FROM review_items").one()
    assert said == "paid_invoice_changed left as it is by ann: it is right so"
    assert tuple(kept) == ("ann", "it is right so")


@pytest.mark.parametrize("item", ["R999", "12x", "R", ""])
def test_what_is_no_open_item_is_refused(drive: Rounds, item: str) -> None:
    with pytest.raises(ConfigurationError, match="airflow kashoo status"):
        dismiss(drive.database, item, by="ann", reason="x")


def test_twice_or_without_a_reason_is_refused(drive: Rounds) -> None:
    paid_then_changed(drive)
    with pytest.raises(ConfigurationError, match="reason"):
        dismiss(drive.database, f"R{drive.store.reviews.all_open()[0]['id']}", by="ann", reason=" ")
    ident = left(drive)
    with pytest.raises(ConfigurationError, match="No open review item"):
        dismiss(drive.database, ident, by="ann", reason="again")


def test_whoever_dismissed_another_customer_is_asked_again_when_the_amount_changes(drive: Rounds) -> None:
    deal = win(drive, "500.00")
    drive.run()
    change(drive, deal, AccountId=add_account(drive.sandbox, "Buyer", "buyer@x.example"))
    drive.run()
    left(drive)
    drive.run()
    assert "nothing waits for a person" in status(drive)
    change(drive, deal, Amount=Decimal("5000.00"))
    drive.run()
    assert "5,000.00" in status(drive)

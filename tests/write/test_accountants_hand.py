"""What the accountant does between a crash and the look-up: never a second live invoice, never a sale lost unsaid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from records import add_account, add_deal, books_rows, edit, invoice_of
from rounds import Rounds, copy, crash, fault, links, moved_by, new_rows, open_items, quiet, remove, states_of
from turns import in_turns

Row = dict[str, Any]


def move_date(drive: Rounds, invoice: Row) -> None:
    edit(drive.sandbox, "invoices", invoice, date=moved_by(drive, -200))


def clear_reference(drive: Rounds, invoice: Row) -> None:
    edit(drive.sandbox, "invoices", invoice, memo="")


def change_total(drive: Rounds, invoice: Row) -> None:
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 24000}])


def pay(drive: Rounds, invoice: Row) -> None:
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], invoice["totalDue"])


def merge_customers(drive: Rounds, invoice: Row) -> None:
    """Move the invoice to the customer that was there before, and remove the new one."""
    box = drive.sandbox
    (first, *_) = books_rows(box, "customers")
    edit(box, "invoices", invoice, contact=first["id"])
    box.books.remove(box.books.main(), "customers", invoice["contact"])


def clear_and_move(drive: Rounds, invoice: Row) -> None:
    edit(drive.sandbox, "invoices", invoice, memo="", date=moved_by(drive, -200))


def nothing(drive: Rounds, invoice: Row) -> None:
    """Leave it alone."""


WAYS = ["no answer", "crash before the answer", "crash after the answer"]
#: What is done -> (invoices standing in the end, what is open in the end).
HANDS: dict[Callable[[Rounds, Row], object], tuple[int, list[str]]] = {
    nothing: (1, []),
    pay: (1, []),
    move_date: (1, []),
    clear_reference: (1, ["in_doubt"]),
    clear_and_move: (1, ["in_doubt"]),
    copy: (2, ["in_doubt"]),
    remove: (1, []),  # gone before anyone knew of it: made again, once
    change_total: (1, ["total_differs"]),  # whose doing the difference is, nobody can tell
    merge_customers: (1, []),
}


@pytest.mark.parametrize(("hand", "way"), in_turns(HANDS, WAYS, 3), ids=lambda each: getattr(each, "__name__", each))
def test_between_a_crash_and_the_look_up(drive: Rounds, hand: Callable[[Rounds, Row], object], way: str) -> None:
    before = books_rows(drive.sandbox, "invoices")
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Second Customer"))
    if way == "no answer":
        fault(drive, "drop_after")
        drive.run()
    else:
        stage = "processed" if way == "crash before the answer" else "answered"
        crash(drive, f"{stage} POST records/invoices", drive.run)
    assert states_of(drive, deal) == ["in_doubt" if way == "no answer" else "sent"]
    hand(drive, invoice_of(drive.sandbox, deal))
    quiet(drive)
    standing, waiting = HANDS[hand]
    written = new_rows(drive, before)
    assert len(written) == standing
    assert open_items(drive) == [(deal, why) for why in waiting]
    if not waiting:
        assert links(drive)[deal] == written[0]["id"]


def test_customers_merged_before_the_look_up_of_the_customer_itself(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Second Customer", "second@customer.example"))
    crash(drive, "processed POST contacts/customers", drive.run)
    made = books_rows(drive.sandbox, "customers")[-1]
    drive.sandbox.books.remove(drive.sandbox.books.main(), "customers", made["id"])
    quiet(drive)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000
    assert open_items(drive) == []


def test_a_deal_for_a_customer_that_was_merged_away_is_named(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Second Customer")
    first = add_deal(drive.sandbox, account)
    drive.run()
    merge_customers(drive, invoice_of(drive.sandbox, first))
    second = add_deal(drive.sandbox, account, "300.00")
    quiet(drive, writes_nothing=False)
    assert open_items(drive) == [(account, "removed_in_books"), (second, "waiting_for_parent")]
    assert len(books_rows(drive.sandbox, "invoices")) == 2

"""Our reference stays in the books, whatever they cut; where it does not, that is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of, writes
from rounds import (
    Rounds,
    bearing,
    billed_once,
    change,
    fault,
    knows,
    links,
    moved_on,
    open_items,
    order_with,
    quiet,
    remap,
    reviews,
    states_of,
    weeks,
    win,
)

from airflow_provider_kashoo.core.values.ids import Reference

LONG = "A renewal of everything that was ever sold. " * 6
"""Longer than the books keep, but no longer than Salesforce allows."""


def say_descriptions(drive: Rounds) -> None:
    """Let the memo of an invoice be a text that may be long."""
    remap(drive, "invoice_from_opportunity", "memo: {from: Name}", "memo: {from: Description}")


@pytest.fixture(autouse=True)
def described(drive: Rounds) -> Iterator[None]:
    say_descriptions(drive)
    yield
    drive.sandbox.books.cuts = {}


def sold_as(drive: Rounds, text: str, amount: str = "250.00") -> str:
    return win(drive, amount, Description=text)


def lost_store(drive: Rounds, folder: Any, **profile: Any) -> Rounds:
    second = Rounds(drive.sandbox, folder)
    say_descriptions(second)
    knows(second, **profile)
    drive.sandbox.clock.advance(3600)
    return second


# -- a text is cut so that the books need not


@pytest.mark.parametrize(("keeps", "profile"), [(255, {}), (100, {"text_limits": {"memo": 100}})])
def test_a_long_text_leaves_room_for_the_reference_and_a_lost_store_finds_the_invoice(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory, keeps: int, profile: Any
) -> None:
    drive.sandbox.books.cuts = {"memo": keeps}
    knows(drive, **profile)
    deal = sold_as(drive, LONG)
    drive.run()
    memo = invoice_of(drive.sandbox, deal)["memo"]
    assert memo.endswith(f" {Reference(deal)}")
    assert memo.startswith(LONG[: keeps - 50])
    assert len(memo) <= keeps
    moved_on(drive)
    before = writes(drive.sandbox)
    change(drive, deal, StageName="Closed Won")  # a touch
    drive.run()
    assert writes(drive.sandbox) == before
    second = lost_store(drive, tmp_path_factory.mktemp("second"), **profile)
    second.run()
    billed_once(second, deal)


def test_a_change_beyond_the_end_is_none_and_one_before_it_is_written(drive: Rounds) -> None:
    drive.sandbox.books.cuts = {"memo": 255}
    deal = sold_as(drive, LONG)
    drive.run()
    moved_on(drive)
    before = writes(drive.sandbox)
    change(drive, deal, Description=f"{LONG[:-9]} and more")
    drive.run()
    assert writes(drive.sandbox) == before
    change(drive, deal, Description=f"New: {LONG}")
    drive.run()
    memo = billed_once(drive, deal)["memo"]
    assert memo.startswith("New: A renewal")
    assert memo.endswith(str(Reference(deal)))


def test_the_description_of_an_item_leaves_room_too(drive: Rounds) -> None:
    drive.sandbox.books.cuts = {"description": 255}
    (product,) = [row for row in drive.sandbox.org.rows("Product2") if row["ProductCode"] == "HW-110"]
    drive.sandbox.org.update("Product2", product["Id"], {"Description": LONG * 3})
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "109.00", product="HW-110")
    drive.run()
    (item,) = bearing(drive, product["Id"], "items")
    assert item["description"].startswith("A renewal")
    assert reviews(drive) == []


# -- books that cut it off all the same


@pytest.fixture
def unmarked(drive: Rounds) -> Any:
    """A deal whose invoice lost its reference: these books keep less than is assumed."""
    drive.sandbox.books.cuts = {"memo": 100}
    deal = sold_as(drive, LONG)
    drive.run()
    return deal


def test_a_reference_that_the_books_do_not_show_is_said_at_once(drive: Rounds, unmarked: str) -> None:
    assert states_of(drive, unmarked) == ["done"]
    assert open_items(drive) == [(unmarked, "mark_missing")]
    (item,) = drive.store.reviews.all_open()
    assert item["cause"].startswith(f"Kashoo does not show our reference [sf:{unmarked}:1:1] in its memo")
    assert item["kashoo_id"] == links(drive)[unmarked]
    quiet(drive)
    assert reviews(drive) == [(unmarked, "mark_missing")]


def test_nothing_is_taken_for_absent_from_books_that_dropped_a_reference(drive: Rounds, unmarked: str) -> None:
    deal = win(drive, "400.00")
    fault(drive, "drop_before")
    drive.look_up()
    drive.look_up()
    assert states_of(drive, deal) == ["in_doubt"]
    assert bearing(drive, deal) == []
    mark_by_hand(drive, unmarked)
    drive.run_back()
    drive.look_up()
    billed_once(drive, deal, 40000)


def mark_by_hand(drive: Rounds, deal: str) -> None:
    ident = links(drive)[deal]
    (invoice,) = [row for row in books_rows(drive.sandbox, "invoices") if row["id"] == ident]
    edit(drive.sandbox, "invoices", invoice, memo=f"A renewal {Reference(deal)}")


def test_the_question_closes_when_the_reference_is_there(drive: Rounds, unmarked: str) -> None:
    mark_by_hand(drive, unmarked)
    drive.run_back()
    assert reviews(drive) == []


def test_it_closes_when_a_later_update_shows_the_reference(drive: Rounds, unmarked: str) -> None:
    change(drive, unmarked, Description="Short")
    drive.run()
    assert billed_once(drive, unmarked)["memo"] == f"Short {Reference(unmarked)}"


def test_it_closes_when_the_invoice_is_removed(drive: Rounds, unmarked: str) -> None:
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", links(drive)[unmarked])
    drive.run_back()
    assert reviews(drive) == [(unmarked, "removed_in_books")]


def test_the_question_about_a_customer_closes_within_a_week(drive: Rounds) -> None:
    drive.sandbox.books.stores_reference = False
    deal = win(drive)
    drive.run()
    drive.sandbox.books.stores_reference = True
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    assert open_items(drive) == [(account, "mark_missing"), (deal, "mark_missing")]
    ident = links(drive, "customer")[account]
    (row,) = [row for row in books_rows(drive.sandbox, "customers") if row["id"] == ident]
    edit(drive.sandbox, "customers", row, notes=str(Reference(account)))
    weeks(drive, 1)
    assert open_items(drive) == [(deal, "mark_missing")]


def test_an_answer_without_the_reference_is_not_believed_before_the_record_is_read(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kashoo's answer may leave out a field that it keeps."""
    books = drive.sandbox.books
    create = type(books).create

    def forgetful(business: int, kind: str, body: Any) -> Any:
        made = create(books, business, kind, body)
        return {name: value for name, value in made.items() if name not in {"memo", "notes"}}

    monkeypatch.setattr(books, "create", forgetful, raising=False)
    deal = win(drive)
    drive.run()
    billed_once(drive, deal)


def test_a_change_of_what_the_books_cut_off_is_written_once(drive: Rounds, unmarked: str) -> None:
    change(drive, unmarked, Description=f"{LONG[:150]}another end")
    assert drive.run().outcome["updated"] == 1
    assert open_items(drive) == [(unmarked, "mark_missing")]
    moved_on(drive)
    before = writes(drive.sandbox)
    drive.look_up()
    assert writes(drive.sandbox) == before


# -- another field


def test_the_reference_may_stand_in_another_field(drive: Rounds, tmp_path_factory: pytest.TempPathFactory) -> None:
    knows(drive, invoice_reference="poNumber")
    deal, order = sold_as(drive, "Deal"), order_with(drive, PoNumber="PO-4711")
    drive.run()
    of_deal, of_order = bearing(drive, deal)[0], bearing(drive, order)[0]
    assert (of_deal["memo"], of_deal["poNumber"]) == ("Deal", str(Reference(deal)))
    assert of_order["poNumber"] == f"PO-4711 {Reference(order)}"
    change(drive, deal, Description="Another name")
    drive.run()
    drive.run_back()
    assert billed_once(drive, deal)["memo"] == "Another name"
    fault(drive, "drop_after")
    lost = win(drive, "300.00")
    drive.run()
    second = lost_store(drive, tmp_path_factory.mktemp("second"), invoice_reference="poNumber")
    second.run()
    assert {deal: 1, order: 1, lost: 1} == {each: len(bearing(second, each)) for each in (deal, order, lost)}
    assert links(second).keys() >= {deal, order, lost}


def test_what_was_marked_in_the_field_of_before_is_still_known(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deal, at_rest = sold_as(drive, "Deal"), sold_as(drive, "Deal", "300.00")
    drive.run()
    knows(drive, invoice_reference="poNumber")
    change(drive, deal, Description="Another name")
    drive.run()
    invoice = billed_once(drive, deal)
    assert (invoice["memo"], invoice["poNumber"]) == ("Another name", str(Reference(deal)))
    second = lost_store(drive, tmp_path_factory.mktemp("second"), invoice_reference="poNumber")
    second.run()
    billed_once(second, deal)
    billed_once(second, at_rest, 30000)

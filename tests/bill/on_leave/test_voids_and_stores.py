"""Voids met later by copies of an invoice, and by stores that forgot: the generation that stands goes on."""

from __future__ import annotations

from typing import Any

import pytest
from records import books_rows, invoice_of
from rounds import Rounds, backup_of, bearing, copy, links, open_items, price, quiet, remove, reviews, win
from voids import all_invoices, billed_and_lost, causes, lose, rebilled, rewin, standing, void_unpaid


def test_an_invoice_with_a_known_copy_is_for_a_person(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    copy(drive, invoice_of(drive.sandbox, deal))
    drive.run_back()
    assert (deal, "possible_duplicate") in reviews(drive)
    lose(drive, deal)
    drive.run()
    assert len(bearing(drive, deal)) == 2
    assert any(cause.endswith("another invoice carries its reference") for cause in causes(drive, deal))


def test_nothing_is_made_while_a_copy_of_the_voided_invoice_stands(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    other = copy(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.run()
    assert [row["id"] for row in bearing(drive, deal)] == [other["id"]]
    assert open_items(drive) == [(deal, "ambiguous_match")]
    assert deal not in links(drive)
    remove(drive, other)
    drive.run()
    quiet(drive)
    assert standing(drive, deal) == [f"[sf:{deal}:1:2]"]
    assert open_items(drive) == []


def test_a_copy_of_a_voided_invoice_is_not_adopted_and_starts_no_sweep(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    copy(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    drive.run()
    win(drive, "275.00")
    drive.run()
    assert drive.store.knows_books
    assert deal not in links(drive)


@pytest.mark.parametrize("lost", ["never there", "before the void", "after the void"])
def test_a_restored_store_goes_on_with_the_generation_that_stands(
    drive: Rounds, tmp_path_factory: Any, lost: str
) -> None:
    deal, restored = win(drive), None
    folder = tmp_path_factory.mktemp("restored")
    drive.run()
    if lost == "before the void":
        restored = backup_of(drive, folder)
    lose(drive, deal)
    drive.run()
    if lost == "after the void":
        restored = backup_of(drive, folder)
    rewin(drive, deal)
    drive.run()
    before = books_rows(drive.sandbox, "invoices")
    restored = restored or Rounds(drive.sandbox, folder)
    restored.runs = 500  # no run id is used twice
    if lost == "never there":
        void_unpaid(restored)
    win(restored, "275.00")  # something to create, so that the books are searched
    restored.sandbox.clock.advance(3600)
    for _ in range(3):
        restored.run()
    assert standing(restored, deal) == [f"[sf:{deal}:1:2]"]
    assert len(books_rows(restored.sandbox, "invoices")) == len(before) + 1
    win(restored, "285.00")
    restored.run()
    assert links(restored)[deal] == bearing(restored, deal)[0]["id"]
    rebilled(restored, deal, 2)
    price(restored, deal, "260.00")
    restored.run()
    lose(restored, deal)
    restored.run()
    rewin(restored, deal)
    restored.run()
    generations = [row["memo"].partition(":1:")[2] for row in all_invoices(restored, deal)]
    assert sorted(generations) == ["1]", "2]", "3]"]
    restored.database.dispose()


def test_a_new_store_adopts_the_latest_generation_and_names_the_copy_of_an_older_one(
    drive: Rounds, tmp_path_factory: Any
) -> None:
    deal = win(drive)
    drive.run()
    older = invoice_of(drive.sandbox, deal)
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    (newest,) = bearing(drive, deal)
    other = copy(drive, older)
    lose(drive, deal)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    for _ in range(3):  # until no window holds the deal any more
        second.run()
        second.sandbox.clock.advance(3600)
    for amount in ("275.00", "285.00"):  # something to create, so that the books are searched
        win(second, amount)
        second.run()
    assert links(second)[deal] == newest["id"]
    assert reviews(second) == [(deal, "no_longer_billable"), (deal, "possible_duplicate")]
    named = {item["error_class"]: item["kashoo_id"] for item in second.store.reviews.all_open()}
    assert named == {"possible_duplicate": other["id"], "no_longer_billable": newest["id"]}
    second.database.dispose()


def test_a_new_store_counts_on_from_removed_invoices_that_the_books_list(
    drive: Rounds, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = billed_and_lost(drive), drive.sandbox.books
    drive.run()
    rewin(drive, deal)
    original = books.page

    def page(business: int, *kinds: str, **query: Any) -> Any:
        rows = original(business, *kinds, **query)
        if kinds == ("invoices",) and not query.get("offset"):
            rows += [row for row in books.business(business).tables["invoices"].rows.values() if row["removed"]]
        return rows

    monkeypatch.setattr(books, "page", page)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    second.run()
    monkeypatch.undo()
    assert standing(second, deal) == [f"[sf:{deal}:1:2]"]
    second.database.dispose()

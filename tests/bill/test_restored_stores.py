"""A store that was restored from a backup does not know what was written and told since."""

from __future__ import annotations

from typing import Any

import pytest
from rounds import (
    Rounds,
    Start,
    backup_of,
    bearing,
    open_items,
    price,
    quiet,
    weeks,
    win,
)
from voids import told


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def pay(drive: Rounds, deal: str, cents: int) -> dict[str, Any]:
    books = drive.sandbox.books
    return books.pay(books.main(), bearing(drive, deal)[0]["id"], cents)


def test_a_restored_store_tells_salesforce_what_the_books_say(drive: Rounds, tmp_path_factory: Any) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    restored = backup_of(drive, tmp_path_factory.mktemp("backup"))
    payment = pay(drive, deal, 25000)
    drive.run_back()
    assert told(drive, deal)[0] == "Paid"
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", payment["id"])  # it bounced
    drive.sandbox.clock.advance(3600)
    weeks(restored, 4)
    assert told(drive, deal)[:3] == ("Open", 0, 250)


def test_a_restored_store_names_an_invoice_of_another_total(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    restored = backup_of(drive, tmp_path_factory.mktemp("backup"))
    deal = win(drive, "250.00")
    drive.run()
    price(drive, deal, "300.00")
    drive.database.dispose()
    restored.runs = 300
    restored.run()
    quiet(restored)
    weeks(restored, 1)
    (invoice,) = bearing(restored, deal)
    assert (invoice["totalDue"], open_items(restored)) == (25000, [(deal, "changed_on_both_sides")])

"""An invoice whose total in the books is not the one computed: done, named to a person, and closed when it is right."""

from __future__ import annotations

from typing import Any

import pytest
from records import edit, invoice_of
from rounds import (
    Rounds,
    bearing,
    change,
    crash,
    fault,
    moved_by,
    price,
    quiet,
    remove,
    reviews,
    sold,
    states_of,
    weeks,
    win,
)

from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE

WEEK = 8 * 86_400


def rate(drive: Rounds, percent: str) -> None:
    """Let the books reckon with another rate than the plan did."""
    taxes = drive.sandbox.books.business(drive.sandbox.books.main()).tables["taxes"].rows
    next(row for row in taxes.values() if row["abbreviation"] == "G")["rate"] = percent


def reckon_anew(drive: Rounds, deal: str, **changes: Any) -> dict[str, Any]:
    """Save an invoice in Kashoo, which adds it up with the rates of now."""
    invoice = invoice_of(drive.sandbox, deal)
    return edit(drive.sandbox, "invoices", invoice, memo=invoice["memo"], **changes)


@pytest.fixture
def drive(drive: Rounds) -> Rounds:
    """Deals are taxed with G, five percent."""
    mapping = drive.mappings / "invoice_from_opportunity.yaml"
    mapping.write_text(mapping.read_text("utf-8").replace("taxCode: none", "taxCode: G"), "utf-8")
    return drive


@pytest.fixture
def deal(drive: Rounds) -> str:
    """A deal whose invoice came to a cent more than was expected."""
    deal = win(drive, "100.00")
    sync = drive.prepare()
    rate(drive, "5.01")
    drive.finish(sync)
    rate(drive, "5")
    assert reviews(drive) == [(deal, "total_differs")]
    return deal


@pytest.mark.parametrize("way", ["no answer", "crash"])
def test_a_create_that_is_found_with_another_total_is_done_and_named(drive: Rounds, way: str) -> None:
    deal = win(drive, "100.00")
    sync = drive.prepare()
    rate(drive, "5.01")
    if way == "crash":
        crash(drive, "processed POST records/invoices", lambda: drive.finish(sync))
    else:
        fault(drive, "drop_after")
        drive.finish(sync)
    quiet(drive)
    assert states_of(drive, deal) == ["done"]
    assert [row["totalDue"] for row in bearing(drive, deal)] == [10501]
    assert reviews(drive) == [(deal, "total_differs")]


def test_an_update_that_is_found_with_another_total_is_done_and_named(drive: Rounds) -> None:
    deal = win(drive, "100.00")
    drive.run()
    price(drive, deal, "200.00")
    sync = drive.prepare()
    rate(drive, "5.01")
    fault(drive, "drop_after", path=r"invoices/\d+$", method="PUT")
    drive.finish(sync)
    assert states_of(drive, deal) == ["done", "in_doubt"]
    quiet(drive)
    assert states_of(drive, deal) == ["done", "done"]
    assert reviews(drive) == [(deal, "total_differs")]


def test_a_person_is_told_both_totals(drive: Rounds, deal: str) -> None:
    (item,) = drive.store.reviews.all_open()
    assert item["source_id"] == deal
    link = drive.store.links.of_sources("invoice", [deal])[deal]
    for total in (invoice_of(drive.sandbox, deal)["totalDue"], link.expected_total):
        assert format_minor(total) in item["cause"]


def test_it_stays_open_while_the_total_differs(drive: Rounds, deal: str) -> None:
    quiet(drive)
    drive.sandbox.clock.advance(WEEK)
    quiet(drive)
    assert reviews(drive) == [(deal, "total_differs")]


def test_it_closes_when_an_update_is_confirmed_with_the_right_total(drive: Rounds, deal: str) -> None:
    change(drive, deal, Name="Another name")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 10500
    assert reviews(drive) == []


def test_it_closes_when_the_books_are_read_with_the_right_total(drive: Rounds, deal: str) -> None:
    drive.run_back()
    assert reviews(drive) == [(deal, "total_differs")]
    assert reckon_anew(drive, deal)["totalDue"] == 10500
    drive.run_back()
    assert reviews(drive) == []


def test_it_closes_within_a_week_when_no_list_shows_the_invoice(drive: Rounds, deal: str) -> None:
    reckon_anew(drive, deal, date=moved_by(drive, -500))
    drive.sandbox.clock.advance(WEEK)
    drive.run_back()
    assert reviews(drive) == []


def test_it_is_not_closed_by_what_was_read_before_it_was_opened(drive: Rounds) -> None:
    deal = win(drive, "100.00")
    drive.run()
    back = drive.prepare(TO_SALESFORCE)  # reads the invoice with the right total
    change(drive, deal, Name="Another name")
    sync = drive.prepare()
    rate(drive, "5.01")
    drive.finish(sync)
    drive.apply(back)
    assert reviews(drive) == [(deal, "total_differs")]


def test_a_wrong_total_of_an_invoice_that_was_removed_is_asked_no_more(drive: Rounds) -> None:
    deal = sold(drive)
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", made, lineItems=[{**made["lineItems"][0], "rate": 24000}])
    change(drive, deal, Name="Renamed")
    drive.run()
    remove(drive, made)
    weeks(drive, 2)
    assert reviews(drive) == [(deal, "removed_in_books")]

"""The amounts of deals: taxes as the connection counts them, currencies in their own minor unit, deals by part."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from records import add_account, add_deal, add_line, edit, invoice_of, today
from rounds import Rounds, Start, change, knows, moved_on, open_items, remap, win
from tied import found

DEALS = "invoice_from_opportunity"
SPLIT = """\
rules:
  - when: Type == "New Business"
    split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}
fields:
"""


@pytest.fixture
def drive(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = fixed_weeks.again(tmp_path)
    yield drive
    drive.end()


def in_two_parts(drive: Rounds) -> str:
    """Bill a deal of 300.00 by two invoices, 120.00 and 180.00."""
    remap(drive, DEALS, "fields:\n", SPLIT)
    remap(drive, DEALS, "taxCode: none", "taxCode: {from: Description, default: none}")
    deal = win(drive, "300.00", Type="New Business")
    for share in ("40", "60"):
        row = {"Opportunity__c": deal, "Due__c": today(drive.sandbox), "Percent__c": Decimal(share)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    drive.run()
    drive.run_back()
    moved_on(drive)
    assert found(drive, deal) == []
    return deal


def test_taxes_are_counted_as_the_profile_says(drive: Rounds) -> None:
    """Also those of what a run leaves alone, which are computed for the tie-out only: 5.01 for each of three lines."""
    drive.sandbox.books.business(drive.sandbox.books.main()).taxed_by_line = True
    knows(drive, tax_rounding="line")
    remap(drive, DEALS, "taxCode: none", 'taxCode: "G"')
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    for each in ("100.10", "100.10", "100.10"):
        add_line(drive.sandbox, deal, each)
    drive.run()
    drive.run_back()
    moved_on(drive)
    assert open_items(drive) == []
    assert found(drive, deal) == []


def test_lines_of_the_books_are_rounded_as_the_profile_says(drive: Rounds) -> None:
    """Half of 250.01 is 125.00 by half even: the lines agree, and only the tax does not."""
    knows(drive, rounding="half_even")
    deal = win(drive, "125.00")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    line = {**invoice["lineItems"][0], "quantity": Decimal("0.5"), "rate": 25_001, "taxCode": "G"}
    edit(drive.sandbox, "invoices", invoice, lineItems=[line])
    assert [name for name, *_ in found(drive, deal)] == ["tax"]


@pytest.mark.parametrize(("amount", "currency", "minor"), [("1500", "JPY", 1_500), ("150.123", "KWD", 150_123)])
def test_what_cannot_be_billed_counts_in_its_own_minor_unit(
    drive: Rounds, amount: str, currency: str, minor: int
) -> None:
    drive.sandbox.books.business(drive.sandbox.books.main()).currencies |= {currency}
    knows(drive, iso_minor_units=[currency])
    deal = win(drive, amount, AccountId=None, CurrencyIsoCode=currency)
    drive.run()
    assert found(drive, deal) == [("parked", 1, minor, 0)]


def test_parts_that_cannot_be_billed_count_by_part(drive: Rounds) -> None:
    deal = in_two_parts(drive)
    change(drive, deal, Description="ZZZ", Amount=Decimal("400.00"))
    drive.run()
    assert open_items(drive) == [(deal, "tax"), (deal, "tax")]
    assert found(drive, deal) == [("parked", 1, 16_000, 12_000), ("parked", 2, 24_000, 18_000)]


def test_a_deal_in_parts_that_cannot_be_made_is_parked_with_all_its_invoices(drive: Rounds) -> None:
    """Its parts are not known then: the whole deal counts with the first invoice, and each difference has its cause."""
    deal = in_two_parts(drive)
    change(drive, deal, AccountId=None)
    drive.run()
    assert open_items(drive) == [(deal, "missing_value")]
    assert found(drive, deal) == [("parked", 1, 30_000, 12_000), ("parked", 2, 0, 18_000)]


def test_a_deal_in_parts_of_which_a_person_is_asked_is_so_with_all_its_invoices(drive: Rounds) -> None:
    deal = in_two_parts(drive)
    remap(drive, DEALS, SPLIT, "fields:\n")
    change(drive, deal, Description="none")
    drive.run()
    assert open_items(drive) == [(deal, "parts_changed")]
    assert found(drive, deal) == [("a person is asked", 1, 0, 12_000), ("a person is asked", 2, 0, 18_000)]
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 12_000

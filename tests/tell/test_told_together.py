"""Several invoices of one deal are written back together, and never one over the other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, today, writes
from rounds import COLLECTION, Rounds, bearing, change, fault, moved_by, open_items, quiet, remap, remove

SPLIT = """\
rules:
  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c, dueDate: Payable__c}}
fields:
"""
TOLD = ("Invoice", "Status", "Paid", "Balance", "Last_Payment")


@pytest.fixture
def split(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    return drive


def billed(drive: Rounds, *shares: str, first: int = 0) -> str:
    """A deal over 200.00 that was billed in parts.

    :param first: days from today to the date of the first part.
    """
    box = drive.sandbox
    deal = add_deal(box, add_account(box), None)
    add_line(box, deal, "200.00")
    for place, share in enumerate(shares):
        row = {"Opportunity__c": deal, "Percent__c": Decimal(share), "Payable__c": moved_by(drive, 30)}
        box.org.insert("Billing_Milestone__c", row | {"Due__c": moved_by(drive, 0 if place else first)})
    drive.run()
    drive.run_back()
    return deal


def told(drive: Rounds, deal: str) -> tuple[Any, ...]:
    row = drive.sandbox.org.get("Opportunity", deal)
    return tuple(row[f"Kashoo_{name}__c"] for name in TOLD)


def invoice(drive: Rounds, deal: str, part: int) -> dict[str, Any]:
    (row,) = (row for row in bearing(drive, deal) if f"[sf:{deal}:{part}:" in row["memo"])
    return row


def pay(drive: Rounds, deal: str, part: int, cents: int, date: str | None = None) -> int:
    books = drive.sandbox.books
    row = invoice(drive, deal, part)
    return int(books.pay(books.main(), row["id"], cents, date or today(drive.sandbox))["id"])


def settlements(drive: Rounds, deal: str) -> list[str | None]:
    return [link.settlement for _, link in sorted(drive.store.links.parts_of("invoice", [deal])[deal].items())]


def still(drive: Rounds, deal: str) -> None:
    """Nothing more is written back, whatever runs."""
    before, said = writes(drive.sandbox)["salesforce"], told(drive, deal)
    for _ in range(3):
        drive.run_back()
    assert (writes(drive.sandbox)["salesforce"], told(drive, deal)) == (before, said)


def test_amounts_and_status_are_those_of_all_parts_together(split: Rounds) -> None:
    deal = billed(split, "30", "30", "40")
    number = invoice(split, deal, 1)["number"]
    assert told(split, deal) == (number, "Open", 0, 200, None)
    still(split, deal)
    day = today(split.sandbox)
    pay(split, deal, 2, 6_000)
    split.run_back()
    assert told(split, deal) == (number, "Partly Paid", 60, 140, day)
    still(split, deal)
    assert settlements(split, deal) == ["Open", "Paid", "Open"]
    later = moved_by(split, 1)
    split.sandbox.clock.advance(86_400)
    pay(split, deal, 1, 6_000, later)
    pay(split, deal, 3, 8_000, day)
    split.run_back()
    assert told(split, deal) == (number, "Paid", 200, 0, later)
    still(split, deal)
    assert settlements(split, deal) == ["Paid"] * 3
    quiet(split)


def test_a_payment_that_is_taken_back_is_taken_back_in_the_sum(split: Rounds) -> None:
    deal = billed(split, "50", "50")
    payment = pay(split, deal, 2, 10_000)
    split.run_back()
    assert told(split, deal)[1:4] == ("Partly Paid", 100, 100)
    split.sandbox.books.remove(split.sandbox.books.main(), "invoicePayments", payment)
    for _ in range(2):
        split.sandbox.clock.advance(7 * 86_400)
        split.run_back()
    assert told(split, deal)[1:4] == ("Open", 0, 200)
    still(split, deal)


def test_a_part_that_was_voided_counts_no_more(split: Rounds) -> None:
    remap(split, "invoice_from_opportunity", "rules:\n", "on_leave: void_unpaid\nrules:\n")
    deal = billed(split, "30", "30", "40")
    box = split.sandbox
    ids = [row["Id"] for row in box.org.rows("Billing_Milestone__c")]
    box.org.delete("Billing_Milestone__c", ids[2])
    box.org.update("Billing_Milestone__c", ids[1], {"Percent__c": Decimal(70)})
    split.run()  # voids the third
    split.run()  # lets the second follow
    split.run_back()
    assert told(split, deal)[1:4] == ("Open", 0, 200)
    still(split, deal)
    change(split, deal, StageName="Closed Lost")
    split.run()
    split.run_back()
    assert (bearing(split, deal), told(split, deal)[1]) == ([], "Void")
    still(split, deal)


def test_a_part_that_a_person_removed_counts_no_more(split: Rounds) -> None:
    deal = billed(split, "30", "70")
    second = invoice(split, deal, 2)["number"]
    remove(split, invoice(split, deal, 1))
    split.run_back()
    assert told(split, deal) == (second, "Open", 0, 140, None)
    assert [(item["part"], item["error_class"]) for item in split.store.reviews.all_open()] == [(1, "removed_in_books")]
    still(split, deal)


def test_a_refused_write_back_of_parts_is_tried_again(split: Rounds) -> None:
    deal = billed(split, "30", "70")
    pay(split, deal, 1, 6_000)
    fault(split, "row_lock", COLLECTION, "PATCH", system="salesforce", times=3, records=(deal,))
    split.run_back()
    assert len(open_items(split)) == 1
    split.run_back()
    assert (told(split, deal)[1:4], open_items(split)) == (("Partly Paid", 60, 140), [])
    still(split, deal)


def test_paid_parts_are_not_read_in_every_run(split: Rounds) -> None:
    deal = billed(split, "50", "50", first=-40)
    pay(split, deal, 1, 10_000)
    split.run_back()
    split.sandbox.clock.advance(9 * 86_400)  # its payment is listed no more
    for _ in range(3):
        split.run_back()
    log, paid = split.sandbox.logs["kashoo"], f"/invoices/{invoice(split, deal, 1)['id']}"
    seen = len(log.entries())
    split.run_back()
    assert [each["path"] for each in log.entries()[seen:] if each["path"].endswith(paid)] == []
    assert told(split, deal)[1:4] == ("Partly Paid", 100, 100)

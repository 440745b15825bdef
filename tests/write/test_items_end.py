"""What is put to a person ends with its cause."""

from __future__ import annotations

from records import invoice_of
from rounds import Rounds, bearing, open_items, remove, weeks, win
from voids import lose


def test_an_invoice_that_is_back_closes_its_item(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    invoice = invoice_of(drive.sandbox, deal)
    remove(drive, invoice)
    drive.run_back()
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    table.put({**table.rows[invoice["id"]], "removed": False})
    weeks(drive, 2)
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Open"  # this holds
    assert open_items(drive) == []


def test_voiding_the_invoice_of_a_lost_deal_closes_its_item(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))  # "Void the invoice in Kashoo, or reopen and win the deal."
    weeks(drive, 3)
    assert (deal, "no_longer_billable") not in open_items(drive)


def test_a_copy_of_a_customer_that_is_gone_closes_its_item(drive: Rounds) -> None:
    box = drive.sandbox
    account = box.org.get("Opportunity", win(drive))["AccountId"]
    drive.run()
    (customer,) = bearing(drive, account, "customers")
    twin = box.books.create(box.books.main(), "customers", {**customer})
    win(drive)
    drive.run()
    assert open_items(drive) == [(account, "possible_duplicate")]
    box.books.remove(box.books.main(), "customers", twin["id"])
    for _ in range(2):
        win(drive, "275.00")
        weeks(drive, 1)
    assert open_items(drive) == []

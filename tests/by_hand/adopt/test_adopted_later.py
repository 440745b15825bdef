"""After ``airflow kashoo adopt``: nothing is written for what was adopted, until one side changes it."""

from __future__ import annotations

from decimal import Decimal

from adoption import adopt, bill, north, other_product, silent_run
from records import add_account, add_deal, add_line, books_rows, edit, today
from rounds import Rounds, change, links, moved_by, open_items, price

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.sync.by_hand.adopt import Report, Result


def adopted(report: Report, kind: str) -> list[Intent]:
    return [each.intent for each in report.of(Result.MATCH) if each.intent.record.kind == kind]


def income(drive: Rounds) -> int:
    return next(row["id"] for row in books_rows(drive.sandbox, "accounts") if row["type"] == "INCOME")


def test_the_first_run_writes_nothing_even_for_items_that_the_books_lack(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    invoice = bill(drive, contact)
    assert [each.result for each in adopt(drive).findings if each.intent.record.kind == "item"] == [Result.NO_MATCH]
    assert links(drive) == {deal: invoice["id"]}
    silent_run(drive)
    change(drive, deal, Description="touched, and nothing mapped changed")
    silent_run(drive)
    assert books_rows(drive.sandbox, "items") == []


def test_an_item_that_comes_later_is_adopted_then(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    product = other_product(drive)
    add_line(drive.sandbox, deal, "250.00", product=product)
    bill(drive, contact)
    adopt(drive)
    name = next(row["Name"] for row in drive.sandbox.org.rows("Product2") if row["ProductCode"] == product)
    item = drive.sandbox.books.create(
        drive.sandbox.books.main(), "items", {"name": name.upper(), "code": product, "account": income(drive)}
    )
    assert [each.kashoo_id for each in adopted(adopt(drive), "item")] == [item["id"]]
    silent_run(drive)


def test_an_item_that_comes_later_changes_no_adopted_invoice(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    invoice = bill(drive, contact)
    adopt(drive)
    drive.run()
    new = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, new, "300.00", product=other_product(drive))
    drive.run()
    change(drive, deal, Description="touched, and nothing mapped changed")
    silent_run(drive)
    change(drive, deal, Name="Renamed")
    drive.run()
    changed = drive.sandbox.books.read(drive.sandbox.books.main(), "invoices", invoice["id"])
    assert changed["lineItems"] == invoice["lineItems"]
    assert changed["memo"] == f"Renamed [sf:{deal}:1:1]"
    silent_run(drive)
    assert len(books_rows(drive.sandbox, "invoices")) == 2


def test_a_later_change_in_salesforce_updates_the_adopted_invoice(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, dueDate=moved_by(drive, 14))
    adopt(drive)
    drive.run()
    price(drive, deal, "260.00")
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    assert (updated["id"], updated["totalDue"]) == (invoice["id"], 26000)
    assert updated["dueDate"] == invoice["dueDate"]
    assert updated["memo"] == f"by hand [sf:{deal}:1:1]"
    silent_run(drive)


def test_a_change_of_lines_makes_the_item_that_was_missing(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    bill(drive, contact)
    adopt(drive)
    drive.run()
    add_line(drive.sandbox, deal, "10.00", product=other_product(drive))
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    (item,) = books_rows(drive.sandbox, "items")
    assert [line["item"] for line in updated["lineItems"]] == [item["id"]] * 2
    assert updated["totalDue"] == 26000
    silent_run(drive)


def test_what_changed_in_the_books_alone_stays(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact)
    adopt(drive)
    edit(drive.sandbox, "invoices", invoice, memo="corrected by hand")
    price(drive, deal, "260.00")
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    assert (updated["totalDue"], updated["memo"]) == (26000, f"corrected by hand [sf:{deal}:1:1]")


def test_salesforce_learns_the_numbers_and_payments_of_adopted_invoices(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, date=moved_by(drive, -20))
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 10000, moved_by(drive, -10))
    adopt(drive)
    drive.run_back()
    told = drive.sandbox.org.get("Opportunity", deal)
    assert (told["Kashoo_Invoice__c"], told["Kashoo_Status__c"]) == (invoice["number"], "Partly Paid")
    assert told["Kashoo_Paid__c"] == Decimal(100)


def test_a_parked_deal_that_is_adopted_waits_no_longer(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights")
    deal = add_deal(drive.sandbox, account)
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), today(drive.sandbox))
    drive.run()
    assert [ident for ident, _ in open_items(drive)] == [deal]
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), None)
    (known,) = books_rows(drive.sandbox, "customers")
    invoice = bill(drive, known["id"])
    drive.sandbox.clock.advance(7200)
    adopt(drive, since=None)  # no window holds it, but it is read for being parked
    assert links(drive) == {deal: invoice["id"]}
    assert open_items(drive) == []

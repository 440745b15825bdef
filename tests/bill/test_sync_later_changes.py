"""What happens after an invoice was made: changes on either side, payments, two sources of one sale, old customers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from driver import Driver
from records import (
    add_account,
    add_deal,
    add_line,
    add_order,
    books_rows,
    edit,
    invoice_of,
    invoices_of,
    today,
    writes,
)

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Driver]:
    with Sandbox(dataset="empty") as box:
        yield Driver(box, tmp_path)


def pay(drive: Driver, invoice: dict[str, Any], cents: int) -> dict[str, Any]:
    return drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], cents)


def change_deal(drive: Driver, deal: str, **fields: Any) -> None:
    drive.sandbox.org.update("Opportunity", deal, fields)


def reviews(drive: Driver) -> list[tuple[str, str, str, str, str]]:
    names = ("source_object", "source_id", "error_class", "cause", "fix")
    return [tuple(row[name] for name in names) for row in drive.sync().store.reviews.all_open()]


def told(drive: Driver, ident: str, sobject: str = "Opportunity") -> tuple[Any, ...]:
    """Give what Salesforce was told: status, paid, balance, day of the last payment, invoice number."""
    row = drive.sandbox.org.get(sobject, ident)
    names = ("Status", "Paid", "Balance", "Last_Payment", "Invoice")
    return tuple(row[f"Kashoo_{name}__c"] for name in names)


# -- the deal changes


def test_a_reopened_deal_becomes_one_review_item_and_its_invoice_stays(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    change_deal(drive, deal, StageName="Negotiation/Review")
    for _ in range(4):
        drive.run()
    cause = "the deal no longer meets `IsWon`, but its invoice still exists"
    fix = "Void the invoice in Kashoo, or reopen and win the deal."
    assert reviews(drive) == [("Opportunity", deal, "no_longer_billable", cause, fix)]
    assert invoice_of(drive.sandbox, deal) == before
    assert drive.sync().store.journal.unsettled(State.PARKED, State.RETRY) == []


def test_a_deleted_deal_becomes_a_review_item_and_its_invoice_stays(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    drive.run()
    assert [row[1:4] for row in reviews(drive)] == [
        (deal, "no_longer_billable", "the deal is deleted in Salesforce, but its invoice still exists")
    ]
    assert invoice_of(drive.sandbox, deal) == before


def test_a_changed_deal_updates_its_invoice_and_keeps_reference_and_a_persons_text(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), Name="Big sale")
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    assert made["memo"] == f"Big sale [sf:{deal}:1:1]"
    edit(drive.sandbox, "invoices", made, memo=f"Call Bob first. {made['memo']} Thanks!", terms="by cheque")
    change_deal(drive, deal, Amount=Decimal("310.50"))
    assert drive.run().outcome["updated"] == 1
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["id"], invoice["number"]) == (made["id"], made["number"])
    assert (invoice["totalDue"], invoice["balanceDue"]) == (31050, 31050)
    assert invoice["memo"] == f"Call Bob first. Big sale [sf:{deal}:1:1] Thanks!"
    assert invoice["terms"] == "by cheque"
    assert reviews(drive) == []
    before = writes(drive.sandbox)
    drive.run()
    assert writes(drive.sandbox) == before


def test_new_and_removed_products_of_a_deal_reach_its_invoice(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    lamp = add_line(drive.sandbox, deal, "49.99", quantity="3")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 14997
    add_line(drive.sandbox, deal, "95.00", quantity="1.5", product="SV-200")
    drive.sandbox.org.delete("OpportunityLineItem", lamp)
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    assert invoice["totalDue"] == 14250
    assert [(str(line["quantity"]), line["rate"]) for line in invoice["lineItems"]] == [("1.5", 9500)]


def test_a_deal_changed_after_money_came_in_is_for_a_person(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    pay(drive, invoice_of(drive.sandbox, deal), 100)
    before = invoice_of(drive.sandbox, deal)
    change_deal(drive, deal, Amount=Decimal("300.00"))
    for _ in range(3):
        drive.run()
    cause = "the deal changed after a payment was received: total 250.00 USD -> 300.00 USD"
    fix = "Correct the invoice in Kashoo, or undo the change in Salesforce."
    assert reviews(drive) == [("Opportunity", deal, "paid_invoice_changed", cause, fix)]
    assert invoice_of(drive.sandbox, deal) == before


def test_another_customer_on_a_billed_deal_is_for_a_person(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    change_deal(drive, deal, AccountId=add_account(drive.sandbox, "Somebody Else"))
    drive.run()
    ((*_, error_class, cause, _),) = reviews(drive)
    assert error_class == "identity_changed"
    assert cause.startswith("contact changed after the deal was invoiced: the deal says ")
    assert cause.count(", 250.00 USD, customer 001") == 2
    assert invoice_of(drive.sandbox, deal) == before


def test_an_invoice_removed_by_hand_is_never_made_again(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice_of(drive.sandbox, deal)["id"])
    for amount in ("300.00", "310.00"):
        change_deal(drive, deal, Amount=Decimal(amount))
        drive.run()
        drive.run_back()
    fix = "Restore it in Kashoo, or leave it so and dismiss this item."
    assert reviews(drive) == [("Opportunity", deal, "removed_in_books", "it was removed in Kashoo", fix)]
    assert books_rows(drive.sandbox, "invoices") == []


def test_lines_edited_on_both_sides_stay_as_the_books_have_them(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", made, lineItems=[{**made["lineItems"][0], "rate": 26000}])
    change_deal(drive, deal, Amount=Decimal("240.00"))
    drive.run()
    assert [row[2] for row in reviews(drive)] == ["changed_on_both_sides"]
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 26000


def test_a_change_into_a_locked_period_is_parked_and_goes_on_when_it_is_open_again(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    main = drive.sandbox.books.main()
    drive.sandbox.books.lock_until(main, today(drive.sandbox))
    change_deal(drive, deal, Amount=Decimal("300.00"))
    drive.run()
    drive.run()
    parked = drive.sync().store.journal.unsettled(State.PARKED)
    assert [(row["source_id"], row["error_class"]) for row in parked] == [(deal, "refused")]
    assert "The books are locked up to" in parked[0]["cause"]
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000
    drive.sandbox.books.lock_until(main, None)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 30000
    assert drive.sync().store.journal.unsettled(State.PARKED) == []


# -- one sale, two objects


def test_order_and_deal_of_one_sale_in_one_run_become_one_invoice(drive: Driver) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    done = drive.run()
    assert "skip: its sale is billed through its Opportunity" in done.summary.reasons
    assert len(books_rows(drive.sandbox, "invoices")) == 1
    assert (len(invoices_of(drive.sandbox, deal)), len(invoices_of(drive.sandbox, order))) == (1, 0)


def test_an_order_after_its_billed_deal_is_left_out(drive: Driver) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    add_order(drive.sandbox, account, deal)
    for _ in range(2):
        done = drive.run()
        assert done.summary.reasons["skip: its sale is billed through its Opportunity"] == 1
    assert books_rows(drive.sandbox, "invoices") == [before]


def test_a_deal_won_after_its_billed_order_is_left_out(drive: Driver) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, StageName="Negotiation/Review")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    before = invoice_of(drive.sandbox, order)
    change_deal(drive, deal, StageName="Closed Won")
    done = drive.run()
    assert done.summary.reasons == {"skip: its sale is billed through its Order": 1}
    assert books_rows(drive.sandbox, "invoices") == [before]


def test_an_order_is_billed_when_the_deal_it_gave_way_to_is_lost_after_all(drive: Driver) -> None:
    account, box = add_account(drive.sandbox), drive.sandbox
    box.books.lock_until(box.books.main(), "2026-01-31")
    deal = add_deal(box, account, CloseDate="2026-01-15")
    order = add_order(box, account, deal)
    for _ in range(3):  # until no window holds the order any more
        drive.run()
        box.clock.advance(3600)
    assert books_rows(box, "invoices") == []
    change_deal(drive, deal, StageName="Closed Lost")
    drive.run()
    assert invoice_of(box, order)["totalDue"] == 25000
    assert drive.sync().store.journal.unsettled(State.PARKED) == []


def test_what_came_in_for_an_order_is_written_to_the_order(drive: Driver) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, StageName="Negotiation/Review")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    invoice = invoice_of(drive.sandbox, order)
    pay(drive, invoice, 25000)
    drive.run_back()
    assert told(drive, order, "Order") == ("Paid", 250, 0, today(drive.sandbox), invoice["number"])
    assert told(drive, deal) == (None, None, None, None, None)


# -- money comes and goes


def test_payments_refunds_and_reversals_end_in_what_the_books_hold(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    invoice, day = invoice_of(drive.sandbox, deal), today(drive.sandbox)
    number = invoice["number"]
    drive.run_back()
    assert told(drive, deal) == ("Open", 0, 250, None, number)
    first = pay(drive, invoice, 10000)
    drive.run_back()
    assert told(drive, deal) == ("Partly Paid", 100, 150, day, number)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", first["id"])
    drive.run_back()
    assert told(drive, deal) == ("Open", 0, 250, None, number)
    pay(drive, invoice, 25000)
    drive.run_back()
    assert told(drive, deal) == ("Paid", 250, 0, day, number)
    pay(drive, invoice, -25000)
    drive.run_back()
    assert told(drive, deal) == ("Refunded", 0, 250, day, number)
    pay(drive, invoice, 26000)
    drive.run_back()
    assert told(drive, deal)[:3] == ("Overpaid", 250, 0)
    before = writes(drive.sandbox)
    drive.run_back()
    assert writes(drive.sandbox) == before


def test_a_full_payment_reversed_later_is_noticed_within_a_week(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    payment = pay(drive, invoice_of(drive.sandbox, deal), 25000)
    drive.run_back()
    assert told(drive, deal)[0] == "Paid"
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", payment["id"])
    with drive.database.begin() as connection:
        connection.exec_driver_sql("UPDATE watermarks SET value = value - 7 * 86400 WHERE source LIKE 'kashoo.%'")
    drive.run_back()
    assert told(drive, deal)[:3] == ("Open", 0, 250)


def test_a_payment_by_cents_and_one_over_several_invoices_are_written_exactly(drive: Driver) -> None:
    account = add_account(drive.sandbox)
    deals = [add_deal(drive.sandbox, account, amount) for amount in ("100.01", "333.33")]
    drive.run()
    one, two = (invoice_of(drive.sandbox, deal) for deal in deals)
    books, main = drive.sandbox.books, drive.sandbox.books.main()
    parts = [{"amount": 1, "record": one["id"]}, {"amount": 33332, "record": two["id"]}]
    body = {"contact": one["contact"], "currency": "USD", "date": today(drive.sandbox), "amount": 33333}
    books.create(main, "invoicePayments", {**body, "allocations": parts})
    drive.run_back()
    assert [told(drive, deal)[:3] for deal in deals] == [
        ("Partly Paid", Decimal("0.01"), Decimal("100.00")),
        ("Partly Paid", Decimal("333.32"), Decimal("0.01")),
    ]


# -- customers


def test_an_account_changed_later_updates_its_customer_only(drive: Driver) -> None:
    account = add_account(drive.sandbox, "Old Name", "old@name.example", BillingCity="Reno")
    never_sold = add_account(drive.sandbox, "Window Shopper")
    deal = add_deal(drive.sandbox, account)
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    drive.sandbox.org.update("Account", account, {"Name": "New Name"})
    drive.sandbox.org.update("Account", never_sold, {"Phone": "+1 555 0100"})
    done = drive.run()
    assert done.outcome["updated"] == 1
    (customer,) = books_rows(drive.sandbox, "customers")
    info = customer["contactInformation"]
    assert (info["name"], info["email"], info["address"]["city"]) == ("New Name", "old@name.example", "Reno")
    assert f"[sf:{account}:1:1]" in customer["notes"]
    assert invoice_of(drive.sandbox, deal) == {**before, "contactName": "New Name"}


def test_the_contact_of_an_account_changed_later_updates_its_customer(drive: Driver) -> None:
    account = add_account(drive.sandbox, email="old@name.example")
    add_deal(drive.sandbox, account)
    drive.run()
    (contact,) = drive.sandbox.org.rows("Contact")
    drive.sandbox.org.update("Contact", contact["Id"], {"Email": "new@name.example"})
    drive.run()
    assert [row["contactInformation"]["email"] for row in books_rows(drive.sandbox, "customers")] == [
        "new@name.example"
    ]


@pytest.mark.parametrize(
    ("info", "email", "evidence"),
    [
        ({"name": "ACME ltd", "email": "Pay@Acme.example", "address": {}}, "pay@acme.example", "same e-mail"),
        ({"name": "ACME ltd", "address": {"postalCode": "97-201"}}, None, "same name and postal code"),
    ],
)
def test_a_customer_that_stands_in_the_books_is_linked_and_not_written(
    drive: Driver, info: dict[str, Any], email: str | None, evidence: str
) -> None:
    books = drive.sandbox.books
    known = books.create(books.main(), "customers", {"contactInformation": info, "notes": "pays late"})
    account = add_account(drive.sandbox, "Acme, Ltd.", email, BillingPostalCode="97201", BillingCity="Portland")
    deal = add_deal(drive.sandbox, account)
    done = drive.run()
    assert done.summary.actions["customer"] == {"link": 1}
    assert invoice_of(drive.sandbox, deal)["contact"] == known["id"]
    drive.run()
    (customer,) = books_rows(drive.sandbox, "customers")
    assert customer == known
    link = drive.sync().store.links.of_sources("customer", [account])[account]
    assert (link.kashoo_id, link.version) == (known["id"], 1)
    with drive.database.begin() as connection:
        reasons = connection.exec_driver_sql("SELECT reason FROM audit WHERE event = 'link'").scalars().all()
    assert reasons == [f"in the books already: {evidence}"]


def test_a_new_store_adopts_the_invoices_an_earlier_one_made(drive: Driver, tmp_path: Path) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    before = books_rows(drive.sandbox, "invoices")
    (tmp_path / "second").mkdir()
    second = Driver(drive.sandbox, tmp_path / "second")
    assert second.run().outcome == {"linked": 2}
    change_deal(second, deal, Amount=Decimal("260.00"))
    second.run()
    after = books_rows(drive.sandbox, "invoices")
    assert [(row["id"], row["totalDue"]) for row in after] == [(before[0]["id"], 26000)]

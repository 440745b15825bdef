"""What Salesforce may refuse, and kinds of payments that are seldom: parked with a cause, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from receivables import back, billed, made, pay, with_receivables, write_mapping
from records import add_account, add_deal, books_rows, invoice_of, set_currencies, today
from rounds import Rounds, fault, open_items

from airflow_provider_kashoo.sandbox.salesforce.records import OwnRule

RECORD = "Kashoo_Invoice__c"
Spoil = Callable[[Rounds], None]


@pytest.fixture
def told(drive: Rounds) -> Rounds:
    return with_receivables(drive)


def by_rule(kind: str, **more: Any) -> Spoil:
    return lambda drive: drive.sandbox.org.refuse(RECORD, OwnRule(kind, "No.", **more))


def hidden(drive: Rounds) -> None:
    drive.sandbox.org.schema.hide(RECORD, "Balance__c")


def other_status(drive: Rounds) -> None:
    path = drive.mappings / "invoice_to_own_record.yaml"
    text = path.read_text("utf-8").replace("Status__c: {from: status}", "Status__c: {text: '{status}!'}")
    write_mapping(drive, path.stem, text)


REFUSALS: dict[str, Spoil] = {
    "field_custom_validation_exception": by_rule("validation"),
    "duplicates_detected": by_rule("duplicate"),
    "invalid_field": hidden,
}


@pytest.mark.parametrize("why", REFUSALS)
def test_what_is_refused_waits_with_its_cause_and_everything_else_is_written(told: Rounds, why: str) -> None:
    deal = billed(told)
    before = made(told, RECORD, Opportunity__c=deal)
    pay(told, deal, 10000)
    REFUSALS[why](told)
    back(told)
    assert open_items(told) == [(deal, why)]
    assert made(told, RECORD, Opportunity__c=deal)[0]["LastModifiedDate"] == before[0]["LastModifiedDate"]
    assert told.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Partly Paid"
    assert len(made(told, "Kashoo_Payment__c")) == 1
    told.sandbox.org.refuse_nothing()
    told.sandbox.org.schema.show(RECORD, "Balance__c")
    back(told)
    assert (made(told, RECORD, Opportunity__c=deal)[0]["Balance__c"], open_items(told)) == (150, [])


def test_a_value_that_a_restricted_picklist_does_not_have_waits(told: Rounds) -> None:
    other_status(told)
    deal = billed(told)
    assert (deal, "does_not_fit") in open_items(told)
    assert made(told, RECORD) == []


def test_a_locked_row_is_tried_again_in_the_same_run(told: Rounds) -> None:
    deal = billed(told)
    pay(told, deal, 10000)
    fault(told, "row_lock", "composite/sobjects$", "PATCH", system="salesforce")
    back(told)
    assert (made(told, RECORD, Opportunity__c=deal)[0]["Balance__c"], open_items(told)) == (150, [])


def test_a_full_file_store_parks_the_file_alone(told: Rounds) -> None:
    path = told.mappings / "payment_to_opportunity.yaml"
    attaching = path.read_text("utf-8").replace("to: Opportunity\n", "to: Opportunity\nattach_pdf: true\n")
    write_mapping(told, path.stem, attaching)
    told.sandbox.org.storage_full = True
    deal = billed(told)
    assert (deal, "storage_limit_exceeded") in open_items(told)
    assert len(made(told, RECORD, Opportunity__c=deal)) == 1
    told.sandbox.org.storage_full = False
    back(told, 0.1)
    assert open_items(told) == []


def test_one_payment_of_two_invoices_is_a_record_for_each_share(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deals = [add_deal(told.sandbox, account, amount) for amount in ("250.00", "100.00")]
    told.run()
    told.run_back()
    invoices = [invoice_of(told.sandbox, deal) for deal in deals]
    payment = pay(told, deals[0], 20000)
    table = told.sandbox.books.business(told.sandbox.books.main()).tables["invoicePayments"]
    shares = [
        {"record": invoice["id"], "amount": cents} for invoice, cents in zip(invoices, (15000, 5000), strict=True)
    ]
    told.sandbox.books.remove(told.sandbox.books.main(), "invoicePayments", payment)
    kept = {name: table.rows[payment][name] for name in ("account", "contact", "currency")}
    body = {**kept, "type": "invoicePayment", "date": today(told.sandbox), "amount": 20000, "allocations": shares}
    both = told.sandbox.books.create(told.sandbox.books.main(), "invoicePayments", {**body, "unallocatedAmount": 0})
    back(told)
    rows = made(told, "Kashoo_Payment__c", Name=f"Payment {both['id']}")
    assert sorted(row["Amount__c"] for row in rows) == [50, 150]
    balances = [made(told, RECORD, Opportunity__c=deal)[0]["Balance__c"] for deal in deals]
    assert (balances, open_items(told)) == ([100, 50], [])


def test_what_was_paid_too_much_is_named_as_a_credit(told: Rounds) -> None:
    deal = billed(told)
    pay(told, deal, 30000)
    back(told)
    (record,), (payment,) = made(told, RECORD, Opportunity__c=deal), made(told, "Kashoo_Payment__c")
    assert (record["Status__c"], record["Balance__c"]) == ("Overpaid", 0)
    assert (payment["Amount__c"], payment["Unallocated__c"]) == (250, 50)


def test_a_payment_of_an_invoice_that_we_do_not_know_makes_nothing(told: Rounds) -> None:
    billed(told)
    books, main = told.sandbox.books, told.sandbox.books.main()
    ours = books_rows(told.sandbox, "invoices")[-1]
    kept = {name: ours[name] for name in ("date", "contact", "currency", "lineItems")}
    by_hand = books.create(main, "invoices", {**kept, "memo": "by hand"})
    books.pay(main, by_hand["id"], 5000)
    back(told)
    assert (made(told, "Kashoo_Payment__c"), open_items(told)) == ([], [])


def test_records_are_in_the_currency_of_their_invoice(told: Rounds) -> None:
    set_currencies(told.sandbox, "USD", "EUR")
    deal = billed(told, CurrencyIsoCode="EUR")
    pay(told, deal, 10000)
    back(told)
    (record,), (payment,) = made(told, RECORD, Opportunity__c=deal), made(told, "Kashoo_Payment__c")
    assert (record["CurrencyIsoCode"], payment["CurrencyIsoCode"]) == ("EUR", "EUR")


@pytest.mark.parametrize(("said", "sent"), [("", "FALSE"), ("auto_assign: true\n", "TRUE")])
def test_assignment_rules_run_only_if_the_mapping_says_so(told: Rounds, said: str, sent: str) -> None:
    path = told.mappings / "case_from_overdue_invoice.yaml"
    write_mapping(
        told, path.stem, path.read_text("utf-8").replace("match: Kashoo_Key__c\n", f"match: Kashoo_Key__c\n{said}")
    )
    billed(told)
    back(told, 50)
    asked = [each for each in told.sandbox.logs["salesforce"].entries() if each["path"].endswith("Case/Kashoo_Key__c")]
    assert {each["options"]["sforce-auto-assign"] for each in asked} == {sent}

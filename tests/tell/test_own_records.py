"""Records of our own in Salesforce: one for each invoice and payment, Cases that come and go, balances of Accounts."""

from __future__ import annotations

from typing import Any

import pytest
from receivables import back, balance, billed, made, pay, with_receivables, write_mapping
from records import add_account, add_deal, edit, invoice_of, set_currencies, writes
from rounds import Rounds, bearing, fault, open_items, win


@pytest.fixture
def told(drive: Rounds) -> Rounds:
    """All mappings of the examples, beside those that bill."""
    return with_receivables(drive)


def test_each_invoice_and_each_payment_has_one_record_that_follows_it(told: Rounds) -> None:
    deal = billed(told)
    (record,) = made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    invoice = invoice_of(told.sandbox, deal)
    assert (record["Name"], record["Status__c"], record["Balance__c"]) == (invoice["number"], "Open", 250)
    assert record["Account__c"] == told.sandbox.org.get("Opportunity", deal)["AccountId"]
    first = pay(told, deal, 10000)
    back(told)
    second = pay(told, deal, 15000)
    back(told)
    (record,) = made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    assert (record["Status__c"], record["Paid__c"], record["Balance__c"]) == ("Paid", 250, 0)
    payments = made(told, "Kashoo_Payment__c", Kashoo_Invoice__c=record["Id"])
    assert sorted((row["Name"], row["Amount__c"]) for row in payments) == [
        (f"Payment {first}", 100),
        (f"Payment {second}", 150),
    ]
    told.sandbox.books.remove(told.sandbox.books.main(), "invoicePayments", first)
    back(told, 8)
    payments = made(told, "Kashoo_Payment__c", Kashoo_Invoice__c=record["Id"])
    assert sorted((row["Name"], row["Amount__c"]) for row in payments) == [
        (f"Deleted {first}", 0),
        (f"Payment {second}", 150),
    ]
    assert open_items(told) == []
    before = writes(told.sandbox)
    back(told)
    back(told)
    assert writes(told.sandbox) == before


def test_a_late_invoice_has_one_case_until_it_is_paid(told: Rounds) -> None:
    deal = billed(told)
    back(told, 30 + 13)
    assert made(told, "Case") == []
    back(told)
    back(told)
    (case,) = made(told, "Case", Opportunity__c=deal)
    assert case["Status"] == "New"
    assert case["Subject"] == f"Invoice {invoice_of(told.sandbox, deal)['number']} is late"
    told.sandbox.org.update("Case", case["Id"], {"Status": "Working"})
    pay(told, deal, 10000)
    back(told)
    (case,) = made(told, "Case", Opportunity__c=deal)
    assert case["Status"] == "Working"  # what a person changed stays
    assert case["Description"].startswith("150.00")
    back(told)
    assert comments(told, case) == [f"100.00 USD of invoice {_number(told, deal)} is paid; 150.00 is still open."]
    pay(told, deal, 15000)
    back(told)
    (case,) = made(told, "Case", Opportunity__c=deal)
    assert case["Status"] == "Closed"
    assert open_items(told) == []


def test_a_case_that_a_person_closed_stays_closed_and_a_next_one_comes_if_it_is_late_again(told: Rounds) -> None:
    deal = billed(told)
    back(told, 50)
    (case,) = made(told, "Case", Opportunity__c=deal)
    told.sandbox.org.update("Case", case["Id"], {"Status": "Closed"})
    back(told, 5)
    assert [row["Id"] for row in made(told, "Case", Opportunity__c=deal)] == [case["Id"]]
    invoice = invoice_of(told.sandbox, deal)
    edit(told.sandbox, "invoices", invoice, dueDate=_later(invoice["dueDate"], 60))
    back(told)
    back(told, 60)
    cases = made(told, "Case", Opportunity__c=deal)
    assert sorted(row["Status"] for row in cases) == ["Closed", "New"]
    assert open_items(told) == []


def comments(drive: Rounds, case: dict[str, Any]) -> list[str]:
    return [row["CommentBody"] for row in made(drive, "CaseComment", ParentId=case["Id"])]


def _number(drive: Rounds, deal: str) -> str:
    return str(invoice_of(drive.sandbox, deal)["number"])


def _later(day: str, days: int) -> str:
    from datetime import date, timedelta

    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def test_an_account_says_what_its_customer_owes(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deals = [add_deal(told.sandbox, account, amount) for amount in ("250.00", "100.00")]
    told.run()
    told.run_back()
    assert balance(told, account) == (350, None, None)
    pay(told, deals[0], 25000)
    back(told)
    assert balance(told, account)[0] == 100
    back(told, 40)
    row = told.sandbox.org.get("Account", account)
    assert row["Kashoo_Overdue_Since__c"] == invoice_of(told.sandbox, deals[1])["dueDate"]
    pay(told, deals[1], 10000)
    back(told)
    assert balance(told, account)[:2] == (0, None)
    assert open_items(told) == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_record_without_an_answer_is_made_once(told: Rounds, kind: str) -> None:
    deal = win(told)
    told.run()
    fault(told, kind, "composite/sobjects/Kashoo_Invoice__c/Kashoo_Id__c$", "PATCH", system="salesforce", times=9)
    with pytest.raises(Exception, match="Salesforce"):
        told.run_back()
    told.sandbox.faults["salesforce"].clear()
    back(told, 0.1)
    assert len(made(told, "Kashoo_Invoice__c", Opportunity__c=deal)) == 1
    assert open_items(told) == []


def test_a_deleted_record_is_made_again_but_no_deleted_case(told: Rounds) -> None:
    deal = billed(told)
    back(told, 50)
    (case,), (record,) = made(told, "Case", Opportunity__c=deal), made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    told.sandbox.org.delete("Case", case["Id"])
    told.sandbox.org.delete("Kashoo_Invoice__c", record["Id"])
    pay(told, deal, 10000)
    back(told)
    back(told)
    assert made(told, "Case", Opportunity__c=deal) == []
    (again,) = made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    assert (again["Name"], again["Balance__c"]) == (record["Name"], 150)
    assert open_items(told) == []


def test_the_record_of_a_void_invoice_says_so(told: Rounds) -> None:
    deal = billed(told)
    (invoice,) = bearing(told, deal)
    told.sandbox.books.remove(told.sandbox.books.main(), "invoices", invoice["id"])
    back(told, 8)
    (record,) = made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    assert record["Status__c"] == "Void"


RESOLVES = """version: 1
name: case_that_waits_for_money
from: {object: invoice}
to: Case
find:
  Opportunity__c: {from: deal}
  Status: Escalated
when:
  - status == "Paid"
fields:
  Status: Closed
"""


def test_a_payment_resolves_the_case_that_waits_for_it(told: Rounds) -> None:
    write_mapping(told, "case_that_waits_for_money", RESOLVES)
    deal, other = billed(told), billed(told)
    new = told.sandbox.org.insert
    waiting = new("Case", {"Subject": "Where is the money?", "Status": "Escalated", "Opportunity__c": deal})
    working = new("Case", {"Subject": "A question", "Status": "Working", "Opportunity__c": deal})
    elsewhere = new("Case", {"Subject": "Where is the money?", "Status": "Escalated", "Opportunity__c": other})
    back(told)
    assert told.sandbox.org.get("Case", waiting)["Status"] == "Escalated"
    pay(told, deal, 25000)
    back(told)
    status = [told.sandbox.org.get("Case", each)["Status"] for each in (waiting, working, elsewhere)]
    assert status == ["Closed", "Working", "Escalated"]
    assert open_items(told) == []


def test_what_salesforce_refuses_is_parked_alone_and_closes_once_it_is_mended(told: Rounds) -> None:
    deal, other = billed(told), billed(told)
    (record,) = made(told, "Kashoo_Invoice__c", Opportunity__c=deal)
    told.sandbox.org.schema.hide("Kashoo_Invoice__c", "Balance__c")
    pay(told, other, 10000)
    back(told)
    assert open_items(told) == [(other, "invalid_field")]
    assert told.sandbox.org.get("Opportunity", other)["Kashoo_Status__c"] == "Partly Paid"
    assert len(made(told, "Kashoo_Payment__c")) == 1
    told.sandbox.org.schema.show("Kashoo_Invoice__c", "Balance__c")
    back(told)
    assert made(told, "Kashoo_Invoice__c", Opportunity__c=other)[0]["Balance__c"] == 150
    assert made(told, "Kashoo_Invoice__c", Opportunity__c=deal) == [record]
    assert open_items(told) == []


def test_one_balance_does_not_mix_currencies(told: Rounds) -> None:
    set_currencies(told.sandbox, "USD", "CAD")
    account = add_account(told.sandbox)
    add_deal(told.sandbox, account, "250.00")
    other = add_deal(told.sandbox, account, "100.00")
    told.run()
    edit(told.sandbox, "invoices", invoice_of(told.sandbox, other), currency="CAD")
    told.run_back()
    assert (account, "several_currencies") in open_items(told)
    pay(told, other, 10000)
    back(told)
    assert balance(told, account)[0] == 250
    assert (account, "several_currencies") not in open_items(told)

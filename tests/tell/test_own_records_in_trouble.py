"""Records of our own when something goes wrong on the way: nothing is said that the books do not say."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from odd import Odd, spoiled
from receivables import DAY, back, balance, billed, made, pay, with_receivables, write_mapping
from records import add_account, add_deal, add_line, edit, today, writes
from rounds import Rounds, bearing, change, fault, open_items, remap, win

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.sandbox.salesforce.records import OwnRule


@pytest.fixture
def told(drive: Rounds) -> Rounds:
    return with_receivables(drive)


def payments(drive: Rounds, deal: str) -> list[tuple[str, Any]]:
    (record,) = made(drive, "Kashoo_Invoice__c", Opportunity__c=deal)
    rows = made(drive, "Kashoo_Payment__c", Kashoo_Invoice__c=record["Id"])
    return sorted((row["Name"], row["Amount__c"]) for row in rows)


def refuse(drive: Rounds, sobject: str) -> None:
    drive.sandbox.org.refuse(sobject, OwnRule("validation", "No."))


def test_payments_that_were_not_listed_are_not_taken_for_deleted(told: Rounds) -> None:
    deal = billed(told)
    pay(told, deal, 10000)
    back(told)
    pay(told, deal, -10000)
    back(told)
    back(told, 60)
    before = payments(told, deal)
    new = pay(told, deal, 5000)  # by itself it explains the balance
    back(told, 0.1)
    assert payments(told, deal) == sorted([*before, (f"Payment {new}", 50)])


def test_a_payment_that_cannot_be_read_changes_no_record(told: Rounds) -> None:
    deal = billed(told)
    first = pay(told, deal, 10000)
    back(told)
    pay(told, deal, 100)
    with spoiled(told.sandbox, "kashoo", Odd(first, "allocations.0.amount", "null")):
        back(told, 0.5)
        assert payments(told, deal) == [(f"Payment {first}", 100)]
        assert (deal, "unreadable") in open_items(told)
    back(told, 0.5)
    assert (len(payments(told, deal)), open_items(told)) == (2, [])


def test_a_voided_invoice_says_so_although_the_deal_was_billed_again(told: Rounds) -> None:
    remap(told, "invoice_from_opportunity", "fields:\n", "on_leave: void_unpaid\nfields:\n")
    deal = billed(told)
    for stage in ("Closed Lost", "Closed Won"):
        change(told, deal, StageName=stage)
        told.sandbox.clock.advance(3600)
        told.run()
    back(told, 0.1)
    rows = sorted((row["Status__c"], row["Balance__c"]) for row in made(told, "Kashoo_Invoice__c", Opportunity__c=deal))
    assert rows == [("Open", 250), ("Void", 0)]


def test_a_closed_case_stays_closed_when_an_answer_is_lost(told: Rounds) -> None:
    deal = billed(told)
    back(told, 50)
    (case,) = made(told, "Case", Opportunity__c=deal)
    told.sandbox.org.update("Case", case["Id"], {"Status": "Closed"})
    pay(told, deal, 10000)
    told.sandbox.clock.advance(DAY)
    fault(told, "drop_after", "composite/sobjects$", "PATCH", system="salesforce", times=9)
    with suppress(UnreachableError):
        told.run_back()
    told.sandbox.faults["salesforce"].clear()
    back(told, 0.1)
    (case,) = made(told, "Case", Opportunity__c=deal)
    assert (case["Status"], case["Description"][:6], open_items(told)) == ("Closed", "150.00", [])


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_a_case_that_never_came_to_be_is_not_made_for_being_closed(told: Rounds, how: str) -> None:
    deal = billed(told)
    if how == "refused":
        refuse(told, "Case")
    else:
        fault(told, "drop_before", "composite/sobjects/Case/", "PATCH", system="salesforce", times=9)
    with suppress(UnreachableError):
        back(told, 50)
    told.sandbox.org.refuse_nothing()
    told.sandbox.faults["salesforce"].clear()
    pay(told, deal, 25000)
    back(told)
    back(told)
    assert (made(told, "Case", Opportunity__c=deal), open_items(told)) == ([], [])
    assert made(told, "Case", Subject=None) == []


def test_a_closing_that_is_refused_for_another_record_waits(told: Rounds) -> None:
    path = told.mappings / "case_from_overdue_invoice.yaml"
    nobody = path.read_text("utf-8").replace("  Status: Closed\n", "  Status: Closed\n  OwnerId: 005000000000001AAA\n")
    write_mapping(told, path.stem, nobody)
    deal = billed(told)
    back(told, 50)
    pay(told, deal, 25000)
    back(told)
    (case,) = made(told, "Case", Opportunity__c=deal)
    assert case["Status"] == "New"
    assert (deal, "invalid_cross_reference_key") in open_items(told)


def test_a_comment_that_was_refused_is_not_made_once_all_is_paid(told: Rounds) -> None:
    deal = billed(told)
    back(told, 50)
    pay(told, deal, 10000)
    refuse(told, "CaseComment")
    back(told)
    assert open_items(told) != []
    told.sandbox.org.refuse_nothing()
    pay(told, deal, 15000)
    back(told)
    back(told)
    assert (made(told, "CaseComment"), open_items(told)) == ([], [])


def test_an_account_says_what_is_open_while_an_invoice_is_refunded(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    pay(told, deal, 10000)
    back(told, 0.2)
    pay(told, deal, -10000)
    seen = []
    for days in (0.2, 1, 10, 1):
        back(told, days)
        seen.append(balance(told, account)[0])
    assert seen == [250] * 4


def test_no_balance_is_written_while_an_invoice_does_not_say_whose_it_is(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal, _ = (add_deal(told.sandbox, account, amount) for amount in ("250.00", "100.00"))
    told.run()
    told.run_back()
    (invoice,) = bearing(told, deal)
    with spoiled(told.sandbox, "kashoo", Odd(invoice["id"], "contact", "null")):
        back(told, 0.2)
        assert balance(told, account)[0] == 350


def test_an_account_that_was_merged_is_not_written_to_for_ever(told: Rounds) -> None:
    winner, loser = (add_account(told.sandbox, name, f"{name}@x.example") for name in ("Winner", "Loser"))
    deals = [add_deal(told.sandbox, account, "250.00") for account in (winner, loser)]
    told.run()
    told.run_back()
    told.sandbox.org.merge("Account", winner, [loser])
    pay(told, deals[1], 10000)
    for _ in range(2):
        told.sandbox.clock.advance(DAY)
        told.run()
        told.run_back()
    before = writes(told.sandbox)
    back(told, 0.1)
    back(told, 0.1)
    assert writes(told.sandbox) == before


def test_an_odd_line_stops_one_pdf_and_nothing_else(told: Rounds) -> None:
    remap(told, "payment_to_opportunity", "to: Opportunity\n", "to: Opportunity\nattach_pdf: true\n")
    deals = [win(told) for _ in range(3)]
    told.run()
    (invoice,) = bearing(told, deals[0])
    with spoiled(told.sandbox, "kashoo", Odd(invoice["id"], "lineItems.0.quantity", "null")):
        back(told, 0.2)
        links = [row["LinkedEntityId"] for row in told.sandbox.org.rows("ContentDocumentLink")]
        assert [deal in links for deal in deals] == [False, True, True]
        assert open_items(told) == [(deals[0], "not_printable")]


SPLIT = """rules:
  - when: Type == "New Business"
    split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}
fields:
"""


def divided(told: Rounds) -> str:
    """A deal with two invoices, told to Salesforce."""
    remap(told, "invoice_from_opportunity", "fields:\n", SPLIT)
    box = told.sandbox
    deal = add_deal(box, add_account(box), None, Type="New Business")
    add_line(box, deal, "200.00")
    for share in ("40", "60"):
        part = {"Opportunity__c": deal, "Due__c": today(box), "Percent__c": Decimal(share)}
        box.org.insert("Billing_Milestone__c", part)
    told.run()
    told.run_back()
    return deal


def test_each_invoice_of_a_deal_has_its_case_the_day_it_is_late(told: Rounds) -> None:
    deal = divided(told)
    back(told, 30 + 13)
    assert made(told, "Case", Opportunity__c=deal) == []
    back(told)
    assert len(made(told, "Case", Opportunity__c=deal)) == 2


def test_what_waits_for_a_payment_of_the_second_invoice_closes_once_it_can_be_read(told: Rounds) -> None:
    deal = divided(told)
    books, main = told.sandbox.books, told.sandbox.books.main()
    second = max(bearing(told, deal), key=lambda row: row["totalDue"])
    payment = int(books.pay(main, second["id"], 1000)["id"])
    back(told)
    books.pay(main, second["id"], 100)
    with spoiled(told.sandbox, "kashoo", Odd(payment, "allocations.0.amount", "null")):
        back(told, 0.5)
        assert (deal, "unreadable") in open_items(told)
    back(told, 0.5)
    assert open_items(told) == []


def test_a_case_that_came_after_the_payment_is_left_alone(told: Rounds) -> None:
    text = """version: 1
name: waiting
from: {object: invoice}
to: Case
find: {Opportunity__c: {from: deal}, Status: Escalated}
when:
  - status == "Paid"
fields: {Status: Closed}
"""
    write_mapping(told, "waiting", text)
    deal = billed(told)
    pay(told, deal, 25000)
    back(told)
    case = told.sandbox.org.insert("Case", {"Subject": "Later", "Status": "Escalated", "Opportunity__c": deal})
    back(told, 0.1)
    back(told, 8)
    assert told.sandbox.org.get("Case", case)["Status"] == "Escalated"


def test_the_date_of_the_last_payment_does_not_go_back(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deals = [add_deal(told.sandbox, account, "250.00") for _ in range(2)]
    told.run()
    told.run_back()
    pay(told, deals[0], 10000)
    back(told, 10)
    pay(told, deals[1], 10000)
    back(told)
    latest = balance(told, account)[2]
    edit(told.sandbox, "invoices", bearing(told, deals[0])[0], dueDate=today(told.sandbox))
    back(told, 20)
    pay(told, deals[0], -10000)  # its older payment is read again; a refund is no payment
    back(told, 0.1)
    assert balance(told, account)[2] == latest

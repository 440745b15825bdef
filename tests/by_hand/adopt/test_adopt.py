"""``airflow kashoo adopt``: which invoice of a year billed by hand is which deal's, and when a person must say."""

from __future__ import annotations

import pytest
from adoption import adopt, bill, customer, found, north, said, silent_run
from records import Row, add_account, add_deal, add_order, books_rows, edit
from rounds import Rounds, bearing, in_doubt, links, moved_by, open_items, operations

from airflow_provider_kashoo.sync.by_hand.adopt import Result


@pytest.mark.parametrize(
    ("days", "evidence"),
    [
        (0, "same customer, currency, total and date"),
        (31, "same customer, currency and total, within 31 days"),
        (-31, "same customer, currency and total, within 31 days"),
    ],
)
def test_an_invoice_by_hand_is_found_by_what_it_says(drive: Rounds, days: int, evidence: str) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, date=moved_by(drive, days))
    report = adopt(drive)
    assert said(report, account) == ("match", "same e-mail", ())
    assert said(report, deal) == ("match", evidence, ())
    assert links(drive) == {deal: invoice["id"]}
    assert links(drive, "customer") == {account: contact}
    assert report.of(Result.MATCH)[0].intent.record.kind == "customer"
    silent_run(drive)
    assert len(books_rows(drive.sandbox, "invoices")) == 1


@pytest.mark.parametrize("shown", [{"poNumber": " po 77 "}, {"number": 77}])
def test_a_number_outweighs_amount_and_date(drive: Rounds, shown: Row) -> None:
    account, contact = north(drive)
    order = add_order(drive.sandbox, account, None)
    drive.sandbox.org.update("Order", order, {"PoNumber": str(shown.get("number") or "PO 77")})
    bill(drive, contact)  # of the same amount and day
    numbered = bill(drive, contact, "99.00", date=moved_by(drive, -90), **shown)
    report = adopt(drive)
    assert said(report, order) == ("match", "same number or PO number", ())
    assert links(drive) == {order: numbered["id"]}
    assert found(report, order).books_total == 9900
    silent_run(drive)


def test_our_reference_outweighs_everything(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    bill(drive, contact)
    marked = bill(drive, contact, "77.00", memo=f"by hand [sf:{deal}:1:1]")
    assert said(adopt(drive), deal) == ("match", "our reference", ())
    assert links(drive) == {deal: marked["id"]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"days": 32}, "the nearest invoice with that total, {id}, is dated 32 days earlier or later"),
        ({"days": -32}, "the nearest invoice with that total, {id}, is dated 32 days earlier or later"),
        ({"amount": "250.01"}, "its customer has no unlinked invoice with that total (1 unlinked in all)"),
        ({"currency": "CAD"}, "its customer has no unlinked invoice with that total (1 unlinked in all)"),
        ({"memo": "[sf:006000000000009AAA:1:1]"}, "its customer has no unlinked invoice"),
        ({"removed": True}, "its customer has no unlinked invoice"),
        ({"stranger": True}, "its customer has no unlinked invoice"),
    ],
)
def test_what_is_not_surely_the_same_is_not_linked(drive: Rounds, changes: Row, why: str) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    changes = dict(changes)
    fields = {"date": moved_by(drive, changes.pop("days", 0))}
    removed = changes.pop("removed", False)
    payer = customer(drive, "x@y.example", "Other") if changes.pop("stranger", False) else contact
    invoice = bill(drive, payer, changes.pop("amount", "250.00"), **fields, **changes)
    if removed:
        drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice["id"])
    assert said(adopt(drive), deal) == ("no match", why.format(id=invoice["id"]), ())
    assert links(drive) == {}
    assert open_items(drive) == []


def test_two_invoices_for_one_deal_are_a_question(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    twins = [bill(drive, contact)["id"] for _ in range(2)]
    why = "2 invoices have the same customer, currency, total and date"
    assert said(adopt(drive), deal) == ("ambiguous", why, tuple(twins))
    assert (links(drive), open_items(drive)) == ({}, [])


def test_two_deals_for_one_invoice_are_a_question(drive: Rounds) -> None:
    account, contact = north(drive)
    deals = [add_deal(drive.sandbox, account) for _ in range(2)]
    invoice = bill(drive, contact)
    report = adopt(drive)
    for one, other in (deals, reversed(deals)):
        why = f"an invoice has the same customer, currency, total and date, which could also belong to {other}"
        assert said(report, one) == ("ambiguous", why, (invoice["id"],))
    assert links(drive) == {}


def test_a_question_is_answered_by_the_mark_that_the_report_shows(drive: Rounds) -> None:
    account, contact = north(drive)
    deals = [add_deal(drive.sandbox, account) for _ in range(2)]
    one, two = bill(drive, contact), bill(drive, contact)
    adopt(drive)
    edit(drive.sandbox, "invoices", one, memo=f"by hand [sf:{deals[1]}:1:1]")
    assert said(adopt(drive), deals[1])[:2] == ("match", "our reference")
    assert links(drive) == {deals[1]: one["id"], deals[0]: two["id"]}
    silent_run(drive)


def test_without_its_customer_no_invoice_is_found(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    deal = add_deal(drive.sandbox, account)
    bill(drive, customer(drive, "other@north.example"))
    report = adopt(drive)
    assert said(report, account)[:2] == ("no match", "no customer in Kashoo has its e-mail, or name and postal code")
    reason = "its customer is not linked: no customer in Kashoo has its e-mail, or name and postal code"
    assert said(report, deal)[:2] == ("no match", reason)


def test_two_customers_with_one_address_are_a_question(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    deal = add_deal(drive.sandbox, account)
    twins = (customer(drive), customer(drive))
    bill(drive, twins[0])
    report = adopt(drive)
    names = "'Northern Lights' and 'Northern Lights' in Kashoo, 'Northern Lights' in Salesforce"
    why = f"customers {twins[0]} and {twins[1]} in Kashoo have the same e-mail: {names}"
    assert said(report, account) == ("ambiguous", why, twins)
    assert said(report, deal)[0] == "no match"
    assert links(drive, "customer") == {}
    assert open_items(drive) == []


def test_a_doubtful_customer_is_adopted_once_its_notes_have_the_mark(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    add_deal(drive.sandbox, account)
    contact = customer(drive, name="Northern Holding")
    names = "'Northern Holding' in Kashoo, 'Northern Lights' in Salesforce"
    why = f"customer {contact} in Kashoo has the same e-mail, but another name: {names}"
    assert said(adopt(drive), account) == ("ambiguous", why, (contact,))
    (row,) = books_rows(drive.sandbox, "customers")
    edit(drive.sandbox, "customers", row, notes=f"[sf:{account}:1:1]")
    assert said(adopt(drive), account) == ("match", "our reference", ())
    assert links(drive, "customer") == {account: contact}


def test_what_a_run_would_park_is_reported_and_not_parked(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None)
    report = adopt(drive)
    assert found(report, deal).result is Result.UNFIT
    assert (operations(drive), open_items(drive)) == ([], [])


def test_a_deal_that_is_not_won_is_not_compared(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account, StageName="Prospecting")
    bill(drive, contact)
    report = adopt(drive)
    assert (report.findings, report.left_out) == ([], 1)


def test_one_sale_is_adopted_once_whichever_object_it_arrives_as(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    add_order(drive.sandbox, account, deal)
    invoice = bill(drive, contact)
    adopt(drive)
    assert links(drive) == {deal: invoice["id"]}
    silent_run(drive)


def test_a_deal_in_doubt_gets_nothing_and_leaves_its_twin_in_question(drive: Rounds) -> None:
    account, _ = north(drive)
    first = add_deal(drive.sandbox, account)
    in_doubt(drive, first)
    (sent,) = bearing(drive, first)
    cleared = edit(drive.sandbox, "invoices", sent, memo="")
    second = add_deal(drive.sandbox, account)
    report = adopt(drive)
    assert said(report, first) == (
        "unfit",
        "it was sent; whether it was written is not known yet",
        (cleared["id"],),
    )
    assert said(report, second)[0] == "ambiguous"
    assert links(drive) == {}

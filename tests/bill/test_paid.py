"""Prepaid deals: a rule marks their invoices as paid, once, and nothing else is ever paid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from records import add_deal, books_rows, edit, invoice_of, today, writes
from rounds import Rounds, at, bearing, change, links, lock, moved_on, open_items, operations, quiet, remap, win

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.summary import as_text
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.plan_file import decisions_about

RULE = """\
rules:
  - {when: StageName == "Closed Won" and Prepaid__c, mark_paid: {account: "1000", date: {from: CloseDate}}}
fields:
"""
PAYMENTS = "invoicePayments"


@pytest.fixture
def prepaid(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    return drive


def payments(drive: Rounds, deal: str) -> list[dict[str, Any]]:
    return bearing(drive, deal, PAYMENTS)


def why(done: Any, deal: str) -> list[tuple[str, str, str]]:
    found = decisions_about(done.sync.files, deal)
    return [(each.kind, each.action.value, each.reason) for each in found if each.kind == "payment"]


def paid_once(drive: Rounds, deal: str, amount: int = 25_000) -> dict[str, Any]:
    """One payment of the whole invoice, told to Salesforce, and nothing more is written or asked."""
    quiet(drive)
    (payment,) = payments(drive, deal)
    invoice = invoice_of(drive.sandbox, deal)
    assert (payment["amount"], payment["unallocatedAmount"], invoice["balanceDue"]) == (amount, 0, 0)
    assert payment["allocations"] == [{"amount": amount, "record": invoice["id"]}]
    assert payment["contact"] == invoice["contact"]
    assert open_items(drive) == []
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Paid"
    return payment


def test_a_prepaid_deal_is_billed_and_paid_in_one_run(prepaid: Rounds) -> None:
    deal, other = win(prepaid, Prepaid__c=True), win(prepaid, "300.00")
    done = prepaid.run()
    assert done.summary["totals"] == {"USD": 55_000}
    assert done.summary["to_pay"] == {"USD": 25_000}
    assert done.summary["rules"] == {"invoice_from_opportunity: mark_paid": 1}
    assert done.summary["actions"]["payment"] == {"create": 1}
    assert why(done, deal) == [("payment", "create", "the deal is prepaid; rules: mark_paid")]
    payment = paid_once(prepaid, deal)
    account = next(row for row in books_rows(prepaid.sandbox, "accounts") if row["number"] == "1000")
    assert (payment["account"], payment["memo"]) == (account["id"], f"[sf:{deal}:1:1]")
    assert payment["date"] == invoice_of(prepaid.sandbox, deal)["date"]
    assert (payments(prepaid, other), invoice_of(prepaid.sandbox, other)["balanceDue"]) == ([], 30_000)


def test_the_summary_counts_its_requests_and_says_what_is_paid(prepaid: Rounds) -> None:
    win(prepaid, Prepaid__c=True)
    sync = prepaid.prepare()
    said = as_text(steps.plan(sync))
    assert "to be invoiced: 250.00 USD" in said
    assert "to be marked as paid: 250.00 USD" in said
    assert (sync.files.read_json("summary") or {})["requests"] == 4  # the payment reads its invoice


def test_a_deal_that_becomes_prepaid_later_is_paid_then(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    change(prepaid, deal, Description="touched")
    prepaid.run()
    assert payments(prepaid, deal) == []
    change(prepaid, deal, Prepaid__c=True)
    done = prepaid.run()
    assert (done.summary["to_pay"], done.summary["totals"]) == ({"USD": 25_000}, {})
    paid_once(prepaid, deal)


@pytest.mark.parametrize("first", ["Description", "CloseDate"])
def test_an_edited_mapping_pays_nothing_that_was_billed_before(drive: Rounds, first: str) -> None:
    deal = win(drive, Prepaid__c=True)
    drive.run()
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    fields = {"Description": "touched", "CloseDate": "2026-03-01", "Name": "Other"}
    for name in sorted(fields, key=first.__ne__):
        change(drive, deal, **{name: fields[name]})
        drive.run()
    remap(drive, "invoice_from_opportunity", "name: invoice_from_opportunity", "name: renamed")
    change(drive, deal, Name="Once more")
    drive.run()
    assert payments(drive, deal) == []
    change(drive, deal, Prepaid__c=False)
    drive.run()
    change(drive, deal, Prepaid__c=True)
    drive.run()
    paid_once(drive, deal)


def test_a_rule_that_is_edited_pays_nothing_that_it_left_before(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    remap(prepaid, "invoice_from_opportunity", "and Prepaid__c,", "and not Prepaid__c,")
    change(prepaid, deal, Description="touched")
    prepaid.run()
    moved_on(prepaid)
    assert payments(prepaid, deal) == []


def test_a_deal_that_becomes_prepaid_is_paid_by_a_run_that_remaps_too(prepaid: Rounds) -> None:
    deal, other = win(prepaid), win(prepaid, "300.00")
    prepaid.run()
    moved_on(prepaid)
    change(prepaid, deal, Prepaid__c=True)
    prepaid.run(remap=True)
    assert payments(prepaid, other) == []
    paid_once(prepaid, deal)


def test_a_run_that_remaps_pays_nothing_that_an_edited_mapping_catches_now(drive: Rounds) -> None:
    deal = win(drive, Prepaid__c=True)
    drive.run()
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    drive.run(remap=True)
    moved_on(drive)
    assert payments(drive, deal) == []


def test_a_parked_payment_survives_a_run_that_remaps(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    lock(prepaid, today(prepaid.sandbox))
    change(prepaid, deal, Prepaid__c=True)
    prepaid.run()
    prepaid.run(remap=True)
    assert open_items(prepaid) == [(deal, "refused")]
    lock(prepaid, None)
    prepaid.run()
    paid_once(prepaid, deal)


def test_a_payment_that_a_person_removed_is_not_made_again(prepaid: Rounds) -> None:
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    (payment,) = payments(prepaid, deal)
    prepaid.sandbox.books.remove(prepaid.sandbox.books.main(), PAYMENTS, payment["id"])
    for ticked in (False, True):
        change(prepaid, deal, Prepaid__c=ticked, Description=f"now {ticked}")
        prepaid.run()
    quiet(prepaid)
    assert payments(prepaid, deal) == []
    assert invoice_of(prepaid.sandbox, deal)["balanceDue"] == 25_000


@pytest.mark.parametrize(("amount", "asked"), [(25_000, []), (10_000, ["prepaid_partly_paid"])])
def test_an_invoice_that_was_paid_otherwise_gets_no_payment(prepaid: Rounds, amount: int, asked: list[str]) -> None:
    deal = win(prepaid)
    prepaid.run()
    box = prepaid.sandbox
    box.books.pay(box.books.main(), invoice_of(box, deal)["id"], amount)
    change(prepaid, deal, Prepaid__c=True)
    done = prepaid.run()
    assert payments(prepaid, deal) == []
    assert [why for _, why in open_items(prepaid)] == asked
    if not asked:
        assert why(done, deal) == [("payment", "skip", "its invoice is already paid in Kashoo")]
        return
    (item,) = prepaid.store.reviews.all_open()
    assert "100.00 of 250.00 is paid" in item["cause"]
    box.books.pay(box.books.main(), invoice_of(box, deal)["id"], 15_000)
    quiet(prepaid)
    assert (payments(prepaid, deal), open_items(prepaid)) == ([], [])


def test_money_that_comes_in_between_plan_and_apply_is_not_booked_twice(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    change(prepaid, deal, Prepaid__c=True)
    sync = prepaid.prepare()
    box = prepaid.sandbox
    box.books.pay(box.books.main(), invoice_of(box, deal)["id"], 25_000)
    assert prepaid.finish(sync)["stale"] == 1
    quiet(prepaid)
    assert (payments(prepaid, deal), open_items(prepaid)) == ([], [])


def test_an_invoice_that_comes_to_something_else_is_not_paid(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    box = prepaid.sandbox
    invoice = invoice_of(box, deal)
    edit(box, "invoices", invoice, lineItems=[invoice["lineItems"][0] | {"rate": 26_000}])
    change(prepaid, deal, Prepaid__c=True)
    prepaid.run()
    assert (deal, "other_total") in open_items(prepaid)
    edit(box, "invoices", invoice)
    prepaid.run()
    paid_once(prepaid, deal)


def test_a_new_invoice_that_comes_to_something_else_is_not_paid_until_it_is_corrected(prepaid: Rounds) -> None:
    deal, box = win(prepaid, Prepaid__c=True), prepaid.sandbox

    def dearer() -> None:
        invoice = invoice_of(box, deal)
        edit(box, "invoices", invoice, lineItems=[invoice["lineItems"][0] | {"rate": 26_000}])

    at(prepaid, "processed POST records/invoices", dearer)
    prepaid.run()
    prepaid.sandbox.faults["kashoo"].hook = None
    assert open_items(prepaid) == [(deal, "other_total")]
    (parked,) = operations(prepaid, State.PARKED)
    assert parked["cause"] == "its invoice comes to 260.00 in Kashoo, and not to 250.00, which is to be paid"
    prepaid.run()
    assert payments(prepaid, deal) == []
    invoice = invoice_of(box, deal)
    edit(box, "invoices", invoice, lineItems=[invoice["lineItems"][0] | {"rate": 25_000}])
    prepaid.run()
    paid_once(prepaid, deal)


def test_while_a_person_is_asked_about_the_invoice_its_payment_waits(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    box = prepaid.sandbox
    invoice = invoice_of(box, deal)
    edit(box, "invoices", invoice, lineItems=[invoice["lineItems"][0] | {"rate": 26_000}])
    change(prepaid, deal, Prepaid__c=True, Amount="400.00")
    prepaid.run()
    assert open_items(prepaid) == [(deal, "changed_on_both_sides"), (deal, "waiting_for_invoice")]
    edit(box, "invoices", invoice, lineItems=[invoice["lineItems"][0] | {"rate": 40_000}])
    prepaid.run()
    paid_once(prepaid, deal, 40_000)


def test_a_payment_in_a_period_that_the_connection_calls_locked_is_not_sent(prepaid: Rounds) -> None:
    remap(prepaid, "invoice_from_opportunity", "{from: CloseDate}}}", '"2026-02-01"}}')
    deal, opened = win(prepaid, Prepaid__c=True), prepaid.kashoo

    def lock(budget: Any = None) -> Any:
        client = opened(budget)
        client.profile = replace(client.profile, locked_until="2026-02-15")
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepaid, "kashoo", lock)
        prepaid.run()
    assert open_items(prepaid) == [(deal, "closed_period")]
    prepaid.run()
    paid_once(prepaid, deal)


def test_a_changed_deal_is_paid_at_its_new_amount(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    change(prepaid, deal, Prepaid__c=True, Amount="400.00")
    prepaid.run()
    paid_once(prepaid, deal, 40_000)


def test_a_deal_over_nothing_gets_no_payment(prepaid: Rounds) -> None:
    remap(prepaid, "invoice_from_opportunity", "  - Amount >= 100\n", "")
    deal = win(prepaid, "0.00", Prepaid__c=True)
    prepaid.run()
    quiet(prepaid)
    assert (payments(prepaid, deal), invoice_of(prepaid.sandbox, deal)["totalDue"]) == ([], 0)


def test_what_changes_after_the_payment_is_put_to_a_person(prepaid: Rounds) -> None:
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    change(prepaid, deal, Amount="400.00")
    prepaid.run()
    assert open_items(prepaid) == [(deal, "paid_invoice_changed")]
    assert [each["amount"] for each in payments(prepaid, deal)] == [25_000]
    change(prepaid, deal, Amount="250.00")
    prepaid.run()
    change(prepaid, deal, StageName="Prospecting")
    prepaid.run()
    assert open_items(prepaid) == [(deal, "no_longer_billable")]
    assert [each["amount"] for each in payments(prepaid, deal)] == [25_000]


def test_a_payment_in_a_locked_period_waits(prepaid: Rounds) -> None:
    remap(prepaid, "invoice_from_opportunity", "{from: CloseDate}}}", '"2026-02-01"}}')
    deal = win(prepaid, Prepaid__c=True)
    box = prepaid.sandbox
    box.books.lock_until(box.books.main(), "2026-02-15")
    prepaid.run()
    assert [kind for _, kind in open_items(prepaid)] == ["refused"]
    box.books.lock_until(box.books.main(), None)
    prepaid.run()
    assert paid_once(prepaid, deal)["date"] == "2026-02-01"


def test_a_parked_payment_that_is_not_due_any_more_is_let_go(prepaid: Rounds) -> None:
    box = prepaid.sandbox
    remap(prepaid, "invoice_from_opportunity", "{from: CloseDate}}}", '"2026-02-01"}}')
    box.books.lock_until(box.books.main(), "2026-02-15")
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    change(prepaid, deal, Prepaid__c=False)
    prepaid.run()
    assert open_items(prepaid) == []
    box.books.lock_until(box.books.main(), None)
    quiet(prepaid)
    assert payments(prepaid, deal) == []
    assert writes(box)["kashoo"] > 0


def test_a_store_that_was_lost_pays_nothing_again(prepaid: Rounds) -> None:
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    prepaid.store.forget_books()
    with prepaid.database.begin() as connection:
        for table in ("links", "operations", "watermarks"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    for ticked in (True, False, True):
        change(prepaid, deal, Prepaid__c=ticked)
        prepaid.run()
    payment = paid_once(prepaid, deal)
    assert links(prepaid, "payment") == {deal: payment["id"]}


def test_a_second_invoice_of_a_deal_is_paid_for_itself(prepaid: Rounds) -> None:
    remap(prepaid, "invoice_from_opportunity", "rules:\n", "on_leave: void_unpaid\nrules:\n")
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    box = prepaid.sandbox
    (payment,) = payments(prepaid, deal)
    box.books.remove(box.books.main(), PAYMENTS, payment["id"])
    change(prepaid, deal, StageName="Prospecting")
    prepaid.run()
    assert bearing(prepaid, deal) == []
    change(prepaid, deal, StageName="Closed Won")
    prepaid.run()
    quiet(prepaid)
    (again,) = payments(prepaid, deal)
    assert (again["memo"], again["amount"]) == (f"[sf:{deal}:1:2]", 25_000)
    assert open_items(prepaid) == []


def test_a_wrong_account_stops_before_anything_is_read(prepaid: Rounds) -> None:
    remap(prepaid, "invoice_from_opportunity", 'account: "1000"', 'account: "4000"')
    add_deal(prepaid.sandbox, None)
    with pytest.raises(Exception, match="Kashoo has no cash or bank account '4000'"):
        prepaid.run()

"""One value, mark or record that nobody can read parks what is its own; all else goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import rounds
from records import add_account, add_deal, books_rows, edit, invoice_of, invoices_of, today
from rounds import (
    Rounds,
    Start,
    at,
    bearing,
    change,
    fault,
    links,
    moved_by,
    open_items,
    order_with,
    price,
    quiet,
    remap,
    remove,
    sold,
    weeks,
    win,
)
from voids import lose, standing, told, void_unpaid

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.read import dirty
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def force(drive: Rounds, sobject: str, ident: str, **fields: Any) -> None:
    table = drive.sandbox.org.table(sobject)
    drive.sandbox.org._save(table, table.rows[ident] | fields, table.rows[ident])


@pytest.mark.parametrize(
    "mark",
    ["[sf:006010000000001AAB:1:1]", "[sf:801010000000001AAB:1:1]", "[sf:006010000000009AAA:1:99999999999999999999]"],
)
def test_a_mistyped_mark_in_a_memo_stops_nothing(drive: Rounds, mark: str) -> None:
    box = drive.sandbox
    known = books_rows(box, "invoices")[0]
    line = {**known["lineItems"][0], "rate": 5000}
    body = {"type": "invoice", "contact": known["contact"], "date": today(box), "currency": "USD", "memo": mark}
    box.books.create(box.books.main(), "invoices", {**body, "lineItems": [line]})
    for _ in range(2):
        deal = win(drive)
        drive.run()
        assert invoice_of(box, deal)["totalDue"] == 25000
        weeks(drive, 1)


def fine_amount(drive: Rounds) -> str:
    deal = win(drive)
    force(drive, "Opportunity", deal, Amount=Decimal("250.123456789012"))
    return deal


def fine_quantity(drive: Rounds) -> str:
    deal = sold(drive)
    (line,) = [row for row in drive.sandbox.org.rows("OpportunityLineItem") if row["OpportunityId"] == deal]
    force(drive, "OpportunityLineItem", line["Id"], Quantity=Decimal("0.333333333333"))
    return deal


@pytest.mark.parametrize("bad", [fine_amount, fine_quantity])
@pytest.mark.parametrize("bulk_from", [2000, 1])
def test_a_number_finer_than_ten_decimals_stops_no_other(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, bad: Callable[[Rounds], str], bulk_from: int
) -> None:
    monkeypatch.setattr(dirty, "BULK_FROM", bulk_from)
    monkeypatch.setattr("time.sleep", lambda _: None)
    good = win(drive)
    bad(drive)
    drive.run()
    assert invoice_of(drive.sandbox, good)["totalDue"] == 25000


@pytest.mark.parametrize("text", ["see Bob", "tbd"])
def test_a_link_that_is_no_id_stops_no_other(drive: Rounds, text: str) -> None:
    remap(drive, "invoice_from_opportunity", "contact: {link: AccountId,", "contact: {link: Description,")
    account = add_account(drive.sandbox)
    good = add_deal(drive.sandbox, account, Description=account)
    bad = add_deal(drive.sandbox, account, Description=text)
    drive.run()
    assert invoice_of(drive.sandbox, good)["totalDue"] == 25000
    assert open_items(drive) == [(bad, "wrong_type")]


def test_half_a_surrogate_in_a_text_stops_no_other(drive: Rounds) -> None:
    good, bad = win(drive), win(drive)
    force(drive, "Opportunity", bad, Name="Deal \ud83d")
    drive.run()
    assert invoice_of(drive.sandbox, good)["totalDue"] == 25000


def test_a_date_beyond_those_of_salesforce_stops_no_other(drive: Rounds) -> None:
    due = (
        "  dueDate:\n    from: CloseDate\n    add_days: {from: Account.Payment_Terms__c, optional: true, default: 30}\n"
    )
    remap(drive, "invoice_from_opportunity", due, "")
    good, bad = win(drive), win(drive)
    force(drive, "Opportunity", bad, CloseDate="9999-12-31")
    drive.run()
    assert invoice_of(drive.sandbox, good)["totalDue"] == 25000


@pytest.mark.parametrize("status", [410, 500])
def test_one_invoice_that_cannot_be_read_does_not_stop_the_others(drive: Rounds, status: int) -> None:
    deal = win(drive)
    drive.run()
    path = f"records/invoices/{links(drive)[deal]}$"
    fault(drive, "error_before", path, "GET", status=status, times=None)
    price(drive, deal, "300.00")
    other = win(drive)
    for _ in range(5):
        drive.sandbox.clock.advance(86_400)
        drive.run()
    assert bearing(drive, other)


def test_a_read_that_is_turned_away_for_the_rate_is_no_fault_of_its_record(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    fault(drive, "too_many", f"records/invoices/{links(drive)[deal]}$", "GET", retry_after=1, times=4)
    with pytest.raises(UnreachableError):
        drive.run()
    drive.run()
    quiet(drive)
    assert (invoice_of(drive.sandbox, deal)["totalDue"], open_items(drive)) == (30000, [])


def test_one_value_that_does_not_fit_does_not_stop_the_write_backs(drive: Rounds) -> None:
    """A field holds forty characters, and somebody gives one invoice a longer number in Kashoo."""
    deal, other = win(drive), win(drive)
    drive.run()
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    table.put({**invoice_of(drive.sandbox, deal), "number": "1001-A" * 7})
    drive.run_back()
    assert told(drive, other)[0] == "Open"
    assert open_items(drive) == [(deal, "does_not_fit")]
    [row] = drive.store.journal.unsettled(State.PARKED)
    assert row["cause"] == f"Kashoo_Invoice__c takes at most 40 characters, not the 42 of '{'1001-A' * 7}'"
    assert "max_length: 40" in row["fix"]


def test_a_password_may_hold_any_character(drive: Rounds) -> None:
    drive.sandbox.books.password = drive.password = "pass\u20acw\u0142rd"
    deal = win(drive)
    drive.run()
    assert bearing(drive, deal)


def unreadable(drive: Rounds, ident: int) -> None:
    fault(drive, "error_before", f"records/invoices/{ident}$", "GET", status=500, times=None)


def test_an_unreadable_invoice_of_what_is_not_told_ends_its_waiting(drive: Rounds) -> None:
    (drive.mappings / "payment_to_order.yaml").unlink()
    rounds._mappings.cache_clear()
    order = order_with(drive)
    drive.run()
    drive.run_back()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, order), date=moved_by(drive, -500))  # no list shows it
    fault(drive, "error_before", f"records/invoices/{links(drive)[order]}$", "GET", status=500, times=4)
    drive.sandbox.clock.advance(3600)
    drive.run_back()
    # Kashoo had a bad minute: it is parked as "unreadable"
    weeks(drive, 4)
    assert open_items(drive) == []


def test_a_void_whose_look_afterwards_fails_does_not_stop_the_others(drive: Rounds) -> None:
    void_unpaid(drive)
    deal, second = win(drive, "900.00"), win(drive, "300.00")
    drive.run()
    lose(drive, deal)
    lose(drive, second)
    ident = links(drive)[deal]
    at(drive, f"received DELETE invoices/{ident}", lambda: unreadable(drive, ident))
    drive.run()
    assert standing(drive, second) == []


@pytest.mark.parametrize("text", ["001010000000001AAB", "internationalizatn"])
def test_a_link_whose_suffix_is_wrong_stops_no_other_in_the_next_run_either(drive: Rounds, text: str) -> None:
    remap(drive, "invoice_from_opportunity", "contact: {link: AccountId,", "contact: {link: Description,")
    account = add_account(drive.sandbox)
    bad = add_deal(drive.sandbox, account, Description=text)
    drive.run()
    good = add_deal(drive.sandbox, account, Description=account)
    for _ in range(3):
        drive.run()
    assert len(invoices_of(drive.sandbox, good)) == 1
    assert bad in dict(open_items(drive))


def test_a_sale_whose_suffix_is_wrong_stops_no_other(drive: Rounds) -> None:
    remap(drive, "invoice_from_order", "sale: {from: OpportunityId, optional: true}", "sale: {from: PoNumber}")
    order = order_with(drive, PoNumber="PO2026000000001234")
    drive.run()
    drive.sandbox.org.update("Order", order, {"PoNumber": "PO2026000000005678"})  # the number is corrected
    good = win(drive)
    for _ in range(3):
        drive.run()
    assert len(invoices_of(drive.sandbox, good)) == 1


def test_two_unreadable_invoices_do_not_stop_the_write_backs_for_ever(drive: Rounds) -> None:
    deals = [sold(drive), sold(drive)]
    drive.run()
    drive.run_back()
    for deal in deals:
        made = invoice_of(drive.sandbox, deal)
        edit(drive.sandbox, "invoices", made, lineItems=[{**made["lineItems"][0], "rate": 24000}])
        change(drive, deal, Name="Renamed")
    drive.run()
    for deal in deals:
        remove(drive, invoice_of(drive.sandbox, deal))
    weeks(drive, 2)
    # open by now: removed_in_books and total_differs of each; both read the invoice again
    for deal in deals:
        unreadable(drive, links(drive)[deal])
    told = drive.store.watermarks.get("kashoo.invoices")
    for _ in range(4):
        drive.sandbox.clock.advance(7 * 86_400)
        drive.run()
        sync = drive.prepare(TO_SALESFORCE)
        drive.finish(replace(sync, kashoo=drive.kashoo()))  # a task of its own, as in Airflow
        before, told = told, drive.store.watermarks.get("kashoo.invoices")
        assert told > before

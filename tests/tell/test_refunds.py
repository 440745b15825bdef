"""What was refunded stays so, however long ago its payments were made; only what the books say changes that."""

from __future__ import annotations

import pytest
from records import books_rows, invoice_of, writes
from rounds import Rounds, Start, open_items, win

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import Problem

A_WEEK = 8 * 86_400.0


def refunded(drive: Rounds, deal: str) -> None:
    """Money came in and went out again, and Salesforce was told."""
    box = drive.sandbox
    invoice = invoice_of(box, deal)
    paid = invoice["totalDue"] - invoice["balanceDue"]
    box.books.pay(box.books.main(), invoice["id"], 700)
    box.books.pay(box.books.main(), invoice["id"], -paid - 700)
    drive.run_back()
    assert status(drive, deal) == "Refunded"


def status(drive: Rounds, deal: str) -> str:
    return str(drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"])


def test_what_was_refunded_stays_so_when_no_window_shows_its_payments(drive: Rounds, start: Start) -> None:
    refunded(drive, start.deal)
    before = writes(drive.sandbox)
    for wait in (A_WEEK, 3600, A_WEEK, 3600, 3600):
        drive.sandbox.clock.advance(wait)
        drive.run_back()
        assert status(drive, start.deal) == "Refunded"
    assert writes(drive.sandbox) == before
    assert open_items(drive) == []


def test_what_is_paid_again_or_was_never_paid_is_told(drive: Rounds, start: Start) -> None:
    box = drive.sandbox
    refunded(drive, start.deal)
    drive.sandbox.clock.advance(A_WEEK)
    drive.run_back()
    drive.sandbox.clock.advance(3600)
    box.books.pay(box.books.main(), invoice_of(box, start.deal)["id"], 900)
    drive.run_back()
    assert status(drive, start.deal) == "Partly Paid"
    for payment in reversed(books_rows(box, "invoicePayments")):
        box.books.remove(box.books.main(), "invoicePayments", payment["id"])
    drive.run_back()
    assert status(drive, start.deal) == "Open"


def test_a_refund_that_salesforce_refused_is_told_when_no_window_shows_its_payments(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, deal = drive.sandbox, win(drive)
    drive.run()
    drive.run_back()
    for cents in (25000, -25000):
        box.books.pay(box.books.main(), invoice_of(box, deal)["id"], cents)
    with monkeypatch.context() as refused:
        no = Problem("field_custom_validation_exception", "a rule of the org", "Correct the record.")
        refused.setattr(SalesforceClient, "update", lambda _, records: [no] * len(records))
        for _ in range(3):
            drive.run_back()
            drive.sandbox.clock.advance(A_WEEK)
        assert open_items(drive) == [(deal, no.error_class)]
    drive.run_back()
    assert status(drive, deal) == "Refunded"
    assert open_items(drive) == []


def test_a_refund_that_is_reversed_is_told_within_a_week(drive: Rounds, start: Start) -> None:
    box = drive.sandbox
    refunded(drive, start.deal)
    drive.sandbox.clock.advance(A_WEEK)
    drive.run_back()
    for payment in reversed(books_rows(box, "invoicePayments")):
        box.books.remove(box.books.main(), "invoicePayments", payment["id"])
    drive.sandbox.clock.advance(A_WEEK)
    drive.run_back()
    assert status(drive, start.deal) == "Open"

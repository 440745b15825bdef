"""An invoice changes because its deal or its lines changed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, edit, invoice_of, invoices_of
from rounds import Rounds, change, fault, remap, reviews, weeks, win

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.links import LinkChange

FROM_DEAL = "invoice_from_opportunity"


def pay(box: Sandbox, invoice: dict[str, Any], cents: int) -> None:
    box.books.pay(box.books.main(), invoice["id"], cents)


def with_terms(drive: Rounds, days: int) -> tuple[str, str]:
    """Bill a deal whose Account pays after so many days; give both ids."""
    account = add_account(drive.sandbox, "Terms", "t@terms.example", Payment_Terms__c=Decimal(days))
    deal = add_deal(drive.sandbox, account)
    drive.run()
    return account, deal


def of_product(drive: Rounds) -> tuple[str, str]:
    """Bill a deal with one product; give the ids of both."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Products", "p@products.example"), None)
    add_line(drive.sandbox, deal, "600.00")
    product = next(row["Product2Id"] for row in drive.sandbox.org.rows("OpportunityLineItem"))
    drive.run()
    return deal, product


def test_another_tax_in_the_mapping_changes_no_invoice_and_asks_nothing(drive: Rounds) -> None:
    opened, paid = win(drive), win(drive)
    drive.run()
    pay(drive.sandbox, invoice_of(drive.sandbox, paid), 25000)
    before = [invoice_of(drive.sandbox, deal) for deal in (opened, paid)]
    remap(drive, FROM_DEAL, "taxCode: none", "taxCode: G")
    for deal in (opened, paid):
        change(drive, deal, Type="New Business")
    weeks(drive, 2)
    assert [invoice_of(drive.sandbox, deal) for deal in (opened, paid)] == before
    assert reviews(drive) == []


def test_a_new_deal_is_billed_by_the_new_mapping(drive: Rounds) -> None:
    remap(drive, FROM_DEAL, "taxCode: none", "taxCode: G")
    deal = win(drive, "600.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 63000


def test_a_deal_that_changes_later_changes_only_what_was_made_from_it(drive: Rounds) -> None:
    deal = win(drive, "600.00")
    drive.run()
    remap(drive, FROM_DEAL, "taxCode: none", "taxCode: G")
    change(drive, deal, CloseDate="2026-05-05")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["date"], invoice["totalDue"]) == ("2026-05-05", 60000)
    assert reviews(drive) == []


def test_a_field_that_the_mapping_fills_only_now_follows_from_the_next_change_on(drive: Rounds) -> None:
    deal = win(drive, Description="PO 1")
    drive.run()
    remap(drive, FROM_DEAL, "  memo: {from: Name}", "  memo: {from: Name}\n  poNumber: {from: Description}")
    change(drive, deal, Type="New Business")
    drive.run()
    assert "poNumber" not in invoice_of(drive.sandbox, deal)
    change(drive, deal, Description="PO 2")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["poNumber"] == "PO 2"


def test_a_renamed_product_changes_its_item_and_no_invoice(drive: Rounds) -> None:
    deal, product = of_product(drive)
    other, _ = of_product(drive)
    pay(drive.sandbox, invoice_of(drive.sandbox, other), 60000)
    before = [invoice_of(drive.sandbox, each) for each in (deal, other)]
    drive.sandbox.org.update("Product2", product, {"Name": "Renamed"})
    weeks(drive, 2)
    assert [invoice_of(drive.sandbox, each) for each in (deal, other)] == before
    assert reviews(drive) == []


@pytest.mark.parametrize("follow", [False, True])
def test_new_payment_terms_move_the_due_date_only_if_the_mapping_follows_them(drive: Rounds, follow: bool) -> None:
    if follow:
        remap(drive, FROM_DEAL, "to: invoice", "to: invoice\nfollow: [Account.Payment_Terms__c]")
    account, deal = with_terms(drive, 30)
    before = invoice_of(drive.sandbox, deal)["dueDate"]
    drive.sandbox.org.update("Account", account, {"Payment_Terms__c": Decimal(10)})
    drive.run()
    assert (invoice_of(drive.sandbox, deal)["dueDate"] == before) is not follow


def test_a_paid_invoice_keeps_its_date_until_a_person_answers(drive: Rounds) -> None:
    deal = win(drive, "500.00", CloseDate="2026-01-15")
    drive.run()
    pay(drive.sandbox, invoice_of(drive.sandbox, deal), 50000)
    before = invoice_of(drive.sandbox, deal)
    change(drive, deal, CloseDate="2026-03-09", Name="Other words")
    for _ in range(2):
        drive.run()
        assert invoice_of(drive.sandbox, deal) == before
        assert reviews(drive) == [(deal, "paid_invoice_changed")]
    assert "date 2026-01-15 -> 2026-03-09" in drive.store.reviews.all_open()[0]["cause"]
    change(drive, deal, CloseDate="2026-01-15")
    drive.run()
    assert reviews(drive) == []
    assert invoice_of(drive.sandbox, deal) == before


def test_a_person_answers_by_correcting_the_paid_invoice_as_the_question_says(drive: Rounds) -> None:
    deal = win(drive, "500.00", CloseDate="2026-01-15")
    drive.run()
    pay(drive.sandbox, invoice_of(drive.sandbox, deal), 50000)
    change(drive, deal, CloseDate="2026-03-09")
    drive.run()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date="2026-03-09")
    weeks(drive, 2)
    assert reviews(drive) == []


def test_a_write_that_is_found_later_still_knows_from_what_it_was_made(drive: Rounds) -> None:
    deal = win(drive)
    fault(drive, "drop_after")
    drive.run()
    drive.look_up()
    assert drive.store.journal.unsettled(State.IN_DOUBT) == []
    before = invoice_of(drive.sandbox, deal)
    remap(drive, FROM_DEAL, "taxCode: none", "taxCode: G")
    change(drive, deal, Type="New Business")
    drive.run()
    assert invoice_of(drive.sandbox, deal) == before


@contextmanager
def locked(drive: Rounds, until: str) -> Iterator[None]:
    """Let the connection say where the locked period ends."""
    opened = drive.kashoo

    def lock(budget: Any = None) -> KashooClient:
        client = opened(budget)
        client.profile = replace(client.profile, locked_until=until)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "kashoo", lock)
        yield


def test_nothing_is_billed_into_a_period_that_the_connection_calls_locked(drive: Rounds) -> None:
    early, late = win(drive, CloseDate="2026-02-28"), win(drive, CloseDate="2026-03-01")
    with locked(drive, "2026-02-28"):
        drive.run()
    assert [len(invoices_of(drive.sandbox, deal)) for deal in (early, late)] == [0, 1]
    (parked,) = drive.store.journal.unsettled(State.PARKED)
    assert (parked["error_class"], "2026-02-28" in parked["cause"]) == ("closed_period", True)
    drive.run()
    assert len(invoices_of(drive.sandbox, early)) == 1


def test_an_invoice_in_a_locked_period_stays_and_a_person_is_asked_until_it_is_undone(drive: Rounds) -> None:
    deal = win(drive, CloseDate="2026-02-10")
    drive.run()
    before = invoice_of(drive.sandbox, deal)
    with locked(drive, "2026-02-28"):
        change(drive, deal, CloseDate="2026-03-02", Name="Other words")
        drive.run()
        assert reviews(drive) == [(deal, "locked_invoice_changed")]
        assert invoice_of(drive.sandbox, deal) == before
        change(drive, deal, CloseDate="2026-02-10")
        drive.run()
    assert reviews(drive) == []
    assert invoice_of(drive.sandbox, deal) == before


def test_a_rename_lets_no_edited_mapping_through(drive: Rounds) -> None:
    opened, paid = win(drive, "600.00"), win(drive, "600.00")
    drive.run()
    pay(drive.sandbox, invoice_of(drive.sandbox, paid), 60000)
    remap(drive, FROM_DEAL, "taxCode: none", "taxCode: G")
    for deal in (opened, paid):
        change(drive, deal, Name="Renamed")
    drive.run()
    assert [invoice_of(drive.sandbox, deal)["totalDue"] for deal in (opened, paid)] == [60000, 60000]
    assert invoice_of(drive.sandbox, opened)["lineItems"][0]["description"] == "Renamed"
    assert reviews(drive) == []


def test_a_price_that_changes_keeps_account_and_tax_as_billed(drive: Rounds) -> None:
    deal = win(drive, "600.00")
    drive.run()
    before = invoice_of(drive.sandbox, deal)["lineItems"][0]["account"]
    remap(drive, FROM_DEAL, 'account: "type:INCOME"\n  taxCode: none', 'account: "4100"\n  taxCode: G')
    change(drive, deal, Amount=Decimal("700.00"))
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["totalDue"], invoice["lineItems"][0]["account"]) == (70000, before)
    assert reviews(drive) == []


def test_a_deal_that_another_mapping_reads_now_is_made_anew(drive: Rounds) -> None:
    path = drive.mappings / f"{FROM_DEAL}.yaml"
    other = path.read_text("utf-8").replace(f"name: {FROM_DEAL}", "name: taxed").replace("taxCode: none", "taxCode: G")
    (drive.mappings / "taxed.yaml").write_text(other.replace("- IsWon", "- IsWon and Type == 'New Business'"), "utf-8")
    remap(drive, FROM_DEAL, "- IsWon", "- IsWon and Type != 'New Business'")
    deal = win(drive, "600.00", Type="Existing Business")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 60000
    change(drive, deal, Type="New Business")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 63000


def test_a_text_that_follows_after_a_payment_changes_no_expected_total(drive: Rounds) -> None:
    remap(drive, FROM_DEAL, "to: invoice\n", "to: invoice\nafter_payment: [memo]\n")
    deal = win(drive, "500.00")
    drive.run()
    pay(drive.sandbox, invoice_of(drive.sandbox, deal), 50000)
    change(drive, deal, Name="Other words", Amount=Decimal("700.00"))
    drive.run()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Other words")
    assert reviews(drive) == [(deal, "paid_invoice_changed")]
    change(drive, deal, Amount=Decimal("500.00"))
    drive.run()
    assert reviews(drive) == []


def test_the_void_of_an_invoice_in_a_locked_period_is_left_to_a_person(drive: Rounds) -> None:
    remap(drive, FROM_DEAL, "to: invoice\n", "to: invoice\non_leave: void_unpaid\n")
    deal = win(drive, CloseDate="2026-02-10")
    drive.run()
    change(drive, deal, StageName="Negotiation/Review")
    with locked(drive, "2026-02-28"):
        drive.run()
    assert len(invoices_of(drive.sandbox, deal)) == 1
    assert reviews(drive) == [(deal, "no_longer_billable")]


def test_a_field_of_which_it_is_not_known_what_was_written_is_compared(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    link = drive.store.links.of_sources("invoice", [deal])[deal]
    unknown = {"memo": (UNKNOWN, link.fields["memo"][1])}
    drive.store.links.put(link.intent("salesforce_to_kashoo"), LinkChange(link.kashoo_id, unknown))
    drive.sandbox.clock.advance(8 * 86_400)
    assert {"link", "update"} & drive.run().summary["actions"]["invoice"].keys()

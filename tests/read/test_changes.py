"""What the watchers ask, and that an event more or less changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from driver import Driver
from records import add_account, add_deal, books_rows, edit, invoice_of, writes

from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync.read.changes import kashoo_changes, salesforce_changes
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

SOBJECTS = ("Account", "Opportunity")
RESOURCES = ("invoices", "payments")
HASHES = KeyedHash(b"a key")
EVENT = "asset_triggered"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def driver(box: Sandbox, tmp_path: Path) -> Driver:
    return Driver(box, tmp_path)


def of_salesforce(driver: Driver, cursor: Any) -> tuple[list[str], str]:
    return salesforce_changes(driver.salesforce(), SOBJECTS, cursor)


def of_kashoo(driver: Driver, cursor: Any, days: int = 0) -> tuple[list[str], Any]:
    today = date.fromisoformat(driver.sandbox.clock.now().date().isoformat()) + timedelta(days=days)
    return kashoo_changes(driver.kashoo(), RESOURCES, cursor, today=today, hashes=HASHES)


# -- Salesforce


def test_a_changed_record_is_seen_once_and_the_cursor_is_its_stamp(box: Sandbox, driver: Driver) -> None:
    began, cursor = of_salesforce(driver, None)
    assert (began, of_salesforce(driver, cursor)) == ([], ([], cursor))
    box.clock.advance(60)
    deal = add_deal(box, None)
    changed, newer = of_salesforce(driver, cursor)
    assert changed == ["Opportunity"]
    assert parse_instant(newer) == parse_instant(box.org.get("Opportunity", deal)["SystemModstamp"])
    assert of_salesforce(driver, newer) == ([], newer)


def test_a_deleted_record_is_a_change(box: Sandbox, driver: Driver) -> None:
    deal = add_deal(box, None)
    box.clock.advance(60)
    _, cursor = of_salesforce(driver, None)
    box.clock.advance(60)
    box.org.delete("Opportunity", deal)
    assert of_salesforce(driver, cursor)[0] == ["Opportunity"]


def test_the_cursor_never_goes_back(box: Sandbox, driver: Driver) -> None:
    ahead = (box.clock.now() + timedelta(hours=1)).isoformat()
    add_deal(box, None)
    assert of_salesforce(driver, ahead) == ([], ahead)


@pytest.mark.parametrize("unreadable", [None, 7, "yesterday", {}, []])
def test_a_cursor_that_cannot_be_read_begins_now(driver: Driver, unreadable: Any) -> None:
    changed, cursor = of_salesforce(driver, unreadable)
    assert changed == []
    assert timedelta(0) <= driver.sandbox.clock.now() - datetime.fromisoformat(cursor) < timedelta(minutes=1)
    changed, found = of_kashoo(driver, unreadable)
    assert changed == []
    assert set(found) == set(RESOURCES)


def test_a_look_at_salesforce_costs_one_request_for_five_objects(driver: Driver) -> None:
    client = driver.salesforce()
    objects = [*SOBJECTS, "OrderItem", "Contact", "Product2", "OpportunityLineItem"]  # six
    _, cursor = salesforce_changes(client, objects, None)
    before = client.requests_sent
    salesforce_changes(client, objects, cursor)
    assert client.requests_sent - before == 2


# -- Kashoo


def test_a_look_at_kashoo_costs_at_most_two_requests_per_resource(driver: Driver, billed: dict[str, Any]) -> None:
    client = driver.kashoo()
    today = date.fromisoformat(billed["date"])
    _, cursor = kashoo_changes(client, RESOURCES, None, today=today, hashes=HASHES)
    before = client.requests_sent
    kashoo_changes(client, RESOURCES, cursor, today=today, hashes=HASHES)
    assert client.requests_sent - before == 3  # there is no payment: one; what brings rows is asked for more


@pytest.fixture
def billed(box: Sandbox, driver: Driver) -> dict[str, Any]:
    """An invoice of today that the sync made."""
    deal = add_deal(box, add_account(box, email="a@lights.example"))
    driver.run(TO_KASHOO)
    return invoice_of(box, deal)


def test_a_payment_is_seen_once(box: Sandbox, driver: Driver, billed: dict[str, Any]) -> None:
    _, cursor = of_kashoo(driver, None)
    assert of_kashoo(driver, cursor) == ([], cursor)
    box.books.pay(box.books.main(), billed["id"], 100)
    changed, newer = of_kashoo(driver, cursor)
    assert changed == ["invoices", "payments"]
    assert of_kashoo(driver, newer) == ([], newer)


def test_an_edited_or_moved_invoice_is_a_change(box: Sandbox, driver: Driver, billed: dict[str, Any]) -> None:
    _, cursor = of_kashoo(driver, None)
    tomorrow = (date.fromisoformat(billed["date"]) + timedelta(days=1)).isoformat()
    edit(box, "invoices", billed, date=tomorrow)
    changed, newer = of_kashoo(driver, cursor)
    assert changed == ["invoices"]
    assert tomorrow in newer["invoices"]


def test_a_day_that_leaves_the_week_is_no_change(box: Sandbox, driver: Driver, billed: dict[str, Any]) -> None:
    box.books.pay(box.books.main(), billed["id"], 100)
    _, cursor = of_kashoo(driver, None)
    assert billed["date"] in cursor["payments"]
    changed, newer = of_kashoo(driver, cursor, days=8)
    assert changed == []
    assert billed["date"] not in newer["payments"]


def test_the_cursor_holds_dates_and_keyed_hashes_only(box: Sandbox, driver: Driver, billed: dict[str, Any]) -> None:
    _, cursor = of_kashoo(driver, None)
    for days in cursor.values():
        for day, digest in days.items():
            assert date.fromisoformat(day)
            assert len(bytes.fromhex(digest)) == 16
    today = date.fromisoformat(billed["date"])
    _, other = kashoo_changes(driver.kashoo(), RESOURCES, None, today=today, hashes=KeyedHash(b"another"))
    assert other["invoices"].keys() == cursor["invoices"].keys()
    assert other["invoices"] != cursor["invoices"]


# -- an event more or less


def test_a_doubled_event_writes_nothing_more(box: Sandbox, driver: Driver) -> None:
    driver.run(TO_KASHOO)
    deal = add_deal(box, add_account(box, email="a@lights.example"))
    driver.run(TO_KASHOO, run_type=EVENT)
    invoice, before = invoice_of(box, deal), writes(box)
    driver.run(TO_KASHOO, run_type=EVENT)
    driver.run(TO_KASHOO, run_type=EVENT)
    assert (writes(box), invoice_of(box, deal)) == (before, invoice)


def test_a_lost_event_is_made_up_for_by_the_next_scheduled_run(box: Sandbox, driver: Driver) -> None:
    driver.run(TO_KASHOO)
    deal = add_deal(box, add_account(box, email="a@lights.example"))
    box.clock.advance(3600)
    hour = {"interval_start": box.clock.now() - timedelta(hours=1), "interval_end": box.clock.now()}
    driver.run(TO_KASHOO, run_type="scheduled", **hour)
    assert invoice_of(box, deal)["totalDue"] == 25000


def test_an_early_event_leaves_the_change_to_the_next_run(box: Sandbox, driver: Driver) -> None:
    driver.run(TO_KASHOO)
    driver.settings = driver.settings.__class__()  # with its margin
    deal = add_deal(box, add_account(box, email="a@lights.example"))
    driver.run(TO_KASHOO, run_type=EVENT)
    assert [row for row in books_rows(box, "invoices") if deal in (row["memo"] or "")] == []
    box.clock.advance(driver.settings.margin.total_seconds())
    driver.run(TO_KASHOO, run_type=EVENT)
    assert invoice_of(box, deal)["totalDue"] == 25000


def test_the_echo_of_our_write_back_wakes_a_run_that_writes_nothing(
    box: Sandbox, driver: Driver, billed: dict[str, Any]
) -> None:
    box.clock.advance(60)
    _, cursor = of_salesforce(driver, None)
    box.books.pay(box.books.main(), billed["id"], 100)
    driver.run(TO_SALESFORCE, run_type=EVENT)
    changed, cursor = of_salesforce(driver, cursor)
    assert changed == ["Opportunity"]
    _, books = of_kashoo(driver, None)
    before = writes(box)
    driver.run(TO_KASHOO, run_type=EVENT)
    assert writes(box) == before
    assert of_salesforce(driver, cursor)[0] == []
    assert of_kashoo(driver, books)[0] == []

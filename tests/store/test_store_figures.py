"""The numbers that people see, on both databases; counting them holds up no run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from filled import fill
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError

from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.find_invoices import find_invoices
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import audit, links, operations

MANY = 1_000
"""Invoices: of these one is voided, ten are open, each is 250.00 USD; as tests/support/filled.py makes them."""


@pytest.fixture
def filled(database: Database, store: SyncStore) -> Database:
    fill(database, store.scope_id, MANY)
    return database


def change(database: Database, statement: Any) -> None:
    with database.begin() as connection:
        connection.execute(statement)


def test_money_is_added_up_by_currency_and_status(filled: Database, store: SyncStore) -> None:
    change(filled, update(links).where(links.c.settlement == "Open").values(currency="CAD"))
    found = {(row["currency"], row["settlement"]): row for row in figures.money(filled, store.scope_id)}
    assert found[("CAD", "Open")] == {"currency": "CAD", "settlement": "Open", "invoices": 10, "total": 250_000}
    assert found[("USD", "Paid")]["invoices"] == MANY - 10 - 1
    assert len(found) == 2
    assert figures.money(filled, store.scope_id + 1) == []


def test_writes_are_counted_by_state_and_by_run(filled: Database, store: SyncStore) -> None:
    change(filled, update(operations).where(operations.c.target == "item").values(state="parked", run_id="last"))
    assert figures.states(filled, store.scope_id) == {"done": 1_250, "parked": 50}
    found = figures.outcomes(filled, store.scope_id, ["last", "old 0", "none"])
    assert found == {"last": {"parked": 50}, "old 0": {"done": found["old 0"]["done"]}, "none": {}}
    assert figures.states(filled, store.scope_id + 1) == {}


def test_runs_are_listed_the_newest_first(database: Database, store: SyncStore) -> None:
    for number in range(3):
        store.start_run("salesforce_to_kashoo" if number < 2 else "kashoo_to_salesforce", f"run {number}")
    listed = figures.newest_runs(database, store.scope_id, 2)
    assert [row["run_id"] for row in listed] == ["run 2", "run 1"]
    assert [row["run_id"] for row in figures.newest_runs(database, store.scope_id, 9, "salesforce_to_kashoo")] == [
        "run 1",
        "run 0",
    ]
    assert figures.run_named(database, "salesforce_to_kashoo", "run 0")["id"] == listed[-1]["id"] - 1
    assert figures.run_named(database, "salesforce_to_kashoo", "run 2") is None


def test_pages_of_invoices_show_each_once(filled: Database, store: SyncStore) -> None:
    seen, before = [], None
    while True:
        page = find_invoices(filled, store.scope_id, before=before, most=300)
        seen += [row["source_id"] for row in page.rows]
        before = page.before
        if before is None:
            break
    assert len(seen) == len(set(seen)) == MANY


def test_a_day_and_an_amount_are_found(filled: Database, store: SyncStore) -> None:
    one = update(links).where(links.c.kashoo_id == 900000000500, links.c.target == "invoice")
    change(filled, one.values(journal_date="2026-01-02", expected_total=12_345))
    voided = update(links).where(links.c.kashoo_id == 900000000001, links.c.target == "invoice")
    change(filled, voided.values(journal_date="2026-01-02", settlement=None))
    by_day = find_invoices(filled, store.scope_id, day="2026-01-02").rows
    assert [row["kashoo_id"] for row in by_day] == [900000000500, 900000000001]
    by_amount = find_invoices(filled, store.scope_id, amount=Decimal(12_345)).rows
    assert [row["kashoo_id"] for row in by_amount] == [900000000500]
    assert find_invoices(filled, store.scope_id, day="2026-01-02", amount=Decimal(25_000)).rows == by_day[1:]
    assert find_invoices(filled, store.scope_id + 1).rows == []


def test_an_amount_is_found_in_the_unit_of_its_currency(filled: Database, store: SyncStore) -> None:
    for ident, code, minor in ((900000000500, "JPY", 700), (900000000600, "USD", 700), (900000000700, "KWD", 70_005)):
        one = update(links).where(links.c.kashoo_id == ident, links.c.target == "invoice")
        change(filled, one.values(currency=code, expected_total=minor))

    def found(hundredths: str) -> list[int]:
        return [row["kashoo_id"] for row in find_invoices(filled, store.scope_id, amount=Decimal(hundredths)).rows]

    assert found("70000") == [900000000500]
    assert found("700") == [900000000600]
    assert found("7000.5") == [900000000700]


def test_who_reads_holds_up_no_writer_and_writes_nothing(database: Database, store: SyncStore) -> None:
    other = Database(database.url)
    with database.reading() as reader:
        reader.execute(text("SELECT count(*) FROM audit")).scalar_one()
        with other.engine.connect() as writer:
            writer.execute(text("UPDATE scopes SET created_at = 7"))
            writer.commit()
    other.dispose()
    if database.url.get_backend_name() != "sqlite":
        row = {"scope_id": store.scope_id, "at": 0, "run_id": "", "event": "", "target": "", "source_object": ""}
        with pytest.raises((SyncError, DBAPIError)), database.reading() as reader:
            reader.execute(insert(audit).values(**row, source_id="", fields=[], reason=""))

"""What a delta costs does not depend on how much is linked already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from filled import fill
from records import add_account, add_deal, add_line, add_product, remove_a_twin, today, twins
from rounds import WEDNESDAY, Rounds, Start, in_step
from sqlalchemy import Engine, event

from airflow_provider_kashoo.store import linked_records
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE

LARGE = 20_000
"""Invoices that the store has from before."""

MOST_ROWS = 500
"""Rows that a statement of PostgreSQL may look at: the table has many more."""

GROW = ("links", "operations", "audit", "review_items")
"""The tables that grow with what is linked."""

Statements = dict[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with in_step(tmp_path_factory.mktemp("start"), WEDNESDAY, postgres) as start:
        yield start


def change_a_lot(start: Start, drive: Rounds) -> None:
    """Let happen what makes a run ask the store all it can be asked: new, changed, merged, deleted, parked records."""
    box = drive.sandbox
    box.org.update("Opportunity", start.deal, {"Description": "another"})
    box.org.update("Account", start.account, {"Name": "Renamed Customer"})
    for number in range(3):
        deal = add_deal(box, add_account(box, f"Firm {number}"), None, Name=f"Deal {number}")
        add_line(box, deal, f"{number + 1}50.00", product="HW-100")
    add_product(box, "Unused", "UN-1")
    twins(box)


def play(start: Start, drive: Rounds) -> None:
    """Run twice from Salesforce to Kashoo."""
    change_a_lot(start, drive)
    assert drive.run().outcome["created"] > 3
    remove_a_twin(drive.sandbox, "")
    gone = add_deal(drive.sandbox, start.account, None, Name="Short-lived", CloseDate=today(drive.sandbox))
    drive.sandbox.org.delete("Opportunity", gone)
    drive.sandbox.org.update("Opportunity", start.deal, {"StageName": "Closed Lost"})
    drive.run()


def read_the_books(drive: Rounds) -> None:
    """Do of the way back what costs the same however many invoices are open: its plan looks at each of those."""
    back = drive.sync(TO_SALESFORCE)
    steps.preflight(back)
    for source in ("invoices", "payments"):
        steps.extract(back, source)


def walk(drive: Rounds) -> None:
    """Begin to walk through what is linked, as the week's runs do."""
    linked = drive.store.linked_records
    assert next(linked.pages_of_sources(["invoice"], "Opportunity"))
    assert next(linked.pages_of_sources(["customer", "item"], "Account"))
    assert next(linked.pages_of_kashoo_ids("customer"))
    assert linked.oldest_date("invoice", [None, "Paid"])


@contextmanager
def listening(engine: Engine) -> Iterator[Statements]:
    """Collect the statements that are executed, each with parameters it had."""
    found: Statements = {}

    def note(_: Any, __: Any, statement: str, given: Any, ___: Any, many: bool) -> None:
        found.setdefault(re.sub(r"IN \([^)]*\)", "IN (...)", statement), (statement, given[0] if many else given))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def of_growing_tables(statements: Statements) -> list[tuple[str, Any]]:
    """Give the statements that search a table that grows."""
    found = [each for each in statements.values() if not each[0].startswith("INSERT")]
    return [each for each in found if re.search(rf"\b({'|'.join(GROW)})\b", each[0])]


def whole_reads_of_sqlite(plan: list[str]) -> list[str]:
    """List the lines of a plan that read a table, or all that a scope or a kind has in it.

    The indexes of open questions, and of deals with several invoices, hold nothing else. Of the one that has the audit
    in its order, only the end is read; the test of the steps below would see it read whole.
    """
    small = ("uq_review_items_open", "ix_links_part", "ix_audit_id")
    scan = re.compile(rf"SCAN ({'|'.join(GROW)}|earlier)\b|.* AUTOMATIC ")  # an index that is made by reading all
    whole = re.compile(r"\((scope_id=\?|scope_id=\? AND target=\?)\)$")
    return [
        each for each in plan if scan.match(each) or (whole.search(each) and not any(name in each for name in small))
    ]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes_of(each)


def test_no_statement_of_a_delta_reads_all_that_is_linked(start, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(linked_records, "PAGE", 50)
    drive = start.again(tmp_path)
    fill(drive.database, drive.store.scope_id, LARGE)
    with listening(drive.database.engine) as statements:
        play(start, drive)
        drive.run_back()
        walk(drive)
    asked = of_growing_tables(statements)
    assert len(asked) >= 20
    for statement, given in asked:
        with drive.database.engine.connect() as connection:
            if start._postgres:
                said = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).scalar_one()
                nodes = [each for each in nodes_of(said[0]["Plan"]) if each.get("Relation Name") in GROW]
                rows = [each["Actual Rows"] + each.get("Rows Removed by Filter", 0) for each in nodes]
                assert max(rows, default=0) <= MOST_ROWS, (statement, nodes)
            else:
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
                assert whole_reads_of_sqlite(plan) == [], statement
            connection.rollback()
    drive.end()


def test_a_delta_takes_sqlite_as_many_steps_in_a_large_store_as_in_a_small_one(start, tmp_path, monkeypatch) -> None:
    if start._postgres:
        pytest.skip("PostgreSQL does not count steps")
    monkeypatch.setattr(linked_records, "PAGE", 50)
    taken = {}
    for invoices in (100, LARGE):
        drive = start.again(tmp_path / str(invoices))
        fill(drive.database, drive.store.scope_id, invoices)
        with counting(drive.database.engine) as count:
            play(start, drive)
            read_the_books(drive)
            walk(drive)
        taken[invoices] = count[0]
        drive.end()
    assert 0 < taken[LARGE] <= 1.2 * taken[100]


@contextmanager
def counting(engine: Engine) -> Iterator[list[int]]:
    """Count the instructions that SQLite's machine executes."""
    count = [0]

    def step() -> None:
        count[0] += 1

    def checkout(connection: Any, _: Any, __: Any) -> None:
        connection.set_progress_handler(step, 1)

    event.listen(engine, "checkout", checkout)
    try:
        yield count
    finally:
        event.remove(engine, "checkout", checkout)

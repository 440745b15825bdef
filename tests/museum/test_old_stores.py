"""Stores as earlier versions left them: each is migrated, goes on where it was, and writes nothing a second time.

A dump is never made anew: it is what is out there. ``history`` makes both systems as they were when it was taken.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from driver import LOOK_UP_AFTER, OPEN_STATES
from inprocess import InProcessDriver
from postgres import Postgres
from records import add_account, add_deal, add_line, add_order, books_rows, invoices_of, writes
from sqlalchemy import URL, create_engine, make_url, text

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.audit import check
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore

HERE = Path(__file__).parent
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEPT = ("budget_slots", "links", "operations", "pools", "review_items", "runs", "scopes", "settings", "watermarks")
"""Tables of schema 0001 whose rows must all be there afterwards; so must those of ``audit``."""


IDS = (529, 542, 603, 659, 752, 792, 807, 847, 929, 951, 965, 968)
"""The ids of what ``history`` makes in the books, past 9990996000, as they were when the dump was taken. They are drawn
from one source with the tokens of the logins: without this a later version that sends one request more makes others."""


class Died(BaseException):
    """The process ended here."""


class OldDriver(InProcessDriver):
    def __init__(self, sandbox: Sandbox, folder: Path, url: URL | None = None) -> None:
        super().__init__(sandbox, folder, url)
        self.runs = 100  # run ids that the dump does not have


def history(box: Sandbox, drive: InProcessDriver) -> dict[str, str]:
    """One deal parked, two and an order billed, one of them paid in part; then one in doubt, one sent, one to retry."""
    ids = iter(IDS)
    box.books._next_id = lambda: 9_990_996_000 + next(ids)  # type: ignore[method-assign]
    deals = {"parked": add_deal(box, None, "900.00")}
    for name, price in {"paid": "200.00", "billed": "150.00"}.items():
        deals[name] = add_deal(box, add_account(box, f"Customer {name}", f"{name}@customer.example"), None)
        add_line(box, deals[name], price)
    deals["order"] = add_order(box, add_account(box, "Customer order"), None)
    drive.run()
    (invoice,) = invoices_of(box, deals["paid"])
    box.books.pay(box.books.main(), invoice["id"], 5000)
    drive.run_back()
    for name, amount in {"in doubt": "800.00", "sent": "700.00", "retry": "600.00"}.items():
        deals[name] = add_deal(box, add_account(box, f"Customer {name}"), amount)
    box.faults["kashoo"].add(Fault(kind="drop_after", method="POST", path="records/invoices$"))
    posts = []

    def die(reached: str) -> None:
        if reached.startswith("received POST") and reached.endswith("records/invoices"):
            posts.append(reached)
            if len(posts) == 2:
                raise Died

    box.faults["kashoo"].hook = die
    with pytest.raises(Died):
        drive.run()
    box.faults["kashoo"].hook = None
    del box.books._next_id
    box.books._last_id = 9_990_996_000 + IDS[-1]
    return deals


def load(url: URL, dump: str) -> None:
    """Run a dump as SQLite made it; PostgreSQL numbers rows by sequences that SQLite does not have."""
    if url.get_backend_name() == "sqlite":
        with sqlite3.connect(str(url.database)) as connection:
            connection.executescript(dump)
        connection.close()
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in re.split(r";\n", dump.replace("\tid INTEGER NOT NULL", "\tid SERIAL NOT NULL")):
            if statement.strip():
                connection.exec_driver_sql(statement.replace("%", "%%"))
        for table in re.findall(r"CREATE TABLE (\w+) \(\s+id SERIAL", dump.replace("id INTEGER", "id SERIAL")):
            last = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            connection.execute(text(last))
    engine.dispose()


def of_this_box(dump: str, store: SyncStore) -> str:
    """Give the records of the books the ids that this sandbox gave them: its ids follow what was asked of it."""
    ids = {}
    with closing(sqlite3.connect(":memory:")) as old:
        old.executescript(dump)
        for target, source_id, kashoo_id in old.execute("SELECT target, source_id, kashoo_id FROM links"):
            ids[str(kashoo_id)] = str(store.links.of_sources(target, [source_id])[source_id].kashoo_id)
    return re.sub("|".join(ids), lambda found: ids[found[0]], dump)


def aged(box: Sandbox, folder: Path, dump: Path) -> tuple[dict[str, str], str]:
    """Play the history on a store that is thrown away; give its deals, and a dump with the ids of this sandbox."""
    throwaway = OldDriver(box, folder / "throwaway")
    deals = history(box, throwaway)
    old = of_this_box(dump.read_text(), throwaway.store)
    throwaway.database.dispose()
    return deals, old


def rows(database: Database, table: str, columns: str = "*") -> list[dict[str, Any]]:
    with database.begin() as connection:
        found = connection.exec_driver_sql(f"SELECT {columns} FROM {table}").mappings()  # noqa: S608
        return sorted((dict(row) for row in found), key=str)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    clock = Clock(NOON, source=lambda: 0.0)
    with Sandbox(serve=False, dataset="empty", clock=clock) as box:
        yield box


@pytest.fixture(params=["sqlite", "postgres"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database, without any schema."""
    if request.param == "sqlite":
        yield make_url(f"sqlite:///{tmp_path}/old.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh("template0")
    yield url
    server.drop(url)


@pytest.mark.parametrize("dump", sorted(HERE.glob("store_*.sql")), ids=lambda path: path.stem)
def test_an_old_store_is_migrated_and_goes_on_without_writing_anything_twice(box, old_url, tmp_path, dump) -> None:
    deals, old = aged(box, tmp_path, dump)
    load(old_url, old)
    database = Database(old_url, box.clock.time)
    plain = {table: rows(database, table) for table in KEPT}
    assert {row["source_id"] for row in plain["links"]} >= {deals[name] for name in ("paid", "billed", "order")}

    database.migrate()
    database.check()
    for table, before in plain.items():
        assert rows(database, table, ", ".join(before[0])) == before
    assert {row["state"] for row in plain["operations"]} == {state.value for state in State}
    (trail,) = check(database)
    assert (trail.entries > 5, trail.broken) == (True, None)

    drive = OldDriver(box, tmp_path / "new", old_url)
    before = {deal: len(invoices_of(box, deal)) for deal in deals.values()}
    assert sum(before.values()) == 4
    for _ in range(2):
        box.clock.advance(LOOK_UP_AFTER)
        drive.run()
    assert {name: len(invoices_of(box, deal)) for name, deal in deals.items()} == {
        "paid": 1,
        "billed": 1,
        "order": 1,
        "parked": 0,
        "in doubt": 1,
        "sent": 1,
        "retry": 1,
    }
    names = [row["contactInformation"]["name"] for row in books_rows(box, "customers")]
    assert len(names) == len(set(names)) == 6
    drive.run_back()
    sent = writes(box)
    assert drive.run().summary.requests == drive.run_back().summary.requests == 0
    assert writes(box) == sent
    assert [row["source_id"] for row in drive.store.journal.unsettled(*State) if row["state"] in OPEN_STATES] == [
        deals["parked"]
    ]


@pytest.mark.parametrize("dump", sorted(HERE.glob("store_*.sql")), ids=lambda path: path.stem)
def test_what_was_linked_before_the_migration_is_not_written_at_all(box, old_url, tmp_path, dump) -> None:
    deals, old = aged(box, tmp_path, dump)
    for name in ("sent", "retry"):
        box.org.update("Opportunity", deals[name], {"StageName": "Prospecting"})
    load(old_url, old)
    Database(old_url, box.clock.time).migrate()
    drive = OldDriver(box, tmp_path / "new", old_url)
    sent = writes(box)
    for name in ("paid", "billed", "in doubt"):
        box.org.update("Opportunity", deals[name], {"Type": "New Business"})
    for _ in range(2):
        box.clock.advance(LOOK_UP_AFTER)
        drive.run()
        drive.run_back()
    kashoo = writes(box)["kashoo"] - sent["kashoo"]
    assert kashoo == 0

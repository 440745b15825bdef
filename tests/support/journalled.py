"""A deal as tests of the journal send it, and what the store then holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from intents import like
from sqlalchemy import event, select

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Tell
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Sent
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore

DEAL = "006000000000001AAA"
ORDER = "801000000000001AAA"
DEADLINE = 60.0
DOCUMENT = {"contact": 77, "date": "2026-03-01", "memo": "x"}
NEW = Create(
    record=Record("invoice", "Opportunity", DEAL),
    mapping="invoice_from_opportunity",
    sale=DEAL,
    reason="won and not billed yet",
    document=DOCUMENT,
    currency="USD",
    total=12_000,
)
BACK = like(NEW, Tell, kind="Opportunity", sync="kashoo_to_salesforce", kashoo_id=501, reason="paid", changes=DOCUMENT)
CHANGE = LinkChange(501, {"memo": ("s1", "r1")}, currency="USD", expected_total=12_000, journal_date="2026-03-01")
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
BUSY = Problem("rate_limit", "asked to slow down", "Nothing.")
SILENT = Problem("no_answer", "no answer", "It is looked up.")
DIFFERS = Problem("total_differs", "its total in the books is not the one computed before sending", "Compare.")


def send(store: SyncStore, intent: Intent = NEW, *, run_id: str = "run1", lease: str = "a") -> Sent:
    return store.journal.send(
        intent, run_id=run_id, lease=lease, deadline_seconds=DEADLINE, payload_hash="hash", fields={}, contact_id=77
    )


def operations(store: SyncStore) -> list[Any]:
    return store.journal.unsettled(*State)


def states(store: SyncStore) -> list[str]:
    return [row["state"] for row in operations(store)]


def rows_of(store: SyncStore, table: Any) -> list[dict[str, Any]]:
    with store.database.begin() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def everything(store: SyncStore) -> dict[str, list[dict[str, Any]]]:
    return {name: rows_of(store, table) for name, table in tables.metadata.tables.items()}


def audited(store: SyncStore) -> list[tuple[str, str, int | None]]:
    return [(row["event"], row["run_id"], row["kashoo_id"]) for row in rows_of(store, tables.audit)]


@contextmanager
def failing(database: Database, moment: str) -> Iterator[None]:
    """Raise as a transaction is about to run this statement, or to commit."""

    def before(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(moment):
            raise ConnectionResetError(moment)

    def commit(_conn: Any) -> None:
        if moment == "COMMIT":
            raise ConnectionResetError(moment)

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "commit", commit)

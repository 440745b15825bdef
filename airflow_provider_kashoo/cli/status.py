"""What a person has to look at, and how far each source was read, as tables for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.reviews import Reviews

WAITING = (State.PARKED, State.IN_DOUBT, State.RETRY, State.SENT)


def print_status(database: Database, console: Console | None = None) -> None:
    """Print, for each org and business, what is parked, in doubt, or to be reviewed, and the watermarks.

    :raises ConfigurationError: when the store is missing or old.
    :raises UnreachableError: when it does not answer.
    """
    console = console or Console()
    database.check()
    with database.begin() as connection:
        scopes = connection.execute(select(tables.scopes).order_by(tables.scopes.c.id)).all()
        now = database.now(connection)
        shut = connection.execute(select(tables.budget_closures.c.until).where(tables.budget_closures.c.until > now))
        until = max(shut.scalars(), default=None)
    if until:
        console.print(Text(f"Kashoo asked for a pause: no request leaves before {_instant(until)} UTC."))
    if not scopes:
        console.print("Nothing was synced yet.")
    for scope in scopes:
        name = f"{scope.org_id} / {scope.business_id}"
        waiting = _waiting(database, scope.id, name)
        console.print(waiting if waiting.row_count else Text(f"{name}: nothing waits for a person."))
        read = _watermarks(database, scope.id, name)
        if read.row_count:
            console.print(read)


def _waiting(database: Database, scope_id: int, name: str) -> Table:
    table = Table("id", "state", "record", "target", "Kashoo id", "cause", "what to do", title=Text(name))
    for row in Journal(database, scope_id).unsettled(*WAITING):
        cause, fix = row["cause"] or "no answer yet", row["fix"] or ""
        add_row(table, str(row["id"]), row["state"], *_record(row), cause, fix)
    for row in Reviews(database, scope_id).all_open():
        add_row(table, "", "review", *_record(row), row["cause"], row["fix"])
    return table


def _watermarks(database: Database, scope_id: int, name: str) -> Table:
    table = Table("source", "read up to (UTC)", "by run", title=Text(f"{name}: watermarks"))
    mine = select(tables.watermarks).where(tables.watermarks.c.scope_id == scope_id)
    with database.begin() as connection:
        found = connection.execute(mine.order_by(tables.watermarks.c.source)).all()
    for row in found:
        add_row(table, row.source, _instant(row.value), row.run_id)
    return table


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _record(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return f"{row['source_object']} {row['source_id']}", row["target"], str(row["kashoo_id"] or "")

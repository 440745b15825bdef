"""What a person has to look at, as tables for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from airflow_provider_kashoo.core.operations import State
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.reviews import Reviews

WAITING = (State.PARKED, State.IN_DOUBT, State.RETRY, State.SENT)


def print_status(database: Database, console: Console | None = None) -> None:
    """Print, for each org and business, what is parked, in doubt, or to be reviewed.

    :raises ConfigurationError: when the store is missing or old.
    """
    console = console or Console()
    database.check()
    with database.begin() as connection:
        scopes = connection.execute(select(tables.scopes).order_by(tables.scopes.c.id)).all()
    if not scopes:
        console.print("Nothing was synced yet.")
    for scope in scopes:
        journal = Journal(database, scope.id)
        table = Table(
            "id", "state", "record", "target", "cause", "what to do", title=f"{scope.org_id} / {scope.business_id}"
        )
        for row in journal.unsettled(*WAITING):
            table.add_row(
                str(row["id"]),
                row["state"],
                _record(row),
                row["target"],
                row["cause"] or "no answer yet",
                row["fix"] or "",
            )
        for row in Reviews(database, scope.id).all_open():
            table.add_row("", "review", _record(row), row["target"], row["cause"], row["fix"])
        console.print(
            table if table.row_count else f"{scope.org_id} / {scope.business_id}: nothing waits for a person."
        )


def _record(row: Mapping[str, Any]) -> str:
    return f"{row['source_object']} {row['source_id']}"

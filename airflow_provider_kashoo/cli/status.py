"""Print what a person has to look at, and how far each source was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import Overview, closed_until, overviews


def print_status(database: Database, console: Console | None = None) -> None:
    """Print, for each org and business, what is parked, in doubt, or to be reviewed, and the watermarks.

    :raises ConfigurationError: when the store is missing or old.
    :raises UnreachableError: when it does not answer.
    """
    console = console or Console()
    database.check()
    if until := closed_until(database):
        console.print(Text(f"Kashoo asked for a pause: no request is sent before {_instant(until)} UTC."))
    found = list(overviews(database))
    if not found:
        console.print("Nothing was synced yet.")
    for each in found:
        name = f"{each.org_id} / {each.business_id}"
        waiting = _waiting(each, name)
        console.print(waiting if waiting.row_count else Text(f"{name}: nothing waits for a person."))
        if each.watermarks:
            console.print(_watermarks(each, name))


def _waiting(overview: Overview, name: str) -> Table:
    table = Table(Column("id", no_wrap=True), Column("record", no_wrap=True), "cause", "what to do", title=Text(name))
    for row in overview.waiting:
        cause, fix = row["cause"] or "no answer yet", row["fix"] or ""
        add_row(table, str(row["id"]), _record(row, row["state"]), cause, fix)
    for row in overview.asked:
        add_row(table, f"R{row['id']}", _record(row, "review"), row["cause"], row["fix"])
    return table


def _watermarks(overview: Overview, name: str) -> Table:
    table = Table("source", "read up to (UTC)", "by run", title=Text(f"{name}: watermarks"))
    for row in overview.watermarks:
        add_row(table, row["source"], _instant(row["value"]), row["run_id"])
    return table


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _record(row: Mapping[str, Any], state: str) -> str:
    """Name it in short lines: an id that a terminal breaks in two cannot be copied."""
    part = f", part {row['part']}" if row["part"] > 1 else ""
    in_books = f"in Kashoo {row['kashoo_id']}" if row["kashoo_id"] else ""
    said = [f"{row['target']}, {state.replace('_', ' ')}", row["source_object"], f"{row['source_id']}{part}", in_books]
    return "\n".join(filter(None, said))

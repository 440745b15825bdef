"""What the commands share: rows of tables, and options that people type."""

from __future__ import annotations

from datetime import datetime

from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.core.values.dates import parse_instant


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain text: Rich would take ``[sf:...]`` for markup, drop it, and stumble over ``[/x]``.

    What is too long for its column goes on in the next line: an id that is cut short is of no use.
    """
    table.add_row(*(Text(cell, overflow="fold") for cell in cells))


def instant_given(option: str, text: str | None) -> datetime | None:
    """Read an option that takes a time.

    :returns: UTC; None when it was not given.
    :raises SystemExit: for what is neither a day nor an instant.
    """
    try:
        return parse_instant(text) if text else None
    except ValueError:
        raise SystemExit(f"{option} {text} is not a date. Give it as 2026-01-31, or with a time in UTC.") from None

"""Rows for the tables of the command line."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain text: Rich would take ``[sf:...]`` for markup, drop it, and stumble over ``[/x]``."""
    table.add_row(*map(Text, cells))

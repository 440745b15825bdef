"""What the commands share: rows of tables, and options that people type."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from getpass import getuser

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


def this_user() -> str:
    """Name the user of this computer, who answers for what is done by hand."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "unknown"


def log_to_stderr() -> None:
    """Keep the log out of what is printed: it may be JSON that a program reads."""
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)

"""What the commands share: where they print, rows of tables, and options that people type."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from getpass import getuser
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.values.dates import parse_instant

WIDE = 10_000
"""Columns of what is no terminal: a pipe or a file takes lines of any length, and nothing is to be cut."""


def printer() -> Console:
    """Print to standard output: as wide as the terminal is, or as wide as it takes if there is none."""
    return Console() if sys.stdout.isatty() or "COLUMNS" in os.environ else Console(width=WIDE)


def as_cell(text: str) -> str:
    """Write a text as a cell of CSV: a spreadsheet would run what begins like a formula."""
    return f"'{text}" if text[:1] in {*"=+-@\t\r"} else text


@contextmanager
def writable(path: str | Path) -> Iterator[None]:
    """Say it when a file that a person named cannot be written.

    :raises ConfigurationError: with what to do.
    """
    try:
        yield
    except OSError as error:
        said = f"{path} cannot be written: {error.strerror}."
        raise ConfigurationError(said, remedy="Choose another file.") from None


def give(text: str, output: str | None, console: Console) -> None:
    """Print a report as it is, or write it to a file.

    :param output: the file; None for the terminal.
    :raises ConfigurationError: when it cannot be written.
    """
    if output is None:
        console.out(text, highlight=False)
        return
    with writable(output):
        Path(output).write_text(text, "utf-8")
    console.print(Text(f"Written: {output}"))


@contextmanager
def within_limit(then: str) -> Iterator[None]:
    """Let no command wait for requests to be free: it says when they are.

    :param then: what to do after that.
    :raises UnreachableError: when the request limit is reached.
    """
    try:
        yield
    except BudgetSpent as spent:
        when = datetime.fromtimestamp(spent.until, UTC).isoformat(timespec="seconds")
        raise UnreachableError(f"The request limit is reached until {when}.", remedy=then) from None


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


def end_given(option: str, text: str | None) -> datetime | None:
    """Read an option that takes the end of a time, which is not a part of it; of a day without a time, all of it is.

    :returns: UTC; None when it was not given.
    :raises SystemExit: as :func:`instant_given`.
    """
    end = instant_given(option, text)
    return end + timedelta(days=1) if end and text and len(text.strip()) == len("2026-01-31") else end


def day_given(option: str, text: str | None) -> date | None:
    """Read an option that takes a day.

    :returns: None when it was not given.
    :raises SystemExit: for what is no day.
    """
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SystemExit(f"{option} {text} is not a day. Give it as 2026-01-31.") from None


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

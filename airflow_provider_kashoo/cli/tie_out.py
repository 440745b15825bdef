"""``airflow kashoo tie-out``: what was won, billed and booked in a period, as tables, JSON, CSV or a page."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row, give, printer, within_limit
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.money import format_in, format_minor
from airflow_provider_kashoo.reports.difference import Difference
from airflow_provider_kashoo.reports.page import tie_out_page
from airflow_provider_kashoo.reports.receivables import Receivables
from airflow_provider_kashoo.reports.tie_out import TieOut
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import tie_out

MOST = 50
"""Differences of a month in the table on a terminal."""


def compared(sync: Sync, first: date | None, last: date | None) -> TieOut:
    """Compare a period, and write nothing.

    :param first: first day; by default the month before begins it.
    :param last: last day; by default today.
    :raises ConfigurationError: for a period that ends before it begins, and when nothing was synced yet.
    :raises UnreachableError: when a side does not answer, or the request limit is reached.
    """
    today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
    usual = Period.usual(last or today)
    with within_limit("Try again after that."):
        return tie_out(sync, Period(first or usual.first, usual.last), named=True)


def show(report: TieOut, form: str, output: str | None, console: Console | None = None) -> None:
    """Print it, or write it to a file.

    :param form: ``table``, ``json``, ``html`` or ``csv``.
    :param output: a file; None for the terminal.
    :raises ConfigurationError: when the file cannot be written.
    """
    console = console or printer()
    if form == "table" and output is None:
        print_report(report, console)
        return
    text = as_text(report, form)
    give(text, output, console)


def as_text(report: TieOut, form: str) -> str:
    """Write it as ``json``, ``html``, ``csv`` or ``table``."""
    if form == "json":
        return json.dumps(report.as_json(), indent=2, ensure_ascii=False)
    if form == "html":
        return tie_out_page(report)
    if form == "csv":
        return report.as_csv()
    file = io.StringIO()
    print_report(report, Console(width=200, file=file))
    return file.getvalue()


def print_report(report: TieOut, console: Console) -> None:
    """Print totals and differences."""
    totals = Table("month", title=f"tie-out {report.first} to {report.last}")
    for name in ("deals before tax", "taxes", "invoices", "books", "difference", "not ours"):
        totals.add_column(name, justify="right")
    totals.add_column("state")
    for cell in report.cells:
        amounts = (cell.deals, cell.taxes, cell.invoices, cell.books, cell.difference, cell.not_ours)
        state = "closed" if cell.closed else f"open: {'; '.join(cell.why_open)}"
        add_row(totals, f"{cell.month} {cell.currency}", *(format_in(cell.currency, each) for each in amounts), state)
    console.print(totals)
    for cell in report.cells:
        if cell.differences:
            console.print(_differences(f"{cell.month} {cell.currency}", cell.differences))
    if report.receivables:
        _print_owed(report.receivables, console)
    for note in report.notes:
        console.print(Text(note))
    console.print(Text(f"{report.unexplained:,} unexplained. Nothing was written."))


def _print_owed(owed: Receivables, console: Console) -> None:
    """Print what customers owe, and what payments or Accounts say otherwise."""
    table = Table("customer", title=f"owed today, by invoices and payments dated {owed.since} or later")
    for name in ("open invoices", "credits", "balance", "of this sync", "its Account says"):
        table.add_column(name, justify="right", no_wrap=True)
    for total in owed.totals:
        amounts = (format_in(total.currency, each) for each in (total.open, total.credits, total.balance))
        add_row(table, f"all {total.customers:,} in {total.currency}", *amounts, "", "")
        for each in [each for each in owed.customers if each.currency == total.currency][:MOST]:
            amounts = (format_in(each.currency, minor) for minor in (each.open, each.credits, each.balance, each.ours))
            add_row(table, each.label, *amounts, "" if each.says is None else format_in(each.currency, each.says))
        if (more := total.customers - MOST) > 0:
            add_row(table, f"{more:,} more: write all with --format html --output FILE", "", "", "", "", "")
    console.print(table)
    for note in owed.notes:
        console.print(Text(note))
    if owed.differences:
        console.print(_differences("balances", owed.differences, other="payments or Account"))


def _differences(title: str, differences: Sequence[Difference], other: str = "deal") -> Table:
    """Make the table of some differences.

    :param other: what is held against the books.
    """
    table = Table("difference", "record and next step", title=title)
    table.add_column(other, justify="right", no_wrap=True)
    table.add_column("books", justify="right", no_wrap=True)
    table.add_column("state")
    for each in differences[:MOST]:
        record = " → ".join(str(ident) for ident in (each.source_id, each.kashoo_id) if ident)
        said = "\n".join(filter(None, [record, each.next_step]))
        state = " ".join(filter(None, [each.state, each.id, each.why])) if each.id else ""
        amounts = (format_minor(minor, each.currency) for minor in (each.deal_minor, each.books_minor))
        add_row(table, each.name, said, *amounts, state)
    if (more := len(differences) - MOST) > 0:
        add_row(table, "...", f"{more:,} more: write all with --format html --output FILE", "", "", "")
    return table

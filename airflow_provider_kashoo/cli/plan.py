"""``airflow kashoo plan`` for people: what the next run would do, as tables, JSON or a page."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row, give, printer, within_limit
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.values.money import format_in, format_minor
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.reports.page import plan_page
from airflow_provider_kashoo.reports.plan import PlanReport, PlanRow, instant
from airflow_provider_kashoo.sync.by_hand.preview import preview
from airflow_provider_kashoo.sync.run.sync import Sync

MOST = 50
"""Rows in the table on a terminal; of more it shows those that matter first, and says where the others are."""


def plan(sync: Sync, run: RunFacts) -> PlanReport:
    """Plan what a run would do, and write nothing.

    :raises ConfigurationError: as the steps of a run.
    :raises UnreachableError: when a side does not answer, or the request limit is reached.
    """
    with within_limit("Plan again after that."):
        return preview(sync, run)


def show(report: PlanReport, form: str, output: str | None, console: Console | None = None) -> None:
    """Print it, or write it to a file.

    :param form: ``table``, ``json`` or ``html``.
    :param output: a file; None for the terminal.
    :raises ConfigurationError: when the file cannot be written.
    """
    console = console or printer()
    if form == "table" and not output:
        print_report(report, console)
        return
    text = {"json": _json, "html": plan_page, "table": _table_text}[form](report)
    give(text, output, console)


def print_report(report: PlanReport, console: Console) -> None:
    """Print the money, what is odd, the rows, and when it will be done."""
    if report.totals:
        console.print(_money_table(report))
    odd = report.odd
    if odd:
        console.print(_rows_table("look at these first", odd[:MOST]))
    rest = [row for row in report.rows if not row.odd]
    if rest:
        console.print(_rows_table("what it would do", rest[: MOST - len(odd[:MOST])]))
    if more := len(report.rows) - min(MOST, len(report.rows)):
        console.print(Text(f"{more:,} more rows: write them all with --format html --output plan.html"))
    for each in _sentences(report):
        console.print(Text(each))


def _money_table(report: PlanReport) -> Table:
    table = Table("currency", title=f"money of plan {report.digest[:12]}")
    for name in ("to be invoiced", "changed from", "to", "voided"):
        table.add_column(name, justify="right")
    for currency, totals in report.totals.items():
        add_row(table, currency, *(format_in(currency, totals[name]) for name in totals))
    return table


def _rows_table(title: str, rows: Sequence[PlanRow]) -> Table:
    table = Table("action", "record and reason", title=title)
    table.add_column("total", justify="right", no_wrap=True)
    for row in rows:
        part = f", part {row.part}" if row.part > 1 else ""
        who = " of ".join(filter(None, [row.name, row.customer if row.customer not in row.name else ""]))
        said = [who, f"{row.target} {row.source_id}{part}", "; ".join([*row.odd, row.reason])]
        add_row(table, row.action, "\n".join(filter(None, said)), _amounts(row))
    return table


def _amounts(row: PlanRow) -> str:
    before, after = (
        None if amount is None else format_minor(amount, row.currency or "")
        for amount in (row.total_before_minor, row.total_minor)
    )
    if before and row.action == Action.VOID:
        return f"{before} -> void"
    return f"{before} -> {after}" if before and after and before != after else after or before or ""


def _sentences(report: PlanReport) -> list[str]:
    counts = [
        f"{target}: {', '.join(f'{count:,} {action}' for action, count in actions.items())}"
        for target, actions in report.actions.items()
    ]
    paid = [f"to be marked as paid: {format_minor(total, code)}" for code, total in report.to_pay.items()]
    reasons = [f"{count:,} x {reason}" for reason, count in {**report.reasons, **report.caught}.items()]
    needed = (
        f"{report.requests:,} requests to Kashoo, {report.free_now:,} of them free now; "
        f"done at {instant(report.done_at)}, if it began now."
    )
    asks = [f"A person has to approve it: {count:,} x {reason}" for reason, count in report.asks.items()]
    nothing = [] if report.rows else ["Nothing is to be written, and nothing waits for a person."]
    end = [*report.test_batch, *([needed] if report.requests else []), *report.notes, "Nothing was written."]
    return [*counts, *paid, *reasons, *asks, *nothing, *end]


def _json(report: PlanReport) -> str:
    return json.dumps(report.as_json(), indent=2, ensure_ascii=False)


def _table_text(report: PlanReport) -> str:
    file = io.StringIO()
    print_report(report, Console(width=200, file=file))
    return file.getvalue()

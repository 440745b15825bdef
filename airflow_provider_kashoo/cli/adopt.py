"""``airflow kashoo adopt`` for people: the report as tables or CSV, and the question before anything is linked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.core.values.money import CENTS
from airflow_provider_kashoo.sync.by_hand.adopt import Adoption, Finding, Report, Result, money
from airflow_provider_kashoo.sync.run.sync import Sync

TARGETS = ("customer", "item", "invoice")
OPEN = (Result.AMBIGUOUS, Result.NO_MATCH, Result.UNFIT)
COLUMNS = ("result", "target", "object", "record", "kashoo_id", "label", "why", "total", "currency", "books_total")


@dataclass(frozen=True)
class Choice:
    """What a person chose on the command line.

    :param dry_run: show the report and link nothing.
    :param yes: link without asking.
    :param output: file for the report as CSV; None for none.
    """

    dry_run: bool = False
    yes: bool = False
    output: str | None = None


def parse_since(text: str | None) -> datetime | None:
    """Read ``--from``.

    :returns: UTC; None when it was not given.
    :raises SystemExit: for what is neither a day nor an instant.
    """
    try:
        return parse_instant(text) if text else None
    except ValueError:
        raise SystemExit(f"--from {text} is no date. Give it as 2026-01-31, or with a time in UTC.") from None


def adopt(
    sync: Sync,
    since: datetime | None,
    choice: Choice,
    console: Console | None = None,
    ask: Callable[[str], str] = input,
) -> Report:
    """Compare, report, ask and link.

    :param since: UTC; where the next run begins when not given.
    :param ask: shows a question and gives the answer.
    :returns: what was found, whether it was linked or not.
    :raises ConfigurationError: when no beginning is known, or the file cannot be written.
    :raises UnreachableError: when the request budget needs a longer wait.
    """
    console = console or Console()
    if choice.output and not Path(choice.output).absolute().parent.is_dir():
        raise ConfigurationError(f"{choice.output} lies in no folder.", remedy="Create it, or choose another one.")
    adoption = Adoption(sync, since)
    needed = adoption.read_salesforce()
    seconds = sync.budget.seconds_for(needed)
    console.print(
        f"Reads from Kashoo about {needed} times, in {seconds:.0f} s at least; more if it holds more than Salesforce."
    )
    try:
        report = adoption.compare()
    except BudgetSpent as spent:
        when = datetime.fromtimestamp(spent.until, UTC).isoformat(timespec="seconds")
        raise UnreachableError(f"The request budget is spent until {when}.", remedy="Adopt again then.") from None
    print_report(report, console)
    if choice.output:
        write_csv(report, Path(choice.output))
        console.print(Text(f"Written: {choice.output}"))
    matches = len(report.of(Result.MATCH))
    if choice.dry_run or not matches:
        console.print("Nothing was linked.")
    elif choice.yes or _agrees(ask, matches):
        outcome = adoption.link(report)
        console.print(f"Linked {outcome['linked']} records.")
        if missed := outcome["changed meanwhile"]:
            console.print(f"{missed} changed while you read the report and were not linked: adopt again.")
    else:
        console.print("Nothing was linked.")
    return report


def print_report(report: Report, console: Console) -> None:
    """Print the matches of each target, then what did not match, and one line that sums it up."""
    for target in TARGETS:
        matches = [found for found in report.of(Result.MATCH) if found.row.target == target]
        table = Table(
            "record", "Kashoo id", "number" if target == "invoice" else "name", "evidence", title=f"{target}s"
        )
        if target == "invoice":
            table.add_column("total", justify="right")
        for found in matches:
            total = [money(found)] if target == "invoice" else []
            add_row(table, found.row.record, str(found.row.kashoo_id), found.label, found.why, *total)
        if matches:
            console.print(table)
    waiting = report.of(*OPEN)
    if waiting:
        table = Table("record", "target", "result", "why", "candidates", "total", title="not linked")
        for found in waiting:
            candidates = ", ".join(map(str, found.candidates))
            row = found.row
            add_row(table, row.record, row.target, found.result.value, found.why, candidates, money(found))
        console.print(table)
    console.print(Text(_summary(report)))
    if unclear := [found for found in waiting if found.result is Result.AMBIGUOUS and found.row.target == "invoice"]:
        console.print(
            Text(
                "The next run bills what is ambiguous as if it were new. To say which invoice is a deal's, put the "
                "deal's mark into the invoice's memo in Kashoo and adopt again; the mark of "
                f"{unclear[0].row.record} is {unclear[0].row.reference}"
            )
        )


def write_csv(report: Report, path: Path) -> None:
    """Write every finding as a row, amounts in major units.

    :raises ConfigurationError: when the file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(map(_cells, report.of(*Result)))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.", remedy="Choose another one.") from None


def _cells(found: Finding) -> list[str]:
    row = found.row
    idents = [row.kashoo_id] if row.kashoo_id is not None else found.candidates
    return [
        found.result.value,
        row.target,
        row.source_object,
        row.source_id,
        " ".join(map(str, idents)),
        # A spreadsheet would run what begins like a formula, and a customer chooses its own name.
        f"'{found.label}" if found.label[:1] in "=+-@\t\r" and found.label else found.label,
        found.why,
        _major(row.total),
        row.currency or "",
        _major(found.books_total),
    ]


def _major(amount: int | None) -> str:
    return "" if amount is None else f"{Decimal(amount) / CENTS:.2f}"


def _summary(report: Report) -> str:
    count = {result: len(report.of(result)) for result in Result}
    known = sum(report.known.values())
    return (
        f"{count[Result.MATCH]} matched, {count[Result.AMBIGUOUS]} ambiguous, {count[Result.NO_MATCH]} without a "
        f"match, {count[Result.UNFIT]} unfit, {known} linked before, {report.left_out} deals not to be billed."
    )


def _agrees(ask: Callable[[str], str], count: int) -> bool:
    try:
        return ask(f"Link {count} records? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:  # a script that does not say --yes
        return False

"""``airflow kashoo adopt`` for people: the report as tables or CSV, and the question before anything is linked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row, as_cell, printer, within_limit, writable
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import MAPPED, is_billed
from airflow_provider_kashoo.core.values.money import format_in
from airflow_provider_kashoo.sync.by_hand.adopt import Adoption, Finding, Report, Result, money
from airflow_provider_kashoo.sync.run.sync import Sync

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
    :raises ConfigurationError: when there is no date to begin with, or the file cannot be written.
    :raises UnreachableError: when the request budget needs a longer wait.
    """
    console = console or printer()
    if choice.output and not Path(choice.output).absolute().parent.is_dir():
        raise ConfigurationError(f"The folder of {choice.output} does not exist.", remedy="Create it.")
    adoption = Adoption(sync, since)
    needed = adoption.read_salesforce()
    seconds = sync.budget.seconds_for(needed)
    console.print(
        f"Sending about {needed} requests to Kashoo, which takes at least {seconds:.0f} s; more if it has more records "
        "than Salesforce."
    )
    with within_limit("Adopt again after that."):
        report = adoption.compare()
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
            console.print(f"{missed} changed while you read the report and were not linked. Adopt again.")
    else:
        console.print("Nothing was linked.")
    return report


def print_report(report: Report, console: Console) -> None:
    """Print the matches of each target, then what did not match, and one line that sums it up."""
    for kind in MAPPED:
        matches = [found for found in report.of(Result.MATCH) if found.intent.record.kind == kind]
        table = Table("record", "Kashoo id", "number" if is_billed(kind) else "name", "evidence", title=f"{kind}s")
        if is_billed(kind):
            table.add_column("total", justify="right")
        for found in matches:
            total = [money(found)] if is_billed(kind) else []
            add_row(table, str(found.intent.record), str(found.intent.kashoo_id), found.label, found.why, *total)
        if matches:
            console.print(table)
    waiting = report.of(*OPEN)
    if waiting:
        table = Table("record", "target", "result", "why", "candidates", "total", title="not linked")
        for found in waiting:
            candidates = ", ".join(map(str, found.candidates))
            record = found.intent.record
            add_row(table, str(record), record.kind, found.result.value, found.why, candidates, money(found))
        console.print(table)
    console.print(Text(_summary(report)))
    ambiguous = (found.intent for found in waiting if found.result is Result.AMBIGUOUS)
    if unclear := [intent for intent in ambiguous if is_billed(intent.record.kind)]:
        console.print(
            Text(
                "The next run bills ambiguous deals again. To prevent that, put the deal's mark into the memo of its "
                f"invoice in Kashoo, and adopt again. The mark of {unclear[0].record} is {unclear[0].reference}"
            )
        )


def write_csv(report: Report, path: Path) -> None:
    """Write every finding as a row, amounts in major units.

    :raises ConfigurationError: when the file cannot be written.
    """
    with writable(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, report.of(*Result)))


def _cells(found: Finding) -> list[str]:
    intent, record = found.intent, found.intent.record
    idents = [intent.kashoo_id] if intent.kashoo_id is not None else found.candidates
    return [
        found.result.value,
        record.kind,
        record.object,
        record.id,
        " ".join(map(str, idents)),
        as_cell(found.label),  # a customer chooses its own name
        found.why,
        _major(intent.total, intent.currency),
        intent.currency or "",
        _major(found.books_total, intent.currency),
    ]


def _major(amount: int | None, currency: str | None) -> str:
    return "" if amount is None else format_in(currency, amount).replace(",", "")


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

"""What the DAG ``kashoo_tie_out`` does: compare, note what was found, and leave the report in the staging folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.reports.page import tie_out_page
from airflow_provider_kashoo.reports.receivables import balance_text
from airflow_provider_kashoo.reports.tie_out import headline, totals_text
from airflow_provider_kashoo.sync.run.record_links import Addresses
from airflow_provider_kashoo.sync.run.sync import TIE_OUT, Sync
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import note, tie_out


@dataclass(frozen=True)
class Done:
    """What was done.

    :param result: days, counts by name, and where the report is; no amounts, and no names of customers.
    :param said: for the log.
    """

    result: dict[str, Any]
    said: str


def compare_and_note(sync: Sync, first: str | None, last: str | None, dag_id: str | None = None) -> Done:
    """Compare a period, note the differences in the store, and write the report as JSON, CSV and HTML.

    :param first: first day, ``YYYY-MM-DD``; None for the first day of the month before.
    :param last: last day; None for today.
    :param dag_id: the DAG that runs.
    :raises ConfigurationError: for what is no day, and as :func:`~.tie_out.tie_out`.
    """
    files = sync.files.of_run(TIE_OUT, sync.run.run_id)
    files.mark_worked_on(replace(sync.run, dag_id=dag_id), sync.store.now())
    today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
    usual = Period.usual(_day(last) or today)
    period = Period(_day(first) or usual.first, usual.last)
    report = tie_out(sync, period)
    new, resolved = note(sync, period, report)
    Addresses.of_run(sync).stage(files)
    files.write_json("report", report.as_json())
    files.write_text("report.csv", report.as_csv())
    files.write_text("report.html", tie_out_page(report))
    named = Counter(each.name for each in report.differences if each.is_open)
    result = {
        "from": report.first,
        "to": report.last,
        "months": len(report.cells),
        "closed": sum(cell.closed for cell in report.cells),
        "open": {str(name): count for name, count in sorted(named.items())},
        "unexplained": report.unexplained,
        "new": new,
        "resolved": resolved,
        "report": str(files.folder),
    }
    owed = map(balance_text, report.receivables.totals) if report.receivables else ()
    lines = [headline(report), *map(totals_text, report.cells), *owed, f"Report: {files.folder}"]
    return Done(result, "\n".join(lines))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigurationError(f"{shown(text)} is not a day.", remedy="Give it as 2026-01-31.") from None

"""The request by which a person is asked to approve a plan, in Markdown: amounts and ids, no names.

Airflow keeps it in its own database, shows it to everybody who may see the DAG, and hands it to listeners.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from airflow_provider_kashoo.core.values.money import format_in, format_minor
from airflow_provider_kashoo.reports.plan import PlanReport, PlanRow

BIGGEST, ODD = 10, 10
"""So many rows are shown."""

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")


def request_text(report: PlanReport, short: str) -> str:
    """Write the request.

    :param short: names the plan.
    """
    asking = [row for row in report.rows if row.asks]
    odd = [row for row in report.odd if row not in asking]
    parts = [
        f"**Plan `{short}`** of {plain(report.sync)}, business {plain(report.business)}. An answer counts for it only.",
        "**Why you are asked**",
        _bullets(f"{count:,} x {plain(reason)}" for reason, count in report.asks.items()),
        *(["**The test batch**", _bullets(map(plain, report.test_batch))] if report.test_batch else []),
        *_money(report),
        *_rows("The biggest that ask", sorted(asking, key=lambda row: -row.amount)[:BIGGEST], len(asking)),
        *_rows("Look at these too", odd[:ODD], len(odd)),
        "**All that would be done**",
        _bullets(
            f"{plain(target)}: {', '.join(f'{count:,} {action}' for action, count in actions.items())}"
            for target, actions in report.actions.items()
        ),
        _if_rejected(report, asking),
        f"{report.requests:,} requests to Kashoo.",
        "Names are not kept here: look the records up in Salesforce by their ids, or see `airflow kashoo plan`.",
    ]
    return "\n\n".join(parts)


def _if_rejected(report: PlanReport, asking: Sequence[PlanRow]) -> str:
    """Say what happens then: to the rows that ask and to the others, or to the plan, if it asks as a whole."""
    if report.asks == Counter(reason for row in asking for reason in row.asks):
        return f"If you reject it, {len(asking):,} are parked with your reason, and everything else is written."
    return "If you reject it, nothing of it is written, and the next run plans and asks again."


def plain(text: str) -> str:
    """Write text so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _money(report: PlanReport) -> Iterable[str]:
    if report.totals:
        lines = ["| currency | to be invoiced | changed from | to | voided |", "|---|--:|--:|--:|--:|"]
        for currency, totals in report.totals.items():
            lines.append(f"| {plain(currency)} | {' | '.join(format_in(currency, totals[name]) for name in totals)} |")
        yield "\n".join(lines)


def _rows(title: str, rows: Sequence[PlanRow], count: int) -> Iterable[str]:
    if rows:
        lines = ["| action | record | amount | why |", "|---|---|--:|---|"]
        for row in rows:
            record = f"{plain(row.source_object)} {row.source_id}" + (f", part {row.part}" if row.part > 1 else "")
            why = plain("; ".join([*row.asks, *row.odd]))
            lines.append(f"| {plain(row.action)} | {record} | {_amounts(row)} | {why} |")
        yield f"**{title}**{f' ({len(rows)} of {count:,})' if count > len(rows) else ''}"
        yield "\n".join(lines)


def _amounts(row: PlanRow) -> str:
    known = (row.total_before_minor, row.total_minor)
    return " → ".join(format_minor(each, row.currency or "") for each in known if each is not None)

"""A report as one self-contained HTML page: no script, style or picture is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_kashoo.core.values.money import format_in, format_minor
from airflow_provider_kashoo.reports.digest import MOST_SHOWN, Digest
from airflow_provider_kashoo.reports.plan import PlanReport, instant
from airflow_provider_kashoo.reports.tie_out import TieOut

MOST_ROWS = 5_000
"""Rows of one table; with more a browser takes seconds to show them."""

_TITLES = {
    "salesforce_to_kashoo": "What will be written to Kashoo",
    "kashoo_to_salesforce": "What will be written back to Salesforce",
}

_BARS = (
    ("create", "new invoices"),
    ("update_before", "changed invoices, before"),
    ("update_after", "changed invoices, after"),
    ("void", "voided invoices"),
)


def plan_page(report: PlanReport) -> str:
    """Write the report of a plan as HTML; what people and systems named is shown as text, never run."""
    return _rendered(
        "plan.html",
        report=report,
        title=_TITLES.get(report.sync, report.sync),
        pictures=_pictures(report),
        most=MOST_ROWS,
    )


def tie_out_page(report: TieOut) -> str:
    """Write a tie-out as HTML; see :func:`plan_page`."""
    return _rendered("tie_out.html", report=report, pictures=_sides(report), most=MOST_ROWS)


def digest_page(digest: Digest) -> str:
    """Write a message to people as HTML for mail programs; see :func:`plan_page`."""
    return _rendered("digest.html", digest=digest, most=MOST_SHOWN)


def _rendered(template: str, **given: Any) -> str:
    return _pages().get_template(template).render(**given)


@cache
def _pages() -> Environment:
    """Give the templates; each is compiled once for a process."""
    pages = Environment(
        loader=PackageLoader("airflow_provider_kashoo.reports", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"money": _money, "amount": _amount, "instant": instant}
    return pages


def _money(minor: int | None, currency: str | None) -> str:
    return "" if minor is None else format_minor(minor, currency or "").strip()


def _amount(minor: int, currency: str) -> str:
    """Write an amount where its currency stands beside it."""
    return format_in(currency, minor)


def _pictures(report: PlanReport) -> dict[str, list[Mapping[str, Any]]]:
    """Currency -> the bars of its totals, each as long as its part of the largest."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for currency, totals in report.totals.items():
        largest = max(map(abs, totals.values())) or 1
        found[currency] = [
            {"name": name, "label": label, "minor": totals[name], "percent": 100 * abs(totals[name]) / largest}
            for name, label in _BARS
            if totals[name] or name == "create"
        ]
    return found


def _sides(report: TieOut) -> list[dict[str, Any]]:
    """Give for each currency and month its three sides, each as long as its part of the largest of its currency."""
    found, largest = [], dict[str, int]()
    for cell in report.cells:
        sides = [cell.deals + cell.taxes, cell.invoices, cell.books]
        largest[cell.currency] = max(1, largest.get(cell.currency, 0), *map(abs, sides))
    for cell in report.cells:
        scale = 100 / largest[cell.currency]
        found.append(
            {
                "cell": cell,
                "deals": scale * abs(cell.deals),
                "taxes": scale * abs(cell.taxes),
                "invoices": scale * abs(cell.invoices),
                "books": scale * abs(cell.books),
            }
        )
    return found

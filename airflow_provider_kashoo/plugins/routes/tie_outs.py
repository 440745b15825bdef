"""The view Tie-out: what the DAG ``kashoo_tie_out`` found, month by month, and what people say about it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import CUSTOMER
from airflow_provider_kashoo.core.rules.tie_out import APART
from airflow_provider_kashoo.core.values.money import format_in
from airflow_provider_kashoo.plugins.access import ACTS, READS, Who
from airflow_provider_kashoo.plugins.opened import store
from airflow_provider_kashoo.reports.difference import TODAY
from airflow_provider_kashoo.reports.plan import instant
from airflow_provider_kashoo.reports.tie_out import FORMAT
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.differences import OPEN, RESOLVED, said_of
from airflow_provider_kashoo.sync.run.record_links import Addresses
from airflow_provider_kashoo.sync.run.staged_runs import files_of, newest_runs
from airflow_provider_kashoo.sync.run.staging import WORKED_ON, Staging
from airflow_provider_kashoo.sync.run.sync import TIE_OUT
from airflow_provider_kashoo.sync.tie_out import marks

router = APIRouter(prefix="/api/tie-outs", dependencies=READS)

MOST_TIE_OUTS, MOST_ROWS = 30, 100

LONGEST_REASON = 1_000

AMOUNTS = ("deals", "taxes", "invoices", "books", "owed", "not_ours")

Store = Annotated[Database, Depends(store)]
Said = dict[str, Any]


@router.get("")
def tie_outs() -> Said:
    """List the tie-outs whose files are still kept, the newest first."""
    found = [
        {"dag_id": (files.read_json(WORKED_ON) or {}).get("dag_id"), "run_id": run_id, "at": at}
        for at, run_id, files in newest_runs(staging_root(), [TIE_OUT])
        if (files.folder / "report.json").exists()  # else it is under way, or failed before it compared
    ]
    return {"tie_outs": found[:MOST_TIE_OUTS]}


@router.get("/{dag_id}/{run_id:path}")
def tie_out(
    dag_id: str,
    run_id: str,
    database: Store,
    currency: str = "",
    month: str = "",
    name: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Said:
    """Give one tie-out: its months, what customers owe, and a page of the differences of one of them.

    :param currency: of that month; no differences are given without it.
    :param month: ``YYYY-MM``; ``today`` for what customers owe.
    :param name: only differences that are called so.
    """
    files = files_of(staging_root(), dag_id, run_id, [TIE_OUT])
    report = files.read_json("report") if files else None
    if files is None or report is None:
        raise HTTPException(404, "The tie-out of this run is not there any more, or was not made yet.")
    if report.get("format_version") != FORMAT:
        said = "This tie-out was made by another version of this package."
        raise ConfigurationError(said, remedy="Trigger the DAG kashoo_tie_out: it compares again.")
    owed = report["receivables"]
    cells = [*report["currencies"], *(_owed_cells(owed) if owed else [])]
    shown = next((each for each in cells if (each["currency"], each["month"]) == (currency, month)), None)
    return {
        **{each: report[each] for each in ("business", "from", "to", "unexplained", "notes")},
        "at": (files.read_json(WORKED_ON) or {}).get("at"),
        "months": [_month(each) for each in report["currencies"]],
        "owed": _owed(owed) if owed else None,
        "customers": _customers(owed, currency, Addresses.staged(files)) if owed and month == TODAY else [],
        "shown": None if shown is None else _differences(shown, name, offset, database, files),
    }


class Mark(BaseModel):
    """What a person says about a difference."""

    state: Literal["open", "investigating", "dismissed"]
    reason: str = Field("", max_length=LONGEST_REASON)


@router.post("/differences/{ident}", dependencies=ACTS)
def mark(ident: str, said: Mark, database: Store, who: Who) -> Said:
    """Keep what a person says about a difference, as ``airflow kashoo tie-out --mark`` does."""
    marks.mark(database, ident, said.state, by=who, reason=said.reason)
    return {"state": said.state}


def _month(cell: Said) -> Said:
    minor = {name: cell[name] for name in AMOUNTS} | {"difference": cell["deals"] + cell["taxes"] - cell["books"]}
    return {
        **{name: cell[name] for name in ("currency", "month", "counts", "closed", "why_open")},
        **{name: format_in(cell["currency"], each) for name, each in minor.items()},
        "differences": len(cell["differences"]),
    }


def _owed(owed: Said) -> Said:
    """Give what all customers owe, in each currency."""
    differences = Counter(each["currency"] for each in owed["differences"])
    totals = [
        {
            **{name: each[name] for name in ("currency", "customers")},
            **{name: format_in(each["currency"], each[name]) for name in ("open", "credits", "balance")},
            "differences": differences[each["currency"]],
        }
        for each in _owed_totals(owed)
    ]
    return {"since": owed["since"], "totals": totals, "notes": owed["notes"]}


def _owed_totals(owed: Said) -> list[Said]:
    """Give the totals, also of a currency in which only an Account says that something is owed."""
    known = {each["currency"] for each in owed["totals"]}
    more = sorted({each["currency"] for each in owed["differences"]} - known)
    nothing = {"customers": 0, "open": 0, "credits": 0, "balance": 0}
    return [*owed["totals"], *({"currency": each, **nothing} for each in more)]


def _owed_cells(owed: Said) -> list[Said]:
    """Give the differences of balances as those of months are given."""
    return [
        {
            "currency": total["currency"],
            "month": TODAY,
            "differences": [each for each in owed["differences"] if each["currency"] == total["currency"]],
        }
        for total in _owed_totals(owed)
    ]


def _customers(owed: Said, currency: str, addresses: Addresses) -> list[Said]:
    """Give the customers with the largest balances."""
    mine = [each for each in owed["customers"] if each["currency"] == currency]
    return [
        {
            **{name: each[name] for name in ("source_id", "kashoo_id")},
            **{name: format_in(currency, each[name]) for name in ("open", "credits", "balance", "ours")},
            "says": None if each["says"] is None else format_in(currency, each["says"]),
            "opens": addresses.opens(each["source_id"] or None, CUSTOMER.name, each["kashoo_id"] or None),
        }
        for each in mine[:MOST_ROWS]
    ]


def _differences(cell: Said, name: str, offset: int, database: Database, files: Staging) -> Said:
    """Give a page of the differences of a month, with what each name adds up to."""
    counts, sums = Counter[str](), Counter[str]()
    for each in cell["differences"]:
        counts[each["name"]] += 1
        sums[each["name"]] += each["deal_minor"] - each["books_minor"]
    matching = [each for each in cell["differences"] if not name or each["name"] == name]
    page = matching[offset : offset + MOST_ROWS]
    said = said_of(database, cell["month"], {each["id"] for each in page if each["id"]})
    addresses, code = Addresses.staged(files), cell["currency"]
    return {
        "currency": code,
        "month": cell["month"],
        "names": [
            {"name": each, "count": counts[each], "sum": format_in(code, sums[each]), "apart": each in APART}
            for each in sorted(counts)
        ],
        "rows": [_row(each, code, said.get(each["id"]), addresses) for each in page],
        "matching": len(matching),
        "offset": offset,
        "page": MOST_ROWS,
    }


def _row(each: Said, code: str, said: Any, addresses: Addresses) -> Said:
    """Give one difference; what a person said of it since counts more than what the report said."""
    since = said if said and (said["state"] != OPEN or said["decided_by"]) else None
    at = since["decided_at"] if since else None
    return {
        **{name: each[name] for name in ("id", "name", "source_id", "part", "kashoo_id", "kind", "next_step")},
        "deal": format_in(code, each["deal_minor"]),
        "books": format_in(code, each["books_minor"]),
        "state": since["state"] if since else each["state"],
        "why": (since["reason"] if since else each["why"]) or "",
        "by": since["decided_by"] if since else None,
        "decided_at": None if at is None else instant(at),
        "may_be_marked": bool(said and said["state"] != RESOLVED),
        "opens": addresses.opens(each["source_id"], each["kind"], each["kashoo_id"]),
    }

"""The view Plan: what the runs of a DAG wanted to write, row by row."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.plugins.access import READS_THE_DAG
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.sync.run.record_links import Addresses
from airflow_provider_kashoo.sync.run.staged_runs import files_of, newest_runs
from airflow_provider_kashoo.sync.run.staging import WORKED_ON

router = APIRouter(prefix="/api/plans", dependencies=READS_THE_DAG)

MOST_PLANS, MOST_ROWS = 30, 50


@router.get("/{dag_id}")
def plans(dag_id: str) -> dict[str, Any]:
    """List the plans of a DAG that are still staged, the newest first."""
    found: list[dict[str, Any]] = []
    for at, run_id, files in newest_runs(staging_root()):
        if len(found) < MOST_PLANS and (files.read_json(WORKED_ON) or {}).get("dag_id") == dag_id:
            summary = files.read_json("summary")
            if summary:
                found.append({"run_id": run_id, "at": at, **_told(summary)})
    return {"plans": found}


@router.get("/{dag_id}/{run_id:path}")
def plan(
    dag_id: str,
    run_id: str,
    action: str = "",
    text: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Give one plan with a page of its rows.

    :param action: of this action only.
    :param text: only rows with this text in a name, an id or the reason.
    """
    report, addresses = _staged(dag_id, run_id)
    rows = [row for row in report.pop("rows") if (not action or row["action"] == action) and _has(row, text)]
    totals = report.pop("totals")
    return {
        **report,
        "money": [
            {"currency": code, **{name: format_minor(minor, code) for name, minor in each.items()}}
            for code, each in totals.items()
        ],
        "rows": [_row(row, addresses) for row in rows[offset : offset + MOST_ROWS]],
        "matching": len(rows),
        "offset": offset,
        "page": MOST_ROWS,
    }


def _staged(dag_id: str, run_id: str) -> tuple[dict[str, Any], Addresses]:
    files = files_of(staging_root(), dag_id, run_id)
    report = files.read_json("report") if files else None
    if files is None or report is None:
        raise HTTPException(404, "The plan of this run is not there any more, or was not made yet.")
    report.pop("head", None)
    return report, Addresses.staged(files)


def _has(row: dict[str, Any], text: str) -> bool:
    names = ("name", "customer", "source_id", "kashoo_id", "reason")
    return text.lower() in "\n".join(str(row[name] or "") for name in names).lower()


def _row(row: dict[str, Any], addresses: Addresses) -> dict[str, Any]:
    code = row["currency"] or ""
    amounts = {"total": row["total_minor"], "before": row["total_before_minor"]}
    written = {name: None if minor is None else format_minor(minor, code) for name, minor in amounts.items()}
    return row | written | {"opens": addresses.opens(row["source_id"], row["target"], row["kashoo_id"])}


def _told(summary: dict[str, Any]) -> dict[str, Any]:
    totals = [format_minor(minor, code) for code, minor in summary.get("totals", {}).items()]
    return {
        "digest": summary["digest"][:12],
        "actions": summary.get("actions", {}),
        "new_invoices": totals,
        "requests": summary.get("requests", 0),
        "asks": bool(summary.get("asks")),
    }

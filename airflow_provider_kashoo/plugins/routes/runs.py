"""The tab on a run of a DAG: what it planned, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.plugins.access import READS_THE_DAG
from airflow_provider_kashoo.plugins.kept import KEPT
from airflow_provider_kashoo.plugins.opened import store
from airflow_provider_kashoo.reports.plan import instant
from airflow_provider_kashoo.reports.read_back import sentences
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.run.staged_runs import files_of

router = APIRouter(prefix="/api/runs", dependencies=READS_THE_DAG)


@router.get("/{dag_id}/{run_id:path}")
def run(dag_id: str, run_id: str, database: Annotated[Database, Depends(store)]) -> dict[str, Any]:
    """Give one run; ``known`` is false for a run of a DAG that is no sync, and for one that did not begin."""
    files = files_of(staging_root(), dag_id, run_id)
    sync = files.folder.parent.parent.name if files else dag_id
    row = figures.run_named(database, sync, run_id, files.folder.parent.name if files else "")
    if row is None:
        return {"known": False}
    scope, summary = row["scope_id"], row["summary"] or {}
    outcome, _ = KEPT.get(
        (database.url, scope, "run", run_id), lambda: figures.outcomes(database, scope, [run_id])[run_id]
    )
    return {
        "known": True,
        "sync": sync,
        "started_at": instant(row["started_at"]),
        "finished_at": None if row["finished_at"] is None else instant(row["finished_at"]),
        "planned": bool(summary),
        "digest": (row["digest"] or "")[:12],
        "actions": summary.get("actions", {}),
        "new_invoices": [format_minor(minor, code) for code, minor in summary.get("totals", {}).items()],
        "requests": summary.get("requests", 0),
        "asks": summary.get("asks", {}),
        "reasons": summary.get("reasons", {}),
        "outcome": outcome,
        "test_batch": sentences(row["read_back"], run_id) if row["read_back"] else [],
        "has_report": bool(files and (files.folder / "report.json").exists()),
    }

"""The report of a plan as a page of its own."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from airflow_provider_kashoo.plugins.access import READS_THE_DAG

router = APIRouter()

_SEEN_BY_ONE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.get("/plan/{dag_id}/{run_id:path}", dependencies=READS_THE_DAG)
def plan(dag_id: str, run_id: str) -> Response:
    """Show the report of a run's plan to whoever may see the DAG; it has names of deals and customers."""
    from airflow_provider_kashoo.settings import settings, staging_root
    from airflow_provider_kashoo.sync.run.staged_runs import files_of

    root = staging_root()
    files = files_of(root, dag_id, run_id)
    if page := files.read_text("report.html") if files else None:
        return HTMLResponse(page, headers=_SEEN_BY_ONE)
    days = settings().retention.days
    return PlainTextResponse(
        f"No report of run {run_id} of {dag_id} is here. It is staged by the task plan, and removed {days} days after "
        f"the run was last worked on. If the run is younger: this API server must reach the staging folder {root}. "
        "To plan again and see what the next run would do: airflow kashoo plan --format html --output plan.html",
        status_code=404,
        headers=_SEEN_BY_ONE,
    )

"""The reports of plans and tie-outs as pages of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from airflow_provider_kashoo.plugins.access import READS, READS_THE_DAG

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


@router.get("/tie-out/{dag_id}/{run_id:path}", dependencies=READS)
def tie_out(
    dag_id: str, run_id: str, form: Annotated[Literal["html", "csv"], Query(alias="format")] = "html"
) -> Response:
    """Show the report of a run's tie-out, or give it as a file for a spreadsheet, to whoever may see the invoices."""
    from airflow_provider_kashoo.settings import settings, staging_root
    from airflow_provider_kashoo.sync.run.staged_runs import files_of
    from airflow_provider_kashoo.sync.run.sync import TIE_OUT

    root = staging_root()
    files = files_of(root, dag_id, run_id, [TIE_OUT])
    if report := files.read_text(f"report.{form}") if files else None:
        if form == "html":
            return HTMLResponse(report, headers=_SEEN_BY_ONE)
        attached = {"Content-Disposition": 'attachment; filename="tie-out.csv"'}
        return Response(report, headers=_SEEN_BY_ONE | attached, media_type="text/csv")
    return PlainTextResponse(
        f"No tie-out of run {run_id} of {dag_id} is here. It is removed {settings().retention.days} days after the run "
        f"was last worked on. If the run is younger: this API server must reach the staging folder {root}. "
        "To compare again: airflow kashoo tie-out --format html --output tie-out.html",
        status_code=404,
        headers=_SEEN_BY_ONE,
    )

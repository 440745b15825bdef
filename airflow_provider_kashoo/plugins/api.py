"""Runs inside Airflow's API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Create pools and store when the server starts; a failure is logged and must not stop the server."""
    from airflow_provider_kashoo.runtime.setup import create_pools_and_store

    try:
        await asyncio.to_thread(create_pools_and_store)
    except Exception:  # a broken store must not keep Airflow's UI from starting
        log.exception("The pools and the store of the Kashoo sync are not ready. Run: airflow kashoo init")
    yield


app = FastAPI(
    title="Kashoo",
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    lifespan=lifespan,
    dependencies=[Depends(requires_authenticated())],  # a mounted app inherits no authentication
)

_SEEN_BY_ONE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@app.get("/plan/{dag_id}/{run_id:path}", dependencies=[Depends(requires_access_dag("GET"))])
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

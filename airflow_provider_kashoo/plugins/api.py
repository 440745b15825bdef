"""Runs inside Airflow's API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from airflow_provider_kashoo.core.errors import BudgetSpent, SyncError, UnreachableError
from airflow_provider_kashoo.plugins.routes import (
    acts,
    bundle,
    invoices,
    mappings,
    plans,
    report,
    runs,
    tie_outs,
    today,
    todo,
)

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


def not_kept(response: Response) -> None:
    """Let no browser keep what it was shown."""
    response.headers["Cache-Control"] = "no-store"


for page in (bundle, report):
    app.include_router(page.router)
for view in (today, todo, acts, plans, runs, invoices, mappings, tie_outs):
    app.include_router(view.router, dependencies=[Depends(not_kept)])


@app.exception_handler(SyncError)
def explained(_: Request, error: SyncError) -> JSONResponse:
    """Say what is wrong and what to do: 503 if it may pass by itself, else 409."""
    passing = isinstance(error, UnreachableError | BudgetSpent)
    said = {"what": error.what, "remedy": error.remedy}
    return JSONResponse(said, 503 if passing else 409, {"Cache-Control": "no-store"})

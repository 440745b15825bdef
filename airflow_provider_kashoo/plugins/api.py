"""Runs inside Airflow's API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

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


app = FastAPI(title="Kashoo", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

"""The store and both sides, as the routes of the page get them. The store is opened once, and checked each time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from threading import Lock
from typing import Annotated

from fastapi import Depends
from sqlalchemy import URL

from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

_LOCK = Lock()


@cache
def _kept(url: URL, connection: str) -> Database:
    return Database(url, connection=connection)


def store() -> Database:
    """Give the store that the connection names now.

    :raises ConfigurationError: when it does not exist, or is of another version.
    :raises UnreachableError: when it does not answer.
    """
    named = open_database()
    with _LOCK:  # two requests must not open it twice
        database = _kept(named.url, named.connection)
    database.check(to_write=False)
    return database


Opened = Callable[[], AbstractContextManager[Sync]]


def opened() -> Opened:
    """Say how both sides are opened."""
    from airflow_provider_kashoo.runtime.open_run import open_sync

    return lambda: open_sync(TO_KASHOO, RunFacts(run_id="by hand"), begins=True)


Sides = Annotated[Opened, Depends(opened)]

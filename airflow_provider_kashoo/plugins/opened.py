"""The store as the routes of the page get it: opened once for the API server, checked for each request."""

from __future__ import annotations

from functools import cache
from threading import Lock

from sqlalchemy import URL

from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.database import Database

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
    database.check()
    return database

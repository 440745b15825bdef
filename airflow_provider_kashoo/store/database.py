"""Opening the sync store: engines, durability, transactions, schema versions, the clock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import DatabaseError, DBAPIError, DisconnectionError, InterfaceError, InvalidatePoolError

from airflow_provider_kashoo.core.errors import ConfigurationError, SyncError, UnreachableError
from airflow_provider_kashoo.store.private import OWNER_FILE, tighten

MIGRATIONS = Path(__file__).with_name("migrations")
NOW = text("extract(epoch FROM clock_timestamp())")
"""The time, within a statement of PostgreSQL; see :attr:`Database.tells_time`."""

_LOCK = text(
    "WITH taken AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext(:name))) "
    "SELECT extract(epoch FROM clock_timestamp()) FROM taken"
)
WAL_TRIES = 200
READS_ONLY = "reads_only"
"""Execution option of a connection whose transaction takes no write lock."""

CONNECT_SECONDS = 10
LOCK_SECONDS: float = 30
"""How long to wait for SQLite's write lock, or for a migration's locks."""
INIT = "Run: airflow kashoo init"
STORE_CONNECTION = "kashoo_store"


class Database:
    """One database that holds a sync store.

    SQLite runs in WAL mode with ``synchronous=FULL`` and takes the write lock at the start of each
    transaction; PostgreSQL with ``synchronous_commit=on``. What is committed survives a power cut.

    :param url: SQLAlchemy URL.
    :param clock: returns epoch seconds; by default the database's own clock, so that deadlines of
        workers on different hosts agree.
    :param connection: Airflow connection id to name in messages.
    :ivar tells_time: whether SQL statements can read that clock.
    """

    def __init__(
        self, url: str | URL, clock: Callable[[], float] | None = None, *, connection: str = STORE_CONNECTION
    ) -> None:
        self.url, self.connection = make_url(url), connection
        self._clock = clock
        sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(self.url) if sqlite else _postgres_engine(self.url)
        self.tells_time = not sqlite and clock is None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run one transaction that is either committed whole or not at all.

        :raises ConfigurationError: when the store is missing, read-only or corrupt.
        :raises UnreachableError: when it does not answer, or is locked for too long.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except (DatabaseError, InterfaceError) as error:
            raise _explained(error, self.url, self.connection) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run one transaction that only reads, for whoever looks on: it never holds up a run that writes.

        :raises SyncError: as :meth:`begin`.
        """
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**{READS_ONLY: True})
                with connection.begin():
                    if self.url.get_backend_name() != "sqlite":
                        connection.execute(text("SET TRANSACTION READ ONLY"))
                    yield connection
        except (DatabaseError, InterfaceError) as error:
            raise _explained(error, self.url, self.connection) from error

    def now(self, connection: Connection) -> float:
        """Return the time, epoch seconds UTC."""
        if self._clock:
            return self._clock()
        if self.tells_time:
            return float(connection.execute(select(NOW)).scalar_one())
        return time.time()

    def lock(self, connection: Connection, name: str) -> float:
        """Take a named lock, released when the transaction ends.

        SQLite needs none: its transactions hold the write lock from their start.

        :returns: the time once the lock is held, as :meth:`now`.
        """
        if self.url.get_backend_name() != "sqlite":
            now = connection.execute(_LOCK, {"name": name}).scalar_one()
            if self.tells_time:
                return float(now)
        return self.now(connection)

    def migrate(self) -> None:
        """Create the schema or bring it up to date.

        :raises SyncError: as :meth:`begin`; also when another process holds a needed lock for too long, and when a
            newer version or another program made the tables.
        """
        from alembic import command
        from alembic.migration import MigrationContext

        sqlite = self.url.get_backend_name() == "sqlite"
        if sqlite:
            self._make_file()
        with self.begin() as connection:
            if not sqlite:  # the API server migrates when it starts, and must not hang
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            self.lock(connection, "migrations")
            here = MigrationContext.configure(connection).get_current_revision()
            if here and here not in _revisions():
                raise self._foreign(here)
            command.upgrade(_alembic(connection), "head")

    def check(self, *, to_write: bool = True) -> None:
        """Check that the store exists and has this version's schema; only its owner may read its file from then on.

        :param to_write: also that it can be written now; whoever only looks holds up no run.
        :raises ConfigurationError: when it does not, with the remedy.
        :raises UnreachableError: as :meth:`begin`.
        """
        if self.url.get_backend_name() == "sqlite":
            if not Path(str(self.url.database)).is_file():
                raise ConfigurationError(f"The sync store {self.url.database} does not exist.", remedy=INIT)
            self._tighten()
        with self.begin() if to_write else self.reading() as connection:
            here = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        head, *_ = _revisions()
        if here and here not in _revisions():
            raise self._foreign(here)
        if here != head:
            raise ConfigurationError(
                f"The sync store has schema {here or 'none'}, but this version needs {head}.", remedy=INIT
            )

    def _foreign(self, here: str) -> ConfigurationError:
        what = f"The sync store {shown(self.url)} has schema {here}, which this version does not know."
        own = f"point connection {self.connection} at a database of its own"
        return ConfigurationError(what, remedy=f"Install the version that made it, or {own}.")

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _make_file(self) -> None:
        path = Path(str(self.url.database))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(OWNER_FILE)
        except OSError as error:
            raise ConfigurationError(
                f"The sync store {path} cannot be created: {error.strerror}.",
                remedy=f"Check the path in connection {self.connection} and its permissions.",
            ) from error
        self._tighten()

    def _tighten(self) -> None:
        for ending in ("", "-wal", "-shm"):  # SQLite makes the last two with the rights of the first
            tighten(Path(f"{self.url.database}{ending}"))


def _alembic(connection: Connection | None = None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


@cache
def _revisions() -> tuple[str, ...]:
    """List the schemas that this version knows, its own first; read once, because Alembic compiles every migration."""
    from alembic.script import ScriptDirectory

    return tuple(each.revision for each in ScriptDirectory.from_config(_alembic()).walk_revisions())


def _sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "").absolute()
    # Opening must never create it: a lost store must not be mistaken for an empty one.
    uri = f"{path.as_uri()}?mode=rw"
    engine = create_engine(
        url, creator=lambda: sqlite3.connect(uri, timeout=LOCK_SECONDS, uri=True, check_same_thread=False)
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        _use_wal(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkout")
    def _check(_: Any, record: Any, __: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the file was removed or replaced since it was opened")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get(READS_ONLY)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _use_wal(connection: Any) -> None:
    """Switch to WAL; if two processes open a new file at once, one gets "locked" at once, without the usual wait."""
    for tries_left in reversed(range(WAL_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or not tries_left:
                raise
            time.sleep(0.05)
        else:
            return


def _postgres_engine(url: URL) -> Engine:
    options = f"{url.query.get('options', '')} -c synchronous_commit=on".strip()
    seconds = url.query.get("connect_timeout", CONNECT_SECONDS)
    connect_args = {"options": options, "connect_timeout": seconds}
    # A read after taking a lock must see what was committed before it, whatever the database's default.
    isolation: Any = {"isolation_level": "READ COMMITTED", "connect_args": connect_args}
    if url.get_driver_name() != "psycopg":
        return create_engine(url, pool_pre_ping=True, **isolation)
    engine = create_engine(url, **isolation)

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, _: Any, __: Any) -> None:
        # A cheaper pool_pre_ping, without its cursor and autocommit changes: each write does this four times.
        if connection.pgconn.exec_(b"").error_message:
            raise InvalidatePoolError("the server ended the connection")

    return engine


_NO_TABLES = ("has no tables", INIT)
_MISSING = ("does not exist", "Create the database and the user that connection kashoo_store names.")
_DENIED = ("denies access", "Grant the user of connection kashoo_store its schema and tables.")
_NO_LOGIN = ("refuses the login", "Check login and password of connection kashoo_store.")
_READ_ONLY = ("is read-only", "Make it writable for the Airflow workers.")
_SIGNS = (
    ("no such table", *_NO_TABLES),
    ("does not exist", *_MISSING),
    ("permission denied", *_DENIED),
    ("authentication failed", *_NO_LOGIN),
    ("pg_hba.conf", "refuses the login", "Allow the user of connection kashoo_store in pg_hba.conf."),
    ("readonly", *_READ_ONLY),
    ("malformed", "is damaged", "Restore the last backup."),
    ("not a database", "is not a SQLite database", "Restore the last backup, or correct connection kashoo_store."),
    ("unable to open", "cannot be opened", "Check the path in connection kashoo_store and its permissions."),
)
_LOCKED = ("is locked by another process", "The task tries again by itself; if it lasts, move the store to PostgreSQL.")
_AWAY = ("cannot be reached", "Check connection kashoo_store; the task tries again by itself.")
_FULL = ("has no space left", "Free disk space; the task tries again by itself.")
_PASSING = (("locked", _LOCKED), ("is full", _FULL), ("connection", _AWAY), ("resolve host", _AWAY))
"""Words of SQLite, and of PostgreSQL before it lets us in; all later errors of PostgreSQL have a SQLSTATE."""

_PASSING_STATES = (
    ("55P03", (_LOCKED[0], "Try again; if it lasts, look for a hung transaction in the database.")),
    ("57014", ("was too slow", "The task tries again by itself; if it lasts, raise its statement_timeout.")),
    ("40", ("cancelled a transaction that conflicted with another", "The task tries again by itself.")),
    ("08", _AWAY),
    ("57P", _AWAY),
    ("53", ("is short of connections, memory or disk", "The task tries again by itself; see the database's log.")),
)
"""PostgreSQL's temporary errors, by the start of their SQLSTATE."""

_LASTING_STATES = (
    ("42P01", _NO_TABLES),
    ("3D000", _MISSING),
    ("42501", _DENIED),
    ("28", _NO_LOGIN),
    ("25006", _READ_ONLY),
)
"""Its lasting errors. Their texts are not searched: names of tables and users occur in them."""


def shown(url: URL) -> str:
    """Return a store's URL for messages, without its password and its options, which may contain another."""
    return url.set(query={}).render_as_string(hide_password=True)


def _explained(error: DBAPIError, url: URL, connection: str) -> SyncError:
    said = str(error.orig).lower()
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""  # of psycopg, psycopg2
    name = shown(url)
    written = "The failed step was not recorded."
    passing = next((words for sign, words in _PASSING_STATES if state.startswith(sign)), None)
    lasting = next((words for sign, words in _LASTING_STATES if state.startswith(sign)), None)
    if not state:
        lasting = next(((what, remedy) for sign, what, remedy in _SIGNS if sign in said), None)
        passing = next((words for sign, words in _PASSING if sign in said), None) if not lasting else None
    unknown = (f"answered with {' '.join(filter(None, (type(error).__name__, state)))}", "See the database's log.")
    what, remedy = passing or lasting or unknown
    kind = UnreachableError if passing else ConfigurationError
    return kind(f"The sync store {name} {what}.", remedy=remedy.replace(STORE_CONNECTION, connection), written=written)

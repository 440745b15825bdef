from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from postgres import Postgres
from sqlalchemy import URL, make_url

from airflow_provider_kashoo.clients import bulk
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore

if TYPE_CHECKING:
    from room import Room
    from rounds import Rounds, Start

# What the helpers assert is explained as what the tests assert; before anything imports them.
pytest.register_assert_rewrite("adoption", "books", "rounds", "secrecy", "undoing", "voids")

# The same examples on every machine and no limit by the clock: a busy machine must not turn a test red.
settings.register_profile("project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

SHARED = Path("/dev/shm")  # noqa: S108
MEMORY = SHARED if SHARED.is_dir() and shutil.disk_usage(SHARED).free > 2 << 30 else None
if MEMORY:
    # Stores are synced at every commit, which on a disk takes most of the time of the tests.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

ORG, BUSINESS = "00D000000000001EAA", "9990000001"


class ManualClock:
    """Epoch seconds that move only when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True, scope="session")
def no_pauses() -> Iterator[None]:
    """A bulk job of the sandbox is complete when it is asked for again: no test waits for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "time", SimpleNamespace(sleep=lambda _: None))
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres(MEMORY) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[URL]:
    """A fresh PostgreSQL database with the current schema."""
    url = postgres.fresh()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    database = Database(make_url(f"sqlite:///{path}"))
    database.migrate()
    database.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> URL:
    """A fresh SQLite store with the current schema."""
    return make_url(f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}")


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> URL:
    """A fresh store with the current schema, on each database in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def database(store_url: URL, clock: ManualClock) -> Iterator[Database]:
    database = Database(store_url, clock)
    yield database
    database.dispose()


@pytest.fixture
def sqlite_database(sqlite_url: URL, clock: ManualClock) -> Iterator[Database]:
    """For what is about SQLite itself."""
    database = Database(sqlite_url, clock)
    yield database
    database.dispose()


@pytest.fixture
def postgres_database(postgres_url: URL, clock: ManualClock) -> Iterator[Database]:
    """For what is about PostgreSQL itself."""
    database = Database(postgres_url, clock)
    yield database
    database.dispose()


@pytest.fixture
def store(database: Database) -> SyncStore:
    return SyncStore(database, ORG, BUSINESS)


@pytest.fixture
def room(sqlite_database: Database, tmp_path: Path) -> Room:
    """One run without the simulated systems: a real store, and both sides as plain dictionaries."""
    from room import Room

    return Room(SyncStore(sqlite_database, ORG, BUSINESS), tmp_path / "staging")


@pytest.fixture(scope="session")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Start]]:
    """Makes each kind of :class:`Start` once: every test begins again from it, of whatever file it is."""
    from rounds import in_step  # here, because it imports much and most unit tests do without

    with ExitStack() as opened:
        yield cache(lambda *kind: opened.enter_context(in_step(tmp_path_factory.mktemp("start"), *kind)))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def start(request: pytest.FixtureRequest, starts: Callable[..., Start]) -> Start:
    """A store and two systems that have been in step for a while; on PostgreSQL among the long tests."""
    return starts(None, request.getfixturevalue("postgres") if request.param == "postgres" else None)


@pytest.fixture(scope="module")
def fixed_weeks(starts: Callable[..., Start]) -> Start:
    """As ``start``, on a Wednesday: weeks begin only when a test says so."""
    from rounds import WEDNESDAY

    return starts(WEDNESDAY, None)


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    """What ``start`` gives, afresh for each test."""
    drive = start.again(tmp_path)
    yield drive
    drive.end()

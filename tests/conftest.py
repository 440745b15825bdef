from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore

ORG, BUSINESS = "00D000000000001EAA", "9990000001"


class ManualClock:
    """Epoch seconds that move only when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path, clock: ManualClock) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/store.db", clock)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def store(database: Database) -> SyncStore:
    return SyncStore(database, ORG, BUSINESS)

"""A store and two systems that have been in step for a while; given out afresh to each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rounds import Rounds, Start

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with Sandbox(dataset="empty", serve=False) as box:
        yield Start(box, tmp_path_factory.mktemp("start"))


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = start.again(tmp_path)
    yield drive
    drive.database.dispose()


@pytest.fixture(scope="module")
def fixed_weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """As ``start``, on a Wednesday: weeks begin only when a test says so."""
    clock = Clock(datetime(2026, 3, 4, 12, tzinfo=UTC), source=lambda: 0.0)
    with Sandbox(dataset="empty", serve=False, clock=clock) as box:
        yield Start(box, tmp_path_factory.mktemp("start"))

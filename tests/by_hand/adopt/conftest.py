"""A store that knows nothing, beside two systems that know nothing of each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inprocess import in_process
from rounds import Rounds

from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def start() -> Iterator[tuple[Sandbox, Any]]:
    with in_process() as box:
        yield box, box.snapshot()


@pytest.fixture
def drive(start: tuple[Sandbox, Any], tmp_path: Path) -> Iterator[Rounds]:
    box, snapshot = start
    box.restore(snapshot)
    for faults, log in zip(box.faults.values(), box.logs.values(), strict=True):
        faults.clear()
        faults.hook = None
        log.clear()
    drive = Rounds(box, tmp_path)
    yield drive
    drive.database.dispose()

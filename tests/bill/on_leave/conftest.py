"""the mappings void what is not sold any more, and weeks begin only when a test says so."""

from __future__ import annotations

import pytest
from rounds import Rounds, Start
from voids import void_unpaid


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


@pytest.fixture
def drive(drive: Rounds) -> Rounds:
    void_unpaid(drive)
    return drive

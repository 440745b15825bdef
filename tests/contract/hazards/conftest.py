from __future__ import annotations

from collections.abc import Iterator

import pytest
from rounds import Start, in_step


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """What broke other designs is played on both stores each time."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with in_step(tmp_path_factory.mktemp("start"), postgres=postgres) as start:
        yield start

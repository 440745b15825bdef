"""Each test that asks for ``world`` runs twice: over a real socket and in process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from world import World, still_sandbox

from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Any]]:
    with still_sandbox() as sandbox:
        yield sandbox, sandbox.snapshot()


@pytest.fixture(params=["socket", "in process"])
def world(running: tuple[Sandbox, Any], request: pytest.FixtureRequest) -> Iterator[World]:
    sandbox, beginning = running
    sandbox.restore(beginning)
    world = World(sandbox, request.param == "in process")
    world.log_in()
    yield world
    for script in sandbox.faults.values():
        script.clear()
        script.hook = None

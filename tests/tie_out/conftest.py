from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_kashoo.clients import bulk


@pytest.fixture(autouse=True, scope="module")
def no_pauses() -> Iterator[None]:
    """A bulk job of the sandbox is complete when it is asked for again: no test waits for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk.time, "sleep", lambda _: None)
        yield

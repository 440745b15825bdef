"""One Airflow for all tests of this folder, in a home of its own.

Airflow reads its environment once, when it is imported. pytest runs this file before it imports any test
module of this folder, and no test outside it imports Airflow: a guard below says so if that changes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if "airflow" in sys.modules:
    raise RuntimeError(
        "Airflow was imported before tests/airflow/conftest.py: only tests in tests/airflow may import it."
    )

REPOSITORY = Path(__file__).parents[2]
_home = tempfile.TemporaryDirectory(prefix="kashoo-airflow-")  # gone when the process ends
HOME = Path(_home.name)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "AIRFLOW__"))]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__KASHOO__APPROVE_FIRST_RUN": "False",  # else each new store waits for a person
}

from airflow_provider_kashoo.sandbox.server import Sandbox  # noqa: E402  after the environment
from tests.airflow.environment import NO_SLASH, set_connection  # noqa: E402


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's own tables, once for the whole session."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """Environment variables for one module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def empty_store(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sync store of one module will be; nothing is there yet."""
    folder = tmp_path_factory.mktemp("kashoo")
    store = folder / "store.db"
    environment.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps({"conn_type": "sqlite", "host": str(store)}))
    environment.setenv("AIRFLOW__KASHOO__STAGING_PATH", str(folder / "staging"))
    return store


@pytest.fixture(scope="module")
def store_file(airflow_db: None, empty_store: Path) -> Path:
    """Pools and sync store as ``airflow kashoo init`` makes them."""
    from airflow_provider_kashoo.runtime.setup import create_pools_and_store

    create_pools_and_store()
    return empty_store


@pytest.fixture
def new_store(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a store will be that nobody made yet."""
    store = tmp_path / "store.db"
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps({"conn_type": "sqlite", "host": str(store)}))
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", str(tmp_path / "staging"))
    return store


@pytest.fixture(scope="module")
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A simulated Salesforce and Kashoo that both connections point to; a run does not wait for the budget."""
    with Sandbox() as box:
        box.books.limits = []
        for name, value in box.describe()["env"].items():
            environment.setenv(name, value)
        set_connection(environment, "kashoo_default", budget=[{"requests": 1_000_000, "seconds": 1}])
        yield box


@pytest.fixture
def new_run(sandbox: Sandbox, new_store: Path) -> Iterator[Callable[[str], Any]]:
    """Give runs over a store that knows nothing; both sides are afterwards what they were."""
    from tasks import Run

    from airflow_provider_kashoo.runtime.setup import create_pools_and_store

    create_pools_and_store()
    before = sandbox.snapshot()
    yield lambda sync: Run(sandbox, sync, "scheduled__1")
    sandbox.restore(before)


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connections of this test: a Kashoo that is only a name, for whatever is checked before anything is sent."""

    def set_books(**changes: Any) -> None:
        given = {"conn_type": "kashoo", "host": NO_SLASH, "login": "me@firm.example", "password": "pass-word-1"}
        given["extra"] = {"business_id": "77"}
        extra = {**given["extra"], **changes.pop("extra", {})}
        value = {name: each for name, each in ({**given, **changes, "extra": extra}).items() if each is not None}
        monkeypatch.setenv("AIRFLOW_CONN_BOOKS", json.dumps(value))

    set_books()
    return set_books

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.hooks.settings import open_database, staging_root

LOCAL = "airflow.executors.local_executor.LocalExecutor"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An AIRFLOW_HOME without a store, a staging path or an executor of its own."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for name in ("AIRFLOW_CONN_KASHOO_STORE", "AIRFLOW__KASHOO__STAGING_PATH", "AIRFLOW__CORE__EXECUTOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


ONE_HOST = ["LocalExecutor", LOCAL, f"here:{LOCAL}", "here:LocalExecutor", f"LocalExecutor;team1=near:{LOCAL}"]
MORE_HOSTS = [
    "CeleryExecutor",
    f"CeleryExecutor,{LOCAL}",
    f"{LOCAL},CeleryExecutor",
    "far:my.executors.FarExecutor, LocalExecutor",
    "LocalExecutor;team1=CeleryExecutor",
    "team1=LocalExecutor;team2=far:my.FarExecutor,LocalExecutor",
    "my.executors.LocalExecutor",
]


@pytest.mark.parametrize("executor", ONE_HOST)
def test_a_file_may_be_the_store_when_every_task_runs_on_this_host(
    monkeypatch: pytest.MonkeyPatch, home: Path, executor: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert open_database().url.database == str(home / "kashoo_store.db")
    assert staging_root() == home / "kashoo_staging"
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", str(home / "elsewhere"))
    assert staging_root() == home / "elsewhere"


@pytest.mark.parametrize("executor", MORE_HOSTS)
def test_what_is_on_this_host_is_refused_when_tasks_may_run_on_others(
    monkeypatch: pytest.MonkeyPatch, home: Path, executor: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    with pytest.raises(
        ConfigurationError, match=r"SQLite file, but workers of .* Point connection kashoo_store at Post"
    ):
        open_database()
    for path in ("", str(home / "elsewhere")):
        monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", path)
        with pytest.raises(ConfigurationError, match=r"folder of this host, but workers of .* \[kashoo\] staging_path"):
            staging_root()
    postgres = {"conn_type": "postgres", "host": "db", "login": "me", "schema": "sync"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(postgres))
    assert open_database().url.host == "db"
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", "file:///mnt/shared/kashoo")
    assert staging_root().path == "/mnt/shared/kashoo"

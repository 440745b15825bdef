from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.settings import open_database, settings, staging_root

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
        with pytest.raises(ConfigurationError, match=r"folder on this host, but workers of .* \[kashoo\] staging_path"):
            staging_root()
    postgres = {"conn_type": "postgres", "host": "db", "login": "me", "schema": "sync"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(postgres))
    assert open_database().url.host == "db"
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", "file:///mnt/shared/kashoo")
    assert staging_root() == Path("/mnt/shared/kashoo")
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_PATH", "s3://bucket/kashoo")
    assert not isinstance(staging_root(), Path)


def test_only_what_postgresql_knows_is_taken_from_the_extras_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's form for PostgreSQL holds more than options of its library, and that refuses what it does not know."""
    known = {
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "sslcert": "/me.pem",
        "sslkey": "/me.key",
        "connect_timeout": 7,
        "application_name": "kashoo",
        "options": "-c search_path=sync",
        "target_session_attrs": "read-write",
        "keepalives_idle": 30,
    }
    others = {
        "cursor": "dictcursor",
        "iam": False,
        "aws_conn_id": None,
        "sqlalchemy_scheme": "x",
        "password": "p",
        "host": "",
    }
    given = {"conn_type": "postgres", "host": "db", "login": "me", "schema": "sync", "extra": known | others}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(given))
    url = open_database().url
    assert dict(url.query) == {name: str(value) for name, value in known.items()}
    assert (url.host, url.password) == ("db", None)
    given["extra"] = {"sslmode": "", "sslrootcert": None}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(given))
    assert dict(open_database().url.query) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("settle_seconds", "-1"),
        ("send_deadline_seconds", "0"),
        ("delta_overlap_seconds", "-5"),
        ("staging_retention_days", "0"),
        ("time_zone", "Mars/X"),
    ],
)
def test_a_setting_that_undoes_what_it_is_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW__KASHOO__{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=rf"\[kashoo\] {name} is .*Give "):
        settings()

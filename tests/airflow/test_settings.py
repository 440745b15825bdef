from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.approval import Above, Policy
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


def test_approval_is_asked_for_as_the_section_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN", raising=False)
    assert settings().approval == Policy(voids=True, first_run=True)
    given = {
        "INVOICE_ABOVE": "10000.5",
        "TOTAL_ABOVE": '{"USD": 250.005, "CAD": "12"}',
        "WRITES_ABOVE": "7",
        "VOIDS": "False",
        "FIRST_RUN": "False",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"AIRFLOW__KASHOO__APPROVE_{name}", value)
    total = Above(of={"USD": Decimal("25000.5"), "CAD": Decimal(1200)})
    assert settings().approval == Policy(Above(each=Decimal(1000050)), total, 7)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("10,000", "'10,000', which is no amount."),
        ("-1", "below 0"),
        ("NaN", "not a finite number"),
        ("true", "no amount"),
        ('{"USS": 5}', "'USS' is no currency"),
        ('{"USD": null}', "no amount"),
        ("[1]", "no amount"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_how_to_write_it(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_INVOICE_ABOVE", value)
    with pytest.raises(ConfigurationError, match=r"\[kashoo\] approve_invoice_above is .*Give a number") as refused:
        settings()
    assert why in str(refused.value)


def test_a_number_of_writes_is_not_below_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_WRITES_ABOVE", "-1")
    with pytest.raises(ConfigurationError, match=r"approve_writes_above is -1.*0 or more writes"):
        settings()

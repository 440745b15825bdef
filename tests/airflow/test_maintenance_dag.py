"""The shipped DAG ``kashoo_maintenance`` in a real Airflow, and staging on object storage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.io import attach
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.operators.maintenance import KashooMaintenanceOperator
from airflow_provider_kashoo.runtime.setup import create_pools_and_store
from airflow_provider_kashoo.settings import open_database, staging_root
from airflow_provider_kashoo.sync.run import maintenance
from airflow_provider_kashoo.sync.run.maintenance import tidy
from airflow_provider_kashoo.sync.run.staging import Staging

SYNC, SCOPE = "salesforce_to_kashoo", "00D000000000001EAA-9990000001"
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


def staged(root: Any, run_id: str, dag_id: str | None = SYNC, at: datetime = LONG_AGO) -> Staging:
    """Let a run have been worked on then."""
    files = Staging(root, SYNC, SCOPE, run_id)
    files.mark_worked_on(RunFacts(run_id, dag_id=dag_id), at.timestamp())
    files.write_table("plan", pa.table({"a": [1]}))
    files.write_json("delta.Opportunity", {})
    return files


@pytest.fixture
def runs(new_store: Path) -> Iterator[dict[str, str]]:
    """Runs that Airflow knows: id -> state."""
    create_pools_and_store()
    states = {"maintained__success": "success", "maintained__failed": "failed", "maintained__running": "running"}
    states |= {"maintained__queued": "queued"}
    with create_session() as session:
        for run_id, state in states.items():
            run = DagRun(
                dag_id=SYNC,
                run_id=run_id,
                run_type=DagRunType.MANUAL,
                state=DagRunState(state),
                triggered_by=DagRunTriggeredByType.TEST,
                run_after=LONG_AGO,
            )
            session.add(run)
    yield states
    with create_session() as session:
        session.query(DagRun).filter(DagRun.run_id.in_(states)).delete()


def test_the_shipped_dag_removes_what_airflow_calls_over(runs: dict[str, str], new_store: Path) -> None:
    root = staging_root()
    here = {run_id: staged(root, run_id) for run_id in [*runs, "maintained__deleted", "replay__by hand"]}
    here["young"] = staged(root, "young", at=datetime.now(UTC) - timedelta(days=6))
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", "kashoo_maintenance"],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert {name for name, files in here.items() if not files.is_empty} == {
        "maintained__running",
        "maintained__queued",
        "young",
    }
    assert "Removed 12 files (" in said
    assert "of 4 runs, and 0 unfinished ones." in said
    for run_id in ("maintained__running", "maintained__queued"):
        assert f"Kept, because the run is old but still goes on: {run_id}" in said
    assert {path.stat().st_mode & 0o077 for path in root.rglob("*")} == {0}


def execute(**more: Any) -> dict[str, Any]:
    task = SimpleNamespace(get_dr_count=lambda **_: 0)
    return KashooMaintenanceOperator(task_id="remove_old_files").execute({"ti": task, **more})


def test_what_goes_to_xcom_is_counts_and_ids(new_store: Path) -> None:
    create_pools_and_store()
    staged(staging_root(), "r")
    freed = execute()
    size = freed.pop("bytes")
    assert freed == {"runs": 1, "files": 3, "parts": 0, "slots": 0, "going_on": [], "refused": []}
    assert size > 100
    assert json.dumps(freed)


def test_the_retention_time_is_a_setting(new_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_pools_and_store()
    files = staged(staging_root(), "r")
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_RETENTION_DAYS", "31")
    assert execute()["runs"] == 0
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_RETENTION_DAYS", "29")
    assert execute()["runs"] == 1
    assert files.is_empty


def test_what_a_person_has_to_correct_fails_at_once(new_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match=r"does not exist.*Run: airflow kashoo init"):
        execute()
    create_pools_and_store()
    monkeypatch.setenv("AIRFLOW__KASHOO__STAGING_RETENTION_DAYS", "0")
    with pytest.raises(AirflowFailException, match=r"staging_retention_days is 0\. .*Give 1 or more days"):
        execute()
    away = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(away))
    with pytest.raises(AirflowException, match="cannot be reached"):
        execute()


def test_when_airflow_does_not_say_whether_a_run_goes_on_its_files_stay(new_store: Path) -> None:
    create_pools_and_store()
    files = staged(staging_root(), "r")

    def away(**_: Any) -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        execute(ti=SimpleNamespace(get_dr_count=away))
    assert files.names("") == ["delta.Opportunity", "plan", "worked_on"]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_object_storage_is_tidied_too(
    kind: str, new_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the note alone: not every storage tells when a file was written. Rights are up to the storage."""
    create_pools_and_store()
    attach("memory", fs=fsspec.filesystem("memory"))  # Airflow knows S3 and the like, but not this one
    root = ObjectStoragePath("memory://kashoo" if kind == "memory" else f"file://{tmp_path}/objects")
    over, young = staged(root, "over"), staged(root, "young", at=datetime.now(UTC))
    dead = over.folder.parent / young.folder.name / "plan.parquet.dead.part"
    dead.write_bytes(b"1")
    database = open_database()
    freed = tidy(root, database, timedelta(days=7))
    assert (freed.runs, freed.files, freed.parts) == (1, 3, 0)
    assert over.is_empty
    assert not over.folder.exists()
    assert young.read_table("plan") == pa.table({"a": [1]})
    assert tidy(root, database, timedelta(days=7)).runs == 0
    again, remove = staged(root, "again"), maintenance._remove_folder
    monkeypatch.setattr(maintenance, "_remove_folder", lambda folder: (again.write_json("new", {}), remove(folder)))
    assert tidy(root, database, timedelta(days=7)).runs == 1
    assert again.names("") == ["new"]

"""A real Airflow: a cleared task shows an old plan, whose answer counts for nothing; a command lets it go on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from getpass import getuser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from records import books_rows, writes

from airflow_provider_kashoo.local_airflow import FORWARD, LocalAirflow
from airflow_provider_kashoo.sandbox.server import Sandbox

DAGS = Path(__file__).parents[2] / "dags"
SECONDS = 300
RACE = 5
"""Seconds: answered sooner, a task can meet the end of the process that parked it (apache/airflow 72716)."""

pytestmark = pytest.mark.long


def wait(done: Callable[[], Any]) -> Any:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(requests.Timeout):
            if found := done():
                return found
        time.sleep(1)
    pytest.fail("it did not come about")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def airflow(box: Sandbox, tmp_path: Path) -> Iterator[LocalAirflow]:
    own = {
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__KASHOO__APPROVE_FIRST_RUN": "True",
    }
    local = LocalAirflow(tmp_path, DAGS, box.describe()["env"] | own)
    with local.running():
        wait(local.ready)
        yield local


def rows(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "kashoo_store.db")) as store:
        return store.execute(query).fetchall()


def test_clear_then_a_new_plan_then_approve(box: Sandbox, airflow: LocalAirflow, tmp_path: Path) -> None:
    airflow.unpause(FORWARD)
    (first,) = wait(lambda: airflow.asked(FORWARD))
    run = first["task_instance"]["dag_run_id"]
    before, ((old,),) = writes(box)["kashoo"], rows(tmp_path, "SELECT digest FROM runs")
    assert first["params"]["plan"]["value"] == old[:12]
    slots = airflow._call("GET", "/pools/default_pool")
    assert (slots["occupied_slots"], slots["deferred_slots"]) == (0, 0)

    time.sleep(RACE)
    clear = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "dag_run_id": run}
    tasks = airflow._call("GET", f"/dags/{FORWARD}/dagRuns/{quote(run)}/taskInstances")["task_instances"]
    ids = [each["task_id"] for each in tasks]
    airflow._call("POST", f"/dags/{FORWARD}/clearTaskInstances", clear | {"task_ids": ids})
    (again,) = wait(lambda: rows(tmp_path, "SELECT digest FROM runs") != [(old,)] and airflow.asked(FORWARD))
    new = rows(tmp_path, "SELECT digest FROM runs")[0][0]
    assert again["body"] == first["body"]  # Airflow shows what it showed before

    link = airflow._call("GET", f"/dags/{FORWARD}/dagRuns/{quote(run)}/taskInstances/plan/links")["extra_links"]
    page = airflow._session.get(airflow.url + link["What will be written"], timeout=30)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert new in page.text
    assert requests.get(page.url, timeout=30).status_code == 401

    time.sleep(RACE)
    airflow.approve(again)
    asked = wait(lambda: [each for each in airflow.asked(FORWARD) if each["created_at"]])
    assert asked[0]["responded_at"] is None
    assert rows(tmp_path, "SELECT * FROM approvals") == []
    assert writes(box)["kashoo"] == before

    time.sleep(RACE)
    command = [sys.executable, "-m", "airflow", "kashoo", "approve", new[:12]]
    done = subprocess.run(command, capture_output=True, text=True, env=airflow._environment, check=False)
    assert "Approved.\nThe task that waited for it goes on." in done.stdout, done.stderr
    wait(lambda: [each["state"] for each in airflow.runs(FORWARD)] == ["success"])
    decided = rows(tmp_path, "SELECT decision, digest, decided_by FROM approvals")
    assert decided == [("approve", new, getuser())]
    assert len([row for row in books_rows(box, "invoices") if "[sf:" in (row["memo"] or "")]) == 29

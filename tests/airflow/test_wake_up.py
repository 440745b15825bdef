"""A real Airflow: a deal is won and its invoice stands, first because it was watched, then because somebody said so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from records import add_account, add_deal, invoice_of, invoices_of

from airflow_provider_kashoo.local_airflow import BACK, FORWARD, LocalAirflow
from airflow_provider_kashoo.sandbox.server import Sandbox

DAGS = Path(__file__).parents[2] / "dags"
SECONDS = 600

pytestmark = pytest.mark.long


def wait(done: Callable[[], Any]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(requests.Timeout):  # Airflow on a busy machine
            if done():
                return
        time.sleep(1)
    pytest.fail("it did not come about")


def quiet(airflow: LocalAirflow, dag: str, runs: int) -> bool:
    known = airflow.runs(dag)
    assert "failed" not in {run["state"] for run in known}
    return len(known) >= runs and {run["state"] for run in known} == {"success"}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def airflow(box: Sandbox, tmp_path: Path) -> Iterator[LocalAirflow]:
    own = {
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__KASHOO__WATCH_SECONDS": "30",
        "AIRFLOW__KASHOO__DELTA_MARGIN_SECONDS": "10",
    }
    local = LocalAirflow(tmp_path, DAGS, box.describe()["env"] | own)
    with local.running():
        wait(local.ready)
        yield local


def test_a_won_deal_is_billed_by_itself_and_on_demand(box: Sandbox, airflow: LocalAirflow) -> None:
    for dag in (FORWARD, BACK):
        airflow.unpause(dag)
    wait(lambda: quiet(airflow, FORWARD, 1))
    assets = {each["name"]: each["id"] for each in airflow._call("GET", "/assets")["assets"]}
    assert {"salesforce_changes", "kashoo_changes"} <= assets.keys()
    salesforce = assets["salesforce_changes"]
    wait(lambda: airflow._call("GET", f"/assets/{salesforce}/state-store")["total_entries"])

    account = add_account(box, email="a@lights.example")
    deal = add_deal(box, account, "321.00")
    wait(lambda: invoices_of(box, deal))

    deal_on_demand = add_deal(box, account, "444.00")
    for _ in range(3):
        airflow._call("POST", "/assets/events", {"asset_id": salesforce})
    wait(lambda: invoices_of(box, deal_on_demand))

    past = {"dag_id": FORWARD, "from_date": "2026-02-01T00:00:00Z", "to_date": "2026-02-03T00:00:00Z"}
    airflow._call("POST", "/backfills", past | {"dag_run_conf": {}, "reprocess_behavior": "none", "max_active_runs": 1})
    wait(lambda: quiet(airflow, FORWARD, 5) and quiet(airflow, BACK, 1))

    runs = airflow.runs(FORWARD)
    hours = {
        kind: {(run["data_interval_start"] or "")[11:16] for run in runs if run["run_type"] == kind}
        for kind in {run["run_type"] for run in runs}
    }
    assert hours == {"scheduled": {"02:00"}, "backfill": {"02:00"}, "asset_triggered": {""}}
    assert sum(run["run_type"] == "backfill" for run in runs) == 2
    assert [invoice_of(box, each)["totalDue"] for each in (deal, deal_on_demand)] == [32100, 44400]

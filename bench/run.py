"""Measure what the project promises; prints a table and writes ``bench/results.json``."""

from __future__ import annotations

import json
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "crash")]

IMPORTS = """
import sys, time
begun = time.perf_counter()
from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable, Param, TaskGroup, conf
base = time.perf_counter()
if sys.argv[1:]:
    import runpy
    runpy.run_path(sys.argv[1])
print(time.perf_counter() - base)
"""

Results = dict[str, dict[str, Any]]


def dag_import(results: Results) -> None:
    """What importing a shipped DAG file costs over importing Airflow's SDK, in fresh interpreters."""
    for name in ("salesforce_to_kashoo", "kashoo_to_salesforce"):
        command = [sys.executable, "-c", IMPORTS, str(ROOT / "dags" / f"{name}.py")]
        with tempfile.TemporaryDirectory() as home:  # Airflow writes its configuration there
            environment = os.environ | {"AIRFLOW_HOME": home}
            costs = [
                float(
                    subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()[
                        -1
                    ]
                )
                for _ in range(3)
            ]
        value = round(statistics.median(costs) * 1000)
        results[f"import of {name}"] = {"value": value, "unit": "ms over the SDK", "goal": "<= 150"}


def store_overhead(results: Results) -> None:
    """The whole bookkeeping of one write: budget slot, journal, link and audit."""
    from postgres import Postgres  # the tests' own server

    from airflow_provider_kashoo.store.database import Database

    with tempfile.TemporaryDirectory() as folder:
        measure = {"SQLite": Database(f"sqlite:///{folder}/store.db")}
        with Postgres(synced=True) as server:
            measure["PostgreSQL"] = Database(server.fresh())
            for name, database in measure.items():
                database.migrate()
                value = round(statistics.median(_bookkeeping(database)) * 1000, 2)
                results[f"bookkeeping of one write on {name}"] = {"value": value, "unit": "ms", "goal": "<= 5"}
                database.dispose()


def _bookkeeping(database: Any) -> list[float]:
    from airflow_provider_kashoo.core.rules.intents import Create
    from airflow_provider_kashoo.core.values.record import Record
    from airflow_provider_kashoo.store.budget import Budget, Limit
    from airflow_provider_kashoo.store.links import LinkChange
    from airflow_provider_kashoo.store.store import SyncStore

    store = SyncStore(database, "00D000000000001EAA", "1")
    budget = Budget(database, "bench", [Limit(10**6, 3600), Limit(10**6, 1)])
    took = []
    for number in range(200):
        ident = f"006{number:012d}AAA"
        intent = Create(record=Record("invoice", "Opportunity", ident), reason="won", sale=ident, total=100)
        begun = time.perf_counter()
        (slot,) = budget.acquire(60)
        sent = store.journal.send(
            intent, run_id="r", lease="l", deadline_seconds=60, payload_hash="h", fields={"memo": "x"}
        )
        budget.release(slot)
        store.journal.answered(sent, LinkChange(kashoo_id=number, fields={"memo": ("x", "x")}), "won")
        took.append(time.perf_counter() - begun)
    return took[50:]


def transform_speed(results: Results) -> None:
    """Deals with two lines each, from Arrow columns to documents."""
    import pandas as pd
    import pyarrow as pa

    from airflow_provider_kashoo.core.mapping.evaluate import Surroundings
    from airflow_provider_kashoo.core.mapping.transform import transform
    from airflow_provider_kashoo.sync.read.columns import NUMBER
    from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

    mappings = load_mappings(ROOT / "include" / "mappings")
    deals = 20_000
    ids = [f"006{number:012d}AAA" for number in range(deals)]
    day = pa.array([20_000] * deals, pa.int32()).cast(pa.date32())
    records = pa.table(
        {
            "Id": ids,
            "IsWon": [True] * deals,
            "Amount": pa.array([Decimal("200.00")] * deals, NUMBER),
            "AccountId": ["001000000000001AAA"] * deals,
            "CloseDate": day,
            "CurrencyIsoCode": ["USD"] * deals,
            "Name": ["A deal"] * deals,
        }
    ).to_pandas(types_mapper=pd.ArrowDtype)
    lines = pa.table(
        {
            "parent": [ident for ident in ids for _ in range(2)],
            "Quantity": pa.array([Decimal(4)] * deals * 2, NUMBER),
            "TotalPrice": pa.array([Decimal("100.00")] * deals * 2, NUMBER),
            "Description": ["as agreed"] * deals * 2,
            "Product2Id": ["01t000000000001AAA"] * deals * 2,
        }
    ).to_pandas(types_mapper=pd.ArrowDtype)
    around = Surroundings("UTC", "USD", {name: each.to for name, each in mappings.items()})
    begun = time.perf_counter()
    done = transform(mappings["invoice_from_opportunity"], records, lines, around)
    seconds = time.perf_counter() - begun
    if len(done.documents) != deals:
        raise SystemExit(f"only {len(done.documents)} of {deals} deals became documents")
    results["transform"] = {"value": round(deals / seconds), "unit": "deals a second", "goal": ">= 10000"}


def crashes(results: Results) -> None:
    """A sample of the boundaries at which the tests crash a run; the tests take every one."""
    from test_crash_everywhere import crash_all

    shared = Path("/dev/shm")  # noqa: S108 - a crash image is copied often
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        points, failed = crash_all(Path(folder), deals=15, every=10)
    results["crash points run"] = {"value": points, "unit": "runs crashed, each 10th boundary", "goal": ">= 80"}
    results["crash points failed"] = {"value": len(failed), "unit": "ended differently", "goal": "0"}


ROWS = 1_000_000
PAGE = 25_000


def bulk_read(results: Results) -> None:
    """A million records by Bulk API 2.0 into Parquet, beside curl fetching the same pages of the same job."""
    from bulk_read import ALWAYS, TYPES, connect, log_in

    from airflow_provider_kashoo.clients import soql
    from airflow_provider_kashoo.clients.bulk import BulkQueries

    command = [sys.executable, "-m", "airflow", "kashoo", "sandbox", "--salesforce-port", "0", "--kashoo-port", "0"]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"AIRFLOW_HOME": home}
        server = subprocess.Popen(
            [*command, "--dataset", f"generated:{ROWS}"], stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            said = json.loads(server.stdout.readline())
            os.environ["REQUESTS_CA_BUNDLE"] = said["ca_bundle"]
            extra = json.loads(said["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
            reader = [sys.executable, str(ROOT / "bench" / "bulk_read.py"), json.dumps(extra)]
            ours = json.loads(subprocess.run(reader, check=True, capture_output=True, text=True).stdout)
            client = connect(extra)
            jobs = BulkQueries(client)
            job = jobs.start(soql.in_window("Opportunity", list(TYPES), ALWAYS), deleted=True)
            jobs.wait(job)
            curl = _curl(log_in(extra), said["ca_bundle"], job, Path(home))
        finally:
            server.terminate()
            server.wait()
    if ours["records"] != ROWS:
        raise SystemExit(f"{ours['records']} of {ROWS} records were read")
    results["bulk read"] = {"value": round(ROWS / ours["seconds"]), "unit": "records a second, 12 columns", "goal": ""}
    results["bulk read beside curl"] = {
        "value": round(ours["seconds"] / curl, 2),
        "unit": "times the seconds curl takes for the same pages",
        "goal": "<= 1.5",
    }
    results["bulk read memory"] = {
        "value": round(ours["peak"]),
        "unit": "MiB at the peak, all of Python",
        "goal": "< 300",
    }


def _curl(login: Any, ca_bundle: str, job: str, folder: Path) -> float:
    """Fetch every page of a job with curl; gives seconds."""
    url = f"{login.instance_url}/services/data/v67.0/jobs/query/{job}/results?maxRecords={PAGE}"
    locator, begun = "", time.perf_counter()
    while locator != "null":
        page = url + (f"&locator={locator}" if locator else "")
        command = ["curl", "-sf", "--cacert", ca_bundle, "-H", f"Authorization: Bearer {login.token}", "-D", "-"]
        head = subprocess.run(
            [*command, "-o", str(folder / "page.csv"), page], check=True, capture_output=True, text=True
        ).stdout
        locator = next(
            line.split(": ", 1)[1] for line in head.splitlines() if line.lower().startswith("sforce-locator")
        )
    return time.perf_counter() - begun


def main() -> None:
    """Run every measurement, or those that are named.

    :raises SystemExit: when a goal was missed.
    """
    from rich.console import Console
    from rich.table import Table

    results: Results = {}
    steps: tuple[Callable[[Results], None], ...] = (
        dag_import,
        store_overhead,
        transform_speed,
        bulk_read,
        crashes,
    )
    console = Console()
    if sys.argv[1:]:
        steps = tuple(step for step in steps if step.__name__ in sys.argv[1:])
    for step in steps:
        with console.status(step.__name__):
            step(results)
    path = ROOT / "bench" / "results.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | results, indent=1) + "\n")
    table = Table("what", "value", "unit", "goal")
    missed = [name for name, row in results.items() if not _met(row)]
    for name, row in results.items():
        table.add_row(name, str(row["value"]), row["unit"], row["goal"], style="red" if name in missed else None)
    console.print(table)
    if missed:
        raise SystemExit(f"Missed: {', '.join(missed)}")


def _met(row: dict[str, Any]) -> bool:
    """Hold a value against its goal: ``<= 5``, ``>= 80``, ``< 300``, or a number that it has to be."""
    word, _, number = row["goal"].rpartition(" ")
    compare = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "": operator.eq}[word]
    return not number or bool(compare(row["value"], float(number)))


if __name__ == "__main__":
    main()

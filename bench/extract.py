"""A million records by Bulk API 2.0 into Parquet, beside curl fetching the same pages: one by one, and side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulk_read import ALWAYS, TYPES, connect, log_in

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.bulk import PAGE_RECORDS, BulkQueries
from airflow_provider_kashoo.sync.read.bulk import AT_ONCE

ROWS = 1_000_000
GOAL = 1.2
ROUNDS = 3
"""What else the machine does makes one round slower, never faster."""


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Read with a process of ours, then fetch the pages of an equal job with curl; of each, the best of three rounds.

    :raises SystemExit: when records are missing.
    """
    with tempfile.TemporaryDirectory() as home, _sandbox(Path(home)) as said:
        os.environ["REQUESTS_CA_BUNDLE"] = said["ca_bundle"]
        extra = json.loads(said["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
        jobs = BulkQueries(connect(extra))
        job = jobs.start(soql.in_window("Opportunity", list(TYPES), ALWAYS), deleted=True)
        jobs.wait(job)
        curl = _Curl(log_in(extra), said["ca_bundle"], job, Path(home))
        curl.one_by_one()  # the sandbox is slower when it writes its records for the first time
        rounds = [(_ours(extra), curl.one_by_one(), curl.side_by_side()) for _ in range(ROUNDS)]
    if wrong := {ours["records"] for ours, _, _ in rounds} - {ROWS}:
        raise SystemExit(f"{wrong} of {ROWS} records were read")
    seconds = min(ours["seconds"] for ours, _, _ in rounds)
    one_by_one, side_by_side = (min(took) for took in zip(*(rest for _, *rest in rounds), strict=True))
    results["bulk read"] = {"value": round(ROWS / seconds), "unit": "records a second, 12 columns", "goal": ""}
    for how, took in (("one by one", one_by_one), ("side by side", side_by_side)):
        results[f"bulk read beside curl, {how}"] = {
            "value": round(seconds / took, 2),
            "unit": f"times the seconds curl takes for the same pages {how}",
            "goal": f"<= {GOAL}",
        }
    results["bulk read memory"] = {
        "value": round(max(ours["peak"] for ours, _, _ in rounds)),
        "unit": "MiB at the peak, all of Python",
        "goal": "< 300",
    }


def _ours(extra: dict[str, Any]) -> dict[str, Any]:
    """Read in a process of its own; gives its figures."""
    reader = [sys.executable, str(Path(__file__).with_name("bulk_read.py")), json.dumps(extra)]
    figures: dict[str, Any] = json.loads(subprocess.run(reader, check=True, capture_output=True, text=True).stdout)
    return figures


@contextmanager
def _sandbox(home: Path) -> Iterator[dict[str, Any]]:
    """Serve the records from a process of its own; gives what it says of itself."""
    command = [sys.executable, "-m", "airflow", "kashoo", "sandbox", "--salesforce-port", "0", "--kashoo-port", "0"]
    server = subprocess.Popen(
        [*command, "--dataset", f"generated:{ROWS}"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"AIRFLOW_HOME": str(home)},
    )
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()


class _Curl:
    """Fetches the pages of one job to files.

    :param login: of the org.
    :param folder: for the pages.
    """

    def __init__(self, login: Any, ca_bundle: str, job: str, folder: Path) -> None:
        self._url = f"{login.instance_url}/services/data/v67.0/jobs/query/{job}/results?maxRecords={PAGE_RECORDS}"
        self._command = ["curl", "-sf", "--cacert", ca_bundle, "-H", f"Authorization: Bearer {login.token}"]
        self._folder = folder
        self._pages: list[str] = []

    def one_by_one(self) -> float:
        """Follow the locators; gives seconds, and learns the address of each page."""
        begun, self._pages = time.perf_counter(), [self._url]
        while (locator := self._fetch(self._pages[-1])) != "null":
            self._pages.append(f"{self._url}&locator={locator}")
        return time.perf_counter() - begun

    def side_by_side(self) -> float:
        """Fetch all of them in one process, as many at once as ours does; gives seconds."""
        pages = [part for page in self._pages for part in ("-o", str(self._folder / "page.csv"), page)]
        begun = time.perf_counter()
        together = [*self._command, "--no-progress-meter", "--parallel", "--parallel-max", str(AT_ONCE)]
        subprocess.run([*together, *pages], check=True)
        return time.perf_counter() - begun

    def _fetch(self, page: str) -> str:
        command = [*self._command, "-D", "-", "-o", str(self._folder / "page.csv"), page]
        head = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return next(line.split(": ", 1)[1] for line in head.splitlines() if line.lower().startswith("sforce-locator"))

"""Count the requests of runs in which nothing is written, logins included, each task with connections of its own.

Both simulated systems are asked over HTTP. Airflow's operators run in a process of their own, with a Fernet key and
without one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GOALS = {"salesforce_to_kashoo": "<= 2", "kashoo_to_salesforce": "<= 6"}


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Requests to Kashoo of a quiet run of each sync; what Salesforce is asked has no goal."""
    from cryptography.fernet import Fernet

    for words, key in (("", Fernet.generate_key().decode()), (" without a Fernet key", "")):
        with tempfile.TemporaryDirectory() as home:
            environment = os.environ | {
                "AIRFLOW_HOME": home,
                "AIRFLOW__CORE__FERNET_KEY": key,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
                "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}",
            }
            command = [sys.executable, __file__]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        for sync, asked in json.loads(said.splitlines()[-1]).items():
            row = {"value": asked["kashoo"], "unit": "requests to Kashoo", "goal": GOALS[sync] if key else ""}
            results[f"quiet run of {sync}{words}"] = row
            if key:
                row = {"value": asked["salesforce"], "unit": "requests to Salesforce", "goal": ""}
                results[f"quiet run of {sync}, other side"] = row


def count_requests() -> dict[str, dict[str, int]]:
    """Bring both sides in step, then run each sync once more; gives sync -> side -> requests."""
    from airflow.utils.db import initdb
    from tasks import Run, bring_in_step

    from airflow_provider_kashoo.runtime.setup import create_pools_and_store
    from airflow_provider_kashoo.sandbox.server import Sandbox

    initdb()
    create_pools_and_store()
    counted: dict[str, dict[str, int]] = {}
    with Sandbox() as box:
        box.books.limits = []
        os.environ.update(box.describe()["env"])
        connection = json.loads(os.environ["AIRFLOW_CONN_KASHOO_DEFAULT"])
        connection["extra"]["budget"] = [{"requests": 1_000_000, "seconds": 1}]
        os.environ["AIRFLOW_CONN_KASHOO_DEFAULT"] = json.dumps(connection)
        bring_in_step(box)
        for sync in GOALS:
            before = {side: log.total for side, log in box.logs.items()}
            Run(box, sync, "quiet").up_to("commit")
            counted[sync] = {side: log.total - before[side] for side, log in box.logs.items()}
    return counted


if __name__ == "__main__":
    print(json.dumps(count_requests()))

"""What importing a shipped DAG file costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


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


def measure(results: dict[str, dict[str, Any]]) -> None:
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

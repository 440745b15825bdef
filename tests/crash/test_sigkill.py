"""Task processes of a real Airflow are killed in the middle of their requests; Airflow's retries bring all to rest."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from records import add_account, add_deal, books_rows
from rich.console import Console

from airflow_provider_kashoo import demo as demo_module
from airflow_provider_kashoo.demo import Demo
from airflow_provider_kashoo.local_airflow import BACK, FORWARD
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.database import Database

SHIPPED_DAGS = Path(__file__).parents[2] / "dags"
KILLS = 50
WRITE = re.compile("kashoo [a-z]+ (POST|PUT|DELETE)$")
STAGES = {"read": 30, "write": 8}
"""A task is killed after up to so many stages of requests: few enough to hit each step, enough to get on.

Half of the kills are kept for writes to the books: reads are many and come first, and a write is where it hurts.
"""

DEADLINE, SETTLE = 8, 2
RUNS_TO_REST = 3
TITLE = re.compile(rb"airflow worker -- [0-9a-f]{8}-")
"""What Airflow calls the process of a task; that of an executor's worker has a name behind the dashes."""


class Killer:
    """Kills a task process in the middle of one request after another; ``left`` kills are still to come."""

    def __init__(self, demo: Demo, kills: int) -> None:
        self.demo = demo
        self.where: Counter[str] = Counter()
        self._left = dict.fromkeys(STAGES, kills // len(STAGES))
        self._random = random.Random(kills)  # noqa: S311
        self._countdown = dict.fromkeys(STAGES, 1)
        for system, faults in demo.sandbox.faults.items():
            faults.hook = lambda stage, system=system: self.reach(f"{system} {stage}")

    @property
    def left(self) -> int:
        return sum(self._left.values())

    def reach(self, stage: str) -> None:
        where = " ".join(stage.split(" ")[:3])
        kind = "write" if WRITE.match(where) else "read"
        if self._left[kind] <= 0 or "authTokens" in stage or "oauth2" in stage:
            return
        self._countdown[kind] -= 1
        if self._countdown[kind] > 0:
            return
        tasks = [process for process in self.demo.airflow.processes() if TITLE.match(title(process))]
        if tasks:
            os.kill(self._random.choice(tasks), signal.SIGKILL)
            self._left[kind] -= 1
            self.where[where] += 1
            self._countdown[kind] = self._random.randint(1, STAGES[kind])


def title(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


@pytest.mark.long
def test_fifty_killed_tasks_lose_nothing_and_write_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("finds the processes of tasks in /proc")
    monkeypatch.setattr(demo_module, "RUN_SECONDS", 1200)
    monkeypatch.setenv("AIRFLOW__KASHOO__SEND_DEADLINE_SECONDS", str(DEADLINE))
    monkeypatch.setenv("AIRFLOW__KASHOO__SETTLE_SECONDS", str(SETTLE))
    monkeypatch.setenv("AIRFLOW__KASHOO__DELTA_MARGIN_SECONDS", "1")  # what is traded last is read before the end, too
    dags, home = tmp_path / "dags", tmp_path / "home"
    home.mkdir()
    impatient(dags)
    with Sandbox() as box:
        box.books.limits = []
        demo = Demo(dags, home, box, Console())
        connection = json.loads(demo.airflow._environment["AIRFLOW_CONN_KASHOO_DEFAULT"])
        connection["extra"]["budget"] = [{"requests": 1_000_000, "seconds": 1}]
        demo.airflow._environment["AIRFLOW_CONN_KASHOO_DEFAULT"] = json.dumps(connection)
        with demo.airflow.running():
            demo._step("Airflow starts", demo.airflow.ready, 300)
            killer, paid, runs = Killer(demo, KILLS), 0, 0
            while killer.left > 0:
                trade(box, runs)
                runs += 1
                demo._run(FORWARD, runs, f"{killer.left} kills to come", scheduled=runs == 1)
                paid = demo._customers_pay() if runs == 1 else paid
                demo._run(BACK, runs, f"{killer.left} kills to come", scheduled=runs == 1)
            wrote = -1
            for _ in range(RUNS_TO_REST):  # looked up by the first, made by the second, quiet in the third
                time.sleep(DEADLINE + SETTLE)
                runs += 1
                before = demo._writes()
                demo._run(FORWARD, runs, "what got no answer is looked up, and made", scheduled=False)
                demo._run(BACK, runs, "what got no answer is told again", scheduled=False)
                wrote = demo._writes() - before
        print(dict(killer.where))  # noqa: T201
        assert sum(killer.where.values()) == KILLS
        assert sum(count for where, count in killer.where.items() if WRITE.match(where)) == KILLS // 2
        assert demo._print_result(paid, wrote)
        bearers = Counter(row["memo"] for row in books_rows(box, "invoices") if "[sf:" in (row["memo"] or ""))
        assert set(bearers.values()) == {1}
    store = Database(f"sqlite:///{home}/kashoo_store.db")
    with store.begin() as connection_:
        left = connection_.exec_driver_sql("SELECT state, target, cause FROM operations WHERE closed_at IS NULL").all()
    store.dispose()
    assert left == []


def impatient(dags: Path) -> None:
    """Copy the shipped DAGs, with retries that are many and soon."""
    shutil.copytree(SHIPPED_DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"))
    for path in dags.glob("*.py"):
        text = path.read_text()
        assert '"retries": 8' in text
        for old, new in (
            ('"retries": 8', f'"retries": {2 * KILLS}'),
            ("timedelta(seconds=30)", "timedelta(seconds=1)"),
            ('"retry_exponential_backoff": True', '"retry_exponential_backoff": False'),
        ):
            text = text.replace(old, new)
        path.write_text(text)


def trade(box: Sandbox, round_: int) -> None:
    """Win some more deals, so that each run has something to write."""
    for number in range(8 if round_ else 0):
        add_deal(box, add_account(box, f"Customer {round_}.{number}"))

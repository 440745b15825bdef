"""The demo: both syncs in a real Airflow of its own, against the sandbox, compared to the cent at the end."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from rich.console import Console
from rich.table import Table

from airflow_provider_kashoo.sandbox.server import Sandbox

FORWARD, BACK = "salesforce_to_kashoo", "kashoo_to_salesforce"
START_SECONDS, RUN_SECONDS = 180, 300
STOPPED = 130
ENDING = (signal.SIGTERM, signal.SIGHUP)
USER = "admin"
SETTLE_SECONDS = 1200
"""The sandbox's clock is advanced by this before the last run, so that its window holds our own write-backs."""

READS_BY_POST = ("/authTokens", "/services/oauth2/token", "/composite")

Cents = dict[str, int]


class DemoFailed(Exception):
    """A step failed; the message says which, and where the log is."""


class LocalAirflow:
    """One ``airflow standalone`` in its own process group, home and ports.

    :param home: AIRFLOW_HOME, empty.
    :param environment: beside Airflow's own, such as connections and the CA bundle.
    :param path: of its base URL, such as ``/airflow``.
    """

    def __init__(self, home: Path, dags: Path, environment: dict[str, str], path: str = "") -> None:
        self.password = secrets.token_urlsafe(9)
        self.log = home / "airflow.log"
        port, *log_ports = _free_ports(3)
        self.url = f"http://localhost:{port}{path}"
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({USER: self.password}))
        self._own = {
            **environment,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "NO_PROXY": "localhost,127.0.0.1",
        }
        self._environment = {**os.environ, **self._own}
        self._exports = home / "environment"
        self._session = requests.Session()
        self._session.trust_env = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; every process of its session is stopped at the end."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        self._session_id = process.pid
        try:
            yield
        finally:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                for group in {process.pid, *self.processes()}:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(group, sign)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)

    def exported(self) -> Path:
        """Write a file for a shell, after which ``airflow`` commands there are about this Airflow and the sandbox."""
        self._exports.touch(0o600)
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self._own.items()]
        self._exports.write_text("\n".join([*lines, ""]))
        return self._exports

    def ready(self) -> bool:
        """Say whether every part of Airflow is healthy and both DAGs are known; log in on the way."""
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
            if any(health[part]["status"] != "healthy" for part in ("metadatabase", "scheduler", "dag_processor")):
                return False
            if "Authorization" not in self._session.headers:
                login = {"username": USER, "password": self.password}
                token = self._session.post(f"{self.url}/auth/token", json=login, timeout=5).json()["access_token"]
                self._session.headers["Authorization"] = f"Bearer {token}"
            return all(self._session.get(f"{self.url}/api/v2/dags/{dag}", timeout=5).ok for dag in (FORWARD, BACK))
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return False

    def unpause(self, dag: str) -> None:
        """Unpause a DAG, which starts its last scheduled run."""
        self._call("PATCH", f"/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str) -> None:
        """Start a manual run."""
        self._call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None})

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """List a DAG's runs."""
        return list(self._call("GET", f"/dags/{dag}/dagRuns")["dag_runs"])

    def asked(self, dag: str) -> list[dict[str, Any]]:
        """List what a DAG asks a person, and nobody answered yet: what Airflow shows under Required Actions."""
        found = self._call("GET", f"/dags/{dag}/dagRuns/~/hitlDetails?response_received=false")["hitl_details"]
        return [each for each in found if each["task_instance"]["state"] == "awaiting_input"]

    def approve(self, asked: dict[str, Any]) -> None:
        """Answer as a person does by the button: with the form as it is shown."""
        task = asked["task_instance"]
        run = f"/dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'])}"
        form = {name: field["value"] for name, field in asked["params"].items()}
        answer = {"chosen_options": ["Approve"], "params_input": form}
        self._call("PATCH", f"{run}/taskInstances/{task['task_id']}/{task['map_index']}/hitlDetails", answer)

    def memory(self) -> int:
        """Add up the memory of all its processes, shared pages counted once, in bytes; 0 where /proc is absent."""
        total = 0
        for process in self.processes():
            with suppress(OSError, StopIteration):
                shares = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) * 1024 for line in shares if line.startswith("Pss:"))
        return total

    def processes(self) -> list[int]:
        """List its processes: tasks lead process groups of their own, but stay in its session. Empty without /proc."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(int(folder.name)) == self._session_id:
                    found.append(int(folder.name))
        return found

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._session.request(method, f"{self.url}/api/v2{path}", json=body, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())


class Demo:
    """One demo, step by step.

    :param dags: folder of the shipped DAGs.
    """

    def __init__(self, dags: Path, home: Path, sandbox: Sandbox, console: Console) -> None:
        self.sandbox, self.console = sandbox, console
        self.airflow = LocalAirflow(home, dags, sandbox.describe()["env"])
        self.peak_memory = 0
        self.started = time.monotonic()

    def run(self) -> bool:
        """Go through all steps, print the table, and say whether both sides agree."""
        self._step("Airflow starts", self.airflow.ready, START_SECONDS)
        self._run(FORWARD, 1, "won deals become invoices", scheduled=True)
        paid = self._customers_pay()
        self._run(BACK, 1, "payments come back", scheduled=True)
        self.sandbox.clock.advance(SETTLE_SECONDS)
        before = self._writes()
        self._run(FORWARD, 2, "nothing is left to do", scheduled=False)
        return self._print_result(paid, self._writes() - before)

    def _run(self, dag: str, number: int, what: str, *, scheduled: bool) -> None:
        if scheduled:
            self.airflow.unpause(dag)
        else:
            self.airflow.trigger(dag)

        def finished() -> bool:
            for each in self.airflow.asked(dag):
                self.airflow.approve(each)
                self.console.print(f"[green]done[/]  {USER} reads and approves: {each['subject']}")
            runs = self.airflow.runs(dag)
            if any(run["state"] == "failed" for run in runs):
                raise DemoFailed(f"A run of {dag} failed; see {self.airflow.log}.")
            return len(runs) >= number and all(run["state"] == "success" for run in runs)

        self._step(f"{dag}: {what}", finished, RUN_SECONDS)

    def _step(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        begun = time.monotonic()
        with self.console.status(what) as status:
            while not done():
                elapsed = time.monotonic() - begun
                if elapsed > seconds:
                    raise DemoFailed(f"{what}: not done after {seconds:.0f} s; see {self.airflow.log}.")
                self.peak_memory = max(self.peak_memory, self.airflow.memory())
                requests_seen = len(self.sandbox.logs["kashoo"].entries())
                status.update(f"{what} ({elapsed:.0f} s, {requests_seen} requests to Kashoo)")
                time.sleep(0.5)
        self.console.print(f"[green]done[/]  {what}  [dim]{time.monotonic() - begun:.0f} s[/]")

    def _customers_pay(self) -> int:
        """Pay every third invoice in full and every third in part, as customers would."""
        ours = self._ours("invoices", "memo")
        count = 0
        for number, invoice in enumerate(ours):
            if number % 3 == 2:
                continue
            amount = invoice["totalDue"] if number % 3 == 0 else invoice["totalDue"] // 3
            body = {"invoice": invoice["id"], "amount": amount}
            requests.post(f"{self.sandbox.admin_url}/kashoo/payments", json=body, timeout=30).raise_for_status()
            count += 1
        self.console.print(f"[green]done[/]  {count} customers pay, in full or in part")
        return count

    def _ours(self, kind: str, field: str) -> list[dict[str, Any]]:
        """List the records of the books that carry a reference of the sync."""
        books = self.sandbox.books
        rows: list[dict[str, Any]] = []
        while page := books.page(books.main(), kind, offset=len(rows)):
            rows += page
        return [row for row in rows if "[sf:" in (row.get(field) or "")]

    def _writes(self) -> int:
        """Count the requests that may have changed something on either side, logins and reads left out."""
        seen = [entry for log in self.sandbox.logs.values() for entry in log.entries()]
        return sum(entry["method"] != "GET" and not entry["path"].endswith(READS_BY_POST) for entry in seen)

    def _print_result(self, paid: int, last_writes: int) -> bool:
        invoices = self._ours("invoices", "memo")
        sold, open_in_salesforce, written_back = self._salesforce_side()
        billed: Cents = defaultdict(int)
        open_: Cents = defaultdict(int)
        for invoice in invoices:
            billed[invoice["currency"]] += invoice["totalDue"]
            open_[invoice["currency"]] += invoice["balanceDue"]
        agree = (
            dict(billed) == dict(sold)
            and dict(open_) == dict(open_in_salesforce)
            and written_back == paid
            and last_writes == 0
        )
        table = Table("", "Salesforce", "Kashoo", title="Both sides agree to the cent" if agree else "The sides DIFFER")
        for kind, field in (("customers", "notes"), ("items", "description"), ("invoices", "memo")):
            table.add_row(f"{kind} made", "", str(len(self._ours(kind, field))))
        for code in sorted({*billed, *sold}):
            table.add_row(f"invoiced {code}", _money(sold[code]), _money(billed[code]))
            table.add_row(f"open {code}", _money(open_in_salesforce[code]), _money(open_[code]))
        table.add_row("payments", f"{written_back} written back", f"{paid} received")
        used = len(self.sandbox.logs["kashoo"].entries())
        table.add_row("requests to Kashoo", "", f"{used} of 500 an hour")
        table.add_row("writes of the last run", "", str(last_writes))
        table.add_row("Airflow's peak memory", "", f"{self.peak_memory / 2**20:.0f} MiB")
        table.add_row("seconds", "", f"{time.monotonic() - self.started:.0f}")
        self.console.print(table)
        return agree

    def _salesforce_side(self) -> tuple[Cents, Cents, int]:
        """Compute from Salesforce alone what should be invoiced, and what was written back as open and paid."""
        sold: Cents = defaultdict(int)
        open_: Cents = defaultdict(int)
        deals = [row for row in self.sandbox.org.rows("Opportunity") if row["IsWon"] and (row["Amount"] or 0) >= 100]
        billed = {row["Id"] for row in deals}
        orders = [
            row
            for row in self.sandbox.org.rows("Order")
            if row["StatusCode"] == "Activated" and row["TotalAmount"] >= 100 and row["OpportunityId"] not in billed
        ]
        paid = 0
        for row, amount in [*((row, row["Amount"]) for row in deals), *((row, row["TotalAmount"]) for row in orders)]:
            sold[row["CurrencyIsoCode"]] += int(Decimal(amount) * 100)
            open_[row["CurrencyIsoCode"]] += int(Decimal(row["Kashoo_Balance__c"] or 0) * 100)
            paid += bool(row["Kashoo_Paid__c"])
        return sold, open_, paid


def main(*, dags: Path, keep: bool = False) -> int:
    """Run the demo. Its folder is removed at the end, unless it failed.

    :param dags: folder of the shipped DAGs.
    :param keep: leave sandbox and Airflow running until Ctrl-C.
    :returns: exit status: 0 only if both sides agree to the cent, 130 when it was stopped.
    """
    console = Console()
    home = Path(tempfile.mkdtemp(prefix="kashoo-demo-"))
    console.print(f"A simulated Salesforce and Kashoo, and a real Airflow in {home}")
    try:
        with _stopped_by_signals():
            agree = _run(dags, home, console, keep=keep)
    except KeyboardInterrupt:
        console.print("stopped")
        shutil.rmtree(home, ignore_errors=True)
        return STOPPED
    if agree:
        shutil.rmtree(home, ignore_errors=True)
    else:
        console.print(f"Logs and files are in {home}", soft_wrap=True)
    return 0 if agree else 1


def _run(dags: Path, home: Path, console: Console, *, keep: bool) -> bool:
    with Sandbox() as sandbox:
        demo = Demo(dags, home, sandbox, console)
        with demo.airflow.running():
            try:
                agree = demo.run()
            except DemoFailed as error:
                console.print(f"[red]failed[/]  {error}")
                agree = False
            if keep:
                _wait(console, demo)
    return agree


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn the signals that end a process into an exception, so that Airflow, in its own session, is stopped too."""

    def stop(*_: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # the clean-up is under way
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(console: Console, demo: Demo) -> None:
    """Say where everything is, and wait to be stopped."""
    airflow = demo.airflow
    console.print(
        f"""
Airflow   {airflow.url}
user      {USER}
password  {airflow.password}
sandbox   {demo.sandbox.admin_url} (/state says what both sides hold)

In another terminal, for airflow kashoo status and all other commands:
source {airflow.exported()}

Ctrl-C stops everything and removes it.""",
        highlight=False,
        soft_wrap=True,
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("stopping")


def _money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports

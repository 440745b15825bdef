"""An Airflow of its own, as ``airflow standalone``: for the demo, and for tests that drive a real scheduler."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

FORWARD, BACK = "salesforce_to_kashoo", "kashoo_to_salesforce"
USER = "admin"


class LocalAirflow:
    """One ``airflow standalone`` in its own process group, home and ports.

    :param home: AIRFLOW_HOME, empty.
    :param environment: beside Airflow's own, such as connections and the CA bundle.
    :param path: of its base URL, such as ``/airflow``.
    """

    def __init__(self, home: Path, dags: Path, environment: dict[str, str], path: str = "") -> None:
        self.password = secrets.token_urlsafe(9)
        self.log = home / "airflow.log"
        port, *log_ports = free_ports(3)
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


def free_ports(count: int) -> list[int]:
    """Find ports of this host that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports

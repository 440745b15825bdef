"""What the demo says while it is left running, and what it leaves behind: nothing, unless it failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_kashoo import demo
from airflow_provider_kashoo.demo import Demo, DemoFailed, main
from airflow_provider_kashoo.local_airflow import LocalAirflow

DAGS = Path(__file__).parents[2] / "dags"


def fails(_: Demo) -> bool:
    raise DemoFailed("It did not come about.")


def stopped(_: Demo) -> bool:
    raise KeyboardInterrupt


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, with an Airflow that is never started."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(LocalAirflow, "running", lambda _: nullcontext())
    monkeypatch.setattr(demo, "_wait", lambda *_: None)
    return tmp_path


@pytest.mark.parametrize(
    ("run", "keep", "status", "left"),
    [
        (lambda _: True, False, 0, 0),
        (lambda _: True, True, 0, 0),
        (lambda _: False, False, 1, 1),
        (fails, False, 1, 1),
        (stopped, False, 130, 0),
    ],
    ids=["agrees", "kept", "differs", "fails", "stopped"],
)
def test_the_folder_goes_unless_it_failed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, run: Any, keep: bool, status: int, left: int
) -> None:
    monkeypatch.setattr(Demo, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    assert main(dags=DAGS, keep=keep) == status
    assert signal.getsignal(signal.SIGTERM) is before
    folders = list(place.glob("kashoo-demo-*"))
    assert len(folders) == left
    if status == 1:
        assert str(folders[0]) in capsys.readouterr().out.replace("\n", "").rpartition("in ")[2]


STUB = """#!/bin/sh
echo $$ > {pid}
sleep 600 & wait
"""


def alive(session: int) -> list[str]:
    """The processes of a session, without those that only wait for somebody to ask how they ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state = (folder / "stat").read_text().rpartition(") ")[2]
            if os.getsid(int(folder.name)) == session and not state.startswith("Z"):
                found.append((folder / "cmdline").read_text())
    return found


KEPT = """
import sys, tempfile
from pathlib import Path
from airflow_provider_kashoo.demo import Demo, main

tempfile.tempdir, sys.executable = {folder!r}, {stub!r}
Demo.run = lambda _: True
raise SystemExit(main(dags=Path("."), keep=True))
"""


def test_a_demo_that_is_left_running_says_where_everything_is_and_goes_with_all_it_made(tmp_path: Path) -> None:
    stub = tmp_path / "python"
    stub.write_text(STUB.format(pid=tmp_path / "pid"))
    stub.chmod(0o755)
    code = KEPT.format(folder=str(tmp_path), stub=str(stub))
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(running.stdout.readline().rstrip("\n"))
            assert lines[-1] or running.poll() is None, running.communicate(timeout=5)
        said = dict(line.split(maxsplit=1) for line in lines if " " in line)
        state = requests.get(f"{said['sandbox'].split()[0]}/state", timeout=30).json()
        command = f". {said['source']}; env -0"
        shell = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, env={})
        given = dict(each.split("=", 1) for each in shell.stdout.split("\0") if each)
        running.send_signal(signal.SIGTERM)
        _, complaint = running.communicate(timeout=60)
    finally:
        running.kill()
    assert state["salesforce"]["Opportunity"] > 29
    assert given["AIRFLOW__API__BASE_URL"] == said["Airflow"]
    assert Path(given["AIRFLOW_HOME"]).parent == tmp_path
    assert json.loads(given["AIRFLOW_CONN_KASHOO_DEFAULT"])["conn_type"] == "kashoo"
    assert given["AIRFLOW__CORE__TEST_CONNECTION"] == "Enabled"
    assert (complaint, running.returncode) == ("", 0)
    assert list(tmp_path.glob("kashoo-demo-*")) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are told by /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_told_to_stop_takes_its_airflow_with_it(tmp_path: Path, number: signal.Signals) -> None:
    """Airflow runs in a session of its own, which nobody else would end."""
    stub, pid = tmp_path / "python", tmp_path / "pid"
    stub.write_text(STUB.format(pid=pid))
    stub.chmod(0o755)
    code = (
        "import sys, tempfile; from pathlib import Path; from airflow_provider_kashoo.demo import main; "
        f"tempfile.tempdir, sys.executable = {str(tmp_path)!r}, {str(stub)!r}; raise SystemExit(main(dags=Path('.')))"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 30
        while not (pid.exists() and pid.read_text().strip()):
            assert time.monotonic() < until, running.communicate(timeout=5)
            time.sleep(0.1)
        airflow = int(pid.read_text())
        assert alive(airflow)
        time.sleep(0.5)  # until the demo waits for it
        running.send_signal(number)
        _, complaint = running.communicate(timeout=30)
    finally:
        running.kill()
        if pid.exists():
            with suppress(ProcessLookupError):
                left = alive(int(pid.read_text()))
                os.killpg(int(pid.read_text()), signal.SIGKILL)
    assert complaint == ""
    assert running.returncode == 130
    assert left == []
    assert list(tmp_path.glob("kashoo-demo-*")) == []

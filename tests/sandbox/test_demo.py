"""What the demo leaves behind: nothing, unless it failed or is to be kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kashoo import demo
from airflow_provider_kashoo.demo import Demo, DemoFailed, LocalAirflow, main

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
        (lambda _: True, True, 0, 1),
        (lambda _: False, False, 1, 1),
        (fails, False, 1, 1),
        (stopped, False, 130, 0),
    ],
    ids=["agrees", "kept", "differs", "fails", "stopped"],
)
def test_the_folder_goes_unless_it_failed_or_is_to_be_kept(
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

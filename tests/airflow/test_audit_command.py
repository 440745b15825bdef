"""``airflow kashoo audit`` as a person and a program of an auditor see it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from airflow_provider_kashoo.cli.commands import accounts, set_up
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import audit as table

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "hand-over-to-an-auditor.md"


@pytest.fixture
def store(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SyncStore:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW_CONN_KASHOO_STORE", raising=False)
    set_up.init(Namespace(no_copy=True))
    store = SyncStore(open_database(), "00D000000000001EAA", "77")
    for number, cause in enumerate(["=its tax is “unknown”", "it has\nno lines"]):
        deal = Create(record=Record("invoice", "Opportunity", f"006{number:012d}AAA"))
        store.waiting.park(deal, Problem("x", cause, "Map it."), "r")
    return store


def audit(**given: Any) -> None:
    names = ("since", "until", "format", "output", "verify", "head")
    accounts.audit(Namespace(**dict.fromkeys(names) | given))


def ends_with(program: str, folder: Path) -> int:
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, check=False).returncode


def head(store: SyncStore) -> str:
    with store.database.begin() as connection:
        return str(connection.execute(select(table.c.hash).order_by(table.c.id.desc()).limit(1)).scalar_one())


def test_a_spreadsheet_reads_each_row_and_runs_none(store: SyncStore, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    audit(format="csv")
    shown = capsys.readouterr()
    first, second = csv.DictReader(io.StringIO(shown.out))
    assert (first["reason"], second["reason"]) == ("'=its tax is “unknown”", "it has\nno lines")
    assert (second["event"], second["source_id"], second["kashoo_id"]) == ("parked", "006000000000001AAA", "")
    assert shown.err == f"Head of 00D000000000001EAA / 77: {head(store)}\n"


def test_the_program_of_the_guide_checks_an_export(store: SyncStore, tmp_path: Path) -> None:
    audit(format="json", output=str(tmp_path / "audit.json"))
    program = GUIDE.read_text("utf-8").split("```python\n")[1].split("```")[0]
    assert ends_with(program, tmp_path) == 0
    whole = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert whole["heads"] == [{"org_id": "00D000000000001EAA", "business_id": "77", "head": head(store)}]
    whole["entries"][1]["reason"] = "nothing"
    (tmp_path / "audit.json").write_text(json.dumps(whole))
    assert ends_with(program, tmp_path) == 1


def test_of_a_day_all_is_written_and_nothing_of_the_next(store: SyncStore, capsys: pytest.CaptureFixture[str]) -> None:
    with store.database.begin() as connection:
        at = connection.execute(select(table.c.at)).scalars().first()
    today = datetime.fromtimestamp(at or 0, UTC).date()
    capsys.readouterr()
    audit(format="table", since=today.isoformat(), until=today.isoformat())
    assert len(capsys.readouterr().out.split("parked invoice")) == 3
    audit(format="table", until=(today - timedelta(days=1)).isoformat())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("noted", "status"), [("", 0), ("head", 0), ("0" * 64, 1)])
def test_verify_ends_with_1_if_the_noted_head_is_gone(
    store: SyncStore, capsys: pytest.CaptureFixture[str], noted: str, status: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        audit(verify=True, head=head(store).upper() if noted == "head" else noted)
    assert ended.value.code == status
    assert ("No row has the head" in capsys.readouterr().out) is bool(status)


def test_verify_names_the_row_that_does_not_fit(store: SyncStore, capsys: pytest.CaptureFixture[str]) -> None:
    with store.database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == 1))
    with pytest.raises(SystemExit) as ended:
        audit(verify=True)
    assert ended.value.code == 1
    assert "Row 2 of" in capsys.readouterr().out


def test_what_cannot_be_written_is_said(store: SyncStore, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot be written"):
        audit(format="csv", output=str(tmp_path / "missing" / "x.csv"))
    with pytest.raises(SystemExit, match="--verify"):
        audit(format="csv", head="abc")

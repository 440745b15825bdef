"""The tie-out as Airflow starts it, and as a person does: over both simulated systems, with connections of its own."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import CronTriggerTimetable
from airflow.sdk.exceptions import AirflowFailException
from records import books_rows, writes
from sqlalchemy import delete
from tasks import bring_in_step

from airflow_provider_kashoo.cli.commands import accounts
from airflow_provider_kashoo.operators.tie_out import KashooTieOutOperator
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.tables import links, operations

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
ALL = {"first_day": "2020-01-01", "last_day": "2030-12-31"}


@pytest.fixture(scope="module")
def in_step(sandbox: Sandbox, store_file: Path) -> Sandbox:
    bring_in_step(sandbox)
    return sandbox


def execute(run_id: str, **days: str) -> Any:
    run = SimpleNamespace(dag_id="kashoo_tie_out", run_id=run_id)
    task = KashooTieOutOperator(task_id="tie_out", began=BEGAN, **days)
    return task.execute({"dag_run": run})  # type: ignore[typeddict-item]


def command(**given: Any) -> None:
    names = ("from", "to", "output", "mark", "as")
    connections = {"kashoo_conn_id": "kashoo_default", "salesforce_conn_id": "salesforce_default"}
    accounts.tie_out(Namespace(**dict.fromkeys(names) | {"format": "json", "why": ""} | connections | given))


def test_the_shipped_dag_is_one_task_in_the_pool_of_kashoo() -> None:
    dag = DagBag(Path(__file__).parents[2] / "dags" / "kashoo_tie_out.py").dags["kashoo_tie_out"]
    (task,) = dag.tasks
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert (task.task_id, task.pool, task.retries) == ("tie_out", "kashoo_api", 3)
    assert (dag.max_active_runs, dag.catchup, dag.start_date) == (1, False, task.began)


def test_books_that_are_in_step_tie_out(in_step: Sandbox) -> None:
    before = writes(in_step)
    result = execute("night 1", **ALL)
    assert result["unexplained"] == 0
    assert writes(in_step) == before
    shown = json.loads((Path(result["report"]) / "report.json").read_text("utf-8"))
    totals = [(each["deals"] + each["taxes"], each["invoices"], each["books"]) for each in shown["currencies"]]
    assert totals
    assert {each["name"] for cell in shown["currencies"] for each in cell["differences"]} <= {"parked", "not ours"}
    assert all(invoices == books for _, invoices, books in totals)
    names = [row["contactInformation"]["name"] for row in books_rows(in_step, "customers")]
    assert [name for name in names if name in json.dumps(shown)] == []
    assert not set(map(str, (cell["books"] for cell in shown["currencies"]))) & set(json.dumps(result).split())


def test_the_command_prints_json_that_a_program_reads(in_step: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    command(**{"from": "2020-01-01", "to": "2030-12-31"})
    assert json.loads(capsys.readouterr().out)["unexplained"] == 0
    with pytest.raises(SystemExit, match="--from soon is not a day"):
        command(**{"from": "soon"})
    with pytest.raises(SystemExit, match="go together"):
        command(mark="07ff4f3d482a")


def test_a_missed_deal_fails_the_task_after_the_report_until_a_person_dismisses_it(
    in_step: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_one(in_step)
    with pytest.raises(AirflowFailException, match=r"1 differences are unexplained.*Nothing was written") as failed:
        execute("night 2", **ALL)
    folder = Path(str(failed.value).partition("report in ")[2].partition(", then")[0])
    found = [each for cell in json.loads((folder / "report.json").read_text("utf-8"))["currencies"]
             for each in cell["differences"] if each["name"] == "unexplained"]  # fmt: skip
    assert [each["source_id"] for each in found] == [lost]
    with pytest.raises(SystemExit) as ended:
        command(**{"from": "2020-01-01", "to": "2030-12-31"})
    assert ended.value.code == 1
    capsys.readouterr()
    command(mark=found[0]["id"], **{"as": "dismissed", "why": "billed by hand"})
    assert "is dismissed" in capsys.readouterr().out
    assert execute("night 3", **ALL)["unexplained"] == 0


def lose_one(box: Sandbox) -> str:
    """Let the store and the books lose a deal that was billed, long after its run."""
    database, main = open_database(), box.books.main()
    box.clock.advance(86_400)
    with database.begin() as connection:
        row = connection.execute(
            links.select().where(links.c.target == "invoice", links.c.settlement == "Open")
        ).first()
        assert row
        connection.execute(delete(links).where(links.c.id == row.id))
        connection.execute(delete(operations).where(operations.c.source_id == row.source_id))
        connection.exec_driver_sql("UPDATE watermarks SET value = value + 43200")
    database.dispose()
    box.books.remove(main, "invoices", row.kashoo_id)
    return str(row.source_id)

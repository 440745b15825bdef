"""The task approve: what it asks, which answers count, and what is written in the end."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput
from airflow.sdk.execution_time.context import OutletEventAccessors
from driver import BEGINNING
from records import add_account, add_deal, invoices_of, writes
from tasks import Run

from airflow_provider_kashoo.cli.commands import decide
from airflow_provider_kashoo.operators.sync import KashooSyncApplyOperator, KashooSyncApproveOperator
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.approvals import asking_plans

SYNC = "salesforce_to_kashoo"
ANN = {"id": "7", "name": "ann"}
APPROVE, REJECT = "Approve", "Reject"


class Asked(Run):
    """A run whose task approve asks; ``shown`` is what Airflow would show."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.operator: dict[str, Any] = {}
        self.context: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}

    def approve(self, method: str = "execute", **given: Any) -> Any:
        run = SimpleNamespace(
            dag_id=SYNC, run_id=self.run_id, run_type="manual", data_interval_start=None, data_interval_end=None
        )
        dag = SimpleNamespace(start_date=BEGINNING)
        self.context = {"dag_run": run, "params": {}, "dag": dag, "outlet_events": OutletEventAccessors()}
        self.context["task_instance"] = SimpleNamespace(id="ti")
        operator = KashooSyncApproveOperator(task_id="approve", sync=SYNC, **self.operator)
        return getattr(operator, method)(self.context, **given)

    def ask(self) -> dict[str, Any]:
        """Let the task ask; gives the question as it reaches Airflow."""
        with pytest.raises(TaskAwaitingInput) as waits:
            self.approve()
        assert waits.value.method_name == "execute_complete"
        return self.shown

    def answer(self, option: str = APPROVE, user: Any = ANN, timedout: bool = False, **form: Any) -> Any:
        """Answer the question, with the form as it was shown but for what is given."""
        as_shown = {name: field["value"] for name, field in self.shown["params"].items()}
        event = {"chosen_options": [option], "params_input": as_shown | form, "responded_at": datetime.now(UTC)}
        event |= {"responded_by_user": user, "timedout": timedout}
        return self.approve("execute_complete", event=event)

    def again(self) -> None:
        """Clear all that reads or plans."""
        for step in self.steps[: self.steps.index("approve")]:
            self(step)

    def refused(self, *args: Any, **given: Any) -> str:
        with pytest.raises(AirflowFailException) as failed:
            self.answer(*args, **given)
        return str(failed.value)


@pytest.fixture
def asked(new_run: Callable[[str], Run], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """A first run, up to its plan."""
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN", "True")
    run = Asked(sandbox, SYNC, "scheduled__1")
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **given: setattr(run, "shown", given))
    return run.up_to("plan")


def digest(run: Run) -> str:
    (plan,) = asking_plans(open_database())
    assert plan.run_id == run.run_id
    return plan.digest


def decided() -> list[tuple[Any, ...]]:
    with open_database().begin() as connection:
        rows = connection.exec_driver_sql("SELECT decision, decided_by, reason, digest FROM approvals ORDER BY id")
        return [tuple(row) for row in rows]


def test_a_first_run_asks_and_what_was_approved_is_written(asked: Asked, sandbox: Sandbox) -> None:
    shown = asked.ask()
    short = digest(asked)[:12]
    assert (shown["subject"], shown["options"]) == (f"Approve what will be written (plan {short})", [APPROVE, REJECT])
    before = writes(sandbox)
    with pytest.raises(AirflowFailException, match="not the one that was approved"):
        asked("apply")
    assert writes(sandbox) == before
    assert asked.answer(reason="looks right") == digest(asked)
    assert decided() == [("approve", "ann (id 7)", "looks right", digest(asked))]
    assert asked("apply")["created"] > 50
    asked("commit")
    assert asking_plans(open_database()) == []


def test_what_is_shown_has_amounts_and_ids_and_no_name(asked: Asked, sandbox: Sandbox) -> None:
    account = add_account(sandbox, "![see](http://evil.example/x.png)|North")
    deal = add_deal(sandbox, account, "98765.00", Name="Deal | of *North*")
    sandbox.clock.advance(600)  # past the margin
    asked.again()
    text = asked.ask()["body"]
    assert f"| create | Opportunity {deal} | 98,765.00 " in text
    assert re.search(r"- \d+ x the first run that writes to these books", text)
    assert "| USD | " in text
    names = {row["Name"].strip() for kind in ("Account", "Opportunity", "Contact") for row in sandbox.org.rows(kind)}
    assert [name for name in names if len(name) > 3 and name in json.dumps(asked.shown, default=str)] == []
    assert "evil" not in text


def test_neither_side_is_asked_anything(asked: Asked, sandbox: Sandbox) -> None:
    before = {side: log.total for side, log in sandbox.logs.items()}
    asked.ask()
    asked.answer()
    assert {side: log.total for side, log in sandbox.logs.items()} == before


def test_a_plan_that_asks_for_nothing_passes_at_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN", "False")
    asked("plan")
    assert asked.approve() == asked("approve")
    assert decided() == []


def test_a_rejected_plan_fails_with_who_and_why_and_writes_nothing(asked: Asked, sandbox: Sandbox) -> None:
    asked.ask()
    before = writes(sandbox)
    said = asked.refused(REJECT, reason="the prices are old")
    assert re.search(r"was rejected by ann \(id 7\) at .*: the prices are old\. Nothing was written\.", said)
    with pytest.raises(AirflowFailException):
        asked("apply")
    assert writes(sandbox) == before


def test_an_answer_about_an_earlier_plan_approves_nothing_and_asks_again(
    asked: Asked, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow shows the text of the first try again when a task is cleared, and the form with it."""
    old = asked.ask()
    add_deal(sandbox, add_account(sandbox), "77777.00")
    sandbox.clock.advance(600)  # past the margin
    asked.again()
    new = digest(asked)[:12]
    assert new not in old["subject"]
    asked.ask()
    asked.shown = old
    with pytest.raises(TaskAwaitingInput):
        asked.answer()
    assert decided() == []
    said = capsys.readouterr().out
    assert f"An answer approved nothing: it is about plan '{old['params']['plan']['value']}'" in said
    assert f"A person is asked to approve plan {new}." in said
    asked.shown = old
    assert asked.answer(plan=new) == digest(asked)  # who read the log can name the plan


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"plan": ""}, "it names no plan"),
        ({"plan": None}, "it names no plan"),
        ({"plan": "0123456789ab"}, "it is about plan '0123456789ab'"),
        ({"plan": "{digest:.11}"}, "it is about plan"),
    ],
)
def test_an_answer_that_does_not_name_the_plan_counts_for_none(
    asked: Asked, form: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.ask()
    named = {name: value.format(digest=digest(asked)) if value else value for name, value in form.items()}
    for option in (APPROVE, REJECT):
        with pytest.raises(TaskAwaitingInput):
            asked.answer(option, **named)
    assert f"An answer approved nothing: {why}" in capsys.readouterr().out
    assert decided() == []


def test_nobody_is_taken_for_a_person_when_the_time_is_over(asked: Asked) -> None:
    asked.operator = {"response_timeout": timedelta(hours=1)}
    assert asked.ask()["defaults"] == [REJECT]
    assert "Nobody answered about plan" in asked.refused(REJECT, user=None, timedout=True)
    assert "Nobody answered" in asked.refused(APPROVE, user=None)
    with pytest.raises(AirflowFailException, match="Nobody answered"):
        asked.approve("execute_complete", event={"error": "too late", "error_type": "timeout"})
    assert decided() == []


def test_no_plan_is_approved_because_the_time_is_over() -> None:
    for defaults in (APPROVE, [APPROVE]):
        with pytest.raises(ValueError, match="approved by a person"):
            KashooSyncApproveOperator(task_id="approve", sync=SYNC, defaults=defaults)


def test_only_assigned_users_count_as_the_dag_names_them_now(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow keeps those of the first try."""
    asked.operator = {"assigned_users": {"id": "8", "name": "bob"}}
    assert asked.ask()["assigned_users"] == [{"id": "8", "name": "bob"}]
    with pytest.raises(TaskAwaitingInput):
        asked.answer()
    assert "it is by 'ann', who is not among the assigned users" in capsys.readouterr().out
    assert decided() == []
    assert asked.answer(user={"id": "8", "name": "bob"}) == digest(asked)


def test_notifiers_are_told_when_a_person_is_asked(asked: Asked) -> None:
    told: list[Any] = []
    asked.operator = {"notifiers": [lambda context: told.append(context["task_instance"].id)]}
    asked.ask()
    assert told == ["ti"]


# -- the commands


def command(name: str, plan: str, reason: str = "") -> None:
    getattr(decide, name)(Namespace(digest=plan, reason=reason))


def test_the_command_line_approves_what_its_digest_names(
    asked: Asked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.cli.console.getuser", lambda: "carol")
    asked.ask()
    command("approve", digest(asked)[:12].upper())
    said = capsys.readouterr().out
    assert "x the first run that writes to these books" in said
    assert "to be invoiced:" in said
    assert "Approved.\nNo task waits for it: clear the task approve of its run." in said
    assert asked.approve() == digest(asked)
    command("approve", digest(asked))
    assert "It was approved by carol at " in capsys.readouterr().out
    assert [row[:2] for row in decided()] == [("approve", "carol")]


def test_single_rows_that_a_person_rejects_are_parked_and_the_others_may_be_written_before(
    asked: Asked, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN", "False")
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_INVOICE_ABOVE", "90000")
    deal = add_deal(sandbox, add_account(sandbox, "North"), "98765.00")
    sandbox.clock.advance(600)  # past the margin
    asked.again()
    body = asked.ask()["body"]
    assert "If you reject it, 1 are parked with your reason, and everything else is written." in body
    first = KashooSyncApplyOperator(task_id="apply_first", sync=SYNC, before_approval=True)
    assert first.execute(asked.context)["created"] > 50
    assert asked.answer(REJECT, reason="too dear") == digest(asked)
    assert asked("apply")["rejected"] == 1
    asked("commit")
    assert invoices_of(sandbox, deal) == []


def test_the_command_line_rejects_and_the_later_word_counts(asked: Asked) -> None:
    command("reject", digest(asked)[:12], "no")
    with pytest.raises(AirflowFailException, match=r"was rejected by .*: no\. "):
        asked.approve()
    command("approve", digest(asked)[:12])
    assert asked.approve() == digest(asked)


def test_the_answer_in_airflow_comes_too_late_after_a_command(asked: Asked) -> None:
    asked.ask()
    command("reject", digest(asked)[:12], "no")
    assert "no" in asked.refused(APPROVE)
    assert len(decided()) == 1


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("{digest:.11}", r"Give at least 12 characters\."),
        ("0123456789ab", r"there never was one, it was planned again, or its run is over\."),
        ("", "Give at least 12"),
    ],
)
def test_a_digest_that_names_no_plan_is_refused_with_those_that_wait(asked: Asked, named: str, why: str) -> None:
    with pytest.raises(SystemExit, match=rf"{why}.* These wait: {digest(asked)[:12]} \({SYNC}, run scheduled__1\)\."):
        command("approve", named.format(digest=digest(asked)))
    assert decided() == []


def test_what_is_over_cannot_be_approved(asked: Asked) -> None:
    asked.ask()
    asked.answer()
    plan = digest(asked)
    asked("apply")
    with pytest.raises(SystemExit, match=rf"{plan[:12]} was applied already\. It is written\."):
        command("reject", plan, "too late")
    asked("commit")
    with pytest.raises(SystemExit, match=r"its run is over.* No plan waits for a person"):
        command("reject", plan, "too late")


def waiting(store: Path) -> str:
    """Wait until a task waits for a person; gives the digest of its plan."""
    airflow = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    until = time.monotonic() + 100
    while time.monotonic() < until:
        with closing(sqlite3.connect(airflow, timeout=30)) as tasks:
            if tasks.execute("SELECT 1 FROM task_instance WHERE state = 'awaiting_input'").fetchone():
                with closing(sqlite3.connect(store, timeout=30)) as plans:
                    return str(plans.execute("SELECT digest FROM runs").fetchone()[0])
        time.sleep(0.5)
    raise TimeoutError("no task waited for a person")


@pytest.mark.long
def test_a_dag_that_waits_goes_on_when_the_command_line_approves(
    new_run: Callable[[str], Run], new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``airflow dags test`` in one terminal, and ``airflow kashoo approve`` in another."""
    monkeypatch.setenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN", "True")
    airflow = [sys.executable, "-m", "airflow"]
    with subprocess.Popen(
        [*airflow, "dags", "test", SYNC], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        try:
            command = [*airflow, "kashoo", "approve", waiting(new_store)[:12]]
            said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert "Approved.\nThe task that waited for it goes on." in said.stdout, said.stderr
            assert run.wait(60) == 0
        finally:
            run.kill()
    assert [row[:2] for row in decided()] == [("approve", getuser())]
    assert asking_plans(open_database()) == []

"""``airflow kashoo undo`` and ``approve`` from the command line, one after the other."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from records import books_rows
from tasks import Run

from airflow_provider_kashoo.cli.commands import decide
from airflow_provider_kashoo.runtime.waiting_tasks import is_going
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.approvals import asking_plans

SYNC, RUN = "salesforce_to_kashoo", "scheduled__1"
CONNECTIONS = {"kashoo_conn_id": "kashoo_default", "salesforce_conn_id": "salesforce_default"}


def undo(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    decide.undo(Namespace(run=RUN, **CONNECTIONS))
    return capsys.readouterr().out


def digest() -> str:
    (plan,) = asking_plans(open_database())
    return plan.digest[:12]


@contextmanager
def going(state: str) -> Iterator[None]:
    """Airflow has such a run, in a state."""
    with create_session() as session:
        run = DagRun(dag_id=SYNC, run_id=RUN, run_type="manual", state=state)
        session.add(run)
        session.flush()
        ident = run.id
    try:
        yield
    finally:
        with create_session() as session:
            session.delete(session.get(DagRun, ident))


def test_a_run_is_undone_from_the_command_line(
    new_run: Callable[[str], Run], sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {row["id"] for row in books_rows(sandbox, "invoices")}
    run = new_run(SYNC).up_to("apply")
    made = {row["id"] for row in books_rows(sandbox, "invoices")} - known
    with going("running"), pytest.raises(SystemExit, match=f"Run {RUN} still goes on"):
        undo(capsys)
    run("commit")
    said = undo(capsys)
    assert f"Then: airflow kashoo undo --run {RUN}\n" in said
    assert f"airflow kashoo approve {digest()}" in said
    decide.reject(Namespace(digest=digest(), reason="not yet"))
    assert "Nothing is voided." in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"was rejected by .*: not yet"):
        undo(capsys)
    decide.approve(Namespace(digest=digest(), reason=""))
    assert f"To void them now, run again: airflow kashoo undo --run {RUN}\n" in capsys.readouterr().out
    said = undo(capsys)
    assert f"voided       {len(made)}\n" in said
    assert "airflow kashoo replay ID" in said
    assert {row["id"] for row in books_rows(sandbox, "invoices")} == known
    assert asking_plans(open_database()) == []


def test_a_run_goes_on_until_airflow_says_that_it_ended(new_store: object) -> None:
    assert not is_going(SYNC, RUN)
    for state, goes_on in {"queued": True, "running": True, "failed": False, "success": False}.items():
        with going(state):
            assert is_going(SYNC, RUN) is goes_on
            assert not is_going("another", RUN)

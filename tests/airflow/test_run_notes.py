"""A run that leaves something for a person bears a note in Airflow, as its scheduler writes it."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from records import add_deal

from airflow_provider_kashoo.plugins import run_notes
from airflow_provider_kashoo.plugins.run_notes import NEXT_STEP, NOTHING, RunNotes, note_of
from airflow_provider_kashoo.sandbox.server import Sandbox

TO_KASHOO = "salesforce_to_kashoo"
ONE = f"Kashoo: 1 parked. {NEXT_STEP}"


@pytest.fixture(scope="module")
def parked(sandbox: Sandbox, store_file: None) -> None:
    add_deal(sandbox, None)
    sandbox.clock.advance(1200)  # past the margin of the delta


def run(**conf: Any) -> Any:
    """Run the DAG as ``airflow dags test`` does, which writes no note."""
    done = DagBag().dags[TO_KASHOO].test(run_conf=conf)
    assert (done.state, note_on(done)) == ("success", None)
    return done


def note_on(done: Any) -> str | None:
    from airflow.models.dagrun import DagRunNote
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.get(DagRunNote, done.id)
        return found.content if found else None


def ended(done: Any, note: str | None = None) -> str | None:
    """Let a run end as the scheduler does: within its transaction.

    :param note: that the run bore before.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        again = session.get(DagRun, done.id)
        assert again
        again.note, again.dag = note, done.dag  # type: ignore[assignment]  the scheduler sets it so
        again.notify_dagrun_state_changed("success")
    return note_on(done)


def test_what_a_run_left_is_noted_on_it_until_nothing_waits(parked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(limit=2)
    assert ended(done) == ONE
    assert ended(done, "seen by ann") == "seen by ann"
    assert ended(done, "Kashoo: 9 parked.") == ONE
    monkeypatch.setattr(run_notes, "LEFT", {})  # as if it had left nothing
    assert not ended(done)
    assert ended(done, ONE) == NOTHING


def test_runs_of_other_dags_are_not_looked_at() -> None:
    """A session is not even asked for."""
    other = SimpleNamespace(dag=SimpleNamespace(tasks=[SimpleNamespace(task_id="apply", task_type="BashOperator")]))
    without: Any = SimpleNamespace(dag=None)
    for each in (other, without):
        RunNotes().on_dag_run_success(each)
        RunNotes().on_dag_run_failed(each)
        assert not hasattr(each, "note")


def test_a_note_that_cannot_be_made_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's tables may be others in a later version; its scheduler goes on."""
    task = SimpleNamespace(task_id="apply", task_type="KashooSyncApplyOperator")
    odd: Any = SimpleNamespace(dag=SimpleNamespace(tasks=[task]), note=None, run_id="r", dag_id="d")
    RunNotes().on_dag_run_failed(odd)
    assert odd.note is None
    assert "No note on run r of d" in caplog.text


def test_a_note_has_counts_and_the_next_step() -> None:
    outcome = Counter({"created": 5, "parked": 1_200, "review": 2, "in_doubt": 1, "stale": 3})
    assert note_of(outcome) == f"Kashoo: 1,200 parked, 2 asked about, 1 in doubt. {NEXT_STEP}"
    assert note_of(Counter({"created": 5})) == ""

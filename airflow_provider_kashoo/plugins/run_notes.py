"""A note on each run of a sync that left something for a person, as Airflow shows it on the page of the run.

A worker has no call for it, so Airflow's scheduler writes it when the run is over: it calls listeners within its own
transaction. The counts are those that the task ``apply`` returned; neither the store nor a side is asked.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

APPLY = "KashooSyncApplyOperator"

BEGINS = "Kashoo: "
"""Every note of ours begins so; a note that a person wrote is left alone."""

LEFT = {
    "parked": "parked",
    "rejected": "rejected",
    "review": "asked about",
    "in_doubt": "in doubt",
    "retry": "to be tried again",
}
"""Outcome of a record that waits -> the word for it."""

NOTHING = f"{BEGINS}nothing waits for a person."
"""On a run that was cleared, and left nothing then."""

NEXT_STEP = "See what to do: airflow kashoo status, or To do on the page Kashoo."


class RunNotes:
    """What Airflow calls when a run is over."""

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun) -> None:
        """Note what a run left that succeeded: parked records fail no task."""
        _note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun) -> None:
        """Note what a run left that failed after it had written."""
        _note(dag_run)


def note_of(outcome: Counter[str]) -> str:
    """Write the note: counts only, no record and no name; empty if nothing waits."""
    said = [f"{outcome[name]:,} {word}" for name, word in LEFT.items() if outcome[name]]
    return f"{BEGINS}{', '.join(said)}. {NEXT_STEP}" if said else ""


def _note(dag_run: DagRun) -> None:
    """Write the note, unless it is a run of another DAG, or a person wrote one."""
    tasks = [task.task_id for task in getattr(dag_run.dag, "tasks", ()) if task.task_type == APPLY]
    try:
        text = _text(dag_run, tasks) if tasks else ""
        if text:
            dag_run.note = text
    except Exception:  # whatever Airflow's tables are like in a later version: no note is worth a scheduler
        log.warning("No note on run %s of %s", dag_run.run_id, dag_run.dag_id, exc_info=True)


def _text(dag_run: DagRun, tasks: list[str]) -> str:
    """Make the note of what tasks returned; empty if the run is to keep the one that it has.

    ``airflow dags test`` has no transaction in which it could be written.
    """
    from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
    from sqlalchemy.orm import object_session

    found, session = Counter[str](), object_session(dag_run)
    if session is None or (dag_run.note and not dag_run.note.startswith(BEGINS)):
        return ""
    query = XComModel.get_many(run_id=dag_run.run_id, key=XCOM_RETURN_KEY, task_ids=tasks, dag_ids=dag_run.dag_id)
    for row in session.scalars(query):
        found.update(XComModel.deserialize_value(row))
    return note_of(found) or (dag_run.note and NOTHING) or ""

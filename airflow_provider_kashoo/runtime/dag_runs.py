"""What Airflow knows about the runs and the schedule of a DAG, for the page; only the API server may ask this."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Schedule:
    """When a DAG runs.

    :param paused: None if Airflow has no such DAG.
    :param next_at: when its next run should begin; None if no run is due.
    """

    paused: bool | None = None
    next_at: datetime | None = None


def schedule_of(dag_id: str) -> Schedule:
    """Give the schedule of a DAG."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(DagModel.is_paused, DagModel.next_dagrun_create_after).where(DagModel.dag_id == dag_id)
    with create_session() as session:
        row = session.execute(wanted).one_or_none()
    return Schedule(bool(row[0]), row[1]) if row else Schedule()


def states_of(dag_id: str, run_ids: Collection[str]) -> dict[str, str]:
    """Give the states of runs, such as ``running`` and ``failed``; those that Airflow forgot are left out."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(sorted(run_ids)))
    with create_session() as session:
        return {run_id: str(getattr(state, "value", state)) for run_id, state in session.execute(wanted)}

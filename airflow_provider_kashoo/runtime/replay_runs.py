"""Start a run of the DAG ``kashoo_replay``; only the API server may do this."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kashoo.core.errors import ConfigurationError

REPLAY = "kashoo_replay"


def start_replay(ids: Sequence[str], cause: str, *, by: str) -> str:
    """Start a run that tries parked records again; one that waits or runs with the same records is taken instead.

    :param ids: of records; neither ids nor a cause means all.
    :param cause: error class.
    :param by: name of the user, as Airflow shows who triggered a run.
    :returns: the id of the run.
    :raises ConfigurationError: when Airflow does not know the DAG, cannot read its file, or it is paused.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    conf = {"ids": list(ids) or None, "cause": cause or None}
    goes_on = DagRun.dag_id == REPLAY, DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING])
    with create_session() as session:
        _check(session.scalar(select(DagModel).where(DagModel.dag_id == REPLAY)))
        same = [run.run_id for run in session.scalars(select(DagRun).where(*goes_on)) if run.conf == conf]
    if same:
        return str(same[0])
    begun = trigger_dag(REPLAY, triggered_by=DagRunTriggeredByType.UI, triggering_user_name=by, conf=conf)
    return str(begun.run_id) if begun else ""


def _check(dag: object) -> None:
    if dag is None or getattr(dag, "is_stale", False):
        raise ConfigurationError(
            f"Airflow does not know the DAG {REPLAY}, so nothing was started.",
            remedy="Run: airflow kashoo init. Then wait a minute until Airflow has read the DAG files.",
        )
    if getattr(dag, "has_import_errors", False):
        raise ConfigurationError(
            f"Airflow cannot read the file of the DAG {REPLAY}, so nothing was started.",
            remedy="Look at the import errors on Airflow's page Dags.",
        )
    if getattr(dag, "is_paused", False):
        raise ConfigurationError(
            f"The DAG {REPLAY} is paused, so nothing was started.", remedy="Unpause it in Airflow, then press again."
        )

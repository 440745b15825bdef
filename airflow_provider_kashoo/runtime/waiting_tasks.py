"""The runs and tasks of Airflow, as commands that run outside of them ask for them, and answer them."""

from __future__ import annotations

FIELDS = {"plan", "reason"}
"""The form of :class:`~airflow_provider_kashoo.operators.sync.KashooSyncApproveOperator`."""


def answer(dag_id: str, run_id: str, *, approves: bool, by: str, plan: str) -> bool:
    """Give the answer that a run waits for, as Airflow's API would; only where Airflow's own tables may be written.

    What counts for the plan is the store, which the task asks first: this only wakes it.

    :param by: who decides.
    :param plan: digest of the plan.
    :returns: whether a task waited.
    """
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.sdk.timezone import utcnow
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    waits = (
        TaskInstance.dag_id == dag_id,
        TaskInstance.run_id == run_id,
        TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
    )
    woken = False
    with create_session() as session:
        # The task first, then its question: in the order in which Airflow locks them.
        for task in session.scalars(select(TaskInstance).where(*waits).with_for_update(of=TaskInstance)).all():
            question = session.get(HITLDetail, task.id)
            if question is None or question.response_received or set(question.params or {}) != FIELDS:
                continue
            question.responded_by = {"id": by, "name": by}
            question.responded_at = utcnow()
            question.chosen_options = [question.options[0 if approves else 1]]
            question.params_input = {"plan": plan, "reason": None}
            handle_event_submit(TriggerEvent(question.as_resume_event_payload()), task_instance=task, session=session)
            woken = True
    return woken


def assigned_to(dag_id: str, run_id: str) -> dict[str, str]:
    """Say who alone may answer the question that a run waits with: id of the auth manager -> name; empty if all may."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    mine = TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id
    with create_session() as session:
        asked = session.scalars(select(HITLDetail).join(TaskInstance, TaskInstance.id == HITLDetail.ti_id).where(*mine))
        named = [
            user for question in asked.all() if set(question.params or {}) == FIELDS for user in question.assigned_users
        ]
        return {str(user["id"]): str(user["name"]) for user in named}


def is_going(dag_id: str, run_id: str) -> bool:
    """Say whether a run of a DAG has not ended yet; only where Airflow's own tables may be read."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    goes_on = DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING])
    query = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id, goes_on)
    with create_session() as session:
        return session.scalar(query) is not None

"""Try parked records again, when somebody presses *Try again* on the page *Kashoo*, or triggers this DAG.

It reads the records again in Salesforce, and writes those that can be written now. No watermark moves, and what is in
doubt is not sent again. Without params, all that is parked is tried.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_kashoo.operators.replay import KashooReplayOperator

with DAG(
    "kashoo_replay",
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,  # nothing starts it but a person
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
    params={
        "ids": Param(None, type=["null", "array"], description="Ids of records, as the page and status show them"),
        "cause": Param(None, type=["null", "string"], description="All that is parked for a cause, such as no_account"),
    },
    tags=["kashoo"],
    doc_md=__doc__,
):
    KashooReplayOperator(task_id="replay")

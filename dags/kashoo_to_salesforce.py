"""Write number, status and payments of each invoice back to its Opportunity or Order, hourly and after an event.

They are computed from what Kashoo has now, so payments, refunds and reversals may come in any order.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronDataIntervalTimetable, TaskGroup, conf

from airflow_provider_kashoo.operators.sync import (
    KashooDeltaOperator,
    KashooSyncApplyOperator,
    KashooSyncApproveOperator,
    KashooSyncCommitOperator,
    KashooSyncPlanOperator,
    KashooSyncPreflightOperator,
)
from airflow_provider_kashoo.triggers import kashoo_changes

SYNC = "kashoo_to_salesforce"
TIME_ZONE = conf.get("kashoo", "time_zone", fallback="UTC")

with DAG(
    SYNC,
    schedule=AssetOrTimeSchedule(
        timetable=CronDataIntervalTimetable("30 * * * *", timezone=TIME_ZONE),
        assets=[kashoo_changes()],
    ),
    start_date=pendulum.datetime(2026, 1, 1, tz=TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 8,  # with these pauses, spread over an hour and a half
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
    },
    tags=["kashoo", "salesforce"],
    doc_md=__doc__,
):
    preflight = KashooSyncPreflightOperator(task_id="preflight", sync=SYNC)
    with TaskGroup("extract") as extract:
        for resource in ("invoices", "payments"):
            KashooDeltaOperator(task_id=resource, resource=resource)
    plan = KashooSyncPlanOperator(task_id="plan", sync=SYNC)
    approve = KashooSyncApproveOperator(task_id="approve", sync=SYNC)
    apply = KashooSyncApplyOperator(task_id="apply", sync=SYNC, pool="salesforce_api")
    commit = KashooSyncCommitOperator(task_id="commit", sync=SYNC)

    preflight >> extract >> plan >> approve >> apply >> commit

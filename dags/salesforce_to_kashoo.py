"""Turn won deals into Kashoo invoices, every night at 02:00 in the time zone of the business, and after an event.

Change what you need: task ids, schedule, connections. Each task is safe to run twice. Run `airflow kashoo init` once
before the first run.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronDataIntervalTimetable, Param, TaskGroup, conf

from airflow_provider_kashoo.operators.sync import (
    KashooSyncApplyOperator,
    KashooSyncApproveOperator,
    KashooSyncCommitOperator,
    KashooSyncPlanOperator,
    KashooSyncPreflightOperator,
    SalesforceDeltaOperator,
)
from airflow_provider_kashoo.triggers import salesforce_changes

SYNC = "salesforce_to_kashoo"
TIME_ZONE = conf.get("kashoo", "time_zone", fallback="UTC")

with DAG(
    SYNC,
    schedule=AssetOrTimeSchedule(
        timetable=CronDataIntervalTimetable("0 2 * * *", timezone=TIME_ZONE),
        assets=[salesforce_changes()],
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
    params={
        "since": Param(
            None, type=["null", "string"], description="Read from this time on, ISO 8601 UTC; no watermark moves"
        ),
        "until": Param(
            None, type=["null", "string"], description="Read up to this time, ISO 8601 UTC; no watermark moves"
        ),
        "limit": Param(None, type=["null", "integer"], minimum=1, description="Test batch: at most this many invoices"),
        "remap": Param(
            False, type="boolean", description="Change linked records to what the mappings say now; no watermark moves"
        ),
    },
    tags=["kashoo", "salesforce"],
    doc_md=__doc__,
):
    preflight = KashooSyncPreflightOperator(task_id="preflight", sync=SYNC)
    with TaskGroup("extract") as extract:
        for sobject in ("Account", "Product2", "Opportunity", "Order"):
            SalesforceDeltaOperator(task_id=sobject.lower(), sobject=sobject)
    plan = KashooSyncPlanOperator(task_id="plan", sync=SYNC)
    approve = KashooSyncApproveOperator(task_id="approve", sync=SYNC)
    apply = KashooSyncApplyOperator(task_id="apply", sync=SYNC)
    commit = KashooSyncCommitOperator(task_id="commit", sync=SYNC)

    preflight >> extract >> plan >> approve >> apply >> commit

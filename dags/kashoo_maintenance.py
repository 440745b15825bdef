"""Remove the files of runs that are over, every day at 05:15 in the time zone of the business.

They hold real customers and amounts. How long they stay is set by `[kashoo] staging_retention_days`. Kashoo and
Salesforce are not asked, and it may run beside the syncs.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, conf

from airflow_provider_kashoo.operators.maintenance import KashooMaintenanceOperator

TIME_ZONE = conf.get("kashoo", "time_zone", fallback="UTC")

with DAG(
    "kashoo_maintenance",
    schedule=CronTriggerTimetable("15 5 * * *", timezone=TIME_ZONE),
    start_date=pendulum.datetime(2026, 1, 1, tz=TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
    tags=["kashoo"],
    doc_md=__doc__,
):
    KashooMaintenanceOperator(task_id="remove_old_files")

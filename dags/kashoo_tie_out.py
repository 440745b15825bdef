"""Compare won deals, invoices and books every day at 06:00 in the time zone of the business: last month and this one.

Every difference has a name and a next step; one that nothing explains fails the task. Nothing is written to Kashoo or
Salesforce. The report is in the staging folder, as JSON, CSV and a page; give the params for other days.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, Param, conf

from airflow_provider_kashoo.operators.tie_out import KashooTieOutOperator

TIME_ZONE = conf.get("kashoo", "time_zone", fallback="UTC")
BEGAN = pendulum.datetime(2026, 1, 1, tz=TIME_ZONE)  # the start_date of your salesforce_to_kashoo

with DAG(
    "kashoo_tie_out",
    schedule=CronTriggerTimetable("0 6 * * *", timezone=TIME_ZONE),
    start_date=BEGAN,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
    params={
        "from": Param(None, type=["null", "string"], description="First day, such as 2026-01-01"),
        "to": Param(None, type=["null", "string"], description="Last day"),
    },
    tags=["kashoo"],
    doc_md=__doc__,
):
    KashooTieOutOperator(
        task_id="tie_out",
        began=BEGAN,
        first_day="{{ params['from'] or '' }}",
        last_day="{{ params['to'] or '' }}",
    )

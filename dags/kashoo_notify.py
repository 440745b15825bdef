"""Tell people what was billed, what turned bad and what is well again: every 15 minutes, if there is news.

Who is told stands in `[kashoo] notify`, or in `notify` below. Neither Kashoo nor Salesforce is asked. With the param
*test*, each gets a message now.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, Param

from airflow_provider_kashoo.operators.notify import KashooNotifyOperator

with DAG(
    "kashoo_notify",
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
    params={"test": Param(False, type="boolean", description="Send a message to each, whether there is news or not")},
    tags=["kashoo"],
    doc_md=__doc__,
):
    KashooNotifyOperator(task_id="notify", notify=[])

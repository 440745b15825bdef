"""The operator of the DAG ``kashoo_maintenance``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_kashoo.operators.airflow_words import in_airflow_words

if TYPE_CHECKING:
    from airflow.sdk import Context

GOING_ON = ["queued", "running"]


class KashooMaintenanceOperator(BaseOperator):
    """Remove what runs staged that are over for ``[kashoo] staging_retention_days``, and old slots of the budget.

    It may run beside syncs; neither Kashoo nor Salesforce is contacted. It also takes away from others what earlier
    versions let them read.
    """

    ui_color = "#e8f1ec"

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove and say what was removed.

        :returns: to XCom: the fields of ``Freed``: counts, bytes, and the ids of old runs that still go on.
        :raises AirflowFailException: for a setting, a store or a staging folder that cannot be used.
        :raises AirflowException: when the store does not answer; what was removed until then stays removed.
        """
        from dataclasses import asdict

        from airflow_provider_kashoo.settings import open_database, settings, staging_root
        from airflow_provider_kashoo.sync.run.maintenance import tidy

        task = context["ti"]

        def goes_on(dag_id: str, run_id: str) -> bool:
            # A run that is counted 0 times is over or was deleted; asking for its state would fail for a deleted one.
            return task.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=GOING_ON) > 0

        with in_airflow_words():
            database = open_database()
            try:
                database.check()
                freed = tidy(staging_root(), database, settings().retention, goes_on)
            finally:
                database.dispose()
        self.log.info("%s", freed)
        return asdict(freed)

"""The operator of the DAG ``kashoo_tie_out``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_kashoo.operators.airflow_words import in_airflow_words
from airflow_provider_kashoo.operators.links import KashooPageLink, TieOutLink
from airflow_provider_kashoo.operators.sync import KASHOO_POOL

if TYPE_CHECKING:
    from airflow.sdk import Context


class KashooTieOutOperator(BaseOperator):
    """Compare won deals, invoices and books, and fail if a difference has no explanation.

    Neither Kashoo nor Salesforce is written to. The store notes which differences were found, so that a person can
    decide about them. The report is in the staging folder of the run, as JSON, CSV and a page.

    :param began: when the first window of ``salesforce_to_kashoo`` began: the ``start_date`` of that DAG. What last
        changed before is named so.
    :param first_day: first day that is compared, ``YYYY-MM-DD``; by default the first day of the month before.
    :param last_day: last day; by default today.
    """

    ui_color = "#e8f1ec"
    operator_extra_links = (TieOutLink(), KashooPageLink())
    template_fields = ("first_day", "last_day")

    def __init__(
        self,
        *,
        began: datetime | None = None,
        first_day: str | None = None,
        last_day: str | None = None,
        kashoo_conn_id: str = "kashoo_default",
        salesforce_conn_id: str = "salesforce_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("pool", KASHOO_POOL)
        super().__init__(**kwargs)
        self.began, self.first_day, self.last_day = began, first_day, last_day
        self.kashoo_conn_id, self.salesforce_conn_id = kashoo_conn_id, salesforce_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note what was found, and write the report.

        :returns: to XCom: the days, how many months are closed, how many differences are open, by name, how many are
            unexplained, and the folder of the report. No amount and no record.
        :raises AirflowFailException: for unexplained differences, after the report is written; and as every step.
        :raises AirflowException: when a side or the store does not answer.
        :raises AirflowRescheduleException: when the request budget is spent; it begins again then.
        """
        from airflow_provider_kashoo.core.window import RunFacts
        from airflow_provider_kashoo.runtime.open_run import open_sync
        from airflow_provider_kashoo.sync.run.sync import TO_KASHOO
        from airflow_provider_kashoo.sync.tie_out.nightly import compare_and_note

        dag_run = context["dag_run"]
        run = RunFacts(dag_run.run_id, first=self.began)
        connections = self.kashoo_conn_id, self.salesforce_conn_id
        with in_airflow_words(), open_sync(TO_KASHOO, run, *connections, begins=True) as sync:
            done = compare_and_note(sync, self.first_day or None, self.last_day or None, dag_run.dag_id)
        self.log.info("%s", done.said)
        if done.result["unexplained"]:
            raise AirflowFailException(
                f"{done.result['unexplained']} differences are unexplained; nothing that the sync knows explains them. "
                f"Nothing was written to Kashoo or Salesforce. Read the report in {done.result['report']}, then: "
                "airflow kashoo explain RECORD."
            )
        return done.result

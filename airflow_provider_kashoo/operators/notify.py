"""The operator of the DAG ``kashoo_notify``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_kashoo.operators.airflow_words import in_airflow_words
from airflow_provider_kashoo.operators.links import KashooPageLink

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context


class KashooNotifyOperator(BaseOperator):
    """Tell people what was billed, what turned bad, and what is well again; nothing if there is no news.

    It reads the store only, and Salesforce for names if these are asked for. It may run as often as you like: what was
    told is not told again. It belongs into a DAG of its own, so that a mail server that is down turns no sync red.

    :param notify: notifiers besides those of ``[kashoo] notify``. Their templates find the message under ``kashoo``:
        ``subject``, ``text``, ``html`` and what they are made of.
    :param kashoo_conn_id: connection to Kashoo; used only for names.
    :param salesforce_conn_id: connection to Salesforce; used only for names.
    """

    ui_color = "#e8f1ec"
    operator_extra_links = (KashooPageLink(),)

    def __init__(
        self,
        *,
        notify: Sequence[BaseNotifier] = (),
        kashoo_conn_id: str = "kashoo_default",
        salesforce_conn_id: str = "salesforce_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.notify = list(notify)
        self.connections = kashoo_conn_id, salesforce_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Tell each channel what is new to it.

        :returns: to XCom: ``sent``, ``nothing_new``, ``being_sent`` -> channels.
        :raises AirflowFailException: for a setting or a store that cannot be used; nothing was sent.
        :raises AirflowException: when a channel could not be told, or the store does not answer. The next try tells
            that channel only.
        """
        from airflow_provider_kashoo.runtime.notify import tell_people

        task = context["ti"]

        def failed(dag_id: str, run_id: str) -> bool:
            return task.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=["failed"]) > 0

        is_test = (context.get("params") or {}).get("test") is True
        with in_airflow_words():
            outcome = tell_people(self.notify, context, failed, self.connections, is_test=is_test)
        self.log.info("%s", outcome or "nobody was to be told")
        return outcome

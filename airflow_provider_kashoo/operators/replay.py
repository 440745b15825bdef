"""The operator of the DAG ``kashoo_replay``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseOperatorLink

from airflow_provider_kashoo.operators.airflow_words import in_airflow_words
from airflow_provider_kashoo.operators.links import KashooPageLink

if TYPE_CHECKING:
    from airflow.sdk import Context


class KashooReplayOperator(BaseOperator):
    """Try parked records again now, as ``airflow kashoo replay`` does. No watermark moves.

    The params of its run say which: ``ids`` of records, a ``cause``, or without both all that is parked.
    """

    ui_color = "#e8f1ec"
    operator_extra_links: tuple[BaseOperatorLink, ...] = (KashooPageLink(),)

    def __init__(
        self,
        *,
        kashoo_conn_id: str = "kashoo_default",
        salesforce_conn_id: str = "salesforce_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("pool", "kashoo_api")
        super().__init__(**kwargs)
        self.kashoo_conn_id, self.salesforce_conn_id = kashoo_conn_id, salesforce_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Read the records again, plan and write them.

        :returns: to XCom: outcome -> records, such as ``created`` or ``parked``; ``not_parked`` counts ids of which
            nothing is parked any more.
        :raises AirflowFailException: when what would be written has to be approved by a person, and as every step.
        :raises AirflowException: when a side or the store does not answer; what was written is journalled.
        :raises AirflowRescheduleException: when the request budget is spent; it goes on with what is still parked.
        """
        from airflow_provider_kashoo.core.window import RunFacts
        from airflow_provider_kashoo.runtime.open_run import open_sync
        from airflow_provider_kashoo.sync.by_hand.replay import replay, still_parked
        from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

        params, asked_by = context["params"], context["dag_run"].triggering_user_name
        ids, cause = [str(each) for each in params.get("ids") or ()], str(params.get("cause") or "")
        by = asked_by or "nobody who is known"
        self.log.info("Asked for by %s", by)
        connections = self.kashoo_conn_id, self.salesforce_conn_id
        with in_airflow_words(), open_sync(TO_KASHOO, RunFacts("by hand"), *connections, begins=True) as sync:
            if not (ids or cause):
                outcome = replay(sync, None, by=by)
            else:
                wanted, gone = still_parked(sync, ids, cause)
                outcome = (replay(sync, wanted, by=by) if wanted else {}) | ({"not_parked": len(gone)} if gone else {})
                for each in gone:
                    self.log.warning("Nothing is parked of %s", each)
        self.log.info("Tried again: %s", outcome or "nothing is parked")
        return outcome

"""Links from tasks in Airflow's UI to the pages of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class PlanReportLink(BaseOperatorLink):
    """Opens the report of a plan: what will be written, and the money it moves."""

    name = "What will be written"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's interface
        """Give the path of the report on the host by which a person sees Airflow, a path of the base URL included."""
        return f"{_base()}/kashoo/plan/{quote(ti_key.dag_id, safe='')}/{quote(ti_key.run_id, safe='')}"


class TieOutLink(BaseOperatorLink):
    """Opens the report of a tie-out: totals by currency and month, and every difference with its next step."""

    name = "Tie-out"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's interface
        """Give the path of the report, as :class:`PlanReportLink` does."""
        return f"{_base()}/kashoo/tie-out/{quote(ti_key.dag_id, safe='')}/{quote(ti_key.run_id, safe='')}"


class KashooPageLink(BaseOperatorLink):
    """Opens the page *Kashoo* in Airflow: what was synced, what is stuck, and what to do about it."""

    name = "Kashoo"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's interface
        """Give the path of the page, as :class:`PlanReportLink` does."""
        return f"{_base()}/plugin/kashoo"


def _base() -> str:
    from airflow.sdk import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")

"""Links from tasks in Airflow's UI to the pages of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _PageLink(BaseOperatorLink):
    """A link to a page on the host by which a person sees Airflow.

    :cvar page: its path below the base URL; ``{dag}`` and ``{run}`` stand for those of the task.
    """

    page: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's interface
        """Give the path, with that of the base URL before it."""
        from airflow.sdk import conf

        base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
        return f"{base}/{self.page.format(dag=quote(ti_key.dag_id, safe=''), run=quote(ti_key.run_id, safe=''))}"


class PlanReportLink(_PageLink):
    """Opens the report of a plan: what will be written, and the money it moves."""

    name = "What will be written"
    page = "kashoo/plan/{dag}/{run}"


class TieOutLink(_PageLink):
    """Opens the report of a tie-out: totals by currency and month, and every difference with its next step."""

    name = "Tie-out"
    page = "kashoo/tie-out/{dag}/{run}"


class KashooPageLink(_PageLink):
    """Opens the page *Kashoo* in Airflow: what was synced, what is stuck, and what to do about it."""

    name = "Kashoo"
    page = "plugin/kashoo"


class _RecordLink(BaseOperatorLink):
    """A link to the biggest record that a task wrote; there is none if it wrote none, or its address is not known.

    :cvar side: where it is opened.
    """

    side: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's interface
        """Give its address; Airflow asks when the task has ended, where it ran."""
        return str(getattr(operator, "opens", {}).get(self.side, ""))


class SalesforceRecordLink(_RecordLink):
    """Opens in Salesforce the biggest record that was written."""

    name = "Biggest record in Salesforce"
    side = "Salesforce"


class KashooRecordLink(_RecordLink):
    """Opens in Kashoo the biggest record that was written, if the connection's profile says where that is."""

    name = "Biggest record in Kashoo"
    side = "Kashoo"

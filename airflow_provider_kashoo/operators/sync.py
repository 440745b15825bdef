"""One operator per step. They hold no rule: each opens the run, calls its step, and translates the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.sync.sync import Sync

SALESFORCE_POOL, KASHOO_POOL = "salesforce_api", "kashoo_api"


class _Step:
    """What every step operator has: the sync it belongs to and the two connections."""

    sync: str
    kashoo_conn_id: str
    salesforce_conn_id: str

    def _connect(self, sync: str, kashoo_conn_id: str, salesforce_conn_id: str) -> None:
        self.sync, self.kashoo_conn_id, self.salesforce_conn_id = sync, kashoo_conn_id, salesforce_conn_id

    def _run(self, context: Context, step: Callable[[Sync], Any]) -> Any:
        from airflow_provider_kashoo.hooks.sync import open_sync

        connections = {"kashoo_conn_id": self.kashoo_conn_id, "salesforce_conn_id": self.salesforce_conn_id}
        with in_airflow_words(), open_sync(self.sync, run_facts(context), **connections) as sync:
            return step(sync)


class _StepOperator(_Step, BaseOperator):
    """A step that runs in a pool.

    :param sync: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param kashoo_conn_id: connection to Kashoo.
    :param salesforce_conn_id: connection to Salesforce.
    """

    ui_color = "#e8f1ec"
    default_pool: str | None = None

    def __init__(
        self,
        *,
        sync: str,
        kashoo_conn_id: str = "kashoo_default",
        salesforce_conn_id: str = "salesforce_default",
        **kwargs: Any,
    ) -> None:
        if self.default_pool:
            kwargs.setdefault("pool", self.default_pool)
        super().__init__(**kwargs)
        self._connect(sync, kashoo_conn_id, salesforce_conn_id)


class KashooSyncPreflightOperator(_StepOperator):
    """Check pools, store, connections, permissions and mappings before anything is read.

    It runs in the default pool, because a task in a pool that does not exist waits for ever.
    A run that an event of Salesforce woke first waits, rescheduled, until its window reaches to that event.
    """

    def execute(self, context: Context) -> None:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        _wait_for_the_window(self.sync, context)
        self._run(context, steps.preflight)


class SalesforceDeltaOperator(_StepOperator):
    """Stage the changed records of one Salesforce object, whole, with their lines and parents.

    :param sobject: such as ``Opportunity``.
    """

    default_pool = SALESFORCE_POOL

    def __init__(self, *, sobject: str, sync: str = "salesforce_to_kashoo", **kwargs: Any) -> None:
        super().__init__(sync=sync, **kwargs)
        self.sobject = sobject

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        report: dict[str, Any] = self._run(context, lambda sync: steps.extract(sync, self.sobject))
        return report | {"deleted": len(report["deleted"])}


class KashooDeltaOperator(_StepOperator):
    """Stage what may have changed in Kashoo.

    :param resource: ``invoices`` or ``payments``.
    """

    default_pool = KASHOO_POOL

    def __init__(self, *, resource: str, sync: str = "kashoo_to_salesforce", **kwargs: Any) -> None:
        super().__init__(sync=sync, **kwargs)
        self.resource = resource

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        report: dict[str, Any] = self._run(context, lambda sync: steps.extract(sync, self.resource))
        return report


class KashooSyncPlanOperator(_StepOperator):
    """Work out what would be written; write nothing. The summary goes to XCom and to the log."""

    default_pool = KASHOO_POOL

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step."""
        from dataclasses import asdict

        from airflow_provider_kashoo.core.plan import as_text
        from airflow_provider_kashoo.sync import steps

        summary = self._run(context, steps.plan)
        self.log.info("The plan:\n%s", as_text(summary))
        return asdict(summary)


class KashooSyncApproveOperator(_Step, ApprovalOperator):
    """Let a person approve the plan in the Airflow UI; returns at once when nothing asks for approval."""

    ui_color = "#e8f1ec"

    def __init__(
        self,
        *,
        sync: str,
        kashoo_conn_id: str = "kashoo_default",
        salesforce_conn_id: str = "salesforce_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("subject", "Approve what will be written")
        super().__init__(**kwargs)
        self._connect(sync, kashoo_conn_id, salesforce_conn_id)

    def execute(self, context: Context) -> str:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        digest: str = self._run(context, steps.approve)
        return digest


class KashooSyncApplyOperator(_StepOperator):
    """Execute exactly the approved plan, each write journalled before it is sent.

    When the request budget is spent the task is rescheduled: worker and pool slot are free, no retry is
    spent, and it goes on where it was.
    """

    default_pool = KASHOO_POOL
    _stopping = False

    def execute(self, context: Context) -> dict[str, int]:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        outcome: dict[str, int] = self._run(context, lambda sync: steps.apply(sync, lambda: self._stopping))
        self.log.info("Applied: %s", outcome)
        return outcome

    def on_kill(self) -> None:
        """Let the request in flight finish and be journalled, then stop; Airflow calls this on SIGTERM."""
        self._stopping = True


class KashooSyncCommitOperator(_StepOperator):
    """Move the watermarks, now that every record of the run is settled or journalled."""

    def execute(self, context: Context) -> dict[str, str]:
        """Run the step."""
        from airflow_provider_kashoo.sync import steps

        moved: dict[str, str] = self._run(context, steps.commit)
        return moved


def run_facts(context: Context | Mapping[str, Any]) -> RunFacts:
    """Take from Airflow's context what the steps need of a run.

    The data interval counts only for scheduled and backfill runs: a manual run's is the last full cron
    period, an event run has none.
    """
    from airflow_provider_kashoo.core.window import RunFacts

    run, params = context["dag_run"], context.get("params") or {}
    run_type = _run_type(run)
    in_interval = run_type in {"scheduled", "backfill"}
    return RunFacts(
        run_id=run.run_id,
        run_type=run_type,
        interval_start=run.data_interval_start if in_interval else None,
        interval_end=run.data_interval_end if in_interval else None,
        first=context["dag"].start_date,
        since=_instant(params.get("since")),
        until=_instant(params.get("until")),
        limit=params.get("limit"),
    )


def _wait_for_the_window(sync: str, context: Context | Mapping[str, Any]) -> None:
    """Reschedule an event run until what woke it is older than the margin.

    Nothing is read closer to now than the margin: begun at once, the run would miss the very change it was
    begun for. Both instants are of Airflow's clock, so that it may differ from Salesforce's.
    """
    from airflow_provider_kashoo.hooks.settings import settings

    run = context["dag_run"]
    if sync == "salesforce_to_kashoo" and _run_type(run) == "asset_triggered":
        readable = run.run_after + settings().margin + timedelta(seconds=1)  # stamps are whole seconds
        if readable > datetime.now(UTC):
            raise AirflowRescheduleException(readable)


def _run_type(run: Any) -> str:
    return str(getattr(run.run_type, "value", run.run_type))


@contextmanager
def in_airflow_words() -> Iterator[None]:
    """Say our outcomes in Airflow's words, here and nowhere else.

    A spent budget becomes a reschedule; what only a person can mend fails at once, without retries.
    """
    from airflow_provider_kashoo.core.errors import AuthenticationError, BudgetSpent, ConfigurationError, SyncError

    try:
        yield
    except BudgetSpent as spent:
        raise AirflowRescheduleException(datetime.fromtimestamp(spent.until, UTC)) from None
    except (ConfigurationError, AuthenticationError) as error:
        raise AirflowFailException(str(error)) from None
    except SyncError as error:
        raise AirflowException(str(error)) from None


def _instant(text: str | None) -> datetime | None:
    from airflow_provider_kashoo.core.dates import parse_instant

    return parse_instant(text) if text else None

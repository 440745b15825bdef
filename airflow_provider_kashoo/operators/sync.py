"""One operator per step. Each opens the run, calls its step, and translates the outcome.

Every ``execute`` raises one of three:

- ``AirflowFailException``, no retry: a person has to correct something. The set-up is wrong (connection, pool, store,
  mapping, permission), a side refused the login, a step before this one is missing, or this package has a mistake.
- ``AirflowException``, retried: a side or the store did not answer or is locked, or the task was asked to stop.
- ``AirflowRescheduleException``: the request budget is spent. The task goes on when requests are allowed again; until
  then it takes no worker and no pool slot, and no retry is used.

What goes to XCom is counts, times and names of sources; records travel in files, and progress lives in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_kashoo.operators.airflow_words import in_airflow_words
from airflow_provider_kashoo.operators.assets import announced, assets_of
from airflow_provider_kashoo.operators.links import (
    KashooPageLink,
    KashooRecordLink,
    PlanReportLink,
    SalesforceRecordLink,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.sync.run.sync import Sync

T = TypeVar("T")

SALESFORCE_POOL, KASHOO_POOL = "salesforce_api", "kashoo_api"


class _StepOperator(BaseOperator):
    """One step of one run. It contacts a side only if the step needs it.

    :param sync: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param kashoo_conn_id: connection to Kashoo.
    :param salesforce_conn_id: connection to Salesforce.
    """

    ui_color = "#e8f1ec"
    operator_extra_links: tuple[BaseOperatorLink, ...] = (KashooPageLink(),)
    default_pool: str | None = None
    begins_the_run = False

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
        self.sync, self.kashoo_conn_id, self.salesforce_conn_id = sync, kashoo_conn_id, salesforce_conn_id

    def _run(self, context: Context, step: Callable[[Sync], T]) -> T:
        from airflow_provider_kashoo.runtime.open_run import open_sync

        connections = self.kashoo_conn_id, self.salesforce_conn_id
        with (
            in_airflow_words(),
            open_sync(self.sync, run_facts(context), *connections, begins=self.begins_the_run) as sync,
        ):
            return step(sync)


class KashooSyncPreflightOperator(_StepOperator):
    """Check pools, store, connections, permissions and mappings before anything is read.

    It runs in the default pool, because a task in a pool that does not exist waits for ever. If an event of Salesforce
    started the run, it is rescheduled until the window includes that event.
    """

    begins_the_run = True

    def execute(self, context: Context) -> None:
        """Check everything and begin the run; nothing goes to XCom.

        :raises AirflowFailException: for what is missing or wrong, all faults of the mappings at once.
        :raises AirflowException: when a side or the store does not answer.
        :raises AirflowRescheduleException: until the window includes the event that started the run, and when the
            budget is spent.
        """
        from airflow_provider_kashoo.sync import steps

        _wait_for_the_window(self.sync, context)
        self._run(context, steps.preflight)


class SalesforceDeltaOperator(_StepOperator):
    """Stage the changed records of one Salesforce object, whole, with their lines and parents.

    :param sobject: such as ``Opportunity``.
    """

    default_pool = SALESFORCE_POOL

    def __init__(self, *, sobject: str, **kwargs: Any) -> None:
        super().__init__(sync="salesforce_to_kashoo", **kwargs)
        self.sobject = sobject

    def execute(self, context: Context) -> dict[str, Any]:
        """Read and stage.

        :returns: to XCom: ``source``, the window (``lower`` and ``upper`` in UTC; ``moves``: will the watermark),
            and how many records and lines were read, deleted, missing and merged.
        :raises AirflowFailException: for a mapping or permission that does not fit.
        :raises AirflowException: when Salesforce or the store does not answer; what was staged is not read again.
        """
        from airflow_provider_kashoo.sync import steps

        return _counted(self._run(context, lambda sync: steps.extract(sync, self.sobject)))


class KashooDeltaOperator(_StepOperator):
    """Stage what may have changed in Kashoo.

    :param resource: ``invoices`` or ``payments``.
    """

    default_pool = KASHOO_POOL

    def __init__(self, *, resource: str, **kwargs: Any) -> None:
        super().__init__(sync="kashoo_to_salesforce", **kwargs)
        self.resource = resource

    def execute(self, context: Context) -> dict[str, Any]:
        """Read and stage.

        :returns: to XCom: ``source``, the window (``lower`` and ``upper`` in UTC; ``moves``: will the watermark),
            and how many ``records`` were read.
        :raises AirflowFailException: for a connection or permission that does not fit.
        :raises AirflowException: when Kashoo or the store does not answer.
        :raises AirflowRescheduleException: when the budget is spent; it then reads from the beginning.
        """
        from airflow_provider_kashoo.sync import steps

        return _counted(self._run(context, lambda sync: steps.extract(sync, self.resource)))


class KashooSyncPlanOperator(_StepOperator):
    """Work out what would be written; write nothing. The summary goes to XCom and to the log.

    Counts and totals are the rendered field ``plan_head`` of the task, without names. The whole report, with names, is
    staged with the run; a link of the task opens it.
    """

    default_pool = KASHOO_POOL
    template_fields = ("plan_head",)
    operator_extra_links = (PlanReportLink(), KashooPageLink())
    template_fields_renderers: ClassVar[dict[str, str]] = {"plan_head": "json"}
    overwrite_rtif_after_execution = True
    plan_head: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Look up what got no answer, then plan.

        :returns: to XCom: the fields of ``PlanSummary``: counts, totals in
            minor units by currency, requests and seconds needed, digest.
        :raises AirflowFailException: when a delta of this run is missing, or the books do not fit the mappings.
        :raises AirflowException: when a side or the store does not answer.
        :raises AirflowRescheduleException: when the budget is spent; single records that were read are kept.
        """
        from dataclasses import asdict

        from airflow_provider_kashoo.core.rules.summary import as_text
        from airflow_provider_kashoo.sync import steps

        summary, self.plan_head = self._run(context, lambda sync: (steps.plan(sync), steps.plan_head(sync)))
        self.log.info("The plan:\n%s", as_text(summary))
        return asdict(summary)


class KashooSyncApproveOperator(_StepOperator, ApprovalOperator):
    """Approve the plan of this run by its digest, so that exactly this plan is applied.

    A plan that asks for nothing passes at once. For one that asks, the task waits for a person in Airflow's *Required
    Actions*, or for ``airflow kashoo approve``; meanwhile it takes no worker and no pool slot. If a person
    rejects it, the rows that ask are parked by the task that applies; a plan that asks as a whole fails this task. It
    takes the arguments of ``ApprovalOperator``; these matter most:

    :param sync: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param kashoo_conn_id: connection to Kashoo.
    :param salesforce_conn_id: connection to Salesforce.
    :param response_timeout: how long a person has; then the task fails. Without it, it waits for ever.
    :param assigned_users: who may answer: ``{"id": ..., "name": ...}`` with the ids of the auth manager. Without it,
        everybody may who can edit what waits for a person in this DAG.
    :param notifiers: tell people that they are asked.
    :raises ValueError: for ``defaults`` that would approve a plan when the time is over.
    """

    def __init__(self, *, sync: str, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Approve what will be written")
        kwargs.setdefault("defaults", self.REJECT)
        if self.APPROVE in kwargs["defaults"]:
            raise ValueError("A plan is approved by a person, never because the time is over: leave out defaults.")
        super().__init__(sync=sync, **kwargs)

    def execute(self, context: Context) -> str:
        """Let the plan pass, or ask a person and wait.

        :returns: to XCom: the digest of the plan that is approved.
        :raises AirflowFailException: when this run has no plan, or an incomplete one, or a person rejected one
            that asks as a whole.
        :raises AirflowException: when the store does not answer; neither side is contacted.
        """
        return self._approve(context, None)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Go on after an answer, or after the time is over.

        An answer that names another plan approves nothing, and the person is asked again: when a task is cleared,
        Airflow shows the text of its first try, whatever is planned by then.

        :returns: as :meth:`execute`.
        :raises AirflowFailException: as :meth:`execute`, and when nobody answered in time.
        :raises AirflowException: as :meth:`execute`.
        """
        return self._approve(context, event)

    def _approve(self, context: Context, event: dict[str, Any] | None) -> str:
        from airflow_provider_kashoo.operators.asking import approve

        given = self._run(context, lambda sync: approve(sync, event, self.assigned_users))
        if isinstance(given, str):
            return given
        self.subject, self.body = f"{self.subject} (plan {given.short})", given.text
        self.params = given.params
        (self.log.warning if event else self.log.info)("%s", given.said)
        return str(super().execute(context))  # which raises what lets the task wait


class KashooSyncApplyOperator(_StepOperator):
    """Execute exactly the approved plan, each write journalled before it is sent.

    When the request budget is spent, the task is rescheduled, without using a retry, and goes on where it was.

    It produces the asset ``kashoo_invoices`` or ``salesforce_payments``, unless ``outlets`` names others. They get an
    event only if something was written, with the counts as ``extra``.

    :param before_approval: write only what asks for no approval. Such a task lies between those that plan and approve,
        and another one writes the rest afterwards.
    """

    default_pool = KASHOO_POOL
    operator_extra_links = (KashooPageLink(), SalesforceRecordLink(), KashooRecordLink())
    _stopping = False

    def __init__(self, *, sync: str, before_approval: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", assets_of(sync))
        super().__init__(sync=sync, **kwargs)
        self.before_approval = before_approval

    def execute(self, context: Context) -> dict[str, int]:
        """Write what the plan says, most important first.

        :returns: to XCom: outcome -> records, such as ``created`` or ``parked``. Parked records fail no task.
        :raises AirflowFailException: when the plan is not the one that was approved, the books refuse every write, or,
            where Salesforce is written, its connection leads to another org than the plan is for.
        :raises AirflowException: when the side that is written or the store does not answer, or the task was asked to
            stop. What was written is journalled: the next try goes on and writes nothing twice.
        :raises AirflowRescheduleException: when the budget is spent; it goes on where it was.
        """
        from airflow_provider_kashoo.sync import steps

        step = steps.apply_what_nobody_asks if self.before_approval else steps.apply

        def applied(sync: Sync) -> dict[str, int]:
            outcome = step(sync, lambda: self._stopping)
            self.opens = (sync.files.read_json("applied") or {}).get("opens", {})
            return outcome

        outcome = self._run(context, applied)
        self.log.info("Applied: %s", outcome)
        self.outlets = announced(self.outlets, outcome, context)
        return outcome

    def on_kill(self) -> None:
        """Let the request in flight finish and be journalled, then stop; Airflow calls this on SIGTERM."""
        self._stopping = True


class KashooSyncCommitOperator(_StepOperator):
    """Move the watermarks, now that every record of the run is done or journalled."""

    def execute(self, context: Context) -> dict[str, str]:
        """Move the watermarks.

        :returns: to XCom: source -> new watermark in UTC, for those that moved.
        :raises AirflowFailException: when the plan of this run was not applied.
        :raises AirflowException: when the store does not answer; neither side is contacted.
        """
        from airflow_provider_kashoo.sync import steps

        return self._run(context, steps.commit)


def run_facts(context: Context | Mapping[str, Any]) -> RunFacts:
    """Take from Airflow's context what the steps need to know of a run.

    The data interval is used only for scheduled and backfill runs: that of a manual run is the last full cron period,
    and an event run has none.

    :raises ConfigurationError: for a ``since`` or ``until`` that is not a time.
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
        since=_instant("since", params.get("since")),
        until=_instant("until", params.get("until")),
        limit=params.get("limit"),
        remap=params.get("remap") is True,
        dag_id=run.dag_id,
    )


def _wait_for_the_window(sync: str, context: Context | Mapping[str, Any]) -> None:
    """Reschedule an event run until the event is older than the margin.

    Changes younger than the margin are not read: started at once, the run would miss the change that caused it. Both
    times are of Airflow's clock, which may differ from Salesforce's.
    """
    from airflow_provider_kashoo.settings import settings

    run = context["dag_run"]
    if sync == "salesforce_to_kashoo" and _run_type(run) == "asset_triggered":
        readable = run.run_after + settings().margin + timedelta(seconds=1)  # stamps are whole seconds
        if readable > datetime.now(UTC):
            raise AirflowRescheduleException(readable)


def _run_type(run: Any) -> str:
    return str(getattr(run.run_type, "value", run.run_type))


def _instant(name: str, text: str | None) -> datetime | None:
    from airflow_provider_kashoo.core.errors import ConfigurationError
    from airflow_provider_kashoo.core.values.dates import parse_instant

    try:
        return parse_instant(text) if text else None
    except (ValueError, OverflowError):
        remedy = "Trigger the DAG with a time such as 2026-01-31T00:00:00Z."
        raise ConfigurationError(f"The param {name} is not a time in ISO 8601.", remedy=remedy) from None


def _counted(delta: Any) -> dict[str, Any]:
    """Write a :class:`~airflow_provider_kashoo.sync.run.deltas.Delta` for XCom, with counts in place of ids."""
    return {name: len(value) if isinstance(value, list | dict) else value for name, value in vars(delta).items()}

"""The approval of a plan by a person: what is believed is a row of the store about exactly this plan."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.store.approvals import Decided
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

SHORT = 12
"""So many characters of a digest name a plan."""


class ApprovalNeeded(ConfigurationError):
    """A person has to approve the plan first.

    :param summary: of that plan.
    """

    def __init__(self, summary: PlanSummary) -> None:
        self.summary = summary
        asks = "; ".join(f"{count} x {reason}" for reason, count in summary.asks.items())
        super().__init__(
            f"The plan {summary.digest[:SHORT]} has to be approved by a person first: {asks}.",
            remedy=f"Approve it in the Airflow UI, or: airflow kashoo approve {summary.digest[:SHORT]}",
        )


def require_approval(sync: Sync, summary: PlanSummary) -> None:
    """Let a plan pass that asks for nothing, or that a person approved.

    :raises ApprovalNeeded: when nobody decided about it yet.
    :raises ConfigurationError: when a person rejected it.
    """
    if not summary.asks:
        return
    decided = sync.store.approvals.of(sync.name, summary.digest)
    if decided is None:
        raise ApprovalNeeded(summary)
    if decided.decision is Decision.REJECT:
        raise ConfigurationError(
            f"The plan {summary.digest[:SHORT]} was {said(decided)}.",
            remedy="The next run plans these records again and asks again. If it was a mistake: airflow kashoo approve "
            f"{summary.digest[:SHORT]}. {clear('approve')}",
        )


def decide(sync: Sync, summary: PlanSummary, decision: Decision, *, by: str, reason: str) -> None:
    """Record what a person decided about the plan of this run.

    :param by: who decides.
    """
    shown = asdict(summary)
    run = sync.run.run_id
    sync.store.approvals.decide(sync.name, run, summary.digest, decision, by=by, reason=reason, summary=shown)


def said(decided: Decided) -> str:
    """Say who decided what, when and why."""
    words = {Decision.APPROVE: "approved", Decision.REJECT: "rejected"}
    at = datetime.fromtimestamp(decided.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{words[decided.decision]} by {decided.by} at {at}{f': {decided.reason}' if decided.reason else ''}"


def is_first_run(sync: Sync) -> bool:
    """Return whether no full run has written to the books yet: no invoice is linked, or no watermark moved."""
    if not sync.store.linked_records.any_of(INVOICE.name):
        return True
    return not any(sync.store.watermarks.get(f"salesforce.{name}") for name in sync.sources)

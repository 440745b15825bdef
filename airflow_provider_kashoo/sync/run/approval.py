"""The approval of a plan by a person: what is believed is a row of the store about exactly this plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.approval import REJECTED, Decision
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
)
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.store.approvals import Decided
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

REJECTED_FIX = (
    "Change the deal or the mapping: then it is planned again, and a person is asked. To be asked again about just "
    "this, run: airflow kashoo replay ID."
)

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


def require_approval(sync: Sync, summary: PlanSummary, rows: Callable[[], Sequence[Intent]]) -> Problem | None:
    """Let a plan pass that asks for nothing, or about which a person decided.

    :param rows: gives the rows of the plan.
    :returns: why the rows that ask are not written, if a person rejected them; the others are.
    :raises ApprovalNeeded: when nobody decided about it yet.
    :raises ConfigurationError: when a person rejected a plan that asks as a whole.
    """
    if not summary.asks:
        return None
    decided = sync.store.approvals.of(sync.name, summary.digest)
    if decided is None:
        raise ApprovalNeeded(summary)
    if decided.decision is Decision.APPROVE:
        return None
    if asks_by_rows(sync, summary, rows()):
        return Problem(REJECTED, f"its plan was {said(decided)}", REJECTED_FIX, decided.reason)
    raise ConfigurationError(
        f"The plan {summary.digest[:SHORT]} was {said(decided)}.",
        remedy="The next run plans these records again and asks again. If it was a mistake: airflow kashoo approve "
        f"{summary.digest[:SHORT]}. {clear('approve')}",
    )


def asks_by_rows(sync: Sync, summary: PlanSummary, rows: Sequence[Intent]) -> bool:
    """Return whether only single rows of a plan ask, so that a person decides about these and no others.

    If what asks was configured differently since the plan, it is taken as a whole.
    """
    return summary.asks == sync.settings.approval.of_rows(rows)


def without_asking(sync: Sync, summary: PlanSummary, rows: Sequence[Intent]) -> list[Intent]:
    """Give what may be written before a person decides: all rows of records of which none asks.

    A record that is asked about, parked or voided too is left for later, so that these happen in their order. Nothing
    is given of a plan that asks as a whole or moves a link.
    """
    if not asks_by_rows(sync, summary, rows) or any(each.action is Action.FOLLOW for each in rows):
        return []
    policy, early = sync.settings.approval, {Action.LINK, Action.CREATE, Action.UPDATE}
    late = {each.record.id for each in rows if each.action not in early or policy.reasons(each)}
    return [each for each in rows if each.record.id not in late]


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

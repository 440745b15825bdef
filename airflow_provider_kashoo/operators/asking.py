"""Ask a person about a plan through Airflow, and take the answer.

What Airflow shows is that of the task's first try: a cleared task shows it again, though the plan may be another one.
So an answer carries the name of the plan that was shown, and counts for that plan only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.summary import PlanSummary, as_text
from airflow_provider_kashoo.reports.request import request_text
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.approval import SHORT, ApprovalNeeded, decide
from airflow_provider_kashoo.sync.run.report import report_of
from airflow_provider_kashoo.sync.run.staging import clear

if TYPE_CHECKING:
    from airflow_provider_kashoo.sync.run.sync import Sync

PLAN, REASON = "plan", "reason"
"""The fields of the form."""

APPROVE = "Approve"

LONGEST_REASON = 1_000


@dataclass(frozen=True)
class Request:
    """What a person is asked.

    :param short: names the plan.
    :param text: in Markdown, without names.
    :param said: for the log.
    """

    short: str
    text: str
    said: str

    @property
    def params(self) -> ParamsDict:
        """The fields of the form."""
        plan = Param(
            self.short,
            type="string",
            title="Plan",
            description="The plan that this answer is about. Change it only if the log of the task names another.",
        )
        reason = Param(None, type=["null", "string"], title="Reason", description="Why, above all if you reject it")
        return ParamsDict({PLAN: plan, REASON: reason})


def approve(sync: Sync, event: Mapping[str, Any] | None, assigned: Sequence[Mapping[str, Any]] | None) -> str | Request:
    """Let the plan of a run pass, if it asks for nothing or a person approved it; otherwise say what to ask.

    :param event: Airflow's words for an answer; None before one was asked for.
    :param assigned: who may answer; everybody if empty.
    :returns: the digest of the plan, or the request.
    :raises ConfigurationError: when a person rejected a plan that asks as a whole, or nobody answered in time.
    """
    try:
        return steps.approve(sync)  # whatever was answered: it may be approved by the command line meanwhile
    except ApprovalNeeded as needed:
        summary = needed.summary
    if event is None:
        return _request(sync, summary)
    if mistake := _take(sync, summary, event, {str(user["id"]) for user in assigned or ()}):
        return _request(sync, summary, mistake)
    return steps.approve(sync)


def _take(sync: Sync, summary: PlanSummary, event: Mapping[str, Any], assigned: set[str]) -> str:
    """Record an answer.

    :returns: why it does not count; empty if it does.
    :raises ConfigurationError: when nobody answered.
    """
    user, given = event.get("responded_by_user"), event.get("params_input") or {}
    if "error" in event or event.get("timedout") or not user:  # when the time is over, Airflow fills in an answer
        raise ConfigurationError(
            f"Nobody answered about plan {summary.digest[:SHORT]} in time.",
            remedy=f"The next run plans these records again and asks again. {clear('approve')}",
        )
    if assigned and str(user["id"]) not in assigned:
        return f"it is by {shown(user['name'])}, who is not among the assigned users"
    named = str(given.get(PLAN) or "").strip().lower()
    if len(named) < SHORT or not summary.digest.startswith(named):
        return f"it is about plan {shown(named)}" if named else "it names no plan"
    decision = Decision.APPROVE if event["chosen_options"] == [APPROVE] else Decision.REJECT
    by = f"{user['name']} (id {user['id']})"
    decide(sync, summary, decision, by=by, reason=str(given.get(REASON) or "")[:LONGEST_REASON])
    return ""


def _request(sync: Sync, summary: PlanSummary, mistake: str = "") -> Request:
    """Say what to ask.

    :param mistake: why an answer did not count.
    """
    short = summary.digest[:SHORT]
    again = f"An answer approved nothing: {mistake}. " if mistake else ""
    said = (
        f"{again}A person is asked to approve plan {short}. If Airflow shows the text of another plan, because the "
        f"task was cleared, read this one, and write {short} into the field Plan of the answer; or: "
        f"airflow kashoo approve {short}\n{as_text(summary)}"
    )
    return Request(short, request_text(report_of(sync, summary, named=False), short), said)

"""Decide about a plan, and let the task that waits for it go on."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.summary import PlanSummary, as_text
from airflow_provider_kashoo.runtime.waiting_tasks import answer
from airflow_provider_kashoo.store.approvals import Approvals, AskingPlan, asking_plans
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.undone import UNDO
from airflow_provider_kashoo.sync.by_hand.undo import command_of
from airflow_provider_kashoo.sync.run.approval import SHORT, said
from airflow_provider_kashoo.sync.run.staging import WORKED_ON, Staging

_DONE = {Decision.APPROVE: "Approved.", Decision.REJECT: "Rejected: nothing more of it is written."}
_FIELDS = {each.name for each in fields(PlanSummary)}


def decide(database: Database, root: Any, named: str, decision: str, *, by: str, reason: str) -> list[str]:
    """Decide about the plan that a digest names, and wake the task that waits for it.

    :param root: the staging folder.
    :param named: the digest, or its beginning.
    :param by: who decides.
    :returns: what was decided, for people.
    :raises ConfigurationError: when no plan that asks has this digest, or several do, or it is written.
    """
    database.check()
    plan, wanted = plan_named(database, named), Decision(decision)
    files = _files(root, plan)
    if (files.read_json("applied") or {}).get("digest") == plan.digest:
        said_so = f"The plan {plan.digest[:SHORT]} was applied already."
        raise ConfigurationError(
            said_so, written="It is written.", remedy="Correct in Kashoo what should not be there."
        )
    known = Approvals(plan.scope).decide(
        plan.sync, plan.run_id, plan.digest, wanted, by=by, reason=reason, summary=plan.summary
    )
    stands = f"It was {said(known)}, before; that stands." if known else _DONE[wanted]
    woken = answer(dag_of(root, plan), plan.run_id, approves=wanted is Decision.APPROVE, by=by, plan=plan.digest)
    return [
        f"run {plan.run_id} of {plan.sync}, org {plan.org_id}, business {plan.business_id}",
        as_text(PlanSummary(**{name: value for name, value in plan.summary.items() if name in _FIELDS})),
        stands,
        "The task that waited for it goes on." if woken else _what_next(plan.run_id, wanted),
    ]


def dag_of(root: Any, plan: AskingPlan) -> str:
    """Say which DAG made a plan; empty if none did, or its files are gone."""
    return (_files(root, plan).read_json(WORKED_ON) or {}).get("dag_id") or ""


def _files(root: Any, plan: AskingPlan) -> Staging:
    return Staging(root, plan.sync, f"{plan.org_id}-{plan.business_id}", plan.run_id)


def _what_next(run_id: str, wanted: Decision) -> str:
    """Say what to do about a plan for which no task waits."""
    if not run_id.startswith(UNDO):
        return "No task waits for it: clear the task approve of its run."
    if wanted is Decision.REJECT:
        return "Nothing is voided."
    return f"To void them now, run again: {command_of(run_id.removeprefix(UNDO))}"


def plan_named(database: Database, named: str) -> AskingPlan:
    """Find the plan that a digest or its beginning names.

    :raises ConfigurationError: when no plan that asks has this digest, or several do.
    """
    plans, beginning = asking_plans(database), named.strip().lower()
    found = [plan for plan in plans if plan.digest.startswith(beginning)] if len(beginning) >= SHORT else []
    if len({plan.digest for plan in found}) == 1:
        return found[0]
    if found:
        said_so = f"{len(found)} plans have a digest that begins with {shown(beginning)}."
        raise ConfigurationError(said_so, remedy="Give more of its characters.")
    waiting = [f"{plan.digest[:SHORT]} ({plan.sync}, run {plan.run_id})" for plan in plans if plan.decided is None]
    short = f" Give at least {SHORT} characters." if len(beginning) < SHORT else ""
    raise ConfigurationError(
        f"No plan that asks for an approval has the digest {shown(beginning)}: there never was one, it was planned "
        f"again, or its run is over.{short}",
        remedy=f"These wait: {', '.join(waiting)}." if waiting else "No plan waits for a person.",
    )

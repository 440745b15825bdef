"""The steps of both syncs, behind one door: what the operators call, and what plain Python can call.

Every step may run twice. What one hands to the next lies in files; what must survive lies in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.plan import PlanSummary, digest_of
from airflow_provider_kashoo.sync.bill.plan import BooksPlan
from airflow_provider_kashoo.sync.preflight import preflight as check_everything
from airflow_provider_kashoo.sync.read import books as kashoo_delta
from airflow_provider_kashoo.sync.read import salesforce as salesforce_delta
from airflow_provider_kashoo.sync.run.deltas import Delta, all_staged
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, TO_KASHOO, Sync
from airflow_provider_kashoo.sync.run.waits import Reads, waiting
from airflow_provider_kashoo.sync.tell.plan import WriteBackPlan
from airflow_provider_kashoo.sync.write.fields import WriteBackApply
from airflow_provider_kashoo.sync.write.kashoo import BooksApply
from airflow_provider_kashoo.sync.write.look_up import look_up


def preflight(sync: Sync) -> None:
    """Refuse to begin a run that cannot end; see :mod:`.preflight`."""
    check_everything(sync)
    sync.store.start_run(sync.name, sync.run.run_id)


def extract(sync: Sync, source: str) -> Delta:
    """Stage one delta: a Salesforce object, or Kashoo's ``invoices`` or ``payments``."""
    if sync.name == TO_KASHOO:
        return salesforce_delta.extract(sync, source)
    with waiting(sync, source):
        return kashoo_delta.extract(sync, source)


def plan(sync: Sync) -> PlanSummary:
    """Look up what got no answer, then work out what would be written; write nothing to either side.

    :raises ConfigurationError: when a delta is missing, or was read again meanwhile: what it would have shown must not
        pass for unchanged.
    :raises BudgetSpent: when the request budget needs a longer wait; what was read of single records is kept.
    """
    # Kept as they are now: an extract that is cleared alone afterwards stages windows that nothing was planned from.
    windows = _windows(sync)
    reads = Reads(sync)
    with waiting(sync, "plan", reads.keep):
        if sync.name == TO_KASHOO:
            look_up(sync)
            books = BooksPlan(sync, reads)
            _check_deltas(sync)
            summary = books.make()
        else:
            _check_deltas(sync)
            summary = WriteBackPlan(sync, reads).make()
    if windows != _windows(sync):
        raise ConfigurationError(
            "An extract of this run read again while the plan was made.", remedy="Clear its task plan and what follows."
        )
    summary = replace(summary, org_id=sync.store.org_id, business_id=sync.store.business_id)
    # In one file: a step that dies here leaves the digest and the windows of one plan, the older or the newer one.
    sync.files.write_json("summary", {**asdict(summary), "windows": windows})
    sync.store.record_plan(sync.name, sync.run.run_id, summary)
    reads.forget()
    return summary


def approve(sync: Sync) -> str:
    """Approve the plan of this run.

    :returns: the digest that is approved; nothing asks for a person yet.
    :raises ConfigurationError: when the rows are not those that the summary counts: the step plan died between the two.
    """
    digest = str(_summary(sync)["digest"])
    if digest != digest_of(sync.files.read_plan()):
        raise ConfigurationError("The plan of this run is not whole.", remedy="Clear its task plan and what follows.")
    sync.files.write_json("approved", {"digest": digest})
    return digest


def apply(sync: Sync, stopping: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Execute exactly the plan that was approved.

    :param stopping: asked before each write; True ends the step after the request in flight.
    :returns: outcome -> rows.
    :raises ConfigurationError: when the rows are others than the approved ones, or for another org or business.
    """
    approved, summary = sync.files.read_json("approved") or {}, _summary(sync)
    _check_scope(sync, summary)
    if not approved.get("digest") == summary["digest"] == digest_of(sync.files.read_plan()):
        raise ConfigurationError(
            "The plan of this run is not the one that was approved.", remedy="Clear its task approve and what follows."
        )
    outcome = BooksApply(sync, stopping).run() if sync.name == TO_KASHOO else WriteBackApply(sync, stopping).run()
    sync.files.write_json("applied", {"digest": approved["digest"], "outcome": outcome})
    return outcome


def commit(sync: Sync) -> dict[str, str]:
    """Move the watermarks of this run, now that each of its records is settled or journalled.

    :returns: source -> new watermark, for those that moved.
    :raises ConfigurationError: when the plan was not applied.
    """
    applied, summary = sync.files.read_json("applied") or {}, _summary(sync)
    if applied.get("digest") != summary["digest"]:
        raise ConfigurationError(
            "The plan of this run was not applied.", remedy="Clear its task apply and what follows."
        )
    moved = {}
    for report in summary["windows"].values():
        lower, upper = datetime.fromisoformat(report["lower"]), datetime.fromisoformat(report["upper"])
        if report["moves"] and upper > lower:
            source = report["source"]
            if sync.store.watermarks.move(source, lower=lower, upper=upper, run_id=sync.run.run_id):
                moved[source] = report["upper"]
    sync.store.finish_run(sync.name, sync.run.run_id)
    return moved


def _windows(sync: Sync) -> dict[str, Any]:
    return {name: asdict(delta) for name, delta in all_staged(sync.files).items()}


def _check_deltas(sync: Sync) -> None:
    if sync.run.only is not None:
        return
    wanted = sync.sources if sync.name == TO_KASHOO else KASHOO_SOURCES
    if missing := sorted(set(wanted) - all_staged(sync.files).keys()):
        raise ConfigurationError(
            f"No delta of {', '.join(missing)} was staged in this run.",
            remedy="Let the DAG extract each object that a mapping reads, and every worker see the staging folder.",
        )


def _check_scope(sync: Sync, summary: dict[str, Any]) -> None:
    planned = summary.get("org_id"), summary.get("business_id")
    if planned != (sync.store.org_id, sync.store.business_id):
        raise ConfigurationError(
            f"The plan of this run was made for org {planned[0]} and business {planned[1]}, not for org "
            f"{sync.store.org_id} and business {sync.store.business_id}.",
            remedy="Correct the connections, or clear its task preflight and what follows.",
        )


def _summary(sync: Sync) -> dict[str, Any]:
    summary = sync.files.read_json("summary")
    if summary is None:
        raise ConfigurationError("This run has no plan.", remedy="Clear its task plan and what follows.")
    return summary

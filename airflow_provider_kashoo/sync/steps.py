"""The steps of both syncs, called by the operators or from plain Python. Every step may run twice.

Steps hand files to each other; what must survive the run is in the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.intents import WRITES, Intent
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.reports.page import plan_page
from airflow_provider_kashoo.sync.bill import plan as bill
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.preflight import preflight as check_everything
from airflow_provider_kashoo.sync.read import books, salesforce
from airflow_provider_kashoo.sync.run.approval import require_approval, without_asking
from airflow_provider_kashoo.sync.run.deltas import Delta, all_staged
from airflow_provider_kashoo.sync.run.plan_file import PlanFile
from airflow_provider_kashoo.sync.run.record_links import Addresses
from airflow_provider_kashoo.sync.run.report import NAMED, report_of
from airflow_provider_kashoo.sync.run.staging import TOKEN_FILE, clear
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, TO_KASHOO, TO_SALESFORCE, Sync
from airflow_provider_kashoo.sync.run.waits import Reads, waiting
from airflow_provider_kashoo.sync.tell import plan as tell
from airflow_provider_kashoo.sync.write.close_questions import close_questions
from airflow_provider_kashoo.sync.write.engine import Engine
from airflow_provider_kashoo.sync.write.fields import FieldsWriter
from airflow_provider_kashoo.sync.write.kashoo import KashooWriter
from airflow_provider_kashoo.sync.write.look_up import look_up
from airflow_provider_kashoo.sync.write.read_back import read_back

log = logging.getLogger(__name__)


def preflight(sync: Sync) -> None:
    """Check everything (see :mod:`.preflight`), then note that the run began."""
    _note_work(sync)
    check_everything(sync)
    sync.store.start_run(sync.name, sync.run.run_id)


def extract(sync: Sync, source: str) -> Delta:
    """Stage one delta: a Salesforce object, or Kashoo's ``invoices`` or ``payments``.

    :raises ConfigurationError: when the staged files of the run were removed; so does each step after this one.
    """
    _go_on(sync)
    if sync.name == TO_KASHOO:
        return salesforce.extract(sync, source)
    with waiting(sync, source):
        return books.extract(sync, source)


def plan(sync: Sync) -> PlanSummary:
    """Look up writes without an answer, then work out what is to be written; nothing is written to either side.

    :raises ConfigurationError: when a delta is missing, or an extract ran again meanwhile.
    :raises BudgetSpent: when the request budget needs a longer wait; what was read of single records is kept.
    """
    _go_on(sync)
    sync.recall_describes()
    # Kept with the plan: an extract that is cleared alone afterwards stages a window that this plan does not cover.
    windows = _windows(sync)
    reads = Reads(sync)
    with waiting(sync, "plan", reads.keep):
        if sync.name == TO_KASHOO:
            look_up(sync)
        summary = decide(sync, reads)
        report = report_of(sync, summary, history=False)
    if windows != _windows(sync):
        raise ConfigurationError("An extract of this run ran again while the plan was made.", remedy=clear("plan"))
    sync.files.write_json("report", {**report.as_json(NAMED), "head": report.head})
    sync.files.write_text("report.html", plan_page(report))
    # In one file, so that digest and windows always belong to the same plan, whenever a step dies.
    sync.files.write_json("summary", {**asdict(summary), "windows": windows})
    sync.store.record_plan(sync.name, sync.run.run_id, summary)
    reads.forget()
    return summary


def decide(sync: Sync, reads: Reads) -> PlanSummary:
    """Work out what is to be written from what is staged, and stage it.

    :raises ConfigurationError: as :func:`plan`.
    :raises BudgetSpent: as :func:`plan`.
    """
    facts = Facts.of(sync, reads) if sync.name == TO_KASHOO else None
    _check_deltas(sync)
    return bill.plan(facts) if facts else tell.plan(sync, reads)


def plan_head(sync: Sync) -> dict[str, Any]:
    """Give counts and totals of the staged plan, without a name; see :attr:`.PlanReport.head`."""
    return dict((sync.files.read_json("report") or {}).get("head", {}))


def approve(sync: Sync) -> str:
    """Let the plan of this run pass, if it asks for nothing or a person decided about it.

    :returns: the digest that is approved. If a person rejected the rows that ask, these are parked by :func:`apply`.
    :raises ApprovalNeeded: when a person has to decide about it first.
    :raises ConfigurationError: when a person rejected it and it asks as a whole, and when plan and summary do not
        match, because the step plan died between the two.
    """
    _go_on(sync)
    summary = _summary(sync)
    if summary.digest != PlanFile(sync.files).digest(summary):
        raise ConfigurationError("The plan of this run is incomplete.", remedy=clear("plan"))
    _check_recorded(sync, summary)
    if rejected := require_approval(sync, summary, PlanFile(sync.files).rows):
        log.warning("%s: what asked is parked, the rest of the plan is written.", rejected.unquoted)
    sync.files.write_json("approved", {"digest": summary.digest})
    return summary.digest


def apply_what_nobody_asks(sync: Sync, stopping: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Execute, before a person decides about the others, those writes of the plan of which none asks.

    Nothing is written if the plan asks as a whole, or moves a link. :func:`apply` does the rest of the plan.

    :param stopping: as in :func:`apply`.
    :returns: outcome -> records.
    :raises ConfigurationError: as :func:`apply`.
    """
    _go_on(sync)
    summary, plan = _summary(sync), PlanFile(sync.files)
    _check_scope(sync, summary)
    if summary.digest != plan.digest(summary):
        raise ConfigurationError("The plan of this run is incomplete.", remedy=clear("plan"))
    _check_recorded(sync, summary)
    first = without_asking(sync, summary, plan.rows()) if sync.name == TO_KASHOO and summary.asks else []
    return Engine(sync, KashooWriter, stopping).run(first) if first else {}


def apply(sync: Sync, stopping: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Execute exactly the plan that was approved. What a test batch wrote is read back and compared.

    :param stopping: asked before each write; True ends the step after the request in flight.
    :returns: outcome -> records.
    :raises ConfigurationError: when the plan is not the approved one, or is for another org or business. Whether a
        person approved it is asked of the store again: a file says only that the step ``approve`` was done.
    """
    _go_on(sync)
    approved, summary = sync.files.read_json("approved") or {}, _summary(sync)
    _check_scope(sync, summary)
    plan = PlanFile(sync.files)
    if not approved.get("digest") == summary.digest == plan.digest(summary):
        raise ConfigurationError("The plan of this run is not the one that was approved.", remedy=clear("approve"))
    _check_recorded(sync, summary)
    rows = plan.rows()
    rejected, policy = require_approval(sync, summary, lambda: rows), sync.settings.approval
    writer = KashooWriter if sync.name == TO_KASHOO else FieldsWriter
    engine = Engine(sync, writer, stopping, rejection=lambda row: rejected if policy.reasons(row) else None)
    outcome = engine.run(rows, plan.kept())
    if sync.name == TO_SALESFORCE:
        close_questions(sync)
    elif sync.run.limit is not None:
        read_back(sync, rows)
    if summary.searched_books:
        sync.store.mark_books_known()
    opens = _biggest_written(sync, rows)
    sync.files.write_json("applied", {"digest": summary.digest, "outcome": outcome, "opens": opens})
    return outcome


def commit(sync: Sync) -> dict[str, str]:
    """Move the watermarks of this run, now that each of its records is done or journalled.

    :returns: source -> new watermark, for those that moved.
    :raises ConfigurationError: when the plan was not applied.
    """
    _go_on(sync)
    applied, summary = sync.files.read_json("applied") or {}, _summary(sync)
    if applied.get("digest") != summary.digest:
        raise ConfigurationError("The plan of this run was not applied.", remedy=clear("apply"))
    moved, windows = {}, (sync.files.read_json("summary") or {})["windows"].values()
    for report in windows:
        lower, upper = datetime.fromisoformat(report["lower"]), datetime.fromisoformat(report["upper"])
        if report["moves"] and upper > lower:
            source = report["source"]
            if sync.store.watermarks.move(source, lower=lower, upper=upper, run_id=sync.run.run_id):
                moved[source] = report["upper"]
    read = [report["records"] + len(report["deleted"]) for report in windows if report["moves"]]
    sync.store.finish_run(sync.name, sync.run.run_id, sum(read) if read else None)
    sync.files.remove(f"{TOKEN_FILE}.")
    return moved


def _biggest_written(sync: Sync, rows: Sequence[Intent]) -> dict[str, str]:
    """Give the addresses of the biggest record that was to be written, as far as they are known."""
    biggest = max((each for each in rows if each.action in WRITES), key=lambda each: each.total or 0, default=None)
    if biggest is None:
        return {}
    record = biggest.record
    linked = sync.store.links.of_sources(record.kind, [record.id]).get(record.id)
    known = biggest.kashoo_id or (linked.kashoo_id if linked else None)
    return Addresses.staged(sync.files).opens(record.id, record.kind, known)


def _go_on(sync: Sync) -> None:
    """Begin a step of a run that began before; one whose files are gone can only begin again.

    :raises ConfigurationError: when the store knows the run, but nothing of it is staged.
    """
    if sync.files.is_empty and sync.store.run(sync.name, sync.run.run_id):
        days = sync.settings.retention.days
        raise ConfigurationError(
            f"The staged files of this run are gone: files are removed {days} days after a run was last worked on.",
            remedy=f"{clear('preflight')} If the run is younger, let every worker reach the staging folder "
            f"{sync.files.root}.",
        )
    _note_work(sync)


def _note_work(sync: Sync) -> None:
    sync.files.mark_worked_on(sync.run, sync.store.now())


def _windows(sync: Sync) -> dict[str, Any]:
    return {name: asdict(delta) for name, delta in all_staged(sync.files).items()}


def _check_deltas(sync: Sync) -> None:
    if sync.run.only is not None:
        return
    wanted = sync.sources if sync.name == TO_KASHOO else KASHOO_SOURCES
    if missing := sorted(set(wanted) - all_staged(sync.files).keys()):
        raise ConfigurationError(
            f"No delta of {', '.join(missing)} was staged in this run.",
            remedy="Add an extract task for each object that mappings read; let every worker reach the staging folder.",
        )


def _check_scope(sync: Sync, summary: PlanSummary) -> None:
    planned = summary.org_id, summary.business_id
    if planned != (sync.store.org_id, sync.store.business_id):
        raise ConfigurationError(
            f"The plan of this run was made for org {planned[0]} and business {planned[1]}, not for org "
            f"{sync.store.org_id} and business {sync.store.business_id}.",
            remedy=f"Correct the connections, or begin again. {clear('preflight')}",
        )


def _check_recorded(sync: Sync, summary: PlanSummary) -> None:
    """Refuse a plan whose files are not those that the step plan left: they could say that it asks for nothing."""
    run = sync.store.run(sync.name, sync.run.run_id)
    if run and run["digest"] != summary.digest:
        raise ConfigurationError("The files of this plan are not those that were planned.", remedy=clear("plan"))


def _summary(sync: Sync) -> PlanSummary:
    """Load the staged summary; one of another version may lack fields, and is refused together with its plan."""
    kept = sync.files.read_json("summary")
    if kept is None:
        raise ConfigurationError("This run has no plan.", remedy=clear("plan"))
    return PlanSummary(**{each.name: kept[each.name] for each in fields(PlanSummary) if each.name in kept})

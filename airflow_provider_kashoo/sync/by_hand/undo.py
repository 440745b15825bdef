"""Undo a run: void the invoices that it created, those that nobody touched since, after a person approved that.

What is voided is not billed again until a person replays it, see :mod:`airflow_provider_kashoo.store.undone`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError, UnreachableError, shown
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.approval import Decision, Policy
from airflow_provider_kashoo.core.rules.intents import (
    Void,
)
from airflow_provider_kashoo.core.rules.operations import UNSETTLED
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.core.values.texts import close_to
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.reports.plan import PlanReport, instant
from airflow_provider_kashoo.store.undone import undoing
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.bill.resting import UNDONE
from airflow_provider_kashoo.sync.by_hand.created import Created
from airflow_provider_kashoo.sync.run.approval import SHORT, said
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft, PlanFile
from airflow_provider_kashoo.sync.run.report import report_of
from airflow_provider_kashoo.sync.run.staging import WORKED_ON
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE, Sync
from airflow_provider_kashoo.sync.run.waits import Reads, waiting

LEFT = "left"
"""Staged with the plan: which invoices it leaves, and why."""

CHANGED = "it changed after the plan was made, or Kashoo did not confirm the void; see airflow kashoo status"


@dataclass(frozen=True)
class Undoing:
    """How far an undo got.

    :param left: (record, why its invoice stays).
    :param report: of the plan that a person has to approve; None if there is none.
    :param outcome: outcome -> invoices, of an approved plan that was executed.
    """

    left: list[tuple[Record, str]]
    report: PlanReport | None = None
    outcome: Mapping[str, int] = field(default_factory=dict)


def undo(sync: Sync, run_id: str, is_going: Callable[[str, str], bool] = lambda _dag, _run: False) -> Undoing:
    """Plan to void what a run created; execute that plan if a person approved it.

    :param sync: any run; its connections and store are used.
    :param run_id: of a run of ``salesforce_to_kashoo``.
    :param is_going: says whether a DAG run has not ended yet, by the ids of DAG and run.
    :raises ConfigurationError: for a run that is not known, still goes on or created no invoice, and for a plan that a
        person rejected. Nothing is voided then.
    :raises UnreachableError: when a side does not answer, or the request limit is reached; called again, it goes on.
    """
    _check(sync, run_id, is_going)
    own = _run_of(sync, run_id)
    try:
        if not _is_approved(own):
            undoing = _plan(own, run_id)
            if not _is_approved(own):
                return undoing
        return _execute(own)
    except BudgetSpent as spent:
        raise UnreachableError(
            f"The request limit is reached until {instant(spent.until)}.",
            written="What was voided so far stays voided.",
            remedy="Run the same command again after that: it goes on.",
        ) from None
    finally:
        _show_as_waiting(own)


def _check(sync: Sync, run_id: str, is_going: Callable[[str, str], bool]) -> None:
    """Refuse a run that cannot be undone."""
    run = sync.store.run(TO_KASHOO, run_id)
    if run is None:
        if sync.store.run(TO_SALESFORCE, run_id):
            what = f"Run {run_id} wrote to Salesforce: only what a run created in Kashoo can be undone."
            raise ConfigurationError(what, remedy=f"Give a run of {TO_KASHOO}.")
        known = sync.store.undone.run_ids(TO_KASHOO)
        close = close_to(run_id, known)
        newest = f"The newest runs are: {', '.join(known[:3])}." if known else "There was none yet."
        hint = f"Did you mean {close}?" if close else newest
        raise ConfigurationError(f"No run of {TO_KASHOO} has the id {shown(run_id)}.", remedy=hint)
    note = sync.files.of_run(TO_KASHOO, run_id).read_json(WORKED_ON) or {}
    if run["finished_at"] is None and is_going(note.get("dag_id") or "", run_id):
        what = f"Run {run_id} still goes on, and may create more invoices."
        raise ConfigurationError(what, remedy="Let it end, or mark it as failed in the Airflow UI.")
    if not sync.store.undone.created_by(run_id, INVOICE.name):
        what = f"Run {run_id} created no invoice: there is nothing to undo."
        raise ConfigurationError(what, remedy="airflow kashoo history ID says which run billed a deal.")


def _run_of(sync: Sync, run_id: str) -> Sync:
    """Open the undoing run of a run. Whatever is configured, each void asks."""
    run = RunFacts(run_id=undoing(run_id), run_type="undo")
    settings = replace(sync.settings, approval=Policy(voids=True))
    return replace(sync, name=TO_KASHOO, run=run, settings=settings, files=sync.files.of_run(TO_KASHOO, run.run_id))


def _is_approved(own: Sync) -> bool:
    """Say whether a person approved the staged plan, and it waits to be executed.

    :raises ConfigurationError: when a person rejected it.
    """
    summary, applied = own.files.read_json("summary"), own.files.read_json("applied") or {}
    if summary is None or summary["digest"] == applied.get("digest") or summary["notes"] != _notes(own):
        return False
    decided = own.store.approvals.of(own.name, summary["digest"])
    if decided and decided.decision is Decision.REJECT:
        short = summary["digest"][:SHORT]
        remedy = f"If that was a mistake: airflow kashoo approve {short}, then run the same command again."
        written = "Nothing is voided."
        raise ConfigurationError(f"The plan {short} was {said(decided)}.", written=written, remedy=remedy)
    return decided is not None


def _notes(own: Sync) -> list[str]:
    """Say what the plan depends on beside the invoices: another period that is locked is another plan."""
    until = own.kashoo.profile.locked_until
    return [f"the books are locked up to {until}"] if until else []


def _plan(own: Sync, run_id: str) -> Undoing:
    """Plan the voids, and stage and record the plan; without any, the undoing run is over."""
    store, draft = own.store, Draft(Pending(set(), {}))
    own.files.mark_worked_on(own.run, store.now())
    reads, left = Reads(own), []
    with waiting(own, "plan", reads.keep):
        for operation, decided in Created(own, reads).decide(run_id):
            if isinstance(decided, Void):
                draft.rows.append(decided)
            else:
                record = Record(*(operation[name] for name in ("target", "source_object", "source_id", "part")))
                draft.skipped.note(record.kind, Action.SKIP, decided, record.id)
                left.append((record, decided))
    summary = draft.stage(
        own.files,
        seconds_for=own.budget.seconds_for,
        notes=_notes(own),
        org_id=store.org_id,
        business_id=store.business_id,
        policy=own.settings.approval,
    )
    own.files.write_json(LEFT, {"left": [[vars(record), why] for record, why in left]})
    own.files.write_json("summary", {**asdict(summary), "windows": {}})
    store.start_run(own.name, own.run.run_id)
    store.undone.reopen(own.name, own.run.run_id)
    store.record_plan(own.name, own.run.run_id, summary)
    reads.forget()
    if not draft.rows:
        store.finish_run(own.name, own.run.run_id)
        return Undoing(left)
    return Undoing(left, report_of(own, summary, history=False))


def command_of(run_id: str) -> str:
    """Give the command that undoes a run, as it is typed."""
    return f"airflow kashoo undo --run {shlex.quote(run_id)}"


def _execute(own: Sync) -> Undoing:
    """Execute the approved plan, as any other."""
    steps.approve(own)
    outcome = steps.apply(own)
    steps.commit(own)
    for name in ("summary", "applied"):  # called once more, it plans again what is left
        own.files.remove(f"{name}.")
    left = [(Record(**record), why) for record, why in (own.files.read_json(LEFT) or {"left": []})["left"]]
    rows = PlanFile(own.files).rows()
    linked = own.store.links.of_kashoo(INVOICE.name, [each.kashoo_id for each in rows if each.kashoo_id])
    left += [(each.record, CHANGED) for each in rows if each.kashoo_id in linked]
    return Undoing(left, outcome=outcome)


def _show_as_waiting(own: Sync) -> None:
    """Park the deals whose invoice is voided, so that a person sees them, and can have them billed again."""
    waits = own.store.journal.open_records(*UNSETTLED)
    for each in own.store.undone.next_of(own.run.run_id):
        if each.record.named not in waits:
            own.store.waiting.park(each.parked(UNDONE), UNDONE, own.run.run_id)

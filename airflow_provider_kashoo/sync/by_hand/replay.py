"""Read parked records again when a person asks, and write those that can be written now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, PARENTS
from airflow_provider_kashoo.core.rules.approval import REJECTED
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.bill.resting import UNDONE
from airflow_provider_kashoo.sync.by_hand.named import SEE, among, id_of
from airflow_provider_kashoo.sync.run.approval import ApprovalNeeded
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, TO_KASHOO, TO_SALESFORCE, Sync


def replay(sync: Sync, idents: Iterable[str | int] | None, *, by: str = "a person") -> dict[str, int]:
    """Read parked records again, plan and write them, as a run of its own that moves no watermark.

    :param sync: any run; its connections and store are used.
    :param idents: ids of records as ``airflow kashoo status`` shows them, or of operations; None for all, but for those
        that a person rejected or undid.
    :param by: who asked; it is kept in the audit trail.
    :returns: outcome -> records.
    :raises ConfigurationError: for an id that is not parked; nothing is replayed then. Also when what would be
        written has to be approved by a person.
    """
    chosen = _chosen(sync, idents)
    sync.store.waiting.note_asked(chosen, by)
    outcome: Counter[str] = Counter()
    into_books = [row for row in chosen if row["target"] in KINDS]
    if into_books:
        again = _run_of(sync, TO_KASHOO, frozenset(row["source_id"] for row in into_books))
        outcome += _run_steps(again, sorted({row["source_object"] for row in into_books}))
    if len(into_books) < len(chosen):
        outcome += _run_steps(_run_of(sync, TO_SALESFORCE, None), KASHOO_SOURCES)
    return dict(outcome)


def still_parked(sync: Sync, idents: Iterable[str], cause: str) -> tuple[list[str], list[str]]:
    """Divide what somebody asked for a while ago: another run, or another person, may have been faster.

    :param idents: ids of records, or of operations.
    :param cause: error class; all that is parked for it is meant, too.
    :returns: ids of what is parked now, and those that are not.
    """
    parked = sync.store.journal.unsettled(State.PARKED, State.RETRY)
    found = {id_of(row): None for row in parked if row["error_class"] == cause}
    gone = []
    for ident in idents:
        rows = among(parked, ident)
        found |= {id_of(row): None for row in rows}
        gone += [] if rows else [ident]
    return list(found), gone


def _chosen(sync: Sync, idents: Iterable[str | int] | None) -> list[Mapping[str, Any]]:
    """Find the parked operations; with a customer or item come the records that wait for it."""
    parked = sync.store.journal.unsettled(State.PARKED, State.RETRY)
    by_name = {REJECTED, UNDONE.error_class}  # a person decided about these: only who names one wants it tried again
    rows = [row for row in parked if row["error_class"] not in by_name] if idents is None else []
    for ident in [] if idents is None else idents:
        if not (found := among(parked, str(ident))):
            raise ConfigurationError(f"No parked record has the id {ident}.", remedy=SEE)
        rows += [row for row in found if row not in rows]
    if any(row["target"] in PARENTS for row in rows):
        rows += [row for row in parked if row["error_class"] == WAITING_FOR_PARENT and row not in rows]
    sync.store.waiting.ask_again([row["id"] for row in rows if row["error_class"] == REJECTED])
    billed = [row for row in rows if row["target"] == INVOICE.name]
    sync.store.undone.bill_again(INVOICE.name, {row[name] for row in billed for name in ("source_id", "sale_id")})
    return rows


def _run_of(sync: Sync, name: str, only: frozenset[str] | None) -> Sync:
    run_id = f"replay__{datetime.now(UTC).isoformat()}"
    run = RunFacts(run_id=run_id, run_type="replay", only=only)
    return replace(sync, name=name, run=run, files=sync.files.of_run(name, run_id))


def _run_steps(sync: Sync, sources: Iterable[str]) -> Counter[str]:
    steps.preflight(sync)
    for source in sources:
        steps.extract(sync, source)
    steps.plan(sync)
    try:
        steps.approve(sync)
    except ApprovalNeeded as asked:
        sync.store.finish_run(sync.name, sync.run.run_id)  # nobody is to approve what is not executed any more
        remedy = f"The next run of {sync.name} plans it again, and asks there."
        raise ConfigurationError(asked.what, remedy=remedy) from None
    outcome = steps.apply(sync)
    steps.commit(sync)
    return Counter(outcome)

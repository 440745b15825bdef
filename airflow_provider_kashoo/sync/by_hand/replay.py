"""A person's hand on what did not go through: replay parked records, resolve doubtful ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import BOOKS_TARGETS
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.plan import Action
from airflow_provider_kashoo.core.rules.questions import total_differs
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, TO_KASHOO, TO_SALESFORCE, Sync
from airflow_provider_kashoo.sync.write.look_up import reference_of

Operation = Mapping[str, Any]

HIGHEST_ID = 1 << 31
"""Beyond this no database of ours counts operations."""

SETTLED_BY_ITSELF = {
    Action.VOID: ("void", "Nothing: the next run looks it up by itself."),
    Action.WRITE_BACK: ("write-back", "Nothing: the next run tells Salesforce again by itself."),
}
"""What a person cannot settle, and need not -> its name, and what to do."""


def replay(sync: Sync, idents: Iterable[int] | None) -> dict[str, int]:
    """Read parked records again, plan them afresh and apply, as a run of its own that moves no watermark.

    :param sync: any run; its connections and store are used.
    :param idents: operation ids as ``airflow kashoo status`` shows them; None for all.
    :returns: outcome -> rows.
    :raises ConfigurationError: for an id that is not parked; nothing is replayed then.
    """
    chosen = _chosen(sync, idents)
    outcome: Counter[str] = Counter()
    into_books = [row for row in chosen if row["target"] in BOOKS_TARGETS]
    if into_books:
        again = _run_of(sync, TO_KASHOO, frozenset(row["source_id"] for row in into_books))
        outcome += _run_steps(again, sorted({row["source_object"] for row in into_books}))
    if len(into_books) < len(chosen):
        outcome += _run_steps(_run_of(sync, TO_SALESFORCE, None), KASHOO_SOURCES)
    return dict(outcome)


def resolve(sync: Sync, ident: int, kashoo_id: int | None) -> str:
    """Settle an operation in doubt by what a person saw in Kashoo.

    :param kashoo_id: the record it made; None when it made none.
    :returns: the new state.
    :raises ConfigurationError: for an unknown id, one that is not in doubt or settles by itself, or a record that is
        not in the books or cannot be the one that was written.
    """
    operation = sync.store.journal.operation(ident) if 0 < ident < HIGHEST_ID else None
    if operation is None or operation["state"] not in {State.SENT, State.IN_DOUBT}:
        state = "unknown" if operation is None else operation["state"]
        raise ConfigurationError(f"Operation {ident} is {state}, not in doubt.", remedy="See: airflow kashoo status")
    if operation["action"] in SETTLED_BY_ITSELF:
        name, remedy = SETTLED_BY_ITSELF[operation["action"]]
        raise ConfigurationError(f"Operation {ident} is a {name}.", remedy=remedy)
    if operation["state"] == State.SENT and operation["deadline"] > sync.store.now():
        raise ConfigurationError(f"Operation {ident} was sent just now.", remedy="Wait for its answer.")
    event, review = Event.ABSENT, None
    if kashoo_id is not None:
        event, found = Event.FOUND, _found(sync, operation, kashoo_id)
        review = total_differs(operation["target"], operation["expected_total"], found.get("totalDue"))
    if not sync.store.journal.settle(operation, event, "resolved by a person", kashoo_id, review):
        raise ConfigurationError(f"Operation {ident} was settled by another process meanwhile.", remedy="Look again.")
    return State.NOT_WRITTEN.value if kashoo_id is None else State.DONE.value


def _found(sync: Sync, operation: Operation, kashoo_id: int) -> dict[str, Any]:
    """Read the record that an operation is said to have written; refuse one that it cannot have."""
    target = operation["target"]
    if operation["action"] == Action.UPDATE and kashoo_id != operation["kashoo_id"]:
        raise ConfigurationError(
            f"Operation {operation['id']} updated Kashoo's {target} {operation['kashoo_id']}, not {kashoo_id}.",
            remedy=f"Give --found {operation['kashoo_id']} when it says what was sent, or --absent.",
        )
    found = sync.kashoo.read(target, kashoo_id)
    if found is None or is_gone(found):
        raise ConfigurationError(
            f"Kashoo has no {target} {kashoo_id}{'' if found is None else ' any more'}.",
            remedy="Give the id from the record's address in Kashoo, or --absent.",
        )
    if other := _owner(sync, operation, found):
        raise ConfigurationError(
            f"Kashoo's {target} {kashoo_id} is the one of {other}.", remedy="Give the id of another one, or --absent."
        )
    return found


def _owner(sync: Sync, operation: Operation, found: dict[str, Any]) -> str:
    """Name what a record of the books belongs to, when that is another one; a customer may belong to several."""
    target, ident = operation["target"], found["id"]
    if target == "invoice":
        link = sync.store.links.of_kashoo(target, [ident]).get(ident)
        if link and link.sale_id != operation["sale_id"]:
            return f"{link.source_object} {link.source_id}"
        if not link and ident in sync.store.links.held(target):
            return "a sale of another Salesforce org"
    marks = to_document(target, found, sync.kashoo.profile)["references"]
    if operation["action"] == Action.CREATE and marks and reference_of(operation) not in marks:
        return f"{marks[0]}, the reference that stands on it"
    return ""


def _chosen(sync: Sync, idents: Iterable[int] | None) -> list[Operation]:
    """Find the parked operations; a parent is of no use by itself, so what waits for it comes along."""
    parked = {row["id"]: row for row in sync.store.journal.unsettled(State.PARKED, State.RETRY)}
    chosen = set(parked) if idents is None else set(idents)
    if unknown := sorted(chosen - set(parked)):
        raise ConfigurationError(f"No parked operation has the id {unknown[0]}.", remedy="See: airflow kashoo status")
    rows = [parked[ident] for ident in sorted(chosen)]
    if any(row["target"] in {"customer", "item"} for row in rows):
        rows += [row for row in parked.values() if row["error_class"] == WAITING_FOR_PARENT and row not in rows]
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
    steps.approve(sync)
    outcome = steps.apply(sync)
    steps.commit(sync)
    return Counter(outcome)

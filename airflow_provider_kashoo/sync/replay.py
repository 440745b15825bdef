"""A person's hand on what did not go through: replay parked records, resolve doubtful ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.operations import Event, State
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.sync.sync import Sync


def parked_sources(journal: Journal, idents: Iterable[int] | None) -> frozenset[str]:
    """Find the Salesforce records behind parked operations.

    A parked parent is of no use by itself, so that the records waiting for it come along.

    :param idents: operation ids as ``airflow kashoo status`` shows them; None for all.
    :raises ConfigurationError: for an id that is not parked.
    """
    parked = {row["id"]: row for row in journal.unsettled(State.PARKED, State.RETRY)}
    chosen = set(parked) if idents is None else set(idents)
    if unknown := sorted(chosen - set(parked)):
        raise ConfigurationError(
            f"No parked operation has the id {unknown[0]}.",
            remedy="See: airflow kashoo status. The others are untouched.",
        )
    rows = [parked[ident] for ident in chosen]
    if any(row["target"] in {"customer", "item"} for row in rows):
        rows += [row for row in parked.values() if row["error_class"] == "waiting_for_parent"]
    return frozenset(row["source_id"] for row in rows)


def by_object(journal: Journal, sources: frozenset[str]) -> dict[str, set[str]]:
    """Sort records by their Salesforce object, the order in which a replay extracts them."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in journal.unsettled(State.PARKED, State.RETRY):
        if row["source_id"] in sources:
            found[row["source_object"]].add(row["source_id"])
    return dict(found)


def resolve(sync: Sync, ident: int, kashoo_id: int | None) -> str:
    """Settle an operation in doubt by what a person saw in Kashoo.

    :param kashoo_id: the record it made; None when it made none.
    :returns: the new state.
    :raises ConfigurationError: for an unknown id, one that is not in doubt, or a record that is not in the books.
    """
    operation: Any = sync.store.journal.operation(ident)
    if operation is None or operation["state"] not in {State.SENT, State.IN_DOUBT}:
        state = "unknown" if operation is None else operation["state"]
        raise ConfigurationError(f"Operation {ident} is {state}, not in doubt.", remedy="See: airflow kashoo status")
    if operation["state"] == State.SENT and operation["deadline"] > sync.store.now():
        raise ConfigurationError(f"Operation {ident} was sent just now.", remedy="Wait for its answer.")
    if kashoo_id is not None and sync.kashoo.read(operation["target"], kashoo_id) is None:
        raise ConfigurationError(
            f"Kashoo has no {operation['target']} {kashoo_id}.",
            remedy="Give the id from the record's address in Kashoo.",
        )
    event = Event.ABSENT if kashoo_id is None else Event.FOUND
    if not sync.store.journal.settle(operation, event, "resolved by a person", kashoo_id):
        raise ConfigurationError(f"Operation {ident} was settled by another process meanwhile.", remedy="Look again.")
    return State.NOT_WRITTEN.value if kashoo_id is None else State.DONE.value

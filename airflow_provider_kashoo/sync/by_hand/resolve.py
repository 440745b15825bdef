"""Close a write in doubt with what a person found in Kashoo."""

from __future__ import annotations

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import is_dated
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.questions import mark_missing, total_differs
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.sync.by_hand.named import SEE, among
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.write.look_up import Operation, reference_of

HIGHEST_ID = 1 << 31
"""Beyond this no database of ours counts operations."""

NOT_BY_HAND = {
    Action.VOID: ("void", "Nothing to do: the next run looks it up."),
    Action.WRITE_BACK: ("write-back", "Nothing to do: the next run writes it to Salesforce again."),
    Action.UPSERT: ("write to Salesforce", "Nothing to do: the next run looks for it, or writes it again."),
}
"""Actions that the next run closes without a person -> name, and what to do."""


def resolve(sync: Sync, named: str | int, kashoo_id: int | None, *, by: str = "a person") -> str:
    """Close an operation in doubt with what a person found in Kashoo.

    :param named: id of its record as ``airflow kashoo status`` shows it, or its own.
    :param kashoo_id: the record it made; None when it made none.
    :param by: who looked; it is kept in the audit trail.
    :returns: the new state.
    :raises ConfigurationError: for an unknown id, an operation that is not in doubt or not closed by hand, or a record
        that is not in the books or cannot be the one that was written.
    """
    operation = _in_doubt(sync, str(named))
    ident = operation["id"]
    if operation["action"] in NOT_BY_HAND:
        name, remedy = NOT_BY_HAND[operation["action"]]
        raise ConfigurationError(f"Operation {ident} is a {name}. It is not resolved by hand.", remedy=remedy)
    if operation["state"] == State.SENT and operation["deadline"] > sync.store.now():
        raise ConfigurationError(
            f"Operation {ident} was sent just now.", remedy="Wait a minute for its answer, then try again."
        )
    event, review = Event.ABSENT, None
    if kashoo_id is not None:
        event, found = Event.FOUND, _found(sync, operation, kashoo_id)
        unmarked = mark_missing(reference_of(operation), found.references, found.reference_field)
        expected, currency = operation["expected_total"], operation["currency"]
        review = total_differs(operation["target"], expected, found.total, currency) or unmarked
    if not sync.store.journal.settle(operation, event, f"resolved by {by}", kashoo_id, review):
        raise ConfigurationError(f"Another process closed operation {ident} meanwhile.", remedy=SEE)
    return State.NOT_WRITTEN.value if kashoo_id is None else State.DONE.value


def _in_doubt(sync: Sync, named: str) -> Operation:
    """Find the operation in doubt that a person means.

    :raises ConfigurationError: when there is none, or several.
    """
    found = among(sync.store.journal.unsettled(State.SENT, State.IN_DOUBT), named)
    if not found:
        is_number = named.isdecimal() and 0 < int(named) < HIGHEST_ID
        known = sync.store.journal.operation(int(named)) if is_number else None
        state = known["state"] if known else "unknown"
        what = f"{named} is" if is_record_id(named.partition("/")[0]) else f"Operation {named} is {state},"
        raise ConfigurationError(f"{what} not in doubt.", remedy=SEE)
    if len(found) > 1:
        several = ", ".join(f"{row['id']} ({row['target']}, part {row['part']})" for row in found)
        raise ConfigurationError(f"{named} has several writes in doubt.", remedy=f"Give one of: {several}.")
    return found[0]


def _found(sync: Sync, operation: Operation, kashoo_id: int) -> Entry:
    """Read the record that an operation is said to have written; refuse one that cannot be it."""
    target = operation["target"]
    if operation["action"] == Action.UPDATE and kashoo_id != operation["kashoo_id"]:
        raise ConfigurationError(
            f"Operation {operation['id']} updated Kashoo's {target} {operation['kashoo_id']}, not {kashoo_id}.",
            remedy=f"Give --found {operation['kashoo_id']} if it has the new values, or --absent if not.",
        )
    found = sync.kashoo.read(target, kashoo_id)
    if found is None or found.removed:
        raise ConfigurationError(
            f"Kashoo has no {target} {kashoo_id}{'' if found is None else ' any more'}.",
            remedy="Copy the id from the address of the record's page in Kashoo, or give --absent.",
        )
    if other := _owner(sync, operation, found):
        raise ConfigurationError(
            f"Kashoo's {target} {kashoo_id} belongs to {other}.", remedy="Give the id of another one, or --absent."
        )
    return found


def _owner(sync: Sync, operation: Operation, found: Entry) -> str:
    """Name the other record that a record of the books belongs to; empty if it may be the operation's."""
    target, ident = operation["target"], found.id
    if is_dated(target):
        link = sync.store.links.of_kashoo(target, [ident]).get(ident)
        if link and (link.sale_id, link.part) != (operation["sale_id"], operation["part"]):
            return str(link.record)
        if not link and sync.store.links.linked_ids(target, [ident]):
            return "a sale of another Salesforce org"
    marks = found.references
    if operation["action"] == Action.CREATE and marks and reference_of(operation) not in marks:
        return f"{marks[0]}, the reference that it carries"
    return ""

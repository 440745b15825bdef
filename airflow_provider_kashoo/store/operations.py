"""The table of operations: the SQL statements of the journal, and the columns of an intent.

The statements are built once, because building them costs more than running them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, case, insert, or_, select, update

from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Intent,
)
from airflow_provider_kashoo.core.rules.operations import LIVE, State
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import operations

SCOPE = operations.c.scope_id == bindparam("this_scope")
RECORD = (
    SCOPE,
    operations.c.target == bindparam("this_target"),
    operations.c.source_id == bindparam("this_source"),
    operations.c.part == bindparam("this_part"),
)
OF_SALE = and_(
    operations.c.target == bindparam("this_target"),
    operations.c.sale_id == bindparam("this_sale"),
    # The parts of one record are invoices of their own; another record of the sale bills the whole of it.
    or_(operations.c.part == bindparam("this_part"), operations.c.source_id != bindparam("this_source")),
)
OPEN = select(
    operations.c.id, operations.c.key, operations.c.state, operations.c.attempts, operations.c.deadline
).where(SCOPE, operations.c.state.in_(list(LIVE)), or_(operations.c.key == bindparam("this_key"), OF_SALE))
INSERT = insert(operations).returning(operations.c.id)
UPDATE = update(operations).where(operations.c.id == bindparam("this_id"))
IN_STATE = UPDATE.where(operations.c.state == bindparam("this_state"))
SETTLE = IN_STATE.returning(operations.c.seen_read)
SETTLE_HELD = IN_STATE.where(operations.c.lease == bindparam("this_lease")).returning(operations.c.seen_read)
_SEEN: Any = bindparam("this_seen")
SEE = (
    update(operations)
    .where(*RECORD, operations.c.state.in_([State.SENT, State.IN_DOUBT]))
    .values(seen_read=case((operations.c.seen_read > _SEEN, operations.c.seen_read), else_=_SEEN))
)
WAITING = select(operations.c.id).where(*RECORD, operations.c.state.in_([State.PARKED, State.RETRY]))
PARKED = select(operations.c.id).where(*RECORD, operations.c.state == State.PARKED)
CLOSE_PARKED = update(operations).where(
    *RECORD,
    operations.c.state.in_([State.PARKED, State.RETRY]),
    # What a later reading parked stays parked.
    or_(operations.c.source_read.is_(None), operations.c.source_read <= bindparam("this_read")),
)
_EARLIER = operations.alias("earlier")
REFUSED = (
    select(operations, _EARLIER.c.sent_at.label("tried_at"))
    .join(
        _EARLIER,
        and_(
            _EARLIER.c.scope_id == operations.c.scope_id,
            _EARLIER.c.source_id == operations.c.source_id,  # part of the key, and has an index
            _EARLIER.c.key == operations.c.key,
            _EARLIER.c.payload_hash == operations.c.payload_hash,
        ),
    )
    .where(SCOPE, operations.c.state == State.PARKED, operations.c.sent_at.is_not(None))
    .order_by(operations.c.id)
)
"""Each parked write that was sent, once for every time that just this was sent."""
IN_STATES = (
    select(operations)
    .where(SCOPE, operations.c.state.in_(bindparam("these_states", expanding=True)))
    .order_by(operations.c.id)
)


def new(scope: Scope, values: Mapping[str, Any]) -> int:
    """Insert an operation with these columns; return its id."""
    values = {"scope_id": scope.id, "created_at": scope.now, **values}
    return int(scope.connection.execute(INSERT, values).scalar_one())


def names(scope: Scope, intent: Intent) -> dict[str, Any]:
    """Return the SQL parameters that identify an intent's record."""
    record = intent.record
    return {
        "this_scope": scope.id,
        "this_target": record.kind,
        "this_source": record.id,
        "this_part": record.part,
    }


def columns(intent: Intent) -> dict[str, Any]:
    """Return the columns that identify an intent's write."""
    record = intent.record
    return {
        "key": intent.key,
        "action": intent.action.kept_as,
        "target": record.kind,
        "source_object": record.object,
        "source_id": record.id,
        "part": record.part,
        "generation": intent.generation,
        "sale_id": intent.sale or record.id,
        "source_read": intent.source_read or None,
        "link_version": intent.link_version,
        "sources": intent.sources,
    }


def intent_of(operation: Mapping[str, Any]) -> Intent:
    """Rebuild the intent of an operation, without its values, which are not stored."""
    kind, sobject, ident = operation["target"], operation["source_object"], operation["source_id"]
    return INTENTS[Action(operation["action"])](
        record=Record(kind, sobject, ident, operation["part"]),
        sale=operation["sale_id"],
        generation=operation["generation"],
        kashoo_id=operation["kashoo_id"],
        currency=operation["currency"],
        total=operation["expected_total"],
        source_read=operation["source_read"] or "",
        sources=operation["sources"],
    )

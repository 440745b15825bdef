"""Operations as rows of the store: the statements of the journal, and a plan row's columns in them.

The statements are built once: building them for each write costs more than running them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, case, insert, or_, select, update

from airflow_provider_kashoo.core.rules.operations import LIVE, State
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.store.database import Transaction
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
    operations.c.part == bindparam("this_part"),
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
    # What a later reading found wanting goes on waiting.
    or_(operations.c.source_read.is_(None), operations.c.source_read <= bindparam("this_read")),
)
IN_STATES = (
    select(operations)
    .where(SCOPE, operations.c.state.in_(bindparam("these_states", expanding=True)))
    .order_by(operations.c.id)
)


def new(transaction: Transaction, values: Mapping[str, Any]) -> int:
    """Make a new operation of these columns; give its id."""
    values = {"scope_id": transaction.scope_id, "created_at": transaction.now, **values}
    return int(transaction.connection.execute(INSERT, values).scalar_one())


def record(scope_id: int, row: PlanRow) -> dict[str, Any]:
    """Give the parameters that name a plan row's record."""
    return {
        "this_scope": scope_id,
        "this_target": row.target,
        "this_source": row.source_id,
        "this_part": row.part,
    }


def identity(row: PlanRow) -> dict[str, Any]:
    """Give the columns that say which write a plan row is."""
    return {
        "key": row.key,
        "action": row.action.value if row.action is not Action.PARK else Action.CREATE.value,
        "target": row.target,
        "source_object": row.source_object,
        "source_id": row.source_id,
        "part": row.part,
        "generation": row.generation,
        "sale_id": row.sale_id or row.source_id,
        "source_read": row.source_read or None,
    }


def row_of(operation: Mapping[str, Any]) -> PlanRow:
    """Make the plan row again that an operation was; what it wrote is not kept."""
    return PlanRow(
        action=Action(operation["action"]),
        mapping="",
        target=operation["target"],
        source_object=operation["source_object"],
        source_id=operation["source_id"],
        reason="",
        sale_id=operation["sale_id"],
        part=operation["part"],
        generation=operation["generation"],
        kashoo_id=operation["kashoo_id"],
        currency=operation["currency"],
        source_read=operation["source_read"] or "",
    )

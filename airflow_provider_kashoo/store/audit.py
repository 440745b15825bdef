"""The audit: one row for everything that happened to a record, never changed, never deleted."""

from __future__ import annotations

from sqlalchemy import insert

from airflow_provider_kashoo.core.rules.plan import PlanRow
from airflow_provider_kashoo.store.database import Transaction
from airflow_provider_kashoo.store.tables import audit

_INSERT = insert(audit)


def note(
    transaction: Transaction,
    row: PlanRow,
    event: str,
    reason: str,
    run_id: str,
    operation_id: int | None = None,
    kashoo_id: int | None = None,
) -> None:
    """Note what happened to a record and why.

    :param row: names the record and the fields that were written; values are never kept.
    :param event: an action, the state it led to, or what was found out.
    """
    transaction.connection.execute(
        _INSERT,
        {
            "scope_id": transaction.scope_id,
            "at": transaction.now,
            "run_id": run_id,
            "operation_id": operation_id,
            "event": event,
            "target": row.target,
            "source_object": row.source_object,
            "source_id": row.source_id,
            "kashoo_id": kashoo_id,
            "fields": sorted(row.payload),
            "reason": reason,
        },
    )

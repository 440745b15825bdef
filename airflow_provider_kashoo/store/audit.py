"""The audit trail: one row per event of a record, never changed, never deleted."""

from __future__ import annotations

from sqlalchemy import insert

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import audit

_INSERT = insert(audit)


def note(
    scope: Scope,
    intent: Intent,
    event: str,
    reason: str,
    run_id: str,
    operation_id: int | None = None,
    kashoo_id: int | None = None,
) -> None:
    """Add a row within the current transaction.

    :param intent: gives the record and the names of the written fields; values are never stored.
    :param event: an action, a new state, or the result of a look-up.
    """
    record = intent.record
    scope.connection.execute(
        _INSERT,
        {
            "scope_id": scope.id,
            "at": scope.now,
            "run_id": run_id,
            "operation_id": operation_id,
            "event": event,
            "target": record.kind,
            "source_object": record.object,
            "source_id": record.id,
            "kashoo_id": kashoo_id,
            "fields": sorted(intent.written),
            "reason": reason,
        },
    )

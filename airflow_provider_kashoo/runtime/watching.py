"""The connections of the watchers: opened once, asked often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.hooks.kashoo import KashooHook
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.settings import open_database, settings
from airflow_provider_kashoo.store.store import keyed_hash
from airflow_provider_kashoo.sync.read.changes import kashoo_changes, salesforce_changes

Look = Callable[[Any], tuple[list[str], Any]]
"""Cursor -> what changed since, and the next cursor."""


def salesforce_look(conn_id: str, objects: Sequence[str]) -> Look:
    """Log in to Salesforce.

    :raises SyncError: as the hook does.
    """
    client = KashooSalesforceHook(conn_id).client
    return lambda cursor: salesforce_changes(client, objects, cursor)


def kashoo_look(conn_id: str, objects: Sequence[str]) -> Look:
    """Open Kashoo, with the same request budget as the syncs.

    :raises ConfigurationError: for a connection or store that does not exist.
    """
    client = KashooHook(conn_id).client()
    database = open_database()
    try:
        hashes = keyed_hash(database)
    finally:
        database.dispose()
    zone = settings().zone

    def look(cursor: Any) -> tuple[list[str], Any]:
        today = business_date(datetime.now(UTC), zone)
        return kashoo_changes(client, objects, cursor, today=today, hashes=hashes)

    return look

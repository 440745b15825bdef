"""The assets that other DAGs wait for: what the syncs wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.sdk import Context

WRITTEN_BY = {"salesforce_to_kashoo": "kashoo_invoices", "kashoo_to_salesforce": "salesforce_payments"}
"""Sync -> name of the asset that it writes; the name is its URI too, so that ``Asset(name)`` finds it."""

WRITES = ("created", "updated", "voided", "written_back", "done before")
"""Outcomes of records that this run wrote; *done before* means by an earlier try of the same task."""


def assets_of(sync: str) -> list[Asset]:
    """Give the asset that a sync writes; none for a sync of another name."""
    return [Asset(WRITTEN_BY[sync])] if sync in WRITTEN_BY else []


def announced(outlets: Sequence[Any], outcome: Mapping[str, int], context: Context) -> list[Any]:
    """Choose the outlets that get an event, and put into it how many records were written.

    Airflow makes an event for each outlet that a task has when it succeeds.

    :param outcome: outcome -> records, as the step says it.
    :returns: all outlets, or none if nothing was written.
    """
    written = {name: outcome[name] for name in WRITES if outcome.get(name)}
    if not written:
        return []
    for asset in outlets:
        if isinstance(asset, Asset):
            context["outlet_events"][asset].extra |= written
    return list(outlets)

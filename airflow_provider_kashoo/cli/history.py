"""``airflow kashoo history``: what happened to one record, a sentence for each event, from the store alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18
from airflow_provider_kashoo.reports.history import Happened, events_of
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.history import history_of

FORMAT = "1.0"


def happened(database: Database, record: str) -> list[Happened]:
    """Give what happened to a record, oldest first.

    :param record: a Salesforce id, or the id of a record in Kashoo.
    :raises ConfigurationError: when the store does not know it.
    """
    named = to_18(record) if is_record_id(record) else record.strip()
    histories = list(history_of(database, named)) if named else []
    if not histories:
        raise ConfigurationError(
            f"The store does not know {shown(record)}.",
            remedy="Give the Salesforce id, or the id in Kashoo. Of an invoice's number, airflow kashoo explain gives "
            "them.",
        )
    return [
        event
        for each in histories
        for event in events_of(each.entries, each.operations, each.questions, each.decisions)
    ]


def as_text(events: list[Happened]) -> list[str]:
    """Write a line for each event."""
    several = len({each.source_id for each in events}) > 1
    return [
        f"{_at(each)}  {f'{each.source_id}: ' if several else ''}{each.text}"
        + (f"  [run {each.run_id}]" if each.run_id else "")
        for each in events
    ]


def as_json(record: str, events: list[Happened]) -> str:
    """Write it as one JSON object, times ISO 8601 UTC."""
    rows: list[dict[str, Any]] = [vars(each) | {"at": _at(each)} for each in events]
    said = {"format_version": FORMAT, "record": record, "events": rows}
    return json.dumps(said, indent=2, ensure_ascii=False)


def _at(event: Happened) -> str:
    return datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds")

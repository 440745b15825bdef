"""What can be used of an answer of Salesforce: one odd row must not spoil the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.core.values.ids import is_record_id

log = logging.getLogger(__name__)

Record = dict[str, Any]

_ANY_ID = "000000000000000AAA"


def page_of(page: Any) -> dict[str, Any]:
    """Check that an answer is a page of a query; its records may be anything.

    :raises UnreachableError: when it is something else.
    """
    is_page = isinstance(page, dict) and type(page.get("totalSize")) is int and isinstance(page.get("records"), list)
    if not is_page or not (page.get("done") is True or isinstance(page.get("nextRecordsUrl"), str)):
        raise UnreachableError("Salesforce's answer is not a page of a query.", remedy="The task tries again.")
    return dict(page)


def rows_of(page: Any, name: str) -> list[Record]:
    """Return the objects of a list in an answer; nothing if there is no such list."""
    found = page.get(name) if isinstance(page, dict) else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def usable(rows: list[Any]) -> Iterator[Record]:
    """Leave out what is no record, and what shows its id with a value that no id has: nobody can say whose it is."""
    for row in rows:
        if isinstance(row, dict) and is_record_id(row.get("Id", _ANY_ID)):
            yield row
        else:
            log.warning("Salesforce gives a record without an id; it is left out.")


def covered_by(updated: Any) -> datetime | None:
    """Read up to when changes are visible; None if the answer does not say."""
    try:
        return parse_instant(updated["latestDateCovered"])
    except (TypeError, ValueError, KeyError, OverflowError):
        log.warning("Salesforce does not say up to when changes are visible; what is not visible yet is read later.")
        return None

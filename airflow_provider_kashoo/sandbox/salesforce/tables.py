"""The rows of one object with the indexes that keep them quick to find."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_kashoo.sandbox.salesforce.schema import SObject

Row = dict[str, Any]
#: Parent id -> ids of the children that refer to it, in the order they were linked.
Links = MutableMapping[str, dict[str, None]]


def stamp_text(moment: datetime) -> str:
    """Return an aware UTC datetime as the REST API writes it, cut to milliseconds; sorts as time does."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


class Store(Protocol):
    """What a write can go to and be taken back from."""

    name: str
    rows: MutableMapping[str, Row]

    def put(self, record_id: str, row: Row | None) -> None:
        """Store ``row``; None removes it."""


class Table:
    """The rows of one object by id, indexed by parent and by unique value; rows are replaced, never edited."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject, self.name = sobject, sobject.name
        self.rows: MutableMapping[str, Row] = {}
        refs = [item.name for item in sobject.fields.values() if item.to and item.to != "User"]
        self.refs: dict[str, Links] = {name: {} for name in refs}
        self.unique: dict[str, dict[str, str]] = {n: {} for n, f in sobject.fields.items() if f.external_id}

    def put(self, record_id: str, row: Row | None) -> None:
        """Store ``row`` (None removes it) and keep the indexes in step; deleted rows free their unique values."""
        old = self.rows.get(record_id)
        for name, children in self.refs.items():
            before, after = old and old[name], row and row[name]
            if before != after:
                if before:
                    children[before].pop(record_id)
                if after:
                    children.setdefault(after, {})[record_id] = None
        for name, owners in self.unique.items():
            if old and old[name] and not old["IsDeleted"]:
                owners.pop(old[name].lower())
            if row and row[name] and not row["IsDeleted"]:
                owners[row[name].lower()] = record_id
        if row is None:
            self.rows.pop(record_id, None)
        else:
            self.rows[record_id] = row

    def scan(self, low: str, high: str) -> Iterable[Row]:  # noqa: ARG002 - a hint that a plain table has no use for
        """Return all rows, at least those whose SystemModstamp lies in [``low``, ``high``]; only to be read by key."""
        return self.rows.values()

    def live(self) -> int:
        """Return how many rows lie outside the recycle bin."""
        return sum(not row.get("IsDeleted") for row in self.rows.values())

    def children(self, field: str, parent_id: str) -> list[Row]:
        """Return the rows outside the recycle bin that refer to ``parent_id``, in the order they were linked."""
        rows = (self.rows[child] for child in self.refs[field].get(parent_id, ()))
        return [row for row in rows if not row["IsDeleted"]]


class Graves:
    """Which records were deleted for good, and when they were deleted: what ``deleted/`` still knows of them."""

    name = "graves"

    def __init__(self) -> None:
        self.rows: MutableMapping[str, Row] = {}

    def put(self, record_id: str, row: Row | None) -> None:
        """Store ``row`` (sobject, deletedDate); None removes it."""
        if row is None:
            self.rows.pop(record_id, None)
        else:
            self.rows[record_id] = row

"""Stage deals as the extracts of a run would: the same columns, types and parts, but no requests for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sold

from airflow_provider_kashoo.sync.read.columns import Part, with_parent
from airflow_provider_kashoo.sync.read.shapes import Types, shape_of
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.deltas import Delta
from airflow_provider_kashoo.sync.run.sync import Sync

DEALS, LOWER = "Opportunity", "2026-01-01T00:00:00+00:00"
LINES_EACH = (1, 1, 1, 0, 1, 1, 1, 2, 1, 1)
"""How many lines a deal has, over and over: as many lines as deals; a deal without one becomes a single line."""


def stage(sync: Sync, deals: int, part: int, read: str) -> None:
    """Stage a delta of so many deals with as many lines, and empty ones of all other objects.

    :param part: rows of a part: 100,000 or so as a bulk job has them, 1,000 as they are read by id.
    :param read: when Salesforce was asked, ISO 8601 UTC.
    """
    parts = Parts(sync.files, DEALS)
    for _ in parts.keep(_parts(sync, deals, part)):
        pass
    for source in sync.sources:
        more: dict[str, Any] = {}
        if source == DEALS:
            more = {"lines": deals, "bulk": part > 1_000, "parts": parts.rows}
        records = deals if source == DEALS else 0
        Delta(f"salesforce.{source}", LOWER, read, True, "staged", read, records, **more).stage(sync.files, source)


def _parts(sync: Sync, deals: int, part: int) -> Iterator[Part]:
    shape = shape_of(sync, DEALS)
    assert shape.lines
    own, of_lines = sold.deals_and_lines(deals, LINES_EACH)
    lines = with_parent(_table(of_lines, shape.lines.types), shape.lines.key)
    given = {DEALS: _table(own, shape.types | {"IsDeleted": pa.bool_()})}
    for parent, columns in (("Account", sold.customers()), ("Product2", sold.products())):
        given[parent] = _table(columns, shape_of(sync, parent).types)
    for name, table in [*((f"records.{each}", table) for each, table in given.items()), ("lines", lines)]:
        for start in range(0, table.num_rows, part):
            yield name, table.slice(start, part)


def _table(columns: sold.Columns, types: Types) -> pa.Table:
    """Give the columns that the mappings read; what no column is made for is empty."""
    rows = len(columns["Id"])
    return pa.table({path: columns.get(path, pa.nulls(rows, kind)).cast(kind) for path, kind in types.items()})

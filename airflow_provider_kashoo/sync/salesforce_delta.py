"""Step one, from Salesforce: which records are dirty, read whole, with their lines and parents.

Dirty are: records that changed, parents of changed or deleted lines, records whose referenced records
changed, and everything the journal has not settled. Kinds of staged file, per extracted object:

``delta.<Object>``           window, counts, ids that were deleted
``records.<Object>.<Other>`` records of ``Other`` that the extract of ``Object`` brought
``lines.<Object>``           its lines, each with the id of its ``parent``
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core import soql
from airflow_provider_kashoo.core.mapping import Mapping as FieldMapping
from airflow_provider_kashoo.core.window import Window, delta_window
from airflow_provider_kashoo.sync import frames
from airflow_provider_kashoo.sync.sync import Sync

log = logging.getLogger(__name__)
STAMPED: dict[str, pa.DataType] = {"Id": pa.string(), "SystemModstamp": pa.timestamp("us", "UTC")}


@dataclass
class Shape:
    """What the mappings read of one object.

    :param records: path -> type, of the object itself.
    :param lines: child object, its parent field, path -> type; None when no mapping reads lines.
    :param picks: child relationship -> (child object, parent field, order, path -> type).
    :param sales: relationships to the record that names the sale; when that one is lost, this one is to be billed.
    """

    records: dict[str, pa.DataType] = field(default_factory=lambda: dict(STAMPED))
    lines: tuple[str, str, dict[str, pa.DataType]] | None = None
    picks: dict[str, tuple[str, str, str, dict[str, pa.DataType]]] = field(default_factory=dict)
    sales: set[str] = field(default_factory=set)

    def references(self, paths: Iterable[str]) -> list[str]:
        """List the relationships that paths run through, such as ``Account`` and ``Account.Owner``."""
        found: set[str] = set()
        for path in paths:
            steps = path.split(".")[:-1]
            found.update(".".join(steps[: count + 1]) for count in range(len(steps)))
        return sorted(found)


def extract(sync: Sync, sobject: str) -> dict[str, Any]:
    """Stage the delta of one object.

    :returns: the report that is also staged: window and counts.
    :raises ConfigurationError: for a mapping that reads what the org does not have.
    """
    shape = shape_of(sync, sobject)
    source = f"salesforce.{sobject}"
    window = delta_window(
        sync.run,
        watermark=sync.store.watermarks.get(source),
        now=sync.salesforce.now(),
        overlap=sync.settings.overlap,
        margin=sync.settings.margin,
        covered=None,
        covered_age=timedelta(days=1),
    )
    dirty, deleted = _dirty(sync, sobject, shape, window)
    ids = sorted(dirty)
    records = list(_whole(sync, sobject, shape, ids))
    table = frames.to_table(records, _record_types(shape))
    sync.files.write_table(f"records.{sobject}.{sobject}", table)
    lines = None
    if shape.lines:
        child, key, types = shape.lines
        rows = list(_children(sync, child, key, list(types), ids, "Id"))
        lines = frames.to_table(({**row, "parent": row[key]} for row in rows), {"parent": pa.string(), **types})
        sync.files.write_table(f"lines.{sobject}", lines)
    _stage_parents(sync, sobject, table, lines)
    report = {
        "source": source,
        "lower": window.lower.isoformat(),
        "upper": window.upper.isoformat(),
        "moves": window.moves,
        "note": window.note,
        "records": table.num_rows,
        "lines": lines.num_rows if lines is not None else 0,
        "deleted": sorted(deleted),
        "missing": sorted(dirty - set(table["Id"].to_pylist())),
    }
    sync.files.write_json(f"delta.{sobject}", report)
    log.info(
        "%s: %d records in [%s, %s), %d deleted", sobject, table.num_rows, window.lower, window.upper, len(deleted)
    )
    return report


def shape_of(sync: Sync, sobject: str) -> Shape:
    """Collect what all mappings read of an object, checked against describe.

    :raises ConfigurationError: naming the mapping's file and line.
    """
    shape = Shape()
    for mapping in sync.mappings_from(sobject):
        own, picked = _split(mapping)
        shape.records |= frames.columns(sync.salesforce, sobject, mapping, own)
        if mapping.from_.lines:
            child, key = frames.child_of(sync.salesforce, sobject, mapping.from_.lines, mapping)
            types = shape.lines[2] if shape.lines else {"Id": pa.string(), key: pa.string()}
            types |= frames.columns(sync.salesforce, child, mapping, mapping.line_paths())
            shape.lines = (child, key, types)
        sale = sync.salesforce.describe(sobject).fields.get(mapping.sale.from_ or "") if mapping.sale else None
        if sale and sale.relationship:
            shape.sales.add(sale.relationship)
        for relationship, order in mapping.from_.pick.items():
            child, key = frames.child_of(sync.salesforce, sobject, relationship, mapping)
            types = frames.columns(sync.salesforce, child, mapping, picked.get(relationship, {}))
            shape.picks[relationship] = (child, key, order, types)
    return shape


def _split(mapping: FieldMapping) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    own: dict[str, Any] = {}
    picked: dict[str, dict[str, Any]] = {}
    for path, place in mapping.header_paths().items():
        first, _, rest = path.partition(".")
        if first in mapping.from_.pick:
            picked.setdefault(first, {})[rest] = place
        else:
            own[path] = place
    return own, picked


def _record_types(shape: Shape) -> dict[str, pa.DataType]:
    picked = {f"{name}.{path}": kind for name, pick in shape.picks.items() for path, kind in pick[3].items()}
    return shape.records | picked


def _dirty(sync: Sync, sobject: str, shape: Shape, window: Window) -> tuple[set[str], set[str]]:
    unsettled = set(sync.store.journal.unsettled_sources(sobject))
    if sync.run.only is not None:
        return unsettled & sync.run.only, set()
    if window.empty:
        return unsettled, set()
    client = sync.salesforce
    changed = list(client.query(soql.changed(sobject, window), deleted=True))
    deleted = {row["Id"] for row in changed if row["IsDeleted"]}
    dirty = {row["Id"] for row in changed} | unsettled
    for child, key in _dependents(shape):
        dirty |= {row[key] for row in client.query(soql.changed_parents(child, key, window), deleted=True) if row[key]}
    for reference in sorted({*shape.references(shape.records), *shape.sales}):
        dirty |= {row["Id"] for row in client.query(soql.changed_by_reference(sobject, reference, window))}
    if shape.lines:
        child, key, types = shape.lines
        for reference in shape.references(types):
            found = client.query(soql.changed_by_reference(child, reference, window, owner=key))
            dirty |= {row[key] for row in found}
    return dirty - deleted, deleted


def _dependents(shape: Shape) -> Iterator[tuple[str, str]]:
    if shape.lines:
        yield shape.lines[0], shape.lines[1]
    for child, key, _, _ in shape.picks.values():
        yield child, key


def _whole(sync: Sync, sobject: str, shape: Shape, ids: list[str]) -> Iterator[dict[str, Any]]:
    picked: dict[str, dict[str, dict[str, Any]]] = {}
    for relationship, (child, key, order, types) in shape.picks.items():
        first: dict[str, dict[str, Any]] = {}
        for row in _children(sync, child, key, [key, *types], ids, f"{key}, {order}"):
            first.setdefault(row[key], row)
        picked[relationship] = first
    for text in soql.by_ids(sobject, list(shape.records), ids):
        for record in sync.salesforce.query(text):
            yield record | {name: rows.get(record["Id"]) for name, rows in picked.items()}


def _children(
    sync: Sync, child: str, key: str, paths: list[str], ids: list[str], order: str
) -> Iterator[dict[str, Any]]:
    for text in soql.by_ids(child, list(dict.fromkeys(paths)), ids, key=key, order=order):
        yield from sync.salesforce.query(text)


def _stage_parents(sync: Sync, sobject: str, table: pa.Table, lines: pa.Table | None) -> None:
    """Read the parents that these records link to; changing parents alone never makes one of them needed."""
    wanted: dict[str, set[str]] = {}
    for mapping in sync.mappings_from(sobject):
        for link in mapping.links():
            parent = sync.mappings[str(link.mapping)].from_.object
            for source in (table, lines):
                if source is not None and link.link in source.column_names:
                    wanted.setdefault(parent, set()).update(filter(None, source[link.link].to_pylist()))
    for parent, ids in wanted.items():
        shape = shape_of(sync, parent)
        rows = _whole(sync, parent, shape, sorted(ids))
        sync.files.write_table(f"records.{sobject}.{parent}", frames.to_table(rows, _record_types(shape)))


def load_records(sync: Sync, sobject: str) -> pd.DataFrame | None:
    """Put together every staged record of an object, whichever extract brought it."""
    names = [name for name in sync.files.names("records.") if name.split(".")[2] == sobject]
    tables = [table for table in (sync.files.read_table(name) for name in names) if table is not None]
    return frames.to_frame(tables) if tables else None


def load_lines(sync: Sync, sobject: str) -> pd.DataFrame | None:
    """Give the staged lines of an object."""
    table = sync.files.read_table(f"lines.{sobject}")
    return None if table is None else frames.to_frame([table])

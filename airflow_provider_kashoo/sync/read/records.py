"""Reading Salesforce records whole, by id, in parts, so that memory stays flat however many there are.

Parts are named ``records.<Object>.<Other>.<part>`` and ``lines.<Object>.<part>``: what the extract of
``Object`` brought. Its ``delta.<Object>`` lists them, and exactly those are loaded: a try that was given up and lives
on, or a file that somebody removed, must not pass for nothing changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.bulk import BulkQueries
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.sync.read import columns as frames
from airflow_provider_kashoo.sync.run.deltas import all_staged, staged
from airflow_provider_kashoo.sync.run.sync import Sync

STAMPED: dict[str, pa.DataType] = {"Id": pa.string(), "SystemModstamp": pa.timestamp("us", "UTC")}
PART_RECORDS = 1_000

Part = tuple[str, pa.Table]
"""A staged part: its name, and what is in it."""


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

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Path -> type of a staged record, picked children included."""
        return self.records | {
            f"{name}.{path}": kind for name, pick in self.picks.items() for path, kind in pick[3].items()
        }

    def references(self, paths: Iterable[str]) -> list[str]:
        """List the relationships that paths run through, such as ``Account`` and ``Account.Owner``."""
        found: set[str] = set()
        for path in paths:
            steps = path.split(".")[:-1]
            found.update(".".join(steps[: count + 1]) for count in range(len(steps)))
        return sorted(found)


def shape_of(sync: Sync, sobject: str) -> Shape:
    """Collect what all mappings read of an object, checked against describe.

    :raises ConfigurationError: naming the mapping's file and line.
    """
    shape = Shape()
    fields = sync.salesforce.describe(sobject).fields
    for mapping in sync.mappings_from(sobject):
        if "SystemModstamp" not in fields:
            raise ConfigurationError(
                f"{mapping.place('from')}: {sobject} has no SystemModstamp, so its changes cannot be seen.",
                remedy="Map an object that has one.",
            )
        own, picked = _split(mapping)
        shape.records |= frames.columns(sync.salesforce, sobject, mapping, own)
        if mapping.from_.lines:
            child, key = frames.child_of(sync.salesforce, sobject, mapping.from_.lines, mapping)
            types = shape.lines[2] if shape.lines else {"Id": pa.string(), key: pa.string()}
            types |= frames.columns(sync.salesforce, child, mapping, mapping.line_paths())
            shape.lines = (child, key, types)
        sale = fields.get(mapping.sale.from_ or "") if mapping.sale else None
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


def by_id(sync: Sync, prefix: str, sobject: str, shape: Shape, ids: Iterable[str]) -> Iterator[Part]:
    """Read records by id and stage them as parts; yields each part."""
    this_try = uuid.uuid4().hex[:8]
    for number, some in enumerate(_batches(ids), start=1):
        picked: dict[str, dict[str, dict[str, Any]]] = {}
        for relationship, (child, key, order, types) in shape.picks.items():
            first: dict[str, dict[str, Any]] = {}
            for row in _found(sync, child, [key, *types], some, key, f"{key}, {order}"):
                first.setdefault(row[key], row)
            picked[relationship] = first
        rows = (
            record | {name: found.get(record["Id"]) for name, found in picked.items()}
            for record in _found(sync, sobject, list(shape.records), some, "Id", "Id")
        )
        table = frames.to_table(rows, shape.types)
        name = f"{prefix}.rest-{this_try}-{number:05d}"
        sync.files.write_table(name, table)
        yield name, table


def lines_by_parent(sync: Sync, sobject: str, shape: Shape, ids: Iterable[str]) -> Iterator[Part]:
    """Read all lines of some records and stage them as parts; yields each part."""
    if not shape.lines:
        return
    child, key, types = shape.lines
    this_try = uuid.uuid4().hex[:8]
    for number, some in enumerate(_batches(ids), start=1):
        rows = _found(sync, child, list(types), some, key, "Id")
        table = frames.with_parent(frames.to_table(rows, types), key)
        name = f"lines.{sobject}.rest-{this_try}-{number:05d}"
        sync.files.write_table(name, table)
        yield name, table


def _found(
    sync: Sync, sobject: str, paths: Sequence[str], ids: Sequence[str], key: str, order: str
) -> Iterator[dict[str, Any]]:
    texts = list(soql.by_ids(sobject, list(dict.fromkeys(paths)), ids, key=key, order=order))
    if all(map(soql.fits_a_uri, texts)):
        for answer in sync.salesforce.queries(texts):
            yield from answer.records
        return
    jobs = BulkQueries(sync.salesforce)
    for text in texts:
        yield from (row for page in jobs.all_pages(text) for row in frames.csv_rows(page.content))


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + PART_RECORDS] for start in range(0, len(ordered), PART_RECORDS))


def load_records(sync: Sync, sobject: str) -> pd.DataFrame | None:
    """Put together every staged record of an object, whichever extract brought it, without deleted ones."""
    tables = [_living(table) for table in _staged(sync, "records.", sobject, "Id")]
    return frames.to_frame(tables) if tables else None


def load_lines(sync: Sync, sobject: str) -> pd.DataFrame | None:
    """Give the staged lines of an object, each with the id of its ``parent``."""
    tables = list(_staged(sync, f"lines.{sobject}.", sobject, "parent"))
    # A bulk job gives them in any order (evidenced), and their order must not pass for a change of the invoice.
    return frames.to_frame(tables).sort_values("Id", kind="stable", ignore_index=True) if tables else None


def _staged(sync: Sync, prefix: str, sobject: str, column: str) -> Iterator[pa.Table]:
    """Give staged parts without what changed while it was read in bulk: a later window shows that whole."""
    delta = staged(sync.files, sobject)
    later = delta.later if delta else []
    for name, count in sorted(_listed(sync, prefix, sobject)):
        table = sync.files.read_table(name)
        if table is None or table.num_rows != count:
            raise ConfigurationError(
                f"What the extract of {name.split('.')[1]} staged is not there any more.",
                remedy="Clear that task and what follows.",
            )
        bulk = name.split(".")[-1].startswith("bulk")
        yield table.filter(pc.invert(pc.is_in(table[column], pa.array(later)))) if bulk and later else table


def _listed(sync: Sync, prefix: str, sobject: str) -> Iterator[tuple[str, int]]:
    for delta in all_staged(sync.files).values():
        for name, count in delta.parts.items():
            if name.startswith(prefix) and (prefix != "records." or name.split(".")[2] == sobject):
                yield name, count


def _living(table: pa.Table) -> pa.Table:
    if "IsDeleted" not in table.column_names:
        return table
    return table.filter(pc.invert(table["IsDeleted"])).drop_columns(["IsDeleted"])

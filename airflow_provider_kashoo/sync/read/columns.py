"""Salesforce records as tables whose columns are named by paths and typed by describe."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.mapping.field_types import FieldInfo
from airflow_provider_kashoo.core.values.dates import parse_instant

NUMBER = pa.decimal256(76, 38)
"""Numbers are JSON doubles (evidenced), and may have more decimals than their field shows."""

STAMP = pa.timestamp("us", "UTC")

Part = tuple[str, pa.Table]
"""What a reader yields: a table, and what is in it: ``records.<Object>``, or ``lines``."""

_ARROW = {
    "currency": NUMBER,
    "double": NUMBER,
    "percent": NUMBER,
    "int": NUMBER,
    "long": NUMBER,
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": STAMP,
}


def resolve(client: SalesforceClient, sobject: str, path: str) -> FieldInfo | None:
    """Follow a path such as ``Account.Owner.Email`` through describes; None when it leads nowhere."""
    *relations, last = path.split(".")
    for relation in relations:
        fields = client.describe(sobject).fields.values()
        step = next((field for field in fields if field.relationship == relation and field.reference_to), None)
        if step is None:
            return None
        sobject = step.reference_to[0]
    return client.describe(sobject).fields.get(last)


def column_type(client: SalesforceClient, sobject: str, path: str) -> pa.DataType | None:
    """Say what a path is read as; None when it leads nowhere."""
    info = resolve(client, sobject, path)
    return info and _ARROW.get(info.type, pa.string())


def to_table(records: Iterable[Mapping[str, Any]], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Flatten records into columns named by their paths."""
    rows = list(records)
    return pa.table({path: pa.array([_cell(row, path, kind) for row in rows], kind) for path, kind in types.items()})


def from_csv(content: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Read a page of a bulk job; the empty cell is null there (evidenced).

    :param types: path -> type.
    """
    given = next(csv.reader([content.split(b"\n", 1)[0].decode()]), [])
    options = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(given, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    )
    return pa.table({name: _typed(table[name], kind) for name, kind in types.items() if name in given})


def with_parent(table: pa.Table, key: str | None) -> pa.Table:
    """Call the column that holds the id of a line's record ``parent``, whatever the object calls it."""
    return table.append_column("parent", table[key]) if key else table


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return pc.equal(column, "true") if pa.types.is_boolean(kind) else column.cast(kind)


def to_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Join tables of one object into a frame with exact types; of a record that is there twice, the newest stays."""
    table = pa.concat_tables(tables, promote_options="default")
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    if "SystemModstamp" in frame.columns:
        frame = frame.sort_values("SystemModstamp", kind="stable").drop_duplicates("Id", keep="last")
        frame = frame.sort_values("Id", kind="stable")
    return frame.reset_index(drop=True)


def _cell(row: Mapping[str, Any], path: str, kind: pa.DataType) -> Any:
    value: Any = row
    if path in row:
        value = row[path]
    else:
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if pa.types.is_timestamp(kind):
        return parse_instant(value)
    if pa.types.is_date(kind):
        return date.fromisoformat(value)
    if pa.types.is_boolean(kind):
        return value is True or value == "true"
    return str(value).encode("utf-8", "replace").decode()  # half a surrogate pair is in no text that can be staged

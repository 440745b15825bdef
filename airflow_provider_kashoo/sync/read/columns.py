"""Salesforce records as typed columns: the paths a mapping reads, resolved and typed by describe."""

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

from airflow_provider_kashoo.clients.describe import FieldInfo
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.model import Where, nearest
from airflow_provider_kashoo.core.values.dates import parse_instant

NUMBER = pa.decimal256(76, 38)
"""Numbers are JSON doubles (evidenced), and may have more decimals than their field shows."""

_ARROW = {
    "currency": NUMBER,
    "double": NUMBER,
    "percent": NUMBER,
    "int": NUMBER,
    "long": NUMBER,
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
}
ALWAYS_OPTIONAL = frozenset({"CurrencyIsoCode"})
"""Exists only in orgs with multi-currency (evidenced)."""


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


def columns(
    client: SalesforceClient, sobject: str, mapping: FieldMapping, paths: Mapping[str, tuple[Where, bool]]
) -> dict[str, pa.DataType]:
    """Type the paths that one mapping reads of one object.

    :returns: path -> Arrow type; optional fields that this org does not have are left out.
    :raises ConfigurationError: naming file, line and the nearest field for one that does not exist.
    """
    found: dict[str, pa.DataType] = {}
    for path, (where, optional) in paths.items():
        info = resolve(client, sobject, path)
        if info is not None:
            found[path] = _ARROW.get(info.type, pa.string())
        elif not optional and path.rsplit(".", 1)[-1] not in ALWAYS_OPTIONAL:
            raise ConfigurationError(
                f"{mapping.place(*where)}: {sobject} has no field {path!r}, or the user may not see it.",
                remedy=nearest(path, client.describe(sobject).fields) + " Or mark it optional: true.",
            )
    return found


def child_of(client: SalesforceClient, sobject: str, relationship: str, mapping: FieldMapping) -> tuple[str, str]:
    """Give the object and the parent field behind a child relationship name.

    :raises ConfigurationError: when the object has no such relationship.
    """
    children = client.describe(sobject).children
    if relationship not in children:
        raise ConfigurationError(
            f"{mapping.place('from')}: {sobject} has no child relationship {relationship!r}.",
            remedy=nearest(relationship, children),
        )
    return children[relationship]


def to_table(records: Iterable[Mapping[str, Any]], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Flatten records into columns named by their paths."""
    rows = list(records)
    arrays = [pa.array([_cell(row, path, kind) for row in rows], type=kind) for path, kind in types.items()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(types.items())))


def from_csv(content: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Read a page of a bulk job; the empty cell is null there (evidenced).

    :param types: path -> type.
    """
    table = _csv(content)
    names = [name for name in types if name in table.column_names]
    arrays = [_typed(table[name], types[name]) for name in names]
    return pa.Table.from_arrays(arrays, schema=pa.schema([(name, types[name]) for name in names]))


def with_parent(table: pa.Table, key: str | None) -> pa.Table:
    """Call the column that holds the id of a line's record ``parent``, whatever the object calls it."""
    return table.append_column("parent", table[key]) if key else table


def csv_rows(content: bytes) -> list[dict[str, Any]]:
    """Read a page of a bulk job as records of texts, keyed by path."""
    return list(_csv(content).to_pylist())


def _csv(content: bytes) -> pa.Table:
    names = next(csv.reader([content.split(b"\n", 1)[0].decode()]), [])
    options = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    return arrow_csv.read_csv(
        pa.BufferReader(content),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    )


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return pc.equal(column, "true") if pa.types.is_boolean(kind) else column.cast(kind)


def to_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Put tables of one object together as a frame with exact types; of doubled records the newest stays."""
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

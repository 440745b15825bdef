"""Salesforce records as tables whose columns are named by paths and typed by describe."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from airflow_provider_kashoo.clients.describe import Describer
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.mapping.values.odd import ODD
from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.core.values.id_columns import are_record_ids

log = logging.getLogger(__name__)

NUMBER = pa.decimal128(38, 18)
WIDE = pa.decimal256(76, 38)
"""For a column with a number that needs it: numbers are JSON doubles (evidenced), and may have more decimals than their
field shows."""

STAMP = pa.timestamp("us", "UTC")

_BOOLEANS = {True: True, False: False, "true": True, "false": False}

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


def resolve(client: Describer, sobject: str, path: str) -> FieldInfo | None:
    """Follow a path such as ``Account.Owner.Email`` through describes; None when it leads nowhere."""
    *relations, last = path.split(".")
    for relation in relations:
        fields = client.describe(sobject).fields.values()
        step = next((field for field in fields if field.relationship == relation and field.reference_to), None)
        if step is None:
            return None
        sobject = step.reference_to[0]
    return client.describe(sobject).fields.get(last)


def column_type(client: Describer, sobject: str, path: str) -> pa.DataType | None:
    """Say what a path is read as; None when it leads nowhere."""
    info = resolve(client, sobject, path)
    return info and arrow_type(info)


def arrow_type(info: FieldInfo) -> pa.DataType:
    """Say what a field is read as."""
    return _ARROW.get(info.type, pa.string())


def to_table(records: Iterable[Mapping[str, Any]], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Flatten records into columns named by their paths; see :mod:`~.mapping.odd` for values that do not fit."""
    rows = list(records)
    odd: dict[int, list[str]] = {}
    cells = {path: _cells([_value(row, path) for row in rows], path, kind, odd) for path, kind in types.items()}
    return _with_odd(pa.table(cells), odd)


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
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            # A page is parsed in some 20 ms; each further thread of Arrow's would hold on to tens of megabytes.
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    except pa.ArrowInvalid:
        raise UnreachableError("Salesforce's answer is not a page of results.") from None
    if "Id" in given and not pc.all(named := are_record_ids(table["Id"]), min_count=0).as_py():
        log.warning("Salesforce gives records without an id; they are left out.")
        table = table.filter(named)
    odd: dict[int, list[str]] = {}
    typed = {name: _typed(table[name], name, kind, odd) for name, kind in types.items() if name in given}
    return _with_odd(pa.table(typed), odd)


def with_parent(table: pa.Table, key: str | None) -> pa.Table:
    """Call the column that holds the id of a line's record ``parent``, whatever the object calls it."""
    return table.append_column("parent", table[key]) if key else table


def _typed(column: pa.ChunkedArray, path: str, kind: pa.DataType, odd: dict[int, list[str]]) -> pa.ChunkedArray:
    """Convert a whole column at once; one by one only if a value in it does not fit."""
    if kind == NUMBER:
        kind = _wide_enough(column)
    with suppress(pa.ArrowInvalid):
        if kind is not None:
            return column.cast(kind)
    return pa.chunked_array([_cells(column.to_pylist(), path, kind or NUMBER, odd)])


def _wide_enough(numbers: pa.ChunkedArray) -> pa.DataType | None:
    """Choose the type that holds every number of a column; None if that cannot be told by their length.

    Arrow converts some texts with more digits than a type has to other numbers, without an error (seen in version 26).
    """
    if pc.any(pc.match_substring(numbers, "e", ignore_case=True)).as_py():
        return None
    longest = pc.max(pc.binary_length(numbers)).as_py() or 0
    return next((each for each in (NUMBER, WIDE) if longest <= each.precision - each.scale), None)


def _with_odd(table: pa.Table, odd: Mapping[int, Sequence[str]]) -> pa.Table:
    if not odd:
        return table
    paths = [",".join(odd[row]) if row in odd else None for row in range(table.num_rows)]
    return table.append_column(ODD, pa.array(paths, pa.string()))


def join(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables of one object, in the order of their ids; of a record that is there twice, the newest stays."""
    table = pa.concat_tables(tables, promote_options="permissive")  # numbers of two widths
    if "SystemModstamp" not in table.column_names:
        return table.combine_chunks()
    keys = table.select(["Id", "SystemModstamp"])
    table = table.take(pc.sort_indices(keys, sort_keys=[("Id", "ascending"), ("SystemModstamp", "ascending")]))
    ids = table["Id"].combine_chunks()
    is_last = pa.concat_arrays([pc.not_equal(ids[:-1], ids[1:]), pa.array([True][: len(ids)], pa.bool_())])
    return table.filter(is_last).combine_chunks()


def _value(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    if path in row:
        return row[path]
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _cells(values: Iterable[Any], path: str, kind: pa.DataType, odd: dict[int, list[str]]) -> pa.Array:
    """Convert values to a column; where one does not fit, the column has nothing, and ``odd`` the path by its row."""
    cells = []
    for row, value in enumerate(values):
        try:
            cells.append(None if value is None else _cell(value, kind))
        except (TypeError, ValueError, ArithmeticError, LookupError):
            cells.append(None)
            odd.setdefault(row, []).append(path)
    if kind == NUMBER and not all(cell is None or _fits(cell) for cell in cells):
        kind = WIDE
    return pa.array(cells, kind)


def _fits(number: Decimal) -> bool:
    """Say whether a number fits the usual type; Arrow does not always notice when one does not."""
    places = -int(number.as_tuple().exponent)
    return bool(number.adjusted() < NUMBER.precision - NUMBER.scale and places <= NUMBER.scale)


def _cell(value: Any, kind: pa.DataType) -> Any:
    """Convert one value.

    :raises TypeError: for one that does not fit, as do ValueError, ArithmeticError and LookupError.
    """
    if pa.types.is_decimal(kind):
        return _number(value)
    if pa.types.is_timestamp(kind):
        return parse_instant(value)
    if pa.types.is_date(kind):
        return date.fromisoformat(value)
    if pa.types.is_boolean(kind):
        return _BOOLEANS[value if isinstance(value, str | bool) else ""]
    if isinstance(value, dict | list):
        raise TypeError
    return str(value).encode("utf-8", "replace").decode()  # half a surrogate pair is in no text that can be staged


def _number(value: Any) -> Decimal:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        raise TypeError
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() >= WIDE.precision - WIDE.scale:
        raise ValueError
    if int(number.as_tuple().exponent) < -WIDE.scale:
        raise ValueError
    return number

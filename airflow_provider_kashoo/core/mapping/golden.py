"""Try mappings on example records, without a connection: what is read goes in, what would be written comes out.

For tests of one's own mappings; ``include/mappings/examples`` shows how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.transform import (
    Document,
    Transformed,
    documents,
    part_documents,
    transform,
)
from airflow_provider_kashoo.core.values.money import as_decimal
from airflow_provider_kashoo.core.values.parents import parent_of

Row = Mapping[str, Any]

_NUMBER = pa.decimal128(38, 18)
_STAMP = pa.timestamp("us", "UTC")


def made_of(
    mappings: Mapping[str, FieldMapping],
    read: Mapping[str, Sequence[Row]],
    *,
    currency: str | None = None,
    zone: str = "UTC",
) -> dict[str, dict[str, dict[str, Any]]]:
    """Make what the mappings into the books make of records.

    :param mappings: of one folder, see :func:`~airflow_provider_kashoo.sync.run.mapping_files.load_mappings`.
    :param read: Salesforce object -> records, as Salesforce gives them: nested parents, under ``lines`` their lines,
        and under its relationship each list of children that make invoices of their own. Of each path that a condition
        looks at, one record at least has a value, so that its type is known.
    :param currency: of the org, for records without one.
    :param zone: of the business.
    :returns: ``made``, ``left_out`` and ``parked`` -> mapping -> Salesforce id -> the document, or a list of them if a
        record becomes several invoices, amounts in major units as text; why it is left out; why it is parked.
    :raises ValueError: when no record says what type a path has.
    """
    around = Surroundings(zone, currency, {name: each.to for name, each in mappings.items()})
    found: dict[str, dict[str, dict[str, Any]]] = {"made": {}, "left_out": {}, "parked": {}}
    for mapping in mappings.values():
        rows = read.get(mapping.from_.object)
        if rows is None or not mapping.into_books:
            continue
        records = _table(rows, ["Id", *mapping.header_paths()], mapping)
        lines = _children(rows, "lines", mapping.line_paths(), mapping)
        parts = {name: _children(rows, name, paths, mapping) for name, paths in mapping.part_paths().items()}
        of = transform(mapping, records, lines, around, {name: each for name, each in parts.items() if each})
        left_out = {ident: why.reason for why, ids in of.excluded.items() for ident in ids.to_pylist()}
        left_out |= dict.fromkeys(of.credits, "a credit")
        made: dict[str, Any] = {ident: own if len(own) > 1 else own[0] for ident, own in readable(of).items()}
        parked = {ident: problem.cause for ident, problem in {**of.problems, **of.undivided}.items()}
        made = {ident: each for ident, each in made.items() if ident not in parked}
        for name, results in (("made", made), ("left_out", left_out), ("parked", parked)):
            if results:
                found[name][mapping.name] = results
    return found


def readable(of: Transformed) -> dict[str, list[dict[str, Any]]]:
    """Write what was made of records for people, by their ids: of each its document, or those of its parts.

    :returns: amounts in major units as text; customers and items by their Salesforce ids.
    """
    found = {ident: [_readable(each)] for ident, each in documents(of.made).items()}
    return found | {ident: [_readable(each.document) for each in own] for ident, own in part_documents(of.made).items()}


def _children(rows: Sequence[Row], name: str, paths: Iterable[str], mapping: FieldMapping) -> pa.Table | None:
    """Make a table of the children of records; None if there are none."""
    own = [{**child, "parent": row["Id"]} for row in rows for child in row.get(name, ())]
    return _table(own, ["parent", "Id", *paths], mapping) if own else None


def _table(rows: Sequence[Row], paths: Iterable[str], mapping: FieldMapping) -> pa.Table:
    columns = {}
    for path in dict.fromkeys(paths):
        values = [_value(row, path) for row in rows]
        columns[path] = _column(values, path, mapping)
    return pa.table(columns)


def _value(row: Any, path: str) -> Any:
    """Follow a path; it may also be written with its dots, as one key."""
    if path in row:
        return row[path]
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _column(values: Sequence[Any], path: str, mapping: FieldMapping) -> pa.Array:
    given = [value for value in values if value is not None]
    if any(isinstance(each, bool) for each in given):
        return pa.array(values, pa.bool_())
    if any(isinstance(each, int | float | Decimal) for each in given):
        return pa.array([None if each is None else Decimal(str(each)) for each in values], _NUMBER)
    if any(isinstance(each, datetime) for each in given):
        return pa.array(values, _STAMP)
    if any(isinstance(each, date) for each in given):
        return pa.array(values, pa.date32())
    if not given and any(path in condition.paths for _, condition in mapping.placed_conditions()):
        raise ValueError(f"no {mapping.from_.object} has a {path}, so nobody knows its type; give one of them a value")
    return pa.array([None if each is None else str(each) for each in values], pa.string())


def _readable(document: Document) -> dict[str, Any]:
    return {
        name: [_line(line, document["currency"]) for line in value] if name == "lines" else _said(value)
        for name, value in sorted(document.items(), key=lambda each: each[0] == "lines")
    }


def _line(line: Document, currency: str) -> dict[str, Any]:
    said = {name: _said(value) for name, value in sorted(line.items())}
    return said | {"rate": as_decimal(line["rate"], currency)}


def _said(value: Any) -> Any:
    parent = parent_of(value)
    return " ".join(parent) if parent else value


def differences(expected: Any, found: Any, at: str = "") -> Iterator[str]:
    """List where two results differ, in words: for the message of a test."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in dict.fromkeys([*expected, *found]):
            yield from differences(expected.get(name), found.get(name), f"{at}.{name}" if at else str(name))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, pair in enumerate(zip(expected, found, strict=True), 1):
            yield from differences(*pair, f"{at}[{number}]")
    elif expected != found:
        yield f"{at}: expected {expected!r}, found {found!r}"

"""Read Salesforce records whole, by id, a part at a time: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read import columns
from airflow_provider_kashoo.sync.read.bulk import Query, in_bulk
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.shapes import Shape

PART_RECORDS = 1_000


def of_period(client: SalesforceClient, sobject: str, shape: Shape, window: Window) -> Iterator[Part]:
    """Read every record whose last change lies in a period, with its lines; needs no run and stages nothing.

    :param shape: from :func:`.shapes.shape_of`.
    """
    yield from whole(client, sobject, shape, {row["Id"] for row in client.query(soql.changed(sobject, window))})


def whole(client: SalesforceClient, sobject: str, shape: Shape, ids: Collection[str]) -> Iterator[Part]:
    """Read records by id, then all their lines and what makes invoices of its own, each with the id of its ``parent``.

    What is not found is left out.
    """
    yield from by_id(client, sobject, shape, ids)
    for name, (child, key, types, order) in shape.read_with.items():
        for some in _batches(ids):
            table = columns.to_table(_found(client, child, list(types), some, key, order), types)
            yield name, columns.with_parent(table, key)


def by_id(client: SalesforceClient, sobject: str, shape: Shape, ids: Iterable[str]) -> Iterator[Part]:
    """Read records by id, without their lines."""
    for some in _batches(ids):
        picked: dict[str, dict[str, dict[str, Any]]] = {}
        for relationship, (child, key, types, order) in shape.picks.items():
            first = picked.setdefault(relationship, {})
            for row in _found(client, child, [key, *types], some, key, f"{key}, {order}"):
                if is_record_id(row.get(key)):
                    first.setdefault(row[key], row)
        rows = (
            record | {name: found.get(record["Id"]) for name, found in picked.items()}
            for record in _found(client, sobject, list(shape.records), some, "Id", "Id")
        )
        yield f"records.{sobject}", columns.to_table(rows, shape.types)


def _found(
    client: SalesforceClient, sobject: str, paths: Sequence[str], ids: Sequence[str], key: str, order: str
) -> Iterator[dict[str, Any]]:
    texts = list(soql.by_ids(sobject, list(dict.fromkeys(paths)), ids, key=key, order=order))
    if all(map(soql.fits_a_uri, texts)):
        for answer in client.queries(texts):
            yield from answer.records
        return
    for text in texts:
        for _, table in in_bulk(client, Query(f"records.{sobject}", text, dict.fromkeys(paths, pa.string()))):
            yield from table.to_pylist()


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + PART_RECORDS] for start in range(0, len(ordered), PART_RECORDS))

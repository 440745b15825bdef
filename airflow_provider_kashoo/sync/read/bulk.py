"""Read all that a query finds by a Bulk API 2.0 job, page by page.

The job survives the worker: :class:`Job` is all that a later try needs to go on with the next page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.bulk import BulkQueries, check_count
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read import columns
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.shapes import Shape


@dataclass(frozen=True)
class Query:
    """What to read in bulk.

    :param name: of its parts.
    :param types: path -> type.
    :param deleted: see records in the recycle bin too.
    :param parent: column that becomes ``parent`` too, for lines.
    """

    name: str
    text: str
    types: Mapping[str, pa.DataType]
    deleted: bool = False
    parent: str | None = None


@dataclass
class Job:
    """A job, and how far its results were read.

    :param text: the query that it runs.
    :param job: its id in Salesforce.
    :param locator: of the next page; None before the first and after the last.
    :param parts: pages read.
    :param complete: whether the last page was read.
    """

    text: str
    job: str
    locator: str | None = None
    parts: int = 0
    records: int = 0
    complete: bool = False


def in_window(client: SalesforceClient, sobject: str, shape: Shape, window: Window) -> Iterator[Query]:
    """Give the queries for the records of a window, deleted ones too, and for their lines; it picks no children."""
    types = shape.records | {"IsDeleted": pa.bool_()}
    yield Query(f"records.{sobject}", soql.in_window(sobject, list(types), window), types, deleted=True)
    if shape.lines:
        child, key, types, _ = shape.lines
        text = soql.in_window(child, list(types), window, client.describe(child).fields[key].relationship)
        yield Query("lines", text, types, parent=key)


def start(client: SalesforceClient, query: Query) -> Job:
    """Start a job for a query."""
    return Job(query.text, BulkQueries(client).start(query.text, deleted=query.deleted))


def in_bulk(client: SalesforceClient, query: Query, job: Job | None = None) -> Iterator[Part]:
    """Read what a query finds, a part for each page.

    :param job: how far an earlier try got; updated just before each part is yielded.
    :raises ConfigurationError: when the job failed: start another one.
    :raises UnreachableError: when counts do not agree: read the page again, or everything if the job is complete.
    """
    job, jobs = job or start(client, query), BulkQueries(client)
    total = jobs.wait(job.job)
    for page in jobs.pages(job.job, job.locator):
        table = columns.from_csv(page.content, query.types)
        check_count(page.records, table.num_rows)
        job.parts, job.records = job.parts + 1, job.records + table.num_rows
        job.locator, job.complete = page.locator, page.locator is None
        if job.complete:
            check_count(total, job.records)
        yield query.name, columns.with_parent(table, query.parent)
    jobs.forget(job.job)

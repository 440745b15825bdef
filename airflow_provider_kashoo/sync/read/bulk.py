"""Read all that a query finds by a Bulk API 2.0 job, a few pages at a time.

The job survives the worker: :class:`Job` is all that a later try needs to go on with the pages that are left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.clients import bulk, soql
from airflow_provider_kashoo.clients.bulk import BulkQueries, Page, check_count
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read import columns
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.shapes import Shape

AT_ONCE = 3
"""Pages that are fetched at the same time."""


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


@dataclass(frozen=True)
class Stretch:
    """A part of a job's results, read page after page while others are read beside it.

    :param locator: of its next page; None for the first page of all results.
    :param end: locator at which the next stretch begins; None for the last one.
    :param done: whether all its pages were read.
    """

    locator: str | None = None
    end: str | None = None
    done: bool = False

    def after(self, following: str | None) -> Stretch:
        """Say what is left of it after a page.

        :param following: locator of the page after that one; None after the last of all results.
        """
        return replace(self, locator=following, done=following in {None, self.end})


@dataclass
class Job:
    """A job, and how far its results were read.

    :param text: the query that it runs.
    :param job: its id in Salesforce.
    :param stretches: what is read at the same time; empty until the job is complete in Salesforce.
    :param parts: pages read.
    :param records: in those pages.
    :param complete: whether the last page was read.
    """

    text: str
    job: str
    stretches: tuple[Stretch, ...] = ()
    parts: int = 0
    records: int = 0
    complete: bool = False

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Job:
        """Read what was kept; versions that read one page after another kept one ``locator``."""
        rest = {name: value for name, value in kept.items() if name not in {"locator", "stretches"}}
        if "locator" in kept:
            return cls(**rest, stretches=(Stretch(kept["locator"]),))
        return cls(**rest, stretches=tuple(Stretch(**each) for each in kept["stretches"]))

    def took(self, number: int, page: Page) -> None:
        """Note that a page of a stretch was read."""
        left = self.stretches[number].after(page.locator)
        self.stretches = (*self.stretches[:number], left, *self.stretches[number + 1 :])
        self.parts, self.records = self.parts + 1, self.records + page.records
        self.complete = all(each.done for each in self.stretches)

    def begin_again(self) -> None:
        """Read all of it again, from the first page, one page after another."""
        self.stretches, self.parts, self.records, self.complete = (Stretch(),), 0, 0, False


def in_window(client: SalesforceClient, sobject: str, shape: Shape, window: Window) -> Iterator[Query]:
    """Give the queries for the records of a window, deleted ones too, and what is read with them; it picks no child."""
    types = shape.records | {"IsDeleted": pa.bool_()}
    yield Query(f"records.{sobject}", soql.in_window(sobject, list(types), window), types, deleted=True)
    for name, (child, key, types, _) in shape.read_with.items():
        text = soql.in_window(child, list(types), window, client.describe(child).fields[key].relationship)
        yield Query(name, text, types, parent=key)


def start(client: SalesforceClient, query: Query) -> Job:
    """Start a job for a query."""
    return Job(query.text, BulkQueries(client).start(query.text, deleted=query.deleted))


def in_bulk(client: SalesforceClient, query: Query, job: Job | None = None) -> Iterator[Part]:
    """Read what a query finds, a part for each page, in no particular order.

    Of large results, a few pages are fetched at the same time; no more than those are in memory.

    :param job: how far an earlier try got; updated just before each part is yielded.
    :raises ConfigurationError: when the job failed: start another one.
    :raises UnreachableError: when counts do not agree: read the page again, or everything if the job is complete. If
        stretches overlap, the job is set to begin again, page after page.
    """
    job, jobs = job or start(client, query), BulkQueries(client)
    total = jobs.wait(job.job)
    if not job.stretches:
        job.stretches = _stretches(jobs, job.job, total)
    with closing(_side_by_side(jobs, job)) as pages:
        for number, page in pages:
            table = columns.from_csv(page.content, query.types)
            check_count(page.records, table.num_rows)
            job.took(number, page)
            if job.complete or (len(job.stretches) > 1 and job.records > total):
                _check_total(job, total)
            yield query.name, columns.with_parent(table, query.parent)
    jobs.forget(job.job)


def _stretches(jobs: BulkQueries, job: str, total: int) -> tuple[Stretch, ...]:
    places = jobs.places(job) if total > bulk.PAGE_RECORDS else []
    if len(places) < 2:
        return (Stretch(),)
    # The first one begins without a locator, so that nothing can be left out, whatever the first place is.
    return tuple(Stretch(first, end) for first, end in zip_longest([None, *places[1:]], places[1:]))


def _side_by_side(jobs: BulkQueries, job: Job) -> Generator[tuple[int, Page]]:
    """Give the pages that are left as they come, each with the number of its stretch, while others are on their way.

    Threads only fetch: pages are parsed where they are used, one at a time, so that memory does not grow with threads.
    """
    stretches = list(job.stretches)
    left = deque(number for number, stretch in enumerate(stretches) if not stretch.done)
    coming: dict[Future[Page], int] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bulk") as pool:
        try:
            while left or coming:
                while left and len(coming) < AT_ONCE:
                    number = left.popleft()
                    coming[pool.submit(jobs.page, job.job, stretches[number].locator)] = number
                came = next(iter(wait(coming, return_when=FIRST_COMPLETED).done))
                number, page = coming.pop(came), came.result()
                stretches[number] = stretches[number].after(page.locator)
                if not stretches[number].done:
                    coming[pool.submit(jobs.page, job.job, stretches[number].locator)] = number
                yield number, page
        finally:  # pages on their way are waited for: nothing may use the client when this has ended
            for future in coming:
                future.cancel()


def _check_total(job: Job, total: int) -> None:
    try:
        check_count(total, job.records)
    except UnreachableError:
        if len(job.stretches) > 1:
            job.begin_again()
        raise

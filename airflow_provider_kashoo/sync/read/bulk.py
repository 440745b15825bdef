"""All that a query finds, as a Bulk API 2.0 job whose pages become staged files one by one.

The job survives the worker: a later try of the same task goes on with the next page, and makes no second job.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pyarrow as pa

from airflow_provider_kashoo.clients.bulk import BulkQueries, check_count
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.sync.read import columns as frames
from airflow_provider_kashoo.sync.run.staging import Staging

log = logging.getLogger(__name__)


def in_bulk(
    client: SalesforceClient,
    files: Staging,
    prefix: str,
    text: str,
    types: Mapping[str, pa.DataType],
    *,
    deleted: bool = False,
    parent: str | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Stage what a query finds as parts, page by page; yields each part, those of an earlier try first.

    :param deleted: see records in the recycle bin too.
    :param parent: column that becomes ``parent`` too, for lines.
    :raises ConfigurationError: when the job failed; the next try makes another.
    :raises UnreachableError: when counts do not agree; the next try reads again.
    """
    jobs, name = BulkQueries(client), f"bulk.{prefix}"
    state = files.read_json(name)
    if state is None or state["text"] != text or len(files.names(f"{prefix}.bulk")) < state["parts"]:
        files.remove(f"{prefix}.bulk")
        job = jobs.start(text, deleted=deleted)
        state = {"text": text, "job": job, "locator": None, "parts": 0, "records": 0, "complete": False}
        files.write_json(name, state)
    else:
        log.info("Bulk job %s goes on after %d records", state["job"], state["records"])
    for number in range(1, state["parts"] + 1):
        part = f"{prefix}.bulk{number:05d}"
        if (table := files.read_table(part)) is not None:
            yield part, table
    if state["complete"]:
        return
    try:
        total = jobs.wait(state["job"])
        for page in jobs.pages(state["job"], state["locator"]):
            table = frames.from_csv(page.content, types)
            check_count(page.records, table.num_rows)
            table = frames.with_parent(table, parent)
            part = f"{prefix}.bulk{state['parts'] + 1:05d}"
            files.write_table(part, table)
            state |= {
                "parts": state["parts"] + 1,
                "records": state["records"] + table.num_rows,
                "locator": page.locator,
                "complete": page.locator is None,
            }
            if state["complete"]:
                check_count(total, state["records"])
            files.write_json(name, state)
            yield part, table
    except ConfigurationError:
        files.remove(f"{name}.json")
        raise
    except UnreachableError:
        if state["complete"]:
            files.remove(f"{name}.json")
        raise
    jobs.forget(state["job"])

"""The parts that an extract of Salesforce stages, and the plan loads.

The extract of ``Object`` names them ``records.<Object>.<Other>.<part>``, ``lines.<Object>.<part>``, and for children
that make invoices ``parts.<Object>.<Relationship>.<part>``. It lists them in its ``delta.<Object>``. Exactly those are
loaded: parts of an abandoned try are ignored, and a missing file is an error, so that neither is mistaken for *nothing
changed*.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.sync.read.bulk import Job, Query, in_bulk, start
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.shapes import PARTS
from airflow_provider_kashoo.sync.run.deltas import all_staged, staged
from airflow_provider_kashoo.sync.run.staging import Staging, clear
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)


class Parts:
    """Stages what readers yield, and passes it on.

    :param sobject: the object whose extract this is.
    """

    def __init__(self, files: Staging, sobject: str) -> None:
        self._files, self._sobject = files, sobject
        self.rows: dict[str, int] = {}
        """Staged part -> rows in it, as the delta lists them."""

    def keep(self, read: Iterable[Part]) -> Iterator[Part]:
        """Stage parts as they are read; a later try reads them again, under other names."""
        this_try = uuid.uuid4().hex[:8]
        for number, (name, table) in enumerate(read, start=1):
            yield name, self._write(f"{self._prefix(name)}.rest-{this_try}-{number:05d}", table)

    def keep_job(self, client: SalesforceClient, query: Query) -> Iterator[Part]:
        """Read in bulk and stage each part, with how far the job was read; parts of an earlier try come first.

        :raises ConfigurationError: when the job failed; the next try makes another.
        :raises UnreachableError: when counts do not agree; the next try reads again. Parts read before stay.
        """
        prefix = self._prefix(query.name)
        job = self._job(client, query, prefix)
        for part in _numbered(prefix, job.parts):
            if (table := self._files.read_table(part)) is not None:
                self.rows[part] = table.num_rows
                yield query.name, table
        if job.complete:
            return
        try:
            for name, table in in_bulk(client, query, job):
                self._write(f"{prefix}.bulk{job.parts:05d}", table)
                self._files.write_json(f"bulk.{prefix}", asdict(job))
                yield name, table
        except (ConfigurationError, UnreachableError) as error:
            if job.complete or isinstance(error, ConfigurationError):
                self._files.remove(f"bulk.{prefix}.json")
            elif not job.parts:  # it begins again
                self._files.remove(f"{prefix}.bulk")
                self._files.write_json(f"bulk.{prefix}", asdict(job))
            raise

    def _job(self, client: SalesforceClient, query: Query, prefix: str) -> Job:
        kept = self._files.read_json(f"bulk.{prefix}")
        there = set(self._files.names(f"{prefix}.bulk"))
        if kept and kept["text"] == query.text and there.issuperset(_numbered(prefix, kept["parts"])):
            log.info("Bulk job %s: %d records were read before, reading the rest", kept["job"], kept["records"])
            return Job.from_json(kept)
        self._files.remove(f"{prefix}.bulk")
        job = start(client, query)
        self._files.write_json(f"bulk.{prefix}", asdict(job))
        return job

    def _prefix(self, name: str) -> str:
        kind, *of = name.split(".")
        return ".".join([kind, self._sobject, *of])

    def _write(self, part: str, table: pa.Table) -> pa.Table:
        self._files.write_table(part, table)
        self.rows[part] = table.num_rows
        return table


def _numbered(prefix: str, parts: int) -> list[str]:
    return [f"{prefix}.bulk{number:05d}" for number in range(1, parts + 1)]


def staged_records(sync: Sync, sobject: str, only: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Give the staged records of an object, a staged part at a time; one that was read twice comes twice.

    :param only: columns to read; all, if not given.
    """
    for table in _staged(sync, "records.", sobject, "Id", only):
        yield _living(table)


def staged_with(sync: Sync, sobject: str, name: str) -> Iterator[pa.Table]:
    """Give what was staged beside the records of an object, a staged part at a time, with the id of each ``parent``.

    :param name: ``lines``, or ``parts.<Relationship>``.
    """
    return _staged(sync, _prefix(sobject, name), sobject, "parent")


def staged_names(sync: Sync, sobject: str) -> list[str]:
    """Name what was staged beside the records of an object."""
    beside = f"{PARTS}.{sobject}."
    names = {name.removeprefix(beside).split(".")[0] for name, _ in _listed(sync, beside, sobject)}
    return ["lines", *(f"{PARTS}.{relationship}" for relationship in sorted(names))]


def staged_rows(sync: Sync, sobject: str) -> tuple[int, int]:
    """Count the staged records of an object, and what was staged beside them."""
    beside = (_prefix(sobject, name) for name in staged_names(sync, sobject))
    return _count(sync, "records.", sobject), sum(_count(sync, prefix, sobject) for prefix in beside)


def _prefix(sobject: str, name: str) -> str:
    kind, *of = name.split(".")
    return ".".join([kind, sobject, *of, ""])


def _count(sync: Sync, prefix: str, sobject: str) -> int:
    return sum(count for _, count in _listed(sync, prefix, sobject))


def _staged(
    sync: Sync, prefix: str, sobject: str, column: str, only: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Load staged parts without records that changed during a bulk read: a later window shows those whole."""
    delta = staged(sync.files, sobject)
    later = delta.later if delta else []
    for name, count in sorted(_listed(sync, prefix, sobject)):
        table = sync.files.read_table(name, only)
        if table is None or table.num_rows != count:
            raise ConfigurationError(
                f"Files that the extract of {name.split('.')[1]} staged are missing.", remedy=clear("that extracts it")
            )
        if later and name.split(".")[-1].startswith("bulk"):
            table = table.filter(pc.invert(pc.is_in(table[column], pa.array(later))))
        yield table


def _listed(sync: Sync, prefix: str, sobject: str) -> Iterator[tuple[str, int]]:
    for delta in all_staged(sync.files).values():
        for name, count in delta.parts.items():
            if name.startswith(prefix) and (prefix != "records." or name.split(".")[2] == sobject):
                yield name, count


def _living(table: pa.Table) -> pa.Table:
    if "IsDeleted" not in table.column_names:
        return table
    return table.filter(pc.invert(pc.fill_null(table["IsDeleted"], fill_value=False))).drop_columns(["IsDeleted"])

"""Read what may be billed in a period: every object whole by one bulk query each, or by the field of the invoice date.

It is staged as an extract stages it, so that the mappings are applied by the code of a run. ``when`` is never a part
of the query: a deal that is lost, but has an invoice, is a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pyarrow as pa

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read.bulk import Query
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.dirty import find_dirty
from airflow_provider_kashoo.sync.read.records import whole
from airflow_provider_kashoo.sync.read.shapes import Shape, shape_of
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.deltas import Delta
from airflow_provider_kashoo.sync.run.sync import Sync

A_DAY = timedelta(days=1)

DATE = "date"
"""The field of an invoice by which a period is meant."""


def read_deals(sync: Sync, sobject: str, first: str, last: str, linked: Iterable[str]) -> Due:
    """Stage the records of one object that may be billed in a period.

    :param first: first day, ``YYYY-MM-DD``.
    :param last: last day.
    :param linked: ids of records of this object that have an invoice in the period: they are read whatever their date.
    :returns: which of its records the next run reads.
    """
    shape, parts = shape_of(sync, sobject), Parts(sync.files, sobject)
    found, deleted = set[str](), set[str]()
    for name, table in _read(sync, sobject, shape, parts, _days(sync, sobject, first, last)):
        if name == f"records.{sobject}":
            found.update(table["Id"].to_pylist())
            deleted.update(table.filter(table["IsDeleted"])["Id"].to_pylist() if _says_deleted(table) else ())
    missing = {*linked} - found
    for name, table in parts.keep(whole(sync.salesforce, sobject, shape, missing)):
        if name == f"records.{sobject}":
            missing.difference_update(table["Id"].to_pylist())
    watermark = sync.store.watermarks.get(f"salesforce.{sobject}")
    clock = sync.salesforce.clock(sobject, watermark)
    read = clock.now.isoformat()
    Delta(
        source=f"salesforce.{sobject}",
        lower=read,
        upper=read,
        moves=False,
        note=f"dated from {first} to {last}",
        read=read,
        records=len(found),
        deleted=sorted(deleted | missing & clock.gone),
        missing=sorted(missing - clock.gone),
        parts=parts.rows,
    ).stage(sync.files, sobject)
    if watermark is None:
        return Due(everything=True)
    # What changes while this reads is the next run's, too.
    window = Window(watermark - sync.settings.overlap, clock.now + A_DAY, moves=False, note="")
    dirty = find_dirty(sync, sobject, shape, window)
    return Due(dirty.ids | dirty.deleted, since=window if dirty.mass else None)


class Due:
    """The records of one object that the next run reads.

    :param everything: because none did before.
    :param since: more changed than are listed: all that changed in this window.
    """

    def __init__(self, ids: Iterable[str] = (), *, everything: bool = False, since: Window | None = None) -> None:
        self._ids, self._everything, self._since = frozenset(ids), everything, since

    def has(self, ident: str, stamp: datetime | None) -> bool:
        """Say whether a record is among them.

        :param stamp: when it last changed, UTC; None if that is not known.
        """
        if self._everything or ident in self._ids:
            return True
        return self._since is not None and stamp is not None and stamp >= self._since.lower


def _read(sync: Sync, sobject: str, shape: Shape, parts: Parts, days: tuple[str, str, str] | None) -> Iterator[Part]:
    """Read records and what belongs to them; children of which one is picked are read by the ids of their parents."""
    client = sync.salesforce
    if shape.picks:
        types = {"Id": pa.string()}
        query = Query("records.dated", soql.dated(sobject, ["Id"], days), types)
        ids = [ident for _, table in parts.keep_job(client, query) for ident in table["Id"].to_pylist()]
        yield from parts.keep(whole(client, sobject, shape, ids))
        return
    types = shape.records | {"IsDeleted": pa.bool_()}
    yield from parts.keep_job(
        client, Query(f"records.{sobject}", soql.dated(sobject, list(types), days), types, deleted=True)
    )
    for name, (child, key, own, _) in shape.read_with.items():
        text = soql.dated(child, list(own), days, client.describe(child).fields[key].relationship)
        yield from parts.keep_job(client, Query(name, text, own, parent=key))


def _days(sync: Sync, sobject: str, first: str, last: str) -> tuple[str, str, str] | None:
    """Give the field that dates all invoices of an object, with the period; None if only the mappings can tell."""
    billing = [each for each in sync.mappings_from(sobject) if each.bills]
    found = {each.fields[DATE].from_ for each in billing if each.fields[DATE] == Field(from_=each.fields[DATE].from_)}
    (path,) = found if len(found) == 1 else ("",)
    plain = all(
        each.fields[DATE].from_ == path and DATE not in each.ruled and not each.part_paths() for each in billing
    )
    field = sync.salesforce.describe(sobject).fields.get(path or "")
    return (path, first, last) if path and plain and field and field.type == "date" else None


def _says_deleted(table: pa.Table) -> bool:
    return "IsDeleted" in table.column_names

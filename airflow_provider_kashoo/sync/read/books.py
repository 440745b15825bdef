"""Read Kashoo: invoices that may have changed, and payments by date.

Kashoo has no evidenced "modified since", so lists are read by wide windows of dates. That a record is absent from a
window proves nothing: its date may have been moved.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.settlement import (
    OUT_OF_REACH,
    PAID,
    REFUNDED,
    STATUSES,
    VOID,
    Allocation,
    Invoice,
    allocations,
)
from airflow_provider_kashoo.core.values.dates import business_date, first_of_week
from airflow_provider_kashoo.sync.read import weekly_look
from airflow_provider_kashoo.sync.read.table_index import TableIndex
from airflow_provider_kashoo.sync.run.deltas import Delta, staged
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

PAYMENT_OVERLAP = timedelta(days=7)
"""Payments are often booked some days late."""

FUTURE = timedelta(days=400)
SETTLED = frozenset({PAID, REFUNDED, VOID})
EVERY_SETTLEMENT = frozenset({None, *STATUSES, OUT_OF_REACH})

UNDATED = "2000-01-01"
"""The date of a linked invoice whose date the store does not know: it may be old."""

INVOICE_COLUMNS = pa.schema(
    [
        ("id", pa.int64()),
        ("number", pa.string()),
        ("date", pa.string()),
        ("dueDate", pa.string()),
        ("currency", pa.string()),
        ("totalDue", pa.int64()),
        ("balanceDue", pa.int64()),
        ("removed", pa.bool_()),
        ("contact", pa.int64()),
    ]
)
RENAMED = {"dueDate": "due_date", "totalDue": "total", "balanceDue": "balance"}
"""Column of a staged invoice -> attribute of an invoice, where the names differ."""

ALLOCATION_COLUMNS = pa.schema(
    [
        ("payment_id", pa.int64()),
        ("invoice_id", pa.int64()),
        ("date", pa.string()),
        ("amount", pa.int64()),
        ("credit", pa.int64()),
        ("odd", pa.string()),
    ]
)


def extract(sync: Sync, resource: str) -> Delta:
    """Stage ``invoices`` or ``payments``.

    :returns: the delta, which is staged last.
    """
    now = datetime.fromtimestamp(sync.store.now(), UTC)
    today = business_date(now, sync.settings.zone)
    source = f"kashoo.{resource}"
    watermark = sync.store.watermarks.get(source)
    if resource == "invoices":
        sweep = _sweeps(sync, watermark, now)
        start = _oldest_linked(sync) if sweep else _oldest_open(sync)
        if sweep:
            weekly_look.stage(sync)
        listed = list(sync.kashoo.listing(INVOICE.name, start=start.isoformat(), end=_end(today))) if start else []
        rows = [staged_as(each) for each in listed]
        sync.files.write_json("references", _references(listed))
        sync.files.write_table("invoices", pa.Table.from_pylist(rows, schema=INVOICE_COLUMNS))
    else:
        sweep = False
        start = business_date(watermark, sync.settings.zone) - PAYMENT_OVERLAP if watermark else _oldest_linked(sync)
        rows = _as_table(read_allocations(sync, start, today) if start else ())
        sync.files.write_table("allocations", rows)
    lower = watermark or datetime.combine(start or today, time.min, UTC)
    delta = Delta(
        source=source,
        lower=lower.isoformat(),
        upper=now.isoformat(),
        moves=not sync.run.bounded_by_hand and sync.run.run_type not in {"backfill", "replay"},
        note=f"dated {start} or later" if start else "nothing is linked yet",
        read=now.isoformat(),
        records=len(rows),
        start=start.isoformat() if start else None,
        sweep=sweep,
    )
    delta.stage(sync.files, resource)
    log.info("Kashoo %s: %d, %s", resource, delta.records, delta.note)
    return delta


def read_allocations(sync: Sync, start: date, today: date) -> Iterator[Allocation]:
    """Read every allocation of the payments dated ``start`` or later."""
    yield from allocations(sync.kashoo.payments(start=start.isoformat(), end=_end(today)))


def staged_as(entry: Entry) -> dict[str, Any]:
    """Give the columns in which an invoice is staged; an odd one without what is owed, so that it is read by its id."""
    columns = {column: getattr(entry, RENAMED.get(column, column)) for column in INVOICE_COLUMNS.names}
    return columns | ({"totalDue": None} if entry.odd else {})


class StagedInvoices:
    """The staged invoices, without those that the books showed without total or balance."""

    def __init__(self, sync: Sync) -> None:
        table = _staged(sync, "invoices", "invoices")
        if table is not None:
            table = table.filter(pc.and_(pc.is_valid(table["totalDue"]), pc.is_valid(table["balanceDue"])))
        self._rows = TableIndex(table, "id")

    @property
    def ids(self) -> list[int]:
        """The id of each."""
        return self._rows.ids

    def of(self, ids: Iterable[int]) -> dict[int, Invoice]:
        """Id -> the invoice, of those that were staged."""
        rows = self._rows.rows(ids)
        return {row["id"]: Invoice(**{RENAMED.get(name, name): value for name, value in row.items()}) for row in rows}


class Allocations:
    """Allocations of payments to invoices.

    :param rows: with the columns of an allocation.
    """

    def __init__(self, rows: pa.Table | None) -> None:
        self._rows = TableIndex(rows, "invoice_id")

    @classmethod
    def staged(cls, sync: Sync) -> Allocations:
        """Give those that the extract staged."""
        return cls(_staged(sync, "allocations", "payments"))

    @classmethod
    def read(cls, sync: Sync, start: date, today: date) -> Allocations:
        """Read those of the payments dated ``start`` or later."""
        return cls(_as_table(read_allocations(sync, start, today)))

    @property
    def invoice_ids(self) -> list[int]:
        """The invoices to which payments are allocated."""
        return self._rows.ids

    def of(self, invoice_ids: Iterable[int]) -> dict[int, list[Allocation]]:
        """Invoice -> its allocations, of those that have any."""
        found: dict[int, list[Allocation]] = defaultdict(list)
        for row in self._rows.rows(invoice_ids):
            found[row["invoice_id"]].append(Allocation(**row))
        return found


def _references(entries: Iterable[Entry]) -> dict[str, list[int]]:
    """Map each reference of ours to the ids of the invoices that carry it."""
    bearers: dict[str, list[int]] = {}
    for each in entries:
        for reference in each.references:
            bearers.setdefault(str(reference), []).append(each.id)
    return bearers


def staged_bearers(sync: Sync) -> dict[str, list[int]]:
    """Give the staged map of references to the ids of the invoices that carry them."""
    return sync.files.read_json("references") or {}


def lists_all(sync: Sync) -> bool:
    """Say whether all linked invoices were listed, so that one which is missing was moved or removed."""
    delta = staged(sync.files, "invoices")
    return delta is not None and delta.sweep


def read_at(sync: Sync) -> float:
    """Say when the staged invoices were read, epoch seconds: they show nothing later."""
    delta = staged(sync.files, "invoices")
    return datetime.fromisoformat(delta.read).timestamp() if delta else 0.0


def payments_since(sync: Sync) -> date | None:
    """Say since which date the staged payments were listed; None when nothing is linked yet."""
    delta = staged(sync.files, "payments")
    return date.fromisoformat(delta.start) if delta and delta.start else None


def _as_table(found: Iterable[Allocation]) -> pa.Table:
    return pa.Table.from_pylist([vars(part) for part in found], schema=ALLOCATION_COLUMNS)


def _staged(sync: Sync, name: str, resource: str) -> pa.Table | None:
    """Give the rows that an extract staged; what is missing is not taken for nothing listed."""
    table, delta = sync.files.read_table(name), staged(sync.files, resource)
    rows = 0 if table is None else table.num_rows
    if delta and rows != delta.records:
        said = f"The extract of {resource} staged {delta.records} rows, but {rows} are there."
        raise ConfigurationError(said, remedy=clear(f"that extracts {resource}"))
    return table


def _end(today: date) -> str:
    return (today + FUTURE).isoformat()


def _sweeps(sync: Sync, watermark: datetime | None, now: datetime) -> bool:
    """Say whether this is the week's first run, which also lists invoices that are paid, refunded or void.

    A reversed payment vanishes from its list; only the balance of its invoice shows it.
    """
    return watermark is None or first_of_week(watermark, now, sync.settings.zone)


def _oldest_open(sync: Sync) -> date | None:
    return oldest(sync, EVERY_SETTLEMENT - SETTLED)


def _oldest_linked(sync: Sync) -> date | None:
    return oldest(sync, EVERY_SETTLEMENT)


def oldest(sync: Sync, settlements: Collection[str | None]) -> date | None:
    """Give the earliest date of the linked invoices with some settlements."""
    found = sync.store.linked_records.oldest_date(INVOICE.name, settlements)
    return None if found is None else date.fromisoformat(found or UNDATED)

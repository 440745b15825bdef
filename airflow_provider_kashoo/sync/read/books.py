"""Step one, from Kashoo: invoices that may have changed, and payments by date.

Kashoo has no evidenced "modified since": lists are read by date window, widely. What is absent from a
window proves nothing, because its date may have been moved.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.core.rules.settlement import PAID, REFUNDED, VOID, Allocation, allocations
from airflow_provider_kashoo.core.values.dates import business_date, first_of_week
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.sync.read import weekly_look as contacts
from airflow_provider_kashoo.sync.run.deltas import Delta, staged
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

PAYMENT_OVERLAP = timedelta(days=7)
"""Payments are often booked some days late."""

FUTURE = timedelta(days=400)
SETTLED = frozenset({PAID, REFUNDED, VOID})

INVOICE = pa.schema(
    [
        ("id", pa.int64()),
        ("number", pa.string()),
        ("date", pa.string()),
        ("dueDate", pa.string()),
        ("currency", pa.string()),
        ("totalDue", pa.int64()),
        ("balanceDue", pa.int64()),
        ("removed", pa.bool_()),
    ]
)
ALLOCATION = pa.schema(
    [
        ("payment_id", pa.int64()),
        ("invoice_id", pa.int64()),
        ("date", pa.string()),
        ("amount", pa.int64()),
        ("credit", pa.int64()),
    ]
)


def extract(sync: Sync, resource: str) -> Delta:
    """Stage ``invoices`` or ``payments``.

    :returns: what is also staged, last.
    """
    now = datetime.fromtimestamp(sync.store.now(), UTC)
    today = business_date(now, sync.settings.zone)
    source = f"kashoo.{resource}"
    watermark = sync.store.watermarks.get(source)
    if resource == "invoices":
        sweep = _sweeps(sync, watermark, now)
        start = _oldest_linked(sync) if sweep else _oldest_open(sync)
        if sweep:
            contacts.stage(sync)
        rows = list(_listing(sync, "invoice", start, today)) if start else []
        sync.files.write_json("references", _references(sync, rows))
        sync.files.write_table("invoices", pa.Table.from_pylist(rows, schema=INVOICE))
    else:
        sweep = False
        start = business_date(watermark, sync.settings.zone) - PAYMENT_OVERLAP if watermark else _oldest_linked(sync)
        rows = [vars(part) for part in read_allocations(sync, start, today)] if start else []
        sync.files.write_table("allocations", pa.Table.from_pylist(rows, schema=ALLOCATION))
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
    yield from allocations(_listing(sync, "payment", start, today))


def staged_invoices(sync: Sync) -> dict[int, dict[str, Any]]:
    """Invoice id -> the staged row."""
    return {row["id"]: row for row in _rows(sync, "invoices")}


def _references(sync: Sync, rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Find the invoices that carry each reference of ours."""
    place = sync.kashoo.profile.reference_field("invoice")
    bearers: dict[str, list[int]] = {}
    for row in rows:
        for reference in Reference.find(row.get(place)):
            bearers.setdefault(str(reference), []).append(row["id"])
    return bearers


def staged_bearers(sync: Sync) -> dict[str, list[int]]:
    """Give the staged ids of the invoices that carry each reference of ours."""
    return sync.files.read_json("references") or {}


def lists_all(sync: Sync) -> bool:
    """Say whether the staged invoices are all that are listed, so that one which is missing was moved or removed."""
    delta = staged(sync.files, "invoices")
    return delta is not None and delta.sweep


def read_at(sync: Sync) -> float:
    """Say when the staged invoices were asked for, epoch seconds; what came up since, they do not tell."""
    delta = staged(sync.files, "invoices")
    return datetime.fromisoformat(delta.read).timestamp() if delta else 0.0


def payments_since(sync: Sync) -> date | None:
    """Say since which date the staged payments were listed; None when nothing is linked yet."""
    delta = staged(sync.files, "payments")
    return date.fromisoformat(delta.start) if delta and delta.start else None


def staged_allocations(sync: Sync) -> list[Allocation]:
    """List the staged allocations."""
    return [Allocation(**row) for row in _rows(sync, "allocations")]


def _rows(sync: Sync, name: str) -> Iterable[dict[str, Any]]:
    table = sync.files.read_table(name)
    return [] if table is None else table.to_pylist()


def _listing(sync: Sync, resource: str, start: date, today: date) -> Iterator[dict[str, Any]]:
    return sync.kashoo.listing(resource, start=start.isoformat(), end=(today + FUTURE).isoformat())


def _sweeps(sync: Sync, watermark: datetime | None, now: datetime) -> bool:
    """Say whether this is the week's first run: it lists settled invoices too.

    A payment that is reversed vanishes; only the balance of its invoice tells.
    """
    return watermark is None or first_of_week(watermark, now, sync.settings.zone)


def _oldest_open(sync: Sync) -> date | None:
    links = sync.store.links.of_target("invoice")
    return min((_day(link.journal_date) for link in links if link.settlement not in SETTLED), default=None)


def _oldest_linked(sync: Sync) -> date | None:
    return min((_day(link.journal_date) for link in sync.store.links.of_target("invoice")), default=None)


def _day(text: str | None) -> date:
    return date.fromisoformat(text) if text else date(2000, 1, 1)

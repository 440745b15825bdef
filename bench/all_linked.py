"""A store in which every record of a plan is linked, as if all of it had been written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from sqlalchemy import insert

from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.rules.settlement import OPEN
from airflow_provider_kashoo.core.values.parents import Parent, resolve_parents
from airflow_provider_kashoo.store.tables import links
from airflow_provider_kashoo.sync.run.plan_file import PlanFile
from airflow_provider_kashoo.sync.run.sync import Sync

TOGETHER = 5_000


def link_all(sync: Sync) -> int:
    """Link what the plan of a run creates, parents first as they are planned; gives the number of invoices."""
    creates = [each for each in PlanFile(sync.files).rows() if isinstance(each, Create)]
    rows = _rows(sync, creates)
    with sync.store.database.begin() as connection:
        while some := list(islice(rows, TOGETHER)):
            connection.execute(insert(links), some)
    sync.store.mark_books_known()
    return sum(each.record.kind == "invoice" for each in creates)


def _rows(sync: Sync, creates: list[Create]) -> Iterator[dict[str, Any]]:
    linked: dict[Parent, int] = {}
    for kashoo_id, intent in zip(count(1), creates, strict=False):
        record, hashes = intent.record, sync.store.hashes
        linked[record.named] = kashoo_id
        said = hashes.fields(resolve_parents(intent.document, linked))
        yield {
            "scope_id": sync.store.scope_id, "target": record.kind, "source_object": record.object,
            "source_id": record.id, "part": record.part, "generation": 1, "sale_id": intent.sale or record.id,
            "kashoo_id": kashoo_id, "version": 1, "state": "live", "currency": intent.currency,
            "expected_total": intent.total, "journal_date": intent.date, "settlement": OPEN,
            "source_read": intent.source_read, "fields": {name: [each, each] for name, each in said.items()},
            "sources": intent.sources, "written_back": {}, "created_at": 0.0, "updated_at": 0.0,
        }  # fmt: skip

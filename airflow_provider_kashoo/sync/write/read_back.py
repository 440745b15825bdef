"""Read back what a test batch wrote, and keep how it compares."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import PARENTS, is_payment
from airflow_provider_kashoo.core.rules.intents import Create, Document, Intent, Update
from airflow_provider_kashoo.core.rules.read_back import LINES, MARK, TOTAL, Compared, compared
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.core.values.parents import parents_of, resolve_parents
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.reports.read_back import as_table, is_as_sent
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

MOST_KEPT = 200
"""So many differences are kept; all are counted."""


def read_back(sync: Sync, rows: Sequence[Intent]) -> dict[str, Any]:
    """Read each customer, item and invoice that this run wrote, and compare it with what was sent.

    :param rows: of the plan that was applied.
    :returns: what is kept of it: ``at`` (ISO 8601 UTC), ``records`` (kind -> how many), ``fields`` (kind and field ->
        how often it was sent, and how often it is shown so), ``differences``.
    :raises BudgetSpent: when the budget needs a longer wait; do it again after that.
    :raises UnreachableError: when Kashoo stopped answering.
    """
    sent, same, records = Counter[str](), Counter[str](), Counter[str]()
    differences: list[dict[str, Any]] = []
    for intent, kashoo_id, fields in _written(sync, rows):
        kind = intent.record.kind
        records[kind] += 1
        for each in _compare(sync, intent, kashoo_id, fields):
            sent[f"{kind} {each.field}"] += 1
            same[f"{kind} {each.field}"] += not each.differs
            if each.differs:
                named = {"kind": kind, "source_id": intent.record.id, "kashoo_id": kashoo_id}
                differences.append({**named, "field": each.field, "differs": each.differs})
    result = {
        "at": datetime.fromtimestamp(sync.store.now(), UTC).isoformat(timespec="seconds"),
        "records": dict(records),
        "fields": {name: [sent[name], same[name]] for name in sorted(sent)},
        "differences": differences[:MOST_KEPT],
    }
    sync.store.record_read_back(sync.name, sync.run.run_id, result)
    log.log(logging.INFO if is_as_sent(result) else logging.WARNING, "The test batch, read back:\n%s", as_table(result))
    return result


def _written(sync: Sync, rows: Sequence[Intent]) -> Iterator[tuple[Create | Update, int, Document]]:
    """Give what this run wrote, with its Kashoo id and the fields that were sent, links to parents resolved."""
    writes = [each for each in rows if isinstance(each, Create | Update) and not is_payment(each.record.kind)]
    parents = {kind: set[str]() for kind in PARENTS}
    for each in writes:
        for kind, ident in parents_of(each.document):
            parents[kind].add(ident)
    known = {
        (kind, ident): link.kashoo_id
        for kind, ids in parents.items()
        for ident, link in sync.store.links.of_sources(kind, ids).items()
    }
    linked: dict[Record, int] = {}
    for kind in {each.record.kind for each in writes}:
        ids = {each.record.id for each in writes if each.record.kind == kind}
        parts = sync.store.links.parts_of(kind, ids)
        linked |= {link.record: link.kashoo_id for each in parts.values() for link in each.values()}
    done = {key for key, _, _ in sync.store.journal.done_by(sync.run.run_id)}
    for each in writes:
        if each.key in done and each.record in linked:
            yield each, linked[each.record], resolve_parents(each.written, known)


def _compare(sync: Sync, intent: Intent, kashoo_id: int, fields: Document) -> Iterator[Compared]:
    try:
        entry = sync.kashoo.read(intent.record.kind, kashoo_id)
    except UnreadableError as error:
        yield Compared("the record", error.problem.cause)
        return
    if entry is None or entry.removed:
        yield Compared("the record", "is not in Kashoo")
        return
    yield from compared(intent.record.kind, fields, entry.fields)
    yield Compared(MARK, "" if intent.reference in entry.references else "is missing")
    if intent.total is not None and LINES in fields:
        yield Compared(TOTAL, _total(intent, entry))


def _total(intent: Intent, entry: Entry) -> str:
    if entry.total == intent.total:
        return ""
    shown = "nothing" if entry.total is None else format_minor(entry.total, entry.currency)
    return f"expected {format_minor(intent.total or 0, intent.currency or '')}, shown {shown}"

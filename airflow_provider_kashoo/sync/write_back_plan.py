"""Step two, towards Salesforce: each linked invoice's settlement, held against what was written last.

The state written is computed from what the books hold now, never added up from events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.clients.documents import is_gone
from airflow_provider_kashoo.core.dates import business_date
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.ids import Reference
from airflow_provider_kashoo.core.mapping import Mapping
from airflow_provider_kashoo.core.money import CENTS
from airflow_provider_kashoo.core.operations import State
from airflow_provider_kashoo.core.plan import Action, PlanRow, PlanSummary, in_order, summarise
from airflow_provider_kashoo.core.questions import (
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    STANDS_AGAIN,
    removed_in_books,
)
from airflow_provider_kashoo.core.settlement import OPEN, REFUNDED, Allocation, is_complete, settle
from airflow_provider_kashoo.core.targets import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.transform import evaluate
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync import contacts, kashoo_delta
from airflow_provider_kashoo.sync.sync import Sync
from airflow_provider_kashoo.sync.waits import Reads

OUT_OF_REACH = "Unreachable"
"""Settlement of a voided invoice whose record in Salesforce is deleted: told once a week, should it come back."""

NOT_KEPT = frozenset({"number", "due_date"})
"""What nobody knows of an invoice that the books do not show any more."""

PREPAID = timedelta(days=400)
"""How long before an invoice's date its payments are looked for, when those seen do not explain its balance."""


def plan(sync: Sync, reads: Reads) -> PlanSummary:
    """Plan what Salesforce has to be told, stage it, and summarise.

    :param reads: reads single invoices, each once.
    """
    rows: list[PlanRow] = []
    links = sync.store.links.of_target("invoice")
    invoices = kashoo_delta.staged_invoices(sync)
    parts: dict[int, list[Allocation]] = defaultdict(list)
    for part in kashoo_delta.staged_allocations(sync):
        parts[part.invoice_id].append(part)
    untold = sync.store.journal.open_records(State.SENT, State.RETRY, State.IN_DOUBT)
    waiting = untold | sync.store.journal.open_records(State.PARKED)
    known = _affected(sync, reads, links, invoices, parts, rows, waiting)
    rows += _copies(sync, links)
    _complete(sync, known, parts, waiting)
    voided = [link for link in sync.store.links.ended("invoice") if link.kashoo_id in invoices]
    rows += [link.row(sync.name, Action.REVIEW, "").reviewed(STANDS_AGAIN) for link in voided]
    known += list(_voided(sync, reads, links, rows))
    for mapping in sync.mappings.values():
        if not mapping.into_books:
            own = [(link, invoice) for link, invoice in known if link.source_object == mapping.to]
            rows += _rows_of(sync, mapping, own, parts, untold)
    rows += contacts.plan(sync)
    reports = [sync.files.read_json(name) or {} for name in sync.files.names("delta.")]
    read = min((str(report["read"]) for report in reports), default="")
    rows = in_order(replace(row, source_read=read) for row in rows)
    sync.files.write_plan(rows)
    notes = [f"{report['source']}: {report['records']} records, {report['note']}" for report in reports]
    notes += contacts.notes(sync)
    return summarise(rows, seconds_for=lambda _: 0.0, notes=notes)


def _affected(
    sync: Sync,
    reads: Reads,
    links: list[Link],
    invoices: dict[int, dict[str, Any]],
    parts: dict[int, list[Allocation]],
    rows: list[PlanRow],
    waiting: set[tuple[str, str]],
) -> list[tuple[Link, dict[str, Any]]]:
    """Pair each link that may have changed, or whose last write-back is not settled, with its invoice now."""
    known, swept = [], kashoo_delta.swept(sync)
    removed = sync.store.reviews.sources("invoice", REMOVED_IN_BOOKS)
    for link in links:
        invoice = invoices.get(link.kashoo_id)
        due = link.settlement != "Void" or link.source_id in removed  # its question closes when it stands again
        missed = (swept and due) or (link.source_object, link.source_id) in waiting
        at_rest = link.settlement in {*kashoo_delta.SETTLED, OUT_OF_REACH}
        if invoice is None and (missed or link.kashoo_id in parts or not at_rest):
            invoice = reads.read("invoice", link.kashoo_id, link.version)
            if is_gone(invoice):
                rows.append(removed_in_books(link.row(sync.name, Action.REVIEW, "")))
                invoice = _void(link, invoice or {})
        if invoice is not None and (missed or link.kashoo_id in parts or not _is_refunded_still(link, invoice)):
            known.append((link, invoice))
    return known


def _is_refunded_still(link: Link, invoice: dict[str, Any]) -> bool:
    """Say whether nothing speaks against a refund that was told: its payments add up to nothing, seen or not."""
    return link.settlement == REFUNDED and bool(invoice["balanceDue"] == invoice["totalDue"])


def _voided(sync: Sync, reads: Reads, live: list[Link], rows: list[PlanRow]) -> Iterator[tuple[Link, dict[str, Any]]]:
    """Give what we voided and Salesforce was not told of, unless its record has a later invoice.

    Each is read once more: an invoice that stands again, although we removed it, is for a person.
    """
    told = {mapping.to for mapping in sync.mappings.values() if not mapping.into_books}
    latest = {link.source_id: link for link in sync.store.links.ended("invoice")}
    replaced = {link.source_id for link in live}
    again = kashoo_delta.swept(sync)
    for link in latest.values():
        untold = link.settlement != "Void" and (again or link.settlement != OUT_OF_REACH)
        if link.source_object not in told or link.source_id in replaced or not untold:
            continue
        invoice = reads.read("invoice", link.kashoo_id, link.version)
        if is_gone(invoice):
            yield link, _void(link, invoice or {})
        else:
            rows.append(link.row(sync.name, Action.REVIEW, "").reviewed(STANDS_AGAIN))


def _void(link: Link, invoice: dict[str, Any]) -> dict[str, Any]:
    """Describe a voided invoice, of which the books may say nothing any more: it owes nothing."""
    known = {"id": link.kashoo_id, "currency": link.currency, "totalDue": link.expected_total or 0}
    return {**known, **invoice, "removed": True, "balanceDue": 0}


def _complete(
    sync: Sync,
    known: list[tuple[Link, dict[str, Any]]],
    parts: dict[int, list[Allocation]],
    waiting: set[tuple[str, str]],
) -> None:
    """Read older payments too, when those seen do not explain a balance to the cent, or what was to be told before."""
    unexplained = [
        (link, invoice)
        for link, invoice in known
        if (not invoice.get("removed") and not is_complete(invoice, parts[invoice["id"]]))
        or (not parts[invoice["id"]] and link.settlement not in {None, OPEN})
        or (not parts[invoice["id"]] and (link.source_object, link.source_id) in waiting)
    ]
    if not unexplained:
        return
    today = business_date(datetime.fromtimestamp(sync.store.now(), UTC), sync.settings.zone)
    # The date may have been moved far, and the window that was staged must not be lost for the other invoices.
    dates = [each for link, invoice in unexplained for each in (invoice.get("date"), link.journal_date) if each]
    start = min([date.fromisoformat(each) for each in dates] or [today]) - PREPAID
    start = min(start, kashoo_delta.payments_since(sync) or today)
    parts.clear()
    for part in kashoo_delta.read_allocations(sync, start, today):
        parts[part.invoice_id].append(part)


def _rows_of(
    sync: Sync,
    mapping: Mapping,
    known: list[tuple[Link, dict[str, Any]]],
    parts: dict[int, list[Allocation]],
    untold: set[tuple[str, str]],
) -> list[PlanRow]:
    if not known:
        return []
    settled = [settle(invoice, parts[invoice["id"]]) for _, invoice in known]
    types = {name: pa.int64() if kind == "money" else pa.string() for name, kind in SETTLEMENT_SOURCE.items()}
    table = pa.Table.from_pylist(settled, schema=pa.schema(list(types.items())))
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    forgotten = [number for number, (_, invoice) in enumerate(known) if "number" not in invoice]
    columns = {name: evaluate(field, frame, "text", sync.surroundings) for name, field in mapping.fields.items()}
    money = {name for name, field in mapping.fields.items() if SETTLEMENT_SOURCE.get(field.from_ or "") == "money"}
    rows = []
    for number, (link, _) in enumerate(known):
        document = {
            name: _value(values[number], name in money)
            for name, values in columns.items()
            if number not in forgotten or not NOT_KEPT & {path for path, _ in mapping.fields[name].paths()}
        }
        # What Salesforce holds is not known where an answer is missing: it may be what was true then.
        told = {} if (mapping.to, link.source_id) in untold else link.written_back
        rows.append(_row(sync, mapping, replace(link, written_back=told), document, settled[number]["status"]))
    return rows


def _row(sync: Sync, mapping: Mapping, link: Link, document: dict[str, Any], status: str) -> PlanRow:
    row = link.row(
        sync.name,
        Action.WRITE_BACK,
        f"its invoice is {status}",
        mapping=mapping.name,
        target=mapping.to,
        generation=1,  # one key for all invoices that a record ever had: two of them are never told at once
        document=document,
        base=status,
    )
    if problem := next((value for value in document.values() if isinstance(value, Problem)), None):
        return replace(row, document={}).parked(problem)
    now = sync.store.hashes.fields(document)
    changed = {name: value for name, value in document.items() if now[name] != link.written_back.get(name)}
    if not changed:
        return replace(row, action=Action.UNCHANGED, reason="Salesforce was told so already")
    return replace(row, payload=changed)


def _copies(sync: Sync, links: list[Link]) -> Iterator[PlanRow]:
    """Name every invoice that carries the reference of another one, which is linked."""
    bearers = kashoo_delta.staged_bearers(sync)
    for link in links:
        found = bearers.get(str(Reference(link.source_id, link.part, link.generation)), [])
        if others := [ident for ident in found if ident != link.kashoo_id]:
            problem = replace(POSSIBLE_DUPLICATE, cause=f"{len(others)} more invoices carry its reference")
            yield link.row(sync.name, Action.REVIEW, "", kashoo_id=others[0]).reviewed(problem)


def _value(value: Any, is_money: bool) -> Any:
    """Write an amount in major units, as Salesforce holds it; kept as text so that no digit moves."""
    return str(Decimal(value) / CENTS) if is_money and isinstance(value, str) else value

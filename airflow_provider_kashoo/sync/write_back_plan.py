"""Step two, towards Salesforce: each linked invoice's settlement, held against what was written last.

The state written is computed from what the books hold now, never added up from events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from airflow_provider_kashoo.core.settlement import OPEN, REFUNDED, VOID, Allocation, is_complete, settlement_of
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

Invoice = dict[str, Any]
Known = tuple[Link, Invoice]
"""A link, and what the books say of its invoice."""


class WriteBackPlan:
    """Plans one run of ``kashoo_to_salesforce``.

    :param reads: reads single invoices, each once.
    """

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self.sync, self._reads = sync, reads
        self.rows: list[PlanRow] = []
        self._links = sync.store.links.of_target("invoice")
        self._voided = sync.store.links.ended("invoice")
        self._invoices = kashoo_delta.staged_invoices(sync)
        self._weekly = kashoo_delta.lists_all(sync)
        journal = sync.store.journal
        self._unanswered = journal.open_records(State.SENT, State.RETRY, State.IN_DOUBT)
        self._unsettled = self._unanswered | journal.open_records(State.PARKED)
        self._parts: dict[int, list[Allocation]] = _by_invoice(kashoo_delta.staged_allocations(sync))

    def make(self) -> PlanSummary:
        """Plan what Salesforce has to be told, stage it, and summarise."""
        known = list(self._affected())
        self.rows += self._copies()
        self._complete_payments(known)
        standing = [link for link in self._voided if link.kashoo_id in self._invoices]
        self.rows += [self._question(link, STANDS_AGAIN) for link in standing]
        known += list(self._untold_voids())
        for mapping in self.sync.mappings.values():
            if not mapping.into_books:
                own = [(link, invoice) for link, invoice in known if link.source_object == mapping.to]
                self.rows += self._rows_of(mapping, own)
        self.rows += contacts.plan(self.sync)
        reports = [self.sync.files.read_json(name) or {} for name in self.sync.files.names("delta.")]
        read = min((str(report["read"]) for report in reports), default="")
        self.rows = in_order(replace(row, source_read=read) for row in self.rows)
        self.sync.files.write_plan(self.rows)
        notes = [f"{report['source']}: {report['records']} records, {report['note']}" for report in reports]
        notes += contacts.notes(self.sync)
        return summarise(self.rows, seconds_for=lambda _: 0.0, notes=notes)

    def _affected(self) -> Iterator[Known]:
        """Pair each link that may have changed, or whose last write-back is not settled, with its invoice now."""
        removed = self.sync.store.reviews.sources("invoice", REMOVED_IN_BOOKS)
        for link in self._links:
            invoice = self._invoices.get(link.kashoo_id)
            due = link.settlement != VOID or link.source_id in removed  # its question closes when it stands again
            missed = (self._weekly and due) or (link.source_object, link.source_id) in self._unsettled
            paid = missed or link.kashoo_id in self._parts
            if invoice is None and (paid or link.settlement not in {*kashoo_delta.SETTLED, OUT_OF_REACH}):
                invoice = self._reads.read("invoice", link.kashoo_id, link.version)
                if is_gone(invoice):
                    self.rows.append(removed_in_books(link.row(self.sync.name, Action.REVIEW, "")))
                    invoice = _void(link, invoice or {})
            if invoice is not None and (paid or not _is_refunded_still(link, invoice)):
                yield link, invoice

    def _untold_voids(self) -> Iterator[Known]:
        """Give what we voided and Salesforce was not told of, unless its record has a later invoice.

        Each is read once more: an invoice that stands again, although we removed it, is for a person.
        """
        told = {mapping.to for mapping in self.sync.mappings.values() if not mapping.into_books}
        latest = {link.source_id: link for link in self._voided}
        replaced = {link.source_id for link in self._links}
        for link in latest.values():
            untold = link.settlement != VOID and (self._weekly or link.settlement != OUT_OF_REACH)
            if link.source_object not in told or link.source_id in replaced or not untold:
                continue
            invoice = self._reads.read("invoice", link.kashoo_id, link.version)
            if is_gone(invoice):
                yield link, _void(link, invoice or {})
            else:
                self.rows.append(self._question(link, STANDS_AGAIN))

    def _complete_payments(self, known: list[Known]) -> None:
        """Read older payments too, when those seen do not explain a balance to the cent, or what was told before."""
        unexplained = [(link, invoice) for link, invoice in known if not self._is_explained(link, invoice)]
        if not unexplained:
            return
        today = business_date(datetime.fromtimestamp(self.sync.store.now(), UTC), self.sync.settings.zone)
        # The date may have been moved far, and the window that was staged must not be lost for the other invoices.
        dates = [each for link, invoice in unexplained for each in (invoice.get("date"), link.journal_date) if each]
        start = min([date.fromisoformat(each) for each in dates] or [today]) - PREPAID
        start = min(start, kashoo_delta.payments_since(self.sync) or today)
        self._parts = _by_invoice(kashoo_delta.read_allocations(self.sync, start, today))

    def _is_explained(self, link: Link, invoice: Invoice) -> bool:
        seen = self._parts.get(invoice["id"], [])
        if not invoice.get("removed") and not is_complete(invoice, seen):
            return False
        told_more = link.settlement not in {None, OPEN} or (link.source_object, link.source_id) in self._unsettled
        return bool(seen) or not told_more

    def _rows_of(self, mapping: Mapping, known: list[Known]) -> Iterator[PlanRow]:
        if not known:
            return
        settled = [settlement_of(invoice, self._parts.get(invoice["id"], [])) for _, invoice in known]
        types = {name: pa.int64() if kind == "money" else pa.string() for name, kind in SETTLEMENT_SOURCE.items()}
        table = pa.Table.from_pylist(settled, schema=pa.schema(list(types.items())))
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
        columns = {
            name: evaluate(field, frame, "text", self.sync.surroundings) for name, field in mapping.fields.items()
        }
        money = {name for name, field in mapping.fields.items() if SETTLEMENT_SOURCE.get(field.from_ or "") == "money"}
        forgotten = {name for name, field in mapping.fields.items() if NOT_KEPT & {path for path, _ in field.paths()}}
        for number, (link, invoice) in enumerate(known):
            document = {
                name: _value(values[number], name in money)
                for name, values in columns.items()
                if "number" in invoice or name not in forgotten
            }
            yield self._row(mapping, link, document, settled[number]["status"])

    def _row(self, mapping: Mapping, link: Link, document: dict[str, Any], status: str) -> PlanRow:
        row = link.row(
            self.sync.name,
            Action.WRITE_BACK,
            f"its invoice is {status}",
            mapping=mapping.name,
            target=mapping.to,
            generation=1,  # one key for all invoices that a record ever had: two of them are never told at once
            document=document,
            settlement=status,
        )
        if problem := next((value for value in document.values() if isinstance(value, Problem)), None):
            return replace(row, document={}).parked(problem)
        # What Salesforce holds is not known where an answer is missing: it may be what was true then.
        told = {} if (mapping.to, link.source_id) in self._unanswered else link.written_back
        now = self.sync.store.hashes.fields(document)
        changed = {name: value for name, value in document.items() if now[name] != told.get(name)}
        if not changed:
            return replace(row, action=Action.UNCHANGED, reason="Salesforce was told so already")
        return replace(row, payload=changed)

    def _copies(self) -> Iterator[PlanRow]:
        """Name every invoice that carries the reference of another one, which is linked."""
        bearers = kashoo_delta.staged_bearers(self.sync)
        for link in self._links:
            found = bearers.get(str(Reference(link.source_id, link.part, link.generation)), [])
            if others := [ident for ident in found if ident != link.kashoo_id]:
                problem = replace(POSSIBLE_DUPLICATE, cause=f"{len(others)} more invoices carry its reference")
                yield replace(self._question(link, problem), kashoo_id=others[0])

    def _question(self, link: Link, problem: Problem) -> PlanRow:
        return link.row(self.sync.name, Action.REVIEW, "").reviewed(problem)


def _by_invoice(found: Iterable[Allocation]) -> dict[int, list[Allocation]]:
    parts: dict[int, list[Allocation]] = {}
    for part in found:
        parts.setdefault(part.invoice_id, []).append(part)
    return parts


def _is_refunded_still(link: Link, invoice: Invoice) -> bool:
    """Say whether nothing speaks against a refund that was told: its payments add up to nothing, seen or not."""
    return link.settlement == REFUNDED and bool(invoice["balanceDue"] == invoice["totalDue"])


def _void(link: Link, invoice: Invoice) -> Invoice:
    """Describe a voided invoice, of which the books may say nothing any more: it owes nothing."""
    known = {"id": link.kashoo_id, "currency": link.currency, "totalDue": link.expected_total or 0}
    return {**known, **invoice, "removed": True, "balanceDue": 0}


def _value(value: Any, is_money: bool) -> Any:
    """Write an amount in major units, as Salesforce holds it; kept as text so that no digit moves."""
    return str(Decimal(value) / CENTS) if is_money and isinstance(value, str) else value

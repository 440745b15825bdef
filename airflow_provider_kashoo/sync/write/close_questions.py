"""Close review items that the books have answered, after Kashoo was listed.

An invoice that the week's full listing does not show, because its date was moved, is read by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE, is_billed, is_dated
from airflow_provider_kashoo.core.rules import questions
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.settlement import Invoice
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import books, weekly_look
from airflow_provider_kashoo.sync.run.sync import Sync

Item = Mapping[str, Any]


def close_questions(sync: Sync) -> None:
    """Close each open item whose cause is gone."""
    items = sync.store.reviews.all_open()
    answers = _Answers(sync, {item["source_id"] for item in items if is_dated(item["target"])}) if items else None
    asked_to_remove = {
        (item["target"], item["source_id"], item["part"])
        for item in items
        if item["error_class"] in questions.ANSWERED_BY_REMOVAL and item["dismissed_at"] is None
    }
    for item in items:
        target, source_id, part, error_class = (item[name] for name in ("target", "source_id", "part", "error_class"))
        if is_billed(target) and error_class == questions.REMOVED_IN_BOOKS.error_class:
            if (target, source_id, part) in asked_to_remove:
                _answered(sync, item)
            sync.store.reviews.close(target, source_id, questions.CLOSED_BY_REMOVAL, part)
        with suppress(UnreadableError):
            if answers and answers.is_resolved(item):
                sync.store.reviews.close(target, source_id, [error_class], part)


def _answered(sync: Sync, item: Item) -> None:
    """Ask nothing about a removal that a person was asked for; that it happened is still known."""
    about = Intent(record=Record(item["target"], item["source_object"], item["source_id"], item["part"]))
    sync.store.reviews.open(about, questions.REMOVED_AS_ASKED, sync.run.run_id)
    sync.store.reviews.dismiss(item["id"], by="the sync", reason="a person was asked to remove it")


class _Answers:
    """What the books say to the questions about the invoices of some Salesforce records."""

    def __init__(self, sync: Sync, source_ids: set[str]) -> None:
        self._sync = sync
        self._links = {
            (ident, part): link
            for ident, parts in sync.store.links.parts_of(INVOICE.name, source_ids).items()
            for part, link in parts.items()
        }
        self._invoices = books.StagedInvoices(sync).of(link.kashoo_id for link in self._links.values())
        self._read_at, self._whole = books.read_at(sync), books.lists_all(sync)
        self._standing = weekly_look.standing(sync)
        self._marked: dict[str, set[tuple[int, str]]] = {}

    def is_resolved(self, item: Item) -> bool:
        """Say whether the cause of an item is gone."""
        match item["error_class"]:
            case questions.POSSIBLE_DUPLICATE.error_class:
                return self._is_no_duplicate(item)
            case questions.STANDS_AGAIN.error_class:
                return self._whole and not self._sync.kashoo.stands(item["target"], item["kashoo_id"])
            case questions.TOTAL_DIFFERS.error_class:
                link, invoice = self._linked_invoice(item)
                return link is not None and invoice is not None and invoice.total == link.expected_total
            case questions.PREPAID_PARTLY_PAID.error_class:
                _, invoice = self._linked_invoice(item)
                return invoice is not None and (invoice.removed or (invoice.balance or 0) <= 0)
            case questions.MARK_MISSING.error_class:
                shown = item["opened_at"] < self._read_at
                return shown and (item["kashoo_id"], item["source_id"]) in self._marks(item["target"])
            case questions.REMOVED_IN_BOOKS.error_class if is_billed(item["target"]):
                _, invoice = self._linked_invoice(item)
                return invoice is not None and not invoice.removed
            case questions.REMOVED_IN_BOOKS.error_class:
                return (item["target"], item["source_id"]) in self._standing
        return False

    def _linked_invoice(self, item: Item) -> tuple[Link | None, Invoice | Entry | None]:
        """Give a record's link and invoice; no invoice when the staged listing is older than the item."""
        link = self._links.get((item["source_id"], item["part"]))
        if link is None or item["opened_at"] > self._read_at:
            return link, None
        invoice = self._invoices.get(link.kashoo_id)
        return link, self._sync.kashoo.read(link.target, link.kashoo_id) if invoice is None and self._whole else invoice

    def _marks(self, kind: str) -> set[tuple[int, str]]:
        """List (Kashoo id, source id) of the records that carry a reference: invoices as staged, others once a week."""
        if kind not in self._marked:
            bearers = books.staged_bearers(self._sync).items()
            found = ((ident, mark) for text, idents in bearers for mark in Reference.find(text) for ident in idents)
            if not is_billed(kind):
                listed = self._sync.kashoo.listing(kind) if self._whole else ()
                found = ((each.id, mark) for each in listed for mark in each.references)
            self._marked[kind] = {(ident, mark.source_id) for ident, mark in found}
        return self._marked[kind]

    def _is_no_duplicate(self, item: Item) -> bool:
        """Say whether the second record is gone or without reference, or is the only one after all."""
        other = self._sync.kashoo.read(item["target"], item["kashoo_id"])
        if other is None or other.removed or not other.references:
            return True
        return is_billed(item["target"]) and self._is_single(item)

    def _is_single(self, item: Item) -> bool:
        """Say whether a possible duplicate is the linked invoice itself, and the week's list shows no other bearer."""
        link = self._links.get((item["source_id"], item["part"]))
        if link is None or link.kashoo_id != item["kashoo_id"]:
            return False
        reference = str(Reference(link.source_id, link.part, link.generation))
        bearers = books.staged_bearers(self._sync).get(reference)
        return item["opened_at"] < self._read_at and self._whole and bearers == [link.kashoo_id]

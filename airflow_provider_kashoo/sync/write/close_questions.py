"""After Kashoo was listed: close the questions to a person that the books have answered.

What no listing of the week's first run shows, because its date was moved, is read by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.rules import questions
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import books as kashoo_delta
from airflow_provider_kashoo.sync.read import weekly_look as contacts
from airflow_provider_kashoo.sync.run.sync import Sync

Item = Mapping[str, Any]


def close_questions(sync: Sync) -> None:
    """Close each open item whose cause is gone."""
    items = sync.store.reviews.all_open()
    answers = _Answers(sync, {item["source_id"] for item in items if item["target"] == "invoice"}) if items else None
    for item in items:
        target, source_id, error_class = item["target"], item["source_id"], item["error_class"]
        if target == "invoice" and error_class == questions.REMOVED_IN_BOOKS.error_class:
            sync.store.reviews.close(target, source_id, questions.CLOSED_BY_REMOVAL)
        with suppress(UnreadableError):
            if answers and answers.settle(item):
                sync.store.reviews.close(target, source_id, [error_class])


class _Answers:
    """What the books say to the questions about the invoices of some Salesforce records."""

    def __init__(self, sync: Sync, source_ids: set[str]) -> None:
        self._sync = sync
        self._links = sync.store.links.of_sources("invoice", source_ids)
        self._invoices = kashoo_delta.staged_invoices(sync)
        self._read_at, self._whole = kashoo_delta.read_at(sync), kashoo_delta.lists_all(sync)
        self._standing = contacts.standing(sync)

    def settle(self, item: Item) -> bool:
        """Say whether the cause of an item is gone."""
        match item["error_class"]:
            case questions.POSSIBLE_DUPLICATE.error_class:
                return self._is_no_duplicate(item)
            case questions.STANDS_AGAIN.error_class:
                return self._whole and is_gone(self._sync.kashoo.read("invoice", item["kashoo_id"]))
            case questions.TOTAL_DIFFERS.error_class:
                link, invoice = self._linked_invoice(item)
                return link is not None and invoice is not None and invoice.get("totalDue") == link.expected_total
            case questions.REMOVED_IN_BOOKS.error_class if item["target"] == "invoice":
                _, invoice = self._linked_invoice(item)
                return invoice is not None and not is_gone(invoice)
            case questions.REMOVED_IN_BOOKS.error_class:
                return (item["target"], item["source_id"]) in self._standing
        return False

    def _linked_invoice(self, item: Item) -> tuple[Link | None, dict[str, Any] | None]:
        """Give a record's link and invoice; no invoice when the staged listing says nothing newer than the item."""
        link = self._links.get(item["source_id"])
        if link is None or item["opened_at"] > self._read_at:
            return link, None
        invoice = self._invoices.get(link.kashoo_id)
        return link, self._sync.kashoo.read("invoice", link.kashoo_id) if invoice is None and self._whole else invoice

    def _is_no_duplicate(self, item: Item) -> bool:
        """Say whether the second record is gone, lost its reference, or turned out to be the only one."""
        target, kashoo = item["target"], self._sync.kashoo
        other = kashoo.read(target, item["kashoo_id"])
        marks = other and to_document(target, other, kashoo.profile)["references"]
        return is_gone(other) or not marks or (target == "invoice" and self._is_single(item))

    def _is_single(self, item: Item) -> bool:
        """Say whether a possible duplicate is the linked invoice itself, and the week's list shows no other bearer."""
        link = self._links.get(item["source_id"])
        if link is None or link.kashoo_id != item["kashoo_id"]:
            return False
        reference = str(Reference(link.source_id, link.part, link.generation))
        bearers = kashoo_delta.staged_bearers(self._sync).get(reference)
        return item["opened_at"] < self._read_at and self._whole and bearers == [link.kashoo_id]

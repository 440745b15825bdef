"""Invoices in the books that are not as they were left: with another total than the one computed, or removed.

They are never made again; a person looks why. Such a question closes when the books answer it: when the total is the
expected one, by an update of ours or by hand, and when the invoice stands again. A removal answers questions itself.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync import kashoo_delta
from airflow_provider_kashoo.sync.removals import ASK_FOR_REMOVAL, REMOVED_IN_BOOKS, STANDS_AGAIN
from airflow_provider_kashoo.sync.sync import Sync

TOTAL_DIFFERS = Problem(
    "total_differs",
    "its total in the books is not the one computed before sending",
    "Compare its lines and taxes in Kashoo with Salesforce.",
)


def total_differs(target: str, expected: int | None, found: Any) -> Problem | None:
    """Say whether a person has to look at what was written.

    :param expected: the total computed before sending, minor units; invoices only.
    :param found: ``totalDue`` as the books give it, minor units; None when they give none.
    """
    return TOTAL_DIFFERS if target == "invoice" and found != expected else None


def close(sync: Sync) -> None:
    """Close the questions about invoices that the staged listing answers.

    In the week's first run those that no listing shows, because their date was moved, are read by their id.
    """
    classes = {TOTAL_DIFFERS.error_class, REMOVED_IN_BOOKS, STANDS_AGAIN}
    found = [item for item in sync.store.reviews.all_open() if item["error_class"] in classes]
    items = [item for item in found if item["target"] == "invoice"]
    links = sync.store.links.of_sources("invoice", {item["source_id"] for item in items})
    invoices = kashoo_delta.staged_invoices(sync) if items else {}
    for item in items:
        source_id, error_class = item["source_id"], item["error_class"]
        if error_class == REMOVED_IN_BOOKS:
            sync.store.reviews.close("invoice", source_id, ASK_FOR_REMOVAL)
        if error_class == STANDS_AGAIN:
            if kashoo_delta.swept(sync) and is_gone(sync.kashoo.read("invoice", item["kashoo_id"])):
                sync.store.reviews.close("invoice", source_id, [STANDS_AGAIN])
            continue
        link = links.get(source_id)
        if link is None or item["opened_at"] > kashoo_delta.read_at(sync):
            continue
        invoice = invoices.get(link.kashoo_id)
        if invoice is None and kashoo_delta.swept(sync):
            invoice = sync.kashoo.read("invoice", link.kashoo_id)
        if invoice is not None and _answers(error_class, invoice, link):
            sync.store.reviews.close("invoice", source_id, [error_class])


def _answers(error_class: str, invoice: dict[str, Any], link: Link) -> bool:
    if error_class == REMOVED_IN_BOOKS:
        return not is_gone(invoice)
    return bool(invoice.get("totalDue") == link.expected_total)

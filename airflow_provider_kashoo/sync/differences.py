"""An invoice that was written, and whose total in the books is not the one computed before it was sent.

It is done all the same, and never made again; a person looks why. The review closes when the books come
to the expected total: by an update of ours, or by hand.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.sync import kashoo_delta
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
    """Close the reviews of invoices that the staged listing shows with the total their link expects.

    In the week's first run those that no listing shows, because their date was moved, are read by their id.
    """
    items = [item for item in sync.store.reviews.all_open() if item["error_class"] == TOTAL_DIFFERS.error_class]
    links = sync.store.links.of_sources("invoice", {item["source_id"] for item in items})
    invoices = kashoo_delta.staged_invoices(sync) if items else {}
    for item in items:
        link = links.get(item["source_id"])
        if link is None or item["opened_at"] > kashoo_delta.read_at(sync):
            continue
        invoice = invoices.get(link.kashoo_id)
        if invoice is None and kashoo_delta.swept(sync):
            invoice = sync.kashoo.read("invoice", link.kashoo_id)
        if invoice is not None and invoice.get("totalDue") == link.expected_total:
            sync.store.reviews.close("invoice", item["source_id"], [TOTAL_DIFFERS.error_class])

"""What somebody removed in Kashoo by hand: it is put to a person, and never made again by itself."""

from __future__ import annotations

from airflow_provider_kashoo.clients.documents import is_gone
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.plan import PlanRow
from airflow_provider_kashoo.sync import kashoo_delta
from airflow_provider_kashoo.sync.sync import Sync

REMOVED_IN_BOOKS = "removed_in_books"

OF_WHAT_STANDS = ("no_longer_billable", "sale_billed_twice")
"""Review items that ask for a removal: it answers them."""


def removed_in_books(row: PlanRow) -> PlanRow:
    """Put to a person that the record of a row was removed in Kashoo."""
    fix = "Make it again by hand, or leave it so."
    if row.target != "invoice":
        fix = "Restore it in Kashoo: what is sold with it cannot be invoiced until then."
    return row.reviewed(Problem(REMOVED_IN_BOOKS, "it was removed in Kashoo", fix))


def named(sync: Sync) -> set[str]:
    """List the Salesforce records of whose invoice a person was told that it is removed."""
    items = sync.store.reviews.all_open()
    return {i["source_id"] for i in items if i["target"] == "invoice" and i["error_class"] == REMOVED_IN_BOOKS}


def close(sync: Sync) -> None:
    """Close what the removal of an invoice answered, and the removal itself once the invoice stands again.

    Each is looked for in what this run listed; by the week's first run, by its id, too.
    """
    links = sync.store.links.of_sources("invoice", named(sync))
    invoices = kashoo_delta.staged_invoices(sync) if links else {}
    for source_id, link in links.items():
        sync.store.reviews.close("invoice", source_id, OF_WHAT_STANDS)
        invoice = invoices.get(link.kashoo_id)
        if invoice is None and kashoo_delta.swept(sync):
            invoice = sync.kashoo.read("invoice", link.kashoo_id)
        if invoice is not None and not is_gone(invoice):
            sync.store.reviews.close("invoice", source_id, [REMOVED_IN_BOOKS])

"""What somebody removed in Kashoo by hand: it is put to a person, and never made again by itself."""

from __future__ import annotations

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.plan import PlanRow
from airflow_provider_kashoo.sync.sync import Sync

REMOVED_IN_BOOKS, STANDS_AGAIN = "removed_in_books", "stands_again"

ASK_FOR_REMOVAL = ("no_longer_billable", "sale_billed_twice")
"""Questions that a removal answers."""


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

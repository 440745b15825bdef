"""What somebody removed in Kashoo by hand: it is put to a person, and never made again by itself."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_kashoo.core.plan import Action, PlanRow

REMOVED_IN_BOOKS = "removed_in_books"


def removed_in_books(row: PlanRow) -> PlanRow:
    """Put to a person that the record of a row was removed in Kashoo."""
    fix = "Make it again by hand, or leave it so."
    if row.target != "invoice":
        fix = "Restore it in Kashoo: what is sold with it cannot be invoiced until then."
    return replace(row, action=Action.REVIEW, reason="it was removed in Kashoo", error_class=REMOVED_IN_BOOKS, fix=fix)

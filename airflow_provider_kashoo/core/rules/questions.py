"""What is put to a person, as a review item, and what closes it again by itself.

An item stays open until its cause is gone. Four things take a cause away: what a run finds when it plans the record
again (the tables below), Kashoo's own lists (:mod:`airflow_provider_kashoo.sync.write.close_questions`), a void that
Kashoo confirmed, which answers all but a possible duplicate, and a write-back of *Void*, which answers *stands again*.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.plan import PlanRow

NO_LONGER_BILLABLE = Problem(
    "no_longer_billable", "its invoice stands, but it is {why}", "Void the invoice or win the deal."
)
CHANGED_ON_BOTH_SIDES = Problem(
    "changed_on_both_sides", "{fields} changed on both sides; the books win", "Compare them."
)
IDENTITY_CHANGED = Problem("identity_changed", "{fields} changed after billing", "Decide in Kashoo.")
PAID_INVOICE_CHANGED = Problem("paid_invoice_changed", "the deal changed after money came in", "Correct it in Kashoo.")
SALE_BILLED_TWICE = Problem(
    "sale_billed_twice",
    "{other} bills the same sale with an invoice of its own",
    "Void one of the two invoices in Kashoo.",
)
SECOND_OF_SALE = Problem(
    "second_of_sale", "its sale is billed through another {other}", "Bill it by hand, or correct its sale."
)
MERGED_APART = Problem(
    "merged_apart",
    "merged into {survivor}, but in Kashoo they are {both}",
    "Merge the two in Kashoo; new invoices go to the survivor's.",
)
TOTAL_DIFFERS = Problem(
    "total_differs",
    "its total in the books is not the one computed before sending",
    "Compare its lines and taxes in Kashoo with Salesforce.",
)
REMOVED_IN_BOOKS = Problem("removed_in_books", "it was removed in Kashoo", "Make it again by hand, or leave it so.")
STANDS_AGAIN = Problem(
    "stands_again",
    "its invoice was voided by this sync and stands again in Kashoo",
    "Remove it in Kashoo, or leave it so.",
)
POSSIBLE_DUPLICATE = Problem(
    "possible_duplicate",
    "an answer came after the write was taken for lost: the books may hold it twice",
    "Compare in Kashoo and remove one by hand.",
)
LATE_UPDATE = Problem(
    "late_update",
    "an update was answered after it was taken for lost: an older value may stand in the books",
    "Nothing: its record is read and written afresh by the next run.",
)


def _classes(*questions: Problem) -> frozenset[str]:
    return frozenset(question.error_class for question in questions)


CLOSED_BY_SKIPPED = _classes(SECOND_OF_SALE, SALE_BILLED_TWICE)
"""Closed when the record is left out."""

CLOSED_BY_UNCHANGED = CLOSED_BY_SKIPPED | _classes(
    NO_LONGER_BILLABLE, CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED, PAID_INVOICE_CHANGED, LATE_UPDATE
)
"""Closed when the record is again as it was written last."""

CLOSED_BY_WRITTEN = CLOSED_BY_UNCHANGED | _classes(REMOVED_IN_BOOKS)
"""Closed when the record is written or linked; *total differs* too, when the total is the expected one by then."""

CLOSED_BY_REMOVAL = _classes(NO_LONGER_BILLABLE, SALE_BILLED_TWICE, TOTAL_DIFFERS)
"""Closed when somebody removed the invoice in Kashoo: that is what they asked for, or leaves nothing to compare."""

OF_BILLABLE = _classes(CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED, PAID_INVOICE_CHANGED)
"""Asked of a deal that is to be billed: each closes *no longer billable*."""


def removed_in_books(row: PlanRow) -> PlanRow:
    """Put to a person that the record of a row was removed in Kashoo; it is never made again by itself."""
    if row.target == "invoice":
        return row.reviewed(REMOVED_IN_BOOKS)
    fix = "Restore it in Kashoo: what is sold with it cannot be invoiced until then."
    return row.reviewed(Problem(REMOVED_IN_BOOKS.error_class, REMOVED_IN_BOOKS.cause, fix))


def total_differs(target: str, expected: int | None, found: Any) -> Problem | None:
    """Say whether a person has to look at what was written.

    :param expected: the total computed before sending, minor units; invoices only.
    :param found: ``totalDue`` as the books give it, minor units; None when they give none.
    """
    return TOTAL_DIFFERS if target == "invoice" and found != expected else None

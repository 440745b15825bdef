"""What a person is asked, as a review item, and what closes the item automatically.

An item stays open until its cause is gone. Four things remove a cause: what a run finds when it plans the record
again (the tables below), Kashoo's own lists (:mod:`airflow_provider_kashoo.sync.write.close_questions`), a void that
Kashoo confirmed (closes all but a possible duplicate), and a write-back of *Void* (closes *stands again*).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import is_billed
from airflow_provider_kashoo.core.rules.intents import Ask, Intent
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.money import format_in

NO_LONGER_BILLABLE = Problem(
    "no_longer_billable",
    "the deal {why}, but its invoice still exists",
    "Void the invoice in Kashoo, or reopen and win the deal.",
)
CHANGED_ON_BOTH_SIDES = Problem(
    "changed_on_both_sides", "{fields} changed on both sides; Kashoo's value stays", "Compare both, and correct one."
)
CORRECT_OR_UNDO = "Correct the invoice in Kashoo, or undo the change in Salesforce."
IDENTITY_CHANGED = Problem("identity_changed", "{fields} changed after the deal was invoiced", CORRECT_OR_UNDO)
PAID_INVOICE_CHANGED = Problem("paid_invoice_changed", "the deal changed after a payment was received", CORRECT_OR_UNDO)
APPROVED_INVOICE_CHANGED = Problem(
    "approved_invoice_changed",
    "the deal changed after a person approved its invoice",
    'Say which side is right: airflow kashoo settle ITEM --salesforce --reason "...", or --books. '
    "Or undo the change in Salesforce.",
)
LOCKED_INVOICE_CHANGED = Problem(
    "locked_invoice_changed", "the deal changed, but the books are locked up to {day}", CORRECT_OR_UNDO
)
SALE_BILLED_TWICE = Problem(
    "sale_billed_twice", "{other} also has an invoice for the same sale", "Void one of the two invoices in Kashoo."
)
SECOND_OF_SALE = Problem(
    "second_of_sale",
    "its sale is billed through another {other}",
    "Correct its sale id, or bill it by hand and dismiss this item.",
)
CREDIT_DUE = Problem(
    "credit_due",
    "a credit of {amount} is to be given{where}",
    'Give the credit in Kashoo by hand, then dismiss this item: airflow kashoo dismiss ITEM --why "..."',
)
PREPAID_PARTLY_PAID = Problem(
    "prepaid_partly_paid",
    "the deal is prepaid, but Kashoo has other payments of its invoice {number}: {paid} of {total} is paid",
    "If the rest was paid, book it in Kashoo by hand; if not, dismiss this item.",
)
MERGED_APART = Problem(
    "merged_apart",
    "merged into {survivor}, but Kashoo still has two: {both}",
    "Merge the two in Kashoo into the second one, then run: airflow kashoo relink {loser} --to {into}",
)
TOTAL_DIFFERS = Problem(
    "total_differs",
    "its total in Kashoo, {found}, differs from {expected}, which was computed before sending",
    "Correct its lines or taxes in Kashoo. If they are right as they are, dismiss this item.",
)
MARK_MISSING = Problem(
    "mark_missing",
    "Kashoo does not show our reference {reference} in its {field}; a store that is lost would write it again",
    "Add the reference there by hand. For the next ones, correct text_limits or reference_field in the connection.",
)
PARTS_CHANGED = Problem(
    "parts_changed",
    "{why}",
    "Undo the change in Salesforce. Or correct its invoices in Kashoo by hand, and dismiss this item.",
)
PARTS_UNKNOWN = Problem(
    "parts_unknown",
    "it is not known whether its invoice bills part {part} or the whole deal",
    "Compare it with the deal, bill by hand what is missing, and dismiss this item.",
)
REMOVED_IN_BOOKS = Problem(
    "removed_in_books", "it was removed in Kashoo", "Restore it in Kashoo, or leave it so and dismiss this item."
)
REMOVED_AS_ASKED = replace(REMOVED_IN_BOOKS, cause="it was removed in Kashoo, as a person was asked to")
"""Its words differ from those of a removal that nobody asked for: if the deal is won again, a person is asked."""
STANDS_AGAIN = Problem(
    "stands_again",
    "this sync voided its invoice, but it exists again in Kashoo",
    "Remove it in Kashoo, or leave it and dismiss this item.",
)
POSSIBLE_DUPLICATE = Problem(
    "possible_duplicate",
    "Kashoo answered after the write was assumed lost: it may be in the books twice",
    "Look for a second copy in Kashoo, and remove it by hand.",
)
LATE_UPDATE = Problem(
    "late_update",
    "Kashoo answered after the update was assumed lost: the books may hold an older value",
    "Nothing to do: the next run reads the record and writes it again.",
)


def _classes(*questions: Problem) -> frozenset[str]:
    return frozenset(question.error_class for question in questions)


CLOSED_BY_SKIPPED = _classes(SECOND_OF_SALE, SALE_BILLED_TWICE, CREDIT_DUE, PREPAID_PARTLY_PAID)
"""Closed when the record is skipped."""

CLOSED_BY_UNCHANGED = CLOSED_BY_SKIPPED | _classes(
    NO_LONGER_BILLABLE,
    CHANGED_ON_BOTH_SIDES,
    IDENTITY_CHANGED,
    PAID_INVOICE_CHANGED,
    LOCKED_INVOICE_CHANGED,
    APPROVED_INVOICE_CHANGED,
    LATE_UPDATE,
    PARTS_CHANGED,
    PARTS_UNKNOWN,
)
"""Closed when the record equals again what was written last."""

CLOSED_BY_WRITTEN = CLOSED_BY_UNCHANGED | _classes(REMOVED_IN_BOOKS)
"""Closed when the record is written or linked; *total differs* and *mark missing* too, if that is mended then."""

ANSWERED_BY_REMOVAL = _classes(NO_LONGER_BILLABLE, SALE_BILLED_TWICE)
"""A person was asked to remove the invoice: that it is removed needs no question."""

CLOSED_BY_REMOVAL = _classes(NO_LONGER_BILLABLE, SALE_BILLED_TWICE, TOTAL_DIFFERS, MARK_MISSING)
"""Closed when the invoice was removed in Kashoo: that was the answer, or there is nothing left to compare."""

OF_BILLABLE = _classes(
    CHANGED_ON_BOTH_SIDES,
    IDENTITY_CHANGED,
    PAID_INVOICE_CHANGED,
    LOCKED_INVOICE_CHANGED,
    APPROVED_INVOICE_CHANGED,
    PARTS_CHANGED,
    PARTS_UNKNOWN,
)
"""Only asked about a deal that should be billed, so each closes *no longer billable*."""


def removed_in_books(intent: Intent, replaced_by: str = "") -> Ask:
    """Ask a person about a record that was removed in Kashoo; it is never created again automatically.

    :param replaced_by: what may have taken the place of a customer or item, for people.
    """
    if is_billed(intent.record.kind):
        return intent.asked(REMOVED_IN_BOOKS)
    cause = f"{intent.record.kind} {intent.kashoo_id} was removed in Kashoo{replaced_by and f'; {replaced_by}'}"
    fix = (
        "Restore it in Kashoo, or say what is in its place: "
        f"airflow kashoo relink {intent.record.id} --to KASHOO_ID, or --new. Deals that need it wait until then."
    )
    return intent.asked(replace(REMOVED_IN_BOOKS, cause=cause, fix=fix))


def total_differs(kind: str, expected: int | None, found: Any, currency: str | None) -> Problem | None:
    """Return the question if the total in the books is not the expected one.

    :param expected: the total computed before sending, minor units; invoices only.
    :param found: ``totalDue`` in the books, minor units; None when they show none.
    """
    if not is_billed(kind) or found == expected:
        return None
    shown = [format_in(currency, each) if isinstance(each, int) else "unknown" for each in (found, expected)]
    return TOTAL_DIFFERS.of(found=shown[0], expected=shown[1])


def mark_missing(reference: Reference, shown: Collection[Reference], field: str) -> Problem | None:
    """Return the question if a record that was written does not show our reference.

    :param shown: the references that it shows.
    :param field: where the reference was written, in Kashoo's words.
    """
    return None if reference in shown else MARK_MISSING.of(reference=str(reference), field=field)

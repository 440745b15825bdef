"""What a person said about a question: which side is right. It counts while the question says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.questions import (
    APPROVED_INVOICE_CHANGED,
    CHANGED_ON_BOTH_SIDES,
    IDENTITY_CHANGED,
    LOCKED_INVOICE_CHANGED,
    PAID_INVOICE_CHANGED,
)


class Side(StrEnum):
    """The side that is right; the values are stored."""

    BOOKS = "books"
    SALESFORCE = "salesforce"


NAMES = {Side.BOOKS: "Kashoo", Side.SALESFORCE: "Salesforce"}

SETTLED = Problem(
    "settled", "a person said that {side} is right", "Nothing to do: the next run does what was said, or asks again."
)

MORE_TO_WRITE = Problem(
    "settled",
    "the books are right about what was asked, and more of it changed",
    "Nothing to do: the next run writes it.",
)

ANSWERS = frozenset({MORE_TO_WRITE.cause, *(SETTLED.of(side=name).cause for name in NAMES.values())})
"""Causes of a record that waits only for the run that does what a person said."""

ONLY_BOOKS = frozenset({PAID_INVOICE_CHANGED.error_class, LOCKED_INVOICE_CHANGED.error_class})
"""Questions about an invoice that no run may change: the deal can be undone, or the books be right."""

ABOUT_BOTH = ONLY_BOOKS | {
    each.error_class for each in (CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED, APPROVED_INVOICE_CHANGED)
}
"""Questions of which a person can say that one side is right."""


@dataclass(frozen=True)
class Settled:
    """What a person said.

    :param cause: the question, as that person read it.
    :param reason: why, in that person's words.
    """

    side: Side
    by: str
    cause: str
    reason: str = ""

    def names(self, text: str) -> bool:
        """Say whether the question named a day or an amount, so that what was said is about just that."""
        return f" {text}" in f" {self.cause}"


def answer(questions: Sequence[Problem], settled: Mapping[str, Settled]) -> Settled | None:
    """Give what a person said, if it answers each question as it is asked now.

    :param settled: error class -> what a person said.
    """
    found = [said for each in questions if (said := settled.get(each.error_class)) and said.cause == each.cause]
    is_answered = len(found) == len(questions) and len({each.side for each in found}) == 1
    return found[0] if is_answered else None

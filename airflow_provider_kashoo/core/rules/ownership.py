"""Which side owns a field of a record that both sides hold, in one table.

What was written last is the base (:mod:`.diff`). A field that only one side changed follows that side; this table says
what happens when both changed it, and which fields only a person may change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM, is_billed
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED


class Owner(StrEnum):
    """The side whose value stays when both changed it."""

    SALESFORCE = "salesforce"
    KASHOO = "kashoo"


OWNERS: Mapping[str, Mapping[str, Owner]] = {
    CUSTOMER.name: {"currency": Owner.KASHOO},
    ITEM.name: {},
    INVOICE.name: {"lines": Owner.KASHOO, "currency": Owner.KASHOO},
}
"""Kind -> field -> owner; Salesforce owns all others. When Kashoo's value stays, a person is asked."""

ONLY_BY_A_PERSON = frozenset({"contact", "currency"})
"""Fields of an existing invoice that are never changed without a person."""


@dataclass(frozen=True)
class Decision:
    """What to do with a record that changed.

    :param write: the fields to change in the books.
    :param questions: what a person is asked.
    :param pending: fields that a person is asked about, and those that wait with them.
    :param as_billed: texts that changed too late: they stay as billed, and nobody is asked.
    """

    write: Mapping[str, Any] = field(default_factory=dict)
    questions: tuple[Problem, ...] = ()
    pending: frozenset[str] = frozenset()
    as_billed: tuple[str, ...] = ()


def decide(
    kind: str,
    document: Mapping[str, Any],
    merged: Merge,
    *,
    known: Collection[str],
    mark: str,
) -> Decision:
    """Apply the table to a three-way comparison.

    :param document: the record as the mapping makes it now.
    :param known: fields whose last written value is known. In the other fields of an invoice, the books win too.
    :param mark: the field that contains our reference: what a person wrote there stays.
    """
    conflicts = {*merged.conflicts} - {mark}
    unknown = conflicts - {*known} if is_billed(kind) else set()
    kept = {name for name in conflicts if OWNERS[kind].get(name) is Owner.KASHOO}
    asked = sorted(kept | unknown)
    write = merged.write | {name: document.get(name) for name in sorted(conflicts.difference(asked))}
    questions = [CHANGED_ON_BOTH_SIDES.of(fields=", ".join(asked))] if asked else []
    if is_billed(kind) and (identity := sorted(ONLY_BY_A_PERSON & write.keys())):
        questions.append(IDENTITY_CHANGED.of(fields=", ".join(identity)))
        return Decision({}, tuple(questions), frozenset({*asked, *write}))
    return Decision(write, tuple(questions), frozenset(asked))


def hold(decision: Decision, money: Collection[str], after_payment: Collection[str], ask: Problem) -> Decision:
    """Hold back the changes of an invoice that may change only by a person's hand, as after a payment.

    :param money: the fields to be written that move money, or the date; the others are texts.
    :param after_payment: texts that follow all the same.
    :param ask: what a person is asked about the fields that move money.
    """
    follow = {name: value for name, value in decision.write.items() if name in after_payment and name not in money}
    texts = tuple(sorted(decision.write.keys() - {*money} - follow.keys()))
    questions = (*decision.questions, ask) if money else decision.questions
    return Decision(follow, questions, decision.pending | {*money}, texts)

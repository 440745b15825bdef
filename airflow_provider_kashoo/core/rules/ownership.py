"""Which side owns a field of a record that both sides hold, in one table.

What was written last is the base (:mod:`.diff`). A field that only one side changed follows that side; this table says
what happens when both changed it, and which fields only a person may change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM, is_billed
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED, PAID_INVOICE_CHANGED


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

    :param write: the fields to change in the books; None when a person has to decide first.
    :param questions: what a person is asked.
    """

    write: Mapping[str, Any] | None
    questions: tuple[Problem, ...] = ()


def decide(
    kind: str,
    document: Mapping[str, Any],
    merged: Merge,
    *,
    known: Collection[str],
    mark: str,
    money_came: bool,
) -> Decision:
    """Apply the table to a three-way comparison.

    :param document: the record as the mapping makes it now.
    :param known: fields whose last written value is known. In the other fields of an invoice, the books win too.
    :param mark: the field that contains our reference: what a person wrote there stays.
    :param money_came: whether the invoice was paid, in part or in full.
    """
    conflicts = {*merged.conflicts} - {mark}
    unknown = conflicts - {*known} if is_billed(kind) else set()
    kept = {name for name in conflicts if OWNERS[kind].get(name) is Owner.KASHOO}
    asked = sorted(kept | unknown)
    write = merged.write | {name: document.get(name) for name in sorted(conflicts.difference(asked))}
    questions = [CHANGED_ON_BOTH_SIDES.of(fields=", ".join(asked))] if asked else []
    if is_billed(kind) and (question := _forbidden(write, money_came=money_came)):
        return Decision(None, (*questions, question))
    return Decision(write, tuple(questions))


def _forbidden(write: Mapping[str, Any], *, money_came: bool) -> Problem | None:
    """Ask a person before an invoice gets another customer or currency, or other lines after a payment."""
    if fields := sorted(ONLY_BY_A_PERSON & write.keys()):
        return IDENTITY_CHANGED.of(fields=", ".join(fields))
    return PAID_INVOICE_CHANGED if money_came and "lines" in write else None

"""Which side owns a field of a record that both sides hold, in one table.

What was written last is the base (:mod:`.diff`). A field that only one side changed follows that side; a mapping's
``owners``, and where it says nothing this table, say what happens when both changed it. Some fields of an invoice are
only changed by a person, whoever owns them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM, is_billed
from airflow_provider_kashoo.core.mapping.file.policies import DEFAULT, Owner
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED

Owners = Mapping[str, Owner]
"""Field, or ``default`` -> owner, as a mapping says it."""

OWNERS: Mapping[str, Owners] = {
    CUSTOMER.name: {"currency": Owner.REVIEW},
    ITEM.name: {},
    INVOICE.name: {"lines": Owner.REVIEW, "currency": Owner.REVIEW},
}
"""Kind -> field -> owner, where a mapping does not name the field; it moves money, so ``default`` does not count."""

ONLY_BY_A_PERSON = frozenset({"contact", "currency"})
"""Fields of an existing invoice that are never changed without a person."""


@dataclass(frozen=True)
class Decision:
    """What to do with a record that changed.

    :param write: the fields to change in the books.
    :param questions: what a person is asked.
    :param pending: fields that a person is asked about, and those that wait with them.
    :param as_billed: texts that changed too late: they stay as billed, and nobody is asked.
    :param stays: fields that both sides changed and Kashoo owns: its values stay, and nobody is asked.
    """

    write: Mapping[str, Any] = field(default_factory=dict)
    questions: tuple[Problem, ...] = ()
    pending: frozenset[str] = frozenset()
    as_billed: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


def owner_of(kind: str, name: str, owners: Owners) -> Owner:
    """Say who owns a field: as the mapping says, else as the table says, else as the mapping says of all others."""
    return owners.get(name) or OWNERS[kind].get(name) or owners.get(DEFAULT) or Owner.SALESFORCE


def decide(
    kind: str,
    document: Mapping[str, Any],
    merged: Merge,
    *,
    known: Collection[str],
    mark: str,
    owners: Owners = MappingProxyType({}),
    newer: Owners = MappingProxyType({}),
    said: Owner | None = None,
) -> Decision:
    """Apply the owners to a three-way comparison.

    :param document: the record as the mapping makes it now.
    :param known: fields whose last written value is known. In the other fields of an invoice, a person is asked.
    :param mark: the field that contains our reference: what a person wrote there stays, unless the mapping names it.
    :param owners: what the mapping says.
    :param newer: the side whose value is newer, of the fields of which that is known.
    :param said: the side that is right in all that a person would be asked about, as a person said.
    """
    conflicts = {*merged.conflicts} - ({mark} - owners.keys())
    owned = {name: owner_of(kind, name, owners) for name in sorted(conflicts)}
    owned |= {name: newer.get(name, Owner.REVIEW) for name, owner in owned.items() if owner is Owner.LATEST}
    if is_billed(kind):
        # In silence would stay what only a person may change, or what nobody may have written.
        owned |= dict.fromkeys(conflicts - {*known}, Owner.REVIEW)
        owned |= {n: Owner.REVIEW for n, owner in owned.items() if owner is Owner.KASHOO and n in ONLY_BY_A_PERSON}
    if said:
        owned |= {name: said for name, owner in owned.items() if owner is Owner.REVIEW}
    asked, stays, ours = (
        [name for name, owner in owned.items() if owner is each]
        for each in (Owner.REVIEW, Owner.KASHOO, Owner.SALESFORCE)
    )
    write = merged.write | {name: document.get(name) for name in ours}
    questions = [CHANGED_ON_BOTH_SIDES.of(fields=", ".join(asked))] if asked else []
    if is_billed(kind) and not said and (identity := sorted(ONLY_BY_A_PERSON & write.keys())):
        questions.append(IDENTITY_CHANGED.of(fields=", ".join(identity)))
        return Decision({}, tuple(questions), frozenset({*asked, *write}), stays=tuple(stays))
    return Decision(write, tuple(questions), frozenset(asked), stays=tuple(stays))


def hold(decision: Decision, money: Collection[str], after_payment: Collection[str], ask: Problem) -> Decision:
    """Hold back the changes of an invoice that may change only by a person's hand, as after a payment.

    :param money: the fields that the deal changed and that move money, or the date; the others are texts.
    :param after_payment: texts that follow all the same.
    :param ask: what a person is asked about the fields that move money.
    """
    follow = {name: value for name, value in decision.write.items() if name in after_payment and name not in money}
    texts = tuple(sorted(decision.write.keys() - {*money} - follow.keys()))
    questions = (*decision.questions, ask) if money else decision.questions
    stays = tuple(name for name in decision.stays if name not in money)
    return Decision(follow, questions, decision.pending | {*money}, texts, stays)

"""Deals that are no longer to be billed, but have an invoice.

A void is planned only under ``on_leave: void_unpaid``, and only for what
:mod:`airflow_provider_kashoo.core.rules.leaving` allows; about all others a person is asked, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.stages.select import Why
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.duplicates import AMBIGUOUS
from airflow_provider_kashoo.core.rules.intents import (
    Ask,
    Intent,
    Release,
    Void,
)
from airflow_provider_kashoo.core.rules.leaving import why_it_stays
from airflow_provider_kashoo.core.rules.operations import UNSETTLED
from airflow_provider_kashoo.core.rules.questions import (
    NO_LONGER_BILLABLE,
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    removed_in_books,
)
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import PLANNED_AGAIN, Facts
from airflow_provider_kashoo.sync.bill.made import Ids
from airflow_provider_kashoo.sync.bill.sales import records_of

MANY = 10
"""If more records than this vanish at once, the Salesforce user has probably lost access: nothing is voided."""

WAITING = Problem("waiting_for_sale", "the invoice of its sale is being voided", PLANNED_AGAIN)


@dataclass(frozen=True)
class LeftOut:
    """A linked record that is no longer to be billed.

    :param unmet: why a mapping leaves it out; None when it was deleted.
    :param vanished: it is not found any more, but Salesforce does not say that it was deleted.
    :param edited: nothing of what its conditions look at changed: the mapping did.
    :param surplus: why only this one of several invoices leaves, for people; empty if all of the record does.
    """

    intent: Intent
    link: Link
    unmet: Why | None = None
    vanished: bool = False
    edited: bool = False
    surplus: str = ""

    @property
    def numbered(self) -> tuple[str, int]:
        """Id of the record, and part."""
        return self.link.source_id, self.link.part

    @property
    def why(self) -> str:
        """Why it is no longer to be billed, for people."""
        if self.surplus:
            return self.surplus
        return self.unmet.of_invoice if self.unmet else "is deleted in Salesforce"

    @property
    def of_link(self) -> Intent:
        """The intent, with the data of its link."""
        return replace(self.link.applied_to(self.intent), sale=self.link.sale_id)


def plan_leaving(
    facts: Facts,
    billable: Ids,
    left_out: Iterable[LeftOut],
    billed_elsewhere: Iterable[tuple[Intent, str]],
    planned: Iterable[Intent],
    skipped: Ids,
) -> list[Intent]:
    """Decide what to do about the invoices of deals that are no longer to be billed.

    :param billable: records that some mapping bills: it does not matter that another one excludes them.
    :param billed_elsewhere: (intent, sale) of each record whose sale another one bills; the intent is used as it is,
        unless that invoice is voided.
    :param planned: what was planned so far.
    :param skipped: further records that are not to be billed.
    """
    leaving = _by_record(facts, left_out, billable)
    intents = _decide(facts, leaving)
    seen = {*(ident for ident, _ in leaving), *(each.record.id for each in planned if each.record.kind == INVOICE.name)}
    voids = [each for each in intents if isinstance(each, Void)]
    known = billable.and_all(skipped).with_more(seen)
    return [*intents, *_others(facts, voids, billed_elsewhere, known)]


def _by_record(facts: Facts, left_out: Iterable[LeftOut], billable: Ids) -> dict[tuple[str, int], LeftOut]:
    """Keep one per record and part: where mappings differ, the one that asks a person."""
    found: dict[tuple[str, int], LeftOut] = {}
    for each in left_out:
        known = found.get(each.numbered)
        if known is None or (_voids(facts, known) and not _voids(facts, each)):
            found[each.numbered] = each
    billed = billable.among({ident for ident, _ in found})
    return {named: each for named, each in sorted(found.items()) if each.surplus or named[0] not in billed}


def _decide(facts: Facts, leaving: dict[tuple[str, int], LeftOut]) -> list[Intent]:
    too_many = len({ident for (ident, _), each in leaving.items() if each.vanished}) > MANY
    removed = facts.sync.store.reviews.parts(INVOICE.name, REMOVED_IN_BOOKS)
    limit = facts.sync.run.limit
    intents: list[Intent] = []
    for named, each in leaving.items():
        intent = replace(each.intent, record=each.link.record)
        if named in removed:
            intents.append(intent.become(Release, reason="its invoice was removed in Kashoo"))
        elif not _voids(facts, each):
            intents.append(_ask(each))
        elif each.link.part in facts.open_parts.get(intent.record.named, ()) or facts.is_being_paid(intent):
            intents.append(facts.wait(intent))
        elif limit is not None:
            intents.append(intent.become(Release, reason=f"outside the test batch of {limit}"))
        elif each.edited and not facts.sync.run.remap:
            intents.append(_ask(each, "only its mapping changed; a run that remaps voids it"))
        elif each.vanished and too_many:
            intents.append(_ask(each, "so many records vanished at once that the user may have lost access"))
        else:
            intents.append(_void(facts, each))
    return intents


def _voids(facts: Facts, each: LeftOut) -> bool:
    return facts.sync.mappings[each.intent.mapping].on_leave == "void_unpaid"


def _void(facts: Facts, each: LeftOut) -> Intent:
    intent, link, hashes = each.of_link, each.link, facts.sync.store.hashes
    kind = intent.record.kind
    try:
        entry = facts.reads.read(kind, link.kashoo_id, link.version)
    except UnreadableError as error:
        return intent.parked(error.problem)
    if entry is None or entry.removed:
        return removed_in_books(intent)
    why = why_it_stays(
        entry.invoice,
        entry.fields,
        link.fields,
        hashes,
        expected_total=link.expected_total,
        settlement=link.settlement,
    )
    locked = entry.profile.locked_until
    if locked and (entry.date or "") <= locked:
        why = why or f"the books are locked up to {locked}"
    if why or each.numbered in facts.sync.store.reviews.parts(kind, POSSIBLE_DUPLICATE):
        return _ask(each, why or "another invoice carries its reference")
    # A deal that left, or is not even there, is held against no rule: each that requires an approval counts.
    rules = tuple(rule.label for rule in facts.sync.mappings[intent.mapping].rules if rule.require)
    return intent.become(
        Void,
        reason=f"the deal {each.why}; its invoice is unpaid and unchanged",
        base=entry.fingerprint(hashes),
        currency=link.currency,
        total=link.expected_total,
        rules=rules,
    )


def _others(
    facts: Facts, voids: list[Void], billed_elsewhere: Iterable[tuple[Intent, str]], seen: Ids
) -> Iterator[Intent]:
    """Park the other records of a sale while its invoice is voided: one of them may be billed afterwards."""
    unsettled = facts.sync.store.journal.unsettled(*UNSETTLED)
    voided = {each.sale for each in voids}
    waiting = voided | {operation["sale_id"] for operation in unsettled if operation["action"] == Action.VOID}
    yield from (intent.parked(WAITING) if sale in waiting else intent for intent, sale in billed_elsewhere)
    for mapping in facts.sync.mappings_to(INVOICE.name) if voids else []:
        others = dict(records_of(facts.sync, mapping, voided))
        known, seen = seen.among(others), seen.with_more(others)
        for ident, sale in others.items():
            if ident not in known:
                yield replace(facts.intent(mapping, ident), sale=sale).parked(WAITING)


def _ask(each: LeftOut, why: str = "") -> Ask:
    """Ask a person about the invoice of a deal that is no longer to be billed.

    :param why: why it was not voided; empty when the mapping does not ask for voids.
    """
    asked = each.of_link.asked(NO_LONGER_BILLABLE.of(why=each.why))
    return replace(asked, reason=f"{asked.reason}; it was not voided: {why}") if why else asked


def not_voided(intent: Intent, why: str) -> Problem:
    """Say that Kashoo did not carry out a void that was planned."""
    return replace(NO_LONGER_BILLABLE, cause=f"{intent.reason}; it was not voided: {why}")


def returned() -> Problem:
    """Say that no new invoice is made while the books hold a voided one again, or a copy of it."""
    cause = "Kashoo has an invoice with the reference of one that was voided"
    return Problem(AMBIGUOUS, cause, "Remove that invoice in Kashoo, or remove the reference from it.")

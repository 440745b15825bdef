"""Payments of prepaid deals: what a rule ``mark_paid`` adds to a plan, once for each invoice.

A payment is due with the invoice that is created, and later only when what the rule's condition looks at changed in
Salesforce. Until that is settled, the link of the invoice keeps what it had of that: if a run dies, the next one finds
the payment due still.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients.entries import PAYS, Entry
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE, PAYMENT, is_payment
from airflow_provider_kashoo.core.mapping.stages.sources import PAYMENT as OF_PAYMENT
from airflow_provider_kashoo.core.rules.duplicates import copied
from airflow_provider_kashoo.core.rules.intents import Ask, Create, Intent, Link, Park, Release, Update, Wait
from airflow_provider_kashoo.core.rules.leaving import UNTOUCHED
from airflow_provider_kashoo.core.rules.made_from import made_of, touched
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import PREPAID_PARTLY_PAID
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.money import format_in
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.store.operations import intent_of
from airflow_provider_kashoo.sync.bill.candidates import Candidate
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.holdings import GUARD
from airflow_provider_kashoo.sync.bill.lines import LINES
from airflow_provider_kashoo.sync.bill.resting import resting_create
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.run.deltas import gone

PREPAID = "the deal is prepaid"
ALREADY_PAID = "its invoice is already paid in Kashoo"
NOT_DUE = "no payment is due any more"
INVOICE_ASKED = Problem(
    "waiting_for_invoice",
    "a person is asked about its invoice",
    "Answer that question; the payment follows. If the invoice was paid otherwise, book that in Kashoo.",
)


def other_total(found: int | None, expected: int | None, currency: str | None) -> Problem:
    """Say that the invoice does not come to what is to be paid."""
    in_books, computed = ("unknown" if each is None else format_in(currency, each) for each in (found, expected))
    cause = f"its invoice comes to {in_books} in Kashoo, and not to {computed}, which is to be paid"
    return Problem("other_total", cause, "Correct the invoice in Kashoo, or book its payment there by hand.")


def paid_by(invoice: Record) -> Record:
    """Give the record of an invoice's payment."""
    return replace(invoice, kind=PAYMENT.name)


@dataclass
class _Listed:
    """The payments of the books that carry a reference of ours."""

    standing: dict[Reference, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    removed: set[Reference] = field(default_factory=set)
    nameless: set[Reference] = field(default_factory=set)


class Payments:
    """Plans the payments of the deals that a rule marks as paid.

    :param candidates: the deals that are to be billed.
    """

    def __init__(self, facts: Facts, candidates: Iterable[Candidate]) -> None:
        self._facts, self._prepaid = facts, [each for each in candidates if each.payment]
        ids = {each.intent.record.id for each in self._prepaid}
        links = facts.sync.store.links
        paid, billed = (links.of_sources(kind, ids) if ids else {} for kind in (PAYMENT.name, INVOICE.name))
        self._links = {link.record: link for link in paid.values()}
        self._made_from = {link.record: link.sources for link in billed.values()}
        self._found: _Listed | None = None

    def plan(self, candidate: Candidate, decided: list[Intent]) -> list[Intent]:
        """Add the payment that is due to what was decided about an invoice."""
        rests = any(isinstance(each, Park | Wait) for each in decided)
        if rests or not candidate.payment or not candidate.intent.total:
            return decided
        link, created = self._stored(candidate), next((each for each in decided if isinstance(each, Create)), None)
        if created:
            return [_left_due(created, None), self._decide(candidate, created, None, decided)]
        if link is None or not self._is_due(candidate, link):
            return decided  # what was found in the books was billed before, and perhaps paid, by another store
        payment = self._decide(candidate, link.applied_to(candidate.intent), link, decided)
        if isinstance(payment, Link | Release | Ask):
            return [*decided, payment]
        return [*(_left_due(each, link) for each in decided), payment]

    def _stored(self, candidate: Candidate) -> StoredLink | None:
        """Give the link of an invoice as the store has it: a run that remaps compares it as if it had no sources."""
        link = candidate.link
        return link and replace(link, sources=self._made_from.get(link.record))

    def released(self, planned: Collection[Intent]) -> list[Intent]:
        """Let go of parked payments that are not due any more, of deals that this run read."""
        known = {each.record for each in planned}
        parked = self._facts.sync.store.journal.unsettled(State.PARKED, State.RETRY)
        waiting = map(intent_of, (row for row in parked if is_payment(row["target"])))
        idle = [each for each in waiting if each.record not in known]
        read = {sobject: self._read_of(sobject, idle) for sobject in {each.record.object for each in idle}}
        here = [each for each in idle if each.record.id in read[each.record.object]]
        return [replace(each.become(Release, reason=NOT_DUE), source_read=self._facts.read_at) for each in here]

    def _read_of(self, sobject: str, idle: Sequence[Intent]) -> set[str]:
        """Say which deals this run read, or found to be gone, of some payments."""
        ids = pa.array({each.record.id for each in idle if each.record.object == sobject}, pa.string())
        found = set(gone(self._facts.deltas.get(sobject)))
        for part in parts_of(self._facts.sync, sobject):
            found.update(pc.filter(ids, pc.is_in(ids, part.records()["Id"].combine_chunks())).to_pylist())
        return found

    def _is_due(self, candidate: Candidate, link: StoredLink) -> bool:
        """Say whether what the condition of the rule looks at changed, and this invoice has no payment of ours yet."""
        paid = self._links.get(paid_by(link.record))
        if link.sources is None or (paid and paid.generation >= link.generation):
            return False
        now = {name: each for name, each in (candidate.intent.sources or {}).items() if name == OF_PAYMENT}
        return bool(touched(now, link.sources, {}))

    def _decide(
        self, candidate: Candidate, invoice: Intent, link: StoredLink | None, decided: Sequence[Intent]
    ) -> Intent:
        """Decide about the payment that is due for an invoice.

        :param invoice: about the invoice: its generation and part.
        :param link: of the invoice; None if this plan creates it.
        """
        intent = self._begin(invoice)
        if self._facts.is_open(intent):
            return self._facts.wait(intent)
        try:
            if found := self._bearers(intent.reference):
                return _taken_over(intent, found)
            if intent.reference in self._listed().removed:
                return intent.become(Release, reason="its payment was removed in Kashoo")
            if link is None:
                return self._made(candidate, intent, {})
            return self._of_linked(candidate, intent, link, decided)
        except UnreadableError as error:
            return intent.parked(error.problem)

    def _begin(self, invoice: Intent) -> Intent:
        record = paid_by(invoice.record)
        before = self._links.get(record)
        return Intent(
            record=record,
            sync=invoice.sync,
            mapping=invoice.mapping,
            sale=record.id,
            generation=invoice.generation,
            link_version=before.version if before else 0,
            source_read=invoice.source_read,
            currency=invoice.currency,
            total=invoice.total,
        )

    def _of_linked(self, candidate: Candidate, intent: Intent, link: StoredLink, decided: Sequence[Intent]) -> Intent:
        """Decide about the payment of an invoice that is in the books: only one that is wholly unpaid is paid."""
        entry = self._facts.reads.read(INVOICE.name, link.kashoo_id, link.version)
        if entry is None or entry.removed:
            return intent.become(Release, reason="its invoice is not in Kashoo any more")
        if (invoice := entry.invoice) is None:
            raise entry.unreadable
        if invoice.paid or link.settlement not in UNTOUCHED:
            if invoice.balance <= 0:
                return intent.become(Release, reason=ALREADY_PAID)
            currency = intent.currency
            amounts = {"paid": format_in(currency, invoice.paid), "total": format_in(currency, invoice.total)}
            return intent.asked(PREPAID_PARTLY_PAID.of(number=invoice.number or str(invoice.id), **amounts))
        if any(isinstance(each, Ask) for each in decided):
            return intent.parked(INVOICE_ASKED)
        update = next((each for each in decided if isinstance(each, Update) and LINES in each.written), None)
        agreed = {link.expected_total, intent.total}  # as billed, or as the deal is now
        if not update and invoice.total not in agreed:
            return intent.parked(other_total(invoice.total, intent.total, intent.currency))
        intent = replace(intent, total=update.total if update else invoice.total)
        return self._made(candidate, intent, {"contact": entry.contact, PAYS: entry.id})

    def _made(self, candidate: Candidate, intent: Intent, known: dict[str, int | None]) -> Intent:
        """Make the payment.

        :param known: the invoice and its customer, if they are in the books: that of a payment must be the same.
        """
        paid = candidate.payment or {}
        if problem := self._facts.locked(paid["date"]):
            return intent.parked(problem)
        account = self._facts.codes.deposit(paid["account"])
        if isinstance(account, Problem):
            return intent.parked(account)
        said = {"account": account, "amount": intent.total, "currency": intent.currency, "date": paid["date"]}
        create = intent.become(Create, reason=PREPAID, document=said | known)
        return resting_create(self._facts, create) or create

    def _bearers(self, reference: Reference) -> list[Entry]:
        """List the payments that carry a reference.

        :raises UnreadableError: when the books list one with it, but without an id.
        """
        if reference in self._listed().nameless:
            raise UnreadableError("Kashoo lists it without an id.", record=f"Kashoo's {reference}", odd="id")
        return self._listed().standing.get(reference, [])

    def _listed(self) -> _Listed:
        """List the payments of the books around the days of those that are due; all, if the store is new."""
        if self._found is None:
            sync, found, start, end = self._facts.sync, _Listed(), None, None
            if sync.store.knows_books:
                days = [date.fromisoformat(each.payment["date"]) for each in self._prepaid if each.payment]
                start, end = (min(days) - GUARD).isoformat(), (max(days) + GUARD).isoformat()
            for entry in sync.kashoo.listing(PAYMENT.name, start=start, end=end, removed=True):
                for reference in entry.references:
                    if entry.removed:
                        found.removed.add(reference)
                    else:
                        found.standing[reference].append(entry)
            for entry in sync.kashoo.nameless(PAYMENT.name):
                found.nameless.update(entry.references)
            if found.standing:
                sync.store.mark_reference_seen(PAYMENT.name)
            self._found = found
        return self._found


def _taken_over(intent: Intent, found: Sequence[Entry]) -> Intent:
    """Link the payment that carries the reference: another store made it, or this one before it was restored."""
    if len(found) > 1:
        return intent.parked(copied(len(found)))
    (entry,) = found
    reason = "in the books already: our reference"
    return intent.become(Link, reason=reason, kashoo_id=entry.id, document=entry.fields, held=entry.fields)


def _left_due(intent: Intent, link: StoredLink | None) -> Intent:
    """Let the link of an invoice keep what it had of the payment, so that this is due until it is settled."""
    if intent.sources is None:
        return intent
    return replace(intent, sources=made_of(intent.sources, link.sources if link else None, {OF_PAYMENT}))

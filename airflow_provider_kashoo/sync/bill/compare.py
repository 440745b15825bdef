"""Compare a linked record with the books: what to write, what to ask a person, what to leave."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import CONTACT, CUSTOMER, KINDS, is_billed
from airflow_provider_kashoo.core.mapping.file.policies import Owner
from airflow_provider_kashoo.core.mapping.stages.transform import Document
from airflow_provider_kashoo.core.rules import diff, made_from
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Link, Update
from airflow_provider_kashoo.core.rules.leaving import UNTOUCHED
from airflow_provider_kashoo.core.rules.made_from import made_of, touched
from airflow_provider_kashoo.core.rules.observed import newer_sides, observe
from airflow_provider_kashoo.core.rules.ownership import Decision, Owners, decide, hold, owner_of
from airflow_provider_kashoo.core.rules.questions import (
    APPROVED_INVOICE_CHANGED,
    LOCKED_INVOICE_CHANGED,
    PAID_INVOICE_CHANGED,
    removed_in_books,
)
from airflow_provider_kashoo.core.rules.settled import MORE_TO_WRITE, NAMES, Settled, Side, answer
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.core.values.money import format_minor, line_total
from airflow_provider_kashoo.core.values.parents import parent_of
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.lines import LINES, as_billed, differ
from airflow_provider_kashoo.sync.bill.resting import resting_update
from airflow_provider_kashoo.sync.bill.unchanged import UNCHANGED


def movable(intent: Intent, document: Document, link: StoredLink) -> tuple[Document, diff.BaseHashes]:
    """Keep what may change of a linked record, because its values in Salesforce changed.

    :returns: these fields of the document, and of what was written last.
    """
    every = {*document, *link.fields}
    names = every if intent.sources is None else touched(intent.sources, link.sources, link.fields)
    return (
        {name: value for name, value in document.items() if name in names},
        {name: pair for name, pair in link.fields.items() if name in names},
    )


def compare(facts: Facts, intent: Intent, document: Document, link: StoredLink) -> list[Intent]:
    """Decide what to do about a linked record.

    :param document: what the mapping makes of the record now.
    """
    hashes, kind = facts.sync.store.hashes, intent.record.kind
    intent = link.applied_to(intent)
    ours, base = movable(intent, document, link)
    if not diff.changed_fields(ours, base, hashes):
        if is_billed(kind) and facts.removed.is_asked(intent):
            return [removed_in_books(intent)]  # the deal is to be billed, and its invoice is gone
        return [leave_alone(intent, link)]
    if resting := resting_update(facts, intent, ours):
        return [resting]
    try:
        entry = _read(facts, link)
    except UnreadableError as error:
        return [intent.parked(error.problem)]
    if entry is None or entry.removed:
        return [removed_in_books(intent) if is_billed(kind) else facts.removed.ask(intent, entry)]
    if LINES in ours:
        document = document | {LINES: as_billed(ours[LINES], entry.fields.get(LINES), intent.sources, link.sources)}
        intent = replace(intent, total=_total(facts, document))
        ours = ours | {LINES: document[LINES]}
    return _weighed(_Both(facts, intent, link, entry, document, ours, base))


@dataclass(frozen=True)
class _Both:
    """A linked record as both sides have it.

    :param document: what the mapping makes of it now.
    :param ours: of that, what may change.
    :param base: of what was written last, the same fields.
    """

    facts: Facts
    intent: Intent
    link: StoredLink
    entry: Entry
    document: Document
    ours: Document
    base: diff.BaseHashes

    @cached_property
    def merged(self) -> diff.Merge:
        """The three-way comparison."""
        return diff.merge(self.ours, self.entry.fields, self.base, self.facts.sync.store.hashes)

    def decided(self, said: Owner | None = None) -> Decision:
        """Apply the owners, and what may only change by a person's hand.

        :param said: the side that is right in what a person would be asked about, as a person said.
        """
        intent, entry = self.intent, self.entry
        kind, owners, now = intent.record.kind, owners_of(self.facts, intent), intent.sources or {}
        newer = newer_sides(self.link.observed or {}, now, entry.fields, self.facts.sync.store.hashes)
        found = decide(
            kind,
            self.ours,
            self.merged,
            known=self.base,
            mark=entry.reference_field,
            owners=owners,
            newer=newer,
            said=said,
        )
        if not is_billed(kind):
            return found
        questions = tuple(_with_values(self.facts, each, self.document, intent, entry) for each in found.questions)
        found = replace(found, questions=questions)
        may_change = found.write or found.stays
        return _held(self.facts, intent, self.ours, self.link, entry, found, said) if may_change else found


def _weighed(both: _Both) -> list[Intent]:
    facts, intent, link, entry, document = both.facts, both.intent, both.link, both.entry, both.document
    hashes, kind, ours, base, merged = facts.sync.store.hashes, intent.record.kind, both.ours, both.base, both.merged
    owners = owners_of(facts, intent)
    decision, why = both.decided(), "by the mapping as it is now" if facts.sync.run.remap else "changed in Salesforce"
    settled = facts.settled.get(intent.record.numbered, {})
    said = answer(decision.questions, settled)
    if settled and (said is None or said.side is Side.SALESFORCE):
        pressed = both.decided(Owner.SALESFORCE)
        decision, why = (pressed, _right(said)) if said else (decision, why)
        said = answer(pressed.questions, settled)  # money came in, and a person was asked about that too
    if said and said.side is Side.BOOKS:
        return _as_in_books(both, _right(said))
    if LINES not in decision.write:
        intent = replace(intent, total=entry.total if owners.get(LINES) is Owner.KASHOO else link.expected_total)
    latest = {n for n in {*document, *link.fields} if owner_of(kind, n, owners) is Owner.LATEST} - {*decision.write}
    if (seen := observe(latest, intent.sources or {}, entry.fields, link.fields, hashes)) != (link.observed or {}):
        intent = replace(intent, observed=seen)
    return _decided(_settled(intent, link, decision), document, entry, decision, merged, hashes, {*ours, *base}, why)


def _right(said: Settled) -> str:
    return f"{NAMES[said.side]} is right, says {said.by}"


def _as_in_books(both: _Both, why: str) -> list[Intent]:
    """Take what both sides say as written last, but for fields of the deal about which nobody was asked."""
    entry, intent, rest = both.entry, both.intent, {*both.decided(Owner.KASHOO).write}
    same = {name: both.document.get(name) for name in {*both.ours, *both.base} - {*both.merged.kept} - rest}
    if intent.sources is not None:
        intent = replace(intent, sources=made_from.unknown(intent.sources, rest))
    link = replace(intent, total=entry.total).become(Link, reason=why, document=same, held=entry.fields)
    return [link, both.intent.parked(MORE_TO_WRITE)] if rest else [link]


def owners_of(facts: Facts, intent: Intent) -> Owners:
    """Give what the mapping that reads a record says about its owners."""
    return facts.sync.mappings[intent.mapping].owners if intent.mapping else {}


def leave_alone(intent: Intent, link: StoredLink) -> Keep:
    """Leave a linked record alone, because what it is made from is the same in Salesforce as before.

    Another mapping, or another record that it takes a value from, does not change what was billed.
    """
    settled = _without_known_sources(_settled(link.applied_to(intent), link, Decision()), link)
    return settled.become(Keep, reason=UNCHANGED)


def _total(facts: Facts, document: Document) -> int | None:
    """Compute the total; None if the books have a tax on one of its lines that they do not list."""
    try:
        return facts.total(document)
    except KeyError:
        return None


def _buyer(facts: Facts, contact: Any) -> str:
    """Name a customer by its id in Salesforce, which it has before and after it is in Kashoo."""
    if parent := parent_of(contact):
        return parent[1]
    link = facts.sync.store.links.of_kashoo(CUSTOMER.name, [contact]).get(contact) if contact else None
    return link.source_id if link else f"{contact} of Kashoo"


def _with_values(facts: Facts, question: Problem, document: Document, intent: Intent, entry: Entry) -> Problem:
    """Say what both sides say now: who dismisses or settles the question means just that."""
    deal = f"{document.get('date')}, {_money(intent.total, intent.currency)}"
    books = f"{entry.date}, {_money(entry.total, entry.currency)}"
    if (contact := document.get(CONTACT)) != entry.contact:
        deal, books = f"{deal}, customer {_buyer(facts, contact)}", f"{books}, customer {_buyer(facts, entry.contact)}"
    return question.quoting(f"the deal says {deal}; Kashoo says {books}")


def _decided(
    intent: Intent,
    document: Document,
    entry: Entry,
    decision: Decision,
    merged: diff.Merge,
    hashes: KeyedHash,
    compared: Collection[str],
    why: str,
) -> list[Intent]:
    """Turn a decision into intents.

    :param compared: the fields that it is about.
    :param why: they are written, in words.
    """
    asked: list[Intent] = [intent.asked(question) for question in decision.questions]
    stays = f"{', '.join(decision.stays)}: Kashoo owns what both sides changed" if decision.stays else ""
    if decision.write:
        changed = f"{why}: {', '.join(sorted(decision.write))}"
        reason, print_ = "; ".join(filter(None, [changed, stays])), entry.fingerprint(hashes)
        return [*asked, intent.become(Update, reason=reason, document=document, changes=decision.write, base=print_)]
    if decision.as_billed:
        billed = f"{', '.join(decision.as_billed)} stay as billed"
        return [*asked, intent.become(Keep, reason="; ".join(filter(None, [billed, stays])))]
    if stays:
        return [*asked, intent.become(Keep, reason=stays)]
    if decision.pending:
        return [*asked, intent.become(Keep, reason="Kashoo keeps its values")] if merged.conflicts else asked
    # A field that changed only in the books keeps its base; the next comparison would miss the edit otherwise.
    same = {name: document.get(name) for name in {*compared} - {*merged.kept}}
    return [intent.become(Link, reason="Kashoo already has these values", document=same, held=entry.fields)]


def _read(facts: Facts, link: StoredLink) -> Entry | None:
    """Read a linked record.

    :raises UnreadableError: also for an invoice with odd values: nobody can say whether it was paid.
    """
    entry = facts.reads.read(link.target, link.kashoo_id, link.version)
    if entry and not entry.removed and is_billed(link.target) and entry.odd:
        raise entry.unreadable
    return entry


def look_again(facts: Facts, intent: Intent, link: StoredLink) -> list[Intent]:
    """Read a customer or item that was removed before: a person may have restored it."""
    intent = link.applied_to(intent)
    try:
        entry = facts.reads.read(intent.record.kind, link.kashoo_id, link.version)
    except UnreadableError as error:
        return [intent.parked(error.problem)]
    if entry is None or entry.removed:
        return [facts.removed.ask(intent, entry)]
    return [replace(intent, sources=None).become(Link, reason="it is in Kashoo again")]


def _settled(intent: Intent, link: StoredLink, decision: Decision) -> Intent:
    """Note from what the link is made after this decision."""
    if intent.sources is None:
        return intent
    return replace(intent, sources=made_of(intent.sources, link.sources, decision.pending))


def _without_known_sources(intent: Intent, link: StoredLink) -> Intent:
    """Leave the sources out if they are those of the link: a plan may have a million unchanged records."""
    return replace(intent, sources=None) if intent.sources == link.sources else intent


def _held(
    facts: Facts,
    intent: Intent,
    ours: Document,
    link: StoredLink,
    entry: Entry,
    decision: Decision,
    said: Owner | None,
) -> Decision:
    """Hold back what may not change without a person: money came in, the period is locked, or a person approved it.

    :param said: the side that is right, as a person said.
    """
    locked = entry.profile.locked_until
    if entry.invoice is None or entry.invoice.paid or link.settlement not in UNTOUCHED:
        ask = PAID_INVOICE_CHANGED
    elif min(entry.date or "9999", ours.get("date", "9999")) <= locked:
        ask = LOCKED_INVOICE_CHANGED
    elif said is not Owner.SALESFORCE and (link.source_id, link.part, link.generation) in facts.approved:
        ask = APPROVED_INVOICE_CHANGED
    else:
        return decision
    texts = KINDS[intent.record.kind].texts
    money = {name for name in {*decision.write, *decision.stays} if name not in texts}
    if LINES in money and not differ(ours[LINES], entry.fields.get(LINES), texts):
        money.discard(LINES)
    after_payment = facts.sync.mappings[intent.mapping].after_payment if intent.mapping else ()
    changes = "; ".join(_change(name, ours, entry, intent.total) for name in sorted(money))
    return hold(decision, money, after_payment, ask.of(day=locked).quoting(changes))


def _change(name: str, ours: Document, entry: Entry, total: int | None) -> str:
    """Write a change for people: what the invoice says, and what the deal says now."""
    if name != LINES:
        return f"{name} {entry.fields.get(name, 'empty')} -> {ours.get(name, 'empty')}"
    before, now = (_money(amount, entry.currency) for amount in (entry.total, total))
    if before != now:
        return f"total {before} -> {now}"
    each = [_money(line_total(Decimal(line["quantity"]), line["rate"]), "") for line in ours[LINES]]
    return f"its lines, with the same total: {', '.join(each)}"


def _money(minor: int | None, currency: str | None) -> str:
    return "unknown" if minor is None or currency is None else format_minor(minor, currency)

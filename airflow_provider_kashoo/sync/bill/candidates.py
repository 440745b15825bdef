"""Which records are to be billed, which are not, and why. The books are not read for this.

One sale gets one invoice, whether it arrives as an Opportunity or as an Order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import InParts
from airflow_provider_kashoo.core.mapping.stages.select import Mask, Why, among
from airflow_provider_kashoo.core.mapping.stages.sources import MadeFrom, is_decided_anew
from airflow_provider_kashoo.core.mapping.stages.transform import (
    PAID,
    Document,
    PartDocument,
    documents,
    part_documents,
)
from airflow_provider_kashoo.core.mapping.values.cells import Rows
from airflow_provider_kashoo.core.rules import diff
from airflow_provider_kashoo.core.rules.intents import Intent, Park, Release
from airflow_provider_kashoo.core.rules.made_from import Sources, touched
from airflow_provider_kashoo.core.rules.questions import CREDIT_DUE
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.compare import leave_alone, movable
from airflow_provider_kashoo.sync.bill.credits import ask_for, asked_before
from airflow_provider_kashoo.sync.bill.deal_parts import PartLinks, divide, ended_parts, held_back, is_billed_whole
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.leaving import LeftOut, plan_leaving
from airflow_provider_kashoo.sync.bill.made import Ids, Made, make_invoices
from airflow_provider_kashoo.sync.bill.sales import Sales
from airflow_provider_kashoo.sync.bill.unchanged import unchanged
from airflow_provider_kashoo.sync.run.deltas import gone
from airflow_provider_kashoo.sync.run.plan_file import Draft

AT_ONCE = 5_000
"""Records that are compared with their links at a time."""

NOT_READABLE = Problem(
    "not_readable",
    "Salesforce no longer shows this record, which was waiting to be billed",
    "Give the Salesforce user access to it. If it was deleted for good, there is nothing to do.",
)


@dataclass
class Candidate:
    """A deal that is to be billed, not yet compared with the books.

    :param at_rest: it is linked and nothing that is mapped changed: its customer and items are not needed.
    :param rounded: how its total was rounded to whole cents, in words; empty when it was not.
    :param rules: what the rules that caught it do, in words.
    :param part: which of several invoices of the deal it is, in words; empty if it is the only one.
    :param payment: account and day of the payment of its invoice, if a rule makes one.
    """

    intent: Intent
    document: Document
    link: Link | None
    at_rest: bool = False
    rounded: str = ""
    rules: tuple[str, ...] = ()
    part: str = ""
    payment: dict[str, str] | None = None


@dataclass
class Considered:
    """The staged records, sorted by what is to be done with them.

    :param draft: takes the unchanged ones and those that are skipped, of which there may be a million.
    :param all_linked: unchanged linked records are candidates, too.
    :param kept: gives what is kept of a candidate.
    :param unfit: those that are to be billed but cannot be.
    :param intents: what is already decided about other records.
    :param left_out: linked records that are no longer to be billed.
    :param billed_elsewhere: (intent, sale) of each record whose sale another record bills.
    :param caught: mapping and rule -> how many records it caught.
    :param billed: how many records are to be billed, the unchanged ones among them.
    """

    draft: Draft
    all_linked: bool = False
    kept: Callable[[Candidate], Candidate] = lambda each: each
    candidates: list[Candidate] = field(default_factory=list)
    unfit: list[Park] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    billed_elsewhere: list[tuple[Intent, str]] = field(default_factory=list)
    billed: int = 0
    caught: Counter[str] = field(default_factory=Counter)
    _skipped: list[pa.Array] = field(default_factory=list)

    def release(self, facts: Facts, mapping: Mapping, ids: pa.Array, reason: str) -> None:
        """Note records that are not to be billed."""
        for ident in self.draft.skip(mapping, ids, reason).to_pylist():
            self.intents.append(facts.intent(mapping, ident).become(Release, reason=reason))
        self._skipped.append(ids)

    @property
    def skipped(self) -> Ids:
        """The ids of those that are not to be billed."""
        return Ids(self._skipped)

    def leave_out(
        self,
        facts: Facts,
        intent: Intent,
        links: PartLinks,
        unmet: Why | None = None,
        *,
        vanished: bool = False,
        edited: Collection[int] = (),
    ) -> None:
        """Note a record that is not to be billed.

        :param links: of all its invoices.
        :param vanished: it is not found any more, but Salesforce does not say that it was deleted.
        :param edited: the parts that leave only because their mapping was edited.
        """
        self.left_out += [LeftOut(intent, link, unmet, vanished, part in edited) for part, link in links.items()]
        self.intents += facts.waits(intent, but=links)
        if not links and not facts.is_open(intent):
            reason = unmet.reason if unmet else "deleted in Salesforce"
            self.intents.append(intent.become(Release, reason=reason))


def consider(
    facts: Facts,
    draft: Draft,
    *,
    all_linked: bool = False,
    made: Sequence[Made] | None = None,
    keep: Callable[[Candidate], Candidate] = lambda each: each,
) -> Considered:
    """Sort everything that is staged; see :class:`Considered`.

    :param made: what the mappings made of it; they are applied now, if not given.
    :param keep: gives what is kept of a candidate, for callers that have to sort very many.
    """
    result = Considered(draft, all_linked, keep)
    made = make_invoices(facts.sync) if made is None else made
    for mapping in facts.sync.mappings_to(INVOICE.name):
        _consider_deleted(facts, mapping, result)
    sales = Sales(facts, made)
    credited = _consider_credits(facts, made, sales, result)
    to_bill = sales.records.with_more(credited)
    for each in made:
        _consider_excluded(facts, each, sales, to_bill, result)
        result.unfit += [facts.intent(each.mapping, ident).parked(problem) for ident, problem in each.problems.items()]
        _consider_made(facts, each, sales, result)
    planned = [*sales.moves, *result.unfit, *result.intents]
    leaving = plan_leaving(facts, sales.records, result.left_out, result.billed_elsewhere, planned, result.skipped)
    result.intents = [*sales.moves, *result.intents, *leaving]
    begun = [each.intent for each in result.candidates]
    result.intents += ended_parts(facts, made, [*begun, *result.unfit, *result.intents])
    return result


def _consider_excluded(facts: Facts, made: Made, sales: Sales, to_bill: Ids, result: Considered) -> None:
    """Leave out what a mapping excludes, unless some mapping bills or credits it."""
    for why, excluded in made.excluded.items():
        ids = to_bill.without(excluded)
        known = among(ids, {*sales.left_out, *facts.open_of(INVOICE.name)})
        for ident, record in made.records_of(ids.filter(pa.array(known))):
            links, hashed = sales.links_of(ident), facts.sync.store.hashes.of_json
            edited = {part for part, link in links.items() if not is_decided_anew(record, link.sources, hashed)}
            result.leave_out(facts, facts.intent(made.mapping, ident), links, why, edited=edited)
        result.release(facts, made.mapping, ids.filter(pa.array(~known)), why.reason)


def _consider_made(facts: Facts, made: Made, sales: Sales, result: Considered) -> None:
    """Sort the records of which a mapping made something that can be billed."""
    records, billed = _Records(facts, made), ~made.concerned
    for label, count in records.caught():
        result.caught[label] += count
    for rows in _some(np.flatnonzero(made.concerned)):
        for row, intent in zip(rows.tolist(), records.begin(rows), strict=True):
            other = sales.claim(intent)
            billed[row] = other is None
            if other:
                result.billed_elsewhere.append((other, intent.sale))
    rows = np.flatnonzero(billed)
    if (limit := facts.sync.run.limit) is not None:
        inside, rows = rows, rows[: limit - result.billed]
        outside = pa.concat_arrays([made.ids.take(pa.array(inside[len(rows) :])), made.outside])
        result.release(facts, made.mapping, outside, f"outside the test batch of {limit}")
    result.billed += len(rows)
    looked_at = result.all_linked or facts.sync.run.remap
    alone = made.linked[rows] & ~made.concerned[rows] & ~records.in_parts[rows]
    by_itself = rows[:0] if looked_at else rows[alone]
    moving = [np.setdiff1d(rows, by_itself)]
    for some in _some(by_itself):
        same, columns = unchanged(facts, made.mapping, made.ids.take(pa.array(some)), records.made_from(some).json())
        result.draft.keep(columns)
        moving.append(some[~same])
    for some in _some(np.sort(np.concatenate(moving))):
        _compare(facts, records, some, sales, result)


@dataclass
class _Moving:
    """A record, or one of several invoices of it, that is not known to be unchanged.

    :param document: of one of several invoices; None for a record that stays one.
    :param part: which of them it is, in words.
    :param held: why it must not change yet.
    """

    row: int
    intent: Intent
    link: Link | None
    document: Document | None = None
    part: str = ""
    held: Problem | None = None


def _compare(facts: Facts, records: _Records, rows: Rows, sales: Sales, result: Considered) -> None:
    """Make candidates, except of linked records for which only their mapping changed."""
    made, hashes = records.made, facts.sync.store.hashes
    moving: list[_Moving] = []
    for each in _begin(facts, records, rows, sales, result):
        intent, link = each.intent, each.link and facts.as_compared(each.link)
        looked_at = made.concerned[each.row] or result.all_linked
        if link and not looked_at and not touched(intent.sources or {}, link.sources, link.fields):
            result.draft.add([leave_alone(intent, link)])
        else:
            moving.append(replace(each, link=link))
    documents = records.documents([each.row for each in moving if each.document is None])
    for each in moving:
        intent, link, ident = each.intent, each.link, each.intent.record.id
        resolved = facts.codes.resolve(documents[ident] if each.document is None else each.document)
        if isinstance(resolved, Problem):
            result.unfit.append(intent.parked(resolved))
            continue
        at_rest = link is not None and not diff.changed_fields(*movable(intent, resolved, link), hashes)
        begun = replace(intent, total=facts.total(resolved))
        if each.held and not at_rest:
            result.unfit.append(begun.parked(each.held))
            continue
        rounded = made.rounded.get(ident, "")
        rules, payment = records.rules(each.row), None if each.part else records.payment(each.row)
        candidate = Candidate(begun, resolved, link, at_rest, rounded, rules, each.part, payment)
        result.candidates.append(result.kept(candidate))


def _begin(facts: Facts, records: _Records, rows: Rows, sales: Sales, result: Considered) -> Iterator[_Moving]:
    """Begin with each record, and with each invoice of one that becomes several; note what is decided already."""
    made = records.made
    linked = made.ids.take(pa.array(rows[made.linked[rows]])).to_pylist()
    own, divided = facts.sync.store.links.parts_of(INVOICE.name, linked), records.divided(rows)
    for row, intent in zip(rows.tolist(), records.begin(rows), strict=True):
        ident = intent.record.id
        links = sales.links_of(ident) if made.concerned[row] else own.get(ident, {})
        if (problem := made.undivided.get(ident)) and not is_billed_whole(links):
            result.unfit.append(intent.parked(problem))
            continue
        children, parts = divided.get(row, ("", []))
        decided = divide(facts, intent, children, [sources for _, sources in parts], links)
        if decided.whole:
            link = links.get(min(links, default=1))
            yield _Moving(row, replace(intent, sale=link.sale_id) if link else intent, link)
            continue
        result.intents += decided.intents
        held = held_back(facts, decided.surplus)
        for link in decided.surplus:
            result.left_out.append(LeftOut(intent, link, surplus=f"has no part {link.part} any more"))
        for (begun, link), (part, _) in zip(decided.parts, parts, strict=bool(decided.parts)):
            said = f"part {begun.record.part} of {len(parts)}, {part.read['share']} %"
            yield _Moving(row, begun, link, part.document, said, held)


class _Records:
    """The records of one part, while they are sorted."""

    def __init__(self, facts: Facts, made: Made) -> None:
        self._facts, self.made = facts, made
        self._made, self._records, self._lines = made.table(), made.part.records(), made.part.lines()
        self._rules: Rows = self._made["rules"].to_numpy()
        self.in_parts: Mask = np.zeros(len(self._rules), np.bool_)
        if "parts" in self._made.column_names:
            self.in_parts = pc.greater(pc.list_value_length(self._made["parts"]), 0).to_numpy()

    def made_from(self, rows: Rows) -> MadeFrom:
        """Hash what some records were made from."""
        ids = self.made.ids.take(pa.array(rows))
        records = self._records.take(pc.index_in(ids, self._records["Id"].combine_chunks()))
        return MadeFrom(self.made.mapping, records, self._lines, self._facts.sync.store.hashes.of_json)

    def begin(self, rows: Rows) -> list[Intent]:
        """Begin the intents of some records; nothing is decided yet."""
        chosen = self._made.select(["Id", "sale", "currency"]).take(pa.array(rows)).to_pylist()
        made_from = self.made_from(rows)
        return [
            replace(
                self._facts.intent(self.made.mapping, each["Id"]),
                sale=each["sale"],
                currency=each["currency"],
                sources=made_from.of(row),
            )
            for row, each in enumerate(chosen)
        ]

    def divided(self, rows: Rows) -> dict[int, tuple[str, list[tuple[PartDocument, Sources]]]]:
        """Give the relationship that divides a record, and its parts, by rows; without those that stay one invoice."""
        rows = rows[self.in_parts[rows]]
        if not len(rows):
            return {}
        made_from, parts = self.made_from(rows), part_documents(self._made.take(pa.array(rows)))
        found = {}
        for place, (row, own) in enumerate(zip(rows.tolist(), parts.values(), strict=True)):
            spec = self._divides(row)
            with_sources = [(each, made_from.of_part(place, spec, each.child, each.read)) for each in own]
            found[row] = spec.from_, with_sources
        return found

    def _divides(self, row: int) -> InParts:
        """Give the rule that divides a record."""
        bits = self._rules[row]
        rules = enumerate(self.made.mapping.rules)
        return next(rule.invoices for place, rule in rules if rule.invoices and bits >> place & 1)

    def rules(self, row: int) -> tuple[str, ...]:
        """Name the rules that caught a record."""
        bits = self._rules[row]
        return tuple(rule.label for place, rule in enumerate(self.made.mapping.rules) if bits >> place & 1)

    def payment(self, row: int) -> dict[str, str] | None:
        """Give account and day of the payment of a record's invoice, if a rule makes one."""
        found: dict[str, str] | None = self._made[PAID][row].as_py() if PAID in self._made.column_names else None
        return found

    def caught(self) -> Iterator[tuple[str, int]]:
        """Count the records that each rule caught."""
        for place, rule in enumerate(self.made.mapping.rules):
            if rule.skip is None and rule.park is None:  # those have reasons of their own
                yield f"{self.made.mapping.name}: {rule.label}", int(np.sum(self._rules >> place & 1))

    def documents(self, rows: Sequence[int]) -> dict[str, Document]:
        """Give the documents of some records, by their ids."""
        return documents(self._made.take(pa.array(rows, pa.int64())))


def _some(rows: Rows) -> Iterator[Rows]:
    """Divide rows, so that few objects are made at a time."""
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def _consider_credits(facts: Facts, made: Sequence[Made], sales: Sales, result: Considered) -> set[str]:
    """Ask for the credits that are due. A record that has an invoice itself is no longer to be billed instead.

    :returns: the source ids of the credits; if several mappings find one, the first asks.
    """
    found = {ident: (each.mapping, credit) for each in reversed(made) for ident, credit in each.credits.items()}
    credited = found.keys() - sales.records.among(found)
    before = asked_before(facts) if credited else {}
    for ident in sorted(credited):
        mapping, credit = found[ident]
        intent, links = facts.intent(mapping, ident), sales.links_of(ident)
        if links or facts.is_open(intent):
            result.leave_out(facts, intent, links, credit.unmet)
        else:
            result.intents.append(ask_for(facts, intent, credit, before.get(ident)))
    return credited


def _consider_deleted(facts: Facts, mapping: Mapping, result: Considered) -> None:
    vanished = gone(facts.deltas.get(mapping.from_.object))
    own = facts.sync.store.links.parts_of(mapping.to, vanished)
    known = {*own, *facts.open_of(mapping.to)}
    credited = facts.sync.store.reviews.sources(mapping.to, CREDIT_DUE)
    deleted = {ident for ident, unsaid in vanished.items() if not unsaid}
    for ident in sorted(vanished.keys() & {*known, *facts.parked[mapping.to]} | deleted & credited):
        intent = facts.intent(mapping, ident)
        if vanished[ident] and ident not in known:
            # Parked records are read in every run: no window would show that it can be read again.
            result.unfit.append(intent.parked(NOT_READABLE))
        else:
            result.leave_out(facts, intent, own.get(ident, {}), vanished=vanished[ident])

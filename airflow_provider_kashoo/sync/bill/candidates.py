"""Which records are to be billed, which are not, and why. The books are not read for this.

One sale gets one invoice, whether it arrives as an Opportunity or as an Order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.sources import sources_of
from airflow_provider_kashoo.core.mapping.transform import Document, Transformed, transform
from airflow_provider_kashoo.core.rules import diff
from airflow_provider_kashoo.core.rules.intents import Intent, Park, Release
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.core.rules.questions import CREDIT_DUE
from airflow_provider_kashoo.core.rules.totals import expected_total
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.compare import movable
from airflow_provider_kashoo.sync.bill.credits import ask_for, asked_before
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.leaving import LeftOut, plan_leaving
from airflow_provider_kashoo.sync.bill.sales import Sales
from airflow_provider_kashoo.sync.read.staged import load_lines, load_records
from airflow_provider_kashoo.sync.run.deltas import gone

NOT_READABLE = Problem(
    "not_readable",
    "Salesforce no longer shows this record, which was waiting to be billed",
    "Give the Salesforce user access to it. If it was deleted for good, there is nothing to do.",
)


@dataclass(frozen=True)
class Made:
    """What one mapping made of the staged records.

    :param sources: record id -> from what its document was made.
    """

    mapping: Mapping
    of: Transformed
    sources: dict[str, Sources] = field(default_factory=dict)


@dataclass
class Candidate:
    """A deal that is to be billed, not yet compared with the books.

    :param at_rest: it is linked and nothing that is mapped changed: its customer and items are not needed.
    :param rounded: how its total was rounded to whole cents, in words; empty when it was not.
    """

    intent: Intent
    document: Document
    link: Link | None
    at_rest: bool = False
    rounded: str = ""


@dataclass
class Considered:
    """The staged records, sorted by what is to be done with them.

    :param unfit: those that are to be billed but cannot be.
    :param intents: what is already decided about other records.
    :param left_out: linked records that are no longer to be billed.
    :param billed_elsewhere: (intent, sale) of each record whose sale another record bills.
    """

    candidates: list[Candidate] = field(default_factory=list)
    unfit: list[Park] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    billed_elsewhere: list[tuple[Intent, str]] = field(default_factory=list)

    def leave_out(
        self, facts: Facts, intent: Intent, link: Link | None, unmet: str = "", *, vanished: bool = False
    ) -> None:
        """Note a record that is not to be billed.

        :param vanished: it is not found any more, but Salesforce does not say that it was deleted.
        """
        if link is not None:
            self.left_out.append(LeftOut(intent, link, unmet, vanished))
        elif facts.is_open(intent):
            self.intents.append(facts.wait(intent))
        else:
            reason = f"not {unmet}" if unmet else "deleted in Salesforce"
            self.intents.append(intent.become(Release, reason=reason))


def consider(facts: Facts) -> Considered:
    """Sort everything that is staged."""
    result = Considered()
    made: list[Made] = []
    for mapping in facts.sync.mappings_to(INVOICE.name):
        frame = load_records(facts.sync, mapping.from_.object)
        if frame is not None:
            lines = load_lines(facts.sync, mapping)
            of = transform(mapping, frame, lines, facts.sync.surroundings)
            sources = sources_of(mapping, frame, lines, of.documents, facts.sync.store.hashes.of)
            made.append(Made(mapping, of, sources))
        _consider_deleted(facts, mapping, result)
    _bill_once(made)
    sold = {ident: each.of.sales[ident] for each in made for ident in each.of.documents}
    unfit = {ident: each.of.sales[ident] for each in made for ident in each.of.problems}
    excluded = {ident for each in made for ident in each.of.excluded}
    sales = Sales(facts, sold, unfit, excluded)
    credited = _consider_credits(facts, made, sales, {*sold, *unfit}, result)
    for each in made:
        _consider_mapping(facts, each, sales, {*sold, *unfit, *credited}, result)
    planned = [*sales.moves, *result.unfit, *result.intents]
    leaving = plan_leaving(facts, {*sold, *unfit}, result.left_out, result.billed_elsewhere, planned)
    result.intents = [*sales.moves, *result.intents, *leaving]
    _keep_within_limit(facts, result)
    return result


def _consider_mapping(facts: Facts, made: Made, sales: Sales, to_bill: set[str], result: Considered) -> None:
    """Sort the records of one mapping.

    :param to_bill: ids of records that some mapping bills or credits: it does not matter that another excludes them.
    """
    mapping = made.mapping
    for source_id, why in made.of.excluded.items():
        if source_id not in to_bill:
            result.leave_out(facts, facts.intent(mapping, source_id), sales.link(source_id), why)
    result.unfit += [facts.intent(mapping, ident).parked(problem) for ident, problem in made.of.problems.items()]
    for source_id, document in made.of.documents.items():
        begun = replace(facts.intent(mapping, source_id), sources=made.sources[source_id])
        intent = replace(begun, sale=made.of.sales[source_id], currency=document["currency"])
        if other := sales.claim(intent):
            result.billed_elsewhere.append((other, made.of.sales[source_id]))
            continue
        link = sales.link(source_id)
        intent = replace(intent, sale=link.sale_id) if link else intent
        resolved = facts.codes.resolve(document)
        if isinstance(resolved, Problem):
            result.unfit.append(intent.parked(resolved))
            continue
        at_rest = link is not None and not diff.changed_fields(
            *movable(intent, resolved, link), facts.sync.store.hashes
        )
        intent = replace(intent, total=expected_total(resolved, facts.codes.rates))
        result.candidates.append(Candidate(intent, resolved, link, at_rest, made.of.rounded.get(source_id, "")))


def _consider_credits(
    facts: Facts, made: Sequence[Made], sales: Sales, to_bill: set[str], result: Considered
) -> set[str]:
    """Ask for the credits that are due. A record that has an invoice itself is no longer to be billed instead.

    :returns: the source ids of the credits; if several mappings find one, the first asks.
    """
    credited: set[str] = set()
    before = asked_before(facts) if any(each.of.credits for each in made) else {}
    for each in made:
        for source_id, credit in each.of.credits.items():
            if source_id in to_bill | credited:
                continue
            credited.add(source_id)
            intent, link = facts.intent(each.mapping, source_id), sales.link(source_id)
            if link or facts.is_open(intent):
                result.leave_out(facts, intent, link, each.of.excluded[source_id])
            else:
                result.intents.append(ask_for(facts, intent, credit, before.get(source_id)))
    return credited


def _consider_deleted(facts: Facts, mapping: Mapping, result: Considered) -> None:
    vanished = gone(facts.deltas.get(mapping.from_.object))
    own = facts.sync.store.links.of_sources(mapping.to, vanished)
    known = {*own, *facts.open_of(mapping.to)}
    credited = facts.sync.store.reviews.sources(mapping.to, CREDIT_DUE)
    deleted = {ident for ident, unsaid in vanished.items() if not unsaid}
    for ident in sorted(vanished.keys() & {*known, *facts.parked[mapping.to]} | deleted & credited):
        intent = facts.intent(mapping, ident)
        if vanished[ident] and ident not in known:
            # Parked records are read in every run: no window would show that it can be read again.
            result.unfit.append(intent.parked(NOT_READABLE))
        else:
            result.leave_out(facts, intent, own.get(ident), vanished=vanished[ident])


def _keep_within_limit(facts: Facts, result: Considered) -> None:
    """Leave out what exceeds a test batch."""
    limit = facts.sync.run.limit
    if limit is None:
        return
    reason = f"outside the test batch of {limit}"
    result.intents += [each.intent.become(Release, reason=reason) for each in result.candidates[limit:]]
    del result.candidates[limit:]


def _bill_once(made: Iterable[Made]) -> None:
    """Park what several mappings would bill: each would overwrite the invoice of the other."""
    billing: dict[str, list[str]] = {}
    for each in made:
        for ident in each.of.documents:
            billing.setdefault(ident, []).append(each.mapping.name)
    for ident, names in billing.items():
        if len(names) > 1:
            cause = f"the mappings {' and '.join(names)} would both bill this record"
            problem = Problem("billed_by_two_mappings", cause, "Change their `when` so that only one of them meets it.")
            for each in made:
                if each.of.documents.pop(ident, None) is not None:
                    each.of.problems[ident] = problem

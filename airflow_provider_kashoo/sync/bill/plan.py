"""The plan of ``salesforce_to_kashoo``: what is to be written to the books, and why.

Invoices come first, because only they make a customer or an item needed; then customers and items; then each
invoice is compared with the one that it is linked to, or looked up in the books.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import groupby

from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import PARENTS
from airflow_provider_kashoo.core.mapping.stages.sources import PART
from airflow_provider_kashoo.core.mapping.stages.transform import Document
from airflow_provider_kashoo.core.rules import diff, made_from
from airflow_provider_kashoo.core.rules.duplicates import LEFT, copied
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Link, Park, Update
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT, parents_of, resolve_parents
from airflow_provider_kashoo.sync.bill import made
from airflow_provider_kashoo.sync.bill.candidates import Candidate, consider
from airflow_provider_kashoo.sync.bill.compare import compare
from airflow_provider_kashoo.sync.bill.facts import Facts, Pass
from airflow_provider_kashoo.sync.bill.holdings import Holdings
from airflow_provider_kashoo.sync.bill.leaving import returned
from airflow_provider_kashoo.sync.bill.parents import decide_parent, plan_parents
from airflow_provider_kashoo.sync.bill.payments import Payments
from airflow_provider_kashoo.sync.bill.resting import resting_create, unless_rejected
from airflow_provider_kashoo.sync.read import parts
from airflow_provider_kashoo.sync.run.approval import is_first_run
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft

DIFFERS_FROM_BOOKS = Problem(
    "differs_from_books", "Kashoo has its invoice with other contents", "Nothing to do: the next run compares the two."
)

FIRST_PART_DIFFERS = Problem(
    "first_part_differs",
    "Kashoo has part 1 of its deal with other contents: it may bill the whole deal",
    "Nothing to do: the next run compares the two.",
)


def plan(facts: Facts) -> PlanSummary:
    """Plan one run of ``salesforce_to_kashoo``, stage the plan, and summarise it."""
    sync = facts.sync
    # A test batch ends no waiting: what it leaves out may have to be written.
    draft = Draft(Pending.of(sync.store), ends_waiting=sync.run.limit is None)
    considered = consider(facts, draft)
    candidates = considered.candidates
    holdings = Holdings(facts, [date.fromisoformat(each.document["date"]) for each in candidates if not each.link])
    total = Pass([*considered.unfit, *considered.intents])
    for kind in PARENTS:
        parents = plan_parents(facts, kind, needed_by(candidates, kind), partial(decide_parent, facts, holdings))
        total.intents += [*parents.intents, *parents.refused]
        total.linked |= parents.linked
        total.unfit |= parents.unfit
        total.found |= parents.found
    payments = Payments(facts, candidates)
    for _, own in groupby(candidates, key=lambda each: each.intent.record.id):
        total.intents += _plan_deal(facts, holdings, payments, own, total)
    total.intents += payments.released(total.intents)
    searched = not sync.store.knows_books
    reconciled = holdings.reconcile(total.intents, considered.skipped, whole=searched)
    draft.add(unless_rejected(facts, [*total.intents, *reconciled]))
    deltas = facts.deltas.values()
    for prefix in (made.PREFIX, parts.PREFIX):
        sync.files.remove(prefix)
    return draft.stage(
        sync.files,
        seconds_for=sync.budget.seconds_for,
        notes=[f"{d.source}: {d.records} records in [{d.lower}, {d.upper}), {d.note}" for d in deltas],
        org_id=sync.store.org_id,
        business_id=sync.store.business_id,
        searched_books=searched,
        policy=sync.settings.approval,
        first_run=is_first_run(sync),
        rules=dict(considered.caught),
    )


def needed_by(candidates: Iterable[Candidate], kind: str) -> set[str]:
    """List the source ids of the parents of one kind that candidates need."""
    moving = [each for each in candidates if not each.at_rest]
    return {ident for each in moving for parent, ident in parents_of(each.document) if parent == kind}


def _plan_deal(
    facts: Facts, holdings: Holdings, payments: Payments, own: Iterable[Candidate], parents: Pass
) -> list[Intent]:
    """Plan the invoices of a deal, and the payment of a prepaid one.

    If what stands in the books as its first part says something else, it may be the invoice of the whole deal, made
    before a rule divided it: then no other part is created.
    """
    planned = [
        _explained(intent, each)
        for each in own
        for intent in payments.plan(each, unless_rejected(facts, _plan_invoice(facts, holdings, each, parents)))
    ]
    if not any(
        isinstance(each, Park) and each.problem == DIFFERS_FROM_BOOKS and each.record.part == 1 for each in planned
    ):
        return planned
    return [each.parked(FIRST_PART_DIFFERS) if isinstance(each, Create) else each for each in planned]


def _plan_invoice(facts: Facts, holdings: Holdings, candidate: Candidate, parents: Pass) -> list[Intent]:
    intent = candidate.intent
    if facts.is_open(intent) or (facts.is_being_paid(intent) and not candidate.at_rest):
        return [facts.wait(intent)]
    for kind, ident in [] if candidate.at_rest else parents_of(candidate.document):
        if problem := parents.unfit.get((kind, ident)):
            return [intent.parked(waiting_for(kind, problem))]
    document = resolve_parents(candidate.document, parents.linked)
    if candidate.link:
        hashes = facts.sync.store.hashes
        known = diff.as_linked(candidate.document, document, candidate.link.fields, hashes)
        return compare(facts, intent, known, candidate.link)
    record = intent.record
    version = facts.ended_version(record.kind, intent.sale, record.part)
    intent = replace(intent, generation=holdings.next_generation(record), link_version=version)
    try:
        found = holdings.find(intent, {})
    except UnreadableError as error:
        return [intent.parked(error.problem)]
    if holdings.stands_again(intent):
        return [intent.parked(returned())]
    if len(found.candidates) > 1:
        return [intent.parked(copied(len(found.candidates)))]
    if found.kashoo_id is None and (locked := facts.locked(document["date"])):
        return [intent.parked(locked)]
    if found.kashoo_id is None:
        create = intent.become(Create, reason="won and not billed yet", document=document)
        return [resting_create(facts, create) or create]
    return _take_over(facts, holdings, intent, document, found.kashoo_id, parents)


def waiting_for(kind: str, problem: Problem) -> Problem:
    """Say that a deal waits for its customer or item."""
    if problem.error_class == REMOVED_IN_BOOKS.error_class:
        return Problem(WAITING_FOR_PARENT, f"its {problem.cause}", problem.fix)
    if problem.error_class == LEFT:
        return Problem(WAITING_FOR_PARENT, f"its {kind} is left out: {problem.unquoted}", problem.fix)
    return Problem(WAITING_FOR_PARENT, f"its {kind} is parked", f"Fix the parked {kind} first.")


def _explained(intent: Intent, candidate: Candidate) -> Intent:
    """Add to the reason of what is written how the total was rounded, which part it is, and which rules caught it."""
    if isinstance(intent, Park):
        return replace(intent, rules=candidate.rules)
    if not isinstance(intent, Create | Update):
        return intent
    more = [candidate.rounded] if candidate.rounded and "lines" in intent.written else []
    more += [candidate.part] if candidate.part else []
    more += [f"rules: {', '.join(candidate.rules)}"] if candidate.rules else []
    return replace(intent, reason="; ".join([intent.reason, *more]), rules=candidate.rules)


def _take_over(
    facts: Facts, holdings: Holdings, intent: Intent, document: Document, ident: int, parents: Pass
) -> list[Intent]:
    """Link an invoice that carries the record's reference; where its contents differ, the next run compares them."""
    held = holdings.fields(intent.record.kind, ident)
    known = resolve_parents(document, parents.found)
    differing = known.keys() - diff.written_base({}, known, held, facts.sync.store.hashes).keys()
    same = {name: value for name, value in document.items() if name not in differing}
    reason = "in the books already: our reference"
    unsure = {PART} if "lines" in differing and PART in (intent.sources or {}) else set[str]()
    begun = replace(intent, sources=made_from.unknown(intent.sources or {}, differing | unsure))
    link = begun.become(Link, reason=reason, kashoo_id=ident, document=same, held=held)
    return [link, intent.parked(DIFFERS_FROM_BOOKS)] if differing else [link]

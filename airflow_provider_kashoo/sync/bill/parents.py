"""Customers and items: written only when something that is billed needs them, or when they are linked already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.sources import sources_of
from airflow_provider_kashoo.core.mapping.transform import Document, Transformed, transform
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Link, Park, Release
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.sync.bill.compare import compare, look_again
from airflow_provider_kashoo.sync.bill.facts import Facts, Pass
from airflow_provider_kashoo.sync.bill.holdings import Holdings
from airflow_provider_kashoo.sync.bill.merges import plan_merges
from airflow_provider_kashoo.sync.bill.resting import resting_create
from airflow_provider_kashoo.sync.read.staged import load_records
from airflow_provider_kashoo.sync.run.deltas import gone

NOT_FOR_BOOKS = "parent_left_out"

Decide = Callable[[Intent, Document, StoredLink | None], list[Intent]]
"""Decides what to do about one parent, from its intent so far, its document, and its link."""


@dataclass
class Parents(Pass):
    """What was decided about the parents of one kind.

    :param refused: those that are needed but that no mapping can make.
    """

    refused: list[Park] = field(default_factory=list)


def plan_parents(facts: Facts, kind: str, needed: set[str], decide: Decide) -> Parents:
    """Plan the customers or items that are needed or linked; of several mappings, the first that fits makes one."""
    result, made, refused = Parents(), set[str](), dict[str, Park]()
    for mapping in facts.sync.mappings_to(kind):
        for each in _plan_mapping(facts, mapping, needed, made, decide, result):
            known = refused.get(each.record.id)
            if known is None or known.error_class == NOT_FOR_BOOKS:
                refused[each.record.id] = each
    result.refused = [each for ident, each in refused.items() if ident not in made]
    result.unfit |= {each.record.named: each.problem for each in result.refused}
    return result


def _plan_mapping(
    facts: Facts, mapping: Mapping, needed: set[str], made: set[str], decide: Decide, result: Parents
) -> list[Park]:
    """Plan the parents that one mapping makes; return those that it cannot make, with the reason.

    :param made: source ids of what earlier mappings made; this one's are added.
    """
    kind, before = mapping.to, set(made)
    frame = load_records(facts.sync, mapping.from_.object)
    read = set() if frame is None else set(frame["Id"])
    links = facts.sync.store.links.of_sources(kind, read | needed)
    merged = _follow_merges(facts, mapping, read | needed, links, result)
    result.linked |= {(kind, ident): link.kashoo_id for ident, link in links.items()}
    made_of, sources = Transformed(), dict[str, Sources]()
    if frame is not None:
        wanted = frame[frame["Id"].isin({*links, *needed})]
        made_of = transform(mapping, wanted, None, facts.sync.surroundings)
        sources = sources_of(mapping, wanted, None, made_of.documents, facts.sync.store.hashes.of)
    refused = []
    for ident in sorted({*needed, *links} & (read | needed)):
        if (kind, ident) in result.unfit or ident in before:
            continue
        intent = replace(facts.intent(mapping, ident), link_version=facts.ended_version(kind, ident))
        document = made_of.documents.get(ident)
        if document is not None:
            made.add(ident)
            intent = replace(intent, sources=sources[ident])
            result.add(decide(intent, document, links.get(ident)))
        elif ident in needed and ident not in links:
            refused.append(intent.parked(made_of.problems.get(ident) or _not_for_books(mapping)))
    seen = read | gone(facts.deltas.get(mapping.from_.object)).keys()
    for ident in sorted(seen & facts.parked[kind] - {*needed, *links, *merged, *before}):
        result.intents.append(facts.intent(mapping, ident).become(Release, reason="no deal to be billed needs it"))
    return refused


def _follow_merges(
    facts: Facts, mapping: Mapping, wanted: set[str], links: dict[str, StoredLink], result: Parents
) -> set[str]:
    """Plan the merges of one object, and add the survivors' new links to ``links``; return the ids that are gone."""
    losers = set()
    for each in plan_merges(facts, mapping):
        result.intents.append(each.intent)
        losers.add(each.intent.record.id)
        if each.link and each.survivor in wanted:
            links[each.survivor] = each.link
        elif each.blocked:
            result.unfit[mapping.to, each.survivor] = each.blocked
    return losers


def decide_parent(
    facts: Facts, holdings: Holdings, intent: Intent, document: Document, link: StoredLink | None
) -> list[Intent]:
    """Decide what to do about one parent: compare it, link it, or create it when it is provably absent."""
    if facts.is_open(intent):
        return [facts.wait(intent)]
    resolved = facts.codes.resolve(document)
    if isinstance(resolved, Problem):
        return [intent.parked(resolved)]
    if link and facts.removed.is_asked(intent):
        return look_again(facts, intent, link)
    if link:
        return compare(facts, intent, resolved, link)
    intent = replace(intent, generation=holdings.next_generation(intent.record))
    try:
        found = holdings.find(intent, resolved)
    except UnreadableError as error:
        return [intent.parked(error.problem)]
    if undecided := holdings.undecided(found, intent, resolved):
        return [intent.parked(undecided)]
    if found.kashoo_id is None:
        create = intent.become(Create, reason=found.evidence, document=resolved)
        return [resting_create(facts, create) or create]
    holdings.take(intent.record.kind, found.kashoo_id)
    reason, held = f"in the books already: {found.evidence}", holdings.fields(intent.record.kind, found.kashoo_id)
    linked = intent.become(Link, reason=reason, kashoo_id=found.kashoo_id, document=resolved, held=held)
    return [replace(linked, alone=found.by_likeness)]


def _not_for_books(mapping: Mapping) -> Problem:
    name = mapping.from_.object
    cause = f"the {name} cannot be read, or does not meet `when` of {mapping.name}"
    return Problem(NOT_FOR_BOOKS, cause, f"Correct the {name}, or give the Salesforce user access to it.")

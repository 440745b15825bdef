"""Customers and items: written only when something that is billed needs them, or when they are linked already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.sources import MadeFrom
from airflow_provider_kashoo.core.mapping.stages.transform import Document, documents, transform
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Link, Park, Release
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.sync.bill.alike import follow_up
from airflow_provider_kashoo.sync.bill.compare import compare, look_again
from airflow_provider_kashoo.sync.bill.facts import Facts, Pass
from airflow_provider_kashoo.sync.bill.holdings import Holdings
from airflow_provider_kashoo.sync.bill.merges import Merge, plan_merges
from airflow_provider_kashoo.sync.bill.resting import resting_create
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.run.deltas import gone

NOT_FOR_BOOKS = "parent_left_out"

AT_ONCE = 20_000
"""Records that are compared with their links at a time."""

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
    kind, before, refused, left = mapping.to, {*made}, list[Park](), {*needed}
    merges = list(plan_merges(facts, mapping))
    result.intents += [each.intent for each in merges]
    result.unfit |= {(kind, each.survivor): each.blocked for each in merges if each.blocked}
    idle = facts.parked[kind] & gone(facts.deltas.get(mapping.from_.object)).keys()
    for records in _staged(facts, mapping):
        here = set(records["Id"].to_pylist())
        links = _links(facts, kind, here, merges)
        result.linked |= {(kind, ident): links[ident].kashoo_id for ident in needed & links.keys()}
        left -= here
        idle |= facts.parked[kind] & here - links.keys()
        for intent, found in _made(facts, mapping, records, {*links, *(needed & here)} - before):
            ident = intent.record.id
            if (kind, ident) in result.unfit:
                continue
            if isinstance(found, Problem):
                refused += [intent.parked(found)] if ident in needed and ident not in links else []
            else:
                made.add(ident)
                result.add(decide(intent, found, links.get(ident)))
    links = _links(facts, kind, left, merges)
    result.linked |= {(kind, ident): link.kashoo_id for ident, link in links.items()}
    for ident in sorted(left - links.keys() - before):
        if (kind, ident) not in result.unfit:
            refused.append(_begin(facts, mapping, ident).parked(_not_for_books(mapping)))
    losers = {each.intent.record.id for each in merges}
    for ident in sorted(idle - needed - losers - before):
        result.intents.append(facts.intent(mapping, ident).become(Release, reason="no deal to be billed needs it"))
    return refused


def _staged(facts: Facts, mapping: Mapping) -> Iterator[pa.Table]:
    """Give the staged records of a mapping's object in the order of their ids, few at a time."""
    for part in parts_of(facts.sync, mapping.from_.object):
        records = part.records()
        yield from (records.slice(start, AT_ONCE) for start in range(0, records.num_rows, AT_ONCE))


def _links(facts: Facts, kind: str, ids: set[str], merges: Sequence[Merge]) -> dict[str, StoredLink]:
    """Give the links of some records, as they will be after the merges."""
    moved = {each.survivor: each.link for each in merges if each.link and each.survivor in ids}
    every = facts.sync.store.links.of_sources(kind, ids) | moved
    return {ident: facts.as_compared(link) for ident, link in every.items()}


def _made(
    facts: Facts, mapping: Mapping, records: pa.Table, wanted: set[str]
) -> Iterator[tuple[Intent, Document | Problem]]:
    """Make the document of each wanted record, in the order of their ids, or say why that cannot be done."""
    chosen = records.filter(pc.is_in(records["Id"], pa.array(list(wanted), pa.string())))
    of = transform(mapping, chosen, None, facts.sync.surroundings)
    made = documents(of.made)
    made_from = MadeFrom(mapping, chosen, None, facts.sync.store.hashes.of_json)
    rows = {ident: row for row, ident in enumerate(chosen["Id"].to_pylist())}
    for ident in sorted(wanted):
        intent = _begin(facts, mapping, ident)
        if ident in made:
            yield replace(intent, sources=made_from.of(rows[ident])), made[ident]
        else:
            yield intent, of.problems.get(ident) or _not_for_books(mapping)


def _begin(facts: Facts, mapping: Mapping, ident: str) -> Intent:
    return replace(facts.intent(mapping, ident), link_version=facts.ended_version(mapping.to, ident))


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
    return follow_up(facts, replace(linked, alone=True)) if found.by_likeness else [linked]


def _not_for_books(mapping: Mapping) -> Problem:
    name = mapping.from_.object
    cause = f"the {name} cannot be read, or does not meet `when` of {mapping.name}"
    return Problem(NOT_FOR_BOOKS, cause, f"Correct the {name}, or give the Salesforce user access to it.")

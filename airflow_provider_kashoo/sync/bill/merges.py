"""Accounts that were merged in Salesforce: the customer of the one that is gone becomes the survivor's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.rules.intents import Follow, Intent
from airflow_provider_kashoo.core.rules.questions import MERGED_APART
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import PLANNED_AGAIN, Facts


@dataclass(frozen=True)
class Merge:
    """One record that was merged into another one.

    :param link: the survivor's link as it will be; None while a write is unanswered, and where a person has to merge
        two customers.
    :param blocked: why nothing can be written for the survivor.
    """

    survivor: str
    intent: Intent
    link: Link | None = None
    blocked: Problem | None = None


def plan_merges(facts: Facts, mapping: Mapping) -> Iterator[Merge]:
    """Move the links of merged records to the survivors.

    Salesforce names the survivor in the loser's ``MasterRecordId`` (evidenced).
    """
    sync, kind = facts.sync, mapping.to
    delta = facts.deltas.get(mapping.from_.object)
    merged, read = (delta.merged, delta.read) if delta else ({}, "")
    links = sync.store.links.of_sources(kind, {*merged, *merged.values()})
    for loser, survivor in sorted(merged.items()):
        link, other = links.get(loser), links.get(survivor)
        if facts.open & {(kind, loser), (kind, survivor)}:
            # Parked records are read in every run, until it is known what was written for both.
            cause = f"it was merged into {survivor}; the outcome of a write for one of the two is not known yet"
            problem = Problem("waiting_for_merge", cause, PLANNED_AGAIN)
            begun = Intent.of(mapping, sync.name, loser, source_read=read)
            yield Merge(survivor, begun.parked(problem), blocked=problem)
        elif link and other is None:
            links[survivor] = link.followed(survivor, survivor, facts.ended_version(kind, survivor, link.part))
            more = {"into": survivor, "into_sale": survivor, "reason": f"merged into {survivor}"}
            begun = link.intent(sync.name, mapping=mapping.name, source_read=read)
            yield Merge(survivor, begun.become(Follow, **more), links[survivor])
        elif link and other and other.kashoo_id != link.kashoo_id:
            both = f"{kind}s {link.kashoo_id} and {other.kashoo_id}"
            begun = link.intent(sync.name, mapping=mapping.name)
            question = MERGED_APART.of(survivor=survivor, both=both, loser=loser, into=str(other.kashoo_id))
            yield Merge(survivor, begun.asked(question))

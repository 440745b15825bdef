"""Accounts that were merged in Salesforce: the customer of the loser becomes the survivor's."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import MERGED_APART
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.run.deltas import staged
from airflow_provider_kashoo.sync.run.sync import Sync


def plan_merges(sync: Sync, mapping: Mapping, in_doubt: set[tuple[str, str]]) -> Iterator[tuple[PlanRow, Link | None]]:
    """Plan what becomes of the links of merged records.

    Salesforce names the survivor in the loser's ``MasterRecordId`` (evidenced).

    :param in_doubt: (target, source id) of what was sent before and has no known outcome.
    :returns: a row each, and the link as it will be; None for what waits, and for two customers that only a person
        can merge.
    """
    delta = staged(sync.files, mapping.from_.object)
    merged, read = (delta.merged, delta.read) if delta else ({}, "")
    links = sync.store.links.of_sources(mapping.to, {*merged, *merged.values()})
    ended = sync.store.links.ended_versions(mapping.to) if merged else {}
    for loser, survivor in sorted(merged.items()):
        link, other = links.get(loser), links.get(survivor)
        if in_doubt & {(mapping.to, loser), (mapping.to, survivor)}:
            yield _waits(sync, mapping, loser, survivor, read), None
        elif link and other is None:
            links[survivor] = link.followed(survivor, survivor, ended.get((survivor, link.part), 0))
            more = {"follow_into": survivor, "follow_sale": survivor, "mapping": mapping.name, "source_read": read}
            yield link.row(sync.name, Action.FOLLOW, f"merged into {survivor}", **more), links[survivor]
        elif link and other and other.kashoo_id != link.kashoo_id:
            both = f"{mapping.to}s {link.kashoo_id}, {other.kashoo_id}"
            row = link.row(sync.name, Action.REVIEW, "", mapping=mapping.name)
            yield row.reviewed(MERGED_APART.of(survivor=survivor, both=both)), None


def _waits(sync: Sync, mapping: Mapping, loser: str, survivor: str, read: str) -> PlanRow:
    """Keep a merge in sight, whatever the next windows show, until it is known what was written for both."""
    cause = f"merged into {survivor}, and it is not known yet what was written for one of the two"
    row = PlanRow.of(mapping, sync.name, loser, follow_into=survivor, source_read=read)
    return row.parked(Problem("waiting_for_merge", cause, "Nothing: planned again."))

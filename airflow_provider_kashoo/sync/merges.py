"""Accounts that were merged in Salesforce: the customer of the loser becomes the survivor's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from airflow_provider_kashoo.core.mapping import Mapping
from airflow_provider_kashoo.core.plan import Action, PlanRow
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.sync import Sync

INTO = "into"
"""Key of a row's payload: the record that the link goes on with."""


def plan_merges(sync: Sync, mapping: Mapping) -> Iterator[tuple[PlanRow, Link | None]]:
    """Plan what becomes of the links of merged records.

    Salesforce names the survivor in the loser's ``MasterRecordId`` (evidenced).

    :returns: a row each, and the link as it will be; None for two customers that only a person can merge.
    """
    report = sync.files.read_json(f"delta.{mapping.from_.object}") or {}
    merged: dict[str, str] = report.get("merged", {})
    links = sync.store.links.of_sources(mapping.to, {*merged, *merged.values()})
    for loser, survivor in sorted(merged.items()):
        link = links.get(loser)
        if link is None or link.source_object != mapping.from_.object:
            continue
        reason, payload = f"merged into {survivor}", {INTO: survivor}
        row = link.row(sync.name, Action.FOLLOW, reason, mapping=mapping.name, payload=payload)
        if (other := links.get(survivor)) is None:
            links[survivor] = replace(link, source_id=survivor, sale_id=survivor, version=link.version + 1)
            yield row, links[survivor]
        elif other.kashoo_id != link.kashoo_id:
            cause = (
                f"merged into {survivor}, but in Kashoo they are {mapping.to}s {link.kashoo_id} and {other.kashoo_id}"
            )
            fix = "Merge the two in Kashoo; new invoices go to the survivor's."
            yield (
                replace(row, action=Action.REVIEW, payload={}, reason=cause, error_class="merged_apart", fix=fix),
                None,
            )

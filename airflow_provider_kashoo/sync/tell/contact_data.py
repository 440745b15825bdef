"""Contact data goes back to Salesforce where a mapping gives a field to Kashoo: once a week, three-way.

A field that only Kashoo changed is written. One that both sides changed is written if Kashoo owns it; if the latest
wins, the run that reads Salesforce decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER
from airflow_provider_kashoo.core.mapping.file.policies import Owner
from airflow_provider_kashoo.core.mapping.stages.write_back import as_told
from airflow_provider_kashoo.core.mapping.values.field_types import fitted
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Upsert
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.read.contact_changes import NAME
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected
from airflow_provider_kashoo.sync.tell.own_records import RANK

PART = 2
"""Tells what waits of an Account's contact data apart from what waits of its balance."""

Row = dict[str, Any]


def contact_data(sync: Sync, affected: Affected, pending: Pending) -> Iterator[Intent]:
    """Decide what is to be written of the contact data that was found changed in the week's list."""
    staged = sync.files.read_json(NAME)
    if staged is None:
        return
    by_object: dict[str, list[Row]] = defaultdict(list)
    for row in staged["records"]:
        by_object[row["source_object"]].append(row)
    for sobject, found in by_object.items():
        yield from _of_object(sync, affected, sobject, found)
    objects = {each.from_.object for each in sync.mappings.values() if each.to == CUSTOMER.name}
    named = {(row["source_object"], row["source_id"]) for row in staged["records"]}
    for kind, ident in sorted(pending.parked - named):  # what was refused, and is not changed any more
        if kind in objects:
            yield _begun(sync, affected, kind, ident).become(Keep, reason="both sides say the same")


def _of_object(sync: Sync, affected: Affected, sobject: str, found: Sequence[Row]) -> Iterator[Intent]:
    types = sync.salesforce.describe(sobject).fields
    names = sorted({name for row in found for name in row["fields"]} & types.keys())
    ids = sorted(row["source_id"] for row in found)
    queries = soql.by_ids(sobject, ["Id", *names], ids)
    there = {record["Id"]: record for text in queries for record in sync.salesforce.query(text)}
    for row in found:
        record = there.get(row["source_id"])
        if record is None:  # deleted or merged: the run that reads Salesforce deals with it
            continue
        changes = {}
        for name in row["fields"].keys() & types.keys():
            value, sent, owner = row["fields"][name]
            here = as_told(record.get(name))
            both = sync.store.hashes.of(here) != sent
            if here != value and not (both and owner == Owner.LATEST):
                changes[name] = fitted(types[name], value, sync.settings.zone)
        begun = _begun(sync, affected, sobject, row["source_id"])
        begun = replace(begun, mapping=row["mapping"], kashoo_id=row["kashoo_id"])
        if odd := next((each for each in changes.values() if isinstance(each, Problem)), None):
            yield begun.parked(odd)
        elif changes:
            reason = "its customer was changed in Kashoo"
            yield replace(begun, reason=reason, document=changes, changes=changes)
        else:
            yield begun.become(Keep, reason="both sides say the same")


def _begun(sync: Sync, affected: Affected, sobject: str, ident: str) -> Upsert:
    return Upsert(
        record=Record(sobject, sobject, ident, PART),
        sync=sync.name,
        source_read=affected.read,
        external_id=f"{ident}/contact",
        salesforce_id=ident,
        parent=ident,
        rank=RANK[CUSTOMER.name],
        settlement="told",
    )

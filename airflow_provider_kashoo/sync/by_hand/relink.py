"""Say which customer or item of Kashoo a Salesforce record is, or that it needs a new one."""

from __future__ import annotations

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import PARENTS
from airflow_provider_kashoo.core.rules.intents import Intent, Link
from airflow_provider_kashoo.core.values.ids import to_18
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.sync.run.sync import Sync

BY_HAND = "by hand"

NOTHING = 0
"""Kashoo id of a link that ends as it begins: it says that no record of the books is the one."""


def relink(sync: Sync, source_id: str, kashoo_id: int | None, *, by: str) -> str:
    """Link a record to another customer or item of Kashoo; nothing is written to either side.

    Its values in Kashoo stay as they are until they change in Salesforce. What waits for it goes on with the next run.

    :param source_id: Salesforce id of the record, such as an Account.
    :param kashoo_id: the customer or item; None if it is none of those in Kashoo: the next run that needs it makes a
        new one.
    :param by: who says so; it is kept in the audit trail.
    :returns: what was done, for people.
    :raises ConfigurationError: when the record is no customer or item, has a write without an answer, or Kashoo does
        not have what it is to be linked to.
    """
    record = _record(sync, source_id)
    if record.named in sync.store.journal.open_records():
        raise ConfigurationError(
            f"A write of {record} has no known outcome yet.",
            remedy="Wait for the next run, or run: airflow kashoo resolve.",
        )
    if kashoo_id is not None:
        _check(sync, record, kashoo_id)
    with sync.store.writing() as tx:
        link = tx.links.of_sources(record.kind, [record.id]).get(record.id)
        if link and link.kashoo_id == kashoo_id:
            return f"{record} is linked to {record.kind} {kashoo_id} already."
        if link:
            tx.journal.unlinked(link.intent(sync.name), f"no longer {record.kind} {link.kashoo_id}, by {by}", BY_HAND)
        ended = [each.generation for each in tx.links.ended_references(record.kind, [record.id])]
        generation = max(ended, default=0) + 1  # the mark of before may still stand on another one
        last = tx.links.ended_versions(record.kind, [record.id]).get((record.id, 1), 0)
        version = max(link.version + 1 if link else 0, last)
        begun = Intent(record=record, sale=record.id, generation=generation, link_version=version, sync=sync.name)
        if kashoo_id is not None:
            said = begun.become(Link, kashoo_id=kashoo_id, reason=f"linked by {by}")
            tx.journal.linked(said, LinkChange(kashoo_id, fields={}, sources={}), BY_HAND)
        elif link is None:
            tx.links.put(begun, LinkChange(NOTHING, fields={}))
            tx.journal.unlinked(begun, f"none of those in Kashoo, by {by}", BY_HAND)
        tx.waiting.close(begun)
        tx.reviews.close_all(begun, but=[])
    if kashoo_id is None:
        return f"{record} is linked to nothing now; the next run that needs it makes a new {record.kind}."
    return f"{record} is linked to {record.kind} {kashoo_id} now."


def _record(sync: Sync, source_id: str) -> Record:
    """Say of which kind a record is."""
    try:
        ident = to_18(source_id)
    except ValueError as error:
        raise ConfigurationError(f"{error}.", remedy="Copy the id from the address of the record.") from None
    sobject = sync.object_of(ident) or ""
    kinds = [mapping.to for mapping in sync.mappings_from(sobject) if mapping.to in PARENTS]
    if not kinds:
        raise ConfigurationError(
            f"No mapping makes a customer or an item of {sobject or 'the object of'} {ident}.",
            remedy="Give the id of the Account or Product whose customer or item it is.",
        )
    return Record(kinds[0], sobject, ident)


def _check(sync: Sync, record: Record, kashoo_id: int) -> None:
    found = sync.kashoo.read(record.kind, kashoo_id)
    if found is None or found.removed:
        raise ConfigurationError(
            f"Kashoo has no {record.kind} {kashoo_id}{'' if found is None else ' any more'}. Nothing was changed.",
            remedy="Copy the id from the address of the record's page in Kashoo.",
        )

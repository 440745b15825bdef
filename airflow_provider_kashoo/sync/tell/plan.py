"""The plan of ``kashoo_to_salesforce``: each invoice's payment status, compared with what was written back last.

The status is computed from what the books hold now, never added up from events.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import replace
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.write_back import as_told, documents, told_by_the_invoice
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Tell, in_order
from airflow_provider_kashoo.core.rules.settlement import VOID
from airflow_provider_kashoo.core.rules.summary import Counts, PlanSummary, summarise
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read import weekly_look
from airflow_provider_kashoo.sync.run.deltas import all_staged, earliest_read
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads
from airflow_provider_kashoo.sync.tell.affected import Affected, Known
from airflow_provider_kashoo.sync.tell.payments import Payments

WRITTEN_BACK_ALREADY = "Salesforce already has these values"

HashedFields = MappingType[str, str]


def plan(sync: Sync, reads: Reads) -> PlanSummary:
    """Plan what is to be written back, stage it, and summarise.

    :param reads: reads single invoices, each once.
    """
    affected, payments = Affected(sync, reads), Payments(sync)
    changed = affected.changed(payments.paid_lately)
    at_rest = _at_rest(sync, affected, payments, changed.known)
    moving = [(link, invoice) for link, invoice in changed.known if link.id not in at_rest]
    payments.complete(moving, affected.unsettled)
    voids = affected.voids_to_write_back()
    updates = _tell(sync, affected, payments, [*moving, *voids.known])
    questions = [*changed.intents, *voids.intents, *affected.copies(), *affected.standing_again()]
    contacts = weekly_look.look(sync)
    deltas = all_staged(sync.files).values()
    read = earliest_read(deltas)
    planned = [*questions, *at_rest.values(), *updates, *contacts.intents]
    intents = in_order(replace(each, source_read=read) for each in planned)
    contacts.stage(sync.files)
    sync.files.write_plan(intents)
    return summarise(
        intents,
        Counts(),
        seconds_for=lambda _: 0.0,
        notes=[*(f"{delta.source}: {delta.records} records, {delta.note}" for delta in deltas), *contacts.notes],
        org_id=sync.store.org_id,
        business_id=sync.store.business_id,
    )


def _at_rest(sync: Sync, affected: Affected, payments: Payments, known: list[Known]) -> dict[int, Intent]:
    """Find links whose invoice and payments are unchanged since Salesforce was updated.

    Their old payments need not be listed again; only the week's first run does that.

    :returns: link id -> its intent.
    """
    quiet = [
        (link, invoice)
        for link, invoice in known
        if link.settlement not in {None, VOID} and not invoice.removed and link.kashoo_id not in payments.paid_lately
        if not affected.weekly and (link.source_object, link.source_id) not in affected.unsettled
    ]
    found: dict[int, Intent] = {}
    for mapping, own in _by_mapping(affected, quiet):
        names = told_by_the_invoice(mapping)
        for (link, _), document in zip(own, _documents(sync, payments, mapping, own), strict=True):
            now = sync.store.hashes.fields({name: document.get(name) for name in names})
            if names and all(link.written_back.get(name) == value for name, value in now.items()):
                found[link.id] = _begin(sync, mapping, link).become(Keep, reason=WRITTEN_BACK_ALREADY)
    return found


def _tell(sync: Sync, affected: Affected, payments: Payments, known: list[Known]) -> Iterator[Intent]:
    """Decide for each invoice what is to be written back, if anything."""
    for mapping, own in _by_mapping(affected, known):
        held = _held(sync, mapping, own) if affected.weekly else {}
        settlements = payments.settlements(own)
        for (link, _), settlement, document in zip(
            own, settlements, _documents(sync, payments, mapping, own), strict=True
        ):
            begun = _begin(sync, mapping, link)
            intent = replace(begun, reason=f"its invoice is {settlement['status']}")
            last = held.get(link.source_id, link.written_back)
            # While a write-back is unanswered, it is not known what Salesforce has: write all fields.
            if problem := payments.problem(link.kashoo_id):
                yield intent.parked(problem)
                continue
            yield _decide(sync, intent, document, settlement["status"], last if affected.is_known(intent) else {})


def _decide(sync: Sync, intent: Intent, document: dict[str, Any], settlement: str, last: HashedFields) -> Intent:
    if problem := next((value for value in document.values() if isinstance(value, Problem)), None):
        return intent.parked(problem)
    now = sync.store.hashes.fields(document)
    changes = {name: value for name, value in document.items() if now[name] != last.get(name)}
    said = {"document": document, "settlement": settlement}
    if not changes:
        return intent.become(Keep, reason=WRITTEN_BACK_ALREADY, **said)
    return intent.become(Tell, changes=changes, **said)


def _documents(sync: Sync, payments: Payments, mapping: Mapping, known: list[Known]) -> list[dict[str, Any]]:
    types = sync.salesforce.describe(mapping.to).fields
    return documents(mapping, payments.settlements(known), types, sync.surroundings)


def _held(sync: Sync, mapping: Mapping, known: list[Known]) -> dict[str, dict[str, str]]:
    """Read the fields in Salesforce: a person may have edited them, or this store may not know the last write.

    :returns: Salesforce id -> field -> hash.
    """
    ids, fields = sorted({link.source_id for link, _ in known}), list(mapping.fields)
    found = {}
    for text in soql.by_ids(mapping.to, ["Id", *fields], ids):
        for record in sync.salesforce.query(text):
            values = {name: as_told(record.get(name)) for name in fields}
            found[record["Id"]] = sync.store.hashes.fields(values)
    return found


def _by_mapping(affected: Affected, known: list[Known]) -> Iterator[tuple[Mapping, list[Known]]]:
    for sobject, mapping in affected.mappings.items():
        if own := [(link, invoice) for link, invoice in known if link.source_object == sobject]:
            yield mapping, own


def _begin(sync: Sync, mapping: Mapping, link: Link) -> Intent:
    """Begin the intent that writes an invoice back to its record.

    All invoices of a record share one key, generation 1, so that two of them are never written back at once.
    """
    record = Record(mapping.to, link.source_object, link.source_id, link.part)
    return link.intent(sync.name, record=record, mapping=mapping.name, generation=1)

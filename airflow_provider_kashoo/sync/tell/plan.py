"""The plan of ``kashoo_to_salesforce``: each invoice's payment status, compared with what was written back last.

The status is computed from what the books hold now, never added up from events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import replace

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.write_back import as_told, told_by_the_invoice
from airflow_provider_kashoo.core.rules.intents import Document, Intent, Keep, Tell
from airflow_provider_kashoo.core.rules.settlement import VOID, Allocation, settlement_of
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.read import weekly_look
from airflow_provider_kashoo.sync.run import collecting
from airflow_provider_kashoo.sync.run.deltas import all_staged, earliest_read
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads
from airflow_provider_kashoo.sync.tell.affected import Affected, Known
from airflow_provider_kashoo.sync.tell.balances import Balances
from airflow_provider_kashoo.sync.tell.contact_data import contact_data
from airflow_provider_kashoo.sync.tell.filled import filled
from airflow_provider_kashoo.sync.tell.own_records import OwnRecords
from airflow_provider_kashoo.sync.tell.payments import Payments, problem
from airflow_provider_kashoo.sync.tell.together import Together, known_together

WRITTEN_BACK_ALREADY = "Salesforce already has these values"

HashedFields = MappingType[str, str]
Paid = MappingType[int, list[Allocation]]


@collecting.rarely()
def plan(sync: Sync, reads: Reads) -> PlanSummary:
    """Plan what is to be written back, stage it, and summarise.

    :param reads: reads single invoices, each once.
    """
    deltas, pending = all_staged(sync.files).values(), Pending.of(sync.store)
    affected, payments = Affected(sync, reads, earliest_read(deltas)), Payments(sync)
    draft, own, balances = Draft(pending), OwnRecords(sync, affected), Balances(sync, affected)
    moving = _changed(sync, affected, payments, draft, own, balances)
    several, found = known_together(affected, payments, balances, own)
    draft.add(replace(each, source_read=affected.read) for each in found.intents)
    voids = affected.voids_to_write_back()
    moving.append(voids.known)
    payments.complete([*moving, *several], affected.unsettled, own.told_payments([*moving, *several]))
    while moving:  # a part that is planned is let go, so that memory holds each invoice once
        known = moving.pop(0)
        paid = payments.of(known)
        balances.add(known, (part for parts in paid.values() for part in parts))
        draft.add(_tell(sync, affected, paid, known))
        draft.add(_closing(pending, own.intents(known, paid, payments.unreadable)))
    for together in several:
        balances.add(together, (part for parts in payments.of(together).values() for part in parts))
        draft.add(_closing(pending, own.intents(together, payments.of(together), payments.unreadable)))
    draft.add(_closing(pending, own.voided(affected.voided())))
    draft.add(_closing(pending, balances.intents(pending)))
    draft.add(_closing(pending, contact_data(sync, affected, pending)))
    draft.add(_tell_together(sync, affected, [Together.of(known, payments.of(known)) for known in several]))
    contacts = weekly_look.look(sync)
    questions = [*voids.intents, *affected.copies(), *affected.standing_again(), *contacts.intents]
    draft.add(replace(each, source_read=affected.read) for each in questions)
    contacts.stage(sync.files)
    return draft.stage(
        sync.files,
        seconds_for=lambda _: 0.0,
        notes=[
            *(f"{delta.source}: {delta.records} records, {delta.note}" for delta in deltas),
            *contacts.notes,
            *balances.notes,
        ],
        org_id=sync.store.org_id,
        business_id=sync.store.business_id,
        policy=sync.settings.approval,
    )


def _closing(pending: Pending, intents: Iterable[Intent]) -> Iterator[Intent]:
    """Leave out what is at rest, unless that ends something: nothing is noted of a record of our own at rest."""
    return (each for each in intents if not isinstance(each, Keep) or pending.is_closed_by(each))


def _changed(
    sync: Sync, affected: Affected, payments: Payments, draft: Draft, own: OwnRecords, balances: Balances
) -> list[list[Known]]:
    """Find the invoices that may have changed, and draft what is decided already.

    :returns: the other invoices, in parts.
    """
    moving: list[list[Known]] = []
    for found in affected.changed(payments.paid_lately):
        balances.add([*found.known, *found.rests])
        balances.unread += found.unread
        at_rest = _at_rest(sync, affected, payments, found.known)
        for ident in own.moving([each for each in found.known if each[0].id in at_rest]):
            del at_rest[ident]
        draft.add(replace(each, source_read=affected.read) for each in found.intents)
        draft.add(at_rest.values())
        moving.append([(link, invoice) for link, invoice in found.known if link.id not in at_rest])
    return moving


def _at_rest(sync: Sync, affected: Affected, payments: Payments, known: Sequence[Known]) -> dict[int, Intent]:
    """Find links whose invoice and payments are unchanged since Salesforce was updated.

    Their old payments need not be listed again; only the week's first run does that.

    :returns: link id -> its intent.
    """
    quiet = [
        (link, invoice)
        for link, invoice in known
        if link.settlement not in {None, VOID} and not invoice.removed and link.kashoo_id not in payments.paid_lately
        if not affected.weekly and not affected.is_unsettled(link)
    ]
    found: dict[int, Intent] = {}
    for mapping, own in _by_mapping(affected, quiet):
        if names := told_by_the_invoice(mapping):
            said = [settlement_of(invoice, (), affected.today) for _, invoice in own]
            made = filled(sync, mapping.to, mapping.fields, said, names)
            for (link, _), now in zip(own, made.hashes, strict=True):
                if all(link.written_back.get(name) == value for name, value in now.items()):
                    intent = _begin(sync, mapping, link, affected.read)
                    found[link.id] = intent.become(Keep, reason=WRITTEN_BACK_ALREADY)
    return found


def _tell_together(sync: Sync, affected: Affected, several: Sequence[Together]) -> Iterator[Intent]:
    """Decide for each record with several invoices what is to be written back, if anything."""
    firsts = {each.first[0].kashoo_id: each for each in several}
    paid = {ident: each.paid for ident, each in firsts.items()}
    for decided in _tell(sync, affected, paid, [each.first for each in several]):
        yield from firsts[decided.kashoo_id or 0].each(decided)


def _tell(sync: Sync, affected: Affected, paid: Paid, known: Sequence[Known]) -> Iterator[Intent]:
    """Decide for each invoice what is to be written back, if anything.

    :param paid: invoice -> its payments.
    """
    for mapping, own in _by_mapping(affected, known):
        held = _held(sync, mapping, own) if affected.weekly else {}
        said = [settlement_of(invoice, paid.get(invoice.id, ()), affected.today) for _, invoice in own]
        made = filled(sync, mapping.to, mapping.fields, said)
        for row, (link, invoice) in enumerate(own):
            intent = _begin(sync, mapping, link, affected.read)
            if odd := problem(paid.get(invoice.id, ())):
                yield intent.parked(odd)
                continue
            last = held.get(link.source_id, link.written_back)
            # While a write-back is unanswered, it is not known what Salesforce has: write all fields.
            last = last if affected.is_known(intent) else {}
            decided = _decide(intent, made.documents[row], made.hashes[row], said[row]["status"], last)
            yield replace(decided, parent=str(invoice.contact or "")) if isinstance(decided, Tell) else decided


def _decide(intent: Intent, document: Document, now: HashedFields, settlement: str, last: HashedFields) -> Intent:
    """Compare what an invoice says with what Salesforce has.

    :param intent: about the invoice; nothing is decided yet.
    :param now: the hashes of the document.
    :param last: the hashes of what Salesforce has.
    """
    if odd := next((value for value in document.values() if isinstance(value, Problem)), None):
        return intent.parked(odd)
    changes = {name: value for name, value in document.items() if now[name] != last.get(name)}
    if not changes:
        return intent.become(Keep, reason=WRITTEN_BACK_ALREADY, held=now, settlement=settlement)
    reason = f"its invoice is {settlement}"
    return intent.become(Tell, reason=reason, changes=changes, document=document, settlement=settlement)


def _held(sync: Sync, mapping: Mapping, known: Sequence[Known]) -> dict[str, dict[str, str]]:
    """Read the fields in Salesforce: a person may have edited them, or this store may not know the last write.

    :returns: Salesforce id -> field -> hash.
    """
    ids, fields = sorted({link.source_id for link, _ in known}), list(mapping.fields)
    queries = soql.by_ids(mapping.to, ["Id", *fields], ids)
    records = [record for text in queries for record in sync.salesforce.query(text)]
    hashed = [each_once(sync.store.hashes.of, (as_told(each.get(name)) for each in records)) for name in fields]
    return {
        record["Id"]: dict(zip(fields, values, strict=True)) for record, *values in zip(records, *hashed, strict=True)
    }


def _by_mapping(affected: Affected, known: Sequence[Known]) -> Iterator[tuple[Mapping, list[Known]]]:
    for sobject, mapping in affected.mappings.items():
        if own := [(link, invoice) for link, invoice in known if link.source_object == sobject]:
            yield mapping, own


def _begin(sync: Sync, mapping: Mapping, link: Linked, read: str) -> Intent:
    """Begin the intent that writes an invoice back to its record.

    All invoices of a record share one key, generation 1, so that two of them are never written back at once.

    :param read: when the books were read.
    """
    record = Record(mapping.to, link.source_object, link.source_id)
    return link.intent(sync.name, record=record, mapping=mapping.name, generation=1, source_read=read)

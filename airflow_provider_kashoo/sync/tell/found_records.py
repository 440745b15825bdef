"""Records that people made in Salesforce and that a payment settles, such as a Case that waits for it.

They are found by the fields of ``find`` and changed once; what is changed must be such that they are not found again.
Only invoices about which something happened are looked at: a record that comes later is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import RELATED
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.write_back import as_told, met
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Upsert
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected
from airflow_provider_kashoo.sync.tell.filled import Says, filled

FOUND = 900
"""Tells what waits of a found record apart from what waits of a record of our own of the same object."""

Said = Sequence[tuple[Linked, Says]]


def found_records(sync: Sync, affected: Affected, mapping: FieldMapping, about: Said) -> Iterator[Intent]:
    """Change the records that are found for the invoices that meet ``when``."""
    holds = met(mapping.conditions, [says for _, says in about])
    wanted = list[tuple[Linked, Says]]()
    for (link, says), held in zip(about, holds, strict=True):
        begun = _begin(sync, affected, mapping, link)
        # What came after the payment is not meant: only an invoice whose status changed now is looked at.
        is_new = link.settlement != says["status"] or begun.record.named in affected.unsettled
        if held and is_new:
            wanted.append((link, says))
    said = [says for _, says in wanted]
    if not wanted:
        return
    by, changes = (filled(sync, mapping.to, specs, said).documents for specs in (mapping.find, mapping.fields))
    there = _there(sync, mapping, by)
    for (link, says), key, changed in zip(wanted, by, changes, strict=True):
        begun = _begin(sync, affected, mapping, link)
        found = [row for row in there.get(_named(mapping, key), ()) if _meets(row, key)]
        if not found:
            yield begun.become(Keep, reason="there is no such record")
        for row in found:
            ident = str(row["Id"])
            intent = begun.become(
                Upsert, external_id=f"{says['key']}:{ident}", salesforce_id=ident, settlement=str(says["status"])
            )
            if odd := next((value for value in changed.values() if isinstance(value, Problem)), None):
                yield intent.parked(odd)
            else:
                reason = f"its invoice is {says['status']}"
                yield intent.become(Upsert, reason=reason, document=changed, changes=changed)


def _begin(sync: Sync, affected: Affected, mapping: FieldMapping, link: Linked) -> Intent:
    record = Record(mapping.to, link.source_object, link.source_id, FOUND + link.part)
    return link.intent(sync.name, record=record, mapping=mapping.name, source_read=affected.read)


def _meets(row: dict[str, Any], key: dict[str, Any]) -> bool:
    return all(as_told(row.get(name)) == value for name, value in key.items())


def _naming(mapping: FieldMapping) -> str:
    """Name the field that says which deal, or Account, a record belongs to."""
    return next(name for name, spec in mapping.find.items() if spec.from_ in RELATED)


def _named(mapping: FieldMapping, key: dict[str, Any]) -> str:
    return str(key[_naming(mapping)] or "")


def _there(sync: Sync, mapping: FieldMapping, by: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Deal or Account -> its records in Salesforce."""
    field, found = _naming(mapping), dict[str, list[dict[str, Any]]]()
    ids = sorted({named for key in by if (named := _named(mapping, key))})
    for query in soql.by_ids(mapping.to, ["Id", *mapping.find], ids, key=field):
        for row in sync.salesforce.query(query):
            found.setdefault(str(row[field]), []).append(row)
    return found

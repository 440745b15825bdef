"""Records that people made in Salesforce and that a payment settles, such as a Case that waits for it.

They are found by the fields of ``find`` and changed once; what is changed must be such that they are not found again.
Only invoices about which something happened are looked at: a record that comes later is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.describe import written_fields
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import RELATED
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.write_back import as_told, columns, met, rows
from airflow_provider_kashoo.core.rules.intents import Intent, Upsert
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected

Said = Sequence[tuple[Linked, dict[str, Any]]]


def found_records(sync: Sync, affected: Affected, mapping: FieldMapping, about: Said) -> Iterator[Intent]:
    """Change the records that are found for the invoices that meet ``when``."""
    holds = met(mapping.conditions, [says for _, says in about])
    wanted = [each for each, held in zip(about, holds, strict=True) if held]
    said = [says for _, says in wanted]
    if not wanted:
        return
    types = written_fields(sync.salesforce, mapping.to, {**mapping.fields, **mapping.find})
    by, changes = (
        rows(specs, said, columns(specs, said, types, sync.settings.zone)) for specs in (mapping.find, mapping.fields)
    )
    there = _there(sync, mapping, by)
    for (link, says), key, changed in zip(wanted, by, changes, strict=True):
        for row in there.get(_named(mapping, key), ()):
            if any(as_told(row.get(name)) != value for name, value in key.items()):
                continue
            begun = link.intent(
                sync.name,
                record=Record(mapping.to, link.source_object, link.source_id, link.part),
                mapping=mapping.name,
                source_read=affected.read,
            )
            ident = str(row["Id"])
            intent = begun.become(
                Upsert, external_id=f"{says['key']}:{ident}", salesforce_id=ident, settlement=str(says["status"])
            )
            if odd := next((value for value in changed.values() if isinstance(value, Problem)), None):
                yield intent.parked(odd)
            else:
                reason = f"its invoice is {says['status']}"
                yield intent.become(Upsert, reason=reason, document=changed, changes=changed)


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

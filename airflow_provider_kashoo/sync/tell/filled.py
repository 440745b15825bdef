"""What mappings to Salesforce make of what the books say, and what of it is not there yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.clients.describe import written_fields
from airflow_provider_kashoo.core.mapping.stages.write_back import Fields, Value, columns, rows
from airflow_provider_kashoo.core.rules.intents import Upsert
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.store.own_records import MADE, OwnRecord
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected

Says = dict[str, Any]
"""What a mapping may read, see :data:`~airflow_provider_kashoo.core.kinds.TOLD`."""


@dataclass(frozen=True)
class Filled:
    """Documents, one for each that something is said of.

    :param documents: Salesforce field -> text.
    :param hashes: Salesforce field -> hash of that.
    """

    documents: list[dict[str, Value]]
    hashes: list[dict[str, str]]


def filled(
    sync: Sync, sobject: str, specs: Fields, said: Sequence[Says], names: Collection[str] | None = None
) -> Filled:
    """Fill the fields of an object.

    :param specs: Salesforce field -> how it gets its value.
    :param names: only these fields; all, if not given.
    """
    types = written_fields(sync.salesforce, sobject, specs)
    values = columns(specs, said, types, sync.settings.zone, names)
    hashed = {name: each_once(sync.store.hashes.of, column) for name, column in values.items()}
    return Filled(rows(specs, said, values), rows(specs, said, hashed))


def changed(
    affected: Affected, intent: Upsert, document: Mapping[str, Value], now: Mapping[str, str], last: OwnRecord | None
) -> dict[str, Value]:
    """Give the fields that Salesforce does not have as they are, or of which that is not known.

    :param now: the hashes of the document.
    :param last: the record as it was written last.
    """
    known = dict(last.fields) if last and last.state == MADE else {}
    for name in affected.fields_in_flight(intent):
        known.pop(name, None)
    return {name: value for name, value in document.items() if now[name] != known.get(name)}

"""Find deals by what people call them: Salesforce is asked, because the store keeps no names."""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.by_hand.explain import written_numbers
from airflow_provider_kashoo.sync.read.names import NAME, customer_path, names_of
from airflow_provider_kashoo.sync.run.sync import Sync

MOST = 20


def find_named(sync: Sync, text: str) -> list[dict[str, Any]]:
    """Find the deals that have a text in their name, or in the name of their customer, or as the invoice's number.

    :param sync: ``salesforce_to_kashoo``.
    :returns: id, object, name and customer of each; :data:`MOST` of each object, those changed last.
    :raises SyncError: as the client of Salesforce.
    """
    objects = sorted({each.from_.object for each in sync.mappings.values() if each.bills})
    records = []
    for sobject in objects:
        fields = sync.salesforce.describe(sobject).fields
        paths = [path for path in (NAME if NAME in fields else "", customer_path(sync, sobject)) if path]
        if paths:
            query = soql.with_part_of_text(sobject, paths, text, MOST)
            records += [Record("", sobject, row["Id"]) for row in sync.salesforce.query(query)]
    numbered = ((ident, sync.object_of(ident)) for ident in written_numbers(sync, text))
    records += [Record("", sobject, ident) for ident, sobject in numbered if sobject]
    names = names_of(sync, records)
    return [
        {"source_id": each.id, "source_object": each.object, "name": known.name, "customer": known.customer}
        for each in dict.fromkeys(records)
        if (known := names.get(each.id))
    ]

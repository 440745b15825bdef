"""Where a person opens a record: its addresses in Salesforce and in Kashoo, for the end of a line in the log."""

from __future__ import annotations

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.sync import Sync


def links_to(sync: Sync, record: Record, kashoo_id: int | None = None) -> str:
    """Give the addresses of a record, as far as they are known without asking either side.

    Salesforce opens any record at the address of the org with its id behind it (documented). Kashoo's own addresses are
    not known: there is one only if the connection's profile says ``record_url``.

    :param kashoo_id: the record in the books, if known.
    :returns: each with a blank before it; empty when none is known.
    """
    found = [f"{sync.salesforce_url}/{record.id}"] if sync.salesforce_url else []
    if kashoo_id and record.kind in KINDS and (pattern := sync.kashoo.profile.record_url):
        found.append(pattern.format(b=sync.kashoo.business_id, kind=record.kind, id=kashoo_id))
    return "".join(f" {each}" for each in found)

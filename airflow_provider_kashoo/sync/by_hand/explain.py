"""Explain one record as both sides have it now: from what each field would be made, and what the next run would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow.compute as pc

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.trace import Trace, trace
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.sync.by_hand.preview import rehearsed
from airflow_provider_kashoo.sync.read.names import Named, names_of
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.run.plan_file import Decision, decisions_about
from airflow_provider_kashoo.sync.run.sync import Sync


@dataclass(frozen=True)
class Now:
    """One record, as both sides have it now.

    :param sobject: its object in Salesforce; None if it is of none that a mapping reads.
    :param found: whether Salesforce shows it to the user.
    :param traces: what each mapping that reads its object says of it.
    :param decisions: what the next run would do with it.
    """

    source_id: str
    sobject: str | None
    named: Named = field(default_factory=Named)
    found: bool = False
    traces: tuple[Trace, ...] = ()
    decisions: tuple[Decision, ...] = ()


def now_of(sync: Sync, source_id: str) -> Now:
    """Read a record and plan it; nothing is written to either side or to the store.

    :param sync: ``salesforce_to_kashoo``.
    :param source_id: 18-character Salesforce id.
    :raises SyncError: as the steps of a run.
    """
    sobject = sync.object_of(source_id)
    if sobject is None or sobject not in sync.sources:
        return Now(source_id, sobject)
    with rehearsed(sync, RunFacts("explain", run_type="explain", only=frozenset({source_id}))) as (shown, _):
        traces = list(_traces(shown, sobject, source_id))
        names = names_of(shown, [Record("", sobject, source_id)])
        decisions = decisions_about(shown.files, source_id)
    named = names.get(source_id, Named())
    return Now(source_id, sobject, named, bool(traces), tuple(traces), tuple(decisions))


def _traces(sync: Sync, sobject: str, source_id: str) -> Iterator[Trace]:
    for part in parts_of(sync, sobject):
        record = part.records()
        record = record.filter(pc.equal(record["Id"], source_id))
        if record.num_rows:
            read = record, part.lines(), sync.surroundings, part.children()
            yield from (trace(each, *read) for each in sync.mappings_from(sobject))


def sources_of_number(sync: Sync, number: str) -> list[str]:
    """Find the records whose invoice has a number: in the fields that it is written back to, else in the books.

    :returns: Salesforce ids.
    """
    found = list(written_numbers(sync, number))
    if found:
        return found
    listed = (entry.id for entry in sync.kashoo.listing(INVOICE.name) if entry.number == number)
    ids = list(islice(listed, 1))
    return [link.source_id for link in sync.store.links.sharing(INVOICE.name, ids)]


def written_numbers(sync: Sync, number: str) -> Iterator[str]:
    """Find the records to which this number of an invoice was written back; Kashoo is not asked."""
    for mapping in sync.mappings.values():
        fields = [name for name, field in mapping.fields.items() if field.from_ == "number"] if mapping.tells else []
        known = sync.salesforce.describe(mapping.to).fields if fields else {}
        for name in fields:
            if name in known:
                for row in sync.salesforce.query(soql.with_text(mapping.to, name, number)):
                    yield row["Id"]

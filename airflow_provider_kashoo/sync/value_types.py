"""Whether what mappings compute, format or map fits the types of Salesforce's fields, before anything is read."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.computed_check import misfits, targets
from airflow_provider_kashoo.core.mapping.field import Field
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.operations import Kind, kind_of_column
from airflow_provider_kashoo.sync.read.columns import column_type
from airflow_provider_kashoo.sync.run.sync import Sync


def value_faults(sync: Sync) -> Iterator[str]:
    """List what does not fit, each with file and line; unknown fields are not reported here."""
    for mapping in sync.mappings.values():
        for where, of_line, spec, into in targets(mapping) if mapping.into_books else ():
            for fault, fix in misfits(spec, into, _kinds(sync, mapping, spec, of_line=of_line)):
                yield f"{mapping.place(*where)}: {where[-1]}: {fault}. {fix}"


def _kinds(sync: Sync, mapping: Mapping, spec: Field, *, of_line: bool) -> dict[str, Kind]:
    """Say of what kind each path is that a field reads; what leads nowhere is left out."""
    found: dict[str, Kind] = {}
    client, sobject = sync.salesforce, mapping.from_.object
    for path, _ in spec.paths():
        first, _, rest = path.partition(".")
        picked = not of_line and first in mapping.from_.pick
        try:
            children = client.describe(sobject).children if of_line or picked else {}
            child = children.get(str(mapping.from_.lines if of_line else first), (sobject, ""))[0]
            kind = column_type(client, child, rest if picked else path)
        except ConfigurationError:
            continue
        if kind is not None:
            found[path] = kind_of_column(kind)
    return found

"""What mappings compute or format, held against the types of Salesforce's fields."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.mapping.file.computed_check import misfits, targets
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.values.operations import Kind, kind_of_column
from airflow_provider_kashoo.sync.check.sides import Sides
from airflow_provider_kashoo.sync.read.columns import arrow_type


def computed_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List what does not fit; unknown fields are not said here."""
    for where, of_line, spec, into in targets(mapping):
        for fault, fix in misfits(spec, into, _kinds(mapping, spec, sides, of_line=of_line)):
            yield mapping.mistake(where, f"{where[-1]}: {fault}", fix)


def _kinds(mapping: Mapping, spec: Field, sides: Sides, *, of_line: bool) -> dict[str, Kind]:
    """Say of what kind each path is that a field reads; what leads nowhere is left out."""
    found = {path: sides.source(mapping, path, of_line=of_line) for path, _ in spec.paths()}
    return {path: kind_of_column(arrow_type(info)) for path, info in found.items() if info is not None}

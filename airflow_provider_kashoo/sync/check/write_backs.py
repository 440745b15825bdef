"""Fields that a write-back cannot write."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.write_back_check import misfits
from airflow_provider_kashoo.sync.check.sides import Sides, near


def write_back_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List the fields that Salesforce does not have, that the user may not edit, and that do not take the values."""
    try:
        fields = sides.salesforce.describe(mapping.to).fields
    except ConfigurationError as error:
        yield mapping.mistake(("to",), error.what.rstrip("."), error.remedy)
        return
    for name in mapping.fields:
        where = ("fields", name)
        if name not in fields:
            fault = f"{mapping.to} has no field {name!r}, or the user may not see it"
            fix = f"{near(name, fields)} Or create it, or give the user access to it."
            yield mapping.mistake(where, fault, fix)
        elif not fields[name].updateable:
            fault = f"the Salesforce user may not edit {mapping.to}.{name}"
            yield mapping.mistake(where, fault, "Give the user edit access to it.")
        elif all(path in SETTLEMENT_SOURCE for path, _ in mapping.fields[name].paths()):
            for said in misfits(mapping, name, fields[name], sides.zone):
                fault, _, fix = said.rpartition(". ")
                yield mapping.mistake(where, fault, fix)

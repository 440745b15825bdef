"""Fields that a mapping to Salesforce cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from typing import TypeAlias

from airflow_provider_kashoo.clients.describe import written_fields
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import TOLD, TOLD_TYPES
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.write_back_check import misfits
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.sync.check.sides import Sides, near

CURRENCY = "CurrencyIsoCode"
"""Exists in orgs with several currencies only (evidenced)."""

Fields: TypeAlias = MappingType[str, FieldInfo]


def write_back_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List the fields that Salesforce does not have, that the user may not edit, and that do not take the values."""
    try:
        own = sides.salesforce.describe(mapping.to).fields
        fields = written_fields(sides.salesforce, mapping.to, {**mapping.fields, **mapping.leave, **mapping.find})
    except ConfigurationError as error:
        yield mapping.mistake(("to",), error.what.rstrip("."), error.remedy)
        return
    yield from _keys(mapping, own, fields)
    if mapping.match is not None and CURRENCY in own and CURRENCY not in mapping.fields and _has_amounts(mapping):
        fault = f"{mapping.to} has a {CURRENCY} that is not filled: amounts would stand in the currency of the org"
        yield mapping.mistake(("fields",), fault, f"Add {CURRENCY}: {{from: currency}}.").warning
    for section in ("fields", "leave"):
        for name, spec in getattr(mapping, section).items():
            where = (section, name)
            if name not in fields:
                yield _missing(mapping, where, own)
            elif "." not in name and not fields[name].updateable:
                fault = f"the Salesforce user may not edit {mapping.to}.{name}"
                yield mapping.mistake(where, fault, "Give the user edit access to it.")
            elif all(path in TOLD[mapping.from_.object] for path, _ in spec.paths()):
                for said in misfits(spec, name, fields[name], sides.zone):
                    fault, _, fix = said.rpartition(". ")
                    yield mapping.mistake(where, fault, fix)


def _has_amounts(mapping: Mapping) -> bool:
    paths = {path for spec in mapping.fields.values() for path, _ in spec.paths()}
    return any(TOLD_TYPES.get(path) == "money" for path in paths)


def _keys(mapping: Mapping, own: Fields, fields: Fields) -> Iterator[Mistake]:
    """List what is wrong with the fields by which records are found."""
    if mapping.match is not None and not (mapping.match in own and own[mapping.match].is_key):
        fault = (
            f"{mapping.to} has no field {mapping.match!r} that is an external id and unique, as far as the user sees"
        )
        yield mapping.mistake(("match",), fault, near(mapping.match, [name for name in own if own[name].is_key]))
    for name in mapping.find:
        if name not in fields:
            yield _missing(mapping, ("find", name), own)


def _missing(mapping: Mapping, where: tuple[str, str], own: Fields) -> Mistake:
    fault = f"{mapping.to} has no field {where[1]!r}, or the user may not see it"
    return mapping.mistake(where, fault, f"{near(where[1], own)} Or create it, or give the user access to it.")

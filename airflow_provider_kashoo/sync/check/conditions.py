"""Conditions that no record could meet, or whose value changes without a trace."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.expressions import Condition
from airflow_provider_kashoo.core.mapping.values.field_types import PICKLISTS
from airflow_provider_kashoo.sync.check.sides import Sides, near
from airflow_provider_kashoo.sync.read.columns import column_type


def condition_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List what is wrong with the conditions of a mapping; fields that do not exist are not said here."""
    for where, condition in mapping.placed_conditions():
        yield from _misfits(mapping, where, condition, sides)
        for path in sorted(condition.paths):
            info = sides.source(mapping, path)
            if info is not None and info.formula:
                fault = f"{path} is a formula field, and Salesforce does not report changes of its value"
                fix = "Write out what the formula tests, or use a field that a flow fills in."
                yield mapping.mistake(where, fault, fix, 0)
        yield from _not_listed(mapping, where, condition, sides)


def _misfits(mapping: Mapping, where: Where, condition: Condition, sides: Sides) -> Iterator[Mistake]:
    """Compare the constants of a condition with the types of its fields: no record would ever meet it."""
    types = {}
    for path in condition.paths:
        info = sides.source(mapping, path)
        try:
            kind = info and column_type(sides.salesforce, mapping.from_.object, path)
        except ConfigurationError:
            kind = None
        if kind is None:
            return
        types[path] = kind
    for said in condition.misfits(types):
        fault, _, fix = said.rpartition(". ")
        yield mapping.mistake(where, fault, fix, 0)


def _not_listed(mapping: Mapping, where: Where, condition: Condition, sides: Sides) -> Iterator[Mistake]:
    """List the values that a picklist is compared with, and does not have."""
    for path, op, constants, offset in condition.comparisons:
        info = sides.source(mapping, path)
        if info is None or info.type not in PICKLISTS or not info.values or op not in {"==", "!=", "in", "not in"}:
            continue
        for constant in constants:
            if not isinstance(constant, str) or not constant:
                continue
            parts = constant.split(";")
            if strange := [each for each in parts if each not in {*info.values, *info.inactive}]:
                found = mapping.mistake(
                    where, f"the picklist {path} has no {strange[0]!r}", near(strange[0], info.values), offset
                )
                yield found if info.restricted else found.warning

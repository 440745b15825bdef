"""Constants in a mapping that the field they are for can never take: found before anything is read."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, FieldType, TargetField
from airflow_provider_kashoo.core.mapping.convert import convert
from airflow_provider_kashoo.core.mapping.field import Field, Scalar
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.values import money

CURRENCY = "currency"


def unfit_constants(mapping: Mapping) -> Iterator[str]:
    """List them, each with file and line, and what to write instead."""
    if not mapping.into_books:
        return
    for where, name, spec in mapping.sections():
        in_lines = where[0] in {"lines", "single_line"} or name not in KINDS[mapping.to].fields
        target = (INVOICE.lines if in_lines else KINDS[mapping.to].fields)[name]
        for fault in _faults(name, spec, target):
            yield f"{mapping.place(*where)}: {name}: {fault}"


def _faults(name: str, spec: Field, target: TargetField) -> Iterator[str]:
    for constant in [spec.value, *(spec.map or {}).values()]:
        if constant is not None and spec.link is None and (fault := _fault(name, constant, target.type)):
            yield fault
    if spec.default:
        yield from _faults(name, spec.default, target)
    if spec.add_days:
        yield from (f"add_days: {fault}" for fault in _faults("", spec.add_days, TargetField("number")))


def _fault(name: str, constant: Scalar, kind: FieldType) -> str | None:
    found = convert(constant if isinstance(constant, str) or kind == "number" else str(constant), kind, "UTC")
    if isinstance(found, Problem):
        return f"{found.cause}. Correct the constant."
    if name == CURRENCY:
        try:
            money.check_currency(str(constant))
        except money.NotMoney as error:
            return f"{str(error).removeprefix('its currency ')}. Write a code such as USD."
    return None

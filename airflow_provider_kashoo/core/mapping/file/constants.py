"""Constants in a mapping that the field they are for can never take: found before anything is read."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, FieldType, TargetField
from airflow_provider_kashoo.core.mapping.file.field import Field, Scalar
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.convert import convert
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.currencies import OTHER_DECIMALS

CURRENCY = "currency"


def unfit_constants(mapping: Mapping) -> Iterator[Mistake]:
    """List them, each with its place, and what to write instead."""
    if not mapping.into_books:
        return
    for where, name, spec in mapping.sections():
        in_lines = where[0] in {"lines", "single_line"} or name not in KINDS[mapping.to].fields
        target = (INVOICE.lines if in_lines else KINDS[mapping.to].fields).get(name)
        for inner, fault in _faults(name, spec, target) if target else ():
            fix = "Write a code such as USD." if name == CURRENCY else "Correct the constant."
            yield mapping.mistake((*where, *inner), f"{name}: {fault}", fix)


def _faults(name: str, spec: Field, target: TargetField) -> Iterator[tuple[Where, str]]:
    """List what is wrong, each with its place in the field."""
    constants: list[tuple[Where, Scalar | None]] = [(("value",), spec.value)]
    constants += [(("map", key), value) for key, value in (spec.map or {}).items()]
    for where, constant in constants:
        if constant is not None and spec.link is None and (fault := _fault(name, constant, target.type)):
            yield where, fault
    if spec.default:
        yield from ((("default", *where), fault) for where, fault in _faults(name, spec.default, target))
    if spec.add_days:
        for where, fault in _faults("", spec.add_days, TargetField("number")):
            yield ("add_days", *where), f"add_days: {fault}"


def _fault(name: str, constant: Scalar, kind: FieldType) -> str | None:
    found = convert(constant if isinstance(constant, str) or kind == "number" else str(constant), kind, "UTC")
    if isinstance(found, Problem):
        return found.cause
    if name == CURRENCY:
        try:
            money.check_currency(str(constant), OTHER_DECIMALS)  # whether the books take it, preflight says
        except money.NotMoney as error:
            return str(error).removeprefix("its currency ")
    return None

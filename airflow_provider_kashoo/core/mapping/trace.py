"""How a mapping makes a document of one record: which conditions hold, what rules do, where each field is from."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, TargetField
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import LINES
from airflow_provider_kashoo.core.mapping.golden import readable
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings, column, evaluate
from airflow_provider_kashoo.core.mapping.stages.in_parts import TYPES
from airflow_provider_kashoo.core.mapping.stages.lines import own_lines
from airflow_provider_kashoo.core.mapping.stages.transform import transform
from airflow_provider_kashoo.core.mapping.values.operations import words
from airflow_provider_kashoo.core.values.money import format_exact

MOST_LINES = 20
"""Lines of which each field is traced; there may be ten thousand."""


@dataclass(frozen=True)
class Tested:
    """A condition or a rule, and whether it holds for the record.

    :param what: the condition as written; of a rule, what it does.
    :param when: the condition of a rule; None if it catches every record.
    """

    what: str
    place: str
    holds: bool
    when: str | None = None


@dataclass(frozen=True)
class Origin:
    """One field, and where its value comes from.

    :param target: the field; of the n-th line ``lines[n].Field``, and what makes the n-th of several invoices
        ``parts[n].Key``.
    :param value: as the mapping makes it; None if empty.
    :param how: as the file says it.
    :param sources: path in Salesforce -> its value.
    :param problem: why it has no value.
    """

    target: str
    value: str | None
    place: str
    how: str
    sources: MappingType[str, str | None] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Trace:
    """What one mapping says of one record.

    :param conditions: its ``when``, all of which must hold.
    :param fields: before its rules add and divide lines.
    :param made: what becomes of it in the end, see :func:`.golden.readable`: no document, one, or those of its parts.
    """

    mapping: str
    target: str
    conditions: list[Tested]
    rules: list[Tested]
    fields: list[Origin]
    made: list[dict[str, Any]]


def trace(
    mapping: Mapping,
    record: pa.Table,
    lines: pa.Table | None,
    around: Surroundings,
    children: MappingType[str, pa.Table] = MappingProxyType({}),
) -> Trace:
    """Trace one record.

    :param record: one row, as for :func:`.transform`.
    :param lines: the lines of this and perhaps other records, as for :func:`.transform`.
    :param children: as for :func:`.transform`, also of other records.
    """
    rules = list(_rules(mapping, record))
    fields = [
        *_header(mapping, record, around, rules),
        *_lines(mapping, record, lines, around, rules),
        *_parts(mapping, record, children, around, rules),
    ]
    made = readable(transform(mapping, record, lines, around, children)).get(record["Id"][0].as_py(), [])
    return Trace(mapping.name, mapping.to, list(_conditions(mapping, record)), rules, fields, made)


def _holds(condition: Any, record: pa.Table) -> bool:
    frame = record.select(sorted(condition.paths)).to_pandas(types_mapper=pd.ArrowDtype)
    return bool(condition.holds(frame).iloc[0]) if condition.paths else True


def _conditions(mapping: Mapping, record: pa.Table) -> Iterator[Tested]:
    for number, condition in enumerate(mapping.conditions):
        yield Tested(condition.text, mapping.place("when", number), _holds(condition, record))


def _rules(mapping: Mapping, record: pa.Table) -> Iterator[Tested]:
    for number, (rule, condition) in enumerate(zip(mapping.rules, mapping.caught_by, strict=True)):
        holds = condition is None or _holds(condition, record)
        yield Tested(rule.label, mapping.place("rules", number), holds, rule.when)


def _header(mapping: Mapping, record: pa.Table, around: Surroundings, rules: list[Tested]) -> Iterator[Origin]:
    target = KINDS[mapping.to].fields
    specs = {name: (spec, mapping.place("fields", name)) for name, spec in mapping.fields.items()}
    specs |= {name: each for name, each in _set(mapping, rules).items() if not name.startswith(LINES)}
    for name, (spec, place) in specs.items():
        yield _origin(name, spec, target[name], place, record, around)


def _set(mapping: Mapping, rules: list[Tested]) -> dict[str, tuple[Field, str]]:
    """Give what rules set in the record, and where they say so; of several rules the last counts."""
    found: dict[str, tuple[Field, str]] = {}
    for rule, tested in zip(mapping.rules, rules, strict=True):
        found |= {name: (spec, tested.place) for name, spec in (rule.set or {}).items() if tested.holds}
    return found


def _lines(
    mapping: Mapping, record: pa.Table, lines: pa.Table | None, around: Surroundings, rules: list[Tested]
) -> Iterator[Origin]:
    own = own_lines(mapping, record, lines)[0] if mapping.lines and lines is not None else record.slice(0, 0)
    key, section, rows = "lines", mapping.lines, own
    if not own.num_rows:
        key, section, rows = "single_line", mapping.single_line, record
    ruled = {name.removeprefix(LINES): each for name, each in _set(mapping, rules).items() if name.startswith(LINES)}
    for row in range(min(rows.num_rows, MOST_LINES) if section else 0):
        line = rows.slice(row, 1)
        origins = {name: (spec, mapping.place(key, name), line) for name, spec in section.items()}
        origins |= {name: (spec, place, record) for name, (spec, place) in ruled.items()}  # rules read the deal
        for name, (spec, place, read) in origins.items():
            yield _origin(f"lines[{row + 1}].{name}", spec, INVOICE.lines[name], place, read, around)


def _parts(
    mapping: Mapping,
    record: pa.Table,
    children: MappingType[str, pa.Table],
    around: Surroundings,
    rules: list[Tested],
) -> Iterator[Origin]:
    """Trace what each child says of its invoice; the rest is as for the whole record."""
    for rule, tested in zip(mapping.rules, rules, strict=True):
        spec = rule.invoices
        if spec is None or not tested.holds or (own := children.get(spec.from_)) is None:
            continue
        own = own.filter(pc.equal(own["parent"], record["Id"][0])).sort_by("Id")
        for row, (key, path) in product(range(min(own.num_rows, MOST_LINES)), spec.paths().items()):
            label, target = f"parts[{row + 1}].{key}", TargetField(TYPES[key])
            yield _origin(label, Field(from_=path), target, tested.place, own.slice(row, 1), around)


def _origin(name: str, spec: Field, target: TargetField, place: str, row: pa.Table, around: Surroundings) -> Origin:
    cells = evaluate(spec, row, target.type, around)
    problem = cells.problems.get(0)
    amount = cells.amount(0) if target.type == "money" else None
    value = cells.values[0].as_py() if target.type != "money" else None if amount is None else format_exact(amount)
    sources = {path: _said(column(row, path)) for path, _ in spec.paths()}
    return Origin(name, value, place, as_written(spec), sources, problem.cause if problem else None)


def _said(cells: pa.Array) -> str | None:
    value = cells[0].as_py()
    return None if value is None else words(value)


def as_written(spec: Field) -> str:
    """Write how a field gets its value as a mapping file says it, on one line."""
    given = spec.model_dump(by_alias=True, exclude_defaults=True)
    written = str(
        yaml.safe_dump(_plain(given), default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    )
    return written.removesuffix("\n").removesuffix("\n...")


def _plain(given: Any) -> Any:
    """Write a constant as in a file, where it stands alone."""
    if isinstance(given, dict):
        return given["value"] if given.keys() == {"value"} else {name: _plain(each) for name, each in given.items()}
    return given

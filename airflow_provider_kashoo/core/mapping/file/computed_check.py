"""Whether what a field computes, writes by a format or gets from a function fits its target; found before any run.

What only the mapping says is checked when it is loaded; what depends on the types of fields, when they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, FieldType
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.expressions import ExpressionError
from airflow_provider_kashoo.core.mapping.values.operations import CHECKBOX, DATE, NOTHING, NUMBER, TEXT, Kind
from airflow_provider_kashoo.core.mapping.values.own_functions import NoFunction, Returns, function_of

_KINDS: Mapping[FieldType | None, tuple[Kind, ...]] = {
    "money": (NUMBER,),
    "number": (NUMBER,),
    "date": (DATE,),
    "text": (NUMBER, TEXT, DATE, CHECKBOX),
    "code": (NUMBER, TEXT),
}
"""Type of a field -> the kinds of values that it can get from an expression."""

_RETURNED: Mapping[FieldType | None, tuple[Returns, ...]] = {
    "money": ("money", "number"),
    "number": ("number",),
    "date": ("date",),
    "text": ("text", "code", "number", "money", "date"),
    "code": ("code", "text", "number"),
}
_NOUNS: Mapping[FieldType | None, str] = {
    "money": "an amount",
    "number": "a number",
    "date": "a date",
    "code": "a code",
}


Fault = tuple[str, str]
"""What is wrong, and what to do."""


def unfit_values(mapping: FieldMapping) -> Iterator[Mistake]:
    """List what a mapping alone shows to be wrong, each with its place, and what to do."""
    for where, _, spec, into in targets(mapping):
        for fault, fix in _unfit(spec, into):
            yield mapping.mistake(where, f"{where[-1]}: {fault}", fix)


def misfits(spec: Field, into: FieldType | None, kinds: Mapping[str, Kind]) -> Iterator[Fault]:
    """List what the types of the fields show to be wrong.

    :param into: the type of the target field; None if that is Salesforce's.
    :param kinds: path -> of what kind its values are; what reads another path is passed over.
    """
    found, calculation = None, spec.calculation
    if calculation and {*calculation.paths} <= kinds.keys():
        try:
            found = calculation.kind(kinds)
        except ExpressionError as error:
            yield str(error), "Use fields of the right type."
    for path, by in spec.formats:
        given = found if path is None else kinds.get(path)
        if given not in {None, NOTHING, by.kind}:
            yield f"the format {by.text!r} is for {by.kind}, and {path or spec.expr} is {given}", "Remove the format."
    as_it_is = spec.map is None and spec.format is None
    if found not in {None, NOTHING} and as_it_is and into in _KINDS and found not in _KINDS[into]:
        yield f"{spec.expr!r} gives {found}, and it takes {_NOUNS.get(into, 'a text')}", "Use fields of the right type."
    for part, kind in _parts(spec, into):
        yield from misfits(part, kind, kinds)


def targets(mapping: FieldMapping) -> Iterator[tuple[Where, bool, Field, FieldType | None]]:
    """List the values of a mapping: place, whether it is of a line's own record, how, and the type of its target."""
    for where, name, spec in mapping.sections():
        if not mapping.into_books:
            yield where, False, spec, None
            continue
        header = KINDS[mapping.to].fields
        in_lines = where[0] in {"lines", "single_line"} or name not in header
        if target := (INVOICE.lines if in_lines else header).get(name):  # an unknown one is said elsewhere
            yield where, where[0] == "lines", spec, target.type
    types: Mapping[str, FieldType] = {"sale": "text", "reduces": "text", "total": "money"}
    for name, into in types.items():
        if spec := getattr(mapping, name):
            yield (name,), False, spec, into


def _unfit(spec: Field, into: FieldType | None) -> Iterator[Fault]:
    if into == "link" and (spec.expr is not None or spec.call is not None or spec.format is not None):
        yield "a link cannot be computed", "Write {link: ..., mapping: ...}."
    elif spec.format is not None and into not in {"text", None}:
        yield f"a format gives a text, and it takes {_NOUNS.get(into, 'a code')}", "Remove format."
    if spec.call is not None and spec.returns is not None:
        if spec.map is None and into in _RETURNED and spec.returns not in _RETURNED[into]:
            yield f"{spec.call} returns {spec.returns}, and it takes {_NOUNS.get(into, 'a text')}", "Change returns."
        try:
            function_of(spec.call, len(spec.inputs))
        except NoFunction as error:
            yield error.what, error.fix
    for part, kind in _parts(spec, into):
        yield from _unfit(part, kind)


def _parts(spec: Field, into: FieldType | None) -> Iterator[tuple[Field, FieldType | None]]:
    """List the fields within a field, each with the type of what it is for."""
    if spec.default is not None:
        yield spec.default, into
    if spec.add_days is not None:
        yield spec.add_days, "number"

"""Values that their fields never take, or not always: source types, the keys of maps, currencies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, FieldType
from airflow_provider_kashoo.core.mapping.file.constants import CURRENCY
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import LINES
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.convert import convert
from airflow_provider_kashoo.core.mapping.values.field_types import CHECKBOX, DATES, IDS, NUMBERS, PICKLISTS, FieldInfo
from airflow_provider_kashoo.core.values.currencies import ISO_CODES, OTHER_DECIMALS
from airflow_provider_kashoo.sync.check.sides import Sides, fields_of, listed, near, nested

CLOSE = 0.8
"""How like a key of a map is to a value of its picklist, of 1, if that is what was meant."""

MANY = frozenset({"address", "location", "complexvalue", "base64"})
"""Salesforce's types of what is no single value (evidenced)."""

_IS_CODE = re.compile(r"[A-Z]{3}")
"""Anything else is refused when the file is read; see :mod:`~airflow_provider_kashoo.core.mapping.file.constants`."""

_OWN: dict[str, FieldType] = {"total": "money", "sale": "link", "reduces": "link"}

_OF_PART: dict[str, FieldType] = {"share": "number", "date": "date", "dueDate": "date"}

_WANTED: dict[FieldType, str] = {"date": "a date", "number": "a number", "money": "an amount", "link": "a record"}


def value_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List what does not fit the fields of a mapping into the books."""
    for where, name, spec, of_line in fields_of(mapping):
        kind = _kind(mapping, where, name)
        for place, part in nested(where, spec):
            yield from _source_mistakes(mapping, place, part, kind, sides, of_line=of_line)
            yield from _key_mistakes(mapping, place, part, sides, of_line=of_line)
            if name == CURRENCY:
                yield from _no_currency(mapping, place, part, sides)
            if part.add_days:
                days = part.add_days
                yield from _source_mistakes(mapping, (*place, "add_days"), days, "number", sides, of_line=of_line)


def part_mistakes(mapping: Mapping, sides: Sides) -> Iterator[Mistake]:
    """List what a rule reads of child records and is of another type: it would divide no deal."""
    for relationship, paths in mapping.part_paths().items():
        for path, (where, _) in paths.items():
            kind = _OF_PART.get(str(where[-1]))
            info = sides.of_child(mapping, relationship, path) if kind else None
            if info and kind and _verdict(info, kind):
                fault = f"{where[-1]} takes {_WANTED[kind]}, and {path} of {relationship} is {_noun(info)}"
                yield mapping.mistake(where, fault, "Name another field.")


def _no_currency(mapping: Mapping, where: Where, spec: Field, sides: Sides) -> Iterator[Mistake]:
    """List the constants that are neither a code of ISO 4217 nor a currency of the org."""
    info = sides.source(mapping, "CurrencyIsoCode")
    known = {*ISO_CODES, *(info.values if info else ()), *(info.inactive if info else ())}
    constants: list[tuple[Where, object]] = [((), spec.value)]
    constants += [(("map", key), value) for key, value in (spec.map or {}).items()]
    for inner, constant in constants:
        if isinstance(constant, str) and _IS_CODE.fullmatch(constant) and constant not in known:
            fix = near(constant, info.values) if info and info.values else "Write a code such as USD."
            yield mapping.mistake((*where, *inner), f"{constant!r} is no currency of ISO 4217", fix)
        elif constant in OTHER_DECIMALS and sides.codes and constant not in sides.codes.counted:
            fault = f"{constant} does not have two decimals, and how Kashoo handles it is not known"
            yield mapping.mistake((*where, *inner), fault, "Write another code, or list it in iso_minor_units.")


def _kind(mapping: Mapping, where: Where, name: str) -> FieldType:
    """Say what a field takes; a text takes everything."""
    if len(where) == 1:
        return _OWN.get(name, "text")
    kind = KINDS[mapping.to]
    of_lines = where[0] in {"lines", "single_line"} or "add_line" in where or str(where[-1]).startswith(LINES)
    target = (INVOICE.lines if of_lines else kind.fields).get(name)
    return target.type if target else "text"


def _source_mistakes(
    mapping: Mapping, where: Where, spec: Field, kind: FieldType, sides: Sides, *, of_line: bool
) -> Iterator[Mistake]:
    """Compare the type of a source field with that of the field it fills."""
    path = spec.link or spec.from_
    info = sides.source(mapping, path, of_line=of_line) if path else None
    if info is None or path is None:
        return
    if info.type in MANY:
        fault = f"{path} is of Salesforce's type {info.type}, which is no single value"
        yield mapping.mistake(where, fault, "Name a part of it, such as BillingCity of BillingAddress.")
        return
    verdict = None if spec.map is not None else _verdict(info, kind)
    if verdict is None:
        return
    what = f"{path} is {_noun(info)}, and {where[-1]} takes {_WANTED[kind]}"
    if verdict == "sometimes":
        yield mapping.mistake(
            where, f"{what}; a record whose value is none is parked", "Map another field, if that may happen."
        ).warning
    else:
        yield mapping.mistake(where, what, f"Map it to {_WANTED[kind]}.")


def _verdict(info: FieldInfo, kind: FieldType) -> str | None:
    """Say whether values of a field fit another: None if all do, otherwise ``sometimes`` or ``never``."""
    if kind not in _WANTED:
        return None
    fits = {"date": DATES, "number": NUMBERS, "money": NUMBERS, "link": IDS}[kind]
    if info.type in fits:
        return None
    if info.type in NUMBERS | DATES | {CHECKBOX}:
        return "never"
    if kind == "link" and info.type in IDS:
        return None
    if info.type in PICKLISTS and info.values:
        unfit = [each for each in info.values if kind == "link" or isinstance(convert(each, kind, "UTC"), Problem)]
        if not unfit:
            return None
        return "never" if info.restricted and len(unfit) == len(info.values) else "sometimes"
    if info.type in IDS:
        return "never"
    return "sometimes"


def _noun(info: FieldInfo) -> str:
    nouns = {
        **dict.fromkeys(NUMBERS, "a number"),
        CHECKBOX: "a checkbox",
        "date": "a date",
        "datetime": "a date with a time",
    }
    nouns |= {**dict.fromkeys(PICKLISTS, "a picklist"), **dict.fromkeys(IDS, "the id of a record")}
    return nouns.get(info.type, "a text")


def _key_mistakes(mapping: Mapping, where: Where, spec: Field, sides: Sides, *, of_line: bool) -> Iterator[Mistake]:
    """Compare the keys of a map with what its source field may hold."""
    info = sides.source(mapping, spec.from_, of_line=of_line) if spec.from_ and spec.map is not None else None
    if info is None:
        return
    if info.type == CHECKBOX:
        values: tuple[str, ...] = ("true", "false")
    elif info.type in PICKLISTS and info.values:
        values = info.values
    else:
        return
    known = {*values, *info.inactive}
    closed = info.restricted or info.type == CHECKBOX
    for key in spec.map or {}:
        if any(part not in known for part in key.split(";")) and (closed or _meant(key, values)):
            fault = f"the {'checkbox' if info.type == CHECKBOX else 'picklist'} {spec.from_} has no {key!r}"
            yield mapping.mistake((*where, "map", key), fault, near(key, values))
    if spec.default is None and (lacking := [each for each in values if each not in (spec.map or {})]):
        fault = f"the map lacks {listed(lacking)} of {spec.from_}, and has no default; records with them are parked"
        yield mapping.mistake((*where, "map"), fault, "Add them, or a default.").warning


def _meant(key: str, values: tuple[str, ...]) -> bool:
    lower = {each.lower() for each in values}
    return key.lower() in lower or bool(difflib.get_close_matches(key.lower(), lower, n=1, cutoff=CLOSE))

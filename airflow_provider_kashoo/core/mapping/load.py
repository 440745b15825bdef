"""Read a mapping file, and check it by itself and with the others: every error names its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingType

from pydantic import ValidationError

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, LINKED_KINDS, PARENTS, SETTLEMENT_SOURCE, TargetField
from airflow_provider_kashoo.core.mapping.expressions import Condition, ExpressionError
from airflow_provider_kashoo.core.mapping.field import Field
from airflow_provider_kashoo.core.mapping.model import Mapping, Source
from airflow_provider_kashoo.core.mapping.policies import owned_fields
from airflow_provider_kashoo.core.mapping.rule import LINE_FIELDS, LINES
from airflow_provider_kashoo.core.mapping.yaml_file import Where, YamlMistake, read_yaml
from airflow_provider_kashoo.core.values.texts import nearest


def load_mapping(text: str, file: str) -> Mapping:
    """Read and check one mapping.

    :param text: YAML.
    :param file: name used in messages.
    :raises ConfigurationError: naming file, line and what to write instead.
    """
    try:
        data, lines = read_yaml(text)
    except YamlMistake as mistake:
        raise _wrong(f"{file}:{mistake.line}", mistake.what, mistake.fix) from None
    try:
        mapping = Mapping.model_validate(data)
    except ValidationError as error:
        raise _wrong(*_explain(error, file, lines)) from None
    mapping._file, mapping._lines = file, lines  # noqa: SLF001  not keys of the file
    mapping.conditions.extend(_condition(mapping, ("when", place), each) for place, each in enumerate(mapping.when))
    mapping.caught_by.extend(
        None if rule.when is None else _condition(mapping, ("rules", place, "when"), rule.when)
        for place, rule in enumerate(mapping.rules)
    )
    _check_fields(mapping)
    return mapping


def _condition(mapping: Mapping, where: Where, text: str) -> Condition:
    try:
        return Condition(text)
    except ExpressionError as error:
        raise _wrong(mapping.place(*where), str(error), "See docs/reference/mapping.md.") from None


def assemble(loaded: Iterable[Mapping]) -> dict[str, Mapping]:
    """Check that mappings fit together: names are unique, and links point to existing mappings.

    :returns: mapping name -> mapping, in the order given.
    :raises ConfigurationError: naming file and line.
    """
    mappings: dict[str, Mapping] = {}
    for mapping in loaded:
        if mapping.name in mappings:
            first = mappings[mapping.name].place("name")
            raise _wrong(mapping.place("name"), f"a second mapping named {mapping.name}, after {first}", "Rename one.")
        mappings[mapping.name] = mapping
    writers: dict[str, str] = {}
    billed = sorted({mapping.from_.object for mapping in mappings.values() if mapping.bills})
    for mapping in mappings.values():
        if billed and not mapping.into_books and mapping.to not in billed:
            fault = f"no mapping makes invoices from {mapping.to}, so there is nothing to write back to it"
            raise _wrong(mapping.place("to"), fault, nearest(mapping.to, billed))
        if not mapping.into_books and (other := writers.setdefault(mapping.to, mapping.name)) != mapping.name:
            fault = f"{other} also writes back to {mapping.to}, and each would overwrite the other"
            raise _wrong(mapping.place("to"), fault, "Put their fields into one mapping.")
        for where, field in mapping.placed_links():
            if field.mapping not in mappings:
                near = nearest(str(field.mapping), mappings)
                raise _wrong(mapping.place(*where), f"links to the unknown mapping {field.mapping!r}", near)
            made = mappings[str(field.mapping)].to
            if made != (wanted := LINKED_KINDS[str(where[-1]).removeprefix(LINES)]):
                fault = f"{where[-1]} links to {field.mapping!r}, which makes a {made}, not a {wanted}"
                raise _wrong(mapping.place(*where), fault, f"Name a mapping to {wanted}.")
    return mappings


def _check_fields(mapping: Mapping) -> None:
    has = dict.fromkeys(("on_leave", "reduces", "follow", "after_payment", "rules"), mapping.bills)
    has |= {"owners": mapping.into_books, "on_duplicate": mapping.to in PARENTS}
    for key, fits in has.items():
        if key in mapping.model_fields_set and not fits:
            raise _wrong(mapping.place(key), f"a mapping to {mapping.to} has no {key}", "Remove it.")
    if not mapping.into_books:
        _check_write_back(mapping)
        return
    _check_section(mapping, "fields", KINDS[mapping.to].fields)
    for name in mapping.owners:
        if name not in (known := owned_fields(mapping.to)):
            raise _wrong(mapping.place("owners", name), f"{mapping.to} has no field {name!r}", nearest(name, known))
    if mapping.bills:
        if not (mapping.lines or mapping.single_line):
            raise _wrong(mapping.place(), "an invoice needs lines or single_line", "Add one of the two.")
        for section in ("lines", "single_line"):
            if getattr(mapping, section):
                _check_section(mapping, section, KINDS[mapping.to].lines)
        _check_following(mapping)
        _check_rules(mapping)


def _check_rules(mapping: Mapping) -> None:
    known = {**INVOICE.fields, **LINE_FIELDS}
    for number, rule in enumerate(mapping.rules):
        for where, field in rule.fields():
            name = f"{LINES}{where[1]}" if where[0] == "add_line" else where[1]
            _check_field(mapping, ("rules", number, *where), name, field, known)


def _check_following(mapping: Mapping) -> None:
    others = [path for path in {**mapping.header_paths(), **mapping.line_paths()} if "." in path]
    for number, path in enumerate(mapping.follow):
        if path not in others:
            fault = f"the mapping reads no {path!r} of another record"
            raise _wrong(mapping.place("follow", number), fault, nearest(path, others))
    texts = [name for name in KINDS[mapping.to].texts if name in mapping.fields]
    for number, name in enumerate(mapping.after_payment):
        if name not in texts:
            fault = f"{name!r} is not a text of the invoice that the mapping fills"
            raise _wrong(mapping.place("after_payment", number), fault, nearest(name, texts))


def _check_write_back(mapping: Mapping) -> None:
    if mapping.from_.object != INVOICE.name:
        known = f"to must be one of {', '.join(KINDS)}, or from.object must be invoice"
        raise _wrong(mapping.place("to"), known, nearest(mapping.to, KINDS))
    if mapping.when:
        raise _wrong(mapping.place("when"), "a write-back has no when", "Remove it; every invoice is written back.")
    for where, _ in mapping.placed_links():
        raise _wrong(mapping.place(*where), f"{where[-1]!r} cannot be a link", "A write-back reads the invoice only.")
    for path, (where, _) in mapping.header_paths().items():
        if path not in SETTLEMENT_SOURCE:
            raise _wrong(mapping.place(*where), f"an invoice has no {path!r}", nearest(path, SETTLEMENT_SOURCE))


def _check_section(mapping: Mapping, section: str, known: MappingType[str, TargetField]) -> None:
    given = getattr(mapping, section)
    for name, field in given.items():
        _check_field(mapping, (section, name), name, field, known)
    for name, target in known.items():
        if target.required and name not in given:
            raise _wrong(mapping.place(section), f"{section} lacks the required {name!r}", "Add it to the mapping.")


def _check_field(mapping: Mapping, where: Where, name: str, field: Field, known: MappingType[str, TargetField]) -> None:
    place = mapping.place(*where)
    if name not in known:
        raise _wrong(place, f"{mapping.to} has no field {name!r}", nearest(name, known))
    if (known[name].type == "link") != (field.link is not None):
        rule = "must be a link" if field.link is None else "cannot be a link"
        raise _wrong(place, f"{name!r} {rule}", "Links are written {link: ..., mapping: ...}.")


def _wrong(place: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{place}: {what}.", remedy=remedy)


def _explain(error: ValidationError, file: str, lines: dict[Where, int]) -> tuple[str, str, str]:
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # misspelt keys are missing, too
    where: Where = tuple(first["loc"])
    found = where
    while found and found not in lines:
        found = found[:-1]
    place = f"{file}:{lines.get(found, 1)}"
    name = ".".join(str(part) for part in where) or "the file"
    if first["type"] == "extra_forbidden":
        model = Source if where[0] == "from" else Field if len(where) > 2 else Mapping
        known = [option.alias or key for key, option in model.model_fields.items()]
        return place, f"unknown key {where[-1]!r}", nearest(str(where[-1]), known)
    if first["type"] == "enum":
        known = re.findall(r"'(\w+)'", first["ctx"]["expected"])
        given = str(first["input"])
        return place, f"{name} is {given!r}, and takes {', '.join(known)}", nearest(given, known)
    return place, f"{name}: {first['msg'].removeprefix('Value error, ')}", "See docs/reference/mapping.md."

"""Read a mapping file, and check it by itself and with the others: every error names its file and line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass

from airflow_provider_kashoo.core.kinds import (
    INVOICE,
    KINDS,
    LINKED_KINDS,
    MAPPED,
    PARENTS,
    PAYMENT,
    TOLD,
    TargetField,
)
from airflow_provider_kashoo.core.mapping.file.draft import DOCS, Draft
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes, Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.policies import owned_fields
from airflow_provider_kashoo.core.mapping.file.rule import LINE_FIELDS, LINES
from airflow_provider_kashoo.core.mapping.file.told import mistakes_between_told, mistakes_in_told
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.expressions import Condition, ExpressionError
from airflow_provider_kashoo.core.values.texts import close_to, nearest


@dataclass(frozen=True)
class Reading:
    """What was understood of a mapping file.

    :param mapping: without its faulty parts; None if hardly anything is understood.
    :param words: what may be its name, if that is not understood.
    """

    file: str
    mapping: Mapping | None
    mistakes: list[Mistake]
    words: frozenset[str] = frozenset()


def load_mapping(text: str, file: str) -> Mapping:
    """Read and check one mapping.

    :param text: YAML.
    :param file: name used in messages.
    :raises MappingMistakes: naming file, line, column and what to write instead; all of them.
    """
    reading = read_mapping(text, file)
    if reading.mistakes or reading.mapping is None:
        raise MappingMistakes(reading.mistakes)
    return reading.mapping


def read_mapping(text: str, file: str) -> Reading:
    """Read one mapping as far as it is understood, and list its mistakes."""
    draft = Draft(text, file)
    mapping = draft.mapping()
    if mapping is not None:
        mapping = _with_conditions(draft, mapping)
    if mapping is not None:
        draft.mistakes += _mistakes_in(mapping, draft.gone)
    is_named = mapping is not None and mapping.name
    words = [] if is_named else re.findall(r"^\w+: *([^\s#]+)", text, re.MULTILINE)
    return Reading(file, mapping, draft.mistakes, frozenset(words))


def _with_conditions(draft: Draft, mapping: Mapping) -> Mapping | None:
    """Parse the conditions; the mapping is given without those that cannot be."""
    wrong: list[Where] = []
    when, caught_by = list[Condition](), list[Condition | None]()
    for number, text in enumerate(mapping.when):
        try:
            when.append(Condition(text))
        except ExpressionError as error:
            wrong.append(("when", number))
            draft.mistakes.append(_not_a_condition(mapping, ("when", number), error))
    for number, rule in enumerate(mapping.rules):
        try:
            caught_by.append(None if rule.when is None else Condition(rule.when))
        except ExpressionError as error:
            wrong.append(("rules", number))
            draft.mistakes.append(_not_a_condition(mapping, ("rules", number, "when"), error))
    for where in reversed(wrong):
        draft.leave_out(where)
    found = draft.mapping() if wrong else mapping
    if found is not None:
        found.conditions.extend(when)
        found.caught_by.extend(caught_by)
    return found


def _not_a_condition(mapping: Mapping, where: Where, error: ExpressionError) -> Mistake:
    return mapping.mistake(where, str(error), DOCS, offset=getattr(error, "offset", 0))


def understood(readings: Iterable[Reading]) -> dict[str, Mapping]:
    """Give the mappings by their names, as far as they are understood."""
    found: dict[str, Mapping] = {}
    for each in readings:
        if each.mapping:
            found.setdefault(each.mapping.name, each.mapping)
    return found


def mistakes_together(readings: Iterable[Reading]) -> Iterator[Mistake]:
    """List in what mappings do not fit together; what a file may say that is not understood is given the benefit."""
    readings = list(readings)
    mappings = [each.mapping for each in readings if each.mapping is not None]
    unsure = frozenset[str]().union(*(each.words for each in readings))
    named: dict[str, Mapping] = {}
    for mapping in mappings:
        first = named.setdefault(mapping.name, mapping)
        if first is not mapping and mapping.name:
            fault = f"a second mapping named {mapping.name}, after {first.place('name')}"
            yield mapping.mistake(("name",), fault, "Rename one.")
    billed = {mapping.from_.object for mapping in mappings if mapping.bills}
    yield from mistakes_between_told(mappings, billed, whole=len(mappings) == len(readings))
    for mapping in mappings:
        for where, spec in mapping.placed_links():
            yield from _link_mistakes(mapping, where, spec, named, unsure)


def _link_mistakes(
    mapping: Mapping, where: Where, spec: Field, named: MappingType[str, Mapping], unsure: frozenset[str]
) -> Iterator[Mistake]:
    name, wanted = str(spec.mapping), LINKED_KINDS.get(str(where[-1]).removeprefix(LINES))
    if name not in named and name not in unsure:
        yield mapping.mistake(where, f"links to the unknown mapping {name!r}", nearest(name, filter(None, named)))
    elif name in named and wanted and (made := named[name].to) != wanted and made in KINDS:
        fault = f"{where[-1]} links to {name!r}, which makes a {made}, not a {wanted}"
        yield mapping.mistake(where, fault, f"Name a mapping to {wanted}.")


def _mistakes_in(mapping: Mapping, gone: Collection[Where]) -> Iterator[Mistake]:
    """List what is wrong with a mapping by itself.

    :param gone: parts that were left out, because they are faulty.
    """
    if not mapping.into_books and mapping.from_.object not in TOLD:
        known = f"to must be one of {', '.join(MAPPED)}, or from.object must be invoice"
        yield mapping.mistake(("to",), known, nearest(mapping.to, MAPPED))
        return
    yield from _in_policies(mapping)
    if not mapping.into_books:
        yield from mistakes_in_told(mapping)
        return
    yield from _in_section(mapping, "fields", KINDS[mapping.to].fields, gone)
    if mapping.bills:
        if not (mapping.lines or mapping.single_line or {"lines", "single_line"} & {each[0] for each in gone}):
            yield mapping.mistake((), "an invoice needs lines or single_line", "Add one of the two.")
        for section in ("lines", "single_line"):
            if getattr(mapping, section):
                yield from _in_section(mapping, section, KINDS[mapping.to].lines, gone)
        yield from _in_following(mapping)
        yield from _in_rules(mapping)


def _in_policies(mapping: Mapping) -> Iterator[Mistake]:
    has = dict.fromkeys(("on_leave", "rounding", "reduces", "follow", "after_payment", "rules"), mapping.bills)
    has |= dict.fromkeys(("match", "find", "leave", "comment", "auto_assign", "attach_pdf"), not mapping.into_books)
    has |= {"owners": mapping.into_books, "on_duplicate": mapping.to in PARENTS}
    for key, fits in has.items():
        if key in mapping.model_fields_set and not fits:
            yield mapping.mistake((key,), f"a mapping to {mapping.to} has no {key}", "Remove it.")
    known = owned_fields(mapping.to) if mapping.into_books else ()
    for name in mapping.owners if known else ():
        if name not in known:
            yield mapping.mistake(("owners", name), f"{mapping.to} has no field {name!r}", nearest(name, known))


def _in_rules(mapping: Mapping) -> Iterator[Mistake]:
    of_invoice = {**INVOICE.fields, **LINE_FIELDS}
    for number, rule in enumerate(mapping.rules):
        for where, spec in rule.fields():
            name = f"{LINES}{where[1]}" if where[0] == "add_line" else where[1]
            known = PAYMENT.fields if where[0] == "mark_paid" else of_invoice
            yield from _in_field(mapping, ("rules", number, *where), name, spec, known)


def _in_following(mapping: Mapping) -> Iterator[Mistake]:
    others = [path for path in {**mapping.header_paths(), **mapping.line_paths()} if "." in path]
    for number, path in enumerate(mapping.follow):
        if path not in others:
            fault = f"the mapping reads no {path!r} of another record"
            yield mapping.mistake(("follow", number), fault, nearest(path, others))
    texts = [name for name in KINDS[mapping.to].texts if name in mapping.fields]
    for number, name in enumerate(mapping.after_payment):
        if name not in texts:
            fault = f"{name!r} is not a text of the invoice that the mapping fills"
            yield mapping.mistake(("after_payment", number), fault, nearest(name, texts))


def _in_section(
    mapping: Mapping, section: str, known: MappingType[str, TargetField], gone: Collection[Where]
) -> Iterator[Mistake]:
    given = getattr(mapping, section)
    for name, spec in given.items():
        yield from _in_field(mapping, (section, name), name, spec, known)
    if (section,) in gone:
        return
    there = {*given, *(close_to(name, known) for name in given if name not in known)}
    for name, target in known.items():
        if target.required and name not in there and (section, name) not in gone:
            yield mapping.mistake((section,), f"{section} lacks the required {name!r}", "Add it to the mapping.")


def _in_field(
    mapping: Mapping, where: Where, name: str, spec: Field, known: MappingType[str, TargetField]
) -> Iterator[Mistake]:
    if name not in known:
        fault = f"{mapping.to} has no field {name!r}"
        if name[:1].isupper() and not close_to(name, known):
            fault += ", which looks like one of Salesforce; keys are fields of Kashoo"
        yield mapping.mistake(where, fault, nearest(name, known))
    elif (known[name].type == "link") != (spec.link is not None):
        rule = "must be a link" if spec.link is None else "cannot be a link"
        yield mapping.mistake(where, f"{name!r} {rule}", "Links are written {link: ..., mapping: ...}.")

"""Objects, child relationships and fields that mappings name, and Salesforce does not have."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from difflib import get_close_matches

from airflow_provider_kashoo.clients.describe import STANDARD_PREFIXES, Describer
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.order import parse
from airflow_provider_kashoo.core.values.texts import close_to
from airflow_provider_kashoo.sync.check.sides import near
from airflow_provider_kashoo.sync.read.columns import column_type

ALWAYS_OPTIONAL = frozenset({"CurrencyIsoCode"})
"""Exists only in orgs with multi-currency (evidenced)."""

_MISSPELT = 0.85
"""How alike an optional name is to one that is there, to be taken for a misspelt one: a letter or two differ."""

Paths = MappingType[str, tuple[Where, bool]]
"""Path -> its place, and whether it is optional."""


def path_mistakes(mapping: Mapping, salesforce: Describer) -> Iterator[Mistake]:
    """List what a mapping into the books reads and Salesforce does not have."""
    sobject = mapping.from_.object
    try:
        described = salesforce.describe(sobject)
    except ConfigurationError as error:
        meant = close_to(sobject, STANDARD_PREFIXES.values())
        fix = f"Did you mean {meant!r}?" if meant and meant != sobject else error.remedy
        yield mapping.mistake(("from", "object"), error.what.rstrip("."), fix)
        return
    if "SystemModstamp" not in described.fields:
        fault = f"{sobject} has no SystemModstamp, so its changes cannot be found"
        yield mapping.mistake(("from", "object"), fault, "Map an object that has this field.")
    own, picked = parted(mapping)
    misspelt = {close_to(name, described.children) for name in mapping.from_.pick if name not in described.children}
    own = {path: place for path, place in own.items() if path.partition(".")[0] not in misspelt}
    yield from _unknown(mapping, sobject, own, salesforce)
    children: dict[Where, tuple[str | None, Paths]] = {("from", "lines"): (mapping.from_.lines, mapping.line_paths())}
    for relationship, order in mapping.from_.pick.items():
        where: Where = ("from", "pick", relationship)
        sorted_by = {term.path: (where, False) for term in parse(order)}
        children[where] = (relationship, sorted_by | picked.get(relationship, {}))
    for relationship, of_part in mapping.part_paths().items():
        children[*next(iter(of_part.values()))[0][:-1], "from"] = (relationship, of_part)
    for where, (name, paths) in children.items():
        if name and name not in described.children:
            fault = f"{sobject} has no child relationship {name!r}"
            yield mapping.mistake(where, fault, near(name, described.children))
        elif name:
            yield from _unknown(mapping, described.children[name][0], paths, salesforce)


def parted(mapping: Mapping) -> tuple[dict[str, tuple[Where, bool]], dict[str, dict[str, tuple[Where, bool]]]]:
    """Part the paths of the record itself from those of its picked children."""
    own: dict[str, tuple[Where, bool]] = {}
    picked: dict[str, dict[str, tuple[Where, bool]]] = {}
    for path, place in mapping.header_paths().items():
        first, _, rest = path.partition(".")
        if first in mapping.from_.pick:
            picked.setdefault(first, {})[rest] = place
        else:
            own[path] = place
    return own, picked


def _unknown(mapping: Mapping, sobject: str, paths: Paths, salesforce: Describer) -> Iterator[Mistake]:
    for path, (where, optional) in paths.items():
        try:
            known = column_type(salesforce, sobject, path) is not None
        except ConfigurationError as error:  # the object that a relationship leads to
            yield mapping.mistake(where, f"{path}: {error.what.rstrip('.')}", error.remedy)
            continue
        if known or path.rsplit(".", 1)[-1] in ALWAYS_OPTIONAL:
            continue
        if not optional:
            yield mapping.mistake(where, *_no_field(mapping, sobject, path, salesforce))
        elif meant := get_close_matches(*_lost(sobject, path, salesforce), n=1, cutoff=_MISSPELT):
            fault = f"{sobject} has no field {path!r}, or the user may not see it, so it counts as empty"
            yield mapping.mistake(where, fault, f"Did you mean {meant[0]!r}?").warning


def _no_field(mapping: Mapping, sobject: str, path: str, salesforce: Describer) -> tuple[str, str]:
    """Say that a field is missing, and what is near."""
    kind = KINDS[mapping.to]
    step, names = _lost(sobject, path, salesforce)
    fault = f"{sobject} has no field {path!r}, or the user may not see it"
    if path in {**kind.fields, **kind.lines} and path.lower() not in map(str.lower, names):
        fault = f"{path!r} is a field of the {kind.name} in Kashoo, and {sobject} in Salesforce has none of that name"
    elif (relationship := path.partition(".")[0]) in salesforce.describe(sobject).children:
        fault = f"{relationship} are child records of {sobject}, and {path!r} does not say of which one"
        return fault, f"Add pick: {{{relationship}: CreatedDate}} to from."
    return fault, f"{near(step, names)} Or mark it optional: true."


def _lost(sobject: str, path: str, salesforce: Describer) -> tuple[str, list[str]]:
    """Give the step in which a path goes wrong, and what it could be."""
    *relations, last = path.split(".")
    for relation in relations:
        fields = salesforce.describe(sobject).fields.values()
        step = next((each for each in fields if each.relationship == relation and each.reference_to), None)
        if step is None:
            return relation, [each.relationship for each in fields if each.relationship]
        sobject = step.reference_to[0]
    return last, list(salesforce.describe(sobject).fields)

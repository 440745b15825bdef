"""What the mappings read of an object: paths and their types, checked against describe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes
from airflow_provider_kashoo.sync.check.paths import parted, path_mistakes
from airflow_provider_kashoo.sync.read.columns import STAMP, column_type
from airflow_provider_kashoo.sync.run.sync import Sync

Types = dict[str, pa.DataType]
"""Path -> type of its column."""

PARTS = "parts"
"""How what is staged of children begins that make invoices, before their relationship."""


class Children(NamedTuple):
    """Records that belong to one of another object.

    :param key: the field that holds the id of the record they belong to.
    :param order: by which they are sorted; the first one is picked.
    """

    sobject: str
    key: str
    types: Types
    order: str = "Id"


@dataclass
class Shape:
    """What the mappings read of one object.

    :param records: of the object itself.
    :param lines: None when no mapping reads lines.
    :param picks: child relationship -> the children of which one is picked.
    :param parts: child relationship -> the children of which each makes an invoice of its own.
    :param sales: relationships to the record that is the sale: if that one is lost, this one is to be billed.
    """

    records: Types = field(default_factory=lambda: {"Id": pa.string(), "SystemModstamp": STAMP})
    lines: Children | None = None
    picks: dict[str, Children] = field(default_factory=dict)
    parts: dict[str, Children] = field(default_factory=dict)
    sales: set[str] = field(default_factory=set)

    @property
    def types(self) -> Types:
        """The columns of a record, picked children included."""
        return self.records | {
            f"{name}.{path}": kind for name, pick in self.picks.items() for path, kind in pick.types.items()
        }

    @property
    def children(self) -> list[Children]:
        """All child records whose changes make a record of this object dirty."""
        return [*self.read_with.values(), *self.picks.values()]

    @property
    def read_with(self) -> dict[str, Children]:
        """What is staged beside the records, each with the id of its parent, by the name of what is staged."""
        lines = {"lines": self.lines} if self.lines else {}
        return lines | {f"{PARTS}.{relationship}": children for relationship, children in self.parts.items()}


def references(paths: Iterable[str]) -> list[str]:
    """List the relationships that paths run through, such as ``Account`` and ``Account.Owner``."""
    found: set[str] = set()
    for path in paths:
        steps = path.split(".")[:-1]
        found.update(".".join(steps[: count + 1]) for count in range(len(steps)))
    return sorted(found)


def shape_of(sync: Sync, sobject: str) -> Shape:
    """Collect what all mappings read of an object.

    :raises MappingMistakes: for what they read and Salesforce does not have.
    """
    client, shape = sync.salesforce, Shape()
    mappings = sync.mappings_from(sobject)
    if mistakes := [mistake for mapping in mappings for mistake in path_mistakes(mapping, client)]:
        raise MappingMistakes(mistakes)
    fields = client.describe(sobject).fields
    for mapping in mappings:
        own, picked = parted(mapping)
        shape.records |= _types(client, sobject, own)
        if mapping.from_.lines:
            child, key = client.describe(sobject).children[mapping.from_.lines]
            types = shape.lines.types if shape.lines else {"Id": pa.string(), key: pa.string()}
            shape.lines = Children(child, key, types | _types(client, child, mapping.line_paths()))
        for relationship, paths in mapping.part_paths().items():
            child, key = client.describe(sobject).children[relationship]
            known = shape.parts.get(relationship, Children(child, key, {"Id": pa.string(), key: pa.string()}))
            shape.parts[relationship] = known._replace(types=known.types | _types(client, child, paths))
        sale = fields.get(mapping.sale.from_ or "") if mapping.sale else None
        if sale and sale.relationship:
            shape.sales.add(sale.relationship)
        for relationship, order in mapping.from_.pick.items():
            child, key = client.describe(sobject).children[relationship]
            types = _types(client, child, picked.get(relationship, {}))
            shape.picks[relationship] = Children(child, key, types, order)
    return shape


def _types(client: SalesforceClient, sobject: str, paths: Iterable[str]) -> Types:
    """Type the paths that one mapping reads of one object; optional ones that this org does not have are left out."""
    found = {path: column_type(client, sobject, path) for path in paths}
    return {path: kind for path, kind in found.items() if kind is not None}

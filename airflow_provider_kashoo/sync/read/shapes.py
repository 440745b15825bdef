"""What the mappings read of an object: paths and their types, checked against describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.order import parse
from airflow_provider_kashoo.core.mapping.yaml_file import Where
from airflow_provider_kashoo.core.values.texts import nearest
from airflow_provider_kashoo.sync.read.columns import STAMP, column_type
from airflow_provider_kashoo.sync.run.sync import Sync

Types = dict[str, pa.DataType]
"""Path -> type of its column."""

ALWAYS_OPTIONAL = frozenset({"CurrencyIsoCode"})
"""Exists only in orgs with multi-currency (evidenced)."""


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
    :param sales: relationships to the record that is the sale: if that one is lost, this one is to be billed.
    """

    records: Types = field(default_factory=lambda: {"Id": pa.string(), "SystemModstamp": STAMP})
    lines: Children | None = None
    picks: dict[str, Children] = field(default_factory=dict)
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
        return [*([self.lines] if self.lines else []), *self.picks.values()]


def references(paths: Iterable[str]) -> list[str]:
    """List the relationships that paths run through, such as ``Account`` and ``Account.Owner``."""
    found: set[str] = set()
    for path in paths:
        steps = path.split(".")[:-1]
        found.update(".".join(steps[: count + 1]) for count in range(len(steps)))
    return sorted(found)


def shape_of(sync: Sync, sobject: str) -> Shape:
    """Collect what all mappings read of an object.

    :raises ConfigurationError: naming the mapping's file and line.
    """
    client, shape = sync.salesforce, Shape()
    fields = client.describe(sobject).fields
    for mapping in sync.mappings_from(sobject):
        if "SystemModstamp" not in fields:
            raise ConfigurationError(
                f"{mapping.place('from')}: {sobject} has no SystemModstamp, so its changes cannot be found.",
                remedy="Map an object that has this field.",
            )
        own, picked = _split(mapping)
        shape.records |= _types(client, sobject, mapping, own)
        if mapping.from_.lines:
            child, key = _child(client, sobject, mapping.from_.lines, mapping)
            types = shape.lines.types if shape.lines else {"Id": pa.string(), key: pa.string()}
            shape.lines = Children(child, key, types | _types(client, child, mapping, mapping.line_paths()))
        sale = fields.get(mapping.sale.from_ or "") if mapping.sale else None
        if sale and sale.relationship:
            shape.sales.add(sale.relationship)
        for relationship, order in mapping.from_.pick.items():
            child, key = _child(client, sobject, relationship, mapping)
            types = _types(client, child, mapping, picked.get(relationship, {}))
            _types(
                client, child, mapping, {term.path: (("from", "pick", relationship), False) for term in parse(order)}
            )
            shape.picks[relationship] = Children(child, key, types, order)
    return shape


def _split(mapping: FieldMapping) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    own: dict[str, Any] = {}
    picked: dict[str, dict[str, Any]] = {}
    for path, place in mapping.header_paths().items():
        first, _, rest = path.partition(".")
        if first in mapping.from_.pick:
            picked.setdefault(first, {})[rest] = place
        else:
            own[path] = place
    return own, picked


def _types(
    client: SalesforceClient, sobject: str, mapping: FieldMapping, paths: Mapping[str, tuple[Where, bool]]
) -> Types:
    """Type the paths that one mapping reads of one object; optional ones that this org does not have are left out."""
    found: Types = {}
    for path, (where, optional) in paths.items():
        kind = column_type(client, sobject, path)
        if kind is not None:
            found[path] = kind
        elif not optional and path.rsplit(".", 1)[-1] not in ALWAYS_OPTIONAL:
            raise ConfigurationError(
                f"{mapping.place(*where)}: {sobject} has no field {path!r}, or the user may not see it.",
                remedy=nearest(path, client.describe(sobject).fields) + " Or mark it optional: true.",
            )
    return found


def _child(client: SalesforceClient, sobject: str, relationship: str, mapping: FieldMapping) -> tuple[str, str]:
    """Give the object and the parent field behind a child relationship name."""
    children = client.describe(sobject).children
    if relationship not in children:
        raise ConfigurationError(
            f"{mapping.place('from')}: {sobject} has no child relationship {relationship!r}.",
            remedy=nearest(relationship, children),
        )
    return children[relationship]

"""The parts of an object's describe that the sync needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from airflow_provider_kashoo.core.mapping.field_types import FieldInfo

STANDARD_PREFIXES = {"001": "Account", "006": "Opportunity", "01t": "Product2", "801": "Order"}
"""Key prefix of a Salesforce id -> object (evidenced), known whether a mapping reads the object or not."""


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a describe.

    :param key_prefix: first three characters of every id (evidenced); None for an object that has none.
    :param replicateable: whether Salesforce can report up to when its changes are visible.
    :param children: child relationship name -> (object, field that points here).
    """

    name: str
    key_prefix: str | None
    replicateable: bool
    fields: Mapping[str, FieldInfo]
    children: Mapping[str, tuple[str, str]]


def object_info(raw: Mapping[str, Any]) -> ObjectInfo:
    """Extract from a describe what the sync needs."""
    return ObjectInfo(
        name=raw["name"],
        key_prefix=raw.get("keyPrefix"),
        replicateable=bool(raw.get("replicateable")),
        fields={row["name"]: _field_info(row) for row in raw["fields"]},
        children={
            row["relationshipName"]: (row["childSObject"], row["field"])
            for row in raw["childRelationships"]
            if row.get("relationshipName")
        },
    )


def _field_info(row: Mapping[str, Any]) -> FieldInfo:
    return FieldInfo(
        name=row["name"],
        type=row["type"],
        scale=int(row.get("scale") or 0),
        length=int(row.get("length") or 0),
        formula=bool(row.get("calculatedFormula") or (row.get("calculated") and "calculatedFormula" not in row)),
        updateable=bool(row.get("updateable")),
        reference_to=tuple(row.get("referenceTo") or ()),
        relationship=row.get("relationshipName"),
        precision=int(row.get("precision") or row.get("digits") or 0),
        values=tuple(each["value"] for each in row.get("picklistValues") or () if each.get("active")),
        restricted=bool(row.get("restrictedPicklist")),
        required=row.get("nillable") is False,
    )


def is_current(kept: Mapping[str, Any]) -> bool:
    """Say whether this version of the package wrote a describe."""
    names = {each.name for each in dataclass_fields(FieldInfo)}
    return "key_prefix" in kept and all(row.keys() == names for row in kept["fields"].values())


def to_json(info: ObjectInfo) -> dict[str, Any]:
    """Convert to JSON types; not by ``asdict``, which is slow for objects with hundreds of fields."""
    return vars(info) | {"fields": {name: vars(field) for name, field in info.fields.items()}}


def from_json(kept: Mapping[str, Any]) -> ObjectInfo:
    """Convert back from :func:`to_json`."""
    fields = {
        name: FieldInfo(**row | {each: tuple(row[each]) for each in ("reference_to", "values")})
        for name, row in kept["fields"].items()
    }
    children = {name: (child[0], child[1]) for name, child in kept["children"].items()}
    return ObjectInfo(kept["name"], kept["key_prefix"], kept["replicateable"], fields, children)

"""What describe says of an object, as far as the sync needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldInfo:
    """What describe says of one field.

    :param type: Salesforce's type name, such as ``currency`` or ``reference``.
    :param formula: computed when it is read, so that its changes move no stamp (evidenced).
    """

    name: str
    type: str
    scale: int
    length: int
    formula: bool
    updateable: bool
    reference_to: tuple[str, ...]
    relationship: str | None


@dataclass(frozen=True)
class ObjectInfo:
    """What describe says of one object.

    :param replicateable: whether Salesforce tells up to when its changes are visible.
    :param children: child relationship name -> (object, field that points here).
    """

    name: str
    replicateable: bool
    fields: Mapping[str, FieldInfo]
    children: Mapping[str, tuple[str, str]]


def object_info(raw: Mapping[str, Any]) -> ObjectInfo:
    """Keep of a describe what the sync needs."""
    return ObjectInfo(
        name=raw["name"],
        replicateable=bool(raw.get("replicateable")),
        fields={
            row["name"]: FieldInfo(
                name=row["name"],
                type=row["type"],
                scale=int(row.get("scale") or 0),
                length=int(row.get("length") or 0),
                formula=bool(
                    row.get("calculatedFormula") or (row.get("calculated") and "calculatedFormula" not in row)
                ),
                updateable=bool(row.get("updateable")),
                reference_to=tuple(row.get("referenceTo") or ()),
                relationship=row.get("relationshipName"),
            )
            for row in raw["fields"]
        },
        children={
            row["relationshipName"]: (row["childSObject"], row["field"])
            for row in raw["childRelationships"]
            if row.get("relationshipName")
        },
    )


def to_json(info: ObjectInfo) -> dict[str, Any]:
    """Make of one what JSON takes; not by ``asdict``, which copies the hundreds of fields of each object at length."""
    return vars(info) | {"fields": {name: vars(field) for name, field in info.fields.items()}}


def from_json(kept: Mapping[str, Any]) -> ObjectInfo:
    """Give back what :func:`to_json` made of one."""
    fields = {
        name: FieldInfo(**row | {"reference_to": tuple(row["reference_to"])}) for name, row in kept["fields"].items()
    }
    children = {name: (child[0], child[1]) for name, child in kept["children"].items()}
    return ObjectInfo(kept["name"], kept["replicateable"], fields, children)

"""The parts of an object's describe that the sync needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Protocol

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo

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


class Describer(Protocol):
    """Whatever knows an org's objects: Salesforce itself, or what was saved of it."""

    def describe(self, sobject: str) -> ObjectInfo:
        """Give an object's fields and child relationships.

        :raises ConfigurationError: when there is no such object.
        """


def written_fields(describer: Describer, sobject: str, names: Iterable[str]) -> dict[str, FieldInfo]:
    """Give the fields that a mapping writes, as far as they exist.

    :param names: names of fields; ``Invoice__r.Key__c`` is the external id of the record that is referred to.
    """
    own = describer.describe(sobject).fields
    found = {name: own[name] for name in names if name in own}
    for name in names:
        relationship, _, field = name.partition(".")
        parent = next((each for each in own.values() if field and each.relationship == relationship), None)
        for other in parent.reference_to[:1] if parent else ():
            fields = describer.describe(other).fields
            found |= {name: fields[field]} if field in fields else {}
    return found


def object_info(raw: Any) -> ObjectInfo:
    """Extract from a describe what the sync needs; a field or relationship without a name or type is left out.

    :raises UnreachableError: when it is no describe.
    """
    if not (isinstance(raw, dict) and isinstance(raw.get("name"), str) and isinstance(raw.get("fields"), list)):
        raise UnreachableError("Salesforce did not answer with a describe.", remedy="The task tries again.")
    fields = [_field_info(row) for row in raw["fields"] if _has_texts(row, "name", "type")]
    return ObjectInfo(
        name=raw["name"],
        key_prefix=_text(raw.get("keyPrefix")),
        replicateable=bool(raw.get("replicateable")),
        fields={field.name: field for field in fields},
        children={
            row["relationshipName"]: (row["childSObject"], row["field"])
            for row in _list(raw.get("childRelationships"))
            if _has_texts(row, "relationshipName", "childSObject", "field")
        },
    )


def _field_info(row: Mapping[str, Any]) -> FieldInfo:
    return FieldInfo(
        name=row["name"],
        type=row["type"],
        scale=_count(row.get("scale")),
        length=_count(row.get("length")),
        formula=bool(row.get("calculatedFormula") or (row.get("calculated") and "calculatedFormula" not in row)),
        updateable=row.get("updateable") is True,
        reference_to=tuple(each for each in _list(row.get("referenceTo")) if isinstance(each, str)),
        relationship=_text(row.get("relationshipName")),
        precision=_count(row.get("precision")) or _count(row.get("digits")),
        values=tuple(
            each["value"]
            for each in _list(row.get("picklistValues"))
            if _has_texts(each, "value") and each.get("active") is True
        ),
        inactive=tuple(
            each["value"]
            for each in _list(row.get("picklistValues"))
            if _has_texts(each, "value") and each.get("active") is not True
        ),
        restricted=row.get("restrictedPicklist") is True,
        required=row.get("nillable") is False,
        is_key=row.get("externalId") is True and row.get("unique") is True,
    )


def _has_texts(row: Any, *names: str) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) and row[name] for name in names)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    return value if type(value) is int else 0


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
        name: FieldInfo(**row | {each: tuple(row[each]) for each in ("reference_to", "values", "inactive")})
        for name, row in kept["fields"].items()
    }
    children = {name: (child[0], child[1]) for name, child in kept["children"].items()}
    return ObjectInfo(kept["name"], kept["key_prefix"], kept["replicateable"], fields, children)

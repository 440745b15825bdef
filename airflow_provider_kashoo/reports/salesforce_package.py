"""Metadata that an administrator deploys to Salesforce: fields, objects and a permission set, in source format.

The element names are those of the Metadata API, version 60 (evidenced). Nothing here talks to Salesforce.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from xml.etree import ElementTree as ET

VERSION = "60.0"
PERMISSION_SET = "Kashoo_Sync"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
ROOT = "force-app/main/default"
MOST_OF_A_LABEL = 40

Type = Literal["Checkbox", "Currency", "Date", "LongTextArea", "Lookup", "Number", "Picklist", "Text"]


@dataclass(frozen=True)
class NewField:
    """A custom field.

    :param length: most characters of a text.
    :param precision: digits of a number, those after the decimal point included.
    :param values: of a picklist, which takes no other.
    :param to: object that a lookup leads to.
    :param is_key: an external id, and unique whether its letters are large or small.
    """

    type: Type
    length: int = 0
    precision: int = 0
    scale: int = 0
    values: tuple[str, ...] = ()
    to: str = ""
    is_key: bool = False


@dataclass
class Access:
    """What the user of the sync may do with the records of an object; it can read them, and deletes none."""

    create: bool = False
    edit: bool = False


@dataclass
class Package:
    """What is deployed.

    :param objects: custom objects that are made -> whether a mapping gives their Name; otherwise they are numbered.
    :param fields: custom fields that are made, by object and name.
    :param access: by object.
    :param visible: object and field -> whether the user may edit it.
    :param by_hand: what the package leaves to a person, each with the place in its mapping file.
    """

    objects: dict[str, bool] = field(default_factory=dict)
    fields: dict[tuple[str, str], NewField] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    visible: dict[tuple[str, str], bool] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)


def files_of(package: Package) -> dict[str, str]:
    """Give the files of a project for ``sf project deploy start``: path -> text, in a stable order."""
    found = {"sfdx-project.json": _project()}
    for name, is_named in sorted(package.objects.items()):
        found[f"{ROOT}/objects/{name}/{name}.object-meta.xml"] = _object(name, is_named=is_named)
    for (sobject, name), made in sorted(package.fields.items()):
        found[f"{ROOT}/objects/{sobject}/fields/{name}.field-meta.xml"] = _field(sobject, name, made)
    found[f"{ROOT}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"] = _permissions(package)
    return found


def label(name: str) -> str:
    """Make a label of a name: ``Kashoo_Paid__c`` is ``Kashoo Paid``."""
    return _stem(name).replace("_", " ")[:MOST_OF_A_LABEL]


def _stem(name: str) -> str:
    return name.removesuffix("__c")


def _project() -> str:
    folders = [{"path": "force-app", "default": True}]
    return json.dumps({"packageDirectories": folders, "namespace": "", "sourceApiVersion": VERSION}, indent=2) + "\n"


def _object(name: str, *, is_named: bool) -> str:
    numbered = [("displayFormat", "{000000}"), ("label", "Number"), ("type", "AutoNumber")]
    return _xml(
        "CustomObject",
        [
            ("deploymentStatus", "Deployed"),
            ("enableReports", "true"),
            ("enableSearch", "true"),
            ("label", label(name)),
            ("nameField", [("label", "Name"), ("type", "Text")] if is_named else numbered),
            ("pluralLabel", f"{label(name)[: MOST_OF_A_LABEL - 1]}s"),
            ("sharingModel", "Read"),
        ],
    )


def _field(sobject: str, name: str, made: NewField) -> str:
    parts: list[tuple[str, Any]] = [("fullName", name), ("label", label(name)), ("type", made.type)]
    if made.type == "Checkbox":
        parts.append(("defaultValue", "false"))
    elif made.type in {"Currency", "Number"}:
        parts += [("precision", made.precision), ("scale", made.scale)]
    elif made.type == "LongTextArea":
        parts += [("length", made.length), ("visibleLines", 3)]
    elif made.type == "Text":
        parts += [("length", made.length), ("externalId", made.is_key), ("unique", made.is_key)]
        parts += [("caseSensitive", False)] if made.is_key else []
    elif made.type == "Picklist":
        values = [("value", [("fullName", each), ("default", False), ("label", each)]) for each in made.values]
        parts.append(("valueSet", [("restricted", True), ("valueSetDefinition", [("sorted", False), *values])]))
    elif made.type == "Lookup":
        related = f"{_stem(sobject)}_{_stem(name)}"
        parts += [("deleteConstraint", "SetNull"), ("referenceTo", made.to)]
        parts += [("relationshipLabel", label(related)), ("relationshipName", related[:MOST_OF_A_LABEL].rstrip("_"))]
    if made.type not in {"Checkbox", "LongTextArea", "Picklist"}:
        parts.append(("required", False))
    return _xml("CustomField", sorted(parts, key=lambda part: (part[0] != "fullName", part[0])))


def _permissions(package: Package) -> str:
    parts: list[tuple[str, Any]] = [
        ("description", "What the sync with Kashoo reads and writes, and nothing else."),
    ]
    for (sobject, name), edit in sorted(package.visible.items()):
        of_field = [("editable", edit), ("field", f"{sobject}.{name}"), ("readable", True)]
        parts.append(("fieldPermissions", of_field))
    parts += [("hasActivationRequired", False), ("label", label(PERMISSION_SET))]
    for sobject, access in sorted(package.access.items()):
        allowed = [("allowCreate", access.create), ("allowDelete", False), ("allowEdit", access.edit)]
        allowed += [("allowRead", True), ("modifyAllRecords", False)]
        parts.append(("objectPermissions", [*allowed, ("object", sobject), ("viewAllRecords", False)]))
    parts.append(("userPermissions", [("enabled", True), ("name", "ApiEnabled")]))
    return _xml("PermissionSet", parts)


def _xml(root: str, parts: Iterable[tuple[str, Any]]) -> str:
    top = ET.Element(root, {"xmlns": NAMESPACE})
    _add(top, parts)
    ET.indent(top, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(top, "unicode")}\n'


def _add(above: ET.Element, parts: Iterable[tuple[str, Any]]) -> None:
    for name, value in parts:
        child = ET.SubElement(above, name)
        if isinstance(value, list):
            _add(child, value)
        else:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)

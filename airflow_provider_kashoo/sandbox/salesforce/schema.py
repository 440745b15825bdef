"""Objects, fields and relationships of the simulated org, and their describe results."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.objects import CASCADES, LOOKUPS, OBJECTS, SYSTEM

WHITE_SPACE = "".join(map(chr, range(0x21)))
NUMERIC = frozenset({"currency", "double", "percent", "int"})
_NEVER_NULL = frozenset(
    {"Id", "OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
_SOAP = {"reference": "tns:ID", "id": "tns:ID", "datetime": "xsd:dateTime", "currency": "xsd:double"}
_SOAP |= {"percent": "xsd:double", "double": "xsd:double", "int": "xsd:int", "date": "xsd:date"}
_SOAP |= {"boolean": "xsd:boolean", "address": "urn:address", "base64": "xsd:base64Binary"}
MAX_JSON_FILE = 37_500_000
"""Most bytes of a file within JSON; a larger one needs a multipart request (evidenced, but for how it is refused)."""


class SalesforceError(Exception):
    """An error as the REST API reports it: HTTP status, code, message and the fields at fault."""

    def __init__(self, code: str, message: str, fields: list[str] | None = None, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields, self.status = code, message, fields or [], status


@dataclass(frozen=True, slots=True)
class Field:
    """One field; ``length`` counts characters, ``precision``/``scale`` count digits as in describe.

    ``to`` is the object that a reference leads to, or several with ``|`` between them.
    """

    name: str
    type: str = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    create: bool = True
    update: bool = True
    external_id: bool = False
    default: Any = None
    values: tuple[str, ...] = ()
    restricted: bool = False
    to: str = ""
    relationship: str = ""
    compound: str | None = None
    calculated: bool = False

    @property
    def label(self) -> str:
        """The label as Salesforce would show it; used in its messages."""
        stem = self.name.removesuffix("__c").replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem).replace(" Id", " ID")

    @property
    def targets(self) -> tuple[str, ...]:
        """The objects that a reference may lead to."""
        return tuple(filter(None, self.to.split("|")))

    @property
    def filterable(self) -> bool:
        """Long text, files and compound fields cannot be filtered or sorted on (evidenced)."""
        return self.type not in {"address", "base64"} and not (self.type == "textarea" and self.length > 255)

    def describe(self) -> dict[str, Any]:
        """Return the field's part of the describe result: the keys that clients are known to read."""
        values = [
            {"active": True, "defaultValue": False, "label": v, "validFor": None, "value": v} for v in self.values
        ]
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "length": self.length,
            "byteLength": self.length * 3,
            "digits": self.precision if self.type == "int" else 0,
            "precision": 0 if self.type == "int" else self.precision,
            "scale": self.scale,
            "nillable": not self.required and self.type != "boolean" and self.name not in _NEVER_NULL,
            "createable": self.create,
            "updateable": self.update,
            "calculated": self.calculated,
            "compoundFieldName": self.compound,
            "custom": self.name.endswith("__c"),
            "externalId": self.external_id,
            "unique": self.external_id,
            "caseSensitive": False,
            "idLookup": self.external_id or self.type == "id",
            "filterable": self.filterable,
            "sortable": self.filterable,
            "groupable": self.filterable and self.type not in {"currency", "double", "percent", "datetime"},
            "picklistValues": values,
            "restrictedPicklist": self.restricted,
            "referenceTo": list(self.targets),
            "relationshipName": self.relationship or None,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "defaultedOnCreate": self.default is not None or not self.create,
            "defaultValue": self.default,
        }


def _unreadable(item: Field, value: object) -> SalesforceError:
    token = {bool: "VALUE_TRUE" if value else "VALUE_FALSE", int: "VALUE_NUMBER_INT", str: "VALUE_STRING"}
    token |= {Decimal: "VALUE_NUMBER_FLOAT", dict: "START_OBJECT", list: "START_ARRAY"}
    what = f"{item.type} from {token.get(type(value), 'VALUE_EMBEDDED_OBJECT')} value {value}"
    hint = "or request may be missing a required field at [line:1, column:1]"
    return SalesforceError("JSON_PARSER_ERROR", f"Cannot deserialize instance of {what} {hint}")


def _number(item: Field, value: Any) -> Decimal | int:
    if isinstance(value, float):  # reachable from Python only: the API reads JSON numbers as Decimal
        raise SalesforceError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{item.label}: floats are refused", [item.name])
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise _unreadable(item, value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _unreadable(item, value) from None
    if not number.is_finite() or (item.type == "int" and number != number.to_integral_value()):
        raise _unreadable(item, value)
    if abs(number) >= Decimal(10) ** (item.precision - item.scale):
        message = f"{item.label}: value outside of valid range on numeric field: {value}"
        raise SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", message, [item.name])
    if item.type == "int":
        return int(number)
    return number  # digits beyond the scale stay: the API is known to return more than describe says


def _date(item: Field, value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise _unreadable(item, value)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise _unreadable(item, value) from None
    return text


def _text(item: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _unreadable(item, value)
    if any("\ud800" <= each <= "\udfff" for each in value):  # half a character: no UTF-8 can carry it
        raise SalesforceError("JSON_PARSER_ERROR", f"{item.label}: not a valid character", [item.name])
    value = value.strip(WHITE_SPACE)
    if len(value) > item.length:
        message = f"{item.label}: data value too large: {value[:255]} (max length={item.length})"
        raise SalesforceError("STRING_TOO_LONG", message, [item.name])
    if item.restricted and value not in item.values:
        message = f"{item.label}: bad value for restricted picklist field: {value}"
        raise SalesforceError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [item.name])
    if item.type == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        message = f"{item.label}: invalid email address: {value}"
        raise SalesforceError("INVALID_EMAIL_ADDRESS", message, [item.name])
    return value or None


def _content(item: Field, value: Any) -> bytes:
    if isinstance(value, bytes):  # a part of its own
        return value
    if not isinstance(value, str):
        raise _unreadable(item, value)
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise SalesforceError("JSON_PARSER_ERROR", f"{item.label}: not valid base64", [item.name]) from None
    if len(content) > MAX_JSON_FILE:
        message = f"{item.label}: {len(content)} bytes are too large for JSON (max size={MAX_JSON_FILE})"
        raise SalesforceError("REQUEST_ENTITY_TOO_LARGE", message, [item.name], status=413)
    return content


def coerce(item: Field, value: Any) -> Any:
    """Return ``value`` as rows hold it: Decimal, bool, ISO date, bytes or text, None for what is empty.

    White space around a text is cut off, and a checkbox is never null (both evidenced; that an emptied one is false is
    assumed, and so is which characters are white space: those that Java's ``trim`` cuts off).
    Raises :class:`SalesforceError` when it does not fit the field's type, size or list of values. References are
    only checked for being text.
    """
    if item.type == "boolean":
        if value is None:
            return False
        if not isinstance(value, bool):
            raise _unreadable(item, value)
        return value
    if value is None or value == "":
        return None
    if item.type in NUMERIC:
        return _number(item, value)
    if item.type == "base64":
        return _content(item, value)
    return _date(item, value) if item.type == "date" else _text(item, value)


@dataclass(frozen=True, slots=True)
class Child:
    """One child relationship; with ``cascade``, deleting the parent deletes these children."""

    name: str
    sobject: str
    field: str
    cascade: bool


@dataclass(slots=True)
class SObject:
    """One object: its fields by name, case-insensitive lookups, and what may be done with it."""

    name: str
    prefix: str
    label_plural: str
    fields: dict[str, Field]
    writable: bool = True
    createable: bool = True
    replicateable: bool = True
    children: list[Child] = field(default_factory=list)
    lower: dict[str, Field] = field(default_factory=dict)
    parents: dict[str, Field] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.see(frozenset())

    @property
    def undeletable(self) -> bool:
        """Whether a deleted record goes to the recycle bin."""
        return "IsDeleted" in self.fields

    def see(self, hidden: frozenset[str]) -> None:
        """Show all fields but ``hidden``; rows keep what nobody sees."""
        seen = [item for item in self.fields.values() if item.name not in hidden]
        self.lower = {item.name.lower(): item for item in seen}
        self.required = [item.name for item in seen if item.required]
        self.parents = {item.relationship.lower(): item for item in seen if item.relationship}

    def brief(self, base: str) -> dict[str, Any]:
        """Return the object's entry of the global describe; ``base`` (``/services/data/vNN.0``) starts its links."""
        path = f"{base}/sobjects/{self.name}"
        return {
            "name": self.name,
            "label": self.name,
            "labelPlural": self.label_plural,
            "keyPrefix": self.prefix,
            "custom": self.name.endswith("__c"),
            "queryable": True,
            "retrieveable": True,
            "replicateable": self.replicateable,
            "undeletable": self.undeletable,
            "createable": self.writable and self.createable,
            "updateable": self.writable,
            "deletable": self.writable,
            "urls": {"sobject": path, "describe": f"{path}/describe", "rowTemplate": f"{path}/{{ID}}"},
        }

    def describe(self, base: str) -> dict[str, Any]:
        """Return the whole describe result of this object."""
        master = {"active": True, "available": True, "defaultRecordTypeMapping": True, "developerName": "Master"}
        master |= {"master": True, "name": "Master", "recordTypeId": "012000000000000AAA"}
        names = ("cascadeDelete", "childSObject", "field", "relationshipName")
        children = [dict(zip(names, (c.cascade, c.sobject, c.field, c.name), strict=True)) for c in self.children]
        fields = [item.describe() for item in self.lower.values()]
        return self.brief(base) | {"fields": fields, "childRelationships": children, "recordTypeInfos": [master]}


_SETTINGS = frozenset({"Billing_Setting__c"})
_BORN_WITH_A_VERSION = frozenset({"ContentDocument"})
_SPEC = re.compile(r"(\w+) ([a-z]+)(?:\(([^)]*)\))?((?: \w+)*)")
_TYPES = {"text": "string", "long": "textarea", "check": "boolean", "money": "currency", "number": "double"}
_TYPES |= {"pick": "picklist", "ref": "reference", "file": "base64"}
_SIZES = {"money": "18.2", "pick": "255", "ref": "18", "id": "18"}


def _field(spec: str) -> Field:
    match = _SPEC.fullmatch(spec.strip())
    assert match, spec  # noqa: S101 - a slip in the table above
    name, kind, args = match[1], match[2], match[3] or ""
    flags = set((match[4] or "").split())
    size, _, scale = _SIZES.get(kind, args or "0").partition(".")
    return Field(
        name,
        _TYPES.get(kind, kind),
        length=0 if scale else int(size),
        precision=int(size) if scale else 0,
        scale=int(scale or 0),
        required="required" in flags,
        create=flags.isdisjoint({"fixed", "formula"}),
        update=flags.isdisjoint({"fixed", "once", "formula"}),
        external_id="external" in flags,
        default=False if kind == "check" else None,
        values=tuple(args.split("|")) if kind == "pick" else (),
        restricted="restricted" in flags,
        to=args if kind == "ref" else "",
        relationship=re.sub("Id$|__c$", lambda end: "" if end[0] == "Id" else "__r", name)
        if kind == "ref" and "|" not in args
        else "",
        compound=next((flag[3:] for flag in flags if flag.startswith("of_")), None),
        calculated="formula" in flags,
    )


class Schema:
    """The objects of one org; ``CurrencyIsoCode`` exists only with ``multi_currency`` (evidenced)."""

    def __init__(self, *, org_currency: str, multi_currency: bool) -> None:
        codes = dict.fromkeys((org_currency, "USD", "CAD", "EUR", "GBP", "JPY", "KWD"))
        currency = f"CurrencyIsoCode pick({'|'.join(codes)}) restricted"
        self.objects: dict[str, SObject] = {}
        for title, text in OBJECTS.items():
            name, prefix, plural = title.split()
            writable = name not in {"User", "Organization"}
            followed, made = name not in _SETTINGS, name not in _BORN_WITH_A_VERSION
            system = SYSTEM if followed else SYSTEM.rpartition(";")[0]
            bin_ = "; IsDeleted check fixed" if writable and followed else ""
            specs = f"Id id fixed; {text}; {system}{bin_}".split(";")
            if not multi_currency:
                specs = [spec for spec in specs if "CURRENCY" not in spec]
            spelt = ";".join(specs).replace("CURRENCY default", f"Default{currency}").replace("CURRENCY", currency)
            fields = {item.name: item for item in map(_field, spelt.split(";"))}
            if "CurrencyIsoCode" in fields:
                fields["CurrencyIsoCode"] = replace(fields["CurrencyIsoCode"], default=org_currency)
            self.objects[name] = SObject(name, prefix, plural.replace("_", " "), fields, writable, made, followed)
        self.hidden: dict[str, frozenset[str]] = {}
        self._lower = {name.lower(): item for name, item in self.objects.items()}
        for child in self.objects.values():
            for item in child.fields.values():
                key = (child.name, item.name)
                relation = CASCADES.get(key) or LOOKUPS.get(key)
                for target in item.targets if relation else ():
                    self.objects[target].children.append(Child(str(relation), *key, cascade=key in CASCADES))

    def find(self, name: str) -> SObject | None:
        """Return the object of that name in any case, or None."""
        found = self._lower.get(name.lower())
        return found if found and self.visible(found.name) else None

    def visible(self, name: str) -> bool:
        """Tell whether the integration user may see the object of exactly that name."""
        return "" not in self.hidden.get(name, ())

    def hide(self, name: str, field_name: str = "") -> None:
        """Hide an object, or one of its fields."""
        self.restore(self.hidden | {name: self.hidden.get(name, frozenset()) | {self._known(name, field_name)}})

    def show(self, name: str, field_name: str = "") -> None:
        """Show an object or a field again."""
        self.restore(self.hidden | {name: self.hidden.get(name, frozenset()) - {self._known(name, field_name)}})

    def _known(self, name: str, field_name: str) -> str:
        if name not in self.objects or (field_name and field_name not in self.objects[name].fields):
            raise SalesforceError("NOT_FOUND", f"the org has no {name} {field_name}".rstrip(), status=404)
        return field_name

    def restore(self, hidden: dict[str, frozenset[str]]) -> None:
        """Hide exactly ``hidden``: object -> its fields, "" among them for the object itself."""
        self.hidden = {name: names for name, names in hidden.items() if names}
        for name, item in self.objects.items():
            item.see(self.hidden.get(name, frozenset()))

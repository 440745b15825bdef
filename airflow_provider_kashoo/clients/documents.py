"""Between the documents of a plan and Kashoo's JSON, both ways, by the profile."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM
from airflow_provider_kashoo.core.rules.totals import tax_codes
from airflow_provider_kashoo.core.values.ids import Reference

Json = dict[str, Any]
Document = Mapping[str, Any]

IDENTITY = {"customer": ("name",), "item": ("name",), "invoice": ("contact", "date")}
"""What a record without reference says as it was sent, if it is the one that was sent."""


def to_json(target: str, document: Document, reference: Reference, profile: Profile, base: Json | None = None) -> Json:
    """Write a document as Kashoo takes it, our reference in its field.

    :param document: links and codes already resolved to ids.
    :param base: the record as read, for an update: unknown fields, references, and what a person wrote are kept.
    """
    body: Json = dict(base or {})
    if target == "customer":
        body["type"] = "customer"
        for name, path in profile.customer_fields.items():
            if name in document:
                _put(body, path, document[name])
    elif target == "item":
        body |= {name: document[name] for name in ITEM if name in document and name != "taxCode"}
    else:
        body["type"] = "invoice"
        body |= {name: document[name] for name in INVOICE if name in document}
        if "lines" in document:
            body["lineItems"] = [_line_json(line) for line in document["lines"]]
    if "taxCode" in document:
        body["taxCode"] = ",".join(tax_codes(document["taxCode"]))
    place = profile.reference_field(target)
    text = Reference.without(document[place] or "") if place in document else body.get(place)
    for mark in dict.fromkeys([*Reference.find((base or {}).get(place)), reference]):
        text = mark.add_to(text)
    body[place] = text
    return body


def is_gone(row: Json | None) -> bool:
    """Say whether a record that was read by its id is removed, or not there (404)."""
    return row is None or row.get("removed") is True


def is_ours(target: str, row: Json | None, document: Document, reference: Reference, profile: Profile) -> bool:
    """Say whether a record can be the one that a document was written to, and not just something with its id.

    :param document: as it was sent. It counts only where the record bears no reference at all: the books may cut it.
    """
    if row is None:
        return False
    if found := Reference.find(row.get(profile.reference_field(target))):
        return reference in found
    paths = profile.customer_fields if target == "customer" else {}
    return all(_get(row, paths.get(name, name)) == document.get(name) for name in IDENTITY[target])


def to_document(target: str, row: Json, profile: Profile) -> Json:
    """Read a record of the books as a document, with ``id`` and ``references`` beside its fields."""
    place = profile.reference_field(target)
    if target == "customer":
        document = {name: _get(row, path) for name, path in profile.customer_fields.items()}
        known = CUSTOMER
    elif target == "item":
        document, known = {name: row.get(name) for name in ITEM}, ITEM
    else:
        document, known = {name: row.get(name) for name in INVOICE}, INVOICE
        document["lines"] = [_line_document(line) for line in row.get("lineItems") or []]
    found = Reference.find(row.get(place))
    if place in known and isinstance(document.get(place), str):
        document[place] = Reference.without(document[place]) or None
    kept = {name: value for name, value in document.items() if value not in (None, "")}
    return {**kept, "id": row["id"], "references": found}


def _line_json(line: Document) -> Json:
    body = {name: line[name] for name in ("account", "item", "description", "rate", "project") if name in line}
    body["quantity"] = Decimal(line["quantity"])
    body["taxCode"] = ",".join(tax_codes(line.get("taxCode")))
    return body


def _line_document(line: Json) -> Json:
    names = ("account", "item", "description", "rate", "project")
    document = {name: line[name] for name in names if line.get(name) not in (None, "")}
    document["quantity"] = format(Decimal(str(line.get("quantity", 1))).normalize(), "f")
    document["taxCode"] = line.get("taxCode") or "none"
    return document


def _put(body: Json, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        body[name] = dict(body.get(name) or {})
        body = body[name]
    body[last] = value


def _get(row: Json, path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value

"""What a customer, an item, an invoice and a payment are: fields, order of writing, parents, duplicates.

The only place that knows them by name. Field names are Kashoo's where its API is evidenced; flat names such as
``street`` are moved into Kashoo's nested objects by :mod:`airflow_provider_kashoo.clients.profile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FieldType = Literal["text", "date", "money", "number", "link", "code"]


@dataclass(frozen=True)
class TargetField:
    """One field of a kind.

    :param type: decides how a source value is converted: ``money`` becomes integer minor units,
        ``date`` an ISO day, ``number`` an exact decimal, ``code`` a name the books must know
        (an account, a tax), ``link`` the record another mapping makes.
    """

    type: FieldType = "text"
    required: bool = False


@dataclass(frozen=True)
class Rung:
    """One kind of evidence that a record is already in the books.

    :param agree: the fields that must all agree.
    :param against: the fields that speak against it, if both sides fill them and they differ.
    """

    agree: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of record of the books.

    :param fields: what a mapping may fill.
    :param lines: what it may fill of each line; empty for a kind without lines.
    :param rungs: name of the evidence that a record is already in the books -> its fields; strongest first.
    :param identity: what a record without our reference says as it was sent, if it is the one that was sent.
    :param billed: whether it bills a sale: once, with a date, lines and a total, and matched by our reference only.
    :param texts: fields of it, and of its lines, that move no money: they stay as billed once money came in.
    """

    name: str
    fields: Mapping[str, TargetField]
    lines: Mapping[str, TargetField] = field(default_factory=dict)
    rungs: Mapping[str, Rung] = field(default_factory=dict)
    identity: tuple[str, ...] = ("name",)
    billed: bool = False
    texts: tuple[str, ...] = ()


_TEXT = TargetField()

CUSTOMER = Kind(
    "customer",
    {
        "name": TargetField(required=True),
        "firstName": _TEXT,
        "lastName": _TEXT,
        "email": _TEXT,
        "phone": _TEXT,
        "street": _TEXT,
        "city": _TEXT,
        "province": _TEXT,
        "postalCode": _TEXT,
        "country": _TEXT,
        "currency": _TEXT,
        "notes": _TEXT,
    },
    rungs={
        "same e-mail": Rung(("email",), against=("name", "currency")),
        "same name and postal code": Rung(("name", "postalCode"), against=("email", "street", "phone", "currency")),
    },
)

ITEM = Kind(
    "item",
    {
        "name": TargetField(required=True),
        "code": _TEXT,
        "description": _TEXT,
        "account": TargetField("code", required=True),
        "taxCode": TargetField("code"),
    },
    rungs={"same code": Rung(("code",), against=("name",)), "same name": Rung(("name",), against=("code",))},
)

INVOICE = Kind(
    "invoice",
    {
        "contact": TargetField("link", required=True),
        "date": TargetField("date", required=True),
        "dueDate": TargetField("date"),
        "currency": TargetField(required=True),
        "poNumber": _TEXT,
        "memo": _TEXT,
    },
    lines={
        "item": TargetField("link"),
        "description": _TEXT,
        "quantity": TargetField("number"),
        "amount": TargetField("money", required=True),
        "account": TargetField("code", required=True),
        "taxCode": TargetField("code", required=True),
        "project": _TEXT,
    },
    identity=("contact", "date"),
    billed=True,
    texts=("memo", "poNumber", "dueDate", "description"),
)

PAYMENT = Kind(
    "payment",
    {
        "account": TargetField("code", required=True),
        "amount": TargetField("money", required=True),
        "contact": TargetField("link", required=True),
        "currency": TargetField(required=True),
        "date": TargetField("date", required=True),
        "memo": _TEXT,
    },
    identity=("contact", "date", "amount"),
)
"""Pays one invoice, whole. A rule makes it and no mapping; its record is the deal of that invoice."""

KINDS: dict[str, Kind] = {kind.name: kind for kind in (CUSTOMER, ITEM, INVOICE, PAYMENT)}
"""In the order they are written: an invoice needs its customer and its items, and a payment its invoice."""

MAPPED = (CUSTOMER.name, ITEM.name, INVOICE.name)
"""Kinds that mappings make."""

CONTACT = "contact"
"""The field that links what is billed to its customer."""

LINKED_KINDS = {CONTACT: CUSTOMER.name, "item": ITEM.name}
"""Link field -> the kind its mapping must make."""

PARENTS = tuple(LINKED_KINDS.values())
"""Kinds that are written only because an invoice needs them."""

ORDER = {name: place for place, name in enumerate(KINDS)}

SETTLEMENT_SOURCE: dict[str, FieldType] = {
    "invoice_id": "text",
    "number": "text",
    "status": "text",
    "currency": "text",
    "date": "date",
    "due_date": "date",
    "days_overdue": "number",
    "total": "money",
    "paid": "money",
    "balance": "money",
    "last_payment_date": "date",
}
"""What a write-back mapping may read: an invoice with its payments, see :mod:`.settlement`."""

RELATED: dict[str, FieldType] = {"deal": "link", "opportunity": "link", "order": "link", "account": "link"}
"""Ids of the records in Salesforce that an invoice belongs to; ``deal`` is its Opportunity or its Order."""

TOLD: dict[str, dict[str, FieldType]] = {
    INVOICE.name: {"key": "text", **SETTLEMENT_SOURCE, **RELATED},
    PAYMENT.name: {
        "key": "text",
        "payment_id": "text",
        "invoice_id": "text",
        "invoice_key": "text",
        "number": "text",
        "kind": "text",
        "currency": "text",
        "date": "date",
        "amount": "money",
        "unallocated": "money",
        **RELATED,
    },
    CUSTOMER.name: {
        "account": "link",
        "currency": "text",
        "open_balance": "money",
        "overdue": "money",
        "overdue_since": "date",
        "open_invoices": "number",
        "last_payment_date": "date",
    },
}
"""What a mapping to a record of its own may read: of an invoice, of a payment of one invoice, of a customer.

One name has one type in all of them. ``key`` is what the field of ``match`` gets.
"""

TOLD_TYPES: dict[str, FieldType] = {name: kind for source in TOLD.values() for name, kind in source.items()}


def is_billed(kind: str) -> bool:
    """Return whether a kind bills a sale; False for a Salesforce object."""
    return kind in KINDS and KINDS[kind].billed


def is_payment(kind: str) -> bool:
    """Return whether a kind pays an invoice: it shares its record with that."""
    return kind == PAYMENT.name


def is_dated(kind: str) -> bool:
    """Return whether the books list a kind by date, and whether one without our reference is told by its amount."""
    return kind in KINDS and "date" in KINDS[kind].fields

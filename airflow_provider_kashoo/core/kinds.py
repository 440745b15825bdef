"""What a mapping may fill in the books: each target's fields, their types, and which are required.

The names are Kashoo's where the API is evidenced; flat names such as ``street`` are placed into
Kashoo's nested objects by :mod:`airflow_provider_kashoo.clients.profile`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["text", "date", "money", "number", "link", "code"]


@dataclass(frozen=True)
class TargetField:
    """One field of a target.

    :param type: decides how a source value is converted: ``money`` becomes integer minor units,
        ``date`` an ISO day, ``number`` an exact decimal, ``code`` a name the books must know
        (an account, a tax), ``link`` the record another mapping makes.
    """

    type: FieldType = "text"
    required: bool = False


_TEXT = TargetField()

CUSTOMER: dict[str, TargetField] = {
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
}

ITEM: dict[str, TargetField] = {
    "name": TargetField(required=True),
    "code": _TEXT,
    "description": _TEXT,
    "account": TargetField("code", required=True),
    "taxCode": TargetField("code"),
}

INVOICE: dict[str, TargetField] = {
    "contact": TargetField("link", required=True),
    "date": TargetField("date", required=True),
    "dueDate": TargetField("date"),
    "currency": TargetField(required=True),
    "poNumber": _TEXT,
    "memo": _TEXT,
}

INVOICE_LINE: dict[str, TargetField] = {
    "item": TargetField("link"),
    "description": _TEXT,
    "quantity": TargetField("number"),
    "amount": TargetField("money", required=True),
    "account": TargetField("code", required=True),
    "taxCode": TargetField("code", required=True),
    "project": _TEXT,
}

LINKED_TARGETS = {"contact": "customer", "item": "item"}
"""Link field -> the target its mapping must make."""

BOOKS_TARGETS: dict[str, dict[str, TargetField]] = {"customer": CUSTOMER, "item": ITEM, "invoice": INVOICE}
"""In the order they are written: an invoice needs its customer and its items."""

SETTLEMENT_SOURCE: dict[str, FieldType] = {
    "invoice_id": "text",
    "number": "text",
    "status": "text",
    "currency": "text",
    "due_date": "date",
    "total": "money",
    "paid": "money",
    "balance": "money",
    "last_payment_date": "date",
}
"""What a write-back mapping may read: an invoice with its payments, see :mod:`.settlement`."""

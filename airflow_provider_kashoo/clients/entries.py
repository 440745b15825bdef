"""Records of the books in our terms: the only module that reads and writes Kashoo's JSON.

Values are converted only when used, so that one odd value does not break a whole listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, KINDS
from airflow_provider_kashoo.core.rules.settlement import Invoice, Payment
from airflow_provider_kashoo.core.rules.totals import tax_codes
from airflow_provider_kashoo.core.values.ids import KeyedHash, Reference

Json = dict[str, Any]
Document = Mapping[str, Any]

TYPES = {CUSTOMER.name: "customer", INVOICE.name: "invoice"}
"""Kind -> ``type`` of its JSON (evidenced), if it has one."""

LINES = {INVOICE.name: "lineItems"}
"""Kind -> key of its lines (evidenced), if it has any."""

_EXACT = "decimal"

MOST = 1 << 63
"""Upper limit of amounts and ids."""


@dataclass(frozen=True)
class Entry:
    """One record of the books as it was read.

    :param kind: ``customer``, ``item`` or ``invoice``.
    :param raw: its JSON, used only to write the whole record back with a change.
    """

    kind: str
    raw: Json = field(repr=False)
    profile: Profile = field(repr=False)

    @classmethod
    def of_kept(cls, kind: str, kept: Json, profile: Profile) -> Entry:
        """Give back what was kept, to the digit."""
        return cls(kind, _decoded(kept), profile)

    @property
    def kept(self) -> Json:
        """It as a JSON file can keep it."""
        return dict(_encoded(self.raw))

    @property
    def id(self) -> int:
        """Its id in Kashoo."""
        ident: int = self.raw["id"]
        return ident

    @property
    def removed(self) -> bool:
        """Whether it was removed; Kashoo still returns it by its id (assumed)."""
        return self.raw.get("removed") is True

    @cached_property
    def fields(self) -> Json:
        """Its values by a mapping's field names, without our references and without empty fields."""
        found = {name: _get(self.raw, path) for name, path in self.profile.paths(self.kind).items()}
        if self.kind in LINES:
            found["lines"] = [_line_document(line) for line in self.raw.get(LINES[self.kind]) or []]
        if isinstance(found.get(self.reference_field), str):
            found[self.reference_field] = Reference.without(found[self.reference_field]) or None
        return {name: value for name, value in found.items() if value not in (None, "")}

    @property
    def reference_field(self) -> str:
        """The text field that contains our references."""
        return self.profile.reference_field(self.kind)

    @property
    def references(self) -> list[Reference]:
        """Every reference of ours that it contains."""
        return Reference.find(self.raw.get(self.reference_field))

    @property
    def document(self) -> Json:
        """Its fields, plus ``id`` and ``references``."""
        return {**self.fields, "id": self.id, "references": self.references}

    @property
    def number(self) -> str | None:
        """The number of an invoice."""
        return _text(self.raw.get("number"))

    @property
    def date(self) -> str | None:
        """The date of an invoice, ``YYYY-MM-DD``."""
        return _text(self.raw.get("date"))

    @property
    def due_date(self) -> str | None:
        """When an invoice is due, ``YYYY-MM-DD``."""
        return _text(self.raw.get("dueDate"))

    @property
    def currency(self) -> str | None:
        """Code of the currency of an invoice or customer."""
        return _text(self.raw.get("currency"))

    @property
    def total(self) -> int | None:
        """The total of an invoice, minor units, taxes included."""
        return _whole(self.raw.get("totalDue"))

    @property
    def balance(self) -> int | None:
        """The amount of an invoice that is still owed, minor units."""
        return _whole(self.raw.get("balanceDue"))

    @property
    def contact(self) -> int | None:
        """Kashoo id of an invoice's customer."""
        return _whole(self.raw.get("contact"))

    @property
    def created(self) -> float | None:
        """When it was made, epoch seconds by Kashoo's clock."""
        milliseconds = _whole(self.raw.get("creation"))
        return milliseconds / 1000 if milliseconds else None

    @property
    def invoice(self) -> Invoice | None:
        """The invoice with its amounts; None when the books do not show what is owed."""
        return None if self.total is None or self.balance is None else self.owing(self.total, self.balance)

    def owing(self, total: int, balance: int) -> Invoice:
        """Return the invoice with this total and balance instead of its own, minor units."""
        return Invoice(
            self.id,
            total,
            balance,
            currency=self.currency,
            number=self.number,
            date=self.date,
            due_date=self.due_date,
            removed=self.removed,
            shown="number" in self.raw,
        )

    def fingerprint(self, hashes: KeyedHash) -> str:
        """Hash the whole record; the hash changes with any change of it."""
        return hashes.of(self.raw)

    def is_ours(self, document: Document, reference: Reference) -> bool:
        """Return whether it can be the record that we wrote, and not just one with the same id.

        :param document: as it was sent; compared only if the record has no reference at all, because the books may
            cut it off.
        """
        if found := self.references:
            return reference in found
        paths = self.profile.paths(self.kind)
        return all(_get(self.raw, paths.get(name, name)) == document.get(name) for name in KINDS[self.kind].identity)


@dataclass(frozen=True)
class Business:
    """A business whose books the user may read."""

    id: str
    name: str | None

    @classmethod
    def of(cls, row: Json) -> Business:
        """Read one row of the list (evidenced)."""
        return cls(str(row["id"]), _text((row.get("contactInformation") or {}).get("name")))


@dataclass(frozen=True)
class Account:
    """An account of the books.

    :param is_income: whether it is an income account.
    """

    id: int
    number: str | None
    name: str | None
    is_income: bool

    @classmethod
    def of(cls, row: Json, profile: Profile) -> Account:
        """Read one row of the list."""
        return cls(row["id"], _text(row.get("number")), _text(row.get("name")), row.get("type") == profile.income_type)


@dataclass(frozen=True)
class Tax:
    """A tax of the books.

    :param rate: percent.
    """

    code: str
    rate: Decimal

    @classmethod
    def of(cls, row: Json) -> Tax:
        """Read one row of the list (assumed)."""
        return cls(str(row["abbreviation"]), Decimal(str(row["rate"])))


def payment_of(row: Json) -> Payment:
    """Read one row of the list of payments (evidenced)."""
    removed = bool(row.get("removed"))
    parts = [] if removed else row.get("allocations") or []
    return Payment(
        row["id"],
        row["date"],
        tuple((part["record"], part["amount"]) for part in parts),
        unallocated=row.get("unallocatedAmount") or 0,
        removed=removed,
    )


def to_json(kind: str, document: Document, reference: Reference, profile: Profile, base: Json | None = None) -> Json:
    """Convert a document to Kashoo's JSON, with our reference in its field.

    :param document: links and codes already resolved to ids.
    :param base: for an update, the record as read: unknown fields, references and what a person wrote are kept.
    """
    body: Json = dict(base or {})
    if kind in TYPES:
        body["type"] = TYPES[kind]
    for name, path in profile.paths(kind).items():
        if name in document:
            _put(body, path, document[name])
    if kind in LINES and "lines" in document:
        body[LINES[kind]] = [_line_json(line) for line in document["lines"]]
    if "taxCode" in document:
        body["taxCode"] = ",".join(tax_codes(document["taxCode"]))
    place = profile.reference_field(kind)
    text = Reference.without(document[place] or "") if place in document else body.get(place)
    for mark in dict.fromkeys([*Reference.find((base or {}).get(place)), reference]):
        text = mark.add_to(text)
    body[place] = text
    return body


def _line_json(line: Document) -> Json:
    body = {name: line[name] for name in _OF_LINES if name in line}
    body["quantity"] = Decimal(line["quantity"])
    body["taxCode"] = ",".join(tax_codes(line.get("taxCode")))
    return body


def _line_document(line: Json) -> Json:
    document = {name: line[name] for name in _OF_LINES if line.get(name) not in (None, "")}
    document["quantity"] = format(Decimal(str(line.get("quantity", 1))).normalize(), "f")
    document["taxCode"] = line.get("taxCode") or "none"
    return document


_OF_LINES = ("account", "item", "description", "rate", "project")


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


def _text(value: Any) -> str | None:
    return str(value) if type(value) in {str, int} else None


def _whole(value: Any) -> int | None:
    """Return a number without a fraction as an integer; None for anything else."""
    if type(value) not in {int, Decimal} or not -MOST < value < MOST:
        return None
    return int(value) if value == int(value) else None


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _encoded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return {_EXACT: str(value)} if isinstance(value, Decimal) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_EXACT}:
            return Decimal(value[_EXACT])
        return {name: _decoded(each) for name, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value

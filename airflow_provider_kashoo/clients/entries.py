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
from airflow_provider_kashoo.core.values.texts import cut, length

Json = dict[str, Any]
Document = Mapping[str, Any]

TYPES = {CUSTOMER.name: "customer", INVOICE.name: "invoice"}
"""Kind -> ``type`` of its JSON (evidenced), if it has one."""

LINES = {INVOICE.name: "lineItems"}
"""Kind -> key of its lines (evidenced), if it has any."""

_EXACT = "decimal"

SHORTEST_LIMIT = 40
"""No books are assumed to cut off texts that are shorter: those were not written if they are not there."""

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
        for name, value in found.items():
            if isinstance(value, str) and (name == self.reference_field or Reference.find(value)):
                found[name] = Reference.without(value)
        return {name: value for name, value in found.items() if value not in (None, "")}

    @property
    def reference_field(self) -> str:
        """The text field to which our reference is added."""
        return self.profile.reference_field(self.kind)

    @property
    def references(self) -> list[Reference]:
        """Every reference of ours that it contains, in any field: the connection may have named another one before."""
        return _references(self.kind, self.raw, self.profile)

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

    def shows_start_of(self, sent: Document) -> bool:
        """Return whether it has exactly what was sent, but for the ends of long texts, which the books cut off."""
        return all(_is_start(self.fields.get(name), value) for name, value in sent.items())

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
    marks = list(dict.fromkeys([*_references(kind, base or {}, profile), reference]))
    text = document[place] or "" if place in document else None
    body[place] = _marked(text, body.get(place), marks, profile.text_limit(kind))
    return body


def _marked(text: str | None, kept: Any, marks: list[Reference], most: int) -> str:
    """Add our references to a text, of which what has no room is left out.

    :param text: from Salesforce, to be written; None to leave what the books have.
    :param kept: what the books have: a person may have written it, so none of it is left out.
    """
    if text is None:
        marked = kept if isinstance(kept, str) else ""
    else:
        marked = cut(Reference.without(text), max(0, most - sum(1 + length(str(mark)) for mark in marks)))
    for mark in marks:
        longer = mark.add_to(marked)
        marked = longer if length(longer) <= most else marked
    return marked


def _references(kind: str, raw: Json, profile: Profile) -> list[Reference]:
    places = dict.fromkeys([profile.reference_field(kind), *profile.paths(kind).values()])
    return list(dict.fromkeys(mark for place in places for mark in Reference.find(_get(raw, place))))


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


def _is_start(kept: Any, sent: Any) -> bool:
    if isinstance(sent, str) and isinstance(kept, str):
        return kept == sent or (len(kept) >= SHORTEST_LIMIT and sent.startswith(kept))
    if isinstance(sent, list) and isinstance(kept, list):
        return len(sent) == len(kept) and all(map(_is_start, kept, sent))
    if isinstance(sent, dict) and isinstance(kept, dict):
        return all(_is_start(kept.get(name), sent.get(name)) for name in {*sent, *kept})
    return bool(kept == sent)


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

"""Records of the books in our terms: the only module that reads and writes Kashoo's JSON.

Values are converted only when used, so that one odd value does not break a whole listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.values import READERS, day_of, decimal_of, ident_of, text_of, whole_of
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, KINDS, PAYMENT, is_payment
from airflow_provider_kashoo.core.rules.settlement import Invoice, Payment
from airflow_provider_kashoo.core.rules.totals import tax_codes
from airflow_provider_kashoo.core.values.ids import KeyedHash, Reference
from airflow_provider_kashoo.core.values.texts import cut, length

Json = dict[str, Any]
Document = Mapping[str, Any]

TYPES = {CUSTOMER.name: "customer", INVOICE.name: "invoice", PAYMENT.name: "invoicePayment"}
"""Kind -> ``type`` of its JSON, if it has one (evidenced, but for the payment's)."""

LINES = {INVOICE.name: "lineItems"}
"""Kind -> key of its lines (evidenced), if it has any."""

PAYS = "invoice"
"""Field of a payment: the Kashoo id of the invoice that all of it is allocated to."""

_EXACT = "decimal"

SHORTEST_LIMIT = 40
"""No books are assumed to cut off texts that are shorter: those were not written if they are not there."""


@dataclass(frozen=True)
class Entry:
    """One record of the books as it was read.

    :param kind: ``customer``, ``item``, ``invoice`` or ``payment``.
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
        """Its id in Kashoo; 0 for one that shows none."""
        return ident_of(self.raw)

    @property
    def removed(self) -> bool:
        """Whether it was removed; Kashoo still returns it by its id (assumed)."""
        return self.raw.get("removed") is True

    @cached_property
    def fields(self) -> Json:
        """Its values by a mapping's field names, without our references and without empty fields."""
        known = KINDS[self.kind].fields
        found = {
            name: READERS[known[name].type](_get(self.raw, path))
            for name, path in self.profile.paths(self.kind).items()
        }
        if self.kind in LINES:
            lines = self.raw.get(LINES[self.kind])
            found["lines"] = [_line_document(line) for line in lines] if isinstance(lines, list) else []
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
        return text_of(self.raw.get("number"))

    @property
    def date(self) -> str | None:
        """The date of an invoice or payment, ``YYYY-MM-DD``."""
        return day_of(self.raw.get("date"))

    @property
    def due_date(self) -> str | None:
        """When an invoice is due, ``YYYY-MM-DD``."""
        return day_of(self.raw.get("dueDate"))

    @property
    def currency(self) -> str | None:
        """Code of the currency of an invoice or customer."""
        return text_of(self.raw.get("currency"))

    @property
    def total(self) -> int | None:
        """The total of an invoice, taxes included, or the amount of a payment; minor units."""
        return whole_of(self.raw.get("amount" if is_payment(self.kind) else "totalDue"))

    @property
    def balance(self) -> int | None:
        """The amount of an invoice that is still owed, minor units."""
        return whole_of(self.raw.get("balanceDue"))

    @property
    def contact(self) -> int | None:
        """Kashoo id of the customer of an invoice or payment."""
        return whole_of(self.raw.get("contact"))

    @property
    def created(self) -> float | None:
        """When it was made, epoch seconds by Kashoo's clock."""
        milliseconds = whole_of(self.raw.get("creation"))
        return milliseconds / 1000 if milliseconds else None

    @property
    def odd(self) -> str:
        """The first field of an invoice that the books show with a value that it cannot have; empty if there is none.

        Without a total or a balance an invoice is odd too.
        """
        read: Json = {"totalDue": self.total, "balanceDue": self.balance}
        shown = {"number": self.number, "date": self.date, "dueDate": self.due_date, "currency": self.currency}
        read |= {name: value for name, value in shown.items() if self.raw.get(name) not in (None, "")}
        return next((name for name, value in read.items() if value is None), "")

    @property
    def unreadable(self) -> UnreadableError:
        """The error for an :attr:`odd` invoice."""
        said, record = f"Kashoo shows an odd {self.odd}.", f"Kashoo's {self.kind} {self.id}"
        return UnreadableError(said, record=record, odd=self.odd)

    @property
    def invoice(self) -> Invoice | None:
        """The invoice with its amounts; None for an :attr:`odd` one."""
        if self.odd or self.total is None or self.balance is None:
            return None
        return self.owing(self.total, self.balance)

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
            contact=self.contact,
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
        return cls(str(row["id"]), text_of(_get(row, "contactInformation.name")))


@dataclass(frozen=True)
class Account:
    """An account of the books.

    :param is_income: whether it is an income account.
    :param takes_payments: whether it is a cash or bank account.
    """

    id: int
    number: str | None
    name: str | None
    is_income: bool
    takes_payments: bool = False

    @classmethod
    def of(cls, row: Json, profile: Profile) -> Account:
        """Read one row of the list."""
        kind = row.get("type")
        number, name = text_of(row.get("number")), text_of(row.get("name"))
        return cls(ident_of(row), number, name, kind == profile.income_type, kind in profile.cash_types)


@dataclass(frozen=True)
class Tax:
    """A tax of the books.

    :param rate: percent.
    """

    code: str
    rate: Decimal

    @classmethod
    def of(cls, row: Json) -> Tax | None:
        """Read one row of the list (assumed); None if it shows no code, or no rate between 0 and 100 percent."""
        code, rate = text_of(row.get("abbreviation")), decimal_of(row.get("rate"))
        return cls(code, rate) if code and rate is not None and 0 <= rate <= 100 else None


def payment_of(row: Json) -> Payment:
    """Read one row of the list of payments (evidenced)."""
    removed = row.get("removed") is True
    listed = row.get("allocations") or []
    parts = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    shares = [(whole_of(part.get("record")), whole_of(part.get("amount"))) for part in parts]
    day, rest = day_of(row.get("date")), whole_of(row.get("unallocatedAmount") or 0)
    read = {
        "date": day,
        "removed": isinstance(row.get("removed"), bool | None) or None,
        "unallocatedAmount": rest,
        "allocations": None if None in {*chain(*shares)} or parts != listed else True,
    }
    return Payment(
        ident_of(row),
        day or "",
        tuple((record, amount or 0) for record, amount in shares if record is not None and not removed),
        unallocated=rest or 0,
        removed=removed,
        odd=next((name for name, value in read.items() if value is None), ""),
        contact=whole_of(row.get("contact")),
        currency=text_of(row.get("currency")),
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
    if PAYS in document:
        body["allocations"] = [{"amount": document["amount"], "record": document[PAYS]}]
        body["unallocatedAmount"] = 0
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


def _line_document(line: Any) -> Any:
    """Give a line by a mapping's field names; odd values as they are, so that they differ from all that we send."""
    if not isinstance(line, dict):
        return {"line": line}
    document = {name: line[name] for name in _OF_LINES if line.get(name) not in (None, "")}
    quantity = decimal_of(line.get("quantity", 1))
    document["quantity"] = line["quantity"] if quantity is None else format(quantity.normalize(), "f")
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
        inner = body.get(name)
        body[name] = dict(inner) if isinstance(inner, dict) else {}
        body = body[name]
    body[last] = value


def _get(row: Json, path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


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

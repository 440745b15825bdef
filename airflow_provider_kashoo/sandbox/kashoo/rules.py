"""The bookkeeping rules of the simulated Kashoo: what a body must look like and what the server computes from it.

Evidenced (clients, help centre): field names of invoices and billPayments, money as integers in minor units,
INCOME accounts or items bound to one on lines, automatic invoice numbers that a larger supplied one moves up, due
date defaulting to the date, locked periods, allocations only to records of the same contact, removed contacts
keeping their transactions. Assumed: everything else, above all customer, item and tax shapes, all rounding, every
400 and its text, the refusal of negative totals, and how taxes are rounded (see :class:`Business`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]
Check = Callable[["Business", Row, Row | None], None]

KINDS = ("accounts", "customers", "items", "taxes", "invoices", "invoicePayments")
ACCOUNT_TYPES = frozenset({"ACCOUNTS_RECEIVABLE", "BANK", "CASH", "INCOME"})  # CASH is evidenced, the rest assumed
QUANTITY_PLACES = 6
# Assumed bounds: their product still fits the 28 digits of the default decimal context.
MAX_MONEY, MAX_QUANTITY, MAX_NUMBER_DIGITS = 10**12, 10**9, 18


class KashooError(Exception):
    """A refusal: HTTP ``status`` (400 by default), ``message`` for the JSON body, seconds in ``retry_after``."""

    def __init__(self, message: str, *, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after


class Table:
    """Rows of one kind by id, listed by date then id; removed rows stay readable but are not listed.

    ``newest`` is when the last of them was created, milliseconds.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.newest = 0
        self._order: list[tuple[str, int]] = []

    def put(self, row: Row) -> None:
        """Add the row, or put it in the place of the one with its id."""
        old = self.rows.get(row["id"])
        if old is not None and not old["removed"]:
            del self._order[bisect_left(self._order, _key(old))]
        self.rows[row["id"]] = row
        self.newest = max(self.newest, row.get("creation", 0))
        if not row["removed"]:
            insort(self._order, _key(row))

    def keys(self, start: str = "", end: str = "~") -> list[tuple[str, int]]:
        """Return (date, id) of the rows not removed, both dates inclusive (assumed), in listing order."""
        return self._order[bisect_left(self._order, (start, 0)) : bisect_right(self._order, (end, 2**63))]

    def listed(self) -> list[Row]:
        """Return all rows not removed, in listing order."""
        return [self.rows[row_id] for _, row_id in self._order]


def _key(row: Row) -> tuple[str, int]:
    return (row.get("date") or "", row["id"])


@dataclass
class Business:
    """One set of books. ``locked`` is the last closed day (YYYY-MM-DD, empty for none).

    No source shows how Kashoo rounds: ``rounding`` says where half a minor unit goes, and ``taxed_by_line`` whether a
    tax is rounded for each line instead of once. ``takes_included`` lets the API take ``-S``, as the app does.
    """

    id: int
    name: str
    home: str
    currencies: frozenset[str]
    locked: str = ""
    rounding: str = ROUND_HALF_UP
    taxed_by_line: bool = False
    takes_included: bool = False
    next_number: int = 1001
    tables: dict[str, Table] = field(default_factory=lambda: {kind: Table() for kind in KINDS})
    allocated: Counter[int] = field(default_factory=Counter)  # minor units by invoice
    shares: Counter[int] = field(default_factory=Counter)  # allocations by invoice: a refund adds one

    def live(self, kind: str, row_id: object, *, removed_too: bool = False) -> Row:
        """Return the row a body refers to; 400 when there is none, or a removed one that may not be used."""
        row = self.tables[kind].rows.get(row_id) if isinstance(row_id, int) else None
        if row is None or (row["removed"] and not removed_too):
            raise KashooError(f"{row_id!r} is not the id of one of the {kind} of this business")
        return row

    def require_open(self, day: str) -> None:
        """Refuse to touch a day on or before the end of the locked period (400 assumed)."""
        if day <= self.locked:
            raise KashooError(f"The books are locked up to {self.locked}; {day} cannot be changed")


def whole(value: Decimal, rounding: str) -> int:
    """Round to whole minor units."""
    return int(value.quantize(Decimal(1), rounding=rounding))


def integer(row: Row, key: str, *, default: int | None = None) -> int:
    """Read an amount or rate; anything but a JSON integer is refused (400)."""
    value = default if row.get(key) is None else row[key]
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= MAX_MONEY:
        raise KashooError(f"{key} must be an integer in the currency's smallest unit")
    return value


def day(value: object, key: str) -> str:
    """Check that the value is a date as YYYY-MM-DD (400 otherwise) and return it."""
    with suppress(ValueError):
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    raise KashooError(f"{key} must be a date as YYYY-MM-DD")


def _texts(row: Row, *keys: str) -> None:
    for key in keys:
        if not isinstance(row.get(key), str | None):
            raise KashooError(f"{key} must be text")


def _named(row: Row, key: str) -> None:
    if not isinstance(row.get(key), str) or not row[key].strip():
        raise KashooError(f"{key} is required")


def _objects(row: Row, key: str) -> list[Row]:
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise KashooError(f"{key} must be a list of objects")
    return [dict(entry) for entry in value]


def _typed(row: Row, word: str) -> None:
    if row.setdefault("type", word) != word:
        raise KashooError(f"type must be {word}")


def _currency(business: Business, row: Row) -> None:
    if str(row.get("currency")) not in business.currencies:
        raise KashooError(f"{row.get('currency')!r} is not a currency of this business")


def _tax_codes(business: Business, row: Row) -> dict[str, Decimal]:
    """Return code and rate of the taxes a taxCode names; inclusive ones (-S) keep their minus.

    Inclusive taxes are refused unless the business takes them, beside others always; custom forms (8%S) are refused.
    """
    _texts(row, "taxCode")
    known = {tax["abbreviation"]: Decimal(tax["rate"]) for tax in business.tables["taxes"].listed()}
    codes = row["taxCode"].split(",") if row.get("taxCode") else []
    minus = "-" if business.takes_included else ""
    if unknown := [code for code in codes if code.removeprefix(minus) not in known]:
        raise KashooError(f"Unknown tax code {unknown[0]!r}")
    if len({code.startswith("-") for code in codes}) > 1:
        raise KashooError("Inclusive and other taxes on one line")
    return {code: known[code.removeprefix(minus)] for code in codes}


def account(business: Business, row: Row, _old: Row | None) -> None:
    """Check an account; ``number`` may come as an integer or text of digits (both evidenced)."""
    _named(row, "name")
    if str(row.get("type")) not in ACCOUNT_TYPES:
        raise KashooError(f"Unknown account type {row.get('type')!r}")
    given = row.get("number") or 1 + max(
        (int(known["number"]) for known in business.tables["accounts"].listed()), default=0
    )
    row["number"] = _digits(given)


def customer(business: Business, row: Row, _old: Row | None) -> None:
    """Check a customer (shape assumed): a name is the only thing it must have."""
    _typed(row, "customer")
    info = row.get("contactInformation")
    if not isinstance(info, dict) or not isinstance(info.get("address") or {}, dict):
        raise KashooError("contactInformation must be an object")
    _named(info, "name")
    _texts(info, "firstName", "lastName", "email", "phone")
    _texts(info.get("address") or {}, "street", "city", "province", "postalCode", "country")
    _texts(row, "notes")
    if row.get("currency") is not None:
        _currency(business, row)


def item(business: Business, row: Row, _old: Row | None) -> None:
    """Check an item (shape assumed); it is bound to an INCOME account."""
    _named(row, "name")
    _texts(row, "code", "description")
    row["rate"] = integer(row, "rate", default=0)
    _income(business, row)
    _tax_codes(business, row)


def tax(_business: Business, row: Row, _old: Row | None) -> None:
    """Check a tax; ``rate`` is a decimal text in percent (assumed). Reached by data sets, not by HTTP."""
    _named(row, "name")
    _named(row, "abbreviation")
    Decimal(row["rate"])


def invoice(business: Business, row: Row, old: Row | None) -> None:
    """Check an invoice and compute ``amount`` (net, assumed), ``taxes``, ``totalDue``, due date and number."""
    _typed(row, "invoice")
    business.require_open(day(row.get("date"), "date"))
    row["dueDate"] = day(row.get("dueDate") or row["date"], "dueDate")
    _currency(business, row)
    _texts(row, "memo", "poNumber")
    if row.get("contact") is not None:
        # A removed contact keeps its transactions, so an invoice it already has may still be saved.
        kept = old is not None and old.get("contact") == row["contact"]
        contact = business.live("customers", row["contact"], removed_too=kept)
        if contact.get("currency") not in {None, row["currency"]}:
            raise KashooError(f"The customer is kept in {contact['currency']}, not {row['currency']}")
    row["lineItems"] = _objects(row, "lineItems")
    if not row["lineItems"]:
        raise KashooError("lineItems must not be empty")
    _totals(business, row)
    _keep_allocations(business, row, old)
    row["number"] = _number(business, row, old)


def _income(business: Business, row: Row) -> None:
    if business.live("accounts", row.get("account"))["type"] != "INCOME":
        raise KashooError("account must be an income account")


def _totals(business: Business, row: Row) -> None:
    total, taxes = 0, defaultdict[str, Decimal](Decimal)
    for line in row["lineItems"]:
        if line.get("item") is not None:
            bound = business.live("items", line["item"])
            for key in ("account", "description", "rate", "taxCode"):
                line[key] = bound.get(key) if line.get(key) is None else line[key]
        _income(business, line)
        _texts(line, "description")
        amount = whole(_quantity(line) * integer(line, "rate"), business.rounding)
        total += amount
        rates = _tax_codes(business, line)
        together = 100 + sum(rate for code, rate in rates.items() if code.startswith("-"))
        for code, rate in rates.items():
            tax_ = amount * rate / (together if code.startswith("-") else 100)
            taxes[code] += whole(tax_, business.rounding) if business.taxed_by_line else tax_
    computed = {code: whole(amount, business.rounding) for code, amount in taxes.items()}
    included = sum(amount for code, amount in computed.items() if code.startswith("-"))
    row["amount"] = total - included
    row["taxes"] = [{"abbreviation": code.removeprefix("-"), "amount": amount} for code, amount in computed.items()]
    row["totalDue"] = row["amount"] + sum(computed.values())
    if row["totalDue"] < 0:
        raise KashooError("The total of an invoice must not be negative")


def _quantity(line: Row) -> Decimal:
    value = line.get("quantity")
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise KashooError("quantity must be a number")
    quantity = Decimal(value)
    if abs(quantity) >= MAX_QUANTITY or quantity != round(quantity, QUANTITY_PLACES):
        raise KashooError(f"quantity is too large or has more than {QUANTITY_PLACES} decimals")
    return quantity


def _keep_allocations(business: Business, row: Row, old: Row | None) -> None:
    if old is None or not business.shares[old["id"]]:
        return
    if (row.get("contact"), row["currency"]) != (old.get("contact"), old["currency"]):
        raise KashooError("Payments are allocated to this invoice: its contact and currency are fixed")
    if row["totalDue"] < business.allocated[old["id"]]:
        raise KashooError("The total would fall below what is already paid")


def _number(business: Business, row: Row, old: Row | None) -> str:
    """Keep, take or draw the number. Assumed: digits only, no check for duplicates, kept when a PUT omits it."""
    given = row.get("number") or (old or {}).get("number") or business.next_number
    number = _digits(given)
    business.next_number = max(business.next_number, int(number) + 1)
    return number


def _digits(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch(rf"[0-9]{{1,{MAX_NUMBER_DIGITS}}}", str(value)):
        raise KashooError("number must consist of digits")
    return str(value)


def payment(business: Business, row: Row, _old: Row | None) -> None:
    """Check a payment; a negative one is a refund. Assumed: one sign throughout, deposit to CASH or BANK."""
    _typed(row, "invoicePayment")
    _texts(row, "memo")
    business.require_open(day(row.get("date"), "date"))
    _currency(business, row)
    if row.get("contact") is not None:
        business.live("customers", row["contact"], removed_too=True)
    if row.get("account") is not None and business.live("accounts", row["account"])["type"] not in {"BANK", "CASH"}:
        raise KashooError("account must be a cash or bank account")
    amount = integer(row, "amount")
    row["unallocatedAmount"] = integer(row, "unallocatedAmount", default=0)
    row["allocations"] = _objects(row, "allocations")
    for part in row["allocations"]:
        target = business.live("invoices", part.get("record"))
        if (target["currency"], target.get("contact")) != (row["currency"], row.get("contact")):
            raise KashooError("A payment can only be allocated to invoices of its own contact and currency")
    parts = [integer(part, "amount") for part in row["allocations"]]
    if amount == 0 or 0 in parts or any(part * amount < 0 for part in [*parts, row["unallocatedAmount"]]):
        raise KashooError("amount and allocations must not be zero and must have one sign")
    if sum(parts) + row["unallocatedAmount"] != amount:
        raise KashooError("allocations and unallocatedAmount must add up to amount")


def allocate(business: Business, old: Row | None, new: Row | None) -> None:
    """Move the balances when payment ``new`` takes the place of ``old``.

    Refused is what would allocate more than an invoice's total, or give back more than was paid (assumed).
    """
    change, shares = Counter[int](), Counter[int]()
    for sign, row in ((-1, old), (1, new)):
        for part in row["allocations"] if row else []:
            change[part["record"]] += sign * part["amount"]
            shares[part["record"]] += sign
    for invoice_id, delta in change.items():
        total = business.tables["invoices"].rows[invoice_id]["totalDue"]
        if not 0 <= business.allocated[invoice_id] + delta <= total:
            raise KashooError(f"Invoice {invoice_id} is not open for this allocation")
    business.allocated.update(change)
    business.shares.update(shares)


CHECKS: dict[str, Check] = {
    "accounts": account,
    "customers": customer,
    "items": item,
    "taxes": tax,
    "invoices": invoice,
    "invoicePayments": payment,
}

"""Deals as documents by a loop over rows: what a careful engineer writes by hand, with exact money and checked ids.

It knows one mapping, and what is not here it does not check. :mod:`transform` measures our transform beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal, getcontext
from functools import lru_cache
from math import floor
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
FORM = re.compile(r"[0-9A-Za-z]{18}")
PIECE = Decimal(1)
MILLIONTH = Decimal("0.000001")
ONE_OF = 50
"""One document of so many is compared whole."""

Document = dict[str, Any]


def documents(folder: Path) -> dict[str, Document]:
    """Make a document of each deal that is to be billed and whose lines add up to its amount."""
    getcontext().prec = 76
    found: dict[str, Document] = {}
    totals: dict[str, Decimal] = {}
    for row in _rows(folder, "records"):
        if row["IsWon"] and row["Amount"] is not None and row["Amount"] >= 100:
            _check(row["Id"])
            found[row["Id"]] = _header(row)
            totals[row["Id"]] = row["Amount"] * 100
    for row in _rows(folder, "lines"):
        document = found.get(row["parent"])
        if document is not None:
            document["lines"].append((_place(row), _line(row)))
    return {ident: _charged(document) for ident, document in found.items() if _add_up(document, totals[ident])}


def counted(made: dict[str, Document]) -> tuple[int, int]:
    """Count the invoices, and the cents of all their lines."""
    lines = (line for document in made.values() for line in document["lines"])
    return len(made), sum(int(Decimal(line["quantity"]) * line["rate"]) for line in lines)


def some(made: dict[str, Document]) -> dict[str, Document]:
    """Give some of the documents, to be compared whole."""
    return {ident: made[ident] for ident in sorted(made)[::ONE_OF]}


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(f"{name}.*.parquet")):
        yield from pq.read_table(path).to_pylist()


def _header(row: dict[str, Any]) -> Document:
    _check_once(row["AccountId"])
    day, terms = row["CloseDate"], row["Account.Payment_Terms__c"]
    return {
        "contact": {"link": ["customer", row["AccountId"]]},
        "date": day.isoformat(),
        "dueDate": (day + timedelta(days=30 if terms is None else int(terms))).isoformat(),
        "currency": row["CurrencyIsoCode"],
        "memo": row["Name"].strip(),
        "lines": [],
    }


def _line(row: dict[str, Any]) -> Document:
    _check_once(row["Product2Id"])
    return {
        "item": {"link": ["item", row["Product2Id"]]},
        "description": (row["Description"] or row["Product2.Name"]).strip(),
        "quantity": row["Quantity"],
        "exact": row["TotalPrice"] * 100,
        "account": "type:INCOME",
        "taxCode": "none",
    }


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Give what the lines of a deal are sorted by."""
    return row["SortOrder"], row["CreatedDate"], row["Id"]


def _add_up(document: Document, total: Decimal) -> bool:
    """Sort the lines, and turn exact amounts into whole cents that add up to the total; say whether they can."""
    lines = document["lines"] = [line for _, line in sorted(document["lines"], key=itemgetter(0))]
    exact = [line["exact"] for line in lines]
    for line, cents in zip(lines, _together(exact, _half_up(total)), strict=True):
        line["cents"] = cents
    return abs(sum(exact) - total) < 1


def _together(exact: list[Decimal], total: int) -> list[int]:
    """Round amounts down; those that lost most get a cent more, until they add up to the total."""
    cents = [floor(each) for each in exact]
    if missing := total - sum(cents):
        for place in sorted(range(len(exact)), key=lambda each: cents[each] - exact[each])[:missing]:
            cents[place] += 1
    return cents


def _charged(document: Document) -> Document:
    """Give each line its quantity and its rate; one piece, where no whole rate gives its amount."""
    for line in document["lines"]:
        quantity, exact, cents = line["quantity"].normalize(), line.pop("exact"), line.pop("cents")
        rate, rest = divmod(cents, quantity)
        if rest:
            sold = f"{quantity:,f} x {_price(exact / quantity / 100)}"
            line["description"], quantity, rate = f"{line['description']} ({sold})", PIECE, cents
        line["quantity"], line["rate"] = format(quantity, "f"), int(rate)
    return document


def _price(exact: Decimal) -> str:
    """Write the price of one piece: to the digit if it has at most six decimals."""
    short = exact.quantize(MILLIONTH).normalize()
    return f"{short:,.{max(2, -int(short.as_tuple().exponent))}f}" if short == exact else f"~{exact:,.2f}"


def _half_up(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_UP))


def _check(ident: str) -> None:
    """Refuse what is no record id of 18 characters with the right suffix."""
    if not FORM.fullmatch(ident) or ident[15:] != "".join(_sign(ident[start : start + 5]) for start in (0, 5, 10)):
        raise ValueError(f"{ident} is not a record id")


_check_once = lru_cache(None)(_check)


@lru_cache(None)
def _sign(letters: str) -> str:
    return SUFFIX[sum(letter.isupper() << place for place, letter in enumerate(letters))]

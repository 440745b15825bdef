"""Deals as documents by a loop over rows that does what ``every_feature.yaml`` says; see :mod:`row_loop`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, getcontext
from pathlib import Path
from typing import Any

from row_loop import (
    PIECE,
    Document,
    _add_up,
    _charged,
    _check,
    _check_once,
    _half_up,
    _place,
    _rows,
    _together,
    counted,
    some,
)

__all__ = ["counted", "documents", "some"]

NOT_BILLED = date(2025, 1, 1)
CENT = Decimal("0.01")
SHARES = {"Hardware": Decimal(60), "Services": Decimal(40)}


def documents(folder: Path) -> dict[str, Document]:
    """Make a document of each deal that is to be billed and whose lines add up to its amount."""
    getcontext().prec = 76
    found: dict[str, Document] = {}
    totals: dict[str, Decimal] = {}
    for row in _rows(folder, "records"):
        if (
            row["IsWon"]
            and row["Amount"] is not None
            and row["Amount"] >= 100
            and str(row["CloseDate"]) != "2025-01-01"
        ):
            _check(row["Id"])
            found[row["Id"]] = _header(row)
            totals[row["Id"]] = row["Amount"] * 100
    for row in _rows(folder, "lines"):
        document = found.get(row["parent"])
        if document is not None:
            document["lines"].append((_place(row), _line(row)))
    return {ident: _charged(_ruled(each)) for ident, each in found.items() if _add_up(each, totals[ident])}


def _header(row: dict[str, Any]) -> Document:
    _check_once(row["AccountId"])
    day, terms, name = row["CloseDate"], row["Account.Payment_Terms__c"], row["Name"].strip()
    late, amount = day.isoformat() >= "2025-08-01", row["Amount"].quantize(CENT, ROUND_HALF_UP)
    document = {
        "contact": {"link": ["customer", row["AccountId"]]},
        "date": day.isoformat(),
        "dueDate": (day + timedelta(days=30 if terms is None else int(terms))).isoformat(),
        "currency": {"USD": "USD", "CAD": "CAD"}[row["CurrencyIsoCode"]],
        "poNumber": f"PO {name[:10]}"[:12],
        "memo": f"late {name}" if late else f"{name}, {amount:,.2f} of {day:%d %B %Y}",
        "lines": [],
    }
    if day.isoformat() == "2025-05-05":
        document["payment"] = {"account": "1000", "date": day.isoformat()}
    return document


def _line(row: dict[str, Any]) -> Document:
    _check_once(row["Product2Id"])
    name = row["Product2.Name"]
    return {
        "item": {"link": ["item", row["Product2Id"]]},
        "description": (row["Description"] or name.upper()).strip(),
        "quantity": row["Quantity"],
        "exact": (row["TotalPrice"] * 2 - row["TotalPrice"]) * 100,
        "account": "type:INCOME",
        "taxCode": "S" if name.endswith("7") else "none",
    }


def _ruled(document: Document) -> Document:
    """Apply the rules to lines in whole cents."""
    day, lines = document["date"], document["lines"]
    if day >= "2025-08-01":
        for line in lines:
            line["project"] = "Late"
    if day < "2025-03-01":
        cents = _half_up(Decimal(sum(line["cents"] for line in lines)) * 5 / 100)
        lines.append({"description": "Handling", "account": "4200", "taxCode": "none"} | _in_one_piece(cents))
    if "2025-06-01" <= day < "2025-07-01":
        document["lines"] = [part for line in lines for part in _divided(line)]
    return document


def _divided(line: Document) -> Iterator[Document]:
    cents = _together([line["cents"] * percent / 100 for percent in SHARES.values()], line["cents"])
    for (project, percent), share in zip(SHARES.items(), cents, strict=True):
        said = f"{line['description']} ({percent} %)"
        yield {**line, "description": said, "project": project} | _in_one_piece(share)


def _in_one_piece(cents: int) -> Document:
    return {"quantity": PIECE, "exact": cents, "cents": cents}

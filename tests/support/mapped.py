"""Deals and lines as an extract stages them, and a mapping of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, documents, transform

AROUND = Surroundings("America/Vancouver", "CAD", {"customers": "customer", "items": "item"})
DEAL, OTHER, THIRD = "006000000000001AAA", "006000000000002AAA", "006000000000003AAA"
ACCOUNT, PRODUCT = "001000000000001AAA", "01t000000000001AAA"
NUMBER = pa.decimal128(38, 10)
TYPES = {
    "Amount": NUMBER,
    "TotalPrice": NUMBER,
    "Quantity": NUMBER,
    "UnitPrice": NUMBER,
    "Days": NUMBER,
    "IsWon": pa.bool_(),
    "CloseDate": pa.date32(),
    "WonAt": pa.timestamp("us", "UTC"),
}
MAPPING = """\
version: 1
name: invoices
from: {object: Opportunity, lines: OpportunityLineItems}
to: invoice
when: [IsWon, Amount >= 100]
total: {from: Amount}
fields:
  contact: {link: AccountId, mapping: customers}
  date: {from: CloseDate}
  currency: {from: CurrencyIsoCode}
  %s
lines:
  item: {link: Product2Id, mapping: items}
  description: {from: Description, default: {from: Product2.Name}}
  quantity: {from: Quantity}
  amount: {from: TotalPrice}
  account: "4000"
  taxCode: {from: Family, map: {Services: S}, default: none}
%s"""
DUE = "dueDate: {from: CloseDate, add_days: "
SINGLE = """\
single_line:
  description: {from: Name}
  amount: {from: Amount}
  account: "4000"
  taxCode: none
"""


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build columns as the extract stages them; whole numbers stand for decimals."""
    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = TYPES.get(name, pa.string())
        cells = [row.get(name) for row in rows]
        number = pa.types.is_decimal(kind)
        arrays[name] = pa.array([Decimal(c) if number and c is not None else c for c in cells], type=kind)
    return pa.table(arrays)


def deal(ident: str = DEAL, **changes: Any) -> dict[str, Any]:
    row = {"Id": ident, "Name": "Spring order", "IsWon": True, "Amount": "300.00", "AccountId": ACCOUNT}
    return row | {"CloseDate": date(2026, 3, 1), "CurrencyIsoCode": "CAD"} | changes


def line(parent: str = DEAL, **changes: Any) -> dict[str, Any]:
    row = {"parent": parent, "Product2Id": PRODUCT, "Product2.Name": "Widget", "Description": None}
    return row | {"Quantity": "3", "TotalPrice": "300.00", "Family": "Goods"} | changes


def run(*records: dict[str, Any], lines: list[dict[str, Any]] | None = None, field: str = "", tail: str = "", **around):
    mapping = load_mapping(MAPPING % (field or "poNumber: none", tail), "m.yaml")
    given_lines = [line(record["Id"]) for record in records] if lines is None else lines
    surroundings = Surroundings(**(AROUND.__dict__ | around))
    return transform(mapping, table(list(records)), table(given_lines) if given_lines else None, surroundings)


def excluded(result: Transformed) -> dict[str, str]:
    return {
        **{ident: why.text for why, ids in result.excluded.items() for ident in ids.to_pylist()},
        **{ident: credit.unmet.text for ident, credit in result.credits.items()},
    }


def sales(result: Transformed) -> dict[str, str]:
    made = zip(result.made["Id"].to_pylist(), result.made["sale"].to_pylist(), strict=True)
    return {**dict(made), **result.unfit_sales}


def only_problem(result: Transformed) -> Problem:
    assert (documents(result.made), list(result.problems)) == ({}, [DEAL])
    return result.problems[DEAL]

"""A value of Salesforce that its field cannot have parks its own record, and is never taken for an empty one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.transform import transform
from airflow_provider_kashoo.core.mapping.values.odd import ODD
from airflow_provider_kashoo.sync.read.columns import NUMBER, STAMP, from_csv, join, to_table

A, B, C = "006000000000001AAA", "006000000000002AAA", "006000000000003AAA"
TYPES = {
    "Id": pa.string(),
    "SystemModstamp": STAMP,
    "IsWon": pa.bool_(),
    "Amount": NUMBER,
    "CloseDate": pa.date32(),
    "Name": pa.string(),
}
GOOD = {"SystemModstamp": "2026-03-01T12:00:00Z", "IsWon": True, "Amount": 250, "CloseDate": "2026-03-01", "Name": "A"}
TEXT = """
version: 1
name: invoices
from: {object: Opportunity, lines: OpportunityLineItems}
to: invoice
when: [IsWon, Amount >= 100]
fields:
  contact: {link: Name, mapping: customers}
  date: {from: CloseDate}
  currency: CAD
lines:
  amount: {from: TotalPrice}
  account: "4000"
  taxCode: none
single_line:
  amount: {from: Amount}
  account: "4000"
  taxCode: none
"""
MAPPING = load_mapping(TEXT, "invoices.yaml")
AROUND = Surroundings("UTC", "CAD", {"customers": "customer"})


def frame(*rows: dict[str, Any]) -> Any:
    return join([to_table([GOOD | {"Name": "001000000000001AAA"} | row for row in rows], TYPES)])


@pytest.mark.parametrize("odd", ["abc", [], {}, True, "1e400", "1e999999999", Decimal("1e39"), Decimal("1e-39")])
def test_a_number_that_is_none_parks_its_record_although_a_condition_reads_it(odd: Any) -> None:
    made = transform(MAPPING, frame({"Id": A, "Amount": odd}, {"Id": B}, {"Id": C, "Amount": 5}), None, AROUND)
    assert {ident: problem.error_class for ident, problem in made.problems.items()} == {A: "odd_value"}
    assert made.problems[A].fix == "Correct Amount in Salesforce."
    assert made.made["Id"].to_pylist() == [B]
    assert {why.text: ids.to_pylist() for why, ids in made.excluded.items()} == {"Amount >= 100": [C]}


@pytest.mark.parametrize("when", ["IsWon, Amount >= 100", '"IsWon and Amount >= 100"'])
def test_what_another_condition_leaves_out_is_left_out(when: str) -> None:
    mapping = load_mapping(TEXT.replace("IsWon, Amount >= 100", when), "invoices.yaml")
    made = transform(mapping, frame({"Id": A, "Amount": [], "IsWon": False}), None, AROUND)
    assert (made.problems, [ids.to_pylist() for ids in made.excluded.values()]) == ({}, [[A]])


def test_a_value_that_this_mapping_does_not_read_does_not_matter() -> None:
    made = transform(MAPPING, frame({"Id": A, "SystemModstamp": "soon"}), None, AROUND)
    assert (made.made["Id"].to_pylist(), made.problems) == ([A], {})


def test_an_odd_line_parks_its_deal() -> None:
    types = {"Id": pa.string(), "parent": pa.string(), "TotalPrice": NUMBER}
    rows = [
        {"Id": "00k000000000001AAA", "parent": A, "TotalPrice": 250},
        {"Id": "00k000000000002AAA", "parent": A, "TotalPrice": "many"},
        {"Id": "00k000000000003AAA", "parent": B, "TotalPrice": 250},
    ]
    made = transform(MAPPING, frame({"Id": A}, {"Id": B}), join([to_table(rows, types)]), AROUND)
    assert {ident: problem.error_class for ident, problem in made.problems.items()} == {A: "odd_value"}
    assert made.made["Id"].to_pylist() == [B]


def test_a_page_of_a_bulk_job_is_read_but_for_its_odd_cells() -> None:
    content = (
        "Id,SystemModstamp,IsWon,Amount,CloseDate,Name\n"
        f"{A},2026-03-01T12:00:00.000Z,true,250.5,2026-03-01,one\n"
        f"{B},soon,maybe,much,2026-02-30,two\n"
        ",2026-03-01T12:00:00.000Z,true,1,2026-03-01,nobody\n"
        f"{C},,false,,,\n"
    )
    table = from_csv(content.encode(), TYPES)
    assert table["Id"].to_pylist() == [A, B, C]
    assert table["Amount"].to_pylist() == [Decimal("250.5"), None, None]
    assert table["IsWon"].to_pylist() == [True, None, False]
    assert table[ODD].to_pylist() == [None, "SystemModstamp,IsWon,Amount,CloseDate", None]


def test_a_page_without_odd_cells_has_no_column_for_them() -> None:
    assert ODD not in from_csv(f"Id,Amount\n{A},1\n".encode(), TYPES).column_names
    assert ODD not in to_table([{"Id": A} | GOOD], TYPES).column_names


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890123",
        "1E+21",
        "1.0E7",
        "0." + "3" * 30,
        "9" * 38,
        "-" + "9" * 20 + ".5",
        "7",
        "-30682216752222449798.2495697951572159786",
    ],
)
def test_a_number_in_a_page_is_exact_however_long(number: str) -> None:
    page = f"Id,Amount\n{A},{number}\n{B},250.5\n".encode()
    assert from_csv(page, TYPES)["Amount"].to_pylist() == [Decimal(number), Decimal("250.5")]
    rows = [{"Id": A, "Amount": Decimal(number)}, {"Id": B, "Amount": Decimal("250.5")}]
    assert to_table(rows, TYPES)["Amount"].to_pylist() == [Decimal(number), Decimal("250.5")]


def test_pages_with_numbers_of_two_widths_are_joined() -> None:
    pages = [from_csv(f"Id,Amount\n{ident},{number}\n".encode(), TYPES) for ident, number in ((A, "1.5"), (B, "1E-30"))]
    assert join(pages)["Amount"].to_pylist() == [Decimal("1.5"), Decimal("1E-30")]

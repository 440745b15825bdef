"""What the books are sent for each line: whole cents, and in words what was sold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from mapped import (
    AROUND,
    DEAL,
    MAPPING,
    OTHER,
    THIRD,
    deal,
    line,
    only_problem,
    run,
    table,
)

from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.amounts import add_up
from airflow_provider_kashoo.core.mapping.stages.lines import Lines
from airflow_provider_kashoo.core.mapping.stages.transform import documents, transform
from airflow_provider_kashoo.core.mapping.values.cells import Cells
from airflow_provider_kashoo.core.rules.totals import net_total
from airflow_provider_kashoo.core.values.texts import length


def test_the_rate_follows_from_the_total_after_discount():
    lines = [
        line(TotalPrice="100.00"),
        line(TotalPrice="199.99", Quantity="0.5"),
        line(TotalPrice="0.01", Quantity=None),
    ]
    kept = [(each["quantity"], each["rate"]) for each in documents(run(deal(), lines=lines).made)[DEAL]["lines"]]
    assert kept == [("1", 10000), ("0.5", 39998), ("1", 1)]


def test_what_cents_cannot_hold_goes_out_as_one_and_says_what_was_sold():
    lines = [
        line(TotalPrice="1153.60", Quantity="7000"),
        line(TotalPrice="100.00", **{"Product2.Name": None}),
        line(TotalPrice="-3.50", Quantity="-2", Description="Returned"),
        line(TotalPrice="100.00", Description="Desks (3 x ~33.33)"),
        line(TotalPrice="100.00", Description="3 x ~33.33"),
        line(TotalPrice="5.00", Quantity="0"),
        line(TotalPrice="30.00"),
    ]
    document = documents(run(deal(Amount="1485.10"), lines=lines).made)[DEAL]
    assert [(each["description"], each["quantity"], each["rate"]) for each in document["lines"]] == [
        ("Widget (7,000 x 0.1648)", "1", 115360),
        ("3 x ~33.33", "1", 10000),
        ("Returned (-2 x 1.75)", "1", -350),
        ("Desks (3 x ~33.33)", "1", 10000),
        ("3 x ~33.33", "1", 10000),
        ("Widget", "1", 500),
        ("Widget", "3", 1000),
    ]


def test_what_was_sold_fits_into_the_longest_description():
    short = MAPPING.replace("{from: Product2.Name}}", "{from: Product2.Name}, max_length: 20}")
    mapping = load_mapping(short % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="100.00", Description="Desks for the new office"), line(Description="x" * 30)]
    made = transform(mapping, table([deal(Amount="400.00")]), table(lines), AROUND).made
    found = documents(made)[DEAL]["lines"]
    assert [each["description"] for each in found] == ["Desks f (3 x ~33.33)", "x" * 20]


@pytest.mark.parametrize(
    ("more", "kept", "told"),
    [
        ("", 255, "x" * 242 + " (3 x ~33.33)"),
        (", max_length: 20", 255, "x" * 7 + " (3 x ~33.33)"),
        (", max_length: 300", 255, "x" * 242 + " (3 x ~33.33)"),
        ("", 12, "3 x ~33.33"),
    ],
)
def test_what_was_sold_fits_into_what_the_books_keep(more, kept, told):
    text = MAPPING.replace("{from: Product2.Name}}", f"{{from: Product2.Name}}{more}}}")
    mapping = load_mapping(text % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="100.00", Description="x" * 400)]
    found = transform(mapping, table([deal(Amount="100.00")]), table(lines), replace(AROUND, line_text=kept))
    assert documents(found.made)[DEAL]["lines"][0]["description"] == told


def test_a_letter_outside_of_the_first_plane_is_not_halved_before_what_was_sold():
    lines = [line(TotalPrice="100.00", Description="\N{GRINNING FACE}" * 400)]
    mapping = load_mapping(MAPPING % ("poNumber: none", ""), "m.yaml")
    found = transform(mapping, table([deal(Amount="100.00")]), table(lines), replace(AROUND, line_text=255))
    assert length(documents(found.made)[DEAL]["lines"][0]["description"]) in {254, 255}


def test_a_deal_whose_lines_do_not_add_up_is_a_problem():
    problem = only_problem(run(deal(), lines=[line(TotalPrice="299.985")]))
    assert problem.error_class == "lines_do_not_add_up"
    assert problem.cause == "its lines add up to 299.985, but its total is 300.00"
    assert problem.fix == "Compare the sum of its lines with Amount in Salesforce, and correct one of them."


@pytest.mark.parametrize(
    ("amount", "prices", "rates", "rounded"),
    [
        ("100.005", ["33.335"] * 3, [3334, 3334, 3333], "100.005 rounded to 100.01"),
        ("100.00", ["33.335"] * 3, [3334, 3333, 3333], ""),
        ("100.00", ["33.335", "66.665"], [3334, 6666], ""),
        ("100.005", ["133.34", "-33.335"], [13334, -3333], "100.005 rounded to 100.01"),
        ("100.009", ["100.00"], [10000], "100.009 rounded to 100.00"),
        ("100.00", ["100.0099999999"], [10000], ""),
        ("100.00", ["100.01"], None, "lines_do_not_add_up"),
        ("100.00", ["99.99"], None, "lines_do_not_add_up"),
    ],
)
def test_cents_that_nobody_can_correct_are_rounded_once_and_named(amount, prices, rates, rounded):
    result = run(deal(Amount=amount), lines=[line(TotalPrice=price, Quantity="1") for price in prices])
    if rates is None:
        assert only_problem(result).error_class == rounded
        return
    assert [each["rate"] for each in documents(result.made)[DEAL]["lines"]] == rates
    assert result.rounded.get(DEAL, "") == rounded


def test_without_a_total_the_sum_of_the_lines_is_rounded_once():
    mapping = load_mapping(MAPPING.replace("total: {from: Amount}\n", "") % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="33.335", Quantity="1") for _ in range(3)]
    result = transform(mapping, table([deal(Amount="999.00")]), table(lines), AROUND)
    assert net_total(documents(result.made)[DEAL]) == 10001


def test_thirty_decimals_are_exact_and_ten_thousand_lines_are_one_invoice():
    tiny = Decimal("1E-30")
    wide = pa.decimal256(76, 38)
    rows = [line(Id=f"{number:05}", Quantity="1", TotalPrice=Decimal("0.01")) for number in range(10_000)]
    rows[0]["TotalPrice"], rows[1]["TotalPrice"] = Decimal("0.015") - tiny, Decimal("0.005") + tiny
    lines = table([row | {"TotalPrice": None} for row in rows])
    prices = pa.array([row["TotalPrice"] for row in rows], wide)
    lines = lines.set_column(lines.column_names.index("TotalPrice"), "TotalPrice", prices)
    mapping = load_mapping(MAPPING % ("poNumber: none", ""), "m.yaml")
    found = documents(transform(mapping, table([deal(Amount="100.00")]), lines, AROUND).made)[DEAL]
    assert [each["rate"] for each in found["lines"]][:3] == [1, 1, 1]
    assert (len(found["lines"]), net_total(found)) == (10_000, 10_000)


@pytest.mark.parametrize("price", ["9" * 17, "-" + "9" * 17, "100000000000000000.00"])
def test_an_amount_that_the_books_cannot_count_parks_its_deal(price):
    result = run(
        deal(Amount="100.00"),
        deal(OTHER),
        lines=[line(TotalPrice=price), line(TotalPrice=f"{100 - Decimal(price):f}"), line(OTHER)],
    )
    assert list(documents(result.made)) == [OTHER]
    assert "has more digits than the books can hold" in result.problems[DEAL].cause


def test_a_rate_of_a_large_line_is_exact():
    result = run(deal(Amount="200000000000.00"), lines=[line(TotalPrice="200000000000.00", Quantity="0.000064")])
    (made,) = documents(result.made)[DEAL]["lines"]
    assert (made["quantity"], made["rate"]) == ("0.000064", 2 * 10**19 // 64)


def test_more_large_lines_than_a_column_can_add_up_are_added_up_exactly():
    count, most = 184_467, 10**14 - 1
    amounts = Cells(pa.array([most] * count, pa.int64()))
    lines = Lines(np.zeros(count, np.int64), {"amount": amounts}, np.zeros(count, np.bool_))
    assert add_up(lines, 1, ()).amount(0) == Decimal(count) * most


def test_a_line_without_a_parent_goes_nowhere():
    result = run(deal(), lines=[line(), line(parent=None, TotalPrice="999.00"), line(parent=THIRD)])
    assert [each["rate"] for each in documents(result.made)[DEAL]["lines"]] == [10_000]
    assert result.problems == {}

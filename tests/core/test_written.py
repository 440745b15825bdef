"""What is written by the column is what is written of each value for itself, to the letter."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mapped import DEAL, deal, documents, line, run

from airflow_provider_kashoo.core.mapping.stages.charge import all_described, described
from airflow_provider_kashoo.core.mapping.stages.sold import sold_in_words
from airflow_provider_kashoo.core.mapping.values.formats import format_of
from airflow_provider_kashoo.core.values.money import sold_as

FORMATS = ("#,##0.00", "0.00", "0", "#,##0", "0.##", "0.0##", "#.##0,00", "# ##0,0#", "#'##0.000000000", "0.###")
NUMBER = pa.decimal128(38, 18)

numbers = st.decimals(-(10**19), 10**19, allow_nan=False, allow_infinity=False, places=18)
prices = st.decimals(-(10**7), 10**7, allow_nan=False, allow_infinity=False, places=3)


@given(st.lists(st.none() | numbers | prices, max_size=8), st.sampled_from(FORMATS))
@example([Decimal("-0.004"), Decimal("999.995"), Decimal("-1234567.005"), None], "#,##0.00")
@example([None], "0")
def test_a_column_of_numbers_is_written_as_each_of_them(values: list[Decimal | None], text: str) -> None:
    by = format_of(text)
    written = by.write_column(pa.array(values, NUMBER))
    if written is None:  # no room
        assert any(value is not None and abs(value) > 10**8 for value in values)
    else:
        assert written.to_pylist() == [by.of(value) for value in values]


@pytest.mark.parametrize("kind", [NUMBER, pa.decimal128(7, 2), pa.decimal128(5, 0), pa.decimal128(38, 37)])
def test_numbers_of_any_type_are_written_by_the_column_or_left_to_be_written_one_by_one(kind: pa.DataType) -> None:
    by, values = format_of("0.0"), [Decimal("9.95") if kind.scale else Decimal(9), None, Decimal(-1)]
    written = by.write_column(pa.array(values, kind))
    assert written is None if kind.scale == 37 else written.to_pylist() == [by.of(value) for value in values]
    assert by.write_column(pa.array(values, pa.decimal256(60, 20))) is None
    assert by.write_column(pa.array(["9.95"])) is None


def test_a_number_without_room_is_written_all_the_same() -> None:
    result = run(deal(Days="1" + "0" * 19), field="memo: {from: Days, format: '#,##0.00'}", lines=[line()])
    assert documents(result.made)[DEAL]["memo"] == "10,000,000,000,000,000,000.00"


quantities = st.decimals("0.000001", 10**8, allow_nan=False, allow_infinity=False, places=6) | st.sampled_from(
    [Decimal(each) for each in ("0.5", "1.5", "3", "7", "12", "24", "7000")]
)


@given(st.lists(st.tuples(quantities, st.integers(-(10**13), 10**13) | st.integers(-(10**6), 10**6)), max_size=8))
@example([(Decimal(7000), 115_360), (Decimal(3), -10_000), (Decimal("0.000001"), 1), (Decimal(10**8), 1)])
@example([(Decimal(2), 9_223_372_036_854), (Decimal(2), 9_223_372_036_855), (Decimal(3), 0), (Decimal(8), 1)])
@example([(Decimal(20_000), 2_469), (Decimal(20_000), 2_471)])  # between two prices of six decimals
def test_what_was_sold_is_said_by_the_column_as_of_each_line(lines: list[tuple[Decimal, int]]) -> None:
    texts = [f"{quantity:f}" for quantity, _ in lines]
    sold = np.array([int(quantity * 10**6) for quantity, _ in lines], np.int64)
    said = sold_in_words(pa.array(texts, pa.string()), sold, np.array([cents for _, cents in lines], np.int64))
    for (quantity, cents), found in zip(lines, said.to_pylist(), strict=True):
        assert found in {None, sold_as(quantity, cents)}
        if abs(cents) <= 10**9 and quantity in {3, 7, 12, 24, 7000} and abs(cents) >= quantity:
            assert found is not None


def test_what_was_sold_at_a_fraction_of_a_cent_is_said_exactly() -> None:
    lines = [line(TotalPrice="33.335", Quantity="2")] * 3
    found = documents(run(deal(Amount="100.005"), lines=lines).made)[DEAL]["lines"]
    assert [each["description"] for each in found] == ["Widget", "Widget", "Widget (2 x 16.6675)"]


def test_nothing_is_said_where_no_quantity_is_given() -> None:
    said = sold_in_words(pa.array(["3", "3"]), np.array([0, 3_000_000]), np.array([10_000, 10_000]))
    assert said.to_pylist() == [None, "3 x ~33.33"]


texts = st.text(max_size=12) | st.sampled_from(
    ["3 x ~33.33", "Desk (3 x ~33.33)", "Desk (new)", "Desk ", "Büro", "\N{GRINNING FACE}"]
)


@given(st.lists(st.none() | texts, max_size=6), st.none() | st.integers(1, 30))
@example([None, "", "Desk", "Desk\x1c", "Desk\xa0", "3 x ~33.33", "Desk (3 x ~33.33)"], 30)
def test_what_was_sold_is_added_by_the_column_as_to_each_description(
    given_texts: list[str | None], longest: int | None
) -> None:
    made = all_described(
        pa.array(given_texts, pa.string()), pa.array(["3 x ~33.33"] * len(given_texts), pa.string()), longest
    )
    for text, found in zip(given_texts, made.to_pylist(), strict=True):
        assert found in {None, described(text, "3 x ~33.33", longest)}
        if text in {None, "Desk", "Büro"} and longest in {None, 30}:
            assert found is not None

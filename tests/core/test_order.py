"""The order of lines is what SOQL's ORDER BY would give, with Id as the last word."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.mapping.values.order import AS_SOLD, Term, parse, sort
from airflow_provider_kashoo.sync.read.columns import NUMBER, STAMP

TYPES = {"SortOrder": NUMBER, "CreatedDate": STAMP, "Name": pa.string(), "Big": pa.bool_(), "Id": pa.string()}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    cells = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    numbers = cells.get("SortOrder", [])
    cells |= {"SortOrder": [None if each is None else Decimal(each) for each in numbers]} if numbers else {}
    arrays = {name: pa.array(column, TYPES[name]) for name, column in cells.items()}
    return pa.table(arrays)


def order_of(text: str, *rows: dict[str, Any]) -> str:
    named = [{"Id": ident, **row} for ident, row in zip("abcdefgh", rows, strict=False)]
    return "".join(sort(table(named[::-1]), parse(text))["Id"].to_pylist())


def test_an_order_is_read_as_in_soql():
    assert parse(" A ,b.C__c desc,D Nulls  last, E ASC NULLS FIRST") == (
        Term("A"),
        Term("b.C__c", descending=True),
        Term("D", nulls_last=True),
        Term("E"),
    )


@pytest.mark.parametrize(
    "text", ["", "A,", "A B", "A DESC ASC", "A NULLS", "1A", "A;B", "A)", "A.", "A..B", "ä", "A\tB"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="is not an order"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "column", "values", "order"),
    [
        ("SortOrder", "SortOrder", [10, 9, None, 9, None], "cebda"),
        ("SortOrder NULLS LAST", "SortOrder", [10, 9, None, 9, None], "bdace"),
        ("SortOrder DESC", "SortOrder", [10, 9, None, 9, None], "ceabd"),
        ("SortOrder DESC NULLS LAST", "SortOrder", [10, 9, None, 9, None], "abdce"),
        ("SortOrder", "SortOrder", [None, None, None], "abc"),
        ("Name", "Name", ["b", "A", "a", "C"], "bcad"),
        ("Name DESC", "Name", ["b", "A", "a", "C"], "dabc"),
        ("Big", "Big", [True, False, None], "cba"),
        ("Nowhere, Name", "Name", ["b", "a"], "ba"),
    ],
)
def test_lines_are_sorted(text, column, values, order):
    assert order_of(text, *[{column: value} for value in values]) == order


def test_products_come_as_sold():
    rows = [
        {"SortOrder": 2, "CreatedDate": datetime(2026, 3, 1, tzinfo=UTC)},
        {"SortOrder": 1, "CreatedDate": datetime(2026, 3, 2, tzinfo=UTC)},
        {"SortOrder": 1, "CreatedDate": datetime(2026, 3, 1, tzinfo=UTC)},
        {"SortOrder": 1, "CreatedDate": datetime(2026, 3, 1, tzinfo=UTC)},
    ]
    assert parse("SortOrder, CreatedDate") == AS_SOLD
    assert order_of("SortOrder, CreatedDate", *rows) == "cdba"


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.none() | st.integers(-3, 3), st.sampled_from(["a", "B", None])), min_size=1, max_size=8),
    st.randoms(),
    st.booleans(),
    st.booleans(),
)
def test_the_order_depends_on_nothing_but_the_lines(rows, random, descending, nulls_last):
    terms = [Term("SortOrder", descending, nulls_last), Term("Name")]
    lines = [{"Id": str(number), "SortOrder": place, "Name": name} for number, (place, name) in enumerate(rows)]
    found = sort(table(random.sample(lines, len(lines))), terms)["Id"].to_pylist()

    def key(line: dict[str, Any]) -> tuple[Any, ...]:
        place, name = line["SortOrder"], line["Name"]
        empty = (place is None) == nulls_last
        return (empty, (place or 0) * (-1 if descending else 1), name is not None, (name or "").lower(), line["Id"])

    assert found == [line["Id"] for line in sorted(lines, key=key)]

"""Rows of a staged table, looked up by an id."""

from __future__ import annotations

from itertools import product

import pyarrow as pa
import pytest

from airflow_provider_kashoo.sync.read.table_index import TableIndex

PAID = pa.table({"invoice": pa.array([5, 3, 5, 9, 3, 5], pa.int64()), "payment": [1, 2, 3, 4, 5, 6]})


@pytest.mark.parametrize("wanted", [*product([3, 4, 5, 9], repeat=2), (), (2**62,), (-1, 3, 5, 9)])
def test_rows_are_found_as_a_search_through_all_of_them_would(wanted: tuple[int, ...]) -> None:
    rows = [row for ident in sorted(set(wanted)) for row in PAID.to_pylist() if row["invoice"] == ident]
    assert TableIndex(PAID, "invoice").rows(wanted) == rows


def test_a_table_that_was_not_staged_or_is_empty_has_no_rows() -> None:
    for table in (None, PAID.slice(0, 0)):
        assert (TableIndex(table, "invoice").ids, TableIndex(table, "invoice").rows([3])) == ([], [])


def test_each_number_is_named_once() -> None:
    assert TableIndex(PAID, "invoice").ids == [3, 5, 9]

"""Which conditions exclude each other, and which rules undo what an earlier one does."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.mapping.file.together import contradict
from airflow_provider_kashoo.core.mapping.values.expressions import Condition

NUMBERS = [None, *(Decimal(each) / 2 for each in range(-2, 11))]
ROWS = pd.DataFrame({"A": pd.Series(NUMBERS, dtype=pd.ArrowDtype(pa.decimal128(5, 1)))})


def said(first: str, second: str) -> bool:
    one, other = Condition(first).single, Condition(second).single
    assert one
    assert other
    assert contradict(one, other) == contradict(other, one)
    return contradict(one, other)


@pytest.mark.parametrize(
    ("first", "second", "exclude"),
    [
        ('T == "a"', 'T == "b"', True),
        ('T == "a"', 'T != "a"', True),
        ('T == "a"', 'T != "b"', False),
        ('T in ["a", "b"]', 'T in ["c"]', True),
        ('T in ["a", "b"]', 'T in ["b"]', False),
        ('T in ["a"]', 'T not in ["a", "b"]', True),
        ("W", "not W", True),
        ("W", "W == False", True),
        ("W", "V", False),
        ('D > "2026-01-01"', 'D < "2025-01-01"', True),
        ('D > "2025-01-01"', 'D < "2026-01-01"', False),
        ('T == "a"', "T > 3", False),  # of different types: the check of types says so
        ("T == None", 'T == "a"', True),
    ],
)
def test_what_is_plain_to_see(first: str, second: str, exclude: bool) -> None:
    assert said(first, second) is exclude


OPS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    op = draw(OPS)
    values = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    said = f"A {op} {values}" if "in" in op else f"A {op} {values[0]}"
    return f"not {said}" if draw(st.booleans()) and op in {"==", "in"} else said


@given(comparisons(), comparisons())
def test_what_excludes_each_other_no_value_meets(first: str, second: str) -> None:
    one, other = Condition(first), Condition(second)
    meets_both = (one.holds(ROWS) & other.holds(ROWS)).any()
    assert not (said(first, second) and meets_both)
    if not meets_both and not {"!=", "not in"} & {one.single.op, other.single.op}:
        assert said(first, second)

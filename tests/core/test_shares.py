"""Amounts are divided by the column exactly as they are one by one."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.mapping.stages.shares import MOST, divided_by
from airflow_provider_kashoo.core.values import money

AMOUNTS = st.integers(-2000, 2000) | st.integers(-MOST, MOST)


@st.composite
def percents(draw: st.DrawFn) -> list[Decimal]:
    """Shares that are together 100, of none to seven decimals."""
    places = draw(st.integers(0, 7))
    ends = draw(st.sets(st.integers(1, 100 * 10**places - 1), max_size=6))
    bounds = [0, *sorted(ends), 100 * 10**places]
    return [Decimal(end - start).scaleb(-places) for start, end in pairwise(bounds)]


@given(percents(), st.lists(AMOUNTS, max_size=8))
def test_a_column_is_divided_as_each_amount_by_itself(shares: list[Decimal], amounts: list[int]) -> None:
    one_by_one = [
        money.round_together([each * share / 100 for share in shares], each) for each in map(Decimal, amounts)
    ]
    assert divided_by(shares, np.array(amounts, np.int64)).tolist() == one_by_one


def test_equal_remainders_go_to_the_first_shares() -> None:
    thirds = [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")]
    found = divided_by(thirds, np.array([100, -100, 50, 0])).tolist()
    assert found == [[33, 33, 34], [-33, -33, -34], [17, 16, 17], [0, 0, 0]]

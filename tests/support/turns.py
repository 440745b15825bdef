"""Of all combinations some are tried every day, so that each value has its turn; the others are long tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest


def in_turns(first: Iterable[Any], second: Iterable[Any], one_in: int) -> list[Any]:
    """Combine two lists for ``parametrize``: one in so many is tried every day, each value of both among them."""
    axes = list(first), list(second)
    places = list(product(*(range(len(axis)) for axis in axes)))
    daily = {place for place in places if sum(place) % one_in == 0}
    assert all({place[at] for place in daily} == set(range(len(axis))) for at, axis in enumerate(axes))
    return [
        pytest.param(axes[0][one], axes[1][other], marks=[] if (one, other) in daily else pytest.mark.long)
        for one, other in places
    ]

"""Work that is done once for all equal values of a column."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def each_once(function: Callable[[Any], T], values: Iterable[Hashable]) -> list[T]:
    """Apply a function to each distinct value, and give its result wherever the value stands.

    :param values: of one type: ``True`` and ``1`` would be taken for the same.
    """
    given = list(values)
    results = {value: function(value) for value in set(given)}
    return [results[value] for value in given]

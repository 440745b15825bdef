"""A staged table whose rows are looked up by an id, a few at a time: only those become objects."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

import pyarrow as pa


class TableIndex:
    """A table in the order of a column of whole numbers; rows with the same number keep their order.

    :param table: None for one that was not staged: it has no rows.
    :param key: name of that column.
    """

    def __init__(self, table: pa.Table | None, key: str) -> None:
        self._rows = None if table is None else table.sort_by(key)
        self._keys = array("q", () if self._rows is None else self._rows[key].to_pylist())

    @property
    def ids(self) -> list[int]:
        """Every number, once."""
        return list(dict.fromkeys(self._keys))

    def rows(self, ids: Iterable[int]) -> list[dict[str, Any]]:
        """Give the rows with some numbers, as column -> value, in the order of the numbers."""
        found: list[int] = []
        for ident in sorted(set(ids)):
            first = bisect_left(self._keys, ident)
            found += range(first, bisect_right(self._keys, ident, first))
        return list(self._rows.take(found).to_pylist()) if self._rows is not None and found else []

"""A column of converted values; the few that a column cannot hold stand beside it, by their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem

LARGE = 10**14
"""Minor units; smaller whole amounts are counted in a column."""

TEXT = pa.string()
MONEY = pa.int64()

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """What one field of a mapping gives for every row.

    :param values: texts, or money in whole minor units; empty also where one of the others has the row.
    :param problems: row -> why it has no value.
    :param exact: row -> an amount in minor units that has a fraction, or is :data:`LARGE`.
    """

    values: pa.Array
    problems: Mapping[int, Problem] = field(default_factory=dict)
    exact: Mapping[int, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[Any], kind: pa.DataType, rows: Rows | None = None) -> Cells:
        """Sort converted values into a column.

        :param found: texts or exact amounts, problems, or None where empty.
        :param kind: of the column: text, or int64 for money.
        :param rows: for each row the place of its value, -1 where empty; if not given, each value has a row.
        """
        given = list(found)
        plain = [_plain(value) for value in given]
        values = pa.array(plain, kind)
        apart = [place for place, value in enumerate(given) if value is not None and plain[place] is None]
        beside: dict[int, Any] = {place: given[place] for place in apart}
        if rows is not None:
            values = values.take(pa.array(rows, mask=rows < 0))
            here = np.flatnonzero(np.isin(rows, apart)) if apart else ()
            beside = {int(row): given[rows[row]] for row in here}
        return cls(
            values,
            {row: value for row, value in beside.items() if isinstance(value, Problem)},
            {row: value for row, value in beside.items() if isinstance(value, Decimal)},
        )

    @classmethod
    def repeated(cls, value: Any, kind: pa.DataType, rows: int) -> Cells:
        """Give every row the same value."""
        return cls.of([value], kind, np.zeros(rows, np.int64))

    @property
    def beside(self) -> Mapping[int, Problem | Decimal]:
        """What is not in the column, by its row."""
        return {**self.problems, **self.exact}

    def each(self, function: Callable[[Any], Any], kind: pa.DataType = TEXT) -> Cells:
        """Apply a function once to each distinct value of the column; what is empty or a problem stays.

        :param kind: of the new column.
        """
        encoded = self.values.dictionary_encode()
        rows = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        made = Cells.of(map(function, encoded.dictionary.to_pylist()), kind, rows)
        return Cells(made.values, {**made.problems, **self.problems}, made.exact)

    def where_empty(self, other: Cells) -> Cells:
        """Fill what is empty, and no problem, from other cells of the same rows."""
        own = self.beside
        values = pc.coalesce(self.values, other.values)
        if own:
            mask = np.zeros(len(values), np.bool_)
            mask[list(own)] = True
            values = pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
        free = {row: value for row, value in other.beside.items() if row not in own and not self.values[row].is_valid}
        return Cells(
            values,
            {**self.problems, **{row: value for row, value in free.items() if isinstance(value, Problem)}},
            {**self.exact, **{row: value for row, value in free.items() if isinstance(value, Decimal)}},
        )

    def where(self, mask: npt.NDArray[np.bool_], other: Cells) -> Cells:
        """Take other cells in some rows."""
        own = {row: value for row, value in self.beside.items() if not mask[row]}
        beside = own | {row: value for row, value in other.beside.items() if mask[row]}
        return Cells(
            pc.if_else(pa.array(mask), other.values, self.values),
            {row: value for row, value in beside.items() if isinstance(value, Problem)},
            {row: value for row, value in beside.items() if isinstance(value, Decimal)},
        )

    def with_values(self, values: pa.Array) -> Cells:
        """Put other values in the column."""
        return Cells(values, self.problems, self.exact)

    def take(self, rows: Rows) -> Cells:
        """Choose rows, in this order."""
        values = self.values.take(pa.array(rows))
        if not self.beside:
            return Cells(values)
        here = {row: int(rows[row]) for row in np.flatnonzero(np.isin(rows, list(self.beside))).tolist()}
        return Cells(
            values,
            {row: self.problems[old] for row, old in here.items() if old in self.problems},
            {row: self.exact[old] for row, old in here.items() if old in self.exact},
        )

    def followed_by(self, other: Cells) -> Cells:
        """Join the rows of two."""
        first = len(self.values)
        return Cells(
            pa.concat_arrays([self.values, other.values]),
            {**self.problems, **{first + row: value for row, value in other.problems.items()}},
            {**self.exact, **{first + row: value for row, value in other.exact.items()}},
        )

    def empty(self) -> npt.NDArray[np.bool_]:
        """Say of each row whether it has nothing at all."""
        found: npt.NDArray[np.bool_] = self.values.is_null().to_numpy(zero_copy_only=False)
        if self.beside:
            found = found.copy()  # Arrow's own memory is read only
            found[list(self.beside)] = False
        return found

    def whole(self) -> Rows:
        """Give whole amounts as numbers, 0 where there is none in the column."""
        found: Rows = self.values.fill_null(0).to_numpy(zero_copy_only=False)
        return found

    def amount(self, row: int) -> Decimal | None:
        """Give an amount, exact, minor units; None where there is none."""
        value = self.values[row].as_py()
        return self.exact.get(row) if value is None else Decimal(value)

    def to_list(self) -> list[Any]:
        """Give every value, with the problems and exact amounts among them."""
        values: list[Any] = self.values.to_pylist()
        for row, value in self.beside.items():
            values[row] = value
        return values


def _plain(value: Any) -> Any:
    """Give what a column can hold of a value; None for the rest."""
    if isinstance(value, Problem):
        return None
    if isinstance(value, Decimal):
        return int(value) if abs(value) < LARGE and value == int(value) else None
    return value

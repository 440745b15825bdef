"""The amounts of lines added up, and compared with the totals of their records.

Whole cents are counted by the column. A record with fractions of a cent, or with very large amounts, is counted for
itself, exactly.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as MappingType
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.lines import Lines
from airflow_provider_kashoo.core.mapping.values.cells import LARGE, Cells, Rows
from airflow_provider_kashoo.core.values import money

MOST_LINES = 90_000
"""Lines of one record whose amounts a column can add up: each is below :data:`~.cells.LARGE`."""


def add_up(lines: Lines, records: int, left_out: Collection[int]) -> Cells:
    """Add up the lines of each record, exactly, minor units; one without lines adds up to 0.

    :param left_out: rows of records that are not added up.
    """
    amounts, starts = lines.of("amount"), lines.starts(records)
    sums, empty = np.zeros(records, np.int64), np.zeros(records, np.bool_)
    np.add.at(sums, lines.owners, amounts.whole())
    too_much = (np.abs(sums) >= LARGE) | (np.diff(starts) > MOST_LINES)
    one_by_one = {*lines.owners[list(amounts.exact)].tolist(), *np.flatnonzero(too_much).tolist()} - {*left_out}
    exact = {row: money.add_up(exact_amounts(lines, starts, row)) for row in sorted(one_by_one)}
    empty[[*left_out, *exact]] = True
    return Cells(pa.array(sums, mask=empty), exact=exact)


def exact_amounts(lines: Lines, starts: Rows, record: int) -> list[Decimal]:
    """Give the amounts of a record's lines as exact decimals, minor units."""
    amounts, rows = lines.of("amount"), range(starts[record], starts[record + 1])
    whole = amounts.values.slice(rows.start, len(rows)).to_pylist()
    return [amounts.exact.get(row, Decimal(value or 0)) for row, value in zip(rows, whole, strict=True)]


def unequal(sums: Cells, totals: Cells, others: MappingType[int, str], origin: str) -> dict[int, Problem]:
    """Say which records do not add up to their totals; what has no total is passed over.

    :param others: row -> currency, of records in one without hundredths.
    :param origin: the field that the totals come from.
    """
    known = pc.and_(sums.values.is_valid(), totals.values.is_valid()).to_numpy(zero_copy_only=False)
    differ = np.flatnonzero(known & (sums.whole() != totals.whole()))
    rows = [*differ.tolist(), *sorted({*sums.exact, *totals.exact})]
    found = dict[int, Problem]()
    for row in rows:
        lines, total = sums.amount(row), totals.amount(row)
        if (
            lines is not None
            and total is not None
            and (problem := do_not_add_up(lines, total, others.get(row), origin))
        ):
            found[row] = problem
    return found


def do_not_add_up(lines: Decimal, total: Decimal, currency: str | None, origin: str) -> Problem | None:
    """Return the problem when lines and total differ by a minor unit or more; less is rounding.

    :param lines: exact sum of the lines, in hundredths.
    :param total: exact total of the record, in hundredths.
    :param origin: the field that the total comes from.
    """
    if lines == total or abs(money.in_units_of(currency, money.add_up([lines, total.copy_negate()]))) < 1:
        return None
    cause = f"its lines add up to {money.format_exact(lines)}, but its total is {money.format_exact(total)}"
    fix = f"Compare the sum of its lines with {origin} in Salesforce, and correct one of them."
    return Problem("lines_do_not_add_up", cause, fix)

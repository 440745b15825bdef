"""What an invoice says of its lines: whole cents that add up, and what was sold in words.

Whole cents are counted by the column. A record with fractions of a cent, or with very large amounts, is counted for
itself, exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.cells import LARGE, TEXT, Cells, Rows
from airflow_provider_kashoo.core.mapping.lines import Lines
from airflow_provider_kashoo.core.mapping.select import Mask
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.texts import cut, length

_MILLIONTHS = 10**6
"""Quantities with up to six decimals are counted in these."""

MOST = 2**63 - 1
"""The largest rate, minor units (assumed: the books count in 64 bits)."""

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


def unequal(sums: Cells, totals: Cells, origin: str) -> dict[int, Problem]:
    """Say which records do not add up to their totals; what has no total is passed over.

    :param origin: the field that the totals come from.
    """
    known = pc.and_(sums.values.is_valid(), totals.values.is_valid()).to_numpy(zero_copy_only=False)
    differ = np.flatnonzero(known & (sums.whole() != totals.whole()))
    rows = [*differ.tolist(), *sorted({*sums.exact, *totals.exact})]
    found = dict[int, Problem]()
    for row in rows:
        lines, total = sums.amount(row), totals.amount(row)
        if lines is not None and total is not None and (problem := do_not_add_up(lines, total, origin)):
            found[row] = problem
    return found


def do_not_add_up(lines: Decimal, total: Decimal, origin: str) -> Problem | None:
    """Return the problem when lines and total differ by a cent or more; less is rounding.

    :param lines: exact sum of the lines, minor units.
    :param total: exact total of the record, minor units.
    :param origin: the field that the total comes from.
    """
    if lines == total or abs(money.add_up([lines, total.copy_negate()])) < 1:
        return None
    cause = f"its lines add up to {money.format_exact(lines)}, but its total is {money.format_exact(total)}"
    fix = f"Compare the sum of its lines with {origin} in Salesforce, and correct one of them."
    return Problem("lines_do_not_add_up", cause, fix)


@dataclass(frozen=True)
class Charged:
    """Lines as the books take them.

    :param quantities: decimal text of each line.
    :param rates: minor units; quantity times rate is the amount of the line.
    :param descriptions: what was sold is added where the quantity of Salesforce could not be kept.
    :param rounded: row of a record -> how its total was rounded, for people.
    :param problems: row of a record -> why the books cannot hold its lines.
    """

    quantities: pa.Array
    rates: pa.Array
    descriptions: pa.Array
    rounded: dict[int, str] = field(default_factory=dict)
    problems: dict[int, Problem] = field(default_factory=dict)


def charge(lines: Lines, totals: Cells, sums: Cells, chosen: Mask, longest: int | None = None) -> Charged:
    """Turn the exact amount of each line into a quantity and a whole rate, those of a record rounded together.

    A line whose rate minor units cannot hold becomes quantity 1 at its amount; its description says what was sold.

    :param totals: exact total of each record, minor units.
    :param chosen: which records to charge; their lines add up to their totals.
    :param longest: most characters of a description; None for no limit.
    """
    whole = lines.of("amount").whole().copy()
    rounded, problems = _round(lines, totals, sums, chosen, whole)
    quantities = lines.of("quantity").values.fill_null("1")
    sold = _in_millionths(quantities)
    divisible = (sold > 0) & (np.abs(whole) <= MOST // _MILLIONTHS)
    scaled, by = np.where(divisible, whole, 0) * _MILLIONTHS, np.where(divisible, sold, 1)
    kept = divisible & (scaled % by == 0)
    rates = np.where(kept, scaled // by, whole)
    others = {int(row): _other(lines, int(row), int(whole[row]), longest) for row in _open(lines, chosen, ~kept)}
    for row, (_, rate, _) in others.items():
        rates[row] = rate
    return Charged(
        _replaced(quantities, {row: quantity for row, (quantity, _, _) in others.items()}),
        pa.array(rates),
        _replaced(lines.of("description").values, {row: text for row, (_, _, text) in others.items()}),
        rounded,
        problems,
    )


def _round(
    lines: Lines, totals: Cells, sums: Cells, chosen: Mask, whole: Rows
) -> tuple[dict[int, str], dict[int, Problem]]:
    """Round the lines of each record that the column could not count, into ``whole``."""
    rounded, problems, starts = dict[int, str](), dict[int, Problem](), lines.starts(len(chosen))
    for record in sorted(row for row in {*sums.exact, *totals.exact} if chosen[row]):
        total = totals.amount(record) or Decimal(0)
        cents = money.round_together(exact_amounts(lines, starts, record), total)
        if any(abs(each) > MOST for each in cents):
            cause = f"its total {money.format_exact(total)} has more digits than the books can hold"
            problems[record] = Problem("not_money", cause, "Bill this deal by hand.")
            continue
        whole[starts[record] : starts[record + 1]] = cents
        if sum(cents) != total:
            rounded[record] = f"{money.format_exact(total)} rounded to {money.format_minor(sum(cents))}"
    return rounded, problems


def _in_millionths(quantities: pa.Array) -> Rows:
    """Count quantities in millionths; -1 where that cannot be done, or where it is no more than nothing."""
    encoded = quantities.dictionary_encode()
    counted = [_millionths(Decimal(text)) for text in encoded.dictionary.to_pylist()]
    found: Rows = np.array(counted, np.int64)[encoded.indices.to_numpy()] if counted else np.array([], np.int64)
    return found


def _millionths(quantity: Decimal) -> int:
    count = quantity * _MILLIONTHS
    return int(count) if 0 < count < LARGE and count == int(count) else -1


def _open(lines: Lines, chosen: Mask, mask: Mask) -> Rows:
    return np.flatnonzero(mask & chosen[lines.owners]) if len(lines.owners) else np.array([], np.int64)


def _other(lines: Lines, row: int, amount: int, longest: int | None) -> tuple[str, int, str | None]:
    """Charge one line for itself: its quantity, its rate, and its description."""
    text = lines.of("description").values[row].as_py()
    sold = Decimal(lines.of("quantity").values[row].as_py() or "1")
    quantity, rate = money.rate_of(amount, sold)
    quantity, rate = (quantity, rate) if abs(rate) <= MOST else (Decimal(1), amount)
    if sold and quantity != sold:
        exact = lines.of("amount").exact.get(row, Decimal(amount))
        text = _described(text, money.sold_as(sold, exact), longest)
    return format(quantity.normalize(), "f"), rate, text


def _described(text: str | None, sold: str, longest: int | None) -> str:
    """Add what was sold to a description that does not end with it already: if one must be shortened, the text."""
    if not text or text == sold:
        return sold
    ending = f" ({sold})"
    if text.endswith(ending):
        return text
    kept = text if longest is None else cut(text, max(0, longest - length(ending)))
    return kept + ending if kept else sold


def _replaced(texts: pa.Array, others: Mapping[int, str | None]) -> pa.Array:
    """Put other texts into some rows."""
    mask = np.zeros(len(texts), np.bool_)
    mask[list(others)] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([others[row] for row in sorted(others)], TEXT))

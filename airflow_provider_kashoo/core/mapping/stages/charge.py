"""What the books are sent for each line: a quantity and a whole rate, and in words what was sold if that is not exact.

Lines in whole cents are charged by the column. The lines of a record with fractions of a cent are rounded together.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.amounts import exact_amounts
from airflow_provider_kashoo.core.mapping.stages.lines import EXACT, Lines
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.stages.sold import MILLIONTHS, sold_in_words
from airflow_provider_kashoo.core.mapping.values.cells import LARGE, MONEY, TEXT, Cells, Rows
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.texts import cut, length

_ONE = Decimal(1)

MOST = 2**63 - 1
"""The largest rate, minor units (assumed: the books count in 64 bits)."""

_PLAIN_END = r"[!-(*-~\pL]$"
"""Texts that may end neither with a blank nor with what was sold."""

Sold = tuple[str | None, str, int, Decimal | None, bool]
"""A line: description, quantity, amount in whole minor units, the exact amount if that is another, and whether it is
known that no whole rate gives it."""


@dataclass(frozen=True)
class Charged:
    """Lines as the books take them.

    :param quantities: decimal text of each line.
    :param rates: minor units; quantity times rate is the amount of the line.
    :param descriptions: what was sold is added where the quantity of Salesforce could not be kept.
    """

    quantities: pa.Array
    rates: pa.Array
    descriptions: pa.Array


def in_whole_cents(
    lines: Lines, sums: Cells, totals: Cells, chosen: Mask, others: MappingType[int, str], rounding: money.Rounding
) -> tuple[Lines, dict[int, str], dict[int, Problem]]:
    """Round the lines of each record together, to whole units of its currency.

    :param sums: exact sum of the lines of each record, in hundredths.
    :param totals: exact total of each record, in hundredths; no minor unit away from the sum.
    :param chosen: which records; the lines of the others stay.
    :param others: row -> currency, of records in one without hundredths.
    :returns: the lines; row of a record -> how its total was rounded, for people; and why the books cannot hold it.
    """
    amounts = lines.of("amount")
    whole, empty = amounts.whole().copy(), amounts.empty()
    rounded, problems, starts = dict[int, str](), dict[int, Problem](), lines.starts(len(chosen))
    as_sold = dict(amounts.exact)
    for record in sorted(row for row in {*sums.exact, *totals.exact, *others} if chosen[row]):
        total, currency = totals.amount(record) or Decimal(0), others.get(record)
        exact = exact_amounts(lines, starts, record)
        units = [money.in_units_of(currency, each) for each in exact]
        cents = money.round_together(units, money.in_units_of(currency, total), rounding)
        if any(abs(each) > MOST for each in cents):
            cause = f"its total {money.format_exact(total)} has more digits than the books can hold"
            problems[record] = Problem("not_money", cause, "Bill this deal by hand.")
            continue
        whole[starts[record] : starts[record + 1]] = cents
        if currency:
            as_sold |= dict(enumerate(exact, int(starts[record])))
        if sum(cents) != money.in_units_of(currency, total):
            rounded[record] = f"{money.format_exact(total)} rounded to {money.format_in(currency, sum(cents))}"
    sold = Cells(pa.nulls(len(whole), MONEY), exact=as_sold)
    cells = {**lines.cells, "amount": Cells(pa.array(whole, mask=empty)), EXACT: sold}
    return replace(lines, cells=cells), rounded, problems


def charge(lines: Lines, chosen: Mask, longest: int | None = None) -> Charged:
    """Turn the amount of each line, whole minor units, into a quantity and a whole rate.

    A line whose rate minor units cannot hold becomes quantity 1 at its amount; its description says what was sold.

    :param chosen: which records to charge.
    :param longest: most characters of a description; None for no limit.
    """
    whole, exact = lines.of("amount").whole(), lines.of(EXACT).exact
    quantities = lines.of("quantity").values.fill_null("1")
    sold = _in_millionths(quantities)
    divisible = (sold > 0) & (np.abs(whole) <= MOST // MILLIONTHS)
    scaled, by = np.where(divisible, whole, 0) * MILLIONTHS, np.where(divisible, sold, 1)
    kept = divisible & (scaled % by == 0)
    rates = np.where(kept, scaled // by, whole)
    others = np.flatnonzero(~kept & chosen[lines.owners])
    by_column = np.where(divisible, sold, 0)
    by_column[list(exact)] = 0
    descriptions = lines.of("description").values
    texts, given = (each.take(pa.array(others)) for each in (descriptions, quantities))
    said = all_described(texts, sold_in_words(given, by_column[others], whole[others]), longest)
    alone = np.flatnonzero(said.is_null().to_numpy(zero_copy_only=False))
    charged = each_once(
        partial(_charged, longest=longest),
        zip(
            texts.take(pa.array(alone)).to_pylist(),
            given.take(pa.array(alone)).to_pylist(),
            whole[others[alone]].tolist(),
            map(exact.get, others[alone].tolist()),
            divisible[others[alone]].tolist(),
            strict=True,
        ),
    )
    rates[others[alone]] = [rate for _, rate, _ in charged]
    pieces = pa.array(np.ones(len(others), np.int64)).cast(TEXT)
    return Charged(
        _replaced(quantities, others, _replaced(pieces, alone, [quantity for quantity, _, _ in charged])),
        pa.array(rates),
        _replaced(descriptions, others, _replaced(said, alone, [text for _, _, text in charged])),
    )


def _in_millionths(quantities: pa.Array) -> Rows:
    """Count quantities in millionths; -1 where that cannot be done, or where it is no more than nothing."""
    encoded = quantities.dictionary_encode()
    counted = [_millionths(Decimal(text)) for text in encoded.dictionary.to_pylist()]
    found: Rows = np.array(counted, np.int64)[encoded.indices.to_numpy()] if counted else np.array([], np.int64)
    return found


def _millionths(quantity: Decimal) -> int:
    count = quantity * MILLIONTHS
    return int(count) if 0 < count < LARGE and count == int(count) else -1


def _charged(line: Sold, longest: int | None) -> tuple[str, int, str | None]:
    """Charge one line for itself: its quantity, its rate, and its description."""
    text, given, amount, exact, is_inexact = line
    sold = Decimal(given)
    quantity, rate = (_ONE, amount) if is_inexact else money.rate_of(amount, sold)
    if abs(rate) > MOST:
        quantity, rate = _ONE, amount
    if sold and quantity != sold:
        text = described(text, money.sold_as(sold, amount if exact is None else exact), longest)
    return "1" if quantity is _ONE else format(quantity.normalize(), "f"), rate, text


def described(text: str | None, sold: str, longest: int | None) -> str:
    """Add what was sold, or the share that is billed, to a description that does not end with it already.

    If one of the two must be shortened, it is the text.
    """
    if not text or text == sold:
        return sold
    ending = f" ({sold})"
    if text.endswith(ending):
        return text
    kept = text if longest is None else cut(text, max(0, longest - length(ending)))
    return kept + ending if kept else sold


def all_described(texts: pa.Array, sold: pa.Array, longest: int | None) -> pa.Array:
    """Add what was sold to descriptions; empty where :func:`described` has to, because the two may be something else.

    :param sold: empty where that is not known.
    """
    made = pc.coalesce(pc.binary_join_element_wise(texts, pc.binary_join_element_wise(" (", sold, ")", ""), ""), sold)
    plain = pc.and_(pc.match_substring_regex(texts, _PLAIN_END), pc.not_equal(texts, sold))
    if longest is not None:
        plain = pc.and_(plain, pc.less_equal(pc.binary_length(made), longest))  # of no text are there fewer bytes
    return pc.if_else(pc.fill_null(plain, fill_value=True), made, pa.scalar(None, TEXT))


def as_lists(lines: Lines, charged: Charged, records: int) -> pa.Array:
    """Give the lines of each record as a list, as the books take them."""
    cells = {name: each.values for name, each in lines.cells.items() if name not in {"amount", EXACT}}
    cells |= {"description": charged.descriptions, "quantity": charged.quantities, "rate": charged.rates}
    rows = pa.StructArray.from_arrays(list(cells.values()), names=list(cells))
    return pa.ListArray.from_arrays(pa.array(lines.starts(records), pa.int32()), rows)


def _replaced(texts: pa.Array, rows: Rows, others: pa.Array | Sequence[str | None]) -> pa.Array:
    """Put other texts into some rows."""
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(others, TEXT))

"""What was sold, in words and by the column: what :func:`.money.sold_as` says of one line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.values.cells import TEXT, Rows
from airflow_provider_kashoo.core.mapping.values.written import written
from airflow_provider_kashoo.core.values.money import CENTS, MINOR_DIGITS, quantity_in_words

MILLIONTHS = 10**6
"""Quantities with up to six decimals are counted in these."""

MOST = 2**63 - 1
"""The largest number of a column."""

_MOST_PLACES = 6


def sold_in_words(quantities: pa.Array, sold: Rows, amounts: Rows) -> pa.Array:
    """Say what was sold on each line, such as ``7,000 x 0.1648``.

    :param quantities: decimal texts.
    :param sold: the same in millionths, below a hundredth of :data:`MOST`; 0 where nothing is to be said.
    :param amounts: whole minor units.
    :returns: empty also where a column has no room, or a price needs more than six decimals.
    """
    given = (sold > 0) & (np.abs(amounts) <= MOST // MILLIONTHS)
    sold, amounts = np.where(given, sold, 1), np.where(given, amounts, 0)
    common = np.gcd(sold, MILLIONTHS)
    units, each = amounts * (MILLIONTHS // common), sold // common * int(CENTS)  # their ratio is the unit price
    given &= (np.abs(units) <= MOST // 10**_MOST_PLACES) & (each <= MOST // 1000)
    units, each = np.where(given, units, 0), np.where(given, each, 1)
    given &= np.abs(units) * 10**_MOST_PLACES >= 1000 * each  # otherwise a price needs more decimals
    places, exact = _places(units, each)
    marks = pa.array(["~", ""]).take(pa.array(exact).cast(pa.int8()))
    prices = pc.binary_join_element_wise(marks, written(_divided(units * 10**places, each), places), "")
    encoded = quantities.dictionary_encode()
    words = pa.array([quantity_in_words(each) for each in encoded.dictionary.to_pylist()], TEXT).take(encoded.indices)
    return pc.if_else(pa.array(given), pc.binary_join_element_wise(words, prices, " x "), pa.scalar(None, TEXT))


def _places(units: Rows, each: Rows) -> tuple[Rows, Mask]:
    """Say how many decimals each price has, and whether it is exact: if it is short, else it has four digits."""
    rounded, exact = np.full(len(units), MINOR_DIGITS), np.zeros(len(units), np.int64)
    for few in range(MINOR_DIGITS, _MOST_PLACES):
        rounded += np.abs(units) * 10**few < 1000 * each
    for few in range(_MOST_PLACES, MINOR_DIGITS - 1, -1):
        exact[units * 10**few % each == 0] = few
    return np.where(exact > 0, exact, rounded), exact > 0


def _divided(units: Rows, each: Rows) -> Rows:
    """Divide, and round to the nearest whole number; of two, to the even one."""
    found, rest = np.divmod(units, each)
    nearest: Rows = found + ((2 * rest > each) | ((2 * rest == each) & (found % 2 == 1)))
    return nearest

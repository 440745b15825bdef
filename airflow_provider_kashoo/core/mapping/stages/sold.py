"""What was sold, in words and by the column: what :func:`.money.sold_as` says of one line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    rounded, exact = np.full(len(units), MINOR_DIGITS), np.zeros(len(units), np.int64)
    for places in range(MINOR_DIGITS, _MOST_PLACES):
        rounded += np.abs(units) * 10**places < 1000 * each
    given &= np.abs(units) * 10**_MOST_PLACES >= 1000 * each
    for places in range(_MOST_PLACES, MINOR_DIGITS - 1, -1):
        exact[units * 10**places % each == 0] = places
    places = np.where(exact > 0, exact, rounded)
    marks = pa.array(["~", ""]).take(pa.array(exact > 0).cast(pa.int8()))
    prices = written(_divided(units * np.power(10, places), each), places)
    encoded = quantities.dictionary_encode()
    words = pa.array(list(map(quantity_in_words, encoded.dictionary.to_pylist())), TEXT).take(encoded.indices)
    texts = pc.binary_join_element_wise(words, pc.binary_join_element_wise(marks, prices, ""), " x ")
    return pc.if_else(pa.array(given), texts, pa.scalar(None, TEXT))


def _divided(units: Rows, each: Rows) -> Rows:
    """Divide, and round to the nearest whole number; of two, to the even one."""
    found, rest = np.divmod(units, each)
    return found + ((2 * rest > each) | ((2 * rest == each) & (found % 2 == 1)))

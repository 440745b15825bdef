"""Numbers written for people by the column, such as ``1,234.50``; each is counted in units of its last decimal."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.values.cells import TEXT, Rows

MOST_UNITS = 10**18
"""Fewer units than these have room in a column, whatever power of ten they are parted by."""


_MOST_PLACES = 9
_DIGITS = 38
"""Of a decimal in a column."""


def written(units: Rows, places: Rows, thousands: str = ",", point: str = ".") -> pa.Array:
    """Write numbers with a fixed number of decimals.

    :param units: fewer than :data:`MOST_UNITS`; negative ones too.
    :param places: how many decimals each has, at most 18.
    :param thousands: what parts thousands; may be empty.
    """
    tens = np.power(10, places)
    whole, rest = np.divmod(np.abs(units), tens)
    fractions = pc.utf8_slice_codeunits(pa.array(rest + tens).cast(TEXT), 1)  # without the 1 that keeps zeros
    signs = pa.array(["", "-"]).take(pa.array(units < 0).cast(pa.int8()))
    points = pa.array(["", point]).take(pa.array(places > 0).cast(pa.int8()))
    return pc.binary_join_element_wise(signs, _parted(whole, thousands), points, fractions, "")


def _parted(whole: Rows, thousands: str) -> pa.Array:
    """Write whole numbers, none negative, with something between thousands."""
    texts = pa.array(whole).cast(TEXT)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if not thousands or longest <= 3:
        return texts
    by_threes = pc.utf8_lpad(texts, -(-longest // 3) * 3)
    return pc.utf8_trim(pc.replace_substring_regex(by_threes, "(...)", rf"\1{thousands}"), f" {thousands}")


def units_of(numbers: pa.Array, places: int) -> Rows | None:
    """Round decimals, half away from zero, and count them in units; what is empty is 0.

    :returns: None where a column may have no room for them.
    """
    if not pa.types.is_decimal128(numbers.type) or places > _MOST_PLACES:
        return None
    numbers = pc.fill_null(numbers, Decimal(0))
    ends = [each.as_py() for each in pc.min_max(numbers).values()]
    if any(each is not None and abs(each) >= MOST_UNITS // 10**places - 1 for each in ends):
        return None
    try:
        roomy = numbers.cast(pa.decimal128(_DIGITS, numbers.type.scale))
        counted = pc.round(roomy, places, "half_towards_infinity").cast(pa.decimal128(_DIGITS, places))
    except pa.ArrowInvalid:  # so many decimals that there is no room before the point
        return None
    words = np.frombuffer(counted.buffers()[1], np.int64).reshape(-1, 2)
    units: Rows = words[counted.offset :][: len(counted), 0]
    return units

"""Numbers written for people by the column, such as ``1,234.50``; each is counted in units of its last decimal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.values.cells import TEXT, Rows

MOST_UNITS = 10**18
"""Fewer units than these have room in a column, whatever power of ten they are parted by."""


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

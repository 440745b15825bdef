"""Which records a mapping is for: those that meet ``when`` and are no credits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.cells import Cells
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings, evaluate, record_ids
from airflow_provider_kashoo.core.mapping.expressions import Condition
from airflow_provider_kashoo.core.mapping.model import Field, Mapping
from airflow_provider_kashoo.core.mapping.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Credit:
    """What a record with a negative total asks for.

    :param amount: of the credit, minor units; positive.
    :param currency: ISO code; None if not known.
    :param sale: id of the record's sale.
    :param reduces: id of the record that it reduces; None if not known.
    :param unmet: why it is not billed: the ``when`` line that it does not meet, or its total.
    """

    amount: int
    currency: str | None
    sale: str
    reduces: str | None
    unmet: str


@dataclass(frozen=True)
class Selected:
    """The records that a mapping makes something of.

    :param records: those, in their order.
    :param totals: what Salesforce says each of them adds up to, if the mapping names a total.
    :param excluded: ``when`` line -> ids of those that do not meet it, and met all before it; without credits.
    :param credits: id -> what a record with a negative total asks for, if it meets every part of ``when`` that looks
        at more than the total.
    """

    records: pa.Table
    totals: Cells | None
    excluded: dict[str, pa.Array]
    credits: dict[str, Credit]


def select(mapping: Mapping, records: pa.Table, around: Surroundings) -> Selected:
    """Leave out what ``when`` excludes, and credits.

    :raises ExpressionError: when a ``when`` line compares values of different types.
    """
    matching, excluded = np.ones(records.num_rows, np.bool_), list[tuple[str, pa.Array]]()
    apart = matching.copy()  # whatever is said of the total alone
    read = _Read(mapping, records)
    for condition in mapping.conditions:
        parts = [(part, read.holds(part)) for part in condition.parts]
        holds = reduce(and_, (met for _, met in parts))
        excluded.append((condition.text, records["Id"].filter(pa.array(matching & ~holds)).combine_chunks()))
        matching &= holds
        for part, met in parts:
            if not part.paths <= mapping.total_paths:
                apart &= met
    if not (mapping.bills and mapping.total):
        return Selected(records.filter(pa.array(matching)), None, _by_line(excluded), {})
    rows = np.flatnonzero(apart)
    known = records.take(pa.array(rows))
    totals = evaluate(mapping.total, known, "money", around)
    found = credits_of(mapping, known, totals, around)
    chosen = np.flatnonzero(matching[rows] & ~among(known["Id"], found))
    for text, ids in excluded if found else ():
        here = ids.filter(pa.array(among(ids, found))).to_pylist()
        found |= {ident: replace(found[ident], unmet=text) for ident in here}
    excluded = [(text, ids.filter(pa.array(~among(ids, found)))) for text, ids in excluded]
    return Selected(known.take(pa.array(chosen)), totals.take(chosen), _by_line(excluded), found)


def _by_line(excluded: list[tuple[str, pa.Array]]) -> dict[str, pa.Array]:
    """Join what the same line excludes, should it stand in a mapping twice."""
    found: dict[str, pa.Array] = {}
    for text, ids in excluded:
        if len(ids):
            found[text] = pa.concat_arrays([found[text], ids]) if text in found else ids
    return found


class _Read:
    """The columns that ``when`` looks at, as pandas compares them."""

    def __init__(self, mapping: Mapping, records: pa.Table) -> None:
        paths = sorted({path for condition in mapping.conditions for path in condition.paths})
        self._records, self._odd = records, odd_paths(records)
        self._frame = records.select(paths).to_pandas(types_mapper=pd.ArrowDtype)

    def holds(self, part: Condition) -> Mask:
        """Evaluate a condition; one with an odd value in it leaves nothing out, because nobody knows what it meets."""
        met: Mask = part.holds(self._frame).to_numpy(np.bool_)
        odd = with_one_of(self._odd, part.paths)
        return met | among(self._records["Id"], odd) if odd else met


def credits_of(mapping: Mapping, records: pa.Table, totals: Cells, around: Surroundings) -> dict[str, Credit]:
    """Find the records with a negative total.

    :param totals: exact, of each record.
    """
    below = np.flatnonzero(totals.values.to_numpy(zero_copy_only=False) < 0).tolist()
    amounts = {row: -totals.values[row].as_py() for row in below}
    amounts |= {row: -money.round_half_up(total) for row, total in totals.exact.items() if total < 0}
    rows = np.array(sorted(row for row, amount in amounts.items() if amount), np.int64)
    if not len(rows):
        return {}
    records = records.take(pa.array(rows))
    nothing = Cells(pa.nulls(len(rows), pa.string()))
    reduced = record_ids(evaluate(mapping.reduces, records, "text", around)) if mapping.reduces else nothing
    columns = (
        records["Id"].to_pylist(),
        evaluate(mapping.fields["currency"], records, "text", around).values.to_pylist(),
        sales_of(mapping, records, around).values.to_pylist(),
        reduced.values.to_pylist(),
    )
    unmet = f"{origin(mapping.total) if mapping.total else 'total'} >= 0"
    return {
        ident: Credit(amounts[row], currency or around.org_currency, sale or ident, original, unmet)
        for row, ident, currency, sale, original in zip(rows.tolist(), *columns, strict=True)
    }


def sales_of(mapping: Mapping, records: pa.Table, around: Surroundings) -> Cells:
    """Give the id of each record's sale; empty where the record is a sale of its own."""
    if mapping.sale is None:
        return Cells(pa.nulls(records.num_rows, pa.string()))
    return record_ids(evaluate(mapping.sale, records, "text", around))


def origin(spec: Field | None) -> str:
    """Name the source of a field for people."""
    return (spec and (spec.from_ or spec.link)) or "its source field"


def among(ids: pa.Array | pa.ChunkedArray, some: Collection[str]) -> Mask:
    """Say which ids are among some."""
    found: Mask = pc.is_in(ids, pa.array(list(some), pa.string())).to_numpy(zero_copy_only=False)
    return found

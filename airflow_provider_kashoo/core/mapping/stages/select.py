"""Which records a mapping is for: those that meet ``when`` and are no credits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import and_

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings, evaluate, record_ids
from airflow_provider_kashoo.core.mapping.values.cells import Cells
from airflow_provider_kashoo.core.mapping.values.expressions import Condition, ExpressionError
from airflow_provider_kashoo.core.mapping.values.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Why:
    """Why a record is not billed.

    :param text: the ``when`` line that it does not meet, or what a rule says.
    :param by_rule: which of the two.
    """

    text: str
    by_rule: bool = False

    @property
    def reason(self) -> str:
        """Say it of a record that has no invoice."""
        return self.text if self.by_rule else f"not {self.text}"

    @property
    def of_invoice(self) -> str:
        """Say it of a deal that has one."""
        return f"is left out by a rule: {self.text}" if self.by_rule else f"no longer meets `{self.text}`"


@dataclass(frozen=True)
class Credit:
    """What a record with a negative total asks for.

    :param amount: of the credit, minor units; positive.
    :param currency: ISO code; None if not known.
    :param sale: id of the record's sale.
    :param reduces: id of the record that it reduces; None if not known.
    :param unmet: why it is not billed.
    """

    amount: int
    currency: str | None
    sale: str
    reduces: str | None
    unmet: Why


@dataclass(frozen=True)
class Selected:
    """The records that a mapping makes something of.

    :param records: those, in their order.
    :param totals: what Salesforce says each of them adds up to, if the mapping names a total.
    :param excluded: why -> ids of those that a ``when`` line or a rule leaves out; without credits.
    :param caught: rule -> which of the records it catches.
    :param credits: id -> what a record with a negative total asks for, if it meets every part of ``when`` that looks
        at more than the total.
    """

    records: pa.Table
    totals: Cells | None
    excluded: dict[Why, pa.Array]
    credits: dict[str, Credit]
    caught: list[Mask]


def select(mapping: Mapping, records: pa.Table, around: Surroundings) -> Selected:
    """Leave out what ``when`` excludes, and credits.

    :raises MappingMistakes: when a condition compares values of different types.
    """
    matching, excluded = np.ones(records.num_rows, np.bool_), list[tuple[Why, pa.Array]]()
    apart = matching.copy()  # whatever is said of the total alone
    read = _Read(mapping, records)
    for number, condition in enumerate(mapping.conditions):
        parts = [(part, read.holds(part, ("when", number))) for part in condition.parts]
        holds = reduce(and_, (met for _, met in parts))
        excluded.append((Why(condition.text), _ids(records, matching & ~holds)))
        matching &= holds
        for part, met in parts:
            if not part.paths <= mapping.total_paths:
                apart &= met
    caught = [read.catches(each, ("rules", number, "when")) for number, each in enumerate(mapping.caught_by)]
    for rule, mask in zip(mapping.rules, caught, strict=True):
        if rule.skip is not None:
            excluded.append((Why(rule.skip, by_rule=True), _ids(records, matching & mask)))
            matching, apart = matching & ~mask, apart & ~mask
    rows = np.flatnonzero(apart if mapping.bills and mapping.total else matching)
    known = records.take(pa.array(rows))
    totals, found = None, dict[str, Credit]()
    chosen = np.arange(len(rows))
    if mapping.bills and mapping.total:
        totals = evaluate(mapping.total, known, "money", around)
        parked = _parked(mapping, caught, len(matching))
        found = credits_of(mapping, known, totals, around, ~(parked & matching)[rows])
        chosen = np.flatnonzero(matching[rows] & ~among(known["Id"], found))
        for why, ids in excluded if found else ():
            here = ids.filter(pa.array(among(ids, found))).to_pylist()
            found |= {ident: replace(found[ident], unmet=why) for ident in here}
        excluded = [(why, ids.filter(pa.array(~among(ids, found)))) for why, ids in excluded]
        totals = totals.take(chosen)
    caught = [mask[rows[chosen]] for mask in caught]
    return Selected(known.take(pa.array(chosen)), totals, _by_reason(excluded), found, caught)


def _parked(mapping: Mapping, caught: Sequence[Mask], rows: int) -> Mask:
    parked = np.zeros(rows, np.bool_)
    for rule, mask in zip(mapping.rules, caught, strict=True):
        if rule.park is not None:
            parked |= mask
    return parked


def _ids(records: pa.Table, mask: Mask) -> pa.Array:
    return records["Id"].filter(pa.array(mask)).combine_chunks()


def _by_reason(excluded: list[tuple[Why, pa.Array]]) -> dict[Why, pa.Array]:
    """Join what the same line excludes, should it stand in a mapping twice."""
    found: dict[Why, pa.Array] = {}
    for why, ids in excluded:
        if len(ids):
            found[why] = pa.concat_arrays([found[why], ids]) if why in found else ids
    return found


class _Read:
    """The columns that ``when`` looks at, as pandas compares them."""

    def __init__(self, mapping: Mapping, records: pa.Table) -> None:
        conditions = [*mapping.conditions, *filter(None, mapping.caught_by)]
        paths = sorted({path for condition in conditions for path in condition.paths})
        self._mapping, self._records, self._odd = mapping, records, odd_paths(records)
        self._frame = records.select(paths).to_pandas(types_mapper=pd.ArrowDtype)

    def holds(self, part: Condition, where: Where) -> Mask:
        """Evaluate a condition; one with an odd value in it leaves nothing out, because nobody knows what it meets."""
        return self._met(part, where) | self._is_odd(part)

    def catches(self, condition: Condition | None, where: Where) -> Mask:
        """Say which records a rule catches; one with an odd value in its condition is parked for that."""
        if condition is None:
            return np.ones(self._records.num_rows, np.bool_)
        return self._met(condition, where) & ~self._is_odd(condition)

    def _met(self, condition: Condition, where: Where) -> Mask:
        try:
            met: Mask = condition.holds(self._frame).to_numpy(np.bool_)
        except ExpressionError as error:  # a field has another type, or the mapping changed, since preflight
            fix = "Compare the field with a value of its type: airflow kashoo check names it."
            raise MappingMistakes([self._mapping.mistake(where, str(error), fix, 0)]) from None
        return met

    def _is_odd(self, condition: Condition) -> Mask:
        odd = with_one_of(self._odd, condition.paths)
        return among(self._records["Id"], odd) if odd else np.zeros(self._records.num_rows, np.bool_)


def credits_of(
    mapping: Mapping, records: pa.Table, totals: Cells, around: Surroundings, among_these: Mask
) -> dict[str, Credit]:
    """Find the records with a negative total.

    :param totals: exact, of each record.
    :param among_these: the others may not be credits.
    """
    below = np.flatnonzero((totals.values.to_numpy(zero_copy_only=False) < 0) & among_these).tolist()
    amounts = {row: Decimal(-totals.values[row].as_py()) for row in below}
    amounts |= {row: -total for row, total in totals.exact.items() if total < 0 and among_these[row]}
    rows = np.array(sorted(amounts), np.int64)
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
    unmet = Why(f"{origin(mapping.total) if mapping.total else 'total'} >= 0")
    found = dict[str, Credit]()
    for row, ident, given, sale, original in zip(rows.tolist(), *columns, strict=True):
        currency = given or around.org_currency
        if amount := money.round_to_unit(money.in_units_of(currency, amounts[row]), mapping.rounding):
            found[ident] = Credit(amount, currency, sale or ident, original, unmet)
    return found


def sales_of(mapping: Mapping, records: pa.Table, around: Surroundings) -> Cells:
    """Give the id of each record's sale; empty where the record is a sale of its own."""
    if mapping.sale is None:
        return Cells(pa.nulls(records.num_rows, pa.string()))
    return record_ids(evaluate(mapping.sale, records, "text", around))


def origin(spec: Field | None) -> str:
    """Name the source of a field for people."""
    return (spec and (spec.from_ or spec.link or spec.expr)) or "its source field"


def among(ids: pa.Array | pa.ChunkedArray, some: Collection[str]) -> Mask:
    """Say which ids are among some."""
    found: Mask = pc.is_in(ids, pa.array(list(some), pa.string())).to_numpy(zero_copy_only=False)
    return found

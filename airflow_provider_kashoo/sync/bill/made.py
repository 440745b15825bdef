"""What the mappings make of the staged records, part by part: ids in memory, the rest on disk if it is much."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, transform
from airflow_provider_kashoo.sync.read.parts import Part, parts_of
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

PREFIX = "made."

MORE = 1_000
"""A test batch looks at this many records more than it bills: some of them may turn out not to be billed."""


class Made:
    """What one mapping made of one part of the staged records.

    :ivar ids: of the records that can be billed.
    :ivar sales: the sale of each.
    :ivar outside: ids of more of them, which are outside the test batch.
    :ivar concerned: which of them concern another record too, see :mod:`.sales`.
    :ivar linked: which of the others have a link.
    """

    def __init__(self, sync: Sync, mapping: Mapping, part: Part, of: Transformed) -> None:
        self._sync, self.mapping, self.part = sync, mapping, part
        self.problems, self.unfit_sales, self.excluded = of.problems, of.unfit_sales, of.excluded
        self.credits, self.rounded, self.undivided = of.credits, of.rounded, of.undivided
        self._file = f"{PREFIX}{uuid.uuid4().hex}"  # two tries of a plan may make it at once
        self._table: pa.Table | None = of.made if part.is_whole else None
        self._look_at(of.made)
        self.outside = self.ids[:0]
        if self._table is None:
            sync.files.write_table(self._file, of.made, in_passing=True)

    def _look_at(self, table: pa.Table) -> None:
        self.ids, self.sales = (table[name].combine_chunks() for name in ("Id", "sale"))
        self.concerned: Mask = np.zeros(len(self.ids), np.bool_)
        self.linked: Mask = self.concerned.copy()

    def table(self) -> pa.Table:
        """Load what was made, a row for each of :attr:`ids`; see :attr:`.Transformed.made`."""
        table: Any = self._sync.files.read_table(self._file) if self._table is None else self._table
        if table is None:
            raise ConfigurationError("What the plan made of a part is missing.", remedy=clear("plan"))
        return table.filter(pc.is_in(table["Id"], self.ids))

    def records_of(self, ids: pa.Array) -> Iterator[tuple[str, pa.Table]]:
        """Give some of the staged records, each with its id, in the order of the ids."""
        if len(ids):
            records = self.part.records()
            rows = pc.index_in(ids, records["Id"].combine_chunks()).to_pylist()
            yield from ((ident, records.slice(row, 1)) for ident, row in zip(ids.to_pylist(), rows, strict=True))

    def read_among(self, ids: Iterable[str]) -> set[str]:
        """Say which of some records were read by this mapping, in this part."""
        return Ids([self.ids, self.outside, *self.excluded.values()], [*self.problems, *self.credits]).among(ids)

    def refuse(self, ids: pa.Array, problem: Problem) -> None:
        """Turn records that could be billed into problems."""
        refused = pc.is_in(self.ids, ids)
        here = zip(self.ids.filter(refused).to_pylist(), self.sales.filter(refused).to_pylist(), strict=True)
        for ident, sale in here:
            self.problems[ident], self.unfit_sales[ident] = problem, sale
        self._keep(pc.invert(refused))

    def keep_first(self, most: int) -> None:
        """Leave out what is outside a test batch."""
        if len(self.ids) > most:
            self.outside = self.ids[most:]
            self._keep(pa.array(np.arange(len(self.ids)) < most))

    def _keep(self, mask: pa.Array) -> None:
        self._look_at(pa.table({"Id": self.ids, "sale": self.sales}).filter(mask))


def make_invoices(sync: Sync) -> list[Made]:
    """Apply every mapping that bills to what is staged."""
    made: list[Made] = []
    parts: dict[str, Sequence[Part]] = {}
    for mapping in sync.mappings_to(INVOICE.name):
        name = mapping.from_.object
        for part in parts.setdefault(name, parts_of(sync, name)):
            of = transform(mapping, part.records(), part.lines(), sync.surroundings, part.children())
            made.append(Made(sync, mapping, part, of))
    bill_once(made)
    if (limit := sync.run.limit) is not None:
        left = limit + MORE
        for each in made:
            each.keep_first(left)
            left -= len(each.ids)
    return made


def bill_once(made: Sequence[Made]) -> None:
    """Park what several mappings would bill: each would overwrite the invoice of the other."""
    for twice, names in _twice(made):
        cause = f"the mappings {' and '.join(names)} would both bill this record"
        problem = Problem("billed_by_two_mappings", cause, "Change their `when` so that only one of them meets it.")
        for each in made:
            each.refuse(twice, problem)


def _twice(made: Sequence[Made]) -> list[tuple[pa.Array, tuple[str, ...]]]:
    """Find the records that several mappings would bill: ids, and the names of the mappings."""
    by_object: dict[str, dict[str, list[pa.Array]]] = {}
    for each in made:
        by_object.setdefault(each.mapping.from_.object, {}).setdefault(each.mapping.name, []).append(each.ids)
    found: dict[tuple[str, ...], list[str]] = {}
    for by_mapping in by_object.values():
        if len(by_mapping) < 2:
            continue
        every = pa.table(
            {
                "Id": pa.chunked_array([ids for arrays in by_mapping.values() for ids in arrays], pa.string()),
                "mapping": [name for name, arrays in by_mapping.items() for ids in arrays for _ in range(len(ids))],
            }
        )
        counts = every["Id"].value_counts()
        several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        named: dict[str, list[str]] = {}
        for row in every.filter(pc.is_in(every["Id"], several)).to_pylist():
            named.setdefault(row["Id"], []).append(row["mapping"])
        for ident, names in named.items():
            found.setdefault(tuple(names), []).append(ident)
    return [(pa.array(ids), names) for names, ids in found.items()]


class Ids:
    """A set of ids in columns: a million of them take less than a fifth of a Python set.

    :param columns: of ids.
    :param more: further ids.
    """

    def __init__(self, columns: Iterable[pa.Array], more: Collection[str] = ()) -> None:
        self._columns = [*columns, pa.array(list(more), pa.string())]

    def with_more(self, more: Collection[str]) -> Ids:
        """Give a set that has further ids, too."""
        return Ids(self._columns, more)

    def and_all(self, other: Ids) -> Ids:
        """Give a set that has the ids of another, too."""
        return Ids([*self._columns, *other._columns])

    def among(self, ids: Iterable[str]) -> set[str]:
        """Say which of some ids are in the set."""
        wanted = pa.array(list(ids), pa.string())
        if not len(wanted):
            return set()
        found = (column.filter(pc.is_in(column, wanted)) for column in self._columns)
        return {ident for column in found for ident in column.to_pylist()}

    def without(self, ids: pa.Array) -> pa.Array:
        """Give those of a column of ids that are not in the set."""
        for column in self._columns:
            if len(column):
                ids = ids.filter(pc.invert(pc.is_in(ids, column)))
        return ids

"""What is staged of an object, divided into parts of bounded size in the order of the ids.

A record and what was read with it are in one part, whichever extract read them. What fits into one part is not divided;
the rest is written once more, by parts, beside what the extracts staged.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.read.columns import join
from airflow_provider_kashoo.sync.read.shapes import PARTS
from airflow_provider_kashoo.sync.read.staged import staged_names, staged_records, staged_rows, staged_with
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

ROWS = 50_000
"""Records, and what was read with them, in one part."""

PREFIX = "part."


Files = dict[str, int]
"""Staged file -> rows in it."""


class Part:
    """Some records of one object, with their lines, and the children that make invoices of their own.

    :param divided: ``records``, ``lines`` and so on -> the files of it; None if the object has no other part.
    """

    def __init__(self, sync: Sync, sobject: str, divided: Mapping[str, Files] | None = None) -> None:
        self._sync, self._sobject, self._divided = sync, sobject, divided

    @property
    def is_whole(self) -> bool:
        """Whether the object has no other part."""
        return self._divided is None

    def records(self) -> pa.Table:
        """Load its records, each once, in the order of their ids."""
        pa.default_memory_pool().release_unused()  # what the part before took is not held on to
        if self._divided:
            return join([*self._load(self._divided["records"])])
        return join([*staged_records(self._sync, self._sobject)])

    def lines(self) -> pa.Table | None:
        """Load their lines, in any order; None if there are none.

        :raises ConfigurationError: when a line was staged twice, because a deal would be billed for it twice.
        """
        return self._beside("lines")

    def children(self) -> dict[str, pa.Table]:
        """Load the children that make invoices, by their relationship, in any order.

        :raises ConfigurationError: as :meth:`lines`.
        """
        names = self._divided if self._divided is not None else staged_names(self._sync, self._sobject)
        found = {name: self._beside(name) for name in names if name.startswith(f"{PARTS}.")}
        return {name.removeprefix(f"{PARTS}."): table for name, table in found.items() if table is not None}

    def _beside(self, name: str) -> pa.Table | None:
        """Load what was read with the records.

        :raises ConfigurationError: when something of it was staged twice, because a deal would be billed for it twice.
        """
        tables = [*(self._load(self._divided[name]) if self._divided else staged_with(self._sync, self._sobject, name))]
        table = join(tables) if tables else None
        if table is not None and pc.count_distinct(table["Id"]).as_py() != table.num_rows:
            said = f"Some {name.replace('.', ' of ')} of {self._sobject} were staged twice."
            raise ConfigurationError(said, remedy=clear("that extracts it"))
        return table

    def _load(self, files: Files) -> Iterator[pa.Table]:
        for name, rows in files.items():
            table = self._sync.files.read_table(name)
            if table is None or table.num_rows != rows:
                raise ConfigurationError(f"A part of {self._sobject} is missing.", remedy=clear("plan"))
            yield table


def parts_of(sync: Sync, sobject: str) -> list[Part]:
    """Divide what is staged of an object.

    :returns: its parts, in the order of the ids; none if no record of it was staged.
    """
    records, beside = staged_rows(sync, sobject)
    if not records:
        return []
    ids = [table["Id"].combine_chunks() for table in staged_records(sync, sobject, ["Id", "IsDeleted"])]
    bounds = _bounds(pa.concat_arrays(ids), -(-(records + beside) // ROWS))
    if not bounds:
        return [Part(sync, sobject)]
    prefix = f"{PREFIX}{uuid.uuid4().hex[:8]}.{sobject}."  # two tries of a plan may divide at once
    divided = {"records": _divide(sync, f"{prefix}records.", "Id", staged_records(sync, sobject), bounds)}
    for name in staged_names(sync, sobject):
        tables = staged_with(sync, sobject, name)
        divided[name] = _divide(sync, f"{prefix}{name}.", "parent", tables, bounds)
    return [
        Part(sync, sobject, {name: files[place] for name, files in divided.items()}) for place in range(len(bounds) + 1)
    ]


def _bounds(ids: pa.Array, number: int) -> list[str]:
    """Choose where parts of about equal size begin, without the first; no part is empty."""
    if number < 2 or not len(ids):
        return []
    ordered = pc.unique(ids.take(pc.sort_indices(ids)))
    places = np.unique(np.linspace(0, len(ordered), min(number, len(ordered)), endpoint=False).astype(np.int64))
    bounds: list[str] = ordered.take(pa.array(places[1:])).to_pylist()
    return bounds


def _divide(sync: Sync, prefix: str, key: str, tables: Iterable[pa.Table], bounds: list[str]) -> list[Files]:
    """Write the rows of each part to files of its own; give those of each."""
    files: list[Files] = [{} for _ in range(len(bounds) + 1)]
    for count, table in enumerate(tables):
        keys = table[key]
        least, most = (each.as_py() for each in pc.min_max(keys).values())
        for place, (low, high) in enumerate(zip(["", *bounds], [*bounds, None], strict=True)):
            if least is None or most < low or (high is not None and least >= high):
                continue  # what was read in the order of the ids stands in few parts
            mask = pc.greater_equal(keys, low)
            some = table.filter(mask if high is None else pc.and_(mask, pc.less(keys, high)))
            if some.num_rows:
                name = f"{prefix}{place:05d}.{count:05d}"
                sync.files.write_table(name, some, in_passing=True)
                files[place][name] = some.num_rows
    return files

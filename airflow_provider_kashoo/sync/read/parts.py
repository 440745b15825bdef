"""What is staged of an object, divided into parts of bounded size in the order of the ids.

A record and its lines are in one part, whichever extract read them. What fits into one part is not divided; the rest is
written once more, by parts, beside what the extracts staged.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.read.columns import join
from airflow_provider_kashoo.sync.read.staged import staged_lines, staged_records, staged_rows
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

ROWS = 50_000
"""Records and lines in one part."""

PREFIX = "part."


Files = dict[str, int]
"""Staged file -> rows in it."""


class Part:
    """Some records of one object, with their lines.

    :param divided: the files of its records, and of its lines; None if the object has no other part.
    """

    def __init__(self, sync: Sync, sobject: str, divided: tuple[Files, Files] | None = None) -> None:
        self._sync, self._sobject, self._divided = sync, sobject, divided

    @property
    def is_whole(self) -> bool:
        """Whether the object has no other part."""
        return self._divided is None

    def records(self) -> pa.Table:
        """Load its records, each once, in the order of their ids."""
        pa.default_memory_pool().release_unused()  # what the part before took is not held on to
        if self._divided:
            return join([*self._load(self._divided[0])])
        return join([*staged_records(self._sync, self._sobject)])

    def lines(self) -> pa.Table | None:
        """Load their lines, in any order; None if there are none.

        :raises ConfigurationError: when a line was staged twice, because a deal would be billed for it twice.
        """
        tables = [*(self._load(self._divided[1]) if self._divided else staged_lines(self._sync, self._sobject))]
        lines = join(tables) if tables else None
        if lines is not None and pc.count_distinct(lines["Id"]).as_py() != lines.num_rows:
            said = f"Some lines of {self._sobject} were staged twice."
            raise ConfigurationError(said, remedy=clear("that extracts it"))
        return lines

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
    records, lines = staged_rows(sync, sobject)
    if not records:
        return []
    ids = [table["Id"].combine_chunks() for table in staged_records(sync, sobject, ["Id", "IsDeleted"])]
    bounds = _bounds(pa.concat_arrays(ids), -(-(records + lines) // ROWS))
    if not bounds:
        return [Part(sync, sobject)]
    prefix = f"{PREFIX}{uuid.uuid4().hex[:8]}.{sobject}."  # two tries of a plan may divide at once
    return [
        Part(sync, sobject, divided)
        for divided in zip(
            _divide(sync, f"{prefix}records.", "Id", staged_records(sync, sobject), bounds),
            _divide(sync, f"{prefix}lines.", "parent", staged_lines(sync, sobject), bounds),
            strict=True,
        )
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

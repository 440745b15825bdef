"""What is staged of an object, divided into parts of bounded size in the order of the ids.

A record and its lines are in one part, whichever extract read them. What fits into one part is not divided; the rest is
written once more, by parts, beside what the extracts staged.
"""

from __future__ import annotations

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


class Part:
    """Some records of one object, with their lines.

    :param divided: what the names of its files begin with; empty if the object has no other part.
    """

    def __init__(self, sync: Sync, sobject: str, divided: str = "") -> None:
        self._sync, self._sobject, self._divided = sync, sobject, divided

    @property
    def is_whole(self) -> bool:
        """Whether the object has no other part."""
        return not self._divided

    def records(self) -> pa.Table:
        """Load its records, each once, in the order of their ids."""
        if self._divided:
            return join([*self._files("records")])
        return join([*staged_records(self._sync, self._sobject)])

    def lines(self) -> pa.Table | None:
        """Load their lines, in any order; None if there are none.

        :raises ConfigurationError: when a line was staged twice, because a deal would be billed for it twice.
        """
        tables = [*(self._files("lines") if self._divided else staged_lines(self._sync, self._sobject))]
        lines = join(tables) if tables else None
        if lines is not None and pc.count_distinct(lines["Id"]).as_py() != lines.num_rows:
            said = f"Some lines of {self._sobject} were staged twice."
            raise ConfigurationError(said, remedy=clear("that extracts it"))
        return lines

    def _files(self, kind: str) -> Iterator[pa.Table]:
        for name in self._sync.files.names(f"{self._divided}{kind}."):
            yield self._sync.files.read_table(name)


def parts_of(sync: Sync, sobject: str) -> list[Part]:
    """Divide what is staged of an object.

    :returns: its parts, in the order of the ids; none if nothing of it was staged.
    """
    number = -(-staged_rows(sync, sobject) // ROWS)
    if number < 2:
        return [Part(sync, sobject)] * number
    ids = pa.concat_arrays(
        [table["Id"].combine_chunks() for table in staged_records(sync, sobject, ["Id", "IsDeleted"])]
    )
    if not len(ids):  # all of them are deleted
        return [Part(sync, sobject)]
    bounds = _bounds(ids, number)
    prefixes = [f"{PREFIX}{sobject}.{place:05d}." for place in range(len(bounds) + 1)]
    sync.files.remove(f"{PREFIX}{sobject}.")
    _divide(sync, prefixes, "records", "Id", staged_records(sync, sobject), bounds)
    _divide(sync, prefixes, "lines", "parent", staged_lines(sync, sobject), bounds)
    return [Part(sync, sobject, prefix) for prefix in prefixes]


def _bounds(ids: pa.Array, number: int) -> list[str]:
    """Choose where parts of about equal size begin, without the first; no part is empty."""
    ordered = pc.unique(ids.take(pc.sort_indices(ids)))
    places = np.unique(np.linspace(0, len(ordered), min(number, len(ordered)), endpoint=False).astype(np.int64))
    bounds: list[str] = ordered.take(pa.array(places[1:])).to_pylist()
    return bounds


def _divide(
    sync: Sync, prefixes: list[str], kind: str, key: str, tables: Iterable[pa.Table], bounds: list[str]
) -> None:
    for count, table in enumerate(tables):
        for prefix, low, high in zip(prefixes, [None, *bounds], [*bounds, None], strict=True):
            mask = table[key].is_valid()
            if low is not None:
                mask = pc.and_(mask, pc.greater_equal(table[key], low))
            if high is not None:
                mask = pc.and_(mask, pc.less(table[key], high))
            some = table.filter(mask)
            if some.num_rows:
                sync.files.write_table(f"{prefix}{kind}.{count:05d}", some)

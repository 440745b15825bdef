"""The lines of what is billed: each record's own, in the order of the mapping, or the single line of one without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.cells import MONEY, TEXT, Cells, Rows
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.order import sort
from airflow_provider_kashoo.core.mapping.sections import Faults, apply_section

NO_LINES = Problem("no_lines", "it has no lines", "Add products, or add single_line to the mapping.")


@dataclass(frozen=True)
class Lines:
    """Lines, those of one record together and in order.

    :param owners: the row of each line's record; never falls.
    :param cells: field -> its value in each line.
    """

    owners: Rows
    cells: dict[str, Cells]

    def of(self, name: str) -> Cells:
        """Give a field of each line; it may be one that the mapping does not fill."""
        kind = MONEY if INVOICE.lines[name].type == "money" else TEXT
        return self.cells.get(name) or Cells(pa.nulls(len(self.owners), kind))

    def starts(self, records: int) -> Rows:
        """Say where the lines of each record begin, and where those of the last end.

        :param records: how many there are.
        """
        return np.searchsorted(self.owners, np.arange(records + 1)).astype(np.int64)


def lines_of(
    mapping: Mapping, records: pa.Table, lines: pa.Table | None, around: Surroundings, faults: Faults
) -> Lines:
    """Make the lines of records.

    :param lines: of any records and in any order, each with the id of its ``parent``; None when there are none.
    """
    made = Lines(np.array([], np.int64), {})
    if mapping.lines and lines is not None:
        own, owners = _own(mapping, records, lines)
        made = Lines(owners, apply_section(mapping.lines, INVOICE.lines, own, around, faults, owners))
    bare = np.setdiff1d(np.arange(records.num_rows), made.owners)
    if not len(bare):
        return made
    if not mapping.single_line:
        faults.note(dict.fromkeys(bare.tolist(), NO_LINES))
        return made
    alone = records.take(pa.array(bare))
    single = Lines(bare, apply_section(mapping.single_line, INVOICE.lines, alone, around, faults, bare))
    return _together(made, single) if len(made.owners) else single


def _own(mapping: Mapping, records: pa.Table, lines: pa.Table) -> tuple[pa.Table, Rows]:
    """Sort the lines of these records; give them with the row of each one's record."""
    rows = pc.index_in(lines["parent"], records["Id"].combine_chunks()).combine_chunks()
    lines = lines.append_column("owner", rows).filter(rows.is_valid())
    lines = sort(lines, mapping.line_order, "owner")
    return lines, lines["owner"].to_numpy().astype(np.int64)


def _together(some: Lines, others: Lines) -> Lines:
    owners = np.concatenate([some.owners, others.owners])
    order = np.argsort(owners, kind="stable")
    names = dict.fromkeys([*some.cells, *others.cells])
    joined = {name: some.of(name).followed_by(others.of(name)) for name in names}
    return Lines(owners[order], {name: cells.take(order) for name, cells in joined.items()})

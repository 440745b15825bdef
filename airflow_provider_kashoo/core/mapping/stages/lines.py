"""The lines of what is billed: each record's own, in the order of the mapping, or the single line of one without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import LINES
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.sections import Faults, apply_section, note_faults
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.values.cells import MONEY, TEXT, Cells, Rows
from airflow_provider_kashoo.core.mapping.values.order import sort

EXACT = "exact"
"""Beside the fields of lines: amounts in hundredths, as they were before they became other whole minor units."""

NO_LINES = Problem("no_lines", "it has no lines", "Add products, or add single_line to the mapping.")


@dataclass(frozen=True)
class Lines:
    """Lines, those of one record together and in order.

    :param owners: the row of each line's record; never falls.
    :param cells: field -> its value in each line.
    :param single: which of them stand for a record without lines.
    """

    owners: Rows
    cells: dict[str, Cells]
    single: Mask

    def of(self, name: str) -> Cells:
        """Give a field of each line; it may be one that the mapping does not fill."""
        kind = MONEY if name == EXACT or INVOICE.lines[name].type == "money" else TEXT
        return self.cells.get(name) or Cells(pa.nulls(len(self.owners), kind))

    def starts(self, records: int) -> Rows:
        """Say where the lines of each record begin, and where those of the last end.

        :param records: how many there are.
        """
        return np.searchsorted(self.owners, np.arange(records + 1)).astype(np.int64)

    def take(self, rows: Rows) -> Lines:
        """Choose lines, in this order."""
        return Lines(
            self.owners[rows], {name: cells.take(rows) for name, cells in self.cells.items()}, self.single[rows]
        )

    def with_more(self, others: Lines) -> Lines:
        """Add lines behind those of their records."""
        owners = np.concatenate([self.owners, others.owners])
        names = dict.fromkeys([*self.cells, *others.cells])
        joined = {name: self.of(name).followed_by(others.of(name)) for name in names}
        single = np.concatenate([self.single, others.single])
        return Lines(owners, joined, single).take(np.argsort(owners, kind="stable"))


def lines_of(mapping: Mapping, records: pa.Table, lines: pa.Table | None, around: Surroundings) -> Lines:
    """Make the lines of records; one without lines gets the single line of the mapping, if there is one.

    :param lines: of any records and in any order, each with the id of its ``parent``; None when there are none.
    """
    none = np.array([], np.int64)
    made = Lines(none, {}, none.astype(np.bool_))
    if mapping.lines and lines is not None:
        own, owners = own_lines(mapping, records, lines)
        made = Lines(owners, apply_section(mapping.lines, INVOICE.lines, own, around), np.zeros(len(owners), np.bool_))
    bare = np.setdiff1d(np.arange(records.num_rows), made.owners)
    if not len(bare) or not mapping.single_line:
        return made
    cells = apply_section(mapping.single_line, INVOICE.lines, records.take(pa.array(bare)), around)
    single = Lines(bare, cells, np.ones(len(bare), np.bool_))
    return made.with_more(single) if len(made.owners) else single


def note_faults_of(mapping: Mapping, lines: Lines, records: int, faults: Faults) -> None:
    """Note which records cannot be billed because of their lines, or because they have none."""
    ruled = {name.removeprefix(LINES): spec for name, spec in mapping.ruled.items() if name.startswith(LINES)}
    for section, only in ((mapping.lines, ~lines.single), (mapping.single_line, lines.single)):
        fields = {name: spec for name, spec in (ruled | section).items() if name in lines.cells}
        note_faults(lines.cells, fields, INVOICE.lines, faults, lines.owners, only)
    bare = np.setdiff1d(np.arange(records), lines.owners)
    faults.note(dict.fromkeys(bare.tolist(), NO_LINES))


def own_lines(mapping: Mapping, records: pa.Table, lines: pa.Table) -> tuple[pa.Table, Rows]:
    """Sort the lines of these records; give them with the row of each one's record."""
    rows = pc.index_in(lines["parent"], records["Id"].combine_chunks()).combine_chunks()
    lines = lines.append_column("owner", rows).filter(rows.is_valid())
    lines = sort(lines, mapping.line_order, "owner")
    return lines, lines["owner"].to_numpy().astype(np.int64)

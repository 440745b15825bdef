"""One section of a mapping applied: a column for each target field, and why a row cannot have one."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import TargetField
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings, evaluate
from airflow_provider_kashoo.core.mapping.stages.select import Mask, origin
from airflow_provider_kashoo.core.mapping.values.cells import Cells, Rows


@dataclass
class Faults:
    """Why records cannot be written: the first reason of each, by its row."""

    of: dict[int, Problem] = field(default_factory=dict)

    def note(self, problems: MappingType[int, Problem], owners: Rows | None = None, name: str = "") -> None:
        """Note problems, unless a record has one.

        :param owners: the record of each row; if not given, the rows are records.
        :param name: the field that has them.
        """
        for row in sorted(problems):
            owner = row if owners is None else int(owners[row])
            problem = problems[row]
            self.of.setdefault(owner, replace(problem, cause=f"{name}: {problem.cause}") if name else problem)


def apply_section(
    fields: MappingType[str, Field], target: MappingType[str, TargetField], table: pa.Table, around: Surroundings
) -> dict[str, Cells]:
    """Make a column for each field."""
    made: dict[str, Cells] = {}
    for name, spec in fields.items():
        cells = evaluate(spec, table, target[name].type, around)
        if name == "currency" and around.org_currency is not None:
            cells = cells.where_empty(Cells.repeated(around.org_currency, cells.values.type, table.num_rows))
        made[name] = cells
    return made


def note_faults(
    made: MappingType[str, Cells],
    fields: MappingType[str, Field],
    target: MappingType[str, TargetField],
    faults: Faults,
    owners: Rows | None = None,
    only: Mask | None = None,
) -> None:
    """Note which records cannot have one of the columns that were made.

    :param fields: which of them, and from what they were made.
    :param owners: the record of each row; if not given, the rows are records.
    :param only: which rows; all, if not given.
    """
    for name, spec in fields.items():
        problems = dict(made[name].problems)
        if target[name].required:
            fix = f"Fill {origin(spec)} in Salesforce, or add a default to the mapping."
            missing = Problem("missing_value", "it is empty", fix)
            problems |= dict.fromkeys(np.flatnonzero(made[name].empty()).tolist(), missing)
        faults.note({row: each for row, each in problems.items() if only is None or only[row]}, owners, name)

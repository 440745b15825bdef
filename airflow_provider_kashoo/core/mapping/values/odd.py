"""Values of Salesforce that a field of their type cannot have: they park their own record.

A reader leaves them out, and names them in one more column, so that they are not taken for empty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem

ODD = "odd values"
"""Column with the paths of a row's odd values, parted by commas; tables without such values do not have it."""


def odd_paths(table: pa.Table | None, owner: str = "Id") -> dict[str, set[str]]:
    """Return the paths with odd values, by the id of the record that a row belongs to.

    :param owner: column with that id.
    """
    found: dict[str, set[str]] = {}
    if table is not None and ODD in table.column_names:
        rows = table.select([owner, ODD]).filter(table[ODD].is_valid())
        for ident, paths in zip(rows[owner].to_pylist(), rows[ODD].to_pylist(), strict=True):
            found.setdefault(ident, set()).update(paths.split(","))
    return found


def with_one_of(odd: Mapping[str, Collection[str]], paths: Collection[str]) -> dict[str, Problem]:
    """Return why each record cannot be written that has an odd value in one of these paths."""
    found = {ident: sorted({*paths} & {*bad}) for ident, bad in odd.items()}
    return {ident: _problem(bad[0]) for ident, bad in found.items() if bad}


def _problem(path: str) -> Problem:
    cause = f"Salesforce shows {path} with a value that a field of its type cannot have"
    return Problem("odd_value", cause, f"Correct {path} in Salesforce.")

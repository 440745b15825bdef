"""From which values of Salesforce each field of a document was made.

An invoice changes because its deal or its lines changed. So only values of the record itself and of its lines count,
and of other records those that the mapping says to follow. A customer or an item is made of whatever its mapping reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.evaluate import column
from airflow_provider_kashoo.core.mapping.model import Field, Mapping
from airflow_provider_kashoo.core.rules.made_from import Sources

LINES = "lines"

Hash = Callable[[Any], str]

T = TypeVar("T")


def sources_of(
    mapping: Mapping, records: pa.Table, lines: pa.Table | None, ids: Collection[str], hash_of: Hash
) -> dict[str, Sources]:
    """Hash what each field was made from: record id -> field -> path -> keyed hash.

    :param records: as for :func:`~.transform.transform`.
    :param lines: as there; of each line its own values count, whatever the order of the lines.
    :param ids: of which records.
    """
    table = _among(records, "Id", ids)
    paths = {name: _counting(mapping, spec) for name, spec in mapping.fields.items()}
    bare = {name: _counting(mapping, spec) for name, spec in mapping.single_line.items()}
    read = {path for used in (*paths.values(), *bare.values()) for path in used}
    columns = {path: _hashes(table, path, hash_of) for path in read}
    of_lines = _line_hashes(mapping, lines, ids, hash_of) if mapping.bills else {}
    chosen = {"mapping": hash_of(mapping.name)}  # a record that another mapping reads now is made anew
    found: dict[str, Sources] = {}
    for row, ident in enumerate(table["Id"].to_pylist()):
        own = {name: {path: columns[path][row] for path in used} | chosen for name, used in paths.items()}
        if mapping.bills:
            alone = {f"{name}.{path}": columns[path][row] for name, used in bare.items() for path in used}
            own[LINES] = (of_lines.get(ident) or alone | {"Id": hash_of([])}) | chosen
        found[ident] = own
    return found


def _counting(mapping: Mapping, spec: Field) -> list[str]:
    """List the paths that count, of those that a field reads."""
    read = dict.fromkeys(path for path, _ in spec.paths())
    return [path for path in read if not mapping.bills or "." not in path or path in mapping.follow]


def _line_hashes(
    mapping: Mapping, lines: pa.Table | None, ids: Collection[str], hash_of: Hash
) -> dict[str, dict[str, str]]:
    if lines is None or not mapping.lines:
        return {}
    table = _among(lines, "parent", ids).sort_by("Id")
    paths = {"Id": "Id"} | {
        f"{name}.{path}": path for name, spec in mapping.lines.items() for path in _counting(mapping, spec)
    }
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {key: [] for key in paths})
    columns = {path: _each(table, path, _plain) for path in paths.values()}
    for row, parent in enumerate(table["parent"].to_pylist()):
        for key, path in paths.items():
            found[parent][key].append(columns[path][row])
    return {
        parent: {key: hash_of([*zip(own["Id"], values, strict=True)]) for key, values in own.items()}
        for parent, own in found.items()
    }


def _hashes(table: pa.Table, path: str, hash_of: Hash) -> list[str]:
    return _each(table, path, lambda value: hash_of(_plain(value)))


def _each(table: pa.Table, path: str, function: Callable[[Any], T]) -> list[T]:
    """Apply a function once to each distinct value of a path, and to None where it is empty."""
    encoded = column(table, path).dictionary_encode()
    results = [*map(function, encoded.dictionary.to_pylist()), function(None)]
    return [results[place] for place in pc.fill_null(encoded.indices, -1).to_pylist()]


def _among(table: pa.Table, name: str, ids: Collection[str]) -> pa.Table:
    return table.filter(pc.is_in(table[name], pa.array(list(ids), pa.string())))


def _plain(value: Any) -> str | None:
    """Write a value the same way whichever API brought it."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return None if value is None else str(value)

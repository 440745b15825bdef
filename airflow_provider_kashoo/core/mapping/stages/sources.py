"""From which values of Salesforce each field of a document was made, in columns.

An invoice changes because its deal or its lines changed. So only values of the record itself and of its lines count,
and of other records those that the mapping says to follow. A customer or an item is made of whatever its mapping reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import InParts
from airflow_provider_kashoo.core.mapping.stages.evaluate import column
from airflow_provider_kashoo.core.mapping.values.cells import Cells
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.core.values.ids import canonical

LINES, RULES = "lines", "rules"
PART = "part"
"""Stands for the child record that makes an invoice, of a record that becomes several."""

PAYMENT = "payment"
"""Stands among the fields for the payment of the invoice: only what the condition of its rule looks at counts."""

WHEN = "when"
"""Stands among the fields for what the conditions look at that decide whether the record is billed."""

Hash = Callable[[str], str]
"""Hashes a value that is written as JSON; see :meth:`.KeyedHash.of_json`."""

Hashes = dict[str, pa.Array]
"""Path -> the keyed hash of its value, one for each record."""


class MadeFrom:
    """The keyed hashes of what some records were made from: record -> field -> path -> hash.

    :param records: rows as for :func:`~.transform.transform`.
    :param lines: as there, also of other records; of each line its own values count, whatever the order of the lines.
    """

    def __init__(self, mapping: Mapping, records: pa.Table, lines: pa.Table | None, hashed: Hash) -> None:
        self._rows, self._hashed = records.num_rows, hashed
        chosen = {"mapping": self._repeated(canonical(mapping.name))}  # what another mapping reads now is made anew
        own: Hashes = {}
        for spec in (*mapping.fields.values(), *mapping.single_line.values()):
            own |= {path: self._values(records, path) for path in _counting(mapping, spec) if path not in own}
        ruled = {path: self._values(records, path) for paths in _ruled(mapping).values() for path in paths}
        fields = {name: {path: own[path] for path in _counting(mapping, spec)} for name, spec in mapping.fields.items()}
        for name, paths in _ruled(mapping).items():
            fields[name] = fields.get(name, {}) | {f"{RULES}.{path}": ruled[path] for path in paths}
        of_rules, apart = fields.pop(LINES, {}), {name: fields.pop(name) for name in (PAYMENT,) if name in fields}
        if mapping.bills:
            known = own | ruled
            apart[WHEN] = {
                path: known[path] if path in known else self._values(records, path) for path in _deciding(mapping)
            }
        self._with_lines: dict[str, Hashes] = {name: hashes | chosen for name, hashes in fields.items()} | apart
        self._without = dict(self._with_lines)
        self._has_lines = np.zeros(self._rows, np.bool_)
        if mapping.bills:
            alone = {
                f"{name}.{path}": own[path]
                for name, spec in mapping.single_line.items()
                for path in _counting(mapping, spec)
            }
            self._without[LINES] = alone | {"Id": self._repeated(canonical([]))} | of_rules | chosen
            self._with_lines[LINES] = self._of_lines(mapping, records, lines) | of_rules | chosen

    def json(self) -> pa.Array:
        """Give them as the store keeps them: one JSON text for each record, fields and paths in order."""
        return pc.if_else(pa.array(self._has_lines), _as_json(self._with_lines), _as_json(self._without))

    def of(self, row: int) -> Sources:
        """Give those of one record."""
        of = self._with_lines if self._has_lines[row] else self._without
        return {name: {path: each[row].as_py() for path, each in sorted(of[name].items())} for name in sorted(of)}

    def of_part(self, row: int, spec: InParts, child: str, read: MappingType[str, str | None]) -> Sources:
        """Give those of one of several invoices of a record.

        Its lines depend on the shares of all parts, because a cent that is left may go to another one.

        :param spec: says what is read of a child.
        :param child: id of the child that makes it.
        :param read: what was read of that; ``shares`` are those of all parts.
        """
        whole = self.of(row)
        chosen = {name: value for name, value in (whole[LINES] or {}).items() if name == "mapping"}
        own = {
            key: {f"{spec.from_}.{path}": self._hashed(canonical(read.get(key)))} for key, path in spec.paths().items()
        }
        shares = {f"amount.{spec.from_}.{spec.share}": self._hashed(canonical(read["shares"]))}
        found = {**whole, PART: {"Id": self._hashed(canonical(child))}, "date": own["date"] | chosen}
        found[LINES] = {**(whole[LINES] or {}), **shares}
        if "dueDate" in whole:  # as many days after the date
            found["dueDate"] = {**(whole["date"] or {}), **(whole["dueDate"] or {}), **own["date"]}
        for key in {"dueDate", "memo"} & own.keys():
            found[key] = {**(found.get(key) or {}), **own[key], **chosen}
        return {name: dict(sorted((paths or {}).items())) for name, paths in sorted(found.items())}

    def _of_lines(self, mapping: Mapping, records: pa.Table, lines: pa.Table | None) -> Hashes:
        paths = {"Id": "Id"} | {
            f"{name}.{path}": path for name, spec in mapping.lines.items() for path in _counting(mapping, spec)
        }
        if lines is None or not mapping.lines:
            return {key: pa.nulls(self._rows, pa.string()) for key in paths}
        owners = pc.index_in(lines["parent"], records["Id"].combine_chunks()).combine_chunks()
        lines = lines.append_column("owner", owners).filter(owners.is_valid())
        lines = lines.sort_by([("owner", "ascending"), ("Id", "ascending")])
        ends = np.searchsorted(lines["owner"].to_numpy(), np.arange(self._rows + 1)).astype(np.int32)
        self._has_lines = np.diff(ends) > 0
        ids = _json_of(lines, "Id")
        return {key: self._lists(ends, ids, _json_of(lines, path)) for key, path in paths.items()}

    def _lists(self, ends: Any, ids: pa.Array, values: pa.Array) -> pa.Array:
        """Hash, for each record, the list of its lines' ids, each with a value."""
        pairs = pc.binary_join_element_wise("[", ids, ",", values, "]", "")
        lists = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), pairs), ",").to_pylist()
        return pa.array([self._hashed(f"[{each}]") for each in lists], pa.string())

    def _values(self, records: pa.Table, path: str) -> pa.Array:
        hashes = Cells(column(records, path)).each(lambda value: self._hashed(canonical(_plain(value)))).values
        return pc.fill_null(hashes, self._hashed(canonical(None)))

    def _repeated(self, value: str) -> pa.Array:
        return pa.repeat(pa.scalar(self._hashed(value)), self._rows)


def _counting(mapping: Mapping, spec: Field) -> list[str]:
    """List the paths that count, of those that a field reads."""
    read = dict.fromkeys(path for path, _ in spec.paths())
    return [path for path in read if not mapping.bills or "." not in path or path in mapping.follow]


def _deciding(mapping: Mapping) -> list[str]:
    """List the paths that say whether a record is billed, also of other records: ``when``, and rules that skip."""
    skips = [
        each for rule, each in zip(mapping.rules, mapping.caught_by, strict=True) if rule.skip is not None and each
    ]
    return sorted({path for each in (*mapping.conditions, *skips) for path in each.paths})


def is_decided_anew(record: pa.Table, made_from: Sources | None, hashed: Hash) -> bool:
    """Say whether what decided that a record is billed changed since; also if that is not known.

    :param record: one row, as for :func:`~.transform.transform`.
    :param made_from: from what its invoice was made.
    """
    before = (made_from or {}).get(WHEN)
    if before is None:
        return True
    now = {path: hashed(canonical(_plain(column(record, path)[0].as_py()))) for path in before}
    return any(now[path] != before[path] for path in before if path in record.column_names)


def _ruled(mapping: Mapping) -> dict[str, dict[str, None]]:
    """List the paths by which rules change each field; ``lines`` stands for all lines."""
    found: dict[str, dict[str, None]] = {}
    for rule, caught_by in zip(mapping.rules, mapping.caught_by, strict=True):
        read = dict.fromkeys(sorted(caught_by.paths) if caught_by else ())
        for _, spec in () if rule.mark_paid else rule.fields():
            read |= {path: None for path, _ in spec.paths()}
        for name in [PAYMENT] if rule.mark_paid else rule.changes():
            counting = {path: None for path in read if "." not in path or path in mapping.follow}
            found[name] = found.get(name, {}) | counting
    return found


def _json_of(lines: pa.Table, path: str) -> pa.Array:
    return pc.fill_null(Cells(column(lines, path)).each(lambda value: canonical(_plain(value))).values, canonical(None))


def _as_json(of: MappingType[str, Hashes]) -> pa.Array:
    parts: list[Any] = []
    for name, hashes in sorted(of.items()):
        parts.append(f"{', ' if parts else '{'}{json.dumps(name)}: {{")
        for number, (path, each) in enumerate(sorted(hashes.items())):
            parts += [f'{", " if number else ""}{json.dumps(path)}: "', each, '"']
        parts.append("}")
    return pc.binary_join_element_wise(*parts, "}", "")


def _plain(value: Any) -> str | None:
    """Write a value the same way whichever API brought it."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return None if value is None else str(value)

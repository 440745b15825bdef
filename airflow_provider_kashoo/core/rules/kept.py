"""The unchanged records of a plan in columns, without an intent for each: there may be a million in a run.

Most only get the time at which they were read. Whoever has more to do with one of them makes its intent again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    Keep,
)
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.core.values.record import Record

Columns: TypeAlias = pa.Table | pa.RecordBatch

PART = 10_000
"""Records that are intents, or rows of Python, at the same time."""

CODE = pa.dictionary(pa.int32(), pa.string())
"""A column with few different values."""


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value)


_COLUMNS: dict[str, tuple[pa.DataType, Callable[[Keep], Any]]] = {
    "kind": (CODE, lambda each: each.record.kind),
    "object": (CODE, lambda each: each.record.object),
    "id": (pa.string(), lambda each: each.record.id),
    "part": (pa.int32(), lambda each: each.record.part),
    "reason": (CODE, lambda each: each.reason),
    "sync": (CODE, lambda each: each.sync),
    "mapping": (CODE, lambda each: each.mapping),
    "sale": (pa.string(), lambda each: None if each.sale == each.record.id else each.sale),
    "generation": (pa.int32(), lambda each: each.generation),
    "link_version": (pa.int64(), lambda each: each.link_version),
    "source_read": (CODE, lambda each: each.source_read),
    "kashoo_id": (pa.int64(), lambda each: each.kashoo_id),
    "sources": (pa.large_string(), lambda each: _json(each.sources)),
    "held": (pa.large_string(), lambda each: _json(each.held or None)),
    "observed": (pa.large_string(), lambda each: _json(each.observed)),
    "settlement": (CODE, lambda each: each.settlement),
    "ends_waiting": (pa.bool_(), lambda each: each.ends_waiting),
}

KEPT_COLUMNS = pa.schema([(name, kind) for name, (kind, _) in _COLUMNS.items()])
"""The fields of :class:`~.intents.Keep` and of its record, but for the amount.

``sale`` is null if it is the record itself. ``sources``, ``held`` and ``observed`` are JSON; null leaves what the link
has.
"""


class Kept:
    """Collects the unchanged records of a plan."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = [KEPT_COLUMNS.empty_table()]
        self._single: list[Keep] = []

    def add(self, intent: Keep) -> None:
        """Add one record."""
        self._single.append(intent)
        if len(self._single) == PART:
            self._end_part()

    def add_columns(self, records: pa.Table) -> None:
        """Add many records.

        :param records: with the columns of :data:`KEPT_COLUMNS`.
        """
        self._parts.append(records.select(KEPT_COLUMNS.names).cast(KEPT_COLUMNS))

    def table(self) -> pa.Table:
        """Give all of them, ordered by kind, id and part: the order in which they were added leaves no trace."""
        self._end_part()
        table = pa.concat_tables(self._parts).unify_dictionaries()
        # Arrow does not sort by a column of codes.
        keys = pa.table({"kind": table["kind"].cast(pa.string()), "id": table["id"], "part": table["part"]})
        return table.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))

    def _end_part(self) -> None:
        self._parts.append(columns_of(self._single))
        self._single = []


def columns_of(kept: Sequence[Keep]) -> pa.Table:
    """Give intents as columns."""
    columns = [pa.array(list(map(value, kept)), kind) for kind, value in _COLUMNS.values()]
    return pa.Table.from_arrays(columns, schema=KEPT_COLUMNS)


def intents_of(columns: Columns, rows: Iterable[int]) -> list[Keep]:
    """Give some rows as intents again."""
    return [_intent(**values) for values in columns.take(pa.array(rows, pa.int64())).to_pylist()]


def counts_of(kept: pa.Table) -> Counter[tuple[str, Action, str]]:
    """Count records by kind, action and reason."""
    named = pa.table({name: kept[name].cast(pa.string()) for name in ("kind", "reason")})
    counted = named.group_by(["kind", "reason"]).aggregate([([], "count_all")]).to_pylist()
    return Counter({(each["kind"], Action.UNCHANGED, each["reason"]): each["count_all"] for each in counted})


def _intent(**values: Any) -> Keep:
    record = Record(*(values.pop(name) for name in ("kind", "object", "id", "part")))
    sale, sources, held, observed = (values.pop(name) for name in ("sale", "sources", "held", "observed"))
    return Keep(
        record=record,
        sale=record.id if sale is None else sale,
        sources=None if sources is None else json.loads(sources),
        held={} if held is None else json.loads(held),
        observed=None if observed is None else json.loads(observed),
        **values,
    )

"""What a plan skips, and why: counted, and kept so that one record is found again. Nothing acts on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.kept import CODE, PART

SKIPPED_COLUMNS = pa.schema(
    [("kind", CODE), ("id", pa.string()), ("mapping", CODE), ("action", CODE), ("reason", CODE)]
)


class Skipped:
    """Collects the records that a plan skips.

    :ivar of: how many, by kind, action and reason.
    """

    def __init__(self) -> None:
        self.of: Counter[tuple[str, Action, str]] = Counter()
        self._parts: list[pa.Table] = [SKIPPED_COLUMNS.empty_table()]
        self._single: list[tuple[str, ...]] = []

    def note(
        self, kind: str, action: Action, reason: str, ids: str | Sequence[str] | pa.Array, mapping: str = ""
    ) -> None:
        """Note one record, or many with the same reason.

        :param ids: Salesforce id, or several: a list, or a column of texts.
        :param mapping: name of the mapping that reads them.
        """
        if isinstance(ids, str):
            self._single.append((kind, ids, mapping, action.value, reason))
            if len(self._single) == PART:
                self._end_part()
        elif not len(ids):
            return
        else:
            named = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string())
            same = {"kind": kind, "mapping": mapping, "action": action.value, "reason": reason}
            columns = {name: pa.repeat(value, len(named)).dictionary_encode() for name, value in same.items()}
            self._parts.append(pa.table(columns | {"id": named.cast(pa.string())}).select(SKIPPED_COLUMNS.names))
        self.of[kind, action, reason] += 1 if isinstance(ids, str) else len(ids)

    def table(self) -> pa.Table:
        """Give all of them."""
        self._end_part()
        return pa.concat_tables(self._parts).unify_dictionaries()

    def _end_part(self) -> None:
        columns = zip(*self._single, strict=True) if self._single else [()] * len(SKIPPED_COLUMNS)
        arrays = [pa.array(column, of.type) for column, of in zip(columns, SKIPPED_COLUMNS, strict=True)]
        self._parts.append(pa.Table.from_arrays(arrays, schema=SKIPPED_COLUMNS))
        self._single = []

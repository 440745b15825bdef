"""The files between the steps: Parquet and JSON under one folder per run.

They hold real data. Each file is written under another name and moved into place, so that a step that dies leaves
nothing half-written. The folder belongs to one org and one business: DAGs of two companies with the same schedule have
the same run ids.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.intents import INTENTS, Action, Intent
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.core.values.record import Record


def clear(task: str) -> str:
    """Say which task of the run to clear, so that it and all that depends on it is done again."""
    return f"Clear the task {task}, with everything downstream."


class Staging:
    """The folder of one run.

    :param root: anything with the interface of :class:`pathlib.Path`, Airflow's ``ObjectStoragePath`` too.
    :param sync: name of the sync.
    :param scope: names the org and the business.
    :param run_id: Airflow's run id; it may hold any character.
    """

    def __init__(self, root: Any, sync: str, scope: str, run_id: str) -> None:
        self._root, self._scope = root, scope
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", run_id)[:80]
        self.folder = root / sync / scope / f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"

    def of_run(self, sync: str, run_id: str) -> Staging:
        """Give the folder of another run of the same scope."""
        return Staging(self._root, sync, self._scope, run_id)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table as Parquet, replacing an earlier one."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self._write(f"{name}.parquet", buffer.getvalue())

    def read_table(self, name: str) -> pa.Table | None:
        """Read a table; None when it was not staged.

        :raises ConfigurationError: when the file is damaged.
        """
        content = self._read(f"{name}.parquet")
        with _undamaged(name):
            return None if content is None else pq.read_table(io.BytesIO(content))

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON object, replacing an earlier one."""
        self._write(f"{name}.json", json.dumps(value, ensure_ascii=False, default=str).encode())

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a JSON object; None when it was not staged.

        :raises ConfigurationError: when the file is damaged.
        """
        content = self._read(f"{name}.json")
        with _undamaged(name):
            return None if content is None else dict(json.loads(content))

    def names(self, prefix: str) -> list[str]:
        """List what is staged under a prefix, without the endings."""
        if not self.folder.exists():
            return []
        found = (path.name for path in self.folder.iterdir())
        return sorted({name.rsplit(".", 1)[0] for name in found if name.startswith(prefix) and ".part" not in name})

    def remove(self, prefix: str) -> None:
        """Remove what is staged under a prefix."""
        if self.folder.exists():
            for path in list(self.folder.iterdir()):
                if path.name.startswith(prefix):
                    path.unlink()

    def write_plan(self, intents: Sequence[Intent]) -> None:
        """Write the plan, one row per intent."""
        rows = [{"action": each.action.value, "intent": canonical(each.values)} for each in intents]
        self.write_table("plan", pa.Table.from_pylist(rows, schema=_PLAN))

    def read_plan(self) -> list[Intent]:
        """Read the plan.

        :raises ConfigurationError: when no plan was made in this run, or by another version of this package.
        """
        table = self.read_table("plan")
        if table is None:
            raise ConfigurationError("This run has no plan.", remedy=clear("plan"))
        try:
            return [_intent(row["action"], json.loads(row["intent"])) for row in table.to_pylist()]
        except (KeyError, TypeError, ValueError) as error:
            said = "The plan of this run was made by another version of this package."
            raise ConfigurationError(said, remedy=clear("plan")) from error

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.{uuid.uuid4().hex}.part"  # two tries of a task may write at once
        part.write_bytes(content)
        part.rename(self.folder / name)

    def _read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


@contextmanager
def _undamaged(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, ValueError) as error:
        said = f"The staged file {name} of this run cannot be read."
        raise ConfigurationError(said, remedy=clear("that wrote it")) from error


_PLAN = pa.schema([("action", pa.string()), ("intent", pa.string())])


def _intent(action: str, values: dict[str, Any]) -> Intent:
    return INTENTS[Action(action)](**values | {"record": Record(**values["record"])})

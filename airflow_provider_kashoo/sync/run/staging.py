"""The files between the steps: Parquet and JSON under one folder per run.

They hold real data: on a local disk only their owner may read them, and :mod:`.maintenance` removes them. Each file
is written under another name and moved into place, so that a step that dies leaves nothing half-written. The folder
belongs to one org and one business: DAGs of two companies with the same schedule have the same run ids.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.private import OWNER_FILE, OWNER_FOLDER, make_folder, tighten

PART = ".part"
"""How the name of a file ends while it is written."""

WORKED_ON = "worked_on"
"""Staged by every step: which run this is, and when it was last worked on."""

RUN_KEY = b"kashoo.run"
"""In the metadata of a Parquet file: the folder of the run that staged it; earlier versions wrote none."""

_SMALL: dict[str, Any] = {"compression": "zstd"}
_QUICKLY: dict[str, Any] = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}

TOKEN_FILE = "token"  # noqa: S105  a name
"""Kashoo's token, encrypted; it is removed when the run is committed."""


def clear(task: str) -> str:
    """Say which task of the run to clear, so that it and all that depends on it is done again."""
    return f"Clear the task {task}, with everything downstream."


class StagedTable:
    """A staged table that is read in batches, as often as wanted: each time it is the same content.

    :param content: of the file; all of it is in memory, compressed.
    :raises ConfigurationError: when it is damaged, also while it is read.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self._name, self._content = name, content
        with _undamaged(name):
            schema = self._open().schema_arrow
        metadata = dict(schema.metadata or {})
        self.run = metadata.pop(RUN_KEY, b"").decode()
        self.schema = schema.with_metadata(metadata or None)

    def of(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Read it, in parts of so many rows at most."""
        with _undamaged(self._name):
            for part in self._open().iter_batches(batch_size=rows):
                yield part.replace_schema_metadata(self.schema.metadata)

    def whole(self, only: Sequence[str] | None = None) -> pa.Table:
        """Read all of it.

        :param only: of these columns those that it has; all, if not given.
        """
        names = [name for name in self.schema.names if only is None or name in only]
        with _undamaged(self._name):
            return self._open().read(names).replace_schema_metadata(self.schema.metadata)

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(io.BytesIO(self._content))


class Staging:
    """The folder of one run.

    :param root: anything with the interface of :class:`pathlib.Path`, Airflow's ``ObjectStoragePath`` too.
    :param sync: name of the sync.
    :param scope: names the org and the business.
    :param run_id: Airflow's run id; it may hold any character.
    """

    def __init__(self, root: Any, sync: str, scope: str, run_id: str) -> None:
        self.root, self._scope = root, scope
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", run_id)[:80]
        self._above = (root / sync, root / sync / scope)
        self.folder = self._above[-1] / f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"
        self._made = False

    def of_run(self, sync: str, run_id: str) -> Staging:
        """Give the folder of another run of the same scope."""
        return Staging(self.root, sync, self._scope, run_id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is staged: no step of the run began, or its files were removed."""
        return not self.folder.exists() or not any(True for _ in self.folder.iterdir())

    def mark_worked_on(self, run: RunFacts, now: float) -> None:
        """Note that a step works with these files, so that maintenance leaves them alone for the retention time.

        :param now: epoch seconds of the store's clock.
        """
        at = datetime.fromtimestamp(now, UTC).isoformat()
        self.write_json(WORKED_ON, {"at": at, "run_id": run.run_id, "dag_id": run.dag_id})

    def write_table(self, name: str, table: pa.Table, *, in_passing: bool = False) -> None:
        """Write a table as Parquet, replacing an earlier one.

        :param in_passing: whether the step that writes it also removes it: it is written quickly, and is larger.
        :raises UnreachableError: when the disk is full; an earlier one stays as it was. So for JSON.
        :raises ConfigurationError: when the folder cannot be written.
        """
        self.write_batches(name, table.schema, [table], in_passing=in_passing)

    def write_batches(
        self, name: str, schema: pa.Schema, batches: Iterable[pa.Table | pa.RecordBatch], *, in_passing: bool = False
    ) -> None:
        """Write a table that comes in batches; see :meth:`write_table`. In memory is only what is compressed."""
        buffer = io.BytesIO()
        marked = schema.with_metadata({**(schema.metadata or {}), RUN_KEY: self.folder.name})
        with pq.ParquetWriter(buffer, marked, **(_QUICKLY if in_passing else _SMALL)) as file:
            for each in batches:
                file.write(each.replace_schema_metadata(marked.metadata))
        self._write(f"{name}.parquet", buffer.getvalue())

    def read_table(self, name: str, only: Sequence[str] | None = None) -> pa.Table | None:
        """Read a table; None when it was not staged.

        :param only: of these columns those that it has; all, if not given.

        :raises ConfigurationError: when the file is damaged, or another run staged it.
        """
        table = self.open_table(name)
        return None if table is None else table.whole(only)

    def open_table(self, name: str) -> StagedTable | None:
        """Open a table that is read in batches; None when it was not staged.

        :raises ConfigurationError: when the file is damaged, or another run staged it.
        """
        content = self._read(f"{name}.parquet")
        if content is None:
            return None
        table = StagedTable(name, content)
        if (run := table.run or self.folder.name) != self.folder.name:
            said = f"The staged file {name} is of another run, {run}."
            raise ConfigurationError(said, remedy=clear("that wrote it"))
        return table

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON object, replacing an earlier one."""
        self._write(f"{name}.json", json.dumps(value, ensure_ascii=False, default=str).encode())

    def write_text(self, name: str, text: str) -> None:
        """Write a text for people, replacing an earlier one.

        :param name: of the file, with its ending.
        """
        self._write(name, text.encode())

    def read_text(self, name: str) -> str | None:
        """Read such a text; None when it was not staged."""
        content = self._read(name)
        return None if content is None else content.decode()

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
        return sorted({name.rsplit(".", 1)[0] for name in found if name.startswith(prefix) and PART not in name})

    def remove(self, prefix: str) -> None:
        """Remove what is staged under a prefix."""
        if self.folder.exists():
            for path in list(self.folder.iterdir()):
                if path.name.startswith(prefix):
                    path.unlink()

    def _write(self, name: str, content: bytes) -> None:
        with _explained(self.root):
            try:
                self._make_folder()
                write_whole(self.folder, name, content)
            except FileNotFoundError:  # maintenance removed the folder, as it was empty
                self._made = False
                self._make_folder()
                write_whole(self.folder, name, content)

    def _make_folder(self) -> None:
        if self._made:
            return
        if not isinstance(self.folder, Path):  # object storage has rights of its own
            self.folder.mkdir(parents=True, exist_ok=True)
            return
        # The root stays as an administrator made it: others may have to pass through it.
        self.root.mkdir(OWNER_FOLDER, parents=True, exist_ok=True)
        for folder in (*self._above, self.folder):
            make_folder(folder)
        for path in self.folder.iterdir():
            tighten(path)
        self._made = True

    def _read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


def write_whole(folder: Any, name: str, content: bytes) -> None:
    """Write a file under another name and move it into place; on a local disk only its owner may read it.

    :raises OSError: when it cannot be written; an earlier one stays as it was.
    """
    part = folder / f"{name}.{uuid.uuid4().hex}{PART}"  # two tries of a task may write at once
    try:
        if isinstance(part, Path):
            part.touch(OWNER_FILE, exist_ok=False)
        part.write_bytes(content)
        part.rename(folder / name)
    except OSError:
        with suppress(OSError):  # a full disk needs the room
            part.unlink()
        raise


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def _explained(root: Any) -> Iterator[None]:
    """Say what a person has to do when a file cannot be written."""
    written = "The file was not staged; what was staged and written before stays."
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            remedy = "Free disk space, or raise the limit; the task tries again by itself."
            what = f"The staging folder {root} has no space left ({error.strerror})."
            raise UnreachableError(what, remedy=remedy, written=written) from error
        if error.errno in DENIED:
            remedy = "Let the user of the Airflow workers own that folder, or correct [kashoo] staging_path."
            what = f"The staging folder {root} cannot be written ({error.strerror})."
            raise ConfigurationError(what, remedy=remedy, written=written) from error
        raise


@contextmanager
def _undamaged(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, ValueError) as error:
        said = f"The staged file {name} of this run cannot be read."
        raise ConfigurationError(said, remedy=clear("that wrote it")) from error

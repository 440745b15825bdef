"""Remove what was staged by runs that nobody works on any more, what dying tries left, and old slots of the budget.

Every step notes in the folder of its run when it began. A run counts as over when no step began for the retention time
and Airflow does not say that it still goes on; a run that failed may be cleared until then. Where a folder has no such
note, as earlier versions staged it, the note is made now: times of files are not to be had from every object storage.

It needs no lock. The deltas go first and the note goes last: a run that is cleared in the same second finds files
missing and says so, and what is left of a removal that died is removed by the next one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.store.budget import forget_old_slots
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.private import tighten
from airflow_provider_kashoo.sync.run.deltas import PREFIX
from airflow_provider_kashoo.sync.run.staged_runs import NOTE, note_of, run_folders
from airflow_provider_kashoo.sync.run.staging import PART, write_whole

PART_SECONDS = 86_400
"""A file is written in seconds or minutes: one that is unfinished for a day belongs to a try that died."""

GoesOn = Callable[[str, str], bool]
"""DAG id and run id -> whether Airflow says that the run is queued or running."""


@dataclass
class Freed:
    """What was removed, and what was left although it is old.

    :ivar runs: whose files were removed.
    :ivar parts: unfinished files of tries that died; ``files`` and ``bytes`` count them too.
    :ivar slots: rows of the request budget that count for nothing any more.
    :ivar going_on: ids of runs that are older than the retention time, but go on in Airflow.
    :ivar refused: files that could not be removed, because they belong to another user.
    """

    runs: int = 0
    files: int = 0
    bytes: int = 0
    parts: int = 0
    slots: int = 0
    going_on: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it for the log."""
        files = (
            f"Removed {self.files} files ({self.bytes:,} bytes): of {self.runs} runs, and {self.parts} unfinished ones."
        )
        lines = [files, f"Removed {self.slots} old slots of the request budget."]
        lines += [f"Kept, because the run is old but still goes on: {run_id}" for run_id in self.going_on]
        lines += [f"Not removed, because it belongs to another user: {path}" for path in self.refused]
        return "\n".join(lines)


def tidy(root: Any, database: Database, retention: timedelta, goes_on: GoesOn = lambda *_: False) -> Freed:
    """Remove what is old. It may run beside syncs and beside itself.

    :param root: the staging folder: a path, or Airflow's ``ObjectStoragePath``.
    :param retention: how long the files of a run stay after a step last began to work with them.
    :raises UnreachableError: when the store does not answer.
    """
    with database.begin() as connection:
        now = datetime.fromtimestamp(database.now(connection), UTC)
    sweep = _Sweep(now, retention, goes_on)
    for folder in run_folders(root):
        with suppress(FileNotFoundError):  # another maintenance run removed it
            sweep.tidy_run(folder)
    sweep.freed.slots = forget_old_slots(database)
    return sweep.freed


class _Sweep:
    def __init__(self, now: datetime, retention: timedelta, goes_on: GoesOn) -> None:
        self._now, self._retention, self._goes_on, self.freed = now, retention, goes_on, Freed()

    def tidy_run(self, folder: Any) -> None:
        """Remove the files of a run if it is over, else what tries that died left in it."""
        files = {path.name: path for path in folder.iterdir()}
        note = note_of(files[NOTE]) if NOTE in files else None
        if not files:
            _remove_folder(folder)
        elif note is not None and self._is_over(note):
            # The deltas first: a plan that is made meanwhile misses them, and is not taken for a whole one.
            for name in sorted(files.keys() - {NOTE}, key=lambda name: (not name.startswith(PREFIX), name)):
                self._remove(files[name])
            self.freed.runs += self._remove(files[NOTE])
            _remove_folder(folder)
        else:
            self._keep(folder, files)
            if note is None:
                write_whole(folder, NOTE, json.dumps({"at": self._now.isoformat()}).encode())

    def _is_over(self, note: Mapping[str, Any]) -> bool:
        if self._now - datetime.fromisoformat(note["at"]) < self._retention:
            return False
        if note.get("dag_id") and self._goes_on(note["dag_id"], note["run_id"]):
            self.freed.going_on.append(note["run_id"])
            return False
        return True

    def _keep(self, folder: Any, files: Mapping[str, Any]) -> None:
        if isinstance(folder, Path):
            for path in (folder, *files.values()):
                tighten(path)
        for name, path in files.items():
            if name.endswith(PART) and _seconds_old(path) > PART_SECONDS and self._remove(path):
                self.freed.parts += 1

    def _remove(self, path: Any) -> bool:
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:  # another maintenance run was first
            return False
        except PermissionError:
            self.freed.refused.append(str(path))
            return False
        self.freed.files += 1
        self.freed.bytes += size
        return True


def _remove_folder(folder: Any) -> None:
    if not folder.exists():  # object storage has no empty folders
        return
    with suppress(OSError):  # a step of the run began again
        # The rmdir of other paths takes what is in the folder with it.
        folder.rmdir() if isinstance(folder, Path) else folder.fs.rmdir(folder.path)


def _seconds_old(path: Any) -> float:
    """Say how long ago a file was written, by this host's clock; not at all where the storage does not tell."""
    written = path.stat().st_mtime
    if isinstance(written, datetime):
        written = written.timestamp()
    return time.time() - written if written else 0.0

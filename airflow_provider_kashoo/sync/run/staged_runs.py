"""The folders of all runs under the staging folder, whichever org and business they belong to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.store.private import tighten
from airflow_provider_kashoo.sync.run.staging import WORKED_ON, Staging
from airflow_provider_kashoo.sync.run.sync import TIE_OUT, TO_KASHOO, TO_SALESFORCE

NOTE = f"{WORKED_ON}.json"
RUN_FOLDER = re.compile(r".*-[0-9a-f]{8}")


def run_folders(root: Any, syncs: Iterable[str] = (TO_KASHOO, TO_SALESFORCE, TIE_OUT)) -> Iterator[Any]:
    """List them.

    :param root: the staging folder: a path, or Airflow's ``ObjectStoragePath``.
    :param syncs: of these only.
    """
    for sync in syncs:
        for scope in _folders(root / sync):
            yield from (folder for folder in _folders(scope) if RUN_FOLDER.fullmatch(folder.name))


def newest_runs(
    root: Any, syncs: Iterable[str] = (TO_KASHOO, TO_SALESFORCE, TIE_OUT)
) -> list[tuple[str, str, Staging]]:
    """Open them, the one that was worked on last first.

    :param syncs: of these only.
    :returns: when a step last began to work with a run, ISO 8601 UTC; its run id; its files.
    """
    found = []
    for folder in run_folders(root, syncs):
        note = note_of(folder / NOTE) if (folder / NOTE).exists() else None
        if note and "run_id" in note:
            files = Staging(root, folder.parent.parent.name, folder.parent.name, note["run_id"])
            found.append((str(note["at"]), str(note["run_id"]), files))
    return sorted(found, key=lambda each: each[0], reverse=True)


def files_of(root: Any, dag_id: str, run_id: str, syncs: Iterable[str] = (TO_KASHOO, TO_SALESFORCE)) -> Staging | None:
    """Open the files of one run of a DAG; None if there are none.

    If several orgs or businesses have such a run, it is the one that was worked on last.

    :param syncs: what the run may be of.
    """
    found = []
    for sync in syncs:
        for scope in _folders(root / sync):
            files = Staging(root, sync, scope.name, run_id)
            note = note_of(files.folder / NOTE) if (files.folder / NOTE).exists() else None
            if note and (note.get("run_id"), note.get("dag_id")) == (run_id, dag_id):
                found.append((str(note["at"]), files))
    return max(found, key=lambda each: each[0])[1] if found else None


def note_of(path: Any) -> dict[str, Any] | None:
    """Read the note of a run; None when it cannot be read."""
    try:
        note = json.loads(path.read_bytes())
        return note if datetime.fromisoformat(note["at"]).tzinfo else None
    except (KeyError, TypeError, ValueError):
        return None


def _folders(parent: Any) -> list[Any]:
    if not parent.exists():
        return []
    if isinstance(parent, Path):
        tighten(parent)
    return [path for path in sorted(parent.iterdir(), key=str) if path.is_dir()]

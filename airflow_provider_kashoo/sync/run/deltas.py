"""What an extract read, staged last. The plan is made from deltas, and commit moves the watermarks to their ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.run.staging import Staging

PREFIX = "delta."


@dataclass(frozen=True)
class Delta:
    """One extract of a Salesforce object, or of Kashoo's invoices or payments. Times are ISO 8601 UTC.

    :param source: ``salesforce.<Object>`` or ``kashoo.<resource>``, as watermarks are named.
    :param lower: start of the window, inclusive.
    :param upper: its end, exclusive; where the watermark moves to.
    :param moves: whether the watermark moves.
    :param note: the window in words for people.
    :param read: when the source was asked.
    :param records: how many were read.
    :param lines: how many lines; only of Salesforce, like all that follow but the last two.
    :param bulk: whether they were read by Bulk API 2.0.
    :param deleted: ids of what was deleted.
    :param missing: ids of what is not found any more, but is not known to be deleted.
    :param merged: id of a merged record -> the record that is left.
    :param later: ids of what changed during a bulk read, and is left to a later window.
    :param parts: staged part -> rows in it.
    :param start: first date that was listed in Kashoo, ``YYYY-MM-DD``; None when nothing is linked yet.
    :param sweep: whether everything that is linked was listed.
    """

    source: str
    lower: str
    upper: str
    moves: bool
    note: str
    read: str
    records: int
    lines: int = 0
    bulk: bool = False
    deleted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    merged: Mapping[str, str] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    parts: Mapping[str, int] = field(default_factory=dict)
    start: str | None = None
    sweep: bool = False

    def stage(self, files: Staging, name: str) -> None:
        """Stage it under the name of the object or resource."""
        files.write_json(PREFIX + name, asdict(self))


def staged(files: Staging, name: str) -> Delta | None:
    """Give what the extract of an object or resource staged; None when there was none in this run.

    :raises ConfigurationError: when another version of this package staged it.
    """
    content = files.read_json(PREFIX + name)
    try:
        return None if content is None else Delta(**content)
    except TypeError as error:
        raise ConfigurationError(
            f"What the extract of {name} staged was made by another version of this package.",
            remedy="Clear that task and what follows.",
        ) from error


def all_staged(files: Staging) -> dict[str, Delta]:
    """Give all of them, by the name of the object or resource."""
    names = [name.removeprefix(PREFIX) for name in files.names(PREFIX)]
    return {name: delta for name in names if (delta := staged(files, name))}


def earliest_read(deltas: Iterable[Delta]) -> str:
    """Say when the first of them was read; empty when there is none."""
    return min((delta.read for delta in deltas), default="")


def gone(delta: Delta | None) -> dict[str, Any]:
    """Give the ids that an extract did not find -> whether they only vanished, without a sign of deletion."""
    if delta is None:
        return {}
    return dict.fromkeys(delta.missing, True) | dict.fromkeys(delta.deleted, False)

"""Waiting for the request budget without starting over.

A plan that needs more requests than the budget allows at once keeps what it read of single records; otherwise it would
start over after each wait and never end. What it kept may be hours old: a record is read again before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError
from airflow_provider_kashoo.sync.run.sync import Sync

NAME = "reads"
MOST_WAITS = 24


class Reads:
    """Single records that one plan read; each counts against the request limit once."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        kept = sync.files.read_json(NAME) or {}
        self._kept = {key: each and sync.kashoo.entry(key.partition("/")[0], each) for key, each in kept.items()}
        self._before = len(self._kept)

    def read(self, target: str, kashoo_id: int, version: int) -> Entry | None:
        """Read a record of the books, or give what was read before the wait; None when it is not there.

        :param version: of its link: what was read before another run wrote the record is not used.
        :raises BudgetSpent: when the budget needs a longer wait; what was read so far is kept.
        """
        key = f"{target}/{kashoo_id}/{version}"
        if key not in self._kept:
            self._kept[key] = self._sync.kashoo.read(target, kashoo_id)
        return self._kept[key]

    def keep(self) -> bool:
        """Stage what was read for the next try of the plan; says whether it is more than the last try had."""
        self._sync.files.write_json(NAME, {key: each and each.kept for key, each in self._kept.items()})
        return len(self._kept) > self._before

    def forget(self) -> None:
        """Delete what was kept: the plan is made, and the next one reads everything again."""
        self._sync.files.remove(f"{NAME}.json")


@contextmanager
def waiting(sync: Sync, step: str, keep: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Count how often a step waits for its budget and gets no further, and stop it before it waits for ever.

    :param keep: keeps what was read for the next try; says whether the step got on.
    :raises BudgetSpent: when the budget needs a longer wait.
    :raises ConfigurationError: when it waited too often without getting further.
    """
    name = f"waits.{step}"
    try:
        yield
    except BudgetSpent:
        waits = 0 if keep() else (sync.files.read_json(name) or {"count": 0})["count"] + 1
        sync.files.write_json(name, {"count": waits})
        if waits <= MOST_WAITS:
            raise
        raise ConfigurationError(
            f"The step {step} waited for its request budget {waits} times and got no further: one list of Kashoo "
            "takes more requests than the budget allows at once, or other DAGs use it up.",
            remedy="Raise the budget in the Kashoo connection, or pause other DAGs; then clear this task.",
        ) from None
    sync.files.remove(f"{name}.json")

"""Numbers that take seconds in a large store: counted in the background, and shown with the time of the count."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

FRESH_SECONDS = 20.0
"""A count younger than this is shown as it is."""

PART = 10
"""What took long is shown for so many times as long: a page that is left open keeps no database busy."""

PATIENCE = 0.15
"""Seconds that a request waits for a count; a small store answers in less."""


MOST_KEPT = 500
"""Counts that are kept, the last: each run that somebody looks at has one."""


@dataclass
class _Count:
    value: Any = None
    at: float | None = None
    fresh_until: float = 0.0
    running: Future[Any] | None = None


@dataclass
class Kept:
    """The last count of each thing, and one thread that counts.

    :param clock: epoch seconds; replaced in tests, as the patience is.
    """

    clock: Callable[[], float] = time.time
    patience: float = PATIENCE
    _counts: dict[Hashable, _Count] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "kashoo-page"))

    def get(self, name: Hashable, count: Callable[[], Any]) -> tuple[Any, float | None]:
        """Give the last count; begin a new one if that is old.

        :returns: what was counted and when, epoch seconds; None twice while the first count takes its time.
        :raises SyncError: as ``count``.
        """
        with self._lock:
            kept = self._counts.setdefault(name, _Count())
            if len(self._counts) > MOST_KEPT:
                self._counts.pop(next(iter(self._counts)))
            if kept.running is None and self.clock() > kept.fresh_until:
                kept.running = self._thread.submit(self._timed, count)
            running = kept.running
        if running is not None:
            self._settle(kept, running)
        return kept.value, kept.at

    def _settle(self, kept: _Count, running: Future[Any]) -> None:
        try:
            value, took = running.result(self.patience)
        except TimeoutError:
            return
        except BaseException:
            kept.running = None
            raise
        with self._lock:
            if kept.running is running:
                kept.value, kept.at, kept.running = value, self.clock(), None
                kept.fresh_until = kept.at + max(FRESH_SECONDS, PART * took)

    def _timed(self, count: Callable[[], Any]) -> tuple[Any, float]:
        begun = self.clock()
        return count(), self.clock() - begun


KEPT = Kept()
"""Those of this API server."""

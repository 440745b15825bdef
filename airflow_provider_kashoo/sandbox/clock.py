"""The one clock of the sandbox: both simulated systems read it, tests and demos push it forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

_END = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class Clock:
    """Real time plus an offset: it never runs backwards and may be read and moved from any thread.

    ``start`` is the first instant shown (default: the wall clock at construction). ``source`` yields elapsed
    seconds; the monotonic default keeps a wall-clock correction from moving the sandbox back in time, and a
    constant source freezes the clock, so that only :meth:`advance` moves it.
    """

    def __init__(self, start: datetime | None = None, *, source: Callable[[], float] = time.monotonic) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("the clock needs an aware start")
        self._source = source
        self._base = (start.timestamp() if start else time.time()) - source()
        self._lock = threading.Lock()

    def time(self) -> float:
        """Return the current instant as epoch seconds."""
        with self._lock:
            return self._base + self._source()

    def now(self) -> datetime:
        """Return the current instant as an aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def restore(self, instant: float) -> None:
        """Show ``instant`` (epoch seconds, once given by :meth:`time`) again: the one way back, for snapshots."""
        with self._lock:
            self._base = instant - self._source()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``; ``ValueError`` if that is negative or beyond the calendar."""
        with self._lock:
            moved = self._base + seconds
            if not seconds >= 0 or moved + self._source() >= _END:
                raise ValueError("the clock only moves forward, and not beyond the year 9000")
            self._base = moved

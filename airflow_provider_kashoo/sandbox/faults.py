"""The one place where a request passes before and after a simulated system.

Today it only keeps the request log. Scripted faults (drops, delays, cut or foreign bodies) and variants of the
simulated APIs belong here later, so that neither API module has to know that it is being sabotaged.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from email.utils import format_datetime
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kashoo.sandbox.clock import Clock

LOG_SIZE = 10_000


@dataclass(frozen=True)
class Seen:
    """One request as logged. There is no query: it may carry credentials or personal data."""

    method: str
    path: str
    status: int
    at: float


class RequestLog:
    """A ring of the newest requests and a count of all of them."""

    def __init__(self, size: int = LOG_SIZE) -> None:
        self._ring: deque[Seen] = deque(maxlen=size)
        self._lock = threading.Lock()
        self.total = 0

    def add(self, seen: Seen) -> None:
        """Append one request; the oldest leaves when the ring is full."""
        with self._lock:
            self._ring.append(seen)
            self.total += 1

    def entries(self) -> list[dict[str, Any]]:
        """Return the requests still in the ring, oldest first."""
        with self._lock:
            return [asdict(seen) for seen in self._ring]


class FaultMiddleware:
    """ASGI wrapper of one simulated system: logs each request with its status, and dates answers by the clock.

    Status 0 stands for a request that ended without any answer.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, log: RequestLog) -> None:
        self.app = app
        self.clock = clock
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through, noting when it arrived and what was answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived = self.clock.time()
        answered = False

        def log(status: int) -> None:
            self.log.add(Seen(scope["method"], scope["path"], status, arrived))

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Date", format_datetime(self.clock.now(), usegmt=True))
                # Logged before it leaves: a client that has its answer finds it in the log.
                log(message["status"])
                answered = True
            # SEAM after the simulated system has decided (and perhaps committed): drop, delay or rewrite here.
            await send(message)

        try:
            # SEAM before the simulated system sees the request: refuse, delay or redirect here.
            await self.app(scope, receive, sending)
        finally:
            if not answered:
                log(0)

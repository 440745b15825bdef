"""The one place where a request passes before and after a simulated system: its log, scripted faults, crash points.

Neither API module knows that it is being sabotaged. Every fault says whether the system saw the request (and so perhaps
wrote), because that is what its client cannot see.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, Literal, get_args

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.bulk import JOB_FAILS
from airflow_provider_kashoo.sandbox.salesforce.composite import TIMED_OUT
from airflow_provider_kashoo.sandbox.salesforce.csv_pages import PARTS
from airflow_provider_kashoo.sandbox.salesforce.org import ROW_LOCKS

LOG_SIZE = 10_000
DRIP_BYTES = 32
SLEEP = "sandbox.sleep"
"""ASGI extension of a server that has no event loop: what to await instead of ``asyncio.sleep``."""

Kind = Literal[
    "drop_before", "drop_after", "cut_body", "slow_body", "duplicate", "too_many", "error_before", "error_after",
    "unauthorized_before", "unauthorized_after", "html_before", "html_after",
    "row_lock", "limit_daily", "limit_concurrent", "locator_expired", "query_timeout", "job_failed",
]  # fmt: skip
SALESFORCE_ONLY = frozenset(
    {"row_lock", "limit_daily", "limit_concurrent", "locator_expired", "query_timeout", "job_failed"}
)
_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
#: Status, Salesforce's code and text of what is answered here. Evidenced: 401 and the two 403; the rest is assumed.
_REFUSALS = {
    "unauthorized": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "too_many": (429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
    "limit_daily": (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "limit_concurrent": (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    "locator_expired": (400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "query_timeout": (400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    "error": (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
}


class Dropped(Exception):
    """The connection ends here, whatever was sent; what runs the app closes it."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. ``_before``: the system never saw the request; ``_after``: it did, perhaps it wrote.

    ``drop_*`` closes the connection without an answer, ``error_*`` gives ``status`` (up to 500 as the system words it,
    above as a gateway's page), ``unauthorized_*`` a 401, ``html_*`` a page with 200. ``cut_body`` ends half-way through
    the body and ``slow_body`` drips it (both processed). ``duplicate`` is processed twice, as by a proxy that delivers
    again: the second answer is given. Not processed: ``too_many`` (429), ``limit_daily`` and ``limit_concurrent``
    (403), ``locator_expired`` and ``query_timeout`` (400); a ``query_timeout`` with ``records`` is processed and fails
    those subrequests of a composite request only. ``job_failed`` makes the Bulk job that is created or asked for end
    as Failed. ``row_lock`` refuses to write the rows in ``records`` (18-character ids; all rows
    when empty), in a collection each on its own.

    :param method: of the requests to hit; empty for any.
    :param path: regular expression searched in their path.
    :param nth: the first matching request to hit.
    :param times: how many to hit from there on; None for all.
    :param probability: of hitting each of them, drawn from the sandbox's seed.
    :param retry_after: seconds for a ``Retry-After`` header; None for no header.
    :param as_date: whether that header is a date.
    :param pause: gives the seconds before the head and before every 32 bytes of a ``slow_body``.
    """

    kind: Kind
    method: str = ""
    path: str = ""
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    status: int = 500
    retry_after: int | None = None
    as_date: bool = False
    pause: Callable[[], float] = field(default=lambda: 0.0, repr=False, compare=False)
    records: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"{self.kind!r} is not a kind of fault")
        re.compile(self.path)
        if self.nth < 1 or (self.times is not None and self.times < 1) or not 0 <= self.probability <= 1:
            raise ValueError("nth and times count from 1, and a probability is at most 1")

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Fault:
        """Make one from an object of these fields, with ``pause_seconds``; ``ValueError`` when it is not one."""
        try:
            seconds = float(given.get("pause_seconds", 0))
            fields = {key: value for key, value in given.items() if key not in {"pause", "pause_seconds", "records"}}
            return cls(**fields, records=tuple(given.get("records", ())), pause=lambda: seconds)
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from None


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0


class Faults:
    """The script of one system, empty at first. Of several faults that are due, the one added first fires.

    ``hook`` is called with ``"STAGE METHOD PATH"`` at each stage of each request: ``received``, ``processed`` (the
    system has decided and written) and ``answered``; dropped requests never get to the last. What it raises ends the
    request there and reaches a client in this process as it is; over a socket it is a 500 or a closed connection.
    """

    def __init__(self, system: str, *, seed: int = 1) -> None:
        self.system = system
        self.hook: Callable[[str], None] | None = None
        #: how often each kind fired
        self.fired: Counter[str] = Counter()
        self._seed = f"faults:{system}:{seed}"
        self._random = Random(self._seed)  # noqa: S311 - reproducible on purpose
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Arm faults; ``ValueError`` for a kind that this system does not have."""
        for fault in faults:
            if fault.kind in SALESFORCE_ONLY and self.system != "salesforce":
                raise ValueError(f"{self.system} has no {fault.kind}")
        with self._lock:
            self._armed += map(_Armed, faults)

    def clear(self) -> None:
        """Disarm everything, forget the counts and begin with the seed again; the hook stays."""
        with self._lock:
            self._armed, self._random = [], Random(self._seed)  # noqa: S311
            self.fired.clear()

    def due(self, method: str, path: str) -> Fault | None:
        """Count a request and say what happens to it."""
        with self._lock:
            hit: _Armed | None = None
            for armed in self._armed:
                fault = armed.fault
                if fault.method not in {"", method} or not re.search(fault.path, path):
                    continue
                armed.seen += 1
                over = fault.times is not None and armed.fired >= fault.times
                if hit or over or armed.seen < fault.nth or self._random.random() >= fault.probability:
                    continue
                hit = armed
            if hit is None:
                return None
            hit.fired += 1
            self.fired[hit.fault.kind] += 1
            return hit.fault

    def entries(self) -> list[dict[str, Any]]:
        """Return each armed fault with how many requests it saw and hit."""
        with self._lock:
            found = [asdict(armed.fault) | {"seen": armed.seen, "fired": armed.fired} for armed in self._armed]
        return [{key: value for key, value in entry.items() if key != "pause"} for entry in found]


@dataclass(frozen=True)
class Seen:
    """One request as logged. There is no query: it may carry credentials or personal data.

    :param options: the headers that tell Salesforce how to treat a request, those that begin with ``sforce-``.
    """

    method: str
    path: str
    status: int
    at: float
    options: dict[str, str] = field(default_factory=dict)


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
            found = [asdict(seen) for seen in self._ring]
        return [{key: value for key, value in entry.items() if key != "options" or value} for entry in found]

    def clear(self) -> None:
        """Forget every request and begin to count again."""
        with self._lock:
            self._ring.clear()
            self.total = 0


@dataclass
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    parts: Iterable[bytes] = ()


class FaultMiddleware:
    """ASGI wrapper of one simulated system: logs each request with its status, and dates answers by the clock.

    What the system wrote is settled before a byte leaves: an answer passes whole, or in parts that only read. Status 0
    in the log stands for a request that ended without any answer. A connection is dropped by raising :class:`Dropped`.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, log: RequestLog, faults: Faults) -> None:
        self.app = app
        self.clock = clock
        self.log = log
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through, or not, as the script says."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived = self.clock.time()
        options = {key: value for key, value in Headers(scope=scope).items() if key.startswith("sforce-")}
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # Logged before it leaves: a client that has its answer finds it in the log.
                status = message["status"]
                self.log.add(Seen(scope["method"], scope["path"], status, arrived, options))
            await send(message)

        try:
            self._reached("received", scope)
            body = await _whole(receive)
            fault = self.faults.due(scope["method"], scope["path"])
            answer = await self._answer(scope, body, fault)
            MutableHeaders(raw=answer.headers).setdefault("Date", format_datetime(self.clock.now(), usegmt=True))
            await self._deliver(scope, sending, answer, fault)
            self._reached("answered", scope)
        finally:
            if not status:
                self.log.add(Seen(scope["method"], scope["path"], 0, arrived, options))

    def _reached(self, stage: str, scope: Scope) -> None:
        if self.faults.hook:
            self.faults.hook(f"{stage} {scope['method']} {scope['path']}")

    async def _answer(self, scope: Scope, body: bytes, fault: Fault | None) -> _Answer:
        kind, _, moment = fault.kind.partition("_") if fault else ("", "", "")
        inside = fault is not None and fault.kind == "query_timeout" and bool(fault.records)
        made = self._refusal(fault, kind) if fault and not inside else None
        if moment == "before" or (made and moment != "after"):
            if made is None:
                raise Dropped
            return made
        with _told(fault):
            answer = await self._process(scope, body)
            if kind == "duplicate":
                answer = await self._process(scope, body)
        self._reached("processed", scope)
        if fault and fault.kind == "drop_after":
            raise Dropped
        return made or answer

    async def _process(self, scope: Scope, body: bytes) -> _Answer:
        answer = _Answer(0, [], b"")
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.body += message.get("body", b"")
                answer.parts = message.get(PARTS, answer.parts)

        given = scope.get("extensions") or {}
        await self.app({**scope, "extensions": {**given, PARTS: {}}}, receive, collect)
        return answer

    def _refusal(self, fault: Fault, kind: str) -> _Answer | None:
        """Make the answer that takes the place of the system's own, if the fault has one."""
        status, code, message = _REFUSALS.get(fault.kind) or _REFUSALS.get(kind) or (200, "", "Sign in")
        status = fault.status if kind == "error" else status
        if kind == "html" or status > 500:
            return self._made(fault, status, "text/html", _PAGE.format(message if kind == "html" else status))
        if not code:
            return None
        said: Any = {"message": message}
        if self.faults.system == "salesforce":
            said = [said | {"errorCode": code}]
        return self._made(fault, status, "application/json", json.dumps(said))

    def _made(self, fault: Fault, status: int, media_type: str, text: str) -> _Answer:
        headers = {"Content-Type": media_type, "Content-Length": str(len(text))}
        if fault.retry_after is not None:
            until = self.clock.now() + timedelta(seconds=fault.retry_after)
            headers["Retry-After"] = format_datetime(until, usegmt=True) if fault.as_date else str(fault.retry_after)
        return _Answer(status, [(key.encode(), value.encode()) for key, value in headers.items()], text.encode())

    async def _deliver(self, scope: Scope, send: Send, answer: _Answer, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind in {"cut_body", "slow_body"}:
            answer.body += b"".join(answer.parts)
        body = answer.body
        start: Message = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        if kind == "cut_body":
            MutableHeaders(raw=answer.headers)["Content-Length"] = str(len(body) or 1)
            await send(start)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise Dropped
        if fault and kind == "slow_body":
            sleep = (scope.get("extensions") or {}).get(SLEEP, asyncio.sleep)
            await sleep(fault.pause())
            await send(start)
            for at in range(0, len(body), DRIP_BYTES):
                await sleep(fault.pause())
                await send({"type": "http.response.body", "body": body[at : at + DRIP_BYTES], "more_body": True})
            body = b""
        else:
            await send(start)
            for part in answer.parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": body, "more_body": False})


@contextmanager
def _told(fault: Fault | None) -> Iterator[None]:
    """Let Salesforce know, while it processes a request, of the faults that it has to play itself."""
    kind, records = (fault.kind, frozenset(fault.records)) if fault else ("", frozenset())
    locks = ROW_LOCKS.set(records if kind == "row_lock" else None)
    late = TIMED_OUT.set(records if kind == "query_timeout" else None)
    failing = JOB_FAILS.set(kind == "job_failed")
    try:
        yield
    finally:
        ROW_LOCKS.reset(locks)
        TIMED_OUT.reset(late)
        JOB_FAILS.reset(failing)


async def _whole(receive: Receive) -> bytes:
    """Read a request's body; a client that left half-way gets no answer."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Dropped
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def closing(app: ASGIApp) -> ASGIApp:
    """Close the connection where the app raises :class:`Dropped`, under uvicorn."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        receiving: Any = receive
        try:
            await app(scope, receive, send)
        except Dropped:
            # ASGI has no word for this; uvicorn's receive is a method of what holds the connection.
            receiving.__self__.transport.close()
            while (await receive())["type"] != "http.disconnect":
                pass

    return run

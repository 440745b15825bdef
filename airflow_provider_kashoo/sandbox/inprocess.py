"""A transport for ``requests`` that runs a simulated system in the calling thread: no socket, no loop, no waiting."""

from __future__ import annotations

import io
import time
from collections.abc import Coroutine, Iterable, Mapping
from http import HTTPStatus
from http.client import RemoteDisconnected
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from starlette.types import ASGIApp, Message, Scope
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import ProtocolError

from airflow_provider_kashoo.sandbox.faults import SLEEP, Dropped


class InProcessAdapter(HTTPAdapter):
    """Answers each request by running ``app``; whatever the app or a hook raises reaches the caller as it is.

    A class that adds to ``HTTPAdapter.send`` can sit on top: ``class Both(Metered, InProcessAdapter)``, with ``app``
    set afterwards. A closed connection is a ``requests.ConnectionError``; a pause that outlasts the request's timeout
    is a ``requests.ReadTimeout``, or the error of a broken body, at once. Any thread may send. The app must not wait
    for anything but its request: there is no event loop.
    """

    def __init__(self, app: ASGIApp | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Run one request; of the options of :meth:`requests.adapters.HTTPAdapter.send` only ``timeout`` counts."""
        if self.app is None:
            raise TypeError("the adapter has no app")
        timeout = options.get("timeout")
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        exchange = _Exchange(request, None if limit is None else float(limit))
        try:
            _run(self.app(exchange.scope, exchange.receive, exchange.send))
        except Dropped:
            if exchange.start is None:
                closed = RemoteDisconnected("Remote end closed connection without response")
                raise requests.ConnectionError(ProtocolError("Connection aborted.", closed), request=request) from None
        if exchange.late:
            raise requests.ReadTimeout("Read timed out.", request=request)
        return self.build_response(request, exchange.response())


class _Exchange:
    """The two ends of one request, as an ASGI app sees them."""

    def __init__(self, request: requests.PreparedRequest, limit: float | None) -> None:
        self.limit, self.late = limit, False
        self.start: Message | None = None
        self.parts: list[tuple[float, bytes]] = []  # seconds to wait, then bytes
        self._pause = 0.0
        self._method = request.method or "GET"
        self._body: bytes | None = _bytes(request.body)
        self.scope = _scope(request, self._method)
        self.scope["extensions"] = {SLEEP: self.sleep}

    async def receive(self) -> Message:
        body, self._body = self._body, None
        return {"type": "http.disconnect"} if body is None else {"type": "http.request", "body": body}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            self.late = self.limit is not None and self._pause >= self.limit
            if self._pause and not self.late:
                time.sleep(self._pause)
        else:
            self.parts.append((self._pause, message.get("body", b"")))
        self._pause = 0.0

    async def sleep(self, seconds: float) -> None:
        self._pause += seconds

    def response(self) -> HTTPResponse:
        if self.start is None:
            raise RuntimeError("the app gave no answer")
        status = self.start["status"]
        headers = HTTPHeaderDict((str(key, "latin-1"), str(value, "latin-1")) for key, value in self.start["headers"])
        whole = len(self.parts) == 1
        return HTTPResponse(
            io.BytesIO(self.parts[0][1]) if whole else _Drip(self.parts, self.limit),
            headers,
            status,
            version=11,
            reason=HTTPStatus(status).phrase,
            preload_content=False,
            request_method=self._method,
        )


class _Drip(io.BytesIO):
    """A body whose parts arrive with pauses before them."""

    def __init__(self, parts: list[tuple[float, bytes]], limit: float | None) -> None:
        super().__init__()
        self._parts, self._limit = iter(parts), limit

    def read1(self, size: int | None = -1, /) -> bytes:
        while not (data := super().read1(size)):
            pause, part = next(self._parts, (0.0, None))
            if part is None:
                return b""
            if self._limit is not None and pause >= self._limit:
                raise TimeoutError
            time.sleep(pause)
            super().__init__(part)
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        # Fewer bytes than asked for are no end: whoever counts them asks again.
        return self.read1(size) if size and size > 0 else b"".join(iter(self.read1, b""))


def _run(app: Any) -> None:
    coroutine: Coroutine[Any, Any, None] = app
    try:
        # A bare yield (None) is sleep(0); anything else is a future, and nobody here would ever set it.
        while coroutine.send(None) is None:
            pass
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("the app waits for an event loop, and in process there is none")


def _bytes(body: str | bytes | Iterable[bytes | str] | None) -> bytes:
    if body is None or isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body or b""
    return b"".join(part.encode() if isinstance(part, str) else part for part in body)


def _scope(request: requests.PreparedRequest, method: str) -> Scope:
    url = urlsplit(str(request.url))
    headers: Mapping[str, str | bytes] = request.headers
    pairs = [(_latin(key).lower(), _latin(value)) for key, value in headers.items()]
    port = url.port or (443 if url.scheme == "https" else 80)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": url.scheme,
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(b"host", url.netloc.encode()), *pairs],
        "client": ("127.0.0.1", 1),
        "server": (url.hostname, port),
    }


def _latin(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")

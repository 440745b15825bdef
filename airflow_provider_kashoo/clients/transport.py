"""One adapter under each session: budget, deadline and metering, for every request, tokens included."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from airflow_provider_kashoo.core.errors import UnreachableError

log = logging.getLogger(__name__)

CHUNK = 1 << 16
READ_ATTEMPTS = 4
DEFAULT_CLOSURE = 60.0
"""Seconds for which the budget is closed after a 429 without a time (assumed)."""

LONGEST_CLOSURE = 86_400.0
"""Seconds; a longer pause ends after a day, so that a wrong value does not stop the sync for good."""


class Budget(Protocol):
    """The budget as this package needs it; the store implements it."""

    def acquire(self, deadline_seconds: float, wanted: int = 1, /) -> list[int]:
        """Take one or several slots; waits if the wait is short."""

    def release(self, slot: int) -> None:
        """Record that the slot's request was answered."""

    def close(self, seconds: float) -> None:
        """Close the budget for everyone."""


class Unlimited:
    """A budget without limits."""

    def acquire(self, _: float, wanted: int = 1, /) -> list[int]:
        """Return slots; there is no limit."""
        return [0] * wanted

    def release(self, slot: int) -> None:
        """Do nothing."""

    def close(self, seconds: float) -> None:
        """Do nothing."""


class TooLate(requests.RequestException):
    """A request that was not sent, because its journalled deadline had passed."""


T = TypeVar("T")


class MeteredAdapter(HTTPAdapter):
    """Takes a slot of the budget for each request, and reads its answer within a total deadline.

    :param deadline_seconds: from sending to the last byte; a slow answer does not extend it.
    :param clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, budget: Budget, deadline_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(max_retries=0)
        self.budget, self.deadline_seconds, self.clock = budget, deadline_seconds, clock
        self.requests_sent = 0
        self._counting = threading.Lock()
        self._held = threading.local()

    @property
    def is_ready(self) -> bool:
        """Whether this thread has prepared a request and not sent it yet."""
        return self._deadline is not None and bool(self._slots)

    @contextmanager
    def ready(self, prepare: Callable[[], T], reads: int = 0) -> Iterator[T]:
        """Take a slot now for the next request of this thread, so that waiting comes before journalling.

        What is journalled and sent within has one deadline, which starts after ``prepare``: a process that was
        paused does not send a write that another one may have looked up and closed in the meantime.

        :param prepare: called between slot and deadline, because what the request depends on may have changed while
            waiting for the slot. The slot of the request itself stays reserved. Its result is yielded.
        :param reads: number of requests that ``prepare`` sends; their slots are taken together with that one, so that
            there is no wait between them. If a window of the budget has fewer, they take theirs one by one.
        """
        self._held.slots = self.budget.acquire(self.deadline_seconds, 1 + reads)
        self._held.kept = 1 if len(self._slots) > reads else 0
        try:
            prepared = prepare()
            if not self._slots:
                self._held.slots = self.budget.acquire(self.deadline_seconds)
            self._held.until = self.clock() + self.deadline_seconds
            yield prepared
        finally:
            unused, self._held.slots, self._held.until, self._held.kept = self._slots, [], None, 0
            for slot in unused:
                self.budget.release(slot)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send one request; see :meth:`requests.adapters.HTTPAdapter.send`.

        :raises TooLate: when it was not sent, see :meth:`ready`.
        """
        slot = self._take_slot()
        try:
            now = self.clock()
            until = self._deadline or now + self.deadline_seconds
            remaining = until - now
            if remaining <= 0:
                raise TooLate("the deadline passed before it was sent")
            with self._counting:  # threads share an adapter
                self.requests_sent += 1
            response = super().send(request, **options | {"stream": True, "timeout": remaining})
            self._read(response, until)
        finally:
            self.budget.release(slot)
        if response.status_code == 429 or (response.status_code == 503 and "Retry-After" in response.headers):
            self.budget.close(retry_after(response) or DEFAULT_CLOSURE)
        return response

    @property
    def _slots(self) -> list[int]:
        return getattr(self._held, "slots", [])

    @property
    def _deadline(self) -> float | None:
        return getattr(self._held, "until", None)

    def _take_slot(self) -> int:
        kept = self._held.kept if self._slots and self._deadline is None else 0  # for the prepared request
        return self._slots.pop() if len(self._slots) > kept else self.budget.acquire(self.deadline_seconds)[0]

    def _read(self, response: requests.Response, deadline: float) -> None:
        """Read a body; a complete one counts however late it is, because it proves the outcome of a write."""
        body = bytearray()
        try:
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if self.clock() > deadline and response.raw.length_remaining != 0:
                    response.close()
                    raise requests.ReadTimeout("the answer was not complete before its deadline")
        except HTTPError as error:
            raise requests.ConnectionError("the answer was cut off") from error
        response._content = bytes(body)  # noqa: SLF001  the value of Response.content
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
        response.raw.release_conn()


def new_session(budget: Budget, deadline_seconds: float) -> requests.Session:
    """Make a session whose every request goes through one :class:`MeteredAdapter`."""
    session = requests.Session()
    adapter = MeteredAdapter(budget, deadline_seconds)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def adapter_of(session: requests.Session) -> MeteredAdapter:
    """Return the adapter of a session made by :func:`new_session`."""
    adapter = session.get_adapter("https://")
    if not isinstance(adapter, MeteredAdapter):
        raise TypeError("the session was not made by new_session")
    return adapter


def retry_after(response: requests.Response) -> float | None:
    """Read ``Retry-After`` in seconds or as a date, at most a day; None when missing or unreadable."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), LONGEST_CLOSURE)
    try:
        until, now = (_utc(parsedate_to_datetime(text)) for text in (value, response.headers["Date"]))
    except (TypeError, ValueError, KeyError):
        return None
    return min(max(0.0, (until - now).total_seconds()), LONGEST_CLOSURE)


def _utc(moment: datetime) -> datetime:
    """Treat a date without a zone as UTC, as HTTP does."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class TryAgain(Exception):
    """A request got an error answer, and may succeed later.

    :param status: HTTP status of that answer; from 500 on, a write may have been processed.
    """

    def __init__(self, said: str = "", *, status: int = 500) -> None:
        self.status = status
        super().__init__(said)


class Broken(TryAgain):
    """The other side had an error, perhaps with this record only."""


class NotServed(UnreachableError):
    """A read ended in :class:`Broken` on every try."""


class NoAnswer(UnreachableError):
    """A write was sent, and what became of it is not known: it is looked up before it is sent again."""


def read_with_retries(call: Callable[[], T], side: str, sleep: Callable[[float], None] = time.sleep) -> T:
    """Run a read; retry after a pause when it raises :class:`TryAgain` or the connection fails.

    The first failure is logged at once, because the pauses and deadlines of the others may take minutes.

    :param side: name used in the message, ``Kashoo`` or ``Salesforce``.
    :raises UnreachableError: after four failures.
    """

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1 and isinstance(error, Exception):
            more = READ_ATTEMPTS - 1
            log.warning("%s cannot be reached (%s); it is asked up to %d times more", side, _cause(error), more)

    attempts = Retrying(
        retry=retry_if_exception_type((TryAgain, requests.ConnectionError, requests.Timeout)),
        stop=stop_after_attempt(READ_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=20),
        sleep=sleep,
        before_sleep=say,
        reraise=True,
    )
    try:
        return attempts(call)
    except (TryAgain, requests.ConnectionError, requests.Timeout) as error:
        raise unreachable(side, error) from None


def unreachable(side: str, error: Exception) -> UnreachableError:
    """Make the error for a side that cannot be reached, without the URL's query or any body."""
    kind = NotServed if isinstance(error, Broken) else UnreachableError
    return kind(
        f"{side} cannot be reached ({_cause(error)}).",
        remedy=f"Check the host of the {side} connection and the network; the task tries again by itself.",
    )


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, TryAgain) else type(error).__name__

"""One adapter under each session: budget, deadline and metering. Nothing goes around it, tokens included."""

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
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from airflow_provider_kashoo.core.errors import UnreachableError

log = logging.getLogger(__name__)

CHUNK = 1 << 16
READ_ATTEMPTS = 4
DEFAULT_CLOSURE = 60.0
"""Seconds the budget is closed after a 429 that does not say for how long (assumed)."""

LONGEST_CLOSURE = 86_400.0
"""Seconds; whoever asks for more is asked again after a day, so that a slip of theirs does not stop us for good."""


class Budget(Protocol):
    """What this room needs of a budget; the store implements it."""

    def acquire(self, deadline_seconds: float, wanted: int = 1, /) -> list[int]:
        """Take a slot, or several at once, waiting if that is short."""

    def release(self, slot: int) -> None:
        """Book that the slot's request was answered."""

    def close(self, seconds: float) -> None:
        """Shut the budget for everyone."""


class Unlimited:
    """A budget without limits, for the side that needs none."""

    def acquire(self, _: float, wanted: int = 1, /) -> list[int]:
        """Give slots; there are always some."""
        return [0] * wanted

    def release(self, slot: int) -> None:
        """Do nothing."""

    def close(self, seconds: float) -> None:
        """Do nothing."""


class TooLate(requests.RequestException):
    """A request that was not sent, because the deadline of what is journalled for it had passed."""


class MeteredAdapter(HTTPAdapter):
    """Sends a request only with a slot of the budget, reads its answer within a total deadline.

    :param deadline_seconds: from sending to the last byte; a slow answer cannot stretch it.
    :param clock: seconds that only rise; replaced in tests.
    """

    def __init__(self, budget: Budget, deadline_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(max_retries=0)
        self.budget, self.deadline_seconds, self.clock = budget, deadline_seconds, clock
        self.requests_sent = 0
        self._held = threading.local()

    @property
    def is_ready(self) -> bool:
        """Whether this thread has made a request ready, and did not send it yet."""
        return self._deadline is not None and bool(self._slots)

    @contextmanager
    def ready(self, prepare: Callable[[], None] = lambda: None, reads: int = 0) -> Iterator[None]:
        """Take a slot now for the next request of this thread, so that a wait comes before the journal.

        What is journalled and sent in here has one deadline, which begins now: a process that was paused since
        does not send any more what another one may have looked up and settled meanwhile.

        :param prepare: called between slot and deadline, because what the request needs may have ended, or changed,
            while the slot was waited for. The slot of the request itself is kept.
        :param reads: how many requests of ``prepare`` have slots taken together with that one, so that nothing is
            waited for between them. Where a window of the budget has fewer, they take theirs one by one.
        """
        self._held.slots = self.budget.acquire(self.deadline_seconds, 1 + reads)
        self._held.kept = 1 if len(self._slots) > reads else 0
        try:
            prepare()
            if not self._slots:
                self._held.slots = self.budget.acquire(self.deadline_seconds)
            self._held.until = self.clock() + self.deadline_seconds
            yield
        finally:
            unused, self._held.slots, self._held.until, self._held.kept = self._slots, [], None, 0
            for slot in unused:
                self.budget.release(slot)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send one request; see :meth:`requests.adapters.HTTPAdapter.send`.

        :raises TooLate: when nothing was sent, see :meth:`ready`.
        """
        slot = self._take_slot()
        try:
            now = self.clock()
            until = self._deadline or now + self.deadline_seconds
            left = until - now
            if left <= 0:
                raise TooLate("the deadline passed before it was sent")
            self.requests_sent += 1
            response = super().send(request, **options | {"stream": True, "timeout": left})
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
        kept = self._held.kept if self._slots and self._deadline is None else 0  # for what is made ready
        return self._slots.pop() if len(self._slots) > kept else self.budget.acquire(self.deadline_seconds)[0]

    def _read(self, response: requests.Response, deadline: float) -> None:
        """Read a body; one that came whole is taken however late it is, because what it says of a write is true."""
        body = bytearray()
        try:
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if self.clock() > deadline and response.raw.length_remaining != 0:
                    response.close()
                    raise requests.ReadTimeout("the answer did not end before its deadline")
        except HTTPError as error:
            raise requests.ConnectionError("the answer was cut") from error
        response._content = bytes(body)  # noqa: SLF001  what Response.content gives
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
    """Give the adapter of a session made by :func:`new_session`."""
    adapter = session.get_adapter("https://")
    if not isinstance(adapter, MeteredAdapter):
        raise TypeError("the session was not made by new_session")
    return adapter


def retry_after(response: requests.Response) -> float | None:
    """Read ``Retry-After`` in seconds or as a date, a day at most; None when it is absent or unreadable."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), LONGEST_CLOSURE)
    try:
        until, now = (_utc(parsedate_to_datetime(text)) for text in (value, response.headers["Date"]))
    except (TypeError, ValueError, KeyError):
        return None
    return min(max(0.0, (until - now).total_seconds()), LONGEST_CLOSURE)


def _utc(moment: datetime) -> datetime:
    """Take a date without a zone for UTC, as HTTP's dates are."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class TryAgain(Exception):
    """A read was answered, and not served this time."""


class Broken(TryAgain):
    """It was answered with an error of the other side, which may be the record's."""


class NotServed(UnreachableError):
    """A read ended in such an error after every try."""


T = TypeVar("T")


def read_with_retries(call: Callable[[], T], side: str, sleep: Callable[[float], None] = time.sleep) -> T:
    """Run a read, again after a pause when it raises :class:`TryAgain` or the connection fails.

    :param side: name used in the message, ``Kashoo`` or ``Salesforce``.
    :raises UnreachableError: when it failed four times.
    """
    attempts = Retrying(
        retry=retry_if_exception_type((TryAgain, requests.ConnectionError, requests.Timeout)),
        stop=stop_after_attempt(READ_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=20),
        sleep=sleep,
        reraise=True,
    )
    try:
        return attempts(call)
    except (TryAgain, requests.ConnectionError, requests.Timeout) as error:
        raise unreachable(side, error) from None


def unreachable(side: str, error: Exception) -> UnreachableError:
    """Say that a side cannot be reached, without the URL's query or any body."""
    cause = str(error) if isinstance(error, TryAgain) else type(error).__name__
    kind = NotServed if isinstance(error, Broken) else UnreachableError
    return kind(
        f"{side} cannot be reached ({cause}).",
        remedy=f"Check the host of the {side} connection and the network; the task tries again by itself.",
    )

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

    def acquire(self, deadline_seconds: float) -> int:
        """Take a slot, waiting if that is short."""

    def release(self, slot: int) -> None:
        """Book that the slot's request was answered."""

    def close(self, seconds: float) -> None:
        """Shut the budget for everyone."""


class Unlimited:
    """A budget without limits, for the side that needs none."""

    def acquire(self, deadline_seconds: float) -> int:  # noqa: ARG002
        """Give a slot; there is always one."""
        return 0

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
        """Whether this thread holds the slot of a request that was made ready and is not sent yet."""
        return getattr(self._held, "slot", None) is not None

    @contextmanager
    def ready(self, prepare: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Take a slot now for the next request of this thread, so that a wait comes before the journal.

        What is journalled and sent in here has one deadline, which begins now: a process that was paused since
        does not send any more what another one may have looked up and settled meanwhile.

        :param prepare: called between slot and deadline, because what the request needs may have ended while the
            slot was waited for; what it sends takes slots of its own.
        """
        slot = self.budget.acquire(self.deadline_seconds)
        try:
            prepare()
        except BaseException:
            self.budget.release(slot)
            raise
        self._held.slot, self._held.until = slot, self.clock() + self.deadline_seconds
        try:
            yield
        finally:
            self._held.until = None
            if (unused := self._take_slot()) is not None:
                self.budget.release(unused)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send one request; see :meth:`requests.adapters.HTTPAdapter.send`.

        :raises TooLate: when nothing was sent, see :meth:`ready`.
        """
        slot = self._take_slot()
        if slot is None:
            slot = self.budget.acquire(self.deadline_seconds)
        try:
            until = getattr(self._held, "until", None) or self.clock() + self.deadline_seconds
            left = until - self.clock()
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

    def _take_slot(self) -> int | None:
        slot = getattr(self._held, "slot", None)
        self._held.slot = None
        return slot

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
    """A read was not served this time."""


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
    return UnreachableError(
        f"{side} cannot be reached ({cause}).",
        remedy=f"Check the host of the {side} connection and the network; the task tries again by itself.",
    )

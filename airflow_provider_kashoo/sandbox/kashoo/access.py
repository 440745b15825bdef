"""Who may talk to the simulated Kashoo, and how often: tokens and rolling request windows."""

from __future__ import annotations

import base64
import json
import math
import threading
import uuid
from collections import deque
from random import Random
from typing import Any

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.kashoo.rules import KashooError

DEFAULT_DURATION = 90_000_000  # ms = 25 h: the only value ever seen in a client; that the unit is ms is assumed


class Access:
    """Credentials, tokens and limits of one Kashoo user.

    Evidenced: the token object's fields, ``expiryDate`` in epoch milliseconds, the ``TOKEN json:`` and ``TOKEN uuid:``
    schemes, renewal with a running token. Assumed: ``duration`` in milliseconds, that the server judges expiry by its
    own record, and everything about limits (500 an hour comes from this project's brief, 5 a second is half of what a
    third party documents; 429 and ``Retry-After`` were seen nowhere; a refused request is not counted).
    """

    def __init__(self, clock: Clock, *, seed: int) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.rng = Random(f"kashoo:{seed}")  # noqa: S311 - reproducible on purpose, guards nothing real
        self.email = "books@example.test"
        self.password = f"sandbox-{self.rng.getrandbits(48):012x}"
        self.user_id = 2**31 + self.rng.randrange(10**9)
        #: (requests, seconds) rolling windows; an empty list lifts all limits.
        self.limits: list[tuple[int, float]] = [(500, 3600.0), (5, 1.0)]
        #: whether a 429 carries ``Retry-After``
        self.retry_after = True
        #: how many 429s were given
        self.refused = 0
        self._arrivals: deque[float] = deque()
        self._tokens: dict[str, int] = {}

    def login(self, email: str, password: str) -> bool:
        """Tell whether these are the user's credentials."""
        return (email, password) == (self.email, self.password)

    def issue(self, duration: int = DEFAULT_DURATION, *, as_text: bool = False) -> str | dict[str, Any]:
        """Make a token that lives ``duration`` milliseconds: the JSON object, or the bare uuid-like text."""
        with self.lock:
            expiry = int(self.clock.time() * 1000) + duration
            if as_text:
                text = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
                self._tokens[f"uuid:{text}"] = expiry
                return text
            code = base64.b64encode(self.rng.randbytes(32)).decode()
            self._tokens[f"json:{code}"] = expiry
            return {
                "authenticationCode": code,
                "expiryDate": expiry,
                "locale": "default",
                "myUserId": self.user_id,
                "restriction": None,
                "site": "sandbox",
            }

    def check(self, authorization: str | None) -> None:
        """Accept an ``Authorization: TOKEN ...`` header, or raise :class:`KashooError` 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if token.startswith("json:"):
            try:
                token = f"json:{json.loads(token[5:])['authenticationCode']}"
            except (ValueError, TypeError, KeyError):
                token = ""
        with self.lock:
            expiry = self._tokens.get(token, 0) if scheme == "TOKEN" else 0
            if expiry <= self.clock.time() * 1000:
                raise KashooError("The token is missing, unknown or expired", status=401)

    def count(self) -> None:
        """Count one arrival in every window, or raise :class:`KashooError` 429 with the seconds to wait."""
        with self.lock:
            now, seen = self.clock.time(), self._arrivals
            waits = [
                seen[-requests] + seconds - now
                for requests, seconds in self.limits
                if len(seen) >= requests and seen[-requests] > now - seconds
            ]
            if waits:
                self.refused += 1
                retry = max(1, math.ceil(max(waits))) if self.retry_after else None
                raise KashooError("Too many requests", status=429, retry_after=retry)
            seen.append(now)
            # A window needs its newest `requests` arrivals only, so this bounds the memory of a long run.
            while len(seen) > max((requests for requests, _ in self.limits), default=0):
                seen.popleft()

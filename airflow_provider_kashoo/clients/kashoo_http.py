"""HTTP to Kashoo: the token of one user, and single requests; nothing about their content."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import requests
from requests.auth import HTTPBasicAuth

from airflow_provider_kashoo.clients import exact
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import T, TryAgain, adapter_of, read_with_retries
from airflow_provider_kashoo.core.errors import AuthenticationError, ConfigurationError

RENEW_BEFORE_SECONDS = 120


@dataclass(frozen=True)
class Token:
    """What a login gave.

    :param account: base URL and login that it is for; nobody else may get to see it.
    :param authorization: value of the header.
    :param expires: epoch seconds.
    """

    account: str
    authorization: str
    expires: float


class Tokens(Protocol):
    """Where clients leave a token for each other."""

    def take(self) -> Token | None:
        """Give the token that was left last."""

    def leave(self, token: Token) -> None:
        """Leave a token."""


class KashooHttp:
    """One Kashoo user, on one session.

    :param session: made by :func:`~.transport.new_session`; budget and deadline sit in its adapter.
    :param base_url: with its path, such as ``https://api.kashoo.com/api``.
    :param business_id: the business whose books are read and written.
    :param connection: Airflow connection id, named in messages about login or address.
    :param clock: epoch seconds, to renew the token before it expires.
    """

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        login: str,
        password: str,
        business_id: str,
        profile: Profile | None = None,
        *,
        connection: str = "kashoo_default",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._session, self._base = session, base_url.rstrip("/")
        self._login, self._password = login, password
        self.business_id, self.profile = business_id, profile or Profile()
        self._clock, self._sleep = clock, sleep
        self._authorization, self._expires = "", 0.0
        self._tokens: Tokens | None = None
        self._may_take = False  # whether another client may have left a token
        self._is_taken = False  # whether another client logged in for the token in use

    def share(self, tokens: Tokens) -> None:
        """Begin with a token that another client left, if it is good still, and leave each new one there.

        A taken token serves reads only: should Kashoo have ended it, a read is repeated, but a write answered 401 would
        be in doubt. The first write logs in.
        """
        self._tokens, self._may_take = tokens, True

    @property
    def requests_sent(self) -> int:
        """Number of requests sent, including those for tokens."""
        return adapter_of(self._session).requests_sent

    def ready(self, prepare: Callable[[], T], reads: int = 0) -> AbstractContextManager[T]:
        """Get a fresh token, then take a budget slot for the request that follows.

        The token is checked again once the slot is taken, because the wait may have been long.

        :param prepare: makes the request, and reads what it depends on, see :meth:`.transport.MeteredAdapter.ready`.
        :param reads: how many requests it needs for that.
        """
        self._ensure_token(for_writing=True)

        def with_token() -> T:
            self._ensure_token(for_writing=True)
            return prepare()

        return adapter_of(self._session).ready(with_token, reads)

    def request(
        self, method: str, path: str, data: Any = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send one request; the caller interprets the answer.

        After a 401, the next request logs in again. A GET is repeated once itself, nothing else is.

        :param path: below the base URL, with a leading slash.
        :param data: query parameters of a GET; otherwise the body: text unchanged, anything else as JSON.
        """
        response = self._once(method, path, data, headers, options)
        if response.status_code == 401 and method == "GET":
            response = self._once(method, path, data, headers, options)
        return response

    def _once(
        self, method: str, path: str, data: Any, headers: Mapping[str, str] | None, options: Mapping[str, Any]
    ) -> requests.Response:
        if not adapter_of(self._session).is_ready:  # otherwise the token is fresh, and must not take the slot
            self._ensure_token(for_writing=method != "GET")
        sent: dict[str, Any] = {}
        if method == "GET":
            sent = {"params": data}
        elif isinstance(data, str):
            sent = {"data": data.encode()}
        elif method != "DELETE" or data is not None:
            sent = {"data": encode({} if data is None else data)}
        response = self._session.request(
            method,
            self._base + path,
            headers={"Content-Type": "application/json", **self._headers(), **(headers or {})},
            allow_redirects=False,
            **sent,
            **options,
        )
        if response.status_code == 401:
            self._authorization = ""
        return response

    @property
    def _secrets(self) -> tuple[str, ...]:
        """What must not be shown, should an answer repeat it."""
        return self._password, self._authorization

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "Authorization": self._authorization}

    @property
    def _account(self) -> str:
        return f"{self._login} at {self._base}"

    def _ensure_token(self, *, for_writing: bool = False) -> None:
        needed = max(RENEW_BEFORE_SECONDS, adapter_of(self._session).deadline_seconds)
        if self._may_take and not for_writing:
            self._take_token()
        is_fresh = bool(self._authorization) and self._clock() <= self._expires - needed
        if not is_fresh or (for_writing and self._is_taken):
            read_with_retries(self._log_in, "Kashoo", self._sleep)
            self._may_take = self._is_taken = False
            if self._tokens:
                self._tokens.leave(Token(self._account, self._authorization, self._expires))

    def _take_token(self) -> None:
        self._may_take, token = False, self._tokens and self._tokens.take()
        if token and token.account == self._account:
            self._authorization, self._expires, self._is_taken = token.authorization, token.expires, True

    def _log_in(self) -> None:
        """Get a token by HTTP Basic; the answer is an object or plain text (both evidenced)."""
        response = self._session.post(
            self._base + self.profile.token,
            auth=HTTPBasicAuth(self._login.encode(), self._password.encode()),  # for text, requests allows only Latin-1
            headers={"Accept": "application/json"},
            data={"duration": self.profile.token_duration_ms},
            allow_redirects=False,
        )
        if response.status_code == 429 or response.status_code >= 500:
            raise TryAgain(f"status {response.status_code}")
        if response.status_code == 404:
            raise ConfigurationError(
                f"Kashoo has no page {self.profile.token}.",
                remedy=f"Check the host of connection {self.connection}, with its path.",
            )
        token = parse(response)
        if isinstance(token, dict) and "authenticationCode" in token:
            self._authorization = "TOKEN json:" + json.dumps(token, separators=(",", ":"))
            expires = token.get("expiryDate")
            known = isinstance(expires, int) and 0 < expires < 1 << 63
            self._expires = expires / 1000 if expires and known else self._clock() + 3600
            return
        text = response.text.strip()
        if response.status_code != 200 or not re.fullmatch(r"[A-Za-z0-9-]{16,64}", text):
            raise self._bad_credentials()
        self._authorization, self._expires = f"TOKEN uuid:{text}", self._clock() + 3600

    def _bad_credentials(self) -> AuthenticationError:
        return AuthenticationError(
            "Kashoo refused the login.", remedy=f"Check login and password of connection {self.connection}."
        )


def never_left(error: requests.RequestException) -> bool:
    """Return whether a failed request was certainly not sent, because there was no connection."""
    said = repr(error)
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in said or "NameResolutionError" in said


def encode(body: Mapping[str, Any]) -> str:
    """Encode JSON; a decimal keeps its digits.

    :raises ValueError: for a decimal with more digits than a JSON number represents exactly.
    """
    return json.dumps(body, default=_number, ensure_ascii=False)


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form here")
    if not abs(value) < exact.LARGEST:
        raise ValueError("a number is larger than JSON represents exactly")
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("a quantity has more digits than JSON represents exactly")
    return number


def parse(response: requests.Response) -> Any:
    """Read the JSON of an answer, see :func:`.exact.loads`; None when it is not JSON."""
    try:
        return exact.loads(response.text)
    except ValueError:
        return None

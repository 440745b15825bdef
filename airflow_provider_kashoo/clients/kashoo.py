"""The Kashoo API: tokens, reads that are repeated, writes that never are."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from airflow_provider_kashoo.clients import outcomes
from airflow_provider_kashoo.clients.outcomes import Outcome, WriteFailed
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import (
    Broken,
    NotServed,
    TooLate,
    TryAgain,
    adapter_of,
    read_with_retries,
)
from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    ConfigurationError,
    UnreachableError,
    UnreadableError,
)
from airflow_provider_kashoo.core.rules.operations import Event

MAX_PAGES = 10_000
OVERLAP = 10
"""Each page reads the last tenth of the one before again."""

MOST_UNREADABLE = 3
"""Records that Kashoo did not give, one after the other: then Kashoo is down, and not they are broken."""

RENEW_BEFORE_SECONDS = 120
Json = dict[str, Any]
_URL = re.compile(r"[^\s\"'{}<>]+")


@dataclass(frozen=True)
class Written:
    """A write that was answered.

    :param entity: the object that was answered with the id; whether it is the record is the caller's to judge.
    :param known: False when the books answered that they have no such record (404 to a removal).
    """

    id: int
    entity: Json | None
    known: bool = True


class KashooClient:
    """One user of Kashoo, on one session.

    :param session: made by :func:`~.transport.new_session`; budget and deadline sit in its adapter.
    :param base_url: with its path, such as ``https://api.kashoo.com/api``.
    :param business_id: whose books are read and written.
    :param connection: what to name in a message about login or address.
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
        self._unreadable: set[tuple[str, int]] = set()  # since the last one that was read

    @property
    def requests_sent(self) -> int:
        """How many requests left this session, tokens included."""
        return adapter_of(self._session).requests_sent

    def ready(self, prepare: Callable[[], None] = lambda: None, reads: int = 0) -> AbstractContextManager[None]:
        """Make sure of a fresh token, then take a budget slot for the one request that follows.

        The token is looked at again when the slot is there, because that may have been long waited for.

        :param prepare: reads what the request rests on, see :meth:`.transport.MeteredAdapter.ready`.
        :param reads: how many requests it needs for that.
        """
        self._ensure_token()

        def with_token() -> None:
            self._ensure_token()
            prepare()

        return adapter_of(self._session).ready(with_token, reads)

    def businesses(self) -> list[Json]:
        """List the businesses the user may see."""
        return self._read_list(self.profile.businesses, {})

    def listing(
        self, resource: str, *, start: str | None = None, end: str | None = None, removed: bool = False
    ) -> Iterator[Json]:
        """List a collection, page by page, each record once; removed ones are left out.

        Pages are asked for until one brings nothing new, because the server's own page limit is not known,
        and they overlap, because a record that is removed meanwhile draws the next ones over a page's edge.

        :param resource: ``customer``, ``item``, ``invoice``, ``payment``, ``accounts`` or ``taxes``.
        :param start: first ``date``, ``YYYY-MM-DD``; inclusive (assumed).
        :param end: last ``date``.
        :param removed: give out removed ones too, where the books list them.
        """
        path = self.profile.collection(resource, self.business_id)
        query: dict[str, Any] = {"limit": self.profile.page_size}
        if start:
            query["startDate"] = start
        if end:
            query["endDate"] = end
        seen: set[int] = set()
        offset = 0
        for _ in range(MAX_PAGES):
            page = self._read_list(path, query | {"offset": offset})
            if not page or all(row["id"] in seen for row in page):
                return
            offset += len(page) - len(page) // OVERLAP
            for row in page:
                if row["id"] not in seen and (removed or row.get("removed") is not True):
                    yield row
                seen.add(row["id"])
        raise UnreachableError(f"Kashoo lists more than {MAX_PAGES} pages of {resource}.")

    def read(self, resource: str, ident: int) -> Json | None:
        """Read one record; None when it is not there (404, or 410).

        :raises UnreadableError: when Kashoo answers, but does not give this one; the third one in a row is taken for
            Kashoo being down.
        """
        if resource in self.profile.only_listed:
            return next((row for row in self.listing(resource) if row["id"] == ident), None)
        try:
            found = self._read(self.profile.entity(resource, self.business_id, ident), {})
        except NotServed as error:
            self._unreadable.add((resource, ident))
            if len(self._unreadable) >= MOST_UNREADABLE:
                raise
            raise UnreadableError(error.what, remedy=error.remedy, record=f"Kashoo's {resource} {ident}") from None
        self._unreadable.clear()
        if found is not None and not (isinstance(found, dict) and found.get("id") == ident):
            raise UnreachableError("Kashoo answered with something that is not the record it was asked for.")
        return found

    def create(self, resource: str, body: Mapping[str, Any]) -> Written:
        """Create a record. Sent once, whatever happens.

        :raises WriteFailed: saying whether it was refused, turned away, or is in doubt.
        """
        path = self.profile.collection(resource, self.business_id)
        return self._written(self._send("POST", path, body), resource)

    def update(self, resource: str, ident: int, body: Mapping[str, Any]) -> Written:
        """Replace a record by the whole of ``body`` (assumed: missing fields are cleared). Sent once.

        :raises WriteFailed: as :meth:`create`.
        """
        path = self.profile.entity(resource, self.business_id, ident)
        return self._written(self._send(self.profile.update_verb, path, body), resource, known_id=ident)

    def remove(self, resource: str, ident: int) -> Written:
        """Remove a record by its id (assumed to be what voids an invoice). Sent once.

        :returns: what was answered; only a look at the record says whether it is gone.
        :raises WriteFailed: as :meth:`create`, but for a 404, which a second delivery of one removal gets too.
        """
        path = self.profile.entity(resource, self.business_id, ident)
        try:
            return self._written(self._send(self.profile.remove_verb, path, None), resource, known_id=ident)
        except WriteFailed as failure:
            if failure.outcome.problem is not outcomes.REFUSED_BY_STATUS[404]:
                raise
            return Written(ident, None, known=False)

    def request(
        self, method: str, path: str, data: Any = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send one request as it is given; the answer is the caller's to judge.

        A 401 makes the next request log in anew. A GET is that next request itself, once; nothing else is repeated.

        :param path: below the base URL, with a leading slash.
        :param data: query parameters of a GET; body of anything else, text as it is and the rest as JSON.
        """
        response = self._once(method, path, data, headers, options)
        if response.status_code == 401 and method == "GET":
            response = self._once(method, path, data, headers, options)
        return response

    def _once(
        self, method: str, path: str, data: Any, headers: Mapping[str, str] | None, options: Mapping[str, Any]
    ) -> requests.Response:
        if not adapter_of(self._session).is_ready:  # nothing is waited for any more, and its slot is its own
            self._ensure_token()
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

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            response = self.request(method, path, body)
        except requests.RequestException as error:
            if isinstance(error, TooLate):
                raise WriteFailed(Outcome(Event.TURNED_AWAY, outcomes.TOO_LATE)) from None
            if never_left(error):
                raise WriteFailed(Outcome(Event.TURNED_AWAY, outcomes.NOT_SENT, stop=True)) from None
            raise WriteFailed(Outcome(Event.SILENCE, outcomes.NO_ANSWER)) from None
        if response.status_code in {200, 201, 204}:
            return response
        raise WriteFailed(outcomes.of_write(response.status_code, response.text))

    def _written(self, response: requests.Response, resource: str, known_id: int | None = None) -> Written:
        """Understand the four answers a create may give: entity, URL in the body, Location, nothing.

        A 200 may carry something else too, such as an error, and any number in that is another record's.

        :param known_id: the record that was written to; None for a create.
        """
        body = _parse(response)
        named = body.get("id") if isinstance(body, dict) else None
        if type(named) is int and named > 0 and known_id in {None, named}:
            return Written(named, body)
        if "html" in response.headers.get("Content-Type", ""):
            found = None
        elif known_id is not None:
            found = known_id if named is None else None
        else:
            addresses = (response.headers.get("Location"), _only_text(response, body))
            found = next(filter(None, (self._id_in(each, resource) for each in addresses)), None)
        if found is None:
            raise WriteFailed(Outcome(Event.SILENCE, outcomes.NO_ANSWER))
        return Written(found, None)

    def _id_in(self, address: Any, resource: str) -> int | None:
        """Read the id off the address of a record in one collection; any other address has none for us."""
        if not isinstance(address, str) or not _URL.fullmatch(address.strip()):
            return None
        path = re.split("[?#]", address.strip())[0].rstrip("/")
        idents = (int(digits) for digits in re.findall("[1-9][0-9]{0,17}", path))
        own = (each for each in idents if path.endswith(self.profile.entity(resource, self.business_id, each)))
        return next(own, None)

    def _read_list(self, path: str, query: Mapping[str, Any]) -> list[Json]:
        found = self._read(path, query)
        if not isinstance(found, list):
            raise ConfigurationError(
                f"Kashoo has no list at {path}.",
                remedy=f"Check business_id, host and profile of connection {self.connection}.",
            )
        return found

    def _read(self, path: str, query: Mapping[str, Any]) -> Any:
        return read_with_retries(lambda: self._read_once(path, query), "Kashoo", self._sleep)

    def _read_once(self, path: str, query: Mapping[str, Any]) -> Any:
        response = self.request("GET", path, dict(query))
        status = response.status_code
        if status == 200:
            parsed = _parse(response)
            if parsed is None:
                raise Broken("it answered, but not with JSON")
            return parsed
        if status in {404, 410}:
            return None
        if status == 401:
            raise self._bad_credentials()
        if status in outcomes.STOPS:
            problem = outcomes.STOPS[status].problem
            raise ConfigurationError(f"Reading {path}: {problem.cause}.", remedy=problem.fix)
        if status == 429:
            raise TryAgain("status 429")
        if status >= 500:
            raise Broken(f"status {status}")
        raise ConfigurationError(
            f"Kashoo refused to read {path} ({status}).", remedy=f"Check the profile of connection {self.connection}."
        )

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "Authorization": self._authorization}

    def _ensure_token(self) -> None:
        needed = max(RENEW_BEFORE_SECONDS, adapter_of(self._session).deadline_seconds)
        if not self._authorization or self._clock() > self._expires - needed:
            read_with_retries(self._log_in, "Kashoo", self._sleep)

    def _log_in(self) -> None:
        """Get a token: HTTP Basic, answered by an object or by bare text (both evidenced)."""
        response = self._session.post(
            self._base + self.profile.token,
            auth=HTTPBasicAuth(self._login.encode(), self._password.encode()),  # of text, requests takes Latin-1 alone
            headers={"Accept": "application/json"},
            data={"duration": self.profile.token_duration_ms},
            allow_redirects=False,
        )
        if response.status_code == 429 or response.status_code >= 500:
            raise TryAgain(f"status {response.status_code}")
        if response.status_code == 404:
            raise ConfigurationError(
                f"Kashoo has nothing at {self.profile.token}.",
                remedy=f"Check the host of connection {self.connection}, with its path.",
            )
        token = _parse(response)
        if isinstance(token, dict) and "authenticationCode" in token:
            self._authorization = "TOKEN json:" + json.dumps(token, separators=(",", ":"))
            self._expires = float(token.get("expiryDate") or 0) / 1000 or self._clock() + 3600
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
    """Say whether a request that failed was surely not sent: there was no connection to send it on."""
    said = repr(error)
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in said or "NameResolutionError" in said


def encode(body: Mapping[str, Any]) -> str:
    """Write JSON; a decimal keeps its digits.

    :raises ValueError: for a decimal with more digits than a JSON number carries safely.
    """
    return json.dumps(body, default=_number, ensure_ascii=False)


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form here")
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("a quantity has more digits than JSON carries")
    return number


def _parse(response: requests.Response) -> Any:
    try:
        return json.loads(response.text, parse_float=Decimal)
    except ValueError:
        return None


def _only_text(response: requests.Response, body: Any) -> Any:
    """Give the one text that an answer consists of, bare or in JSON; a text among others is not meant for us."""
    if body is None:
        return response.text
    return next(iter(body.values())) if isinstance(body, dict) and len(body) == 1 else body

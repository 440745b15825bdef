"""The Salesforce REST API: queries with exact numbers, describes, updates of up to 200 records."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import requests

from airflow_provider_kashoo.clients import exact, salesforce_writes, soql
from airflow_provider_kashoo.clients.describe import ObjectInfo, from_json, is_current, object_info, to_json
from airflow_provider_kashoo.clients.pages import covered_by, page_of, rows_of, usable
from airflow_provider_kashoo.clients.refusals import Refused, refusal, session_refused
from airflow_provider_kashoo.clients.transport import (
    NoAnswer,
    TooLate,
    TryAgain,
    adapter_of,
    read_with_retries,
    unreachable,
)
from airflow_provider_kashoo.clients.versions import check_version, has_result_pages, is_usable
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem, UnreachableError
from airflow_provider_kashoo.core.values.dates import soql_instant
from airflow_provider_kashoo.core.values.ids import is_record_id

TOGETHER = 5
A_MOMENT = timedelta(minutes=2)
LISTED_DELETED = timedelta(days=14)
"""How far back deleted records are read; Salesforce lists those of the last 15 days."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A login, however it was obtained.

    :param instance_url: scheme, host and port of the org.
    """

    token: str
    instance_url: str


@dataclass(frozen=True)
class Organization:
    """The connected org.

    :param currency: its currency; None if it does not report one.
    """

    id: str
    name: str
    currency: str | None


@dataclass(frozen=True)
class Clock:
    """The server's time.

    :param now: UTC whole seconds.
    :param covered: every change stamped before this is visible to queries, UTC; None if not known for the object.
    :param gone: ids of records deleted since the given time, also those no longer in the recycle bin.
    """

    now: datetime
    covered: datetime | None
    gone: frozenset[str]


@dataclass(frozen=True)
class Found:
    """The result of a query.

    :param total: number of records, known from the first page.
    :param records: the records; further pages are read on demand.
    """

    total: int
    records: Iterator[Record]


class SalesforceClient:
    """One org; threads may send reads at the same time, and share its login.

    :param session: made by :func:`~.transport.new_session`.
    :param log_in: returns a new login; called at the start and once more after a 401.
    :param version: API version such as ``67.0``.
    :param connection: Airflow connection id, named in messages about the login.
    """

    def __init__(
        self,
        session: requests.Session,
        log_in: Callable[[], Session],
        version: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        connection: str = "salesforce_default",
    ) -> None:
        self._http, self._log_in, self._sleep = session, log_in, sleep
        self.connection = connection
        self._version, self._path = version, f"/services/data/v{version}"
        self._login: Session | None = None
        self._logging_in = threading.Lock()
        self._described: dict[str, ObjectInfo] = {}
        self._server_time: tuple[datetime, float] | None = None  # of its last answer, and ours then, monotonic

    @property
    def requests_sent(self) -> int:
        """Number of requests sent."""
        return adapter_of(self._http).requests_sent

    @property
    def instance_url(self) -> str:
        """Scheme, host and port of the org; with the id of a record behind it, a browser opens that record."""
        return self._logged_in().instance_url.rstrip("/")

    def ready(self) -> AbstractContextManager[None]:
        """Set one deadline for what is journalled and sent within; see :meth:`.transport.MeteredAdapter.ready`."""
        return adapter_of(self._http).ready(lambda: None)

    @property
    def has_result_pages(self) -> bool:
        """Whether the connection's version can read a query's results from several places at once."""
        return has_result_pages(self._version)

    def check_version(self) -> None:
        """Refuse a version of the connection that is too old; one that is too new is refused with the first answer.

        :raises ConfigurationError: naming the version, and the newest one on offer.
        """
        if not is_usable(self._version):
            self._compare_versions()

    def _compare_versions(self) -> None:
        """Compare the version with those that the org offers; the list needs no permission (evidenced)."""
        login = self._logged_in()
        try:
            response = self._http.get(f"{login.instance_url}/services/data/", allow_redirects=False)
            offered = [str(each["version"]) for each in json.loads(response.text)]
        except (requests.RequestException, ValueError, TypeError, KeyError):
            offered = []
        check_version(self._version, offered, self.connection)

    def now(self) -> datetime:
        """Return the server's time, UTC whole seconds, from the Date header of an answer."""
        self.json("GET", "/limits")
        return self._now()

    def clock(self, sobject: str, since: datetime | None = None) -> Clock:
        """Return the server's time, up to when all changes of an object are visible, and which records were deleted.

        Salesforce's ``latestDateCovered`` is the start of the oldest transaction that is still open, and its list of
        deleted records reaches back 15 days (both evidenced).

        :param since: list records deleted since then; None for no list.
        """
        if not self.describe(sobject).replicateable:
            return Clock(self.now(), None, frozenset())
        try:
            return self._clock(sobject, since)
        except ConfigurationError:
            return self._clock(sobject, since)  # our own clock was wrong; now the server's time is known

    def _clock(self, sobject: str, since: datetime | None) -> Clock:
        now = self._now()
        paths = [self._span_path(sobject, "updated", now - A_MOMENT, now)]
        if since:
            paths.append(self._span_path(sobject, "deleted", max(since, now - LISTED_DELETED), now))
        updated, *listed = self._together(paths, needed=1)
        # If Salesforce refuses the list as too long, the weekly sweep finds these records.
        gone = [row.get("id") for each in listed for row in rows_of(each, "deletedRecords")]
        return Clock(self._now(), covered_by(updated), frozenset(str(ident) for ident in gone if is_record_id(ident)))

    @staticmethod
    def _span_path(sobject: str, kind: str, start: datetime, end: datetime) -> str:
        return f"/sobjects/{sobject}/{kind}/?start={quote(soql_instant(start))}&end={quote(soql_instant(end))}"

    def _now(self) -> datetime:
        if self._server_time is None:
            return datetime.now(UTC).replace(microsecond=0)
        then, at = self._server_time
        return then + timedelta(seconds=int(time.monotonic() - at))

    def organization(self) -> Organization:
        """Read the org's id and currency.

        ``DefaultCurrencyIsoCode`` is assumed: other clients read it, but the object reference does not list it.
        """
        texts = (soql.ORGANIZATION, soql.ORGANIZATION_CURRENCY)
        known, money = (
            rows_of(each, "records") for each in self._together(list(map(self._query_path, texts)), needed=1)
        )
        row = known[0] if known else {}
        if not is_record_id(row.get("Id")):
            raise UnreachableError("Salesforce does not say which org it is.", remedy="The task tries again.")
        # An org without the field answers with an error instead of a page.
        currency = money[0].get("DefaultCurrencyIsoCode") if money else None
        return Organization(row["Id"], str(row.get("Name")), currency if isinstance(currency, str) else None)

    def describe(self, sobject: str) -> ObjectInfo:
        """Read an object's fields and child relationships, once per client.

        :raises ConfigurationError: when there is no such object, or the user may not see it.
        """
        if sobject not in self._described:
            try:
                self._described[sobject] = object_info(self.json("GET", f"/sobjects/{sobject}/describe"))
            except Refused as error:
                if error.code != "NOT_FOUND":
                    raise
                raise ConfigurationError(
                    f"Salesforce has no object {sobject}, or the connection's user may not see it.",
                    remedy="Correct the object in the mapping, or give the user read access to it.",
                ) from None
        return self._described[sobject]

    def described(self) -> dict[str, Any]:
        """Return every describe read so far, in JSON types."""
        return {name: to_json(info) for name, info in self._described.items()}

    def recall(self, described: Mapping[str, Any]) -> None:
        """Reuse recent describes from :meth:`described`, unless an older version of this package wrote them."""
        unknown = {name: info for name, info in described.items() if name not in self._described and is_current(info)}
        self._described |= {name: from_json(info) for name, info in unknown.items()}

    def query(self, text: str, *, deleted: bool = False) -> Iterator[Record]:
        """Run a query and read all pages; numbers are exact decimals.

        :param deleted: include records in the recycle bin.
        :raises UnreachableError: when fewer records came than Salesforce counted.
        """
        yield from self._rest(self.json("GET", self._query_path(text, deleted=deleted)))

    def queries(self, texts: Sequence[str], *, deleted: bool = False) -> Iterator[Found]:
        """Run many queries, five in one request (evidenced limit); one entry each, in order."""
        for start in range(0, len(texts), TOGETHER):
            paths = [self._query_path(text, deleted=deleted) for text in texts[start : start + TOGETHER]]
            for page in self._together(paths):
                yield Found(page_of(page)["totalSize"], self._rest(page))

    def _rest(self, page: Any) -> Iterator[Record]:
        total, seen = page_of(page)["totalSize"], 0
        while True:
            seen += len(page["records"])
            yield from usable(page["records"])
            if page["done"]:
                break
            page = page_of(self.json("GET", page["nextRecordsUrl"].removeprefix(self._path)))
        if seen != total:
            raise UnreachableError(f"Salesforce counted {total} records but sent {seen}.", remedy="The task retries.")

    def _together(self, paths: Sequence[str], *, needed: int | None = None) -> list[Any]:
        """Send several reads as one request.

        :param needed: number of reads, from the first, whose refusal is an error; None for all.
        :returns: the body of each answer.
        """
        asked = [
            {"method": "GET", "url": self._path + path, "referenceId": f"r{number}"}
            for number, path in enumerate(paths)
        ]
        body = json.dumps({"allOrNone": False, "compositeRequest": asked})

        def send() -> list[Any]:
            answers = self.json("POST", "/composite", data=body)["compositeResponse"]
            for answer in answers[:needed]:
                if answer["httpStatusCode"] != 200:
                    raise refusal(answer["httpStatusCode"], answer["body"])
            return [answer["body"] for answer in answers]

        return read_with_retries(send, "Salesforce", self._sleep)

    @staticmethod
    def _query_path(text: str, *, deleted: bool = False) -> str:
        return f"/{'queryAll' if deleted else 'query'}/?q={quote(text)}"

    def update(self, records: Sequence[tuple[str, Record]]) -> list[Problem | None]:
        """Update records by Id; this may be repeated safely.

        :param records: (object, fields with ``Id``), at most 200; each succeeds or fails on its own.
        :returns: one entry per record, None where it was written.
        :raises Refused: when Salesforce refuses several records together, without saying which of them is wrong.
        :raises UnreachableError: when there was no answer in time; any of them may have been written.
        """
        return salesforce_writes.update(self, records)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and read its JSON with exact numbers; see :meth:`send`."""
        answer = self.send(method, path, **options)
        try:
            return exact.loads(answer.text)
        except ValueError:
            raise UnreachableError("Salesforce's answer is not JSON.") from None

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request that may be repeated: reads, updates by Id, and jobs that only read.

        :param path: after ``/services/data/vNN.0``.
        :raises ConfigurationError: for a request that can never succeed.
        :raises UnreachableError: after four failures.
        """
        return read_with_retries(lambda: self._once(method, path, renew=True, **options), "Salesforce", self._sleep)

    def send_once(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request that must not be repeated, because each time makes another record.

        :param path: after ``/services/data/vNN.0``.
        :raises ConfigurationError: for a request that can never succeed; nothing was written.
        :raises NoAnswer: when it may have been processed.
        :raises UnreachableError: when it certainly was not.
        """
        self._logged_in()
        try:
            return self._once(method, path, renew=True, **options)
        except TooLate:
            said = "Salesforce was not asked, because the time for it was over."
            raise UnreachableError(said, remedy="The task tries again by itself.") from None
        except (TryAgain, requests.RequestException) as error:
            failed = unreachable("Salesforce", error)
            if isinstance(error, TryAgain) and error.status < 500:
                raise failed from None
            written = salesforce_writes.PERHAPS_CREATED
            raise NoAnswer(failed.what, remedy=failed.remedy, written=written) from None

    def _once(
        self,
        method: str,
        path: str,
        *,
        renew: bool,
        accept: str = "application/json",
        headers: Mapping[str, str | None] | None = None,
        **options: Any,
    ) -> requests.Response:
        login = self._logged_in()
        sent = {
            "Authorization": f"Bearer {login.token}",
            "Accept": accept,
            "Content-Type": "application/json",
            "Sforce-Call-Options": "client=airflow-provider-kashoo",
            **(headers or {}),
        }
        url = login.instance_url + self._path + path
        response = self._http.request(method, url, headers=sent, allow_redirects=False, **options)
        if date := response.headers.get("Date"):
            self._server_time = parsedate_to_datetime(date).astimezone(UTC), time.monotonic()
        if response.status_code in {200, 201, 204}:
            return response
        if response.status_code == 401:
            self._forget(login)
            if renew:
                return self._once(method, path, renew=False, accept=accept, headers=headers, **options)
            raise session_refused(_errors(response), self.connection)
        if response.status_code in {404, 410}:  # so is every path of a version that the org does not offer
            self._compare_versions()
        raise refusal(response.status_code, _errors(response))

    def _logged_in(self) -> Session:
        """Log in if nobody has; a thread that comes meanwhile waits for that login."""
        with self._logging_in:
            if self._login is None:
                self._login = self._log_in()
            return self._login

    def _forget(self, refused: Session) -> None:
        """Log in anew next time, unless another thread has since this login was refused."""
        with self._logging_in:
            if self._login is refused:
                self._login = None


def _errors(response: requests.Response) -> Any:
    try:
        return json.loads(response.text)
    except ValueError:
        return None

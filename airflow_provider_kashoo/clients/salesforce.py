"""The Salesforce REST API: queries with exact numbers, describes, updates of up to 200 records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from airflow_provider_kashoo.clients.transport import TryAgain, adapter_of, read_with_retries
from airflow_provider_kashoo.core import soql
from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    ConfigurationError,
    Problem,
    UnreachableError,
)

MAX_COLLECTION = 200
Record = dict[str, Any]

TRANSIENT = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})
"""Per-record codes that a later try may not meet again (evidenced in issue threads)."""


@dataclass(frozen=True)
class Session:
    """A login, as simple-salesforce or anything else obtained it.

    :param instance_url: scheme, host and port of the org.
    """

    token: str
    instance_url: str


@dataclass(frozen=True)
class Organization:
    """The org we speak to.

    :param currency: its own currency; None when it does not say.
    """

    id: str
    name: str
    currency: str | None


@dataclass(frozen=True)
class FieldInfo:
    """What describe says of one field.

    :param type: Salesforce's type name, such as ``currency`` or ``reference``.
    """

    name: str
    type: str
    scale: int
    length: int
    calculated: bool
    updateable: bool
    reference_to: tuple[str, ...]
    relationship: str | None


@dataclass(frozen=True)
class ObjectInfo:
    """What describe says of one object.

    :param children: child relationship name -> (object, field that points here).
    """

    name: str
    fields: Mapping[str, FieldInfo]
    children: Mapping[str, tuple[str, str]]


class SalesforceClient:
    """One org.

    :param session: made by :func:`~.transport.new_session`.
    :param log_in: gives a fresh login; called at start and once more after a 401.
    :param version: API version such as ``67.0``.
    """

    def __init__(
        self,
        session: requests.Session,
        log_in: Callable[[], Session],
        version: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http, self._log_in, self._sleep = session, log_in, sleep
        self._path = f"/services/data/v{version}"
        self._login: Session | None = None
        self._described: dict[str, ObjectInfo] = {}

    @property
    def requests_sent(self) -> int:
        """How many requests left this session."""
        return adapter_of(self._http).requests_sent

    def now(self) -> datetime:
        """Tell the server's clock, UTC whole seconds, from the Date of an answer."""
        response = self._get("/limits", {})
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)

    def organization(self) -> Organization:
        """Read the org's id and currency.

        ``DefaultCurrencyIsoCode`` is assumed: other clients read it, the object reference does not list it.
        """
        row = next(self.query(soql.ORGANIZATION))
        described = self.describe("Organization")
        currency = None
        if "DefaultCurrencyIsoCode" in described.fields:
            currency = next(self.query(soql.ORGANIZATION_CURRENCY))["DefaultCurrencyIsoCode"]
        return Organization(row["Id"], row["Name"], currency)

    def describe(self, sobject: str) -> ObjectInfo:
        """Read an object's fields and child relationships, once per client."""
        if sobject not in self._described:
            raw = self._json(self._get(f"/sobjects/{sobject}/describe", {}))
            self._described[sobject] = _object_info(raw)
        return self._described[sobject]

    def query(self, text: str, *, deleted: bool = False) -> Iterator[Record]:
        """Run a query to its last page; numbers are exact decimals.

        :param deleted: see records in the recycle bin too.
        :raises UnreachableError: when fewer records came than Salesforce counted.
        """
        path, params = f"/{'queryAll' if deleted else 'query'}/", {"q": text}
        page = self._json(self._get(path, params))
        total, seen = page["totalSize"], 0
        while True:
            seen += len(page["records"])
            yield from page["records"]
            if page["done"]:
                break
            page = self._json(self._get(page["nextRecordsUrl"].removeprefix(self._path), {}))
        if seen != total:
            raise UnreachableError(f"Salesforce counted {total} records and sent {seen}.", remedy="It is read again.")

    def update(self, records: Sequence[tuple[str, Record]]) -> list[Problem | None]:
        """Update records by Id, which may be repeated safely.

        :param records: (object, fields with ``Id``), at most 200; each succeeds or fails by itself.
        :returns: one entry per record, None where it was written.
        """
        body = {
            "allOrNone": False,
            "records": [{"attributes": {"type": sobject}, **fields} for sobject, fields in records],
        }
        answer = self._request("PATCH", "/composite/sobjects", data=json.dumps(body, default=_number))
        return [None if row["success"] else _record_problem(row["errors"]) for row in self._json(answer)]

    def _get(self, path: str, params: Mapping[str, str]) -> requests.Response:
        return self._request("GET", path, params=dict(params))

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send what may be repeated: reads, and updates by Id."""
        return read_with_retries(lambda: self._once(method, path, renew=True, **options), "Salesforce", self._sleep)

    def _once(self, method: str, path: str, *, renew: bool, **options: Any) -> requests.Response:
        if self._login is None:
            self._login = self._log_in()
        headers = {
            "Authorization": f"Bearer {self._login.token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Sforce-Call-Options": "client=airflow-provider-kashoo",
        }
        url = self._login.instance_url + self._path + path
        response = self._http.request(method, url, headers=headers, allow_redirects=False, **options)
        if response.status_code in {200, 201, 204}:
            return response
        if response.status_code == 401:
            self._login = None
            if renew:
                return self._once(method, path, renew=False, **options)
            raise AuthenticationError(
                "Salesforce refused a fresh login.", remedy="Check connection salesforce_default and its user."
            )
        raise _refusal(response)

    @staticmethod
    def _json(response: requests.Response) -> Any:
        try:
            return json.loads(response.text, parse_float=Decimal, parse_int=_integer)
        except ValueError:
            raise UnreachableError("Salesforce answered with something that is not JSON.") from None


def _integer(digits: str) -> int:
    return int(digits)


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form here")
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("an amount has more digits than JSON carries")
    return number


def _object_info(raw: Mapping[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        name=raw["name"],
        fields={
            row["name"]: FieldInfo(
                name=row["name"],
                type=row["type"],
                scale=int(row.get("scale") or 0),
                length=int(row.get("length") or 0),
                calculated=bool(row.get("calculated")),
                updateable=bool(row.get("updateable")),
                reference_to=tuple(row.get("referenceTo") or ()),
                relationship=row.get("relationshipName"),
            )
            for row in raw["fields"]
        },
        children={
            row["relationshipName"]: (row["childSObject"], row["field"])
            for row in raw["childRelationships"]
            if row.get("relationshipName")
        },
    )


def _errors(response: requests.Response) -> list[tuple[str, str]]:
    try:
        rows = json.loads(response.text)
        return [(str(row.get("errorCode", "")), str(row.get("message", ""))) for row in rows]
    except (ValueError, AttributeError, TypeError):
        return [("", "")]


def _refusal(response: requests.Response) -> Exception:
    """Read a refusal by status and body: a 403 may be a permission, a daily limit or too many at once."""
    code, message = _errors(response)[0]
    status = response.status_code
    if code == "REQUEST_LIMIT_EXCEEDED" and "Concurrent" not in message:
        return UnreachableError(
            "Salesforce's daily request limit is used up.", remedy="Wait, or ask for more; the task tries again."
        )
    if status in {429, 503} or status >= 500 or code in TRANSIENT | {"REQUEST_LIMIT_EXCEEDED"}:
        return TryAgain(f"status {status} {code}".strip())
    if code in {"INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY"}:
        # These messages speak of field and object names only.
        first = message.strip().splitlines()[-1] if message.strip() else code
        return ConfigurationError(
            f"Salesforce refused a query: {code}, {first}",
            remedy="Correct the mapping or the user's field permissions.",
        )
    return ConfigurationError(
        f"Salesforce refused a request ({status} {code}).", remedy="Check the permissions of the connection's user."
    )


def _record_problem(errors: Sequence[Mapping[str, Any]]) -> Problem:
    first = errors[0] if errors else {}
    code = str(first.get("statusCode") or first.get("errorCode") or "unknown")
    names = ", ".join(first.get("fields") or [])
    where = f" for {names}" if names else ""
    return Problem(code.lower(), f"Salesforce refused the record: {code}{where}", "Correct the record or the mapping.")

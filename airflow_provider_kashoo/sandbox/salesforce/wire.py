"""What every part of the simulated REST API shares: JSON, errors, sessions and locators, and what a request names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.evaluate import Result
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.schema import SObject

NEWEST_RETIRED, OLDEST_VERSION, NEWEST_VERSION = 30, 46, 67
TOKEN_SECONDS = 2 * 3600
LOCATOR_SECONDS = 2 * 86400
DAILY_REQUESTS = 100_000
BULK_LIMITS = {"DailyBulkApiBatches": 15_000, "DailyBulkV2QueryJobs": 10_000}
NOT_FOUND = "The requested resource does not exist"


def encode(value: Any) -> str:
    """Return ``value`` as JSON; a Decimal keeps all its digits, which no encoder going through float does."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Decimal):
        return f"{value:f}" if value.as_tuple().exponent else f"{value:f}.0"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring_ascii(k)}:{encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(encode, value)) + "]"
    return json.dumps(value)


def reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON; None is no body."""
    body = b"" if content is None else encode(content).encode()
    kind = None if content is None else "application/json;charset=UTF-8"
    return Response(body, status, headers, media_type=kind)


def error_item(error: SalesforceError) -> dict[str, Any]:
    """Return an error as it stands in a list of errors."""
    item: dict[str, Any] = {"message": error.message, "errorCode": error.code}
    if error.fields or error.code in {"DUPLICATE_VALUE", "ENTITY_IS_DELETED"}:
        item["fields"] = error.fields
    return item


def refused(error: SalesforceError) -> Response:
    """Answer with an error."""
    return reply([error_item(error)], error.status)


@dataclass
class State:
    """What the API keeps besides the rows: sessions and query locators, both ending on the sandbox's clock."""

    org: Org
    instance_url: Callable[[], str]
    tokens: dict[str, float] = field(default_factory=dict)
    locators: dict[str, tuple[float, Result, int]] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)

    def new_token(self) -> str:
        """Open a session."""
        with self.org.lock:
            seed = f"{self.org.access.consumer_secret}{len(self.tokens)}".encode()
            token = f"{self.org.org_id[:15]}!AQ{hashlib.sha512(seed).hexdigest()[:94]}"
            self.tokens[token] = self.org.clock.time() + TOKEN_SECONDS
            return token

    def keep(self, result: Result, size: int) -> str:
        """Keep the pages of a query that are still to come and return their locator."""
        now = self.org.clock.time()
        self.locators = {key: kept for key, kept in self.locators.items() if kept[0] > now}
        locator = self.org.ids.next("0r8")
        self.locators[locator] = (now + LOCATOR_SECONDS, result, size)
        return locator


async def _read(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_read)]


def state_of(request: Request) -> State:
    """Return what the API keeps."""
    state: State = request.app.state.salesforce
    return state


def base_of(request: Request) -> str:
    """Return how the paths of the request's own API version begin."""
    return f"/services/data/v{request.path_params['version']}"


def named_object(org: Org, name: str) -> SObject:
    """Return the object of that name in any case; raises NOT_FOUND."""
    found = org.schema.find(name)
    if found is None:
        raise SalesforceError("NOT_FOUND", NOT_FOUND, status=404)
    return found


def object_of(request: Request, name: str) -> tuple[Org, SObject]:
    """Return the org and one of its objects."""
    org = state_of(request).org
    return org, named_object(org, name)


def refused_version(version: int) -> SalesforceError | None:
    """Return how a version of the API that is not served is refused, or None: too new is unknown, too old is gone."""
    if version > NEWEST_VERSION:
        return SalesforceError("NOT_FOUND", NOT_FOUND, status=404)
    if version >= OLDEST_VERSION:
        return None
    # Versions from 31 on answer upserts and more in another way.
    gone = "no longer supported" if version <= NEWEST_RETIRED else "not simulated"
    return SalesforceError("UNSUPPORTED_API_VERSION", f"API version {version}.0 is {gone}", status=410)


def limits(org: Org) -> dict[str, Any]:
    """Return the daily request limit, and two others that are named but not simulated."""
    used = org.api_requests
    known = {"DailyApiRequests": {"Max": DAILY_REQUESTS, "Remaining": max(0, DAILY_REQUESTS - used)}}
    return known | {name: {"Max": most, "Remaining": most} for name, most in BULK_LIMITS.items()}


def parsed(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request's body."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise SalesforceError("JSON_PARSER_ERROR", f"Unexpected input: {error}") from None
    except RecursionError:
        raise SalesforceError("JSON_PARSER_ERROR", "Unexpected input: nested too deeply") from None
    if not isinstance(value, dict):
        raise SalesforceError("JSON_PARSER_ERROR", "Unexpected input: no object at [line:1, column:1]")
    return value

"""Several reads in one request: the composite resource, as far as reading goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fastapi import APIRouter, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.org import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.queries import first_page, next_page
from airflow_provider_kashoo.sandbox.salesforce.replication import deleted, updated
from airflow_provider_kashoo.sandbox.salesforce.wire import (
    NOT_FOUND,
    Body,
    State,
    error_item,
    limits,
    named_object,
    parsed,
    refused_version,
    reply,
    state_of,
)

MAX_SUBREQUESTS, MAX_QUERIES = 25, 5
#: Reference ids of the subrequests that time out while this request is processed; None for none.
TIMED_OUT: ContextVar[frozenset[str] | None] = ContextVar("TIMED_OUT", default=None)
_SUB = re.compile(r"(?P<base>/services/data/v(?P<version>\d+)\.0)/(?P<rest>.+?)/?\Z")
_HALTED = SalesforceError("PROCESSING_HALTED", "The transaction was rolled back since another operation failed.")
_TIMEOUT = SalesforceError("QUERY_TIMEOUT", "Your query request was running for too long.")
_ROW = r"sobjects/\w+/\w{15}(?:\w{3})?"
router = APIRouter()

Params = dict[str, str]
Read = Callable[[State, str, "re.Match[str]", Params], Any]


def _describe(state: State, base: str, match: re.Match[str], _params: Params) -> Any:
    return named_object(state.org, match[1]).describe(base)


_READS: tuple[tuple[str, Read], ...] = (
    (r"query", lambda s, b, _m, p: first_page(s, b, p.get("q", ""), deleted=False)),
    (r"queryAll", lambda s, b, _m, p: first_page(s, b, p.get("q", ""), deleted=True)),
    (r"query(?:All)?/([^/]+)", lambda s, b, m, _p: next_page(s, b, m[1])),
    (r"sobjects/(\w+)/describe", _describe),
    (r"sobjects/(\w+)/updated", lambda s, _b, m, p: updated(s.org, named_object(s.org, m[1]), *_span(p))),
    (r"sobjects/(\w+)/deleted", lambda s, _b, m, p: deleted(s.org, named_object(s.org, m[1]), *_span(p))),
    (r"limits", lambda s, _b, _m, _p: limits(s.org)),
)


def _span(params: Params) -> tuple[str, str]:
    return params.get("start", ""), params.get("end", "")


def _read(state: State, item: dict[str, Any]) -> Any:
    if item["referenceId"] in (TIMED_OUT.get() or ()):
        raise _TIMEOUT
    url = urlsplit(item["url"])
    match = _SUB.fullmatch(unquote(url.path))
    if match and (refused := refused_version(int(match["version"]))):
        raise refused
    if item["method"] != "GET":
        raise SalesforceError("METHOD_NOT_ALLOWED", "only GET is simulated in a composite request", status=405)
    params = {key: values[0] for key, values in parse_qs(url.query).items()}
    for pattern, read in _READS if match else ():
        found = re.fullmatch(pattern, match["rest"]) if match else None
        if found and match:
            return read(state, match["base"], found, params)
    if match and re.fullmatch(_ROW, match["rest"]):
        raise SalesforceError("NOT_SIMULATED", "reading a record is not simulated in a composite request", status=501)
    raise SalesforceError("NOT_FOUND", NOT_FOUND, status=404)


def _items(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    given = parsed(body)
    items = given.get("compositeRequest")
    if not isinstance(items, list) or not items:
        raise SalesforceError("INVALID_INPUT", "compositeRequest must be a list of subrequests")
    for item in items:
        if not isinstance(item, dict) or not all(isinstance(item.get(k), str) for k in ("method", "url")):
            raise SalesforceError("INVALID_INPUT", "a subrequest needs method, url and referenceId")
        if not item["url"].startswith("/"):
            raise SalesforceError("INVALID_INPUT", "the url of a subrequest begins with /services/data")
        if not re.fullmatch(r"[A-Za-z0-9]\w*", str(item.get("referenceId", ""))):
            raise SalesforceError("INVALID_INPUT", "a referenceId is made of letters, digits and underscores")
    if len({item["referenceId"] for item in items}) < len(items):
        raise SalesforceError("INVALID_INPUT", "Duplicate ReferenceId provided in the request")
    return items, given.get("allOrNone") is True


def _limit(items: list[dict[str, Any]]) -> SalesforceError | None:
    queries = sum("/query" in urlsplit(item["url"]).path for item in items)
    if len(items) > MAX_SUBREQUESTS:
        return SalesforceError("LIMIT_EXCEEDED", f"The request can't contain more than {MAX_SUBREQUESTS} operations.")
    if queries > MAX_QUERIES:
        return SalesforceError("LIMIT_EXCEEDED", f"The request can't contain more than {MAX_QUERIES} queries.")
    return None


def _entry(outcome: Any, reference: str | None) -> dict[str, Any]:
    failed = isinstance(outcome, SalesforceError)
    body, status = ([error_item(outcome)], outcome.status) if failed else (outcome, 200)
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference}


@router.post("/composite")
async def composite(request: Request, body: Body) -> Response:
    """Answer up to 25 reads, at most five of them queries; each has its own status, the whole is one API request."""
    state = state_of(request)
    items, all_or_none = _items(body)
    if refused := _limit(items):
        return reply({"compositeResponse": [_entry(refused, None)]})
    outcomes: list[Any] = []
    for item in items:
        try:
            outcomes.append(_read(state, item))
        except SalesforceError as error:
            outcomes.append(error)
    if all_or_none and any(isinstance(outcome, SalesforceError) for outcome in outcomes):
        outcomes = [outcome if isinstance(outcome, SalesforceError) else _HALTED for outcome in outcomes]
    entries = [_entry(outcome, item["referenceId"]) for item, outcome in zip(items, outcomes, strict=True)]
    return reply({"compositeResponse": entries})

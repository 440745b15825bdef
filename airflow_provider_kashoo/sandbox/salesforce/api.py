"""The REST API of the simulated Salesforce: records, collections; and how all its parts are put together."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kashoo.sandbox.salesforce import bulk, composite, logins, queries, replication, uploads
from airflow_provider_kashoo.sandbox.salesforce.ids import to18
from airflow_provider_kashoo.sandbox.salesforce.org import Org, Row, SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.schema import WHITE_SPACE, SObject
from airflow_provider_kashoo.sandbox.salesforce.wire import (
    DAILY_REQUESTS,
    NEWEST_VERSION,
    NOT_FOUND,
    OLDEST_VERSION,
    Body,
    State,
    base_of,
    limits,
    object_of,
    parsed,
    refused,
    refused_version,
    reply,
    state_of,
)

MAX_URI_BYTES = 16_384
MAX_COLLECTION, MAX_CHUNKS = 200, 10
VERSIONED = "/services/data/v{version}"
_LOGIN = re.compile(r"/([^/]+)\.salesforce\.com(?=/)")
_DATA = re.compile(r"/services/data/v(\d+)\.0(?=/|\Z)")
_NOBODY = "000000000000000AAA"  # a well-formed id that no record has
_ROLLED_BACK = SalesforceError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class _Gate:
    """What holds for every request: the path as sent to a login domain, URI length, session, common headers."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        domain = _LOGIN.match(scope["path"])
        path = scope["path"][domain.end() :] if domain else scope["path"]
        raw = scope.get("raw_path") or path.encode()
        if raw.endswith(b"/"):  # clients end paths with and without a slash, routes are written without
            path = path.removesuffix("/")
        data = _DATA.match(path)
        refusal = self._refusal(scope, len(raw), int(data[1]) if data else None)
        org = self.state.org
        with org.lock:
            org.api_requests += data is not None and refusal is None
            usage = f"api-usage={org.api_requests}/{DAILY_REQUESTS}"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Date"] = format_datetime(org.clock.now(), usegmt=True)
                if data:
                    headers["Sforce-Limit-Info"] = usage
            await send(message)

        app = refused(refusal) if refusal else self.app
        named = {logins.LOGIN_DOMAIN: domain[1]} if domain else {}
        await app({**scope, **named, "path": path or "/"}, receive, sending)

    def _refusal(self, scope: Scope, path_bytes: int, version: int | None) -> SalesforceError | None:
        if path_bytes + len(scope["query_string"]) + 1 > MAX_URI_BYTES:
            return SalesforceError("URI_TOO_LONG", "The URI of the request is too long", status=414)
        if version is None:
            return None
        if refused := refused_version(version):
            return refused
        kind, _, token = (Headers(scope=scope).get("authorization") or "").partition(" ")
        expiry = self.state.tokens.get(token, 0)
        if kind not in {"Bearer", "OAuth"} or expiry <= self.state.org.clock.time():
            return SalesforceError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        return None


_root = APIRouter()
_data = APIRouter()


@_root.get("/services/data")
async def versions() -> Response:
    """List the versions on offer; needs no session."""
    seasons = ("Spring", "Summer", "Winter")
    labels = {v: f"{seasons[v % 3]} '{26 + (v - 65) // 3}" for v in range(OLDEST_VERSION, NEWEST_VERSION + 1)}
    return reply([{"label": t, "url": f"/services/data/v{v}.0", "version": f"{v}.0"} for v, t in labels.items()])


@_data.get("/limits")
async def show_limits(request: Request) -> Response:
    """Show the daily request limit."""
    return reply(limits(state_of(request).org))


@_data.get("/sobjects")
async def global_describe(request: Request) -> Response:
    """All objects, briefly."""
    schema = state_of(request).org.schema
    listed = [item.brief(base_of(request)) for item in schema.objects.values() if schema.visible(item.name)]
    return reply({"encoding": "UTF-8", "maxBatchSize": MAX_COLLECTION, "sobjects": listed})


@_data.get("/sobjects/{name}/describe")
async def describe(request: Request, name: str) -> Response:
    """One object with its fields."""
    return reply(object_of(request, name)[1].describe(base_of(request)))


# -- single records


def _shown(request: Request, sobject: SObject, row: Row) -> dict[str, Any]:
    names = [item.name for item in sobject.lower.values()]
    if "fields" in request.query_params:
        asked = [name.strip() for name in request.query_params["fields"].split(",")]
        unknown = [name for name in asked if name.lower() not in sobject.lower]
        if unknown:
            message = f"No such column '{unknown[0]}' on sobject of type {sobject.name}"
            raise SalesforceError("INVALID_FIELD", message)
        names = list(dict.fromkeys([*(sobject.lower[name.lower()].name for name in asked), "Id"]))
    url = f"{base_of(request)}/sobjects/{sobject.name}/{row['Id']}"
    shown = {name: f"{url}/{name}" if sobject.fields[name].type == "base64" else row[name] for name in names}
    return {"attributes": {"type": sobject.name, "url": url}} | shown


def _known_id(org: Org, sobject: SObject, record_id: str) -> str:
    id18 = to18(record_id)
    if id18 is None:
        message = f"Provided external ID field does not exist or is not accessible: {record_id}"
        raise SalesforceError("NOT_FOUND", message, status=404)
    org.get(sobject.name, id18)
    return id18


@_data.post("/sobjects/{name}")
async def create(request: Request, name: str, body: Body) -> Response:
    """Create one record."""
    org, sobject = object_of(request, name)
    record_id = org.insert(sobject.name, uploads.fields_of(request, body))
    location = f"{base_of(request)}/sobjects/{sobject.name}/{record_id}"
    return reply({"id": record_id, "success": True, "errors": []}, 201, {"Location": location})


@_data.api_route("/sobjects/{name}/{record_id}", methods=["GET", "PATCH", "DELETE"])
async def record(request: Request, name: str, record_id: str, body: Body) -> Response:
    """Read, update or delete one record by id."""
    org, sobject = object_of(request, name)
    return _one(request, org, sobject, _known_id(org, sobject, record_id), body)


def _one(request: Request, org: Org, sobject: SObject, record_id: str, body: bytes) -> Response:
    if request.method == "GET":
        return reply(_shown(request, sobject, org.get(sobject.name, record_id)))
    if request.method == "PATCH":
        org.update(sobject.name, record_id, parsed(body))
    else:
        org.delete(sobject.name, record_id)
    return reply(None, 204)


@_data.api_route("/sobjects/{name}/{key}/{value:path}", methods=["GET", "PATCH", "DELETE"])
async def record_by_key(request: Request, name: str, key: str, value: str, body: Body) -> Response:
    """Read, upsert or delete one record by an external id field."""
    org, sobject = object_of(request, name)
    if request.method != "PATCH":
        found = org.find(sobject.name, key, value)
        return _one(request, org, sobject, _known_id(org, sobject, found or _NOBODY), body)
    only = request.query_params.get("updateOnly", "").lower() == "true"
    fields = parsed(body)
    if key.lower() in {given.lower() for given in fields}:
        message = f"The {key} field should not be specified in the sobject data."
        raise SalesforceError("INVALID_FIELD", message, [key])
    record_id, created = _upsert(org, sobject, fields, key, value, update_only=only)
    content = {"id": record_id, "success": True, "errors": [], "created": created}
    return reply(content, 201 if created else 200)


def _upsert(
    org: Org, sobject: SObject, fields: Row, key: str, value: str, *, update_only: bool = False
) -> tuple[str, bool]:
    with org.lock:
        found = org.find(sobject.name, key, value)
        if found is None and update_only:
            raise SalesforceError("NOT_FOUND", NOT_FOUND, status=404)
        if found is None:
            return org.insert(sobject.name, fields | {key: value}), True
        org.update(sobject.name, found, fields)
        return found, False


# -- collections


def _collection(org: Org, items: list[Any], write: Callable[[Any], Row], *, all_or_none: bool) -> Response:
    """Write each item on its own, or all of them or none; a failure is an entry of a reply that says 200."""
    if len(items) > MAX_COLLECTION:
        message = f"record limit reached. cannot submit more than {MAX_COLLECTION} records into this call"
        raise SalesforceError("EXCEEDED_ID_LIMIT", message)
    outcomes: list[Row | SalesforceError] = []
    try:
        with org.transaction():
            for item in items:
                try:
                    outcomes.append(write(item))
                except SalesforceError as error:
                    outcomes.append(error)
            if all_or_none and any(isinstance(outcome, SalesforceError) for outcome in outcomes):
                raise _ROLLED_BACK
    except SalesforceError:
        outcomes = [item if isinstance(item, SalesforceError) else _ROLLED_BACK for item in outcomes]
    return reply([_outcome(item) for item in outcomes])


def _outcome(outcome: Row | SalesforceError) -> Row:
    if not isinstance(outcome, SalesforceError):
        return {"id": outcome["id"], "success": True, "errors": []} | outcome
    code, message = outcome.code, outcome.message
    if code == "NOT_FOUND":  # how collections name a missing record
        code, message = "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": outcome.fields}]}


def _records(body: bytes) -> tuple[list[Any], bool]:
    given = parsed(body)
    records = given.get("records")
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise SalesforceError("INVALID_INPUT", "records must be a list of sObjects")
    kinds = [str(item.get("attributes")) for item in records]
    chunks = sum(kind != before for kind, before in zip(kinds, ["", *kinds], strict=False))
    if chunks > MAX_CHUNKS:  # the limit is evidenced, its answer assumed
        message = f"a collection cannot have more than {MAX_CHUNKS} chunks of records of one type"
        raise SalesforceError("LIMIT_EXCEEDED", message)
    return records, given.get("allOrNone") is True


class _Once:
    """Refuses the second record of a collection that names the same one (evidenced; the code is assumed)."""

    def __init__(self, said: str) -> None:
        self._said, self._seen = said, set[str]()

    def check(self, key: str) -> None:
        if key in self._seen:
            raise SalesforceError("DUPLICATE_VALUE", f"{self._said}: {key}")
        self._seen.add(key)


def _typed(org: Org, item: Row) -> tuple[str, Row]:
    attributes = item.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(kind, str):
        raise SalesforceError("INVALID_INPUT", "attributes.type is required", ["type"])
    return org.table(kind).sobject.name, {k: v for k, v in item.items() if k != "attributes"}


@_data.api_route("/composite/sobjects", methods=["POST", "PATCH"])
async def write_collection(request: Request, body: Body) -> Response:
    """Create (POST) or update (PATCH) up to 200 records of any type."""
    org = state_of(request).org
    records, all_or_none = _records(body)
    once = _Once("duplicate id specified")

    def insert(item: Row) -> Row:
        return {"id": org.insert(*_typed(org, item))}

    def update(item: Row) -> Row:
        kind, fields = _typed(org, item)
        named = [fields.pop(key) for key in list(fields) if key.lower() == "id"]
        id18 = to18(named[0]) if len(named) == 1 else None
        if id18 is None:
            code = "MALFORMED_ID" if named else "MISSING_ARGUMENT"
            raise SalesforceError(code, "Id not specified in an update call" if not named else f"bad id {named[0]}")
        once.check(id18)
        org.update(kind, id18, fields)
        return {"id": id18}

    return _collection(org, records, insert if request.method == "POST" else update, all_or_none=all_or_none)


@_data.patch("/composite/sobjects/{name}/{key}")
async def upsert_collection(request: Request, name: str, key: str, body: Body) -> Response:
    """Upsert up to 200 records of one type by an external id field."""
    org, sobject = object_of(request, name)
    org.find(sobject.name, key, "")
    records, all_or_none = _records(body)
    once = _Once("Duplicate external id specified")

    def upsert(item: Row) -> Row:
        kind, fields = _typed(org, item)
        named = [fields.pop(given) for given in list(fields) if given.lower() == key.lower()]
        if kind != sobject.name or len(named) != 1 or not isinstance(named[0], str) or not named[0]:
            raise SalesforceError("MISSING_ARGUMENT", f"{key} not specified", [key])
        once.check(named[0].strip(WHITE_SPACE).lower())
        record_id, created = _upsert(org, sobject, fields, key, named[0])
        return {"id": record_id, "created": created}

    return _collection(org, records, upsert, all_or_none=all_or_none)


@_data.delete("/composite/sobjects")
async def delete_collection(request: Request) -> Response:
    """Delete up to 200 records, named by id alone."""
    org = state_of(request).org
    prefixes = {item.prefix: item.name for item in org.schema.objects.values()}

    def delete(given: str) -> Row:
        id18 = to18(given.strip())
        if id18 is None or id18[:3] not in prefixes:
            raise SalesforceError("MALFORMED_ID", f"malformed id {given}")
        org.delete(prefixes[id18[:3]], id18)
        return {"id": id18}

    ids = request.query_params.get("ids", "").split(",")
    all_or_none = request.query_params.get("allOrNone", "").lower() == "true"
    return _collection(org, ids, delete, all_or_none=all_or_none)


async def _on_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, SalesforceError):
        return refused(error)
    if isinstance(error, HTTPException) and error.status_code == 405:
        message = f"HTTP Method not allowed. Allowed are {(error.headers or {}).get('Allow', '')}"
        return refused(SalesforceError("METHOD_NOT_ALLOWED", message, status=405))
    return refused(SalesforceError("NOT_FOUND", NOT_FOUND, status=404))


def create_app(org: Org, *, instance_url: Callable[[], str]) -> FastAPI:
    """Return the REST API of ``org``; ``instance_url`` tells, once the port is known, where clients reach it.

    The app sets the ``Date`` header from the org's clock: the server in front of it must not add its own.
    """
    state = State(org, instance_url)
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.salesforce = state
    app.include_router(_root)
    app.include_router(logins.router)
    for router in (bulk.router, composite.router, queries.router, replication.router, uploads.router, _data):
        app.include_router(router, prefix=VERSIONED)
    app.add_middleware(_Gate, state=state)
    app.add_exception_handler(SalesforceError, _on_error)
    app.add_exception_handler(HTTPException, _on_error)
    return app

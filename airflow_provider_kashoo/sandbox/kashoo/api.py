"""The HTTP face of the simulated Kashoo.

Evidenced (clients, official pages): ``/authTokens`` with its four request forms, ``/users/me/businesses``, accounts,
``records/invoices``, ``records/invoicePayments``, the other record lists, mixed ``records``, ``/sync`` with its
customers, bare arrays, ``limit``/``offset`` counting items, ``startDate``/``endDate``. Assumed: ``contacts/customers``,
``items``, ``taxes``, every path with an id, PUT and DELETE, 201 and 204, error bodies as JSON ``{"message"}``, and the
refusal of unknown query parameters (an emulator that ignored them would hide mistakes).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from airflow_provider_kashoo.sandbox.kashoo.access import DEFAULT_DURATION
from airflow_provider_kashoo.sandbox.kashoo.books import PAGE, RECORDS, Books, KashooError
from airflow_provider_kashoo.sandbox.kashoo.rules import ACCOUNT_TYPES, Row, day

PATHS = {
    "accounts": "accounts",
    "customers": "contacts/customers",
    "items": "items",
    "taxes": "taxes",
    "invoices": "records/invoices",
    "invoicePayments": "records/invoicePayments",
}
VERBS = {
    "accounts": ("GET", "POST"),
    "customers": ("GET", "POST", "get", "put", "delete"),  # small letters: on the path with an id
    "items": ("GET", "POST", "put"),
    "taxes": ("GET",),
    "invoices": ("GET", "POST", "get", "put", "delete"),
    "invoicePayments": ("GET", "POST", "get", "put", "delete"),
}
PAGING = ("limit", "offset")
DATES = ("startDate", "endDate")
LOGIN_PAGE = "<html><head><title>Sign in</title></head><body>Invalid email or password</body></html>"

_ENCODER = json.JSONEncoder(separators=(",", ":"))
Handler = Callable[[Request], Awaitable[Response]]


def dumps(value: object) -> str:
    """Write JSON in which decimals keep their digits, which the standard encoder cannot do."""
    with suppress(TypeError):  # it is ten times as fast, though, and most answers hold none
        return _ENCODER.encode(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(entry) for entry in value) + "]"
    raise TypeError(f"{value!r} has no place in JSON")


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a JSON response."""
    return Response(dumps(value), status, headers, "application/json")


async def body_of(request: Request) -> Row:
    """Read a JSON object whose decimals keep their digits; 415 for another content type, 400 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise KashooError("Content-Type must be application/json", status=415)
    try:
        body = json.loads(await request.body(), parse_float=Decimal, parse_constant=_no_constant)
    except ValueError as error:
        raise KashooError(f"The body is not JSON: {error}") from None
    except RecursionError:
        raise KashooError("The body is nested too deeply") from None
    if not isinstance(body, dict):
        raise KashooError("The body must be a JSON object")
    return body


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _query(request: Request, allowed: Iterable[str]) -> dict[str, Any]:
    """Translate the query into arguments of ``Books.page``; whatever is unknown or malformed is a 400."""
    raw = dict(request.query_params)
    if unknown := sorted(raw.keys() - set(allowed)):
        raise KashooError(f"Unknown query parameter {unknown[0]!r}")
    for key in PAGING:
        if not re.fullmatch(r"[0-9]{1,9}", raw.get(key, "0")):
            raise KashooError(f"{key} must be a whole number")
    page: dict[str, Any] = {"limit": int(raw.get("limit", PAGE)), "offset": int(raw.get("offset", 0))}
    if not page["limit"] or raw.get("type", "INCOME") not in ACCOUNT_TYPES:
        raise KashooError("limit must be positive, and type one of " + ", ".join(sorted(ACCOUNT_TYPES)))
    if "startDate" in raw:
        page["start"] = day(raw["startDate"], "startDate")
    if "endDate" in raw:
        page["end"] = day(raw["endDate"], "endDate")
    if "type" in raw:
        page["of_type"] = raw["type"]
    return page


class _Routes:
    """The handlers over one ``Books``. They run on the event loop: all state is in memory, order is arrival."""

    def __init__(self, books: Books) -> None:
        self.books = books

    def guarded(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            self.books.check(request.headers.get("authorization"))
            self.books.count()
            return await handler(request)

        return handle

    def linked(self, request: Request, kind: str, row: Row, business: int) -> Row:
        """Add the self link (evidenced as a word and a path, its exact shape is assumed)."""
        href = f"{_root(request)}/businesses/{business}/{PATHS[kind]}/{row['id']}"
        return {**row, "links": [{"rel": "self", "href": href}]}

    async def tokens(self, request: Request) -> Response:
        self.books.count()
        form = await request.form()
        try:
            duration = int(str(form.get("duration", DEFAULT_DURATION)))
        except ValueError:
            raise KashooError("duration must be milliseconds") from None
        if not self._known(request.headers.get("authorization", ""), form):
            return HTMLResponse(LOGIN_PAGE, 401)
        if "application/json" in request.headers.get("accept", ""):
            return answer(self.books.issue(duration))
        return PlainTextResponse(str(self.books.issue(duration, as_text=True)))

    def _known(self, authorization: str, form: FormData) -> bool:
        scheme, _, rest = authorization.partition(" ")
        if scheme == "TOKEN":
            self.books.check(authorization)
            return True
        email, password = str(form.get("email", "")), str(form.get("password", ""))
        if scheme.lower() == "basic":
            try:
                email, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
            except ValueError:
                return False
        return self.books.login(email, password)

    async def me(self, request: Request) -> Response:
        _query(request, ())
        return answer({"id": self.books.user_id, "email": self.books.email, "locale": "default"})

    async def businesses(self, request: Request) -> Response:
        page = _query(request, PAGING)
        rows = [
            {
                "id": business.id,
                "contactInformation": {"name": business.name},
                "currency": business.home,
                "links": [{"rel": "self", "href": f"{_root(request)}/businesses/{business.id}"}],
            }
            for business in list(self.books.businesses.values())
        ]
        return answer(rows[page["offset"] : page["offset"] + page["limit"]])

    def lister(self, *kinds: str, allowed: Iterable[str]) -> Handler:
        async def handle(request: Request) -> Response:
            business = _id(request, "business")
            self.books.business(business)
            rows = self.books.page(business, *kinds, **_query(request, allowed)) if kinds else []
            # Only records are mixed, and there the type names the kind.
            return answer(
                [
                    self.linked(request, kinds[0] if len(kinds) == 1 else f"{row['type']}s", row, business)
                    for row in rows
                ]
            )

        return handle

    def creator(self, kind: str) -> Handler:
        async def handle(request: Request) -> Response:
            _query(request, ())
            business = _id(request, "business")
            row = self.linked(request, kind, self.books.create(business, kind, await body_of(request)), business)
            href = row["links"][0]["href"]
            match self.books.create_answer:
                case "entity":
                    return answer(row, 201)
                case "url-body":
                    return PlainTextResponse(href, 201)
                case "location":
                    return Response(None, 201, {"Location": href})
                case "empty":
                    return Response(None, 201)

        return handle

    def single(self, kind: str) -> Handler:
        async def handle(request: Request) -> Response:
            _query(request, ())
            business, row_id = _id(request, "business"), _id(request, "row")
            if request.method == "DELETE":
                self.books.remove(business, kind, row_id)
                return Response(None, 204)
            if request.method == "PUT":
                row = self.books.replace(business, kind, row_id, await body_of(request))
            else:
                row = self.books.read(business, kind, row_id)
            return answer(self.linked(request, kind, row, business))

        return handle

    async def pdf(self, request: Request) -> Response:
        """Answer with an invoice as PDF (assumed: no such path of Kashoo is known)."""
        row = self.books.read(_id(request, "business"), "invoices", _id(request, "row"))
        return Response(f"%PDF-1.4 invoice {row['number']} of {row['totalDue']}".encode(), media_type="application/pdf")

    async def start_sync(self, request: Request) -> Response:
        form = await request.form()
        business = str(form.get("business", ""))
        if not re.fullmatch(r"[0-9]{1,18}", business):
            raise KashooError("business must be the id of a business")
        return answer({"id": self.books.start_sync(int(business))})

    async def synced_customers(self, request: Request) -> Response:
        business = self.books.synced_business(_id(request, "sync"))
        rows = self.books.page(business, "customers", **_query(request, PAGING))
        return answer([self.linked(request, "customers", row, business) for row in rows])


def _root(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/api"


def _id(request: Request, name: str) -> int:
    return int(request.path_params[name])


def create_app(books: Books) -> Starlette:
    """Build the app; every path lies below ``/api``."""
    app = Starlette()
    app.router.redirect_slashes = False
    routes = _Routes(books)

    def add(path: str, handler: Handler, *methods: str, guarded: bool = True) -> None:
        # Plain routes, because FastAPI's dependencies cost as much as all the rest of a request.
        route = Route(f"/api{path}", routes.guarded(handler) if guarded else handler)
        route.methods = set(methods)  # and no HEAD beside GET
        app.router.routes.append(route)

    add("/authTokens", routes.tokens, "POST", guarded=False)
    add("/users/me", routes.me, "GET")
    add("/users/me/businesses", routes.businesses, "GET")
    add("/sync", routes.start_sync, "POST")
    add("/sync/{sync:int}/contacts/customers", routes.synced_customers, "GET")
    prefix = "/businesses/{business:int}"
    add(f"{prefix}/records", routes.lister(*RECORDS, allowed=(*PAGING, *DATES)), "GET")
    for empty in ("bills", "billPayments", "transfers"):
        add(f"{prefix}/records/{empty}", routes.lister(allowed=(*PAGING, *DATES)), "GET")
    for kind, path in PATHS.items():
        extra = DATES if kind in RECORDS else ("type",) if kind == "accounts" else ()
        add(f"{prefix}/{path}", routes.lister(kind, allowed=(*PAGING, *extra)), "GET")
        if "POST" in VERBS[kind]:
            add(f"{prefix}/{path}", routes.creator(kind), "POST")
        if single := [verb.upper() for verb in VERBS[kind] if verb.islower()]:
            add(f"{prefix}/{path}/{{row:int}}", routes.single(kind), *single)

    add(f"{prefix}/records/invoices/{{row:int}}/pdf", routes.pdf, "GET")

    async def refused(_request: Request, error: Any) -> Response:
        wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return answer({"message": error.message}, error.status, wait)

    async def unrouted(_request: Request, error: Any) -> Response:
        return answer({"message": error.detail}, error.status_code)

    app.add_exception_handler(KashooError, refused)
    app.add_exception_handler(HTTPException, unrouted)
    return app

"""The admin API: what tests and demos do to both systems behind their backs, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault, Faults, RequestLog
from airflow_provider_kashoo.sandbox.kashoo.api import answer, body_of
from airflow_provider_kashoo.sandbox.kashoo.books import Books, KashooError
from airflow_provider_kashoo.sandbox.kashoo.rules import integer
from airflow_provider_kashoo.sandbox.salesforce.org import Held, Org, OwnRule, SalesforceError


def admin_app(
    org: Org,
    books: Books,
    clock: Clock,
    *,
    faults: dict[str, Faults],
    logs: dict[str, RequestLog],
    state: Callable[[], dict[str, Any]],
) -> FastAPI:
    """Build the admin API: unauthenticated, for the loopback interface only, not counted in any limit or log.

    :param faults: system -> its script; ``logs`` likewise.
    :param state: what is to be told of both systems at a glance.
    """
    app = FastAPI(openapi_url=None)

    @app.get("/state")
    async def glance() -> Response:
        return answer(state())

    @app.get("/requests")
    async def requests() -> Response:
        return answer({name: log.entries() for name, log in logs.items()})

    @app.post("/clock")
    async def advance(request: Request) -> Response:
        seconds = (await body_of(request)).get("advance_seconds")
        try:
            clock.advance(float(str(seconds)))
        except ValueError as error:
            raise KashooError(f"advance_seconds: {error}") from None
        return answer({"now": clock.now().isoformat()})

    @app.get("/kashoo/payments")
    async def payments() -> Response:
        return answer(books.business(books.main()).tables["invoicePayments"].listed())

    @app.post("/kashoo/payments")
    async def pay(request: Request) -> Response:
        body = await body_of(request)
        invoice = integer(body, "invoice")
        return answer(books.pay(books.main(), invoice, integer(body, "amount"), body.get("date")), 201)

    _admin_salesforce(app, org)
    _admin_org(app, org)
    _admin_faults(app, faults)

    @app.exception_handler(KashooError)
    @app.exception_handler(SalesforceError)
    async def refused(_request: Request, error: KashooError | SalesforceError) -> Response:
        return answer({"message": error.message}, error.status)

    return app


def _admin_faults(app: FastAPI, scripts: dict[str, Faults]) -> None:
    @app.get("/faults")
    async def faults() -> Response:
        return answer({name: script.entries() for name, script in scripts.items()})

    @app.post("/faults")
    async def add(request: Request) -> Response:
        body = await body_of(request)
        try:
            script = scripts[str(body.pop("system", ""))]
            script.add(Fault.from_json(body))
        except (KeyError, ValueError) as error:
            raise KashooError(f"not a fault of salesforce or kashoo: {error}") from None
        return answer(script.entries(), 201)

    @app.delete("/faults")
    async def clear() -> Response:
        for script in scripts.values():
            script.clear()
        return Response(None, 204)


def _in(org: Org, transaction: int, call: Callable[[], Any]) -> Any:
    return Held(org, transaction).run(call) if transaction else call()


def _admin_salesforce(app: FastAPI, org: Org) -> None:
    """Read and write rows; ``?transaction=N`` writes inside a transaction held open."""

    @app.get("/salesforce/{sobject}")
    async def rows(sobject: str) -> Response:
        return answer(org.rows(sobject))

    @app.post("/salesforce/{sobject}")
    async def insert(sobject: str, request: Request, transaction: int = 0) -> Response:
        body = await body_of(request)
        return answer(_in(org, transaction, lambda: org.get(sobject, org.insert(sobject, body))), 201)

    @app.patch("/salesforce/{sobject}/{record_id}")
    async def update(sobject: str, record_id: str, request: Request, transaction: int = 0) -> Response:
        body = await body_of(request)

        def write() -> Any:
            org.update(sobject, record_id, body)
            return org.get(sobject, record_id)

        return answer(_in(org, transaction, write))

    @app.delete("/salesforce/{sobject}/{record_id}")
    async def delete(sobject: str, record_id: str, *, transaction: int = 0, hard: bool = False) -> Response:
        _in(org, transaction, lambda: (org.purge if hard else org.delete)(sobject, record_id))
        return Response(None, 204)

    @app.post("/salesforce/{sobject}/{record_id}/undelete")
    async def undelete(sobject: str, record_id: str) -> Response:
        org.undelete(sobject, record_id)
        return answer(org.get(sobject, record_id))

    @app.post("/salesforce/{sobject}/{record_id}/merge")
    async def merge(sobject: str, record_id: str, request: Request) -> Response:
        org.merge(sobject, record_id, (await body_of(request)).get("losers", []))
        return answer(org.get(sobject, record_id))

    @app.post("/salesforce/Opportunity/{record_id}/sync-quote")
    async def sync_quote(record_id: str, request: Request) -> Response:
        body = await body_of(request)
        return answer(org.sync_quote(record_id, body.get("lines", []), logged=body.get("logged", True)), 201)


def _admin_org(app: FastAPI, org: Org) -> None:
    """Hold transactions open, empty the bin, take objects and fields out of sight, and let the org refuse writes."""

    @app.post("/transactions")
    async def hold() -> Response:
        return answer({"transaction": org.hold().number}, 201)

    @app.post("/transactions/{number}/commit")
    async def commit(number: int) -> Response:
        Held(org, number).commit()
        return Response(None, 204)

    @app.delete("/transactions/{number}")
    async def rollback(number: int) -> Response:
        Held(org, number).rollback()
        return Response(None, 204)

    @app.delete("/recycle-bin")
    async def empty() -> Response:
        return answer({"purged": org.empty_recycle_bin()})

    @app.api_route("/visible/{sobject}", methods=["POST", "DELETE"])
    @app.api_route("/visible/{sobject}/{field}", methods=["POST", "DELETE"])
    async def visible(request: Request, sobject: str, field: str = "") -> Response:
        (org.revoke if request.method == "DELETE" else org.grant)(sobject, field)
        return Response(None, 204)

    @app.post("/rules/{sobject}")
    async def refuse(sobject: str, request: Request) -> Response:
        body = await body_of(request)
        kind, message, field = (str(body.get(key, "")) for key in ("kind", "message", "field"))
        org.refuse(sobject, OwnRule(kind, message, field))
        return Response(None, 204)

    @app.delete("/rules")
    async def refuse_nothing() -> Response:
        org.refuse_nothing()
        return Response(None, 204)

    @app.api_route("/storage-full", methods=["POST", "DELETE"])
    async def storage_full(request: Request) -> Response:
        org.storage_full = request.method == "POST"
        return Response(None, 204)

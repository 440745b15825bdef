"""SOQL over REST: query, queryAll and their pages."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.evaluate import Result, run
from airflow_provider_kashoo.sandbox.salesforce.org import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.wire import State, base_of, reply, state_of

PAGE_ROWS = 2000
router = APIRouter()


def _page(state: State, base: str, result: Result, start: int, size: int, locator: str = "") -> dict[str, Any]:
    total = len(result.rows)
    if result.count:
        return {"totalSize": total, "done": True, "records": []}
    end = start + size
    with state.org.lock:
        content: dict[str, Any] = {"totalSize": total, "done": end >= total}
        if end < total:
            locator = locator or state.keep(result, size)
            content["nextRecordsUrl"] = f"{base}/query/{locator}-{end}"
        content["records"] = [result.project(row) for row in result.rows[start:end]]
    return content


def first_page(state: State, base: str, text: str, *, deleted: bool, options: str = "") -> dict[str, Any]:
    """Run SOQL; ``deleted`` sees the recycle bin as well, ``options`` is the header that may ask for smaller pages."""
    text = text.strip()
    if not text:
        raise SalesforceError("MALFORMED_QUERY", "A query string has to be specified")
    match = re.search(r"batchSize\s*=\s*(\d+)", options, re.IGNORECASE)
    size = int(match[1]) if match else PAGE_ROWS
    if not 200 <= size <= PAGE_ROWS:
        raise SalesforceError("INVALID_BATCH_SIZE", f"batch size {size} is not between 200 and {PAGE_ROWS}")
    return _page(state, base, run(state.org, text, base=base, deleted=deleted), 0, size)


def next_page(state: State, base: str, locator: str) -> dict[str, Any]:
    """Return the page behind a locator, which any number of clients may ask for again while it lives."""
    key, _, start = locator.partition("-")
    expires, result, size = state.locators.get(key, (0.0, None, 0))
    if result is None or not start.isdigit() or expires <= state.org.clock.time():
        raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return _page(state, base, result, int(start), size, key)


@router.get("/query")
@router.get("/queryAll")
async def query(request: Request) -> Response:
    """Run SOQL; queryAll sees the recycle bin as well."""
    deleted = request.url.path.endswith("/queryAll")
    options = request.headers.get("sforce-query-options", "")
    text = request.query_params.get("q", "")
    return reply(first_page(state_of(request), base_of(request), text, deleted=deleted, options=options))


@router.get("/query/{locator}")
@router.get("/queryAll/{locator}")
async def query_more(request: Request, locator: str) -> Response:
    """Return the next page of a query."""
    return reply(next_page(state_of(request), base_of(request), locator))

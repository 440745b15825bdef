"""Query jobs of Bulk API 2.0: created, polled until they are complete, and fetched in pages of CSV."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.csv_pages import DELIMITERS, LINE_ENDINGS, CsvResponse, parts
from airflow_provider_kashoo.sandbox.salesforce.evaluate import Flat, flat
from airflow_provider_kashoo.sandbox.salesforce.ids import to18
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError, stamp_text
from airflow_provider_kashoo.sandbox.salesforce.tables import Row
from airflow_provider_kashoo.sandbox.salesforce.wire import NOT_FOUND, Body, State, parsed, reply, state_of

PAGE_ROWS = 50_000
CHUNK_ROWS = 50_000
"""Rows between two places at which ``resultPages`` lets a client begin (assumed: Salesforce does not say)."""
LINKS = 5
CHUNKS_SINCE = 58
STEPS = ("UploadComplete", "InProgress", "JobComplete")
#: Whether the job that is created or asked for while this request is processed ends as Failed.
JOB_FAILS: ContextVar[bool] = ContextVar("JOB_FAILS", default=False)
_FAILURE = "InternalServerError: the job could not be finished"
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_REFUSED = (
    (r"\btypeof\b", "TYPEOF is not supported in a Bulk query"),
    (r"\b(?:count|count_distinct|sum|avg|min|max)\s*\(|\bgroup\s+by\b", "Aggregate functions are not supported"),
    (r"\boffset\s+\d", "OFFSET is not supported in a Bulk query"),
    (r"\(\s*select\b.*\bfrom\b.*\)\s*(?:,|from\b)", "Aggregate Relationships not supported in a Bulk query"),
)
router = APIRouter()


@dataclass(frozen=True)
class Job:
    """One query job; ``query`` is compiled when it is created, ``rows`` are those it found when it completed."""

    id: str
    operation: str
    query: Flat
    created: str
    version: str
    created_by: str
    delimiter: str = "COMMA"
    newline: str = "LF"
    state: str = STEPS[0]
    modified: str = ""
    failing: bool = False
    rows: Sequence[Row] = ()

    def shown(self) -> dict[str, Any]:
        """Return the job as every reply about it begins."""
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.query.sobject,
            "createdById": self.created_by,
            "createdDate": self.created,
            "systemModstamp": self.modified or self.created,
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": self.newline,
            "columnDelimiter": self.delimiter,
        }


def _refuse(text: str) -> None:
    bare = _STRING.sub("''", text)
    for pattern, message in _REFUSED:
        if re.search(pattern, bare, re.IGNORECASE | re.DOTALL):
            raise SalesforceError("FUNCTIONALITY_NOT_ENABLED", message)


def _job(state: State, job_id: str) -> Job:
    found: Job | None = state.jobs.get(to18(job_id) or "")
    if found is None:
        raise SalesforceError("NOT_FOUND", NOT_FOUND, status=404)
    return found


def _now(org: Org) -> str:
    return stamp_text(org.clock.now().replace(microsecond=0))


def _step(org: Org, job: Job) -> Job:
    """Take a job one state further: each question about it does, so that a test knows when it ends."""
    if job.state not in STEPS[:-1]:
        return job
    following = STEPS[STEPS.index(job.state) + 1]
    if following == STEPS[-1]:
        if job.failing:
            return replace(job, state="Failed", modified=_now(org))
        return replace(job, state=following, modified=_now(org), rows=job.query.select())
    return replace(job, state=following, modified=_now(org))


@router.post("/jobs/query")
async def create(request: Request, body: Body) -> Response:
    """Create a job; a query that no job can run is refused here."""
    state, given = state_of(request), parsed(body)
    operation, text = given.get("operation"), given.get("query")
    if operation not in ("query", "queryAll") or not isinstance(text, str):
        raise SalesforceError("INVALID_INPUT", "operation must be query or queryAll, and query a text")
    delimiter, newline = str(given.get("columnDelimiter", "COMMA")), str(given.get("lineEnding", "LF"))
    if delimiter not in DELIMITERS or newline not in LINE_ENDINGS or given.get("contentType", "CSV") != "CSV":
        raise SalesforceError("INVALID_INPUT", "no such contentType, columnDelimiter or lineEnding")
    _refuse(text)
    org = state.org
    with org.lock:
        query = flat(org, text, deleted=operation == "queryAll")
        if compound := [column.name for column in query.columns if column.item.type in {"address", "base64"}]:
            message = "Selecting compound data or files not supported in Bulk Query"
            raise SalesforceError("FUNCTIONALITY_NOT_ENABLED", message, compound)
        made = Job(
            org.ids.next("750"), operation, query, _now(org), request.path_params["version"], org.user_id,
            delimiter, newline, failing=JOB_FAILS.get(),
        )  # fmt: skip
        state.jobs[made.id] = made
    return reply(made.shown())


@router.get("/jobs/query/{job_id}")
async def show(request: Request, job_id: str) -> Response:
    """Show a job, one state further than when it was shown last."""
    state = state_of(request)
    with state.org.lock:
        job = _job(state, job_id)
        job = _step(state.org, replace(job, failing=job.failing or JOB_FAILS.get()))
        state.jobs[job.id] = job
    more: dict[str, Any] = {"jobType": "V2Query", "numberRecordsProcessed": len(job.rows), "retries": 0}
    more |= {"totalProcessingTime": 0, "isPkChunkingSupported": True}
    if job.state == "Failed":
        more["errorMessage"] = _FAILURE
    return reply(job.shown() | more)


@router.patch("/jobs/query/{job_id}")
async def abort(request: Request, job_id: str, body: Body) -> Response:
    """Abort a job that has not ended."""
    state = state_of(request)
    with state.org.lock:
        job = _job(state, job_id)
        if parsed(body).get("state") != "Aborted" or job.state not in STEPS[:-1]:
            raise SalesforceError("INVALIDJOBSTATE", f"a job that is {job.state} can only stay so")
        job = state.jobs[job.id] = replace(job, state="Aborted", modified=_now(state.org))
    return reply(job.shown())


@router.delete("/jobs/query/{job_id}")
async def delete(request: Request, job_id: str) -> Response:
    """Delete a job that has ended, and its results with it."""
    state = state_of(request)
    with state.org.lock:
        job = _job(state, job_id)
        if job.state in STEPS[:-1]:
            raise SalesforceError("INVALIDJOBSTATE", f"a job that is {job.state} cannot be deleted")
        del state.jobs[job.id]
    return reply(None, 204)


def _locator(start: int) -> str:
    return base64.b64encode(str(start).encode()).decode().rstrip("=")


def _start(locator: str, total: int) -> int:
    try:
        start = int(base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True))
    except ValueError:
        start = -1
    if not 0 <= start < max(total, 1):
        raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return start


def _complete(request: Request, job_id: str) -> Job:
    """Return a job whose results can be had by this request."""
    job = _job(state_of(request), job_id)
    if job.version != request.path_params["version"]:
        message = f"the results of this job are to be fetched with API version {job.version}"
        raise SalesforceError("API_VERSION_MISMATCH", message, status=409)
    if job.state != STEPS[-1]:
        raise SalesforceError("INVALIDJOBSTATE", f"a job that is {job.state} has no results")
    return job


@router.get("/jobs/query/{job_id}/resultPages")
async def result_pages(request: Request, job_id: str) -> Response:
    """Return up to five places at which to begin, so that they are fetched side by side.

    The names are those that clients report of real orgs (evidenced); the public documentation calls them
    ``resultPages`` and ``resultUrl``, and shows whole paths.
    """
    if float(request.path_params["version"]) < CHUNKS_SINCE:
        raise SalesforceError("NOT_FOUND", NOT_FOUND, status=404)
    job, given = _complete(request, job_id), request.query_params
    total = len(job.rows)
    start = _start(given["locator"], total) if given.get("locator") else 0
    firsts = range(start, max(total, 1), CHUNK_ROWS)
    here = f"/jobs/query/{job.id}"
    more = firsts[LINKS] if len(firsts) > LINKS else None
    return reply(
        {
            "resultChunks": [{"resultLink": f"{here}/results?locator={_locator(at)}"} for at in firsts[:LINKS]],
            "nextRecordsUrl": None if more is None else f"{here}/resultPages?locator={_locator(more)}",
            "done": more is None,
        }
    )


def _end(start: int, size: int, total: int) -> int:
    """Say where a page ends: no page reaches into the next chunk (assumed)."""
    return min(start + size, (start // CHUNK_ROWS + 1) * CHUNK_ROWS, total)


@router.get("/jobs/query/{job_id}/results")
async def results(request: Request, job_id: str) -> Response:
    """Return one page; any page may be fetched again as long as the job exists."""
    state, given = state_of(request), request.query_params
    job = _complete(request, job_id)
    size = given.get("maxRecords", str(PAGE_ROWS))
    if not size.isdigit() or int(size) < 1:
        raise SalesforceError("INVALID_INPUT", "maxRecords must be a positive number")
    total = len(job.rows)
    start = _start(given["locator"], total) if given.get("locator") else 0
    end = _end(start, int(size), total)
    body = parts(
        job.rows, job.query.columns, start, end,
        lock=state.org.lock, delimiter=DELIMITERS[job.delimiter], newline=LINE_ENDINGS[job.newline],
    )  # fmt: skip
    headers = {"Sforce-Locator": _locator(end) if end < total else "null", "Sforce-NumberOfRecords": str(end - start)}
    return CsvResponse(body, headers)

"""What changed and what was deleted in a span of time: getUpdated and getDeleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError, stamp_text
from airflow_provider_kashoo.sandbox.salesforce.schema import SObject
from airflow_provider_kashoo.sandbox.salesforce.wire import object_of, reply

UPDATED_DAYS, DELETED_DAYS = 30, 15
MAX_IDS = 600_000
router = APIRouter()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SalesforceError("INVALID_REPLICATION_DATE", f"not a date and time: {text}") from None
    if moment.tzinfo is None:
        raise SalesforceError("INVALID_REPLICATION_DATE", f"no time zone: {text}")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _span(org: Org, sobject: SObject, start: str, end: str, days: int) -> tuple[datetime, datetime]:
    if not sobject.replicateable:
        raise SalesforceError("INVALID_TYPE_FOR_OPERATION", f"{sobject.name} is not replicateable")
    low, high = _moment(start), _moment(end)
    if low >= high:
        raise SalesforceError("INVALID_REPLICATION_DATE", "startDate before endDate expected, to the minute")
    if low < org.clock.now() - timedelta(days=days, minutes=1):
        raise SalesforceError("INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    return low, high


def _covered(org: Org, high: datetime) -> str:
    oldest = org.writes.oldest()
    bound = org.clock.now() if oldest is None else datetime.fromtimestamp(oldest, UTC)
    return stamp_text(min(bound, high).replace(microsecond=0))


def updated(org: Org, sobject: SObject, start: str, end: str) -> dict[str, Any]:
    """Return the ids created or changed from ``start`` up to ``end``, both cut to the minute.

    Whatever has a stamp after ``latestDateCovered`` may still be missing: its transaction may not be committed.
    """
    with org.lock:
        low, high = _span(org, sobject, start, end, UPDATED_DAYS)
        first, after = stamp_text(low), stamp_text(high)
        rows = org.tables[sobject.name].scan(first, after)
        ids = [r["Id"] for r in rows if first <= r["SystemModstamp"] < after and not _binned(sobject, r)]
        if len(ids) > MAX_IDS:
            raise SalesforceError("EXCEEDED_ID_LIMIT", f"more than {MAX_IDS} ids: ask for a shorter span")
        return {"ids": ids, "latestDateCovered": _covered(org, high)}


def _binned(sobject: SObject, row: dict[str, Any]) -> bool:
    return sobject.undeletable and bool(row["IsDeleted"])


def deleted(org: Org, sobject: SObject, start: str, end: str) -> dict[str, Any]:
    """Return ids and times of what was deleted from ``start`` up to ``end``, in the recycle bin or gone for good."""
    with org.lock:
        low, high = _span(org, sobject, start, end, DELETED_DAYS)
        first, after = stamp_text(low), stamp_text(high)
        kept = stamp_text((org.clock.now() - timedelta(days=DELETED_DAYS)).replace(microsecond=0))
        gone = {key: grave["deletedDate"] for key, grave in org.graves.rows.items() if grave["sobject"] == sobject.name}
        for row in org.tables[sobject.name].scan(first, after):
            if _binned(sobject, row):
                gone[row["Id"]] = row["SystemModstamp"]
        known = {key: at for key, at in gone.items() if at >= kept}
        listed = [{"id": key, "deletedDate": at} for key, at in known.items() if first <= at < after]
        return {
            "deletedRecords": listed,
            "earliestDateAvailable": min(known.values(), default=kept),
            "latestDateCovered": _covered(org, high),
        }


@router.get("/sobjects/{name}/updated")
async def get_updated(request: Request, name: str) -> Response:
    """List the ids that changed."""
    given = request.query_params
    return reply(updated(*object_of(request, name), given.get("start", ""), given.get("end", "")))


@router.get("/sobjects/{name}/deleted")
async def get_deleted(request: Request, name: str) -> Response:
    """List the ids that were deleted."""
    given = request.query_params
    return reply(deleted(*object_of(request, name), given.get("start", ""), given.get("end", "")))

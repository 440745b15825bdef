"""Faults of Salesforce's own kinds: locked rows, limits, broken connections, and what stands in the org then."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from world import World, add_accounts, error_type


def _collection(ids: list[str], **more: Any) -> dict[str, Any]:
    records = [{"attributes": {"type": "Account"}, "Id": key, "Name": "New"} for key in ids]
    return {"records": records, **more}


def _names(world: World) -> list[str]:
    return [row["Name"] for row in world.sandbox.org.rows("Account")]


def test_a_locked_row_fails_alone_in_a_collection(world: World) -> None:
    ids = add_accounts(world)
    world.fail("row_lock", "salesforce", records=(ids[0],))
    answer = world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids))
    message = f"unable to obtain exclusive access to this record or 1 records: {ids[0]}"
    locked = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": message, "fields": []}
    assert answer.status_code == 200
    assert answer.json() == [{"success": False, "errors": [locked]}, {"id": ids[1], "success": True, "errors": []}]
    assert _names(world) == ["Firm 0", "New"]
    assert world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids)).json()[0]["success"] is True


def test_a_locked_row_undoes_all_or_none(world: World) -> None:
    ids = add_accounts(world)
    world.fail("row_lock", "salesforce", records=(ids[1],))
    answer = world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids, allOrNone=True)).json()
    codes = [entry["errors"][0]["statusCode"] for entry in answer]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "UNABLE_TO_LOCK_ROW"]
    assert _names(world) == ["Firm 0", "Firm 1"]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"Name": "New"}), ("DELETE", None)])
def test_a_single_write_of_a_locked_row_is_a_400(world: World, method: str, body: Any) -> None:
    (key,) = add_accounts(world, 1)
    world.fail("row_lock", "salesforce", method=method)
    answer = world.salesforce(method, f"/sobjects/Account/{key}", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
    assert _names(world) == ["Firm 0"]
    assert world.salesforce("GET", f"/sobjects/Account/{key}").json()["Name"] == "Firm 0"


@pytest.mark.parametrize(
    ("kind", "status", "code", "message"),
    [
        ("limit_daily", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        (
            "limit_concurrent",
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        ),
        ("unauthorized_before", 401, "INVALID_SESSION_ID", "Session expired or invalid"),
        ("error_before", 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    ],
)
def test_refusals_of_salesforce(world: World, kind: Any, status: int, code: str, message: str) -> None:
    world.fail(kind, "salesforce")
    answer = world.salesforce("POST", "/sobjects/Account", json={"Name": "New"})
    assert (answer.status_code, answer.json()) == (status, [{"message": message, "errorCode": code}])
    assert _names(world) == []


@pytest.mark.parametrize(("kind", "written"), [("drop_before", []), ("drop_after", ["New"]), ("cut_body", ["New"])])
def test_connections_break_under_tls_too(world: World, kind: Any, written: list[str]) -> None:
    world.fail(kind, "salesforce")
    seen = error_type(lambda: world.salesforce("POST", "/sobjects/Account", json={"Name": "New"}))
    assert seen is requests.ConnectionError
    assert _names(world) == written
    assert world.salesforce("GET", "/limits").status_code == 200


def test_a_locator_expires_between_two_pages(world: World) -> None:
    add_accounts(world, 201)
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = world.salesforce("GET", "/query", params={"q": "SELECT Id FROM Account"}, headers=small).json()
    world.fail("locator_expired", "salesforce", path="/query/")
    lost = world.salesforce("GET", page["nextRecordsUrl"])
    assert (lost.status_code, lost.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert len(world.salesforce("GET", page["nextRecordsUrl"]).json()["records"]) == 1

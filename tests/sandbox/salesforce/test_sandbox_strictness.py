# ruff: noqa: S608 - SOQL made of literals of this file
"""Where a simulator is easily kinder than Salesforce: each of these would pass here and fail in an org."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from inprocess import WEDNESDAY
from orgs import BASE, deal, logged_in

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.schema import Field, coerce
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(dataset="empty", serve=False, clock=Clock(WEDNESDAY, source=lambda: 0.0))


@pytest.fixture(scope="module")
def org(sandbox: Sandbox) -> Org:
    return sandbox.org


@pytest.fixture(scope="module")
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with logged_in(sandbox) as session:
        session.headers["X-Base"] = sandbox.salesforce_url
        yield session


def ask(session: requests.Session, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    answer = session.request(method, f"{session.headers['X-Base']}{path}", data=data)
    return answer.status_code, answer.json() if answer.content else None


def found(session: requests.Session, where: str) -> set[str]:
    status, page = ask(session, "GET", f"{BASE}/query?q=SELECT Name FROM {where}")
    assert status == 200, page
    return {row["Name"] for row in page["records"]}


def records(org: Org, count: int = 2) -> list[str]:
    return [org.insert("Account", {"Name": f"Firm {number}"}) for number in range(count)]


# -- white space


@pytest.mark.parametrize("padded", ["  Acme  Ltd ", "\tAcme  Ltd\r\n", "\x00Acme  Ltd\x1f"])
def test_white_space_around_a_text_is_cut_off_and_that_inside_stays(org: Org, padded: str) -> None:
    key = org.insert("Account", {"Name": padded, "Description": padded, "BillingCity": padded})
    row = org.get("Account", key)
    assert {row[name] for name in ("Name", "Description", "BillingCity")} == {"Acme  Ltd"}
    org.update("Account", key, {"Name": " Acme "})
    assert org.get("Account", key)["Name"] == "Acme"


@pytest.mark.parametrize("blank", ["", " ", "\r\n\t"])
def test_a_blank_text_is_none_at_all(org: Org, blank: str) -> None:
    with pytest.raises(SalesforceError, match="REQUIRED_FIELD_MISSING"):
        org.insert("Account", {"Name": blank})
    key = org.insert("Account", {"Name": "x", "Description": blank})
    assert org.get("Account", key)["Description"] is None
    with pytest.raises(SalesforceError, match="REQUIRED_FIELD_MISSING"):
        org.update("Account", key, {"Name": blank})


def test_white_space_around_does_not_count_for_the_length(org: Org) -> None:
    key = org.insert("Account", {"Name": f" {'x' * 255} "})
    assert len(org.get("Account", key)["Name"]) == 255


def test_an_external_id_is_found_by_its_text_alone(org: Org) -> None:
    key = org.insert("Account", {"Name": "x", "External_Key__c": " key-1 "})
    assert org.find("Account", "External_Key__c", " KEY-1") == key


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_text_is_ever_kept_with_white_space_around_it(text: str) -> None:
    kept = coerce(Field("Description", length=40), text)
    assert kept is None or (kept == kept.strip(" \t\r\n") and kept in text)


def test_half_a_character_is_refused(session: requests.Session) -> None:
    status, [error] = ask(session, "POST", f"{BASE}/sobjects/Account", '{"Name": "x \\ud83d"}')
    assert (status, error["errorCode"]) == (400, "JSON_PARSER_ERROR")
    status, made = ask(session, "POST", f"{BASE}/sobjects/Account", '{"Name": "x \\ud83d\\ude00"}')
    assert (status, made["success"]) == (201, True)


# -- checkboxes


def test_a_checkbox_is_never_null(org: Org, session: requests.Session) -> None:
    yes = org.insert("Account", {"Name": "ticked", "Approved__c": True})
    org.insert("Account", {"Name": "not ticked", "Approved__c": None})
    mine = "Account WHERE Name LIKE '%ticked' AND"
    assert (
        found(session, f"{mine} Approved__c = null") == found(session, f"{mine} Approved__c = false") == {"not ticked"}
    )
    assert found(session, f"{mine} Approved__c != null") == found(session, f"{mine} Approved__c = true") == {"ticked"}
    assert found(session, f"{mine} Approved__c IN (null)") == {"not ticked"}
    org.update("Account", yes, {"Approved__c": None})
    assert org.get("Account", yes)["Approved__c"] is False


def test_the_checkbox_of_a_parent_that_is_not_there_is_not_ticked(org: Org, session: requests.Session) -> None:
    deal(org, Name="alone")
    deal(org, Name="owned", AccountId=org.insert("Account", {"Name": "x", "Approved__c": True}))
    mine = "Opportunity WHERE Name IN ('alone', 'owned') AND"
    for word in ("= false", "= null", "!= true"):
        assert found(session, f"{mine} Account.Approved__c {word}") == {"alone"}


# -- collections


def update(session: requests.Session, items: list[dict[str, Any]], path: str = "") -> tuple[int, Any]:
    return ask(session, "PATCH", f"{BASE}/composite/sobjects{path}", {"allOrNone": False, "records": items})


def account(**fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Account"}, **fields}


def test_a_record_is_updated_once_in_a_collection(org: Org, session: requests.Session) -> None:
    one, two = records(org)
    items = [account(Id=one, Name="first"), account(id=one[:15], Name="second"), account(Id=two, Name="third")]
    _, answers = update(session, items)
    assert [each["success"] for each in answers] == [True, False, True]
    [error] = answers[1]["errors"]
    assert error["statusCode"] == "DUPLICATE_VALUE"
    assert error["message"].startswith("duplicate id specified")
    assert [org.get("Account", key)["Name"] for key in (one, two)] == ["first", "third"]


def test_an_external_id_is_upserted_once_in_a_collection(org: Org, session: requests.Session) -> None:
    items = [account(External_Key__c=key, Name=name) for key, name in (("k1", "a"), (" K1 ", "b"), ("k2", "c"))]
    _, answers = update(session, items, "/Account/External_Key__c")
    assert [each["success"] for each in answers] == [True, False, True]
    assert answers[1]["errors"][0]["message"].startswith("Duplicate external id specified")
    kept = org.find("Account", "External_Key__c", "k1")
    assert kept
    assert org.get("Account", kept)["Name"] == "a"


def test_a_collection_has_at_most_ten_stretches_of_one_object(org: Org, session: requests.Session) -> None:
    keys = {"Account": records(org, 6), "Opportunity": [deal(org) for _ in range(6)]}
    items = [
        {"attributes": {"type": kind}, "Id": keys[kind][number], "Description": "new"}
        for number in range(6)
        for kind in keys
    ]
    assert update(session, items[:10])[0] == 200
    status, [error] = update(session, items)
    assert (status, error["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert update(session, sorted(items, key=lambda item: item["attributes"]["type"]))[0] == 200


# -- versions


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        ("67.0", 200, ""),
        ("68.0", 404, "NOT_FOUND"),
        ("99.0", 404, "NOT_FOUND"),
        ("45.0", 410, "UNSUPPORTED_API_VERSION"),
        ("30.0", 410, "UNSUPPORTED_API_VERSION"),
    ],
)
def test_a_version_that_is_not_served_is_refused_within_a_composite_request_too(
    session: requests.Session, version: str, status: int, code: str
) -> None:
    path = f"/services/data/v{version}/limits"
    alone, said = ask(session, "GET", path)
    body = {"compositeRequest": [{"method": "GET", "url": path, "referenceId": "a"}]}
    [part] = ask(session, "POST", f"{BASE}/composite", body)[1]["compositeResponse"]
    assert (alone, part["httpStatusCode"]) == (status, status)
    if code:
        assert (said[0]["errorCode"], part["body"][0]["errorCode"]) == (code, code)


# -- lengths


@pytest.mark.parametrize(
    ("part", "length", "kind"),
    [("Street", 255, "textarea"), ("City", 40, "string"), ("State", 80, "string"), ("PostalCode", 20, "string")],
)
def test_the_parts_of_an_address_have_their_own_lengths(
    org: Org, session: requests.Session, part: str, length: int, kind: str
) -> None:
    for prefix, sobject, name in (("Billing", "Account", "Name"), ("Mailing", "Contact", "LastName")):
        org.insert(sobject, {name: "x", prefix + part: "x" * length})
        with pytest.raises(SalesforceError, match=f"STRING_TOO_LONG.*max length={length}"):
            org.insert(sobject, {name: "x", prefix + part: "x" * (length + 1)})
    fields = {each["name"]: each for each in ask(session, "GET", f"{BASE}/sobjects/Account/describe")[1]["fields"]}
    field = fields[f"Billing{part}"]
    assert (field["type"], field["length"], field["filterable"]) == (kind, length, True)


def test_what_salesforce_fills_in_itself_is_never_null(session: requests.Session) -> None:
    fields = {each["name"]: each for each in ask(session, "GET", f"{BASE}/sobjects/Account/describe")[1]["fields"]}
    assert [name for name in ("Id", "OwnerId", "CreatedDate", "SystemModstamp") if fields[name]["nillable"]] == []


# -- what readers of others send


@pytest.mark.parametrize("fraction", ["", ".0", ".000", ".000000", ".000000000"])
def test_an_instant_may_have_any_number_of_digits(org: Org, session: requests.Session, fraction: str) -> None:
    org.insert("Account", {"Name": "dated"})
    instant = f"2026-03-04T12:00:00{fraction}Z"
    assert found(session, f"Account WHERE Name = 'dated' AND SystemModstamp = {instant}") == {"dated"}


def test_limits_name_those_of_bulk_jobs(session: requests.Session) -> None:
    _, limits = ask(session, "GET", f"{BASE}/limits")
    assert {"DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs"} <= limits.keys()


# -- what is malformed is refused, and never an error of the server


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sobjects/Account", "[" * 100_000),
        ("/sobjects/Account", '{"Name":' * 100_000),
        ("/composite", {"compositeRequest": [{"method": "GET", "url": "http://[::1", "referenceId": "a"}]}),
        ("/composite", {"compositeRequest": [{"method": "GET", "url": "", "referenceId": "a"}]}),
        ("/jobs/query", {"operation": ["query"], "query": "SELECT Id FROM Account"}),
        ("/jobs/query", {"operation": {"query": 1}, "query": "SELECT Id FROM Account"}),
        ("/jobs/query", {"operation": "query", "query": "SELECT Id FROM Account", "columnDelimiter": ["COMMA"]}),
        ("/jobs/query", {"operation": "query", "query": "SELECT Id FROM Account", "lineEnding": {}}),
    ],
)
def test_a_malformed_request_is_refused(session: requests.Session, path: str, body: Any) -> None:
    status, [error] = ask(session, "POST", f"{BASE}{path}", body)
    assert (status, error["errorCode"] in {"JSON_PARSER_ERROR", "INVALID_INPUT"}) == (400, True)


def test_a_limit_without_end_is_no_limit(org: Org, session: requests.Session) -> None:
    org.insert("Account", {"Name": "limited"})
    assert found(session, "Account WHERE Name = 'limited' LIMIT 9223372036854775808") == {"limited"}


def test_a_read_that_is_not_simulated_says_so(org: Org, session: requests.Session) -> None:
    [key] = records(org, 1)
    url = f"{BASE}/sobjects/Account/{key}"
    body = {"compositeRequest": [{"method": "GET", "url": url, "referenceId": "a"}]}
    [part] = ask(session, "POST", f"{BASE}/composite", body)[1]["compositeResponse"]
    assert (part["httpStatusCode"], part["body"][0]["errorCode"]) == (501, "NOT_SIMULATED")

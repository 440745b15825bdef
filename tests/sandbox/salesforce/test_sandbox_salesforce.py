# ruff: noqa: S608 - SOQL made of literals of this file
"""The simulated Salesforce over HTTPS: logins, limits, errors, describe, pages of a query, and the org itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from orgs import BASE, raw, refused
from simple_salesforce.exceptions import SalesforceError as ClientError

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.ids import IdFactory, check_suffix, to18
from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox

# -- sessions and what every reply carries


def test_login_by_client_credentials_in_header_or_form(sandbox: Sandbox, sf: Any) -> None:
    assert f"https://{sf.sf_instance}" == sandbox.salesforce_url
    reply = raw(sf, "POST", "/services/oauth2/token", data=sandbox.org.access.app, headers={})
    assert reply.status_code == 200
    content = reply.json()
    assert content["token_type"] == "Bearer"
    assert content["access_token"].startswith(f"{sandbox.org.org_id[:15]}!")
    assert content["access_token"] != sf.session_id
    assert content["instance_url"] == sandbox.salesforce_url
    assert content["id"].endswith(f"/id/{sandbox.org.org_id}/{sandbox.org.user_id}")
    assert "Sforce-Limit-Info" not in reply.headers


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client_id"),
        ({"grant_type": "client_credentials"}, "invalid_client_id"),
        ({"grant_type": "password", "username": "u", "password": "p"}, "invalid_client_id"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
    ],
)
def test_other_logins_are_refused(sf: Any, form: dict[str, str], error: str) -> None:
    reply = raw(sf, "POST", "/acme.my.salesforce.com/services/oauth2/token", data=form, headers={})
    assert (reply.status_code, reply.json()["error"]) == (400, error)


def test_a_session_ends_after_two_hours(sandbox: Sandbox, sf: Any) -> None:
    old = sf.session_id
    sandbox.clock.advance(7199)
    assert raw(sf, "GET", f"{BASE}/limits").status_code == 200
    sandbox.clock.advance(1)
    reply = raw(sf, "GET", f"{BASE}/limits")
    assert reply.status_code == 401
    assert reply.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert sf.limits()["DailyApiRequests"]["Max"] == 100_000  # the client logs in again by itself
    assert sf.session_id != old


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}])
def test_no_session_no_data(sf: Any, header: dict[str, str]) -> None:
    assert raw(sf, "GET", f"{BASE}/query?q=SELECT+Id+FROM+Account", headers=header).status_code == 401


def test_headers_limits_and_versions(sandbox: Sandbox, sf: Any) -> None:
    reply = raw(sf, "GET", f"{BASE}/limits/")
    used = sandbox.org.api_requests
    assert reply.headers["Sforce-Limit-Info"] == f"api-usage={used}/100000"
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert reply.headers["Date"] == f"{sandbox.clock.now():%a, %d %b %Y %H:%M:%S} GMT"
    assert reply.json()["DailyApiRequests"]["Remaining"] == 100_000 - used
    sf.limits()
    assert sf.api_usage["api-usage"].used == used + 1
    versions = raw(sf, "GET", "/services/data/", headers={})
    assert versions.json()[-1] == {"label": "Summer '26", "url": BASE, "version": "67.0"}
    assert "Sforce-Limit-Info" not in versions.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/services/data/v45.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("GET", f"{BASE}/nothing", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/sobjects/Nothing/describe", 404, "NOT_FOUND"),
        ("PUT", f"{BASE}/sobjects/Account", 405, "METHOD_NOT_ALLOWED"),
        ("GET", f"{BASE}/query", 400, "MALFORMED_QUERY"),
        ("GET", f"{BASE}/query/0r8000000000001AAA-2000", 400, "INVALID_QUERY_LOCATOR"),
        ("GET", f"{BASE}/query?q={'x' * 16_384}", 414, "URI_TOO_LONG"),
        ("GET", f"{BASE}/sobjects/Account/nope", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/sobjects/Account/001000000000000AAA", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/sobjects/Account/Tax_Number__c/1", 404, "NOT_FOUND"),
        ("POST", f"{BASE}/sobjects/Account", 400, "JSON_PARSER_ERROR"),
    ],
)
def test_errors_have_one_shape(sf: Any, method: str, path: str, status: int, code: str) -> None:
    reply = raw(sf, method, path)
    assert reply.status_code == status
    [error] = reply.json()
    assert error["errorCode"] == code
    assert error["message"]


def test_any_version_from_46_answers_in_its_own_name(login: Callable[..., Any], org: Org) -> None:
    org.insert("Account", {"Name": "Versioned"})
    for version in ("46.0", "59.0"):
        record = login(version=version).query("SELECT Id FROM Account LIMIT 1")["records"][0]
        assert record["attributes"]["url"].startswith(f"/services/data/v{version}/")


# -- describe


def test_describe(sf: Any) -> None:
    brief = {item["name"]: item for item in sf.describe()["sobjects"]}
    assert brief["OpportunityLineItem"]["keyPrefix"] == "00k"
    account = sf.Account.describe()
    fields = {item["name"]: item for item in account["fields"]}
    wanted = (
        "name label type length precision scale nillable createable updateable calculated compoundFieldName custom "
    )
    wanted += "externalId unique idLookup filterable sortable picklistValues restrictedPicklist referenceTo soapType "
    assert set(f"{wanted} relationshipName defaultedOnCreate".split()) <= set(fields["Name"])
    assert not fields["Name"]["nillable"]
    assert (fields["Payment_Terms__c"]["precision"], fields["Payment_Terms__c"]["scale"]) == (3, 0)
    assert not fields["Tax_Number__c"]["externalId"]
    assert fields["External_Key__c"]["externalId"]
    assert fields["External_Key__c"]["unique"]
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert fields["OwnerId"]["relationshipName"] == "Owner"
    assert not fields["SystemModstamp"]["updateable"]
    children = {(c["childSObject"], c["field"], c["relationshipName"]) for c in account["childRelationships"]}
    assert ("Opportunity", "AccountId", "Opportunities") in children
    for name in ("Opportunity", "Order"):
        written = {item["name"]: item for item in getattr(sf, name).describe()["fields"]}
        status = written["Kashoo_Status__c"]
        assert status["restrictedPicklist"]
        assert [value["value"] for value in status["picklistValues"]][-1] == "Void"
        assert "CurrencyIsoCode" in written


# -- queries


def test_paging_is_a_snapshot_that_lives_two_days(sandbox: Sandbox, sf: Any, org: Org) -> None:
    keys = [org.insert("Contact", {"LastName": f"P{number:03}"}) for number in range(450)]
    query = "SELECT Id, LastName FROM Contact WHERE LastName LIKE 'P___' ORDER BY LastName"
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = sf.query(query, include_deleted=True, headers=small)
    assert (page["totalSize"], page["done"], len(page["records"])) == (450, False, 200)
    assert page["nextRecordsUrl"].startswith(f"{BASE}/query/0r8")
    assert page["nextRecordsUrl"].endswith("-200")
    org.insert("Contact", {"LastName": "P000"})
    second = sf.query_more(page["nextRecordsUrl"], identifier_is_url=True)
    third = sf.query_more(second["nextRecordsUrl"], identifier_is_url=True)
    seen = [r["Id"] for part in (page, second, third) for r in part["records"]]
    assert seen == keys
    assert third["done"] is True
    assert "nextRecordsUrl" not in third
    assert sf.query_more(page["nextRecordsUrl"], identifier_is_url=True) == second
    sandbox.clock.advance(2 * 86400)
    login_again = sf.query("SELECT COUNT() FROM Contact")
    assert (login_again["done"], login_again["records"]) == (True, [])
    late = lambda: sf.query_more(page["nextRecordsUrl"], identifier_is_url=True)  # noqa: E731
    assert refused(late) == (400, "INVALID_QUERY_LOCATOR")
    assert sf.query_all(query, headers=small)["totalSize"] == len(sf.query_all(query, headers=small)["records"]) == 451
    tiny = {"Sforce-Query-Options": "batchSize=10"}
    assert refused(lambda: sf.query(query, headers=tiny)) == (400, "INVALID_BATCH_SIZE")


def test_a_query_error_keeps_its_wording(sf: Any) -> None:
    with pytest.raises(ClientError) as caught:
        sf.query("SELECT Nope FROM Account")
    content: Any = caught.value.content
    [error] = content
    assert error["errorCode"] == "INVALID_FIELD"
    assert "ERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Account'." in error["message"]
    assert refused(lambda: sf.query("SELECT Id FROM Nope")) == (400, "INVALID_TYPE")


# -- the org itself


def test_an_org_starts_with_its_user_its_name_and_a_price_book(sandbox: Sandbox, sf: Any) -> None:
    fields = "Id, Name, IsSandbox, OrganizationType, InstanceName, TimeZoneSidKey, DefaultCurrencyIsoCode"
    [organization] = sf.query(f"SELECT {fields} FROM Organization")["records"]
    assert organization["Id"] == sandbox.org.org_id
    assert organization["DefaultCurrencyIsoCode"] == "USD"
    [user] = sf.query("SELECT Id, Username, Email FROM User WHERE IsActive = true")["records"]
    assert user["Id"] == sandbox.org.user_id
    [book] = sf.query("SELECT Name, IsActive FROM Pricebook2 WHERE IsStandard = true")["records"]
    assert (book["Name"], book["IsActive"]) == ("Standard Price Book", True)


def test_the_seed_decides_ids_and_credentials() -> None:
    one, same, other = (Org(Clock(), seed=seed) for seed in (1, 1, 2))
    assert (one.org_id, one.access) == (same.org_id, same.access)
    assert one.org_id != other.org_id
    assert one.access.consumer_secret != other.access.consumer_secret


def test_ids_carry_their_check_characters() -> None:
    assert check_suffix("001D000000IqhSL") == "IAZ"
    assert to18("001D000000IqhSL") == to18("001D000000IqhSLIAZ") == "001D000000IqhSLIAZ"
    assert to18("001D000000IqhSLIAA") is None
    ids = IdFactory(7)
    made = [ids.next("001") for _ in range(130)]
    assert made == sorted(set(made))

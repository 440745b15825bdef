# ruff: noqa: S608 - SOQL made of literals of this file
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError as ClientError

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.ids import IdFactory, check_suffix, to18
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.server import Sandbox

START = datetime(2026, 11, 23, 2, 0, 0, 750_000, tzinfo=UTC)
BASE = "/services/data/v67.0"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0)) as running:
        yield running


@pytest.fixture(scope="module")
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a bundle named in the environment would win over the next line
        session.verify = str(sandbox.ca_bundle)
        yield session


@pytest.fixture
def login(sandbox: Sandbox, session: requests.Session) -> Callable[..., Any]:
    extra = json.loads(sandbox.describe()["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
    return partial(Salesforce, session=session, parse_float=Decimal, **extra)


@pytest.fixture
def sf(login: Callable[..., Any]) -> Any:
    return login()


@pytest.fixture
def org(sandbox: Sandbox) -> Org:
    return sandbox.org


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    content: Any = caught.value.content
    [error] = content
    return caught.value.status, error["errorCode"]


def raw(sf: Any, method: str, path: str, **options: Any) -> Any:
    options.setdefault("headers", {"Authorization": f"Bearer {sf.session_id}"})
    return sf.session.request(method, f"https://{sf.sf_instance}{path}", timeout=10, **options)


def product(org: Org, price: str = "10.00", *, currency: str = "USD", active: bool = True) -> str:
    book = next(row["Id"] for row in org.rows("Pricebook2") if row["IsStandard"])
    item = org.insert("Product2", {"Name": "Lamp", "ProductCode": "L-1", "IsActive": True})
    fields = {"Pricebook2Id": book, "Product2Id": item, "UnitPrice": price, "IsActive": active}
    return org.insert("PricebookEntry", fields | {"CurrencyIsoCode": currency})


def deal(org: Org, **more: Any) -> str:
    fields = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-11-20"}
    return org.insert("Opportunity", fields | more)


# -- sessions and what every reply carries


def test_login_by_client_credentials_in_header_or_form(sandbox: Sandbox, sf: Any) -> None:
    assert f"https://{sf.sf_instance}" == sandbox.salesforce_url
    form = {"grant_type": "client_credentials"}
    form |= {"client_id": sandbox.org.consumer_key, "client_secret": sandbox.org.consumer_secret}
    reply = raw(sf, "POST", "/services/oauth2/token", data=form, headers={})
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
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "invalid_client"),
        ({"grant_type": "password", "username": "u", "password": "p"}, "unsupported_grant_type"),
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


# -- single records


def test_a_record_lives_and_dies(sandbox: Sandbox, sf: Any) -> None:
    created = sf.Account.create({"name": "Äcme", "Payment_Terms__c": 30, "BillingCity": "Köln"})
    assert created == {"id": created["id"], "success": True, "errors": []}
    key = created["id"]
    assert key == key[:15] + check_suffix(key[:15])
    made = sf.Account.get(key)
    assert made["Name"] == "Äcme"
    assert made["BillingAddress"]["city"] == "Köln"
    assert made["OwnerId"] == made["CreatedById"] == sandbox.org.user_id
    assert made["IsDeleted"] is False
    assert made["SystemModstamp"] == f"{sandbox.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
    sandbox.clock.advance(60)
    assert sf.Account.update(key[:15], {"Approved__c": True, "BillingCity": ""}) == 204
    changed = raw(
        sf, "GET", f"{BASE}/sobjects/account/{key[:15]}?fields=Approved__c,BillingAddress,SystemModstamp"
    ).json()
    assert list(changed) == ["attributes", "Approved__c", "BillingAddress", "SystemModstamp", "Id"]
    assert changed["Approved__c"] is True
    assert changed["BillingAddress"] is None
    assert changed["SystemModstamp"] > made["SystemModstamp"]
    sandbox.clock.advance(60)
    assert sf.Account.delete(key) == 204
    assert refused(lambda: sf.Account.get(key)) == (404, "ENTITY_IS_DELETED")
    assert refused(lambda: sf.Account.update(key, {})) == (404, "ENTITY_IS_DELETED")
    query = f"SELECT IsDeleted, SystemModstamp FROM Account WHERE Id = '{key}'"
    assert sf.query(query)["totalSize"] == 0
    [gone] = sf.query(query, include_deleted=True)["records"]
    assert gone["IsDeleted"] is True
    assert gone["SystemModstamp"] > changed["SystemModstamp"]


@pytest.mark.parametrize(
    ("fields", "code", "at_fault"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": ""}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": "x", "Nmae": "y"}, "INVALID_FIELD", []),
        ({"Name": "x", "Id": "001000000000000AAA"}, "INVALID_FIELD", ["Id"]),
        ({"Name": 5}, "JSON_PARSER_ERROR", []),
        ({"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ({"Name": "x", "Payment_Terms__c": "soon"}, "JSON_PARSER_ERROR", []),
        ({"Name": "x", "Payment_Terms__c": True}, "JSON_PARSER_ERROR", []),
        ({"Name": "x", "Payment_Terms__c": 1000}, "NUMBER_OUTSIDE_VALID_RANGE", ["Payment_Terms__c"]),
        ({"Name": "x", "Approved__c": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Approved__c"]),
        ({"Name": "x", "Approved__c": "yes"}, "JSON_PARSER_ERROR", []),
        ({"Name": "x", "ParentId": "acme"}, "MALFORMED_ID", ["ParentId"]),
        ({"Name": "x", "ParentId": "003000000000001"}, "MALFORMED_ID", ["ParentId"]),
        ({"Name": "x", "ParentId": "001zz0000000001"}, "INVALID_CROSS_REFERENCE_KEY", []),
        ({"Name": "x", "CurrencyIsoCode": "XXX"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["CurrencyIsoCode"]),
        ({"Name": "x", "SystemModstamp": "now"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["SystemModstamp"]),
    ],
)
def test_bad_fields_are_refused(sf: Any, fields: dict[str, Any], code: str, at_fault: list[str]) -> None:
    before = sf.query("SELECT COUNT() FROM Account")["totalSize"]
    reply = raw(sf, "POST", f"{BASE}/sobjects/Account", json=fields)
    [error] = reply.json()
    assert (reply.status_code, error["errorCode"], error.get("fields", [])) == (400, code, at_fault)
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == before


def test_bad_values_of_other_types(sf: Any, org: Org) -> None:
    key = deal(org)
    for fields, code in (
        ({"CloseDate": "2026-02-30"}, "JSON_PARSER_ERROR"),
        ({"CloseDate": "20 Nov"}, "JSON_PARSER_ERROR"),
        ({"CloseDate": None}, "REQUIRED_FIELD_MISSING"),
        ({"StageName": "Won"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Kashoo_Status__c": "paid"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"IsWon": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Amount": {"value": 1}}, "JSON_PARSER_ERROR"),
    ):
        assert refused(partial(sf.Opportunity.update, key, fields)) == (400, code)
    assert refused(lambda: sf.Contact.create({"LastName": "x", "Email": "nobody"})) == (400, "INVALID_EMAIL_ADDRESS")
    assert refused(lambda: sf.Organization.create({"Name": "x"})) == (400, "INVALID_TYPE_FOR_OPERATION")
    with pytest.raises(SalesforceError, match="floats are refused"):
        org.update("Opportunity", key, {"Amount": 0.1})


def test_upsert_by_external_id(sf: Any) -> None:
    path = f"{BASE}/sobjects/Account/External_Key__c/{quote('A/1 ü', safe='')}"
    first = raw(sf, "PATCH", path, json={"Name": "One"})
    assert first.status_code == 201
    key = first.json()["id"]
    assert first.json() == {"id": key, "success": True, "errors": [], "created": True}
    again = raw(sf, "PATCH", path, json={"Name": "Two"})
    assert (again.status_code, again.json()["created"], again.json()["id"]) == (200, False, key)
    assert raw(sf, "GET", path).json()["Name"] == "Two"
    only = raw(sf, "PATCH", f"{BASE}/sobjects/Account/External_Key__c/new?updateOnly=true", json={"Name": "x"})
    assert only.status_code == 404
    assert raw(sf, "PATCH", f"{path}?updateOnly=true", json={"Name": "3"}).status_code == 200
    assert raw(sf, "PATCH", path, json={"External_Key__c": "b"}).json()[0]["errorCode"] == "INVALID_FIELD"
    assert refused(lambda: sf.Account.upsert("Tax_Number__c/1", {"Name": "x"})) == (404, "NOT_FOUND")
    twin = raw(sf, "POST", f"{BASE}/sobjects/Account", json={"Name": "x", "External_Key__c": "a/1 Ü"})
    message = f"duplicate value found: External_Key__c duplicates value on record with id: {key}"
    assert twin.json() == [{"message": message, "errorCode": "DUPLICATE_VALUE", "fields": []}]
    assert raw(sf, "DELETE", path).status_code == 204
    assert sf.Account.upsert("External_Key__c/A%2F1 ü", {"Name": "reborn"}) == 201


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


# -- money


@pytest.mark.parametrize(
    ("written", "shown"),
    [("99999999999999.99", "99999999999999.99"), ("0.1", "0.1"), ("1180", "1180.0"), ("-0.005", "-0.005")],
)
def test_amounts_keep_their_digits(sf: Any, org: Org, written: str, shown: str) -> None:
    key = deal(org)
    path = f"{BASE}/sobjects/Opportunity/{key}"
    body = f'{{"Kashoo_Balance__c": {written}}}'
    assert raw(sf, "PATCH", path, data=body).status_code == 204
    assert f'"Kashoo_Balance__c":{shown}}}' in raw(sf, "GET", f"{path}?fields=Id,Kashoo_Balance__c").text
    [record] = sf.query(
        f"SELECT Kashoo_Balance__c FROM Opportunity WHERE Kashoo_Balance__c = {written} AND Id = '{key}'"
    )["records"]
    assert record["Kashoo_Balance__c"] == Decimal(written)


@pytest.mark.parametrize(
    ("given", "unit", "subtotal", "total"),
    [
        ({"Quantity": 3, "UnitPrice": "33.33"}, "33.33", "99.99", "99.99"),
        ({"Quantity": "2.5", "UnitPrice": "0.61"}, "0.61", "1.53", "1.53"),  # 1.525, half up
        ({"Quantity": 1, "UnitPrice": "0.35", "Discount": 10}, "0.35", "0.35", "0.32"),  # 0.315
        ({"Quantity": 3, "TotalPrice": 100}, "33.33", "99.99", "100.00"),
        ({"Quantity": -2, "UnitPrice": "19.90", "Discount": "33.33"}, "19.90", "-39.80", "-26.53"),
    ],
)
def test_a_line_does_its_arithmetic(
    sf: Any, org: Org, given: dict[str, Any], unit: str, subtotal: str, total: str
) -> None:
    opportunity, entry = deal(org, Amount="5.00"), product(org, "12.34")
    key = org.insert("OpportunityLineItem", {"OpportunityId": opportunity, "PricebookEntryId": entry} | given)
    fields = "UnitPrice, Subtotal, TotalPrice, ListPrice, Name, ProductCode, Product2.Name, CurrencyIsoCode"
    [line] = sf.query(f"SELECT {fields} FROM OpportunityLineItem WHERE Id = '{key}'")["records"]
    prices = [str(Decimal(line[name]).quantize(Decimal("0.01"))) for name in ("UnitPrice", "Subtotal", "TotalPrice")]
    assert prices == [unit, subtotal, total]
    assert (line["ListPrice"], line["Name"], line["ProductCode"]) == (Decimal("12.34"), "Deal Lamp", "L-1")
    assert (line["Product2"]["Name"], line["CurrencyIsoCode"]) == ("Lamp", "USD")
    assert org.get("Opportunity", opportunity)["Amount"] == Decimal(total)


def test_roll_ups_move_the_parent_only_when_they_change(sandbox: Sandbox, org: Org) -> None:
    opportunity, entry = deal(org, Amount="5.00"), product(org)

    def stamped(act: Callable[[], Any]) -> tuple[bool, dict[str, Any]]:
        before = org.get("Opportunity", opportunity)["SystemModstamp"]
        sandbox.clock.advance(10)
        act()
        after = org.get("Opportunity", opportunity)
        return after["SystemModstamp"] > before, after

    new = {"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": "10.00"}
    moved, row = stamped(lambda: org.insert("OpportunityLineItem", new))
    assert (moved, row["Amount"], row["HasOpportunityLineItem"]) == (True, Decimal("20.00"), True)
    assert row["Pricebook2Id"] == org.get("PricebookEntry", entry)["Pricebook2Id"]
    [line] = [r["Id"] for r in org.rows("OpportunityLineItem") if r["OpportunityId"] == opportunity]
    assert not stamped(lambda: org.update("OpportunityLineItem", line, {"Description": "blue"}))[0]
    assert not stamped(lambda: org.update("OpportunityLineItem", line, {"Quantity": 4, "UnitPrice": 5}))[0]
    assert stamped(lambda: org.update("OpportunityLineItem", line, {"Discount": 50}))[1]["Amount"] == Decimal("10.00")
    moved, row = stamped(lambda: org.update("Opportunity", opportunity, {"Amount": 7, "Description": "x"}))
    assert (moved, row["Amount"], row["Description"]) == (True, Decimal("10.00"), "x")
    moved, row = stamped(lambda: org.delete("OpportunityLineItem", line))
    assert (moved, row["HasOpportunityLineItem"]) == (True, False)
    moved, row = stamped(lambda: org.update("Opportunity", opportunity, {"Amount": 7}))
    assert row["Amount"] == 7


def test_lines_must_fit_their_deal(sf: Any, org: Org) -> None:
    opportunity, entry = deal(org), product(org)
    new = {"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 1}

    def add(**changed: Any) -> tuple[int, str]:
        fields = {key: value for key, value in (new | changed).items() if value is not ...}
        return refused(lambda: sf.OpportunityLineItem.create(fields))

    assert add(PricebookEntryId=product(org, currency="EUR")) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert add(PricebookEntryId=product(org, active=False)) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert add(Quantity=0) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert add(TotalPrice=1) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert add(UnitPrice=...) == (400, "REQUIRED_FIELD_MISSING")
    assert add(OpportunityId=...) == (400, "REQUIRED_FIELD_MISSING")
    assert org.get("Opportunity", opportunity)["Pricebook2Id"] is None  # refusals leave nothing behind
    sf.OpportunityLineItem.create(new)
    euro = refused(lambda: sf.Opportunity.update(opportunity, {"CurrencyIsoCode": "EUR"}))
    assert euro == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert refused(lambda: sf.PricebookEntry.delete(entry)) == (400, "DELETE_FAILED")


def test_stages_decide(org: Org) -> None:
    key = deal(org, StageName="Prospecting")

    def state() -> tuple[Any, ...]:
        row = org.get("Opportunity", key)
        return row["IsClosed"], row["IsWon"], row["Probability"]

    assert state() == (False, False, 10)
    org.update("Opportunity", key, {"StageName": "Closed Won"})
    assert state() == (True, True, 100)
    org.update("Opportunity", key, {"StageName": "Closed Lost", "Probability": 5})
    assert state() == (True, False, 5)


def test_an_order_is_locked_once_activated(sf: Any, org: Org) -> None:
    head = {"AccountId": org.insert("Account", {"Name": "Buyer"}), "EffectiveDate": "2026-11-01"}
    assert refused(lambda: sf.Order.create(head | {"Status": "Activated"})) == (400, "FAILED_ACTIVATION")
    key = sf.Order.create(head | {"Status": "Draft"})["id"]
    made = org.get("Order", key)
    assert (made["StatusCode"], made["TotalAmount"], len(made["OrderNumber"])) == ("Draft", 0, 8)
    new = {"OrderId": key, "PricebookEntryId": product(org), "Quantity": "1.5", "UnitPrice": "66.67"}
    item = sf.OrderItem.create(new)["id"]
    assert org.get("Order", key)["TotalAmount"] == Decimal("100.01")
    sf.Order.update(key, {"Status": "Approved"})
    locked = (400, "ENTITY_IS_LOCKED")
    assert org.get("Order", key)["StatusCode"] == "Activated"
    assert refused(lambda: sf.OrderItem.create(new)) == locked
    assert refused(lambda: sf.OrderItem.update(item, {"Quantity": 2})) == locked
    assert refused(lambda: sf.OrderItem.delete(item)) == locked
    assert refused(lambda: sf.Order.delete(key)) == locked
    assert sf.Order.update(key, {"Kashoo_Status__c": "Paid", "Kashoo_Paid__c": "100.01"}) == 204
    sf.Order.update(key, {"Status": "Draft"})
    assert sf.OrderItem.update(item, {"Quantity": 2}) == 204
    assert org.get("Order", key)["TotalAmount"] == Decimal("133.34")


def test_children_follow_their_parent_into_the_bin(sandbox: Sandbox, sf: Any, org: Org) -> None:
    account = org.insert("Account", {"Name": "Doomed"})
    contact = org.insert("Contact", {"LastName": "X", "AccountId": account, "External_Key__c": "X"})
    opportunity = deal(org, AccountId=account)
    line = {"OpportunityId": opportunity, "PricebookEntryId": product(org), "Quantity": 1, "UnitPrice": 1}
    item = org.insert("OpportunityLineItem", line)
    order = org.insert("Order", {"Status": "Draft", "EffectiveDate": "2026-01-01", "BillToContactId": contact})
    sandbox.clock.advance(5)
    sf.Account.delete(account)
    for name, key in (("Contact", contact), ("Opportunity", opportunity), ("OpportunityLineItem", item)):
        query = f"SELECT IsDeleted, SystemModstamp FROM {name} WHERE Id = '{key}'"
        assert sf.query(query)["totalSize"] == 0
        [gone] = sf.query(query, include_deleted=True)["records"]
        assert gone["SystemModstamp"] == f"{sandbox.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
    assert org.get("Order", order)["BillToContactId"] is None
    assert refused(lambda: sf.Contact.create({"LastName": "Y", "AccountId": account})) == (404, "ENTITY_IS_DELETED")
    assert sf.Contact.create({"LastName": "Y", "External_Key__c": "x"})["success"]


# -- collections


def collection(sf: Any, method: str, records: list[dict[str, Any]], path: str = "", **more: Any) -> Any:
    return sf.restful(f"composite/sobjects{path}", method=method, json={"records": records, **more})


def typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind}, **fields}


def test_collections_report_per_record(sf: Any, org: Org) -> None:
    made = collection(
        sf, "POST", [typed("Account", Name="A"), typed("Account"), typed("Contact", LastName="C"), typed("Nope")]
    )
    assert [item["success"] for item in made] == [True, False, True, False]
    assert made[0] == {"id": made[0]["id"], "success": True, "errors": []}
    [error] = made[1]["errors"]
    assert (error["statusCode"], error["fields"]) == ("REQUIRED_FIELD_MISSING", ["Name"])
    assert made[3]["errors"][0]["statusCode"] == "INVALID_TYPE"
    one = made[0]["id"]
    changes = [
        typed("Account", id=one[:15], Name="B"),
        typed("Account", id="001zz0000000001AAA"),
        typed("Account", Name="x"),
    ]
    changed = collection(sf, "PATCH", changes)
    assert changed[0] == {"id": one, "success": True, "errors": []}
    assert [item["errors"][0]["statusCode"] for item in changed[1:]] == [
        "INVALID_CROSS_REFERENCE_KEY",
        "MISSING_ARGUMENT",
    ]
    assert org.get("Account", one)["Name"] == "B"
    gone = sf.restful("composite/sobjects", method="DELETE", params={"ids": f"{one},{one},nope"})
    assert [item["success"] for item in gone] == [True, False, False]
    assert [item["errors"][0]["statusCode"] for item in gone[1:]] == ["ENTITY_IS_DELETED", "MALFORMED_ID"]


def test_all_or_none_leaves_nothing(sf: Any, org: Org) -> None:
    opportunity, entry = deal(org, Amount=5), product(org)
    line = typed("OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=1, UnitPrice=1)
    count = sf.query("SELECT COUNT() FROM Account")["totalSize"]
    mixed = [typed("Account", Name="A", External_Key__c="roll"), line, typed("Account")]
    results = collection(sf, "POST", mixed, allOrNone=True)
    codes = [item["errors"][0]["statusCode"] for item in results]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK"] * 2 + ["REQUIRED_FIELD_MISSING"]
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == count
    assert sf.query(f"SELECT COUNT() FROM OpportunityLineItem WHERE OpportunityId = '{opportunity}'")["totalSize"] == 0
    row = org.get("Opportunity", opportunity)
    assert (row["Amount"], row["HasOpportunityLineItem"], row["Pricebook2Id"]) == (5, False, None)
    assert all(item["success"] for item in collection(sf, "POST", mixed[:2], allOrNone=True))


def test_collection_upsert_and_limit(sf: Any) -> None:
    path = "/Product2/External_Key__c"
    records = [typed("Product2", External_Key__c=f"P{n}", Name=f"P{n}") for n in range(200)]
    assert {item["created"] for item in collection(sf, "PATCH", records, path)} == {True}
    again = collection(sf, "PATCH", [*records[:2], typed("Product2", Name="x"), typed("Account", Name="x")], path)
    assert [item.get("created") for item in again] == [False, False, None, None]
    assert refused(lambda: collection(sf, "PATCH", [*records, records[0]], path)) == (400, "EXCEEDED_ID_LIMIT")
    assert refused(lambda: collection(sf, "PATCH", records, "/Account/Tax_Number__c")) == (404, "NOT_FOUND")
    assert refused(lambda: sf.restful("composite/sobjects", method="POST", json={})) == (400, "INVALID_INPUT")


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
    assert (one.org_id, one.consumer_key, one.consumer_secret) == (same.org_id, same.consumer_key, same.consumer_secret)
    assert one.org_id != other.org_id
    assert one.consumer_secret != other.consumer_secret


def test_ids_carry_their_check_characters() -> None:
    assert check_suffix("001D000000IqhSL") == "IAZ"
    assert to18("001D000000IqhSL") == to18("001D000000IqhSLIAZ") == "001D000000IqhSLIAZ"
    assert to18("001D000000IqhSLIAA") is None
    ids = IdFactory(7)
    made = [ids.next("001") for _ in range(130)]
    assert made == sorted(set(made))

# ruff: noqa: S608 - SOQL made of literals of this file
"""Writing to the simulated Salesforce, record by record and in collections: what is kept, refused and rolled back."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from orgs import BASE, deal, product, raw, refused

from airflow_provider_kashoo.sandbox.salesforce.ids import check_suffix
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.server import Sandbox

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

# ruff: noqa: S608 - SOQL made of literals of this file
"""What belongs to a sale in the simulated Salesforce: amounts to the digit, lines, stages, orders and children."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from orgs import BASE, deal, product, raw, refused

from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox


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

"""Cases, invoices and payments in the simulated Salesforce, upserts by external ids, and the org's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from orgs import deal, refused

from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce.org import Org, OwnRule
from airflow_provider_kashoo.sandbox.server import Sandbox

INVOICES, PAYMENTS = "Kashoo_Invoice__c", "Kashoo_Payment__c"


@pytest.fixture(autouse=True)
def undisturbed(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.org.refuse_nothing()
    sandbox.faults["salesforce"].clear()
    for name in ("Case", INVOICES, PAYMENTS):
        for row in sandbox.org.rows(name):
            sandbox.org.delete(name, row["Id"])


def upsert(sf: Any, sobject: str, *records: dict[str, Any], key: str = "Kashoo_Id__c", **more: Any) -> Any:
    listed = [{"attributes": {"type": sobject}, **fields} for fields in records]
    body = {"allOrNone": False, "records": listed}
    return sf.restful(f"composite/sobjects/{sobject}/{key}", method="PATCH", json=body, **more)


def errors(answer: Any) -> list[str]:
    return [each["errors"][0]["statusCode"] if each["errors"] else "" for each in answer]


# -- cases


def test_a_case_is_numbered_opened_and_closed(sf: Any, org: Org) -> None:
    case = org.get("Case", sf.Case.create({"Subject": "Overpaid"})["id"])
    assert (case["Status"], case["Priority"], case["IsClosed"], case["ClosedDate"]) == ("New", "Medium", False, None)
    assert case["OwnerId"] == org.user_id
    assert refused(lambda: sf.Case.update(case["Id"], {"CaseNumber": "1"})) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    sf.Case.update(case["Id"], {"Status": "Closed"})
    closed = org.get("Case", case["Id"])
    assert (closed["IsClosed"], closed["ClosedDate"]) == (True, closed["SystemModstamp"])
    sf.Case.update(case["Id"], {"Status": "Working"})
    assert org.get("Case", case["Id"])["ClosedDate"] is None
    assert org.get("Case", org.insert("Case", {}))["CaseNumber"] != case["CaseNumber"]


def test_comments_of_a_case_come_and_go_with_it(sf: Any, org: Org) -> None:
    case = org.insert("Case", {"Subject": "Overpaid"})
    comment = {"attributes": {"type": "CaseComment"}, "ParentId": case, "CommentBody": "It is 10.00 too much."}
    [made] = sf.restful("composite/sobjects", method="POST", json={"records": [comment]})
    assert org.get("CaseComment", made["id"])["IsPublished"] is False
    found = sf.query(f"SELECT (SELECT CommentBody FROM CaseComments) FROM Case WHERE Id = '{case}'")  # noqa: S608
    assert found["records"][0]["CaseComments"]["totalSize"] == 1
    unfit = "SELECT Id FROM CaseComment WHERE CommentBody = 'x'"
    assert refused(lambda: sf.query(unfit)) == (400, "INVALID_FIELD")
    org.delete("Case", case)
    assert org.count("CaseComment") == 0


# -- upserts


def test_invoices_and_payments_are_upserted_each_on_its_own(sf: Any, org: Org) -> None:
    invoice = {"Kashoo_Id__c": "7", "Total__c": 10.1}
    [made] = upsert(sf, INVOICES, invoice | {"Opportunity__c": deal(org)})
    assert made == {"id": made["id"], "success": True, "errors": [], "created": True}
    payment = {"Kashoo_Id__c": "p1", "Amount__c": 4, "Kashoo_Invoice__r": {"Kashoo_Id__c": "7"}}
    unknown = {"Kashoo_Id__c": "p2", "Kashoo_Invoice__r": {"Kashoo_Id__c": "8"}}
    answer = upsert(sf, PAYMENTS, payment, unknown, {"Kashoo_Id__c": "p3", "Amount__c": 1})
    assert [each["success"] for each in answer] == [True, False, True]
    [error] = answer[1]["errors"]
    assert error["statusCode"] == "INVALID_FIELD"
    assert error["message"] == "Foreign key external ID: 8 not found for field Kashoo_Id__c in entity Kashoo_Invoice__c"
    assert {row["Kashoo_Id__c"]: row["Kashoo_Invoice__c"] for row in org.rows(PAYMENTS)} == {
        "p1": made["id"],
        "p3": None,
    }
    [again] = upsert(sf, INVOICES, invoice | {"Total__c": 12})
    assert (again["id"], again["created"]) == (made["id"], False)
    assert org.get(INVOICES, made["id"])["Total__c"] == Decimal(12)
    paths = "SELECT Kashoo_Invoice__r.Kashoo_Id__c FROM Kashoo_Payment__c WHERE Kashoo_Id__c = 'p1'"
    assert sf.query(paths)["records"][0]["Kashoo_Invoice__r"]["Kashoo_Id__c"] == "7"


@pytest.mark.parametrize(
    "parent",
    [
        {"Kashoo_Invoice__r": {"Name": "x"}},
        {"Kashoo_Invoice__r": {"Kashoo_Id__c": "7", "Name": "x"}},
        {"Kashoo_Invoice__r": {}},
        {"Invoice__r": {"Kashoo_Id__c": "7"}},
        {"Kashoo_Invoice__r": "7"},
    ],
)
def test_a_parent_is_named_by_one_external_id(sf: Any, org: Org, parent: dict[str, Any]) -> None:
    org.insert(INVOICES, {"Kashoo_Id__c": "7"})
    assert errors(upsert(sf, PAYMENTS, {"Kashoo_Id__c": "p", **parent})) == ["INVALID_FIELD"]
    assert org.count(PAYMENTS) == 0


def test_payments_outlive_their_invoice(org: Org) -> None:
    invoice = org.insert(INVOICES, {"Kashoo_Id__c": "7"})
    payment = org.insert(PAYMENTS, {"Kashoo_Id__c": "p", INVOICES: invoice})
    org.delete(INVOICES, invoice)
    assert org.get(PAYMENTS, payment)[INVOICES] is None


def test_a_locked_row_or_parent_turns_one_record_of_an_upsert_away(sf: Any, sandbox: Sandbox, org: Org) -> None:
    for number in "78":
        org.insert(INVOICES, {"Kashoo_Id__c": number})
    held = org.find(INVOICES, "Kashoo_Id__c", "7")
    assert held
    for _ in range(2):
        sandbox.faults["salesforce"].add(Fault("row_lock", path="/composite/sobjects", records=(held,)))
    both = [{"Kashoo_Id__c": number, "Total__c": 5} for number in "78"]
    assert errors(upsert(sf, INVOICES, *both)) == ["UNABLE_TO_LOCK_ROW", ""]
    of_them = [{"Kashoo_Id__c": f"p{n}", "Kashoo_Invoice__r": {"Kashoo_Id__c": n}} for n in "78"]
    assert errors(upsert(sf, PAYMENTS, *of_them)) == ["UNABLE_TO_LOCK_ROW", ""]
    assert errors(upsert(sf, PAYMENTS, *of_them)) == ["", ""]


# -- rules that an administrator made


@pytest.mark.parametrize(
    ("kind", "code"), [("validation", "FIELD_CUSTOM_VALIDATION_EXCEPTION"), ("duplicate", "DUPLICATES_DETECTED")]
)
def test_a_rule_of_the_org_refuses_each_write_of_its_object(sf: Any, sandbox: Sandbox, kind: str, code: str) -> None:
    org, admin = sandbox.org, sandbox.admin_url
    kept = org.insert(INVOICES, {"Kashoo_Id__c": "7"})
    rule = {"kind": kind, "message": "Closed period.", "field": "Total__c"}
    assert requests.post(f"{admin}/rules/{INVOICES}", json=rule, timeout=5).status_code == 204
    answer = upsert(sf, INVOICES, {"Kashoo_Id__c": "7", "Total__c": 5}, {"Kashoo_Id__c": "8"})
    assert errors(answer) == [code, code]
    assert answer[0]["errors"][0] == {"statusCode": code, "message": "Closed period.", "fields": ["Total__c"]}
    assert [row["Total__c"] for row in org.rows(INVOICES)] == [None]
    assert org.insert(PAYMENTS, {})
    requests.delete(f"{admin}/rules", timeout=5)
    org.update(INVOICES, kept, {"Total__c": 5})


def test_a_snapshot_keeps_the_rules_and_the_room(sandbox: Sandbox, org: Org) -> None:
    org.refuse("Case", OwnRule("validation", "No."))
    kept = sandbox.snapshot()
    org.refuse_nothing()
    requests.post(f"{sandbox.admin_url}/storage-full", timeout=5)
    assert org.storage_full
    sandbox.restore(kept)
    assert (list(org.own_rules), org.storage_full) == (["Case"], False)
    answer = requests.post(f"{sandbox.admin_url}/rules/Case", json={"kind": "other"}, timeout=5)
    assert (answer.status_code, "no kind of rule" in answer.json()["message"]) == (400, True)


def test_the_log_shows_what_a_request_asked_of_salesforce(sf: Any, sandbox: Sandbox) -> None:
    upsert(sf, INVOICES, {"Kashoo_Id__c": "7"}, headers={"Sforce-Auto-Assign": "FALSE"})
    seen = sandbox.logs["salesforce"].entries()[-1]
    assert seen["options"]["sforce-auto-assign"] == "FALSE"

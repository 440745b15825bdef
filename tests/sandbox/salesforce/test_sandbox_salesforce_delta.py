# ruff: noqa: S608 - SOQL made of literals of this file
"""What a complete delta meets: composite reads, replication, late commits, deletes of every kind, merges, formulas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import requests
from orgs import BASE, deal, logged_in, product

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce import replication
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.server import Sandbox

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class World:
    """One sandbox without ports, and a session that is logged in."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0), serve=False)
        self.org = self.sandbox.org
        self.http = logged_in(self.sandbox)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.http.request(method, f"{self.sandbox.salesforce_url}{BASE}{path}", **more)

    def get(self, path: str, **params: str) -> Any:
        return self.call("GET", path, params=params).json()

    def query(self, text: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        found = self.get("/queryAll" if deleted else "/query", q=text)
        assert "records" in found, found
        records: list[dict[str, Any]] = found["records"]
        return records

    def composite(self, *items: tuple[str, str], **more: Any) -> list[dict[str, Any]]:
        requests_ = [{"method": "GET", "url": f"{BASE}{path}", "referenceId": ref} for ref, path in items]
        reply = self.call("POST", "/composite", json={"allOrNone": False, "compositeRequest": requests_, **more})
        assert reply.status_code == 200
        entries: list[dict[str, Any]] = reply.json()["compositeResponse"]
        return entries

    def span(self, kind: str, sobject: str, start: timedelta, end: timedelta = timedelta(minutes=1)) -> Any:
        now = self.org.clock.now()
        return self.get(f"/sobjects/{sobject}/{kind}/", start=(now - start).isoformat(), end=(now + end).isoformat())

    def stamp(self, sobject: str, key: str) -> str:
        return str(self.org.get(sobject, key)["SystemModstamp"])

    def deal(self, **more: Any) -> str:
        return deal(self.org, **more)

    def entry(self) -> str:
        return product(self.org)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def org(world: World) -> Org:
    return world.org


def q(text: str) -> str:
    return f"/query/?q={quote(text)}"


# -- composite


def test_a_composite_request_answers_each_read_on_its_own(world: World, org: Org) -> None:
    for number in range(3):
        org.insert("Account", {"Name": f"A{number}"})
    used = org.api_requests
    entries = world.composite(
        ("a", q("SELECT Name FROM Account ORDER BY Id")),
        ("b", q("SELECT Nope FROM Account")),
        ("c", "/sobjects/Account/describe"),
        ("d", "/limits"),
        ("e", "/sobjects/Nope/describe"),
        ("f", f"/queryAll/?q={quote('SELECT COUNT() FROM Account')}"),
        ("g", f"/sobjects/Account/updated/?start={quote('2026-11-23T01:00:00+00:00')}&end=2026-11-23T02:01:00Z"),
        ("h", "/sobjects/Account/deleted?start=2026-11-23T01:00:00Z&end=2026-11-23T02:01:00Z"),
    )
    assert [entry["referenceId"] for entry in entries] == list("abcdefgh")
    assert [entry["httpStatusCode"] for entry in entries] == [200, 400, 200, 200, 404, 200, 200, 200]
    bodies = {entry["referenceId"]: entry["body"] for entry in entries}
    assert [record["Name"] for record in bodies["a"]["records"]] == ["A0", "A1", "A2"]
    assert [error["errorCode"] for error in bodies["b"]] == ["INVALID_FIELD"]
    assert bodies["c"]["name"] == "Account"
    assert bodies["f"]["totalSize"] == 3
    assert len(bodies["g"]["ids"]) == 3
    assert bodies["h"]["deletedRecords"] == []
    assert all(entry["httpHeaders"] == {} for entry in entries)
    assert org.api_requests == used + 1


def test_a_page_begun_in_a_composite_request_goes_on_by_its_locator(
    world: World, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.sandbox.salesforce.queries.PAGE_ROWS", 200)
    keys = [org.insert("Account", {"Name": "x"}) for _ in range(450)]
    [first] = world.composite(("a", q("SELECT Id FROM Account ORDER BY Id")))
    locator = first["body"]["nextRecordsUrl"].removeprefix(BASE)
    [second] = world.composite(("b", locator))
    third = world.get(second["body"]["nextRecordsUrl"].removeprefix(BASE))
    pages = (first["body"], second["body"], third)
    assert [record["Id"] for page in pages for record in page["records"]] == keys


def test_composite_limits_and_mistakes(world: World) -> None:
    count = q("SELECT COUNT() FROM Account")
    [refused] = world.composite(*((f"q{n}", count) for n in range(6)))
    assert (refused["httpStatusCode"], refused["body"][0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    [refused] = world.composite(*((f"l{n}", "/limits") for n in range(26)))
    assert (refused["httpStatusCode"], refused["referenceId"]) == (400, None)
    assert len(world.composite(*((f"q{n}", count) for n in range(5)), *((f"l{n}", "/limits") for n in range(20)))) == 25
    halted = world.composite(("a", "/limits"), ("b", "/nothing"), allOrNone=True)
    assert [entry["body"][0]["errorCode"] for entry in halted] == ["PROCESSING_HALTED", "NOT_FOUND"]
    wrong = {"method": "GET", "url": f"{BASE}/limits"}
    for items in ([], [wrong], [wrong | {"referenceId": "a"}] * 2, [wrong | {"referenceId": "a b"}], ["x"]):
        reply = world.call("POST", "/composite", json={"compositeRequest": items})
        assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_INPUT")


def test_a_query_times_out_alone_or_within_a_composite_request(world: World) -> None:
    faults = world.sandbox.faults["salesforce"]
    faults.add(Fault("query_timeout", path="/query"))
    reply = world.call("GET", q("SELECT Id FROM Account"))
    message = "Your query request was running for too long."
    assert (reply.status_code, reply.json()) == (400, [{"message": message, "errorCode": "QUERY_TIMEOUT"}])
    faults.add(Fault("query_timeout", path="/composite", records=("b",)))
    count = q("SELECT COUNT() FROM Account")
    entries = world.composite(("a", count), ("b", count))
    assert [entry["httpStatusCode"] for entry in entries] == [200, 400]
    assert entries[1]["body"][0]["errorCode"] == "QUERY_TIMEOUT"
    assert {entry["httpStatusCode"] for entry in world.composite(("a", count), ("b", count))} == {200}


# -- replication


def test_updated_and_deleted_list_a_span_cut_to_minutes(world: World, org: Org) -> None:
    first = org.insert("Account", {"Name": "first"})
    org.clock.advance(90)
    second = org.insert("Account", {"Name": "second"})
    doomed = org.insert("Account", {"Name": "doomed"})
    org.delete("Account", doomed)
    assert set(world.span("updated", "Account", timedelta(minutes=10))["ids"]) == {first, second}
    cut = world.get("/sobjects/Account/updated", start="2026-11-23T02:00:59Z", end="2026-11-23T02:01:59Z")
    assert cut == {"ids": [first], "latestDateCovered": "2026-11-23T02:01:00.000+0000"}
    gone = world.span("deleted", "Account", timedelta(minutes=10))
    assert gone["deletedRecords"] == [{"id": doomed, "deletedDate": "2026-11-23T02:01:30.000+0000"}]
    assert gone["earliestDateAvailable"] == "2026-11-23T02:01:30.000+0000"
    assert gone["latestDateCovered"] == "2026-11-23T02:01:30.000+0000"


@pytest.mark.parametrize(
    ("kind", "start", "end", "code"),
    [
        ("updated", "2026-11-23T01:00:00Z", "2026-11-23T01:00:59Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-11-23T01:00:00Z", "2026-11-23T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-10-23T00:00:00Z", "2026-11-23T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-10-25T00:00:00Z", "2026-11-23T00:00:00Z", ""),
        ("deleted", "2026-11-07T00:00:00Z", "2026-11-23T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("deleted", "2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z", ""),
        ("deleted", "", "2026-11-23T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("deleted", "2026-11-22T00:00:00", "2026-11-23T00:00:00Z", "INVALID_REPLICATION_DATE"),
    ],
)
def test_spans_that_replication_refuses(world: World, kind: str, start: str, end: str, code: str) -> None:
    reply = world.call("GET", f"/sobjects/Account/{kind}", params={"start": start, "end": end})
    assert reply.status_code == (400 if code else 200)
    assert not code or reply.json()[0]["errorCode"] == code


def test_too_many_ids_are_refused(world: World, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "MAX_IDS", 1)
    org.insert("Account", {"Name": "one"})
    assert len(world.span("updated", "Account", timedelta(hours=1))["ids"]) == 1
    org.insert("Account", {"Name": "two"})
    assert world.span("updated", "Account", timedelta(hours=1))[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


def test_settings_have_no_stamp_and_are_not_replicated(world: World, org: Org) -> None:
    key = org.insert("Billing_Setting__c", {"Name": "rate", "Value__c": "5"})
    told = world.get("/sobjects/Billing_Setting__c/describe")
    assert "SystemModstamp" not in {item["name"] for item in told["fields"]}
    assert (told["replicateable"], told["undeletable"], told["custom"]) == (False, False, True)
    assert world.query("SELECT Value__c FROM Billing_Setting__c")[0]["Value__c"] == "5"
    wrong = world.get("/query", q="SELECT Id FROM Billing_Setting__c WHERE SystemModstamp > 2026-01-01T00:00:00Z")
    assert wrong[0]["errorCode"] == "INVALID_FIELD"
    refused = world.span("updated", "Billing_Setting__c", timedelta(hours=1))
    assert refused[0]["errorCode"] == "INVALID_TYPE_FOR_OPERATION"
    org.delete("Billing_Setting__c", key)
    assert world.query("SELECT Id FROM Billing_Setting__c", deleted=True) == []


# -- transactions held open


def test_a_late_commit_shows_rows_older_than_what_was_read(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "before"})
    org.clock.advance(60)
    tx = org.hold()
    slow = tx.insert("Account", {"Name": "slow"})
    tx.update("Account", account, {"Name": "after"})
    opened = org.clock.now()
    org.clock.advance(120)
    quick = org.insert("Account", {"Name": "quick"})
    seen = "SELECT Id, Name, SystemModstamp FROM Account ORDER BY SystemModstamp"
    assert [row["Name"] for row in world.query(seen, deleted=True)] == ["before", "quick"]
    covered = world.span("updated", "Account", timedelta(hours=1))
    assert covered["latestDateCovered"] == f"{opened:%Y-%m-%dT%H:%M:%S}.000+0000"
    assert slow not in covered["ids"]
    assert tx.run(lambda: org.get("Account", slow))["Name"] == "slow"
    tx.commit()
    rows = world.query(f"{seen}, Id")
    assert [(row["Id"], row["Name"]) for row in rows] == [(account, "after"), (slow, "slow"), (quick, "quick")]
    assert {row["SystemModstamp"] for row in rows[:2]} == {f"{opened:%Y-%m-%dT%H:%M:%S}.000+0000"}
    now = world.span("updated", "Account", timedelta(hours=1))
    assert now["latestDateCovered"] == f"{org.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"


def test_held_rows_are_locked_and_a_block_that_fails_leaves_nothing(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "x"})
    with org.hold() as tx:
        tx.update("Account", account, {"Name": "held"})
        with pytest.raises(SalesforceError, match="UNABLE_TO_LOCK_ROW"):
            org.update("Account", account, {"Name": "other"})
        with pytest.raises(SalesforceError, match="REQUIRED_FIELD_MISSING"):
            tx.insert("Account", {})
        assert org.get("Account", account)["Name"] == "x"
    assert org.get("Account", account)["Name"] == "held"

    def fail() -> None:
        with org.hold() as failing:
            failing.delete("Account", account)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert org.get("Account", account)["Name"] == "held"
    with pytest.raises(SalesforceError, match="not open"):
        tx.commit()
    assert org.writes.oldest() is None


def test_lines_written_in_a_held_transaction_bring_their_parent(world: World, org: Org) -> None:
    deal, entry = world.deal(Amount="5.00"), world.entry()
    line = {"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": "10.00"}
    tx = org.hold()
    tx.insert("OpportunityLineItem", line)
    tx.insert("OpportunityLineItem", line)
    assert (org.get("Opportunity", deal)["Amount"], org.count("OpportunityLineItem")) == (Decimal("5.00"), 0)
    tx.commit()
    assert (org.get("Opportunity", deal)["Amount"], org.count("OpportunityLineItem")) == (Decimal("40.00"), 2)


def test_a_snapshot_keeps_what_is_held_buried_and_hidden(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "x"})
    org.purge("Account", org.insert("Account", {"Name": "gone"}))
    org.remove_field("Account", "Phone")
    tx = org.hold()
    tx.update("Account", account, {"Name": "held"})
    kept = world.sandbox.snapshot()
    for _ in range(2):
        tx.commit()
        org.grant("Account", "Phone")
        org.hold().insert("Account", {"Name": "another"})
        assert org.get("Account", account)["Name"] == "held"
        world.sandbox.restore(kept)
        assert org.get("Account", account)["Name"] == "x"
        assert len(org.writes.held) == 1
        assert "Phone" not in org.get("Account", account)
        assert len(world.span("deleted", "Account", timedelta(minutes=5))["deletedRecords"]) == 1


# -- the bin, and what is gone for good


def test_deleted_undeleted_and_gone_for_good(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "x"})
    deal = world.deal(AccountId=account)
    line = org.insert(
        "OpportunityLineItem", {"OpportunityId": deal, "PricebookEntryId": world.entry(), "Quantity": 1, "UnitPrice": 7}
    )
    lost = world.deal(AccountId=account, Name="lost before")
    org.delete("Opportunity", lost)
    org.clock.advance(60)
    org.delete("Account", account)
    where = f"SELECT IsDeleted, SystemModstamp FROM Opportunity WHERE Id = '{deal}'"
    assert [row["IsDeleted"] for row in world.query(where, deleted=True)] == [True]
    org.clock.advance(60)
    org.undelete("Account", account)
    stamp = f"{org.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
    assert world.stamp("Account", account) == world.stamp("Opportunity", deal) == stamp
    assert world.stamp("OpportunityLineItem", line) == stamp
    assert org.get("Opportunity", deal)["Amount"] == 7
    assert [row["Id"] for row in world.query("SELECT Id FROM Opportunity")] == [deal]
    assert world.span("deleted", "Account", timedelta(hours=1))["deletedRecords"] == []
    with pytest.raises(SalesforceError, match="UNDELETE_FAILED"):
        org.undelete("Account", account)
    org.delete("Opportunity", deal)
    assert org.empty_recycle_bin() == 3
    assert [row["Id"] for row in world.query("SELECT Id FROM Opportunity", deleted=True)] == []
    assert world.call("GET", f"/sobjects/Opportunity/{deal}").status_code == 404
    gone = world.span("deleted", "Opportunity", timedelta(hours=1))["deletedRecords"]
    assert {record["id"] for record in gone} == {deal, lost}
    org.clock.advance(timedelta(days=15, hours=1).total_seconds())
    now = org.clock.now()
    opportunity = org.schema.objects["Opportunity"]
    late = replication.deleted(org, opportunity, (now - timedelta(days=15)).isoformat(), now.isoformat())
    assert late["deletedRecords"] == []


def test_a_line_is_purged_and_its_deal_told(world: World, org: Org) -> None:
    deal, entry = world.deal(), world.entry()
    line = {"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 7}
    keys = [org.insert("OpportunityLineItem", line) for _ in range(2)]
    org.clock.advance(60)
    org.purge("OpportunityLineItem", keys[0])
    assert [row["Id"] for row in world.query("SELECT Id FROM OpportunityLineItem", deleted=True)] == keys[1:]
    assert org.get("Opportunity", deal)["Amount"] == 7
    assert world.stamp("Opportunity", deal) == f"{org.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
    [gone] = world.span("deleted", "OpportunityLineItem", timedelta(hours=1))["deletedRecords"]
    assert gone["id"] == keys[0]


@pytest.mark.parametrize(("prices", "moves"), [(("12.00", "8.00"), False), (("12.00", "9.00"), True), ((), True)])
def test_a_synced_quote_replaces_lines_without_a_trace(
    world: World, org: Org, prices: tuple[str, ...], moves: bool
) -> None:
    deal, entry = world.deal(), world.entry()
    line = {"PricebookEntryId": entry, "Quantity": 1}
    old = [org.insert("OpportunityLineItem", line | {"OpportunityId": deal, "UnitPrice": "10.00"}) for _ in range(2)]
    before = world.stamp("Opportunity", deal)
    org.clock.advance(60)
    new = org.sync_quote(deal, [line | {"UnitPrice": price} for price in prices], logged=bool(moves))
    rows = world.query("SELECT Id FROM OpportunityLineItem ORDER BY Id", deleted=True)
    assert [row["Id"] for row in rows] == new
    assert (world.stamp("Opportunity", deal) > before) is moves
    assert org.get("Opportunity", deal)["Amount"] == (sum(map(Decimal, prices)) or Decimal("20.00"))
    gone = world.span("deleted", "OpportunityLineItem", timedelta(hours=1))["deletedRecords"]
    assert [record["id"] for record in gone] == (old if moves else [])


# -- merges


def test_a_merge_moves_the_children_and_names_the_master(world: World, org: Org) -> None:
    kept, lost = (org.insert("Account", {"Name": name}) for name in ("kept", "lost"))
    child = org.insert("Account", {"Name": "branch", "ParentId": lost})
    contact = org.insert("Contact", {"LastName": "X", "AccountId": lost})
    deal = world.deal(AccountId=lost)
    order = org.insert("Order", {"AccountId": lost, "Status": "Draft", "EffectiveDate": "2026-11-01"})
    org.clock.advance(60)
    org.merge("Account", kept, [lost])
    now = f"{org.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
    for name, key in (("Contact", contact), ("Opportunity", deal), ("Order", order)):
        assert org.get(name, key)["AccountId"] == kept
        assert world.stamp(name, key) == now
    assert org.get("Account", child)["ParentId"] == kept
    assert world.stamp("Account", kept) == now
    [row] = world.query("SELECT IsDeleted, MasterRecordId FROM Account WHERE MasterRecordId != null", deleted=True)
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, kept)
    assert lost in {record["id"] for record in world.span("deleted", "Account", timedelta(hours=1))["deletedRecords"]}
    assert "MasterRecordId" in {item["name"] for item in world.get("/sobjects/Account/describe")["fields"]}
    org.undelete("Account", lost)
    assert org.get("Account", lost)["MasterRecordId"] is None
    assert org.get("Opportunity", deal)["AccountId"] == kept
    with pytest.raises(SalesforceError, match="itself"):
        org.merge("Account", kept, [kept])
    with pytest.raises(SalesforceError, match="can not be merged"):
        org.merge("Order", order, [order])


# -- formulas


def test_formulas_change_without_a_stamp(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "x", "Payment_Terms__c": 30})
    deal = world.deal(AccountId=account)
    text = "SELECT Account_Terms__c, Days_Since_Close__c, SystemModstamp FROM Opportunity"
    [before] = world.query(text)
    assert (before["Account_Terms__c"], before["Days_Since_Close__c"]) == (30, 3)
    org.update("Account", account, {"Payment_Terms__c": 14})
    org.clock.advance(7000)
    [after] = world.query(f"{text} WHERE Account_Terms__c = 14 ORDER BY Days_Since_Close__c")
    assert after["SystemModstamp"] == before["SystemModstamp"]
    assert world.get(f"/sobjects/Opportunity/{deal}")["Account_Terms__c"] == 14
    assert org.get("Opportunity", deal)["Account_Terms__c"] == 14
    fields = {item["name"]: item for item in world.get("/sobjects/Opportunity/describe")["fields"]}
    formula = fields["Account_Terms__c"]
    assert (formula["calculated"], formula["createable"], formula["updateable"]) == (True, False, False)
    assert not fields["Amount"]["calculated"]
    with pytest.raises(SalesforceError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        org.update("Opportunity", deal, {"Account_Terms__c": 1})


# -- what the user may not see any more


def test_a_field_that_is_gone_is_unknown_everywhere(world: World, org: Org) -> None:
    account = org.insert("Account", {"Name": "x", "Phone": "1"})
    org.remove_field("Account", "Phone")
    assert "Phone" not in {item["name"] for item in world.get("/sobjects/Account/describe")["fields"]}
    assert world.get("/query", q="SELECT Phone FROM Account")[0]["errorCode"] == "INVALID_FIELD"
    assert "Phone" not in world.get(f"/sobjects/Account/{account}")
    reply = world.call("PATCH", f"/sobjects/Account/{account}", json={"Phone": "2"})
    assert reply.json()[0]["errorCode"] == "INVALID_FIELD"
    org.insert("Account", {"Name": "y"})
    org.grant("Account", "Phone")
    assert [row["Phone"] for row in world.query("SELECT Phone FROM Account ORDER BY Name")] == ["1", None]


def test_an_object_without_permission_is_not_there(world: World, org: Org) -> None:
    world.deal(AccountId=org.insert("Account", {"Name": "x"}))
    org.revoke("Account")
    assert world.call("GET", "/sobjects/Account/describe").status_code == 404
    assert "Account" not in {item["name"] for item in world.get("/sobjects")["sobjects"]}
    assert world.get("/query", q="SELECT Id FROM Account")[0]["errorCode"] == "INVALID_TYPE"
    assert world.get("/query", q="SELECT Account.Name FROM Opportunity")[0]["errorCode"] == "INVALID_FIELD"
    org.revoke("Opportunity")
    org.grant("Account")
    children = world.get("/query", q="SELECT Id, (SELECT Id FROM Opportunities) FROM Account")
    assert children[0]["errorCode"] == "INVALID_TYPE"
    assert world.sandbox.state()["salesforce"]["Account"] == 1


# -- the admin API


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0)) as running:
        yield running


def test_the_admin_api_does_it_all_over_http(served: Sandbox) -> None:
    org = served.org

    def admin(method: str, path: str, **more: Any) -> Any:
        reply = requests.request(method, f"{served.admin_url}{path}", timeout=5, **more)
        return reply.json() if reply.content else reply.status_code

    kept = admin("POST", "/salesforce/Account", json={"Name": "kept"})["Id"]
    number = admin("POST", "/transactions")["transaction"]
    held = admin("POST", f"/salesforce/Account?transaction={number}", json={"Name": "held"})["Id"]
    assert org.count("Account") == 1
    assert admin("POST", f"/transactions/{number}/commit") == 204
    assert org.count("Account") == 2
    assert admin("POST", f"/salesforce/Account/{kept}/merge", json={"losers": [held]})["Name"] == "kept"
    assert admin("POST", f"/salesforce/Account/{held}/undelete")["MasterRecordId"] is None
    assert admin("DELETE", f"/salesforce/Account/{held}?hard=true") == 204
    assert [row["Id"] for row in org.rows("Account", deleted=True)] == [kept]
    other = admin("POST", "/transactions")["transaction"]
    admin("PATCH", f"/salesforce/Account/{kept}?transaction={other}", json={"Name": "never"})
    assert admin("DELETE", f"/transactions/{other}") == 204
    assert org.get("Account", kept)["Name"] == "kept"
    admin("DELETE", f"/salesforce/Account/{kept}")
    assert admin("DELETE", "/recycle-bin") == {"purged": 1}
    assert admin("DELETE", "/visible/Account/Phone") == 204
    assert "phone" not in org.schema.objects["Account"].lower
    assert admin("POST", "/visible/Account/Phone") == 204
    assert admin("DELETE", "/visible/Account") == 204
    assert org.schema.find("Account") is None
    assert admin("DELETE", "/visible/Nope") == {"message": "the org has no Nope"}

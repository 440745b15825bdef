"""Our Salesforce client against the simulated org over HTTPS, logged in by simple-salesforce as the provider does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from org_client import MOCK_TOKEN, MOCKED, PRIVATE, START, slept

from airflow_provider_kashoo.clients.describe import from_json, is_current, to_json
from airflow_provider_kashoo.clients.transport import READ_ATTEMPTS
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.sandbox.salesforce import queries
from airflow_provider_kashoo.sandbox.server import Sandbox

QUERY = f"{MOCKED}/services/data/v67.0/query/"


@pytest.fixture
def deal(sandbox: Sandbox) -> Callable[..., str]:
    def make(**fields: Any) -> str:
        opened = {"Name": PRIVATE, "StageName": "Closed Won", "CloseDate": "2026-11-01", "CurrencyIsoCode": "USD"}
        return sandbox.org.insert("Opportunity", opened | fields)

    return make


def seen(sandbox: Sandbox, start: int) -> list[tuple[str, int]]:
    entries = sandbox.logs["salesforce"].entries()[start:]
    return [(each["path"].rstrip("/").rpartition("/")[2], each["status"]) for each in entries]


# -- reading


def test_a_query_is_read_to_its_last_page_each_record_once(client, sandbox, monkeypatch) -> None:
    monkeypatch.setattr(queries, "PAGE_ROWS", 200)
    made = [sandbox.org.insert("Account", {"Name": f"Firm {n}"}) for n in range(401)]
    start = sandbox.logs["salesforce"].total
    found = [row["Id"] for row in client.query("SELECT Id FROM Account WHERE Name LIKE 'Firm %' ORDER BY Id")]
    assert found == sorted(made)
    assert [status for path, status in seen(sandbox, start) if path != "token"] == [200, 200, 200]


@pytest.mark.parametrize("amount", ["0.1", "1234567890123456.78", "100.00", "-0.01"])
def test_amounts_are_exact_decimals_and_never_floats(client, deal, amount) -> None:
    ident = deal(Amount=Decimal(amount))
    [row] = client.query(f"SELECT Amount, IsWon, CloseDate FROM Opportunity WHERE Id = '{ident}'")  # noqa: S608
    assert (row["Amount"], type(row["Amount"])) == (Decimal(amount), Decimal)
    assert (row["IsWon"], row["CloseDate"]) == (True, "2026-11-01")


def test_deleted_records_are_seen_only_when_asked_for(client, sandbox, deal) -> None:
    ident = deal()
    sandbox.org.delete("Opportunity", ident)
    text = f"SELECT Id, IsDeleted FROM Opportunity WHERE Id = '{ident}'"  # noqa: S608
    assert list(client.query(text)) == []
    assert [row["IsDeleted"] for row in client.query(text, deleted=True)] == [True]


def test_fewer_records_than_counted_are_no_answer(mocked, requests_mock, raises) -> None:
    requests_mock.get(QUERY, json={"totalSize": 2, "done": True, "records": [{"Id": PRIVATE}]})
    with raises(UnreachableError, "counted 2 records but sent 1"):
        list(mocked.query("SELECT Id FROM Account"))


def test_describe_tells_types_references_and_children_and_is_read_once(client, sandbox) -> None:
    found = client.describe("Opportunity")
    start = sandbox.logs["salesforce"].total
    assert client.describe("Opportunity") is found
    assert seen(sandbox, start) == []
    amount, account = found.fields["Amount"], found.fields["AccountId"]
    assert (amount.type, amount.scale, amount.formula, amount.updateable) == ("currency", 2, False, True)
    assert (account.type, account.reference_to, account.relationship) == ("reference", ("Account",), "Account")
    assert (found.fields["IsWon"].updateable, found.fields["Kashoo_Invoice__c"].length) == (False, 40)
    assert found.children["OpportunityLineItems"] == ("OpportunityLineItem", "OpportunityId")


def test_describe_tells_the_key_prefix_and_what_was_kept_without_it_is_read_again(client, sandbox) -> None:
    prefixes = {name: client.describe(name).key_prefix for name in ("Account", "Contact", "Billing_Setting__c")}
    assert prefixes == {"Account": "001", "Contact": "003", "Billing_Setting__c": "a00"}
    kept = json.loads(json.dumps(client.described()))
    del kept["Contact"]["key_prefix"]
    account, contact = client.describe("Account"), client.describe("Contact")
    start = sandbox.logs["salesforce"].total
    client._described = {}
    client.recall(kept)
    assert (client.describe("Account"), client.describe("Contact")) == (account, contact)
    assert seen(sandbox, start) == [("describe", 200)]


def test_the_organization_tells_its_id_and_its_own_currency(client, sandbox) -> None:
    found = client.organization()
    assert (found.id, found.currency) == (sandbox.org.org_id, "USD")
    assert found.name
    sandbox.org.remove_field("Organization", "DefaultCurrencyIsoCode")
    try:
        assert client.organization().currency is None  # an org that does not say: nothing is guessed
    finally:
        sandbox.org.grant("Organization", "DefaultCurrencyIsoCode")


def test_the_time_is_the_servers(client, sandbox) -> None:
    assert client.now() == sandbox.clock.now().replace(microsecond=0)
    assert client.now().tzinfo is UTC


def test_the_clock_tells_up_to_when_changes_are_visible_and_what_is_gone(client, sandbox, deal) -> None:
    ident = deal()
    sandbox.clock.advance(120)
    begun = sandbox.clock.now()
    sandbox.org.purge("Opportunity", ident)
    with sandbox.org.hold() as held:
        held.insert("Account", {"Name": "slow"})
        sandbox.clock.advance(3600)
        seen_then = client.clock("Opportunity", begun - timedelta(minutes=5))
    assert seen_then.covered <= begun + timedelta(seconds=1)
    assert seen_then.now == sandbox.clock.now().replace(microsecond=0)
    assert ident in seen_then.gone
    assert client.clock("Opportunity").gone == frozenset()
    assert client.clock("Opportunity").covered > seen_then.covered
    assert client.clock("Billing_Setting__c").covered is None  # an object that cannot tell


def test_a_worker_whose_clock_is_months_off_asks_again_by_the_servers(client, sandbox, monkeypatch) -> None:
    client.describe("Opportunity")
    client._server_time = None

    class Wrong(datetime):
        @classmethod
        def now(cls, _: Any = None) -> datetime:
            return START - timedelta(days=90)

    monkeypatch.setattr("airflow_provider_kashoo.clients.salesforce.datetime", Wrong)
    assert client.clock("Opportunity").now == sandbox.clock.now().replace(microsecond=0)


def test_five_queries_share_a_request_and_the_sixth_is_another(client, sandbox) -> None:
    client.now()
    start = sandbox.logs["salesforce"].total
    found = list(client.queries(["SELECT Id FROM Order"] * 6))
    assert [each.total for each in found] == [0] * 6
    assert seen(sandbox, start) == [("composite", 200)] * 2


# -- updating


def test_each_record_of_an_update_succeeds_or_fails_by_itself(client, sandbox, deal) -> None:
    good, bad, gone, last = deal(), deal(), deal(), deal()
    sandbox.org.delete("Opportunity", gone)
    told = {"Kashoo_Balance__c": Decimal("10.10"), "Kashoo_Status__c": "Partly Paid", "Kashoo_Last_Payment__c": None}
    records = [
        ("Opportunity", {"Id": good, **told}),
        ("Opportunity", {"Id": bad, **told, "Kashoo_Status__c": PRIVATE}),
        ("Opportunity", {"Id": gone, **told}),
        ("Opportunity", {"Id": last, "Kashoo_Invoice__c": "1001"}),
    ]
    start = sandbox.logs["salesforce"].total
    first, second, third, fourth = client.update(records)
    assert (first, fourth) == (None, None)
    assert second.error_class == "invalid_or_null_for_restricted_picklist"
    assert "Kashoo_Status__c" in second.cause
    assert PRIVATE not in second.unquoted
    assert third.error_class == "entity_is_deleted"
    stored = [sandbox.org.get("Opportunity", ident) for ident in (good, bad, last)]
    assert [row["Kashoo_Balance__c"] for row in stored] == [Decimal("10.10"), None, None]
    assert [row["Kashoo_Invoice__c"] for row in stored] == [None, None, "1001"]
    assert [status for path, status in seen(sandbox, start) if path == "sobjects"] == [200]


def test_records_of_two_objects_may_come_in_any_order_and_each_is_told_its_own(client, sandbox, deal) -> None:
    accounts = [sandbox.org.insert("Account", {"Name": f"Firm {number}"}) for number in range(8)]
    sandbox.org.delete("Account", accounts[3])
    records = [
        each
        for account in accounts
        for each in (("Opportunity", {"Id": deal(), "Description": "new"}), ("Account", {"Id": account, "Name": "new"}))
    ]
    problems = client.update(records)
    assert [number for number, problem in enumerate(problems) if problem] == [7]
    assert problems[7].error_class == "entity_is_deleted"


def test_an_amount_that_json_would_bend_is_refused_before_it_leaves(client, sandbox) -> None:
    client.now()
    start = sandbox.logs["salesforce"].total
    with pytest.raises(ValueError, match="more digits than JSON represents"):
        client.update([("Opportunity", {"Id": "006000000000001AAA", "Amount": Decimal("1234567890123456.78")})])
    assert seen(sandbox, start) == []


# -- sessions


def test_an_expired_session_logs_in_once_more(client, sandbox, secrets) -> None:
    client.now()
    sandbox.clock.advance(2 * 3600 + 1)
    start = sandbox.logs["salesforce"].total
    assert client.now() == sandbox.clock.now().replace(microsecond=0)
    assert seen(sandbox, start) == [("limits", 401), ("token", 200), ("limits", 200)]
    assert len(secrets) == len({*secrets}) == 5  # two different tokens, neither of them logged


def test_a_session_refused_when_fresh_is_a_matter_of_the_set_up(mocked, requests_mock, raises) -> None:
    expired = [{"errorCode": "INVALID_SESSION_ID", "message": f"Session {MOCK_TOKEN} expired"}]
    requests_mock.get(QUERY, status_code=401, json=expired)
    with raises(ConfigurationError, "allowed the login, and then refused its session"):
        list(mocked.query("SELECT Id FROM Account"))
    assert (requests_mock.call_count, slept) == (2, [])


# -- refusals


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SELECT Id, Margin__c FROM Opportunity", "Margin__c"),
        ("SELECT Id, Account.Tier__c FROM Opportunity", "Tier__c"),
        ("SELECT Id FROM Opportunities", "Opportunities"),
    ],
)
def test_a_name_that_salesforce_does_not_know_is_named_in_one_line(client, raises, text, name) -> None:
    with raises(ConfigurationError, "INVALID_(FIELD|TYPE)") as caught:
        list(client.query(text))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert slept == []


def refusal(status: int, code: str, message: str = PRIVATE) -> dict[str, Any]:
    return {"status_code": status, "json": [{"errorCode": code, "message": message}]}


WITH_QUERY = f"""
SELECT Foo__c FROM Account WHERE Name = '{PRIVATE}'
       ^
ERROR at Row:1:Column:8
No such column 'Foo__c' on entity 'Account'."""  # noqa: S608


@pytest.mark.parametrize(
    ("answer", "kind", "says", "tries"),
    [
        (refusal(400, "INVALID_FIELD", WITH_QUERY), ConfigurationError, "INVALID_FIELD, No such column 'Foo__c'", 1),
        (refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), UnreachableError, "daily", 1),
        (refusal(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."), UnreachableError, "403", 4),
        (
            refusal(403, "INSUFFICIENT_ACCESS"),
            ConfigurationError,
            "lacks a permission in Salesforce \\(403 INSUFFICIENT_ACCESS\\)",
            1,
        ),
        (refusal(403, "API_DISABLED_FOR_ORG"), ConfigurationError, "403 API_DISABLED_FOR_ORG.*API Enabled", 1),
        (refusal(403, "API_CURRENTLY_DISABLED"), ConfigurationError, "403 API_CURRENTLY_DISABLED.*API Enabled", 1),
        (refusal(403, "FUNCTIONALITY_NOT_ENABLED"), ConfigurationError, "does not have a feature", 1),
        (
            refusal(400, "INVALID_TYPE", "sObject type 'X' is not supported."),
            ConfigurationError,
            "Correct the object",
            1,
        ),
        (refusal(400, "EXCEEDED_ID_LIMIT"), ConfigurationError, "400 EXCEEDED_ID_LIMIT", 1),
        (refusal(500, "UNKNOWN_EXCEPTION"), UnreachableError, "500", READ_ATTEMPTS),
        (refusal(400, "UNABLE_TO_LOCK_ROW"), UnreachableError, "UNABLE_TO_LOCK_ROW", READ_ATTEMPTS),
        ({"status_code": 503, "text": f"<html>{PRIVATE}</html>"}, UnreachableError, "503", READ_ATTEMPTS),
        ({"status_code": 302, "text": PRIVATE}, ConfigurationError, "302", 1),
        ({"status_code": 200, "text": f"<html>{PRIVATE}</html>"}, UnreachableError, "not JSON", 1),
        ({"exc": requests.ConnectTimeout(PRIVATE)}, UnreachableError, "ConnectTimeout", READ_ATTEMPTS),
        ({"exc": requests.ConnectionError(PRIVATE)}, UnreachableError, "cannot be reached", READ_ATTEMPTS),
    ],
)
def test_each_refusal_stops_or_is_tried_again_as_it_deserves(
    mocked, requests_mock, raises, answer, kind, says, tries
) -> None:
    requests_mock.get(QUERY, [answer])
    with raises(kind, says):
        list(mocked.query("SELECT Id FROM Account"))
    assert (requests_mock.call_count, len(slept)) == (tries, tries - 1)


@pytest.mark.parametrize("answer", [{"exc": requests.ReadTimeout}, {"status_code": 200, "text": "<html/>"}])
def test_an_update_without_an_answer_does_not_say_that_nothing_was_written(
    mocked, raises, requests_mock, answer
) -> None:
    requests_mock.patch(f"{MOCKED}/services/data/v67.0/composite/sobjects", [answer])
    with raises(UnreachableError, "may have been written") as caught:
        mocked.update([("Opportunity", {"Id": "006000000000001AAA"})])
    assert "Nothing was written" not in str(caught.value)


def test_an_update_that_was_not_served_is_sent_again_because_it_goes_by_id(mocked, requests_mock) -> None:
    done = {"json": [{"id": "006000000000001AAA", "success": True, "errors": []}]}
    requests_mock.patch(
        f"{MOCKED}/services/data/v67.0/composite/sobjects", [{"exc": requests.ReadTimeout}, {"status_code": 502}, done]
    )
    assert mocked.update([("Opportunity", {"Id": "006000000000001AAA", "Kashoo_Paid__c": Decimal("10.10")})]) == [None]
    bodies = [request.json() for request in requests_mock.request_history]
    assert len(bodies) == 3
    assert bodies[0] == bodies[2] == {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Opportunity"}, "Id": "006000000000001AAA", "Kashoo_Paid__c": 10.1}],
    }  # fmt: skip


def test_what_a_parser_says_of_one_record_names_its_field(mocked, requests_mock, raises) -> None:
    """A value may hold what looks like a key, and the place that is named lies behind the value."""
    records = [
        ("Opportunity", {"Id": "006000000000001AAA", "Memo__c": 'say "Not__c": 5', "Paid__c": "x", "Last__c": 1})
    ]
    at = len('{"allOrNone": false, "records": [{"attributes": {"type": "Opportunity"}, "Id": "006000000000001AAA", ')
    at += len('"Memo__c": "say \\"Not__c\\": 5", "Paid__c": "x"')
    said = f"Cannot deserialize instance of currency from VALUE_STRING value x at [line:1, column:{at}]"
    requests_mock.patch(f"{MOCKED}/services/data/v67.0/composite/sobjects", **refusal(400, "JSON_PARSER_ERROR", said))
    [problem] = mocked.update(records)
    assert problem.cause == f"Salesforce refused the record: JSON_PARSER_ERROR for Paid__c: {said}"
    with raises(ConfigurationError, "400 JSON_PARSER_ERROR"):
        mocked.update(records * 2)


def test_a_describe_of_an_older_version_is_read_again(client) -> None:
    kept = json.loads(json.dumps({"Contact": to_json(client.describe("Contact"))}))
    assert is_current(kept["Contact"])
    del kept["Contact"]["fields"]["Email"]["restricted"]
    assert not is_current(kept["Contact"])


def test_describe_tells_what_a_field_takes(client) -> None:
    fields = client.describe("Opportunity").fields
    status = fields["Kashoo_Status__c"]
    assert status.values == ("Open", "Partly Paid", "Paid", "Overpaid", "Refunded", "Void")
    assert (status.restricted, status.required, fields["Name"].required) == (True, False, True)
    assert (fields["Amount"].precision, fields["Amount"].scale, fields["IsWon"].required) == (18, 2, True)
    assert from_json(to_json(client.describe("Opportunity"))) == client.describe("Opportunity")

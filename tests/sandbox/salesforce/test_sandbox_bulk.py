"""Query jobs of the simulated Bulk API 2.0."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import requests
from orgs import BASE, logged_in
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce import bulk
from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Client:
    """A session that is logged in to a sandbox without ports."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.org = sandbox, sandbox.org
        self.http = logged_in(sandbox)

    def call(self, method: str, path: str, *, base: str = BASE, **more: Any) -> requests.Response:
        return self.http.request(method, f"{self.sandbox.salesforce_url}{base}/jobs/query{path}", **more)

    def create(self, query: str, operation: str = "query", **more: str) -> requests.Response:
        return self.call("POST", "", json={"operation": operation, "query": query, **more})

    def done(self, query: str, operation: str = "query", **more: str) -> str:
        key = str(self.create(query, operation, **more).json()["id"])
        states = [self.call("GET", f"/{key}").json()["state"] for _ in range(2)]
        assert states == ["InProgress", "JobComplete"]
        return key

    def page(self, key: str, **params: Any) -> requests.Response:
        return self.call("GET", f"/{key}/results", params=params)


@pytest.fixture
def client() -> Client:
    return Client(Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0), serve=False))


@pytest.fixture
def org(client: Client) -> Org:
    return client.org


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def error(reply: requests.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()[0]["errorCode"]


def test_a_job_goes_its_way_and_its_pages_are_csv(client: Client, org: Org) -> None:
    account = org.insert("Account", {"Name": 'Ä "quoted", Ltd\nsecond line', "Payment_Terms__c": 30})
    for number in range(5):
        fields = {"Name": f"D{number}", "StageName": "Closed Won", "CloseDate": "2026-11-20", "Amount": "1180"}
        org.insert("Opportunity", fields | ({"AccountId": account} if number else {"Amount": None}))
    query = "SELECT Id, Name, amount, IsWon, CloseDate, SystemModstamp, account.name, Account_Terms__c FROM Opportunity"
    made = client.create(query).json()
    assert made == {
        "id": made["id"],
        "operation": "query",
        "object": "Opportunity",
        "createdById": org.user_id,
        "createdDate": "2026-11-23T02:00:00.000+0000",
        "systemModstamp": "2026-11-23T02:00:00.000+0000",
        "state": "UploadComplete",
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 67.0,
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }
    key = made["id"]
    assert error(client.page(key)) == (400, "INVALIDJOBSTATE")
    assert [client.call("GET", f"/{key}").json()["state"] for _ in range(3)] == [
        "InProgress",
        "JobComplete",
        "JobComplete",
    ]
    shown = client.call("GET", f"/{key}").json()
    assert (shown["jobType"], shown["numberRecordsProcessed"]) == ("V2Query", 5)
    first = client.page(key, maxRecords=2)
    assert first.headers["Content-Type"].startswith("text/csv")
    assert first.headers["Sforce-NumberOfRecords"] == "2"
    head = '"Id","Name","Amount","IsWon","CloseDate","SystemModstamp","Account.Name","Account_Terms__c"'
    lines = first.content.decode().split("\n")
    assert lines[0] == head
    assert lines[1].endswith(',"D0","","true","2026-11-20","2026-11-23T02:00:00.000Z","",""')
    second = client.page(key, maxRecords=2, locator=first.headers["Sforce-Locator"])
    third = client.page(key, maxRecords=2, locator=second.headers["Sforce-Locator"])
    assert (third.headers["Sforce-Locator"], third.headers["Sforce-NumberOfRecords"]) == ("null", "1")
    rows = [row for page in (first, second, third) for row in cells(page.content.decode())[1:]]
    assert [row[1] for row in rows] == ["D0", "D1", "D2", "D3", "D4"]
    assert rows[1][2] == "1180.0"
    assert rows[1][6:] == ['Ä "quoted", Ltd\nsecond line', "30.0"]
    assert client.page(key, maxRecords=2, locator=first.headers["Sforce-Locator"]).content == second.content
    whole = client.page(key)
    assert len(cells(whole.content.decode())) == 6


def test_places_to_begin_at_come_five_at_a_time(client: Client, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK_ROWS", 2)
    for number in range(13):
        org.insert("Account", {"Name": f"A{number}"})
    job = client.create("SELECT Name FROM Account").json()["id"]
    pages = f"/{job}/resultPages"
    assert error(client.call("GET", pages)) == (400, "INVALIDJOBSTATE")
    assert [client.call("GET", f"/{job}").json()["state"] for _ in range(2)] == ["InProgress", "JobComplete"]
    first = client.call("GET", pages).json()
    links = [entry["resultLink"] for entry in first["resultChunks"]]
    assert (len(links), first["done"]) == (5, False)
    assert first["nextRecordsUrl"].startswith(f"/jobs/query/{job}/resultPages?locator=")
    second = client.call("GET", first["nextRecordsUrl"].removeprefix("/jobs/query")).json()
    assert (len(second["resultChunks"]), second["done"], second["nextRecordsUrl"]) == (2, True, None)
    links += [entry["resultLink"] for entry in second["resultChunks"]]
    read = [client.call("GET", link.removeprefix("/jobs/query")) for link in links]
    assert [row for page in read for row in cells(page.text)[1:]] == [[f"A{number}"] for number in range(13)]
    begins = [link.partition("locator=")[2] for link in links]
    assert [page.headers["Sforce-Locator"] for page in read] == [*begins[1:], "null"]
    assert error(client.call("GET", f"{pages}?locator=nope")) == (400, "INVALID_QUERY_LOCATOR")
    assert error(client.call("GET", pages, base="/services/data/v66.0"))[0] == 409
    assert error(client.call("GET", pages, base="/services/data/v57.0")) == (404, "NOT_FOUND")


def test_an_empty_result_has_one_place(client: Client) -> None:
    job = client.done("SELECT Id FROM Account")
    found = client.call("GET", f"/{job}/resultPages").json()
    assert (len(found["resultChunks"]), found["done"]) == (1, True)


def test_an_empty_result_is_a_header(client: Client) -> None:
    page = client.page(client.done("SELECT Id FROM Account", columnDelimiter="TAB", lineEnding="CRLF"))
    assert page.content == b'"Id"\r\n'
    assert (page.headers["Sforce-Locator"], page.headers["Sforce-NumberOfRecords"]) == ("null", "0")


def test_query_all_sees_the_bin_and_paths_can_be_filtered_on(client: Client, org: Org) -> None:
    account = org.insert("Account", {"Name": "x"})
    org.insert("Contact", {"LastName": "stays", "AccountId": account})
    org.delete("Contact", org.insert("Contact", {"LastName": "gone", "AccountId": account}))
    org.clock.advance(60)
    org.update("Account", account, {"Name": "y"})
    query = "SELECT LastName, IsDeleted FROM Contact WHERE Account.SystemModstamp >= 2026-11-23T02:01:00Z"
    assert cells(client.page(client.done(query)).text)[1:] == [["stays", "false"]]
    found = cells(client.page(client.done(query, "queryAll")).text)[1:]
    assert found == [["stays", "false"], ["gone", "true"]]


def test_results_do_not_change_once_the_job_is_complete(client: Client, org: Org) -> None:
    account = org.insert("Account", {"Name": "x"})
    key = client.done("SELECT Name FROM Account")
    org.update("Account", account, {"Name": "y"})
    kept = client.sandbox.snapshot()
    assert client.call("DELETE", f"/{key}").status_code == 204
    assert error(client.call("GET", f"/{key}")) == (404, "NOT_FOUND")
    client.sandbox.restore(kept)
    assert cells(client.page(key).text)[1:] == [["x"]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT COUNT() FROM Account", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT COUNT(Id) FROM Account", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT Type, MAX(Name) FROM Account GROUP BY Type", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT Type FROM Account group  by Type", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Account", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT BillingAddress FROM Account", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
    ],
)
def test_queries_that_no_job_runs(client: Client, query: str, code: str) -> None:
    assert error(client.create(query)) == (400, code)


def test_words_in_strings_and_semi_joins_are_no_reason_to_refuse(client: Client) -> None:
    client.done("SELECT Id FROM Account WHERE Name = 'offset 5 typeof count(x)'")
    client.done("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)")


def test_jobs_are_aborted_deleted_and_fail(client: Client, org: Org) -> None:
    faults = client.sandbox.faults["salesforce"]
    key = client.create("SELECT Id FROM Account").json()["id"]
    assert error(client.call("DELETE", f"/{key}")) == (400, "INVALIDJOBSTATE")
    assert client.call("PATCH", f"/{key}", json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert client.call("GET", f"/{key}").json()["state"] == "Aborted"
    assert error(client.call("PATCH", f"/{key}", json={"state": "Aborted"})) == (400, "INVALIDJOBSTATE")
    faults.add(Fault("job_failed", "POST", "/jobs/query"))
    key = client.create("SELECT Id FROM Account").json()["id"]
    shown = [client.call("GET", f"/{key}").json() for _ in range(2)][1]
    assert shown["state"] == "Failed"
    assert shown["errorMessage"]
    assert error(client.page(key)) == (400, "INVALIDJOBSTATE")
    assert client.call("DELETE", f"/{key}").status_code == 204
    key = client.done("SELECT Id FROM Account")
    assert error(client.call("GET", f"/{key}/results", base="/services/data/v66.0"))[0] == 409
    assert error(client.page(key, locator="nope")) == (400, "INVALID_QUERY_LOCATOR")
    assert error(client.page(key, maxRecords="x")) == (400, "INVALID_INPUT")
    assert error(client.create("SELECT Id FROM Account", "insert")) == (400, "INVALID_INPUT")
    assert error(client.call("GET", "/750000000000000AAA/results")) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("cut_body", "no answer"),
        ("drop_before", "no answer"),
        ("drop_after", "no answer"),
        ("too_many", "429"),
        ("error_before", "500"),
        ("html_after", "<html>"),
    ],
)
def test_faults_hit_pages_as_any_other_answer(client: Client, org: Org, kind: Any, seen: str) -> None:
    org.insert("Account", {"Name": "x"})
    key = client.done("SELECT Name FROM Account")
    client.sandbox.faults["salesforce"].add(Fault(kind, path=f"/jobs/query/{key}/results"))
    try:
        broken = client.page(key)
        found = broken.text[:6] if broken.status_code == 200 else str(broken.status_code)
    except requests.RequestException:
        found = "no answer"
    assert found == seen
    assert cells(client.page(key).text) == [["Name"], ["x"]]


def test_a_page_is_never_whole_in_memory() -> None:
    sandbox = Sandbox(dataset="generated:12000", clock=Clock(START, source=lambda: 0.0), serve=False)
    client = Client(sandbox)
    key = client.done("SELECT Id, Name, Amount, SystemModstamp FROM Opportunity")
    app = sandbox.apps["salesforce"]
    seen, peak = 0, 0

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        nonlocal seen, peak
        seen += len(message.get("body", b""))
        peak = max(peak, tracemalloc.get_traced_memory()[0])

    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "asgi": {"version": "3.0"}}
    scope |= {"path": f"{BASE}/jobs/query/{key}/results", "http_version": "1.1", "scheme": "https"}
    scope["headers"] = [(b"authorization", str(client.http.headers["Authorization"]).encode())]
    tracemalloc.start()
    try:
        work: Any = app(scope, receive, send)
        with pytest.raises(StopIteration):
            work.send(None)
    finally:
        tracemalloc.stop()
    assert seen > 850_000
    assert peak < seen / 2


# -- over the wire


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(dataset="generated:3000", clock=Clock(START, source=lambda: 0.0)) as running:
        yield running


def test_an_independent_client_reads_a_job(served: Sandbox) -> None:
    extra = json.loads(served.describe()["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(served.ca_bundle)
        login = partial(Salesforce, session=session, **extra)
        bulk = login().bulk2.Opportunity
        pages = list(bulk.query("SELECT Id, Account.Name FROM Opportunity", max_records=1300, wait=0))
    rows = [row for page in pages for row in cells(page)[1:]]
    assert [len(cells(page)) - 1 for page in pages] == [1300, 1300, 400]
    assert [row[0] for row in rows] == [row["Id"] for row in served.org.rows("Opportunity")]
    assert rows[0][1] == "Customer 0000000"

"""Both systems together: the data sets, TLS, the admin API, the clock, the limits and the command line's process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.dataset import UnknownDataset, load
from airflow_provider_kashoo.sandbox.faults import RequestLog, Seen
from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _frozen() -> Clock:
    return Clock(NOW, source=lambda: 0.0)


def _loaded(name: str, seed: int = 1) -> tuple[Org, Books]:
    clock = _frozen()
    org, books = Org(clock, seed=seed), Books(clock, seed=seed)
    load(name, org, books, seed=seed)
    return org, books


def _content(org: Org, books: Books) -> str:
    kinds = ("accounts", "customers", "items", "taxes", "invoices", "invoicePayments")
    rows = [books.page(business, kind) for business in books.businesses for kind in kinds]
    objects = [org.rows(name) for name in org.schema.objects]
    return json.dumps([rows, objects, org.access.consumer_key, books.password], default=str)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(clock=_frozen()) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", running.describe()["env"]["REQUESTS_CA_BUNDLE"])
        yield running


def _http(method: str, url: str, **more: Any) -> requests.Response:
    return requests.request(method, url, timeout=5, **more)


def _connection(sandbox: Sandbox, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sandbox.describe()["env"][f"AIRFLOW_CONN_{name}_DEFAULT"])
    return found


def _salesforce(sandbox: Sandbox) -> Salesforce:
    extra = _connection(sandbox, "SALESFORCE")["extra"]
    return Salesforce(
        consumer_key=extra["consumer_key"],
        consumer_secret=extra["consumer_secret"],
        domain=extra["domain"],
        version=extra["version"],
    )


def _kashoo(sandbox: Sandbox) -> requests.Session:
    connection = _connection(sandbox, "KASHOO")
    credentials = (connection["login"], connection["password"])
    token = _http("POST", f"{connection['host']}/authTokens", auth=credentials).text
    session = requests.Session()
    session.headers["Authorization"] = f"TOKEN uuid:{token}"
    return session


# -- the data sets


def test_the_demo_is_deterministic_by_seed() -> None:
    first = _content(*_loaded("demo"))
    assert first == _content(*_loaded("demo"))
    assert first != _content(*_loaded("demo", seed=2))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demo_has_what_it_promises(seed: int) -> None:
    org, _ = _loaded("demo", seed)
    deals = org.rows("Opportunity")
    won = [deal for deal in deals if deal["IsWon"]]
    assert (len(org.rows("Account")), len(deals), len(won)) == (24, 48, 32)
    assert {deal["CurrencyIsoCode"] for deal in won} == {"USD", "CAD", "EUR", "GBP"}
    assert 2 <= sum(deal["Amount"] < 100 for deal in won) < 16
    oldest = (NOW.date() - timedelta(days=40)).isoformat()
    assert all(oldest < deal["CloseDate"] <= NOW.date().isoformat() for deal in deals)

    lines = org.rows("OpportunityLineItem")
    by_deal: dict[str, list[Decimal]] = {}
    for line in lines:
        by_deal.setdefault(line["OpportunityId"], []).append(line["TotalPrice"])
    assert {len(by_deal.get(deal["Id"], [])) for deal in won} >= {0, 1, 2, 5}
    assert all(deal["Amount"] == sum(by_deal.get(deal["Id"], [deal["Amount"]])) for deal in won)
    assert {line["Discount"] for line in lines} == {None, Decimal(5), Decimal(10), Decimal("33.33")}
    assert any(line["Quantity"] % 1 for line in lines)
    assert any((line["Quantity"] * line["UnitPrice"] * 100) % 1 for line in lines)

    orders = org.rows("Order")
    assert Counter(order["StatusCode"] for order in orders) == {"Activated": 9, "Draft": 3}
    sold = {deal["Id"] for deal in won}
    assert sum(order["StatusCode"] == "Activated" and order["OpportunityId"] in sold for order in orders) == 4
    assert {item["OrderId"] for item in org.rows("OrderItem")} == {order["Id"] for order in orders}


def test_the_demo_holds_awkward_names_and_gaps() -> None:
    org, _ = _loaded("demo")
    accounts = org.rows("Account")
    names = [row["Name"] for row in accounts]
    assert max(map(len, names)) >= 250
    assert len({name.lower() for name in names}) == len(names) - 1
    for sign in "'&\"<東ü.":
        assert any(sign in name for name in names), sign
    assert any("  " in name for name in names)
    assert {row["Approved__c"] for row in accounts} == {True, False}
    assert {row["Payment_Terms__c"] for row in accounts} >= {None, Decimal(0), Decimal(30)}
    assert any(row["BillingCity"] is None for row in accounts)
    people = Counter(row["AccountId"] for row in org.rows("Contact"))
    billing = Counter(row["AccountId"] for row in org.rows("Contact") if row["Is_Billing__c"])
    assert {people[row["Id"]] for row in accounts} >= {0, 1, 2, 3}
    assert all(billing[account] == (count > 1) for account, count in people.items())


def test_the_books_already_know_three_customers_and_two_items_of_the_demo() -> None:
    org, books = _loaded("demo")
    customers = [row["contactInformation"] for row in books.page(books.main(), "customers")]
    emails = {row["Email"] for row in org.rows("Contact")}
    places = {(" ".join(row["Name"].split()), row["BillingPostalCode"]) for row in org.rows("Account")}
    assert len(customers) == 5
    assert sum(info["email"] in emails for info in customers) == 1
    assert sum((info["name"], info["address"].get("postalCode")) in places for info in customers) == 2
    codes = {row["ProductCode"] for row in org.rows("Product2")}
    assert [row["code"] in codes for row in books.page(books.main(), "items")] == [True, True]
    assert len(books.page(books.main(), "invoices")) == 2
    test_business = list(books.businesses)[1]
    assert not [row for kind in ("accounts", "customers", "invoices") for row in books.page(test_business, kind)]


def test_empty_has_only_setup_rows_and_scale_has_the_asked_number() -> None:
    org, books = _loaded("empty")
    assert not org.rows("Account")
    assert len(org.rows("PricebookEntry")) == 4 * len(org.rows("Product2"))
    assert len(books.page(books.main(), "accounts")) == 6
    assert not books.page(books.main(), "customers")
    org, _ = _loaded("scale:300")
    deals = org.rows("Opportunity")
    assert (len(deals), sum(deal["IsWon"] for deal in deals), len(org.rows("Account"))) == (300, 210, 30)
    assert len(org.rows("OpportunityLineItem")) == 200


@pytest.mark.parametrize("name", ["", "huge", "demo:5", "scale", "scale:", "scale:x"])
def test_an_unknown_data_set_is_an_error(name: str) -> None:
    with pytest.raises(UnknownDataset, match=f"^{name} is unknown. Give demo, empty,"):
        _loaded(name)


# -- clock and log


def test_the_clock_moves_forward_only() -> None:
    clock = _frozen()
    clock.advance(90.5)
    assert clock.now() == NOW + timedelta(seconds=90.5)
    for wrong in (-1.0, float("nan"), float("inf"), 1e15):
        with pytest.raises(ValueError, match="forward"):
            clock.advance(wrong)
    with pytest.raises(ValueError, match="aware"):
        Clock(datetime(2026, 3, 10))  # noqa: DTZ001 - the point of the test
    real = Clock()
    assert real.time() <= real.time()
    assert abs((real.now() - datetime.now(UTC)).total_seconds()) < 5


def test_the_log_forgets_the_oldest_but_counts_all() -> None:
    log = RequestLog(size=2)
    for status in (200, 201, 202):
        log.add(Seen("GET", "/", status, 0.0))
    assert ([entry["status"] for entry in log.entries()], log.total) == ([201, 202], 3)


# -- the servers


def test_the_whole_demo_over_http(sandbox: Sandbox) -> None:
    salesforce, kashoo = _salesforce(sandbox), _kashoo(sandbox)
    assert salesforce.query("SELECT COUNT() FROM Opportunity WHERE IsWon = true")["totalSize"] == 32
    root = f"{sandbox.kashoo_url}/businesses/{_connection(sandbox, 'KASHOO')['extra']['business_id']}"
    invoices = kashoo.get(f"{root}/records/invoices").json()
    assert len(invoices) == 2

    admin = sandbox.admin_url
    invoice, total = invoices[0]["id"], invoices[0]["totalDue"]
    payment = {"invoice": invoice, "amount": total + 500}
    paid = _http("POST", f"{admin}/kashoo/payments", json=payment)
    assert (paid.status_code, paid.json()["unallocatedAmount"]) == (201, 500)
    assert date.fromisoformat(paid.json()["date"]) == NOW.date()
    assert kashoo.get(f"{root}/records/invoices/{invoice}").json()["balanceDue"] == 0
    booked = kashoo.get(f"{root}/records/invoicePayments").json()
    assert [row["id"] for row in booked] == [row["id"] for row in _http("GET", f"{admin}/kashoo/payments").json()]
    refund = _http("POST", f"{admin}/kashoo/payments", json={"invoice": invoice, "amount": -100, "date": "2026-03-11"})
    assert refund.json()["date"] == "2026-03-11"
    assert sandbox.books.read(sandbox.books.main(), "invoices", invoice)["balanceDue"] == 100
    for bad in ({"invoice": 1, "amount": 5}, {"invoice": invoice}, {"invoice": invoice, "amount": 1.5}):
        assert _http("POST", f"{admin}/kashoo/payments", json=bad).status_code in {400, 404}

    state = _http("GET", f"{admin}/state").json()
    sums = Counter[str]()
    for row in kashoo.get(f"{root}/records/invoices").json():
        sums.update(invoices=1, totalDue=row["totalDue"], balanceDue=row["balanceDue"])
    assert state["invoice_totals"] == {"USD": dict(sums)}
    assert (state["salesforce"]["Opportunity"], state["kashoo"]["customers"]) == (48, 5)
    assert (state["requests"], state["refused_429"]) == ({"salesforce": 2, "kashoo": 4}, 0)


def test_the_clock_of_both_systems_is_moved_by_the_admin(sandbox: Sandbox) -> None:
    salesforce, kashoo = _salesforce(sandbox), _kashoo(sandbox)
    url = f"{sandbox.admin_url}/clock"
    moved = _http("POST", url, json={"advance_seconds": 26 * 3600}).json()
    assert moved["now"] == (NOW + timedelta(hours=26)).isoformat()
    answer = kashoo.get(f"{sandbox.kashoo_url}/users/me")
    assert (answer.status_code, answer.headers["Date"]) == (401, "Wed, 11 Mar 2026 14:00:00 GMT")
    limits = _http("GET", f"{salesforce.base_url}limits", headers=salesforce.headers)
    assert (limits.status_code, limits.headers["Date"]) == (401, "Wed, 11 Mar 2026 14:00:00 GMT")
    for wrong in (-1, "x", None, 1e300):
        assert _http("POST", url, json={"advance_seconds": wrong}).status_code == 400


def test_the_default_limits_refuse_the_501st_request_of_an_hour(sandbox: Sandbox) -> None:
    kashoo, url = _kashoo(sandbox), f"{sandbox.kashoo_url}/users/me"
    clock = sandbox.clock
    clock.advance(1)
    for second in range(100):
        burst = 5 if second < 99 else 4
        assert {kashoo.get(url).status_code for _ in range(burst)} == {200}
        if second == 0:
            assert kashoo.get(url).status_code == 429
        clock.advance(1)
    refused = kashoo.get(url)
    # The login, 101 s ago, was the first of the 500.
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(3600 - 101))
    _http("POST", f"{sandbox.admin_url}/clock", json={"advance_seconds": 3600 - 101})
    assert [kashoo.get(url).status_code for _ in range(2)] == [200, 429]
    assert _http("GET", f"{sandbox.admin_url}/state").json()["refused_429"] == 3


def test_the_admin_edits_salesforce(sandbox: Sandbox) -> None:
    url = f"{sandbox.admin_url}/salesforce"
    account = _http("POST", f"{url}/Account", json={"Name": "New & Co"}).json()
    path = f"{url}/Account/{account['Id']}"
    changed = _http("PATCH", path, json={"Name": "Newer", "Payment_Terms__c": 14}).json()
    assert (changed["Name"], changed["Payment_Terms__c"]) == ("Newer", 14)
    assert _http("GET", f"{url}/Account").json()[-1] == changed
    assert _http("DELETE", path).status_code == 204
    assert account["Id"] not in {row["Id"] for row in _http("GET", f"{url}/Account").json()}
    assert _http("GET", f"{url}/Acount").status_code in {400, 404}
    refused = _http("POST", f"{url}/Account", json={})
    assert (refused.status_code, "Name" in refused.json()["message"]) == (400, True)


def test_the_log_shows_each_request_without_query_or_admin(sandbox: Sandbox) -> None:
    _kashoo(sandbox)
    _http("GET", f"{sandbox.kashoo_url}/users/me?secret=hunter2")
    log = _http("GET", f"{sandbox.admin_url}/requests").json()
    at = NOW.timestamp()
    assert log == {
        "salesforce": [],
        "kashoo": [
            {"method": "POST", "path": "/api/authTokens", "status": 200, "at": at},
            {"method": "GET", "path": "/api/users/me", "status": 401, "at": at},
        ],
    }


def test_salesforce_needs_the_ca_and_everything_ends_with_the_context(tmp_path: Path) -> None:
    started = time.monotonic()
    with Sandbox(dataset="empty", directory=tmp_path) as sandbox:
        assert time.monotonic() - started < 2
        assert (tmp_path / "server.pem").stat().st_mode & 0o77 == 0
        url = f"{sandbox.salesforce_url}/services/data"
        assert _http("GET", url, verify=str(sandbox.ca_bundle)).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            _http("GET", url)
    for url in (sandbox.salesforce_url, sandbox.kashoo_url):
        with pytest.raises(requests.ConnectionError):
            _http("GET", url)
    with Sandbox(dataset="empty") as other:
        assert other.ca_bundle.exists()
    assert not other.ca_bundle.parent.exists()


def test_a_taken_port_fails_without_leaving_anything_open() -> None:
    with Sandbox(dataset="empty") as first:
        port = int(first.kashoo_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            Sandbox(dataset="empty", kashoo_port=port)


def test_serve_prints_one_json_line_and_stops_on_a_signal() -> None:
    code = "from airflow_provider_kashoo.sandbox.server import serve; serve(dataset='empty', seed=7)"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([sys.executable, "-c", code], **pipes) as first,
        subprocess.Popen([sys.executable, "-c", code], **pipes) as second,
    ):
        for child, number in ((first, signal.SIGTERM), (second, signal.SIGINT)):
            assert child.stdout is not None
            described = json.loads(child.stdout.readline())
            assert set(described) == {"salesforce_url", "kashoo_url", "ca_bundle", "admin_url", "env"}
            assert _http("GET", f"{described['admin_url']}/state").json()["kashoo"]["accounts"] == 6
            child.send_signal(number)
            out, err = child.communicate(timeout=10)
            assert (child.returncode, out, err) == (0, "", "")
            assert not Path(described["ca_bundle"]).exists()

"""The simulated Kashoo over real HTTP: what it accepts, computes, lists and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.dataset import open_books
from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.server import Sandbox

TODAY = "2026-03-10"


@dataclass
class Client:
    """A session with a token, and one fresh business per test."""

    sandbox: Sandbox
    session: requests.Session
    business: int

    @property
    def books(self) -> Books:
        return self.sandbox.books

    @property
    def root(self) -> str:
        return f"{self.sandbox.kashoo_url}/businesses/{self.business}"

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Any:
        answer = self.session.request(method, f"{self.root}/{path}", json=body, params=query)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        return self.call("GET", path, status=status, **query)

    def post(self, path: str, body: Any, *, status: int = 201) -> Any:
        return self.call("POST", path, body, status=status)

    def account(self, number: str) -> int:
        return int(next(row["id"] for row in self.get("accounts") if row["number"] == number))

    def customer(self, name: str = "Initech", **more: Any) -> int:
        return int(self.post("contacts/customers", {"contactInformation": {"name": name}, **more})["id"])

    def draft(self, **more: Any) -> dict[str, Any]:
        line = {"account": self.account("4000"), "quantity": 1, "rate": 10_000, "taxCode": ""}
        return {"type": "invoice", "currency": "USD", "date": TODAY, "lineItems": [line], **more}

    def invoice(self, **more: Any) -> dict[str, Any]:
        row: dict[str, Any] = self.post("records/invoices", self.draft(**more))
        return row

    def payment(self, invoice: dict[str, Any], used: int, **more: Any) -> dict[str, Any]:
        parts = [{"amount": used, "record": invoice["id"]}]
        base = {"currency": "USD", "date": TODAY, "contact": invoice.get("contact"), "account": self.account("1010")}
        return {**base, "amount": used, "allocations": parts, "unallocatedAmount": 0, **more}

    def balance(self, invoice: dict[str, Any]) -> int:
        return int(self.get(f"records/invoices/{invoice['id']}")["balanceDue"])


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.books.limits = []
    running.books.create_answer = "entity"
    return running


@pytest.fixture
def kashoo(sandbox: Sandbox) -> Iterator[Client]:
    token = json.dumps(sandbox.books.issue(), separators=(",", ":"))
    with requests.Session() as session:
        session.headers["Authorization"] = f"TOKEN json:{token}"
        yield Client(sandbox, session, open_books(sandbox.books))


def _login(sandbox: Sandbox, **more: Any) -> requests.Response:
    return requests.post(f"{sandbox.kashoo_url}/authTokens", timeout=5, **more)


def _me(sandbox: Sandbox, authorization: str | None) -> requests.Response:
    headers = {"Authorization": authorization} if authorization else {}
    return requests.get(f"{sandbox.kashoo_url}/users/me", headers=headers, timeout=5)


# -- tokens


def test_basic_login_with_accept_json_gives_the_token_object(sandbox: Sandbox) -> None:
    credentials = (sandbox.books.email, sandbox.books.password)
    before = sandbox.clock.time() * 1000
    answer = _login(sandbox, auth=credentials, data={"duration": "60000"}, headers={"Accept": "application/json"})
    token = answer.json()
    assert set(token) == {"authenticationCode", "expiryDate", "locale", "myUserId", "restriction", "site"}
    assert 0 <= token["expiryDate"] - before - 60_000 < 5_000
    assert _me(sandbox, f"TOKEN json:{answer.text}").json()["id"] == token["myUserId"]


def test_form_login_without_accept_gives_bare_text(sandbox: Sandbox) -> None:
    form = {"email": sandbox.books.email, "password": sandbox.books.password}
    answer = _login(sandbox, data=form)
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) == 36
    assert _me(sandbox, f"TOKEN uuid:{answer.text}").status_code == 200
    assert _me(sandbox, f"TOKEN json:{answer.text}").status_code == 401


def test_wrong_password_is_401_html(sandbox: Sandbox) -> None:
    answer = _login(sandbox, auth=(sandbox.books.email, "no"), headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")


@pytest.mark.parametrize("header", [None, "", "TOKEN uuid:", "TOKEN json:{}", "TOKEN json:[", "Bearer x", "TOKEN x"])
def test_no_valid_token_is_401(sandbox: Sandbox, header: str | None) -> None:
    assert _me(sandbox, header).status_code == 401


def test_a_token_expires_on_the_clock_unless_renewed() -> None:
    clock = Clock(source=lambda: 0.0)
    with Sandbox(dataset="empty", clock=clock) as sandbox:
        old = json.dumps(sandbox.books.issue(60_000))
        clock.advance(59)
        headers = {"Authorization": f"TOKEN json:{old}", "Accept": "application/json"}
        renewed = _login(sandbox, headers=headers, data={"duration": "60000"}).text
        clock.advance(1)
        assert _me(sandbox, f"TOKEN json:{old}").status_code == 401
        assert _login(sandbox, headers=headers).status_code == 401
        assert _me(sandbox, f"TOKEN json:{renewed}").status_code == 200
        clock.advance(59)
        assert _me(sandbox, f"TOKEN json:{renewed}").status_code == 401


# -- the wire


def test_businesses_and_setup_rows(kashoo: Client) -> None:
    rows = kashoo.session.get(f"{kashoo.sandbox.kashoo_url}/users/me/businesses").json()
    assert [row["contactInformation"]["name"] for row in rows[:2]] == ["Northwind Trading Ltd.", "Northwind Test"]
    assert rows[0]["links"][0]["href"].endswith(f"/api/businesses/{rows[0]['id']}")
    assert [row["number"] for row in kashoo.get("accounts", type="INCOME")] == ["4000", "4100", "4200"]
    assert {row["abbreviation"]: row["rate"] for row in kashoo.get("taxes")} == {"G": "5", "H": "13"}
    assert all(row["id"] > 2**31 for row in [*rows, *kashoo.get("accounts")])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("records/invoices", {"since": TODAY}),
        ("records/invoices", {"startDate": "10.03.2026"}),
        ("records/invoices", {"startDate": "20260310"}),
        ("records/invoices", {"limit": "-1"}),
        ("records/invoices", {"offset": "x"}),
        ("contacts/customers", {"startDate": TODAY}),
        ("items", {"type": "INCOME"}),
        ("accounts", {"type": "income"}),
        ("accounts", {"limit": "0"}),
    ],
)
def test_an_unknown_or_malformed_parameter_is_400(kashoo: Client, path: str, query: dict[str, str]) -> None:
    assert kashoo.get(path, status=400, **query)["message"]


def test_unknown_paths_businesses_and_ids_are_404_and_bodies_must_be_json(kashoo: Client) -> None:
    kashoo.get("invoices", status=404)
    kashoo.get("records/invoices/12345", status=404)
    kashoo.get("records/invoices/x", status=404)
    kashoo.business += 1
    kashoo.get("accounts", status=404)
    kashoo.get("records/bills", status=404)
    kashoo.business -= 1
    url = f"{kashoo.root}/contacts/customers"
    assert kashoo.session.post(url, data={"name": "x"}).status_code == 415
    json_type = {"Content-Type": "application/json"}
    for text in ("{", "[]", '"x"', "", '{"contactInformation": {"name": "x"}, "rate": NaN}'):
        assert kashoo.session.post(url, data=text, headers=json_type).status_code == 400, text


@pytest.mark.parametrize("path", ["records/bills", "records/billPayments", "records/transfers"])
def test_other_records_are_empty_lists(kashoo: Client, path: str) -> None:
    assert kashoo.get(path, startDate=TODAY) == []


@pytest.mark.parametrize("shape", ["entity", "url-body", "location", "empty"])
def test_the_four_answers_to_a_create(kashoo: Client, shape: Any) -> None:
    kashoo.books.create_answer = shape
    answer = kashoo.session.post(f"{kashoo.root}/contacts/customers", json={"contactInformation": {"name": "A"}})
    row = kashoo.get("contacts/customers")[0]
    href = row["links"][0]["href"]
    assert answer.status_code == 201
    assert answer.headers.get("location") == (href if shape == "location" else None)
    expected = {"entity": json.dumps(row, separators=(",", ":")), "url-body": href}
    assert answer.text == expected.get(shape, "")
    assert kashoo.session.get(href).json() == row


def test_lists_are_ordered_by_date_then_id_and_paged_by_items(kashoo: Client) -> None:
    dates = ["2026-03-03", "2026-03-01", "2026-03-02", "2026-03-01"]
    rows = [kashoo.invoice(date=date) for date in dates]
    expected = [rows[index]["id"] for index in (1, 3, 2, 0)]
    assert [row["id"] for row in kashoo.get("records/invoices")] == expected
    pages = [kashoo.get("records/invoices", limit=3, offset=offset) for offset in (0, 3, 4)]
    assert [[row["id"] for row in page] for page in pages] == [expected[:3], expected[3:], []]
    window = kashoo.get("records/invoices", startDate="2026-03-01", endDate="2026-03-02")
    assert [row["id"] for row in window] == expected[:3]
    assert kashoo.get("records/invoices", startDate="2026-03-04") == []


def test_a_page_never_holds_more_than_100(kashoo: Client) -> None:
    for index in range(101):
        body = {"contactInformation": {"name": f"C{index}"}}
        kashoo.books.create(kashoo.business, "customers", body)
    assert len(kashoo.get("contacts/customers")) == 100
    assert len(kashoo.get("contacts/customers", limit=500)) == 100
    assert len(kashoo.get("contacts/customers", limit=500, offset=100)) == 1


def test_mixed_records_tell_their_type_and_link_to_themselves(kashoo: Client) -> None:
    invoice = kashoo.invoice(date="2026-03-02")
    payment = kashoo.post("records/invoicePayments", kashoo.payment(invoice, 10_000, date="2026-03-01"))
    rows = kashoo.get("records")
    assert [(row["type"], row["id"]) for row in rows] == [("invoicePayment", payment["id"]), ("invoice", invoice["id"])]
    assert [kashoo.session.get(row["links"][0]["href"]).json() for row in rows] == rows


def test_customers_through_a_sync_session(kashoo: Client) -> None:
    first, second = kashoo.customer("A"), kashoo.customer("B")
    root = kashoo.sandbox.kashoo_url
    form = {"business": str(kashoo.business), "description": "temporary"}
    sync = kashoo.session.post(f"{root}/sync", data=form).json()["id"]
    rows = kashoo.session.get(f"{root}/sync/{sync}/contacts/customers", params={"limit": 100}).json()
    assert [row["id"] for row in rows] == [first, second]
    assert kashoo.session.get(f"{root}/sync/{sync + 1}/contacts/customers").status_code == 404
    assert kashoo.session.post(f"{root}/sync", data={"business": "x"}).status_code == 400


# -- entities


def test_put_replaces_the_whole_row_and_keeps_unknown_fields(kashoo: Client) -> None:
    row = kashoo.post(
        "contacts/customers",
        {"contactInformation": {"name": "A", "phone": "1"}, "notes": "n", "id": 5, "collaberationContext": {"x": 1.50}},
    )
    assert row["id"] != 5
    assert row["collaberationContext"] == {"x": 1.5}
    path = f"contacts/customers/{row['id']}"
    kashoo.call("PUT", path, {"contactInformation": {"name": "B"}, "x": [1]})
    after = kashoo.get(path)
    assert after["contactInformation"] == {"name": "B"}
    assert "notes" not in after
    assert (after["x"], after["id"], after["creation"]) == ([1], row["id"], row["creation"])
    kashoo.call("PUT", path, {**after, "id": row["id"] + 1}, status=400)


@pytest.mark.parametrize("by_put", [True, False])
def test_removed_rows_vanish_from_lists_but_answer_by_id(kashoo: Client, by_put: bool) -> None:
    kept, gone = kashoo.customer("A"), kashoo.customer("B")
    path = f"contacts/customers/{gone}"
    if by_put:
        assert kashoo.call("PUT", path, {**kashoo.get(path), "removed": True})["removed"] is True
    else:
        kashoo.call("DELETE", path, status=204)
    assert [row["id"] for row in kashoo.get("contacts/customers")] == [kept]
    assert kashoo.get(path)["removed"] is True
    kashoo.call("DELETE", path, status=404)
    kashoo.call("PUT", path, kashoo.get(path), status=404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contactInformation": {"name": " "}},
        {"contactInformation": {"name": "A", "email": 5}},
        {"contactInformation": {"name": "A", "address": "street"}},
        {"contactInformation": {"name": "A"}, "currency": "XXX"},
        {"contactInformation": {"name": "A"}, "currency": ["USD"]},
        {"contactInformation": {"name": "A"}, "type": "vendor"},
    ],
)
def test_a_bad_customer_is_refused(kashoo: Client, body: dict[str, Any]) -> None:
    kashoo.post("contacts/customers", body, status=400)
    assert kashoo.get("contacts/customers") == []


def test_accounts_get_a_number_and_know_their_types(kashoo: Client) -> None:
    assert kashoo.post("accounts", {"name": "Till", "type": "CASH"})["number"] == "4201"
    assert kashoo.post("accounts", {"name": "Till 2", "type": "CASH", "number": 12345})["number"] == "12345"
    kashoo.post("accounts", {"name": "X", "type": "PIGGY"}, status=400)


def test_an_item_fills_its_line_and_must_be_bound_to_income(kashoo: Client) -> None:
    body = {"name": "Lamp", "code": "L1", "rate": 4999, "account": kashoo.account("4000"), "description": "A lamp"}
    item = kashoo.post("items", {**body, "taxCode": "G"})
    row = kashoo.invoice(lineItems=[{"item": item["id"], "quantity": 2}])
    line = row["lineItems"][0]
    assert (line["rate"], line["description"], line["taxCode"], row["totalDue"]) == (4999, "A lamp", "G", 10_498)
    assert kashoo.call("PUT", f"items/{item['id']}", {**body, "rate": 5000})["rate"] == 5000
    kashoo.post("items", {**body, "account": kashoo.account("1010")}, status=400)
    kashoo.post("items", {**body, "rate": "49.99"}, status=400)


# -- invoices


def test_computed_fields_are_the_servers(kashoo: Client) -> None:
    contact = kashoo.customer("Initech")
    claimed = {"totalDue": 1, "balanceDue": 2, "paid": True, "contactName": "x", "creation": 3, "links": []}
    row = kashoo.invoice(contact=contact, memo="[sf:1]", **claimed)
    assert (row["totalDue"], row["balanceDue"], row["paid"], row["amount"]) == (10_000, 10_000, False, 10_000)
    assert (row["contactName"], row["dueDate"], row["memo"]) == ("Initech", TODAY, "[sf:1]")
    assert row["creation"] > 10**12
    assert row["number"].isdigit()


def test_totals_round_half_up_by_line_and_once_per_tax(kashoo: Client) -> None:
    account = kashoo.account("4000")

    def line(quantity: float, rate: int, tax: str = "") -> dict[str, Any]:
        return {"account": account, "quantity": quantity, "rate": rate, "taxCode": tax}

    # 0.5 -> 1 and 2.5 -> 3 (not to even); -0.5 -> -1; 33 * 0.333333 = 10.999989
    row = kashoo.invoice(lineItems=[line(0.5, 1), line(2.5, 1), line(-0.5, 1), line(0.333333, 33)])
    assert row["totalDue"] == 1 + 3 - 1 + 11
    assert row["lineItems"][3]["quantity"] == 0.333333
    # 5 % of 10 + 10 is 1, although 5 % of each line would round up to 1 twice; 13 % of 10 is 1.3
    row = kashoo.invoice(lineItems=[line(1, 10, "G,H"), line(1, 10, "G")])
    assert row["taxes"] == [{"abbreviation": "G", "amount": 1}, {"abbreviation": "H", "amount": 1}]
    assert row["totalDue"] == 22


@pytest.mark.parametrize(
    "line",
    [
        {"rate": 12.5},
        {"rate": 12.0},
        {"rate": "12"},
        {"rate": True},
        {"rate": None},
        {"quantity": "1"},
        {"quantity": None},
        {"quantity": 0.1234567},
        {"quantity": 10**9},
        {"rate": 10**12},
        {"taxCode": "X"},
        {"taxCode": "-G"},
        {"taxCode": 5},
        {"account": 1},
        {"account": None},
        {"item": 1},
        {"quantity": -1},
    ],
)
def test_a_bad_line_is_refused(kashoo: Client, line: dict[str, Any]) -> None:
    draft = kashoo.draft()
    draft["lineItems"][0] |= line
    assert kashoo.post("records/invoices", draft, status=400)["message"]
    assert kashoo.get("records/invoices") == []


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "JPY"},
        {"currency": None},
        {"date": "10/03/2026"},
        {"date": None},
        {"dueDate": "soon"},
        {"lineItems": []},
        {"lineItems": {}},
        {"lineItems": [5]},
        {"type": "bill"},
        {"contact": 1},
        {"memo": 5},
        {"number": "A-1"},
        {"number": "9" * 5000},
    ],
)
def test_a_bad_invoice_is_refused(kashoo: Client, change: dict[str, Any]) -> None:
    assert kashoo.post("records/invoices", kashoo.draft(**change), status=400)["message"]


def test_a_line_on_a_bank_account_is_refused(kashoo: Client) -> None:
    draft = kashoo.draft()
    draft["lineItems"][0]["account"] = kashoo.account("1010")
    kashoo.post("records/invoices", draft, status=400)


def test_a_larger_number_moves_the_series_and_a_put_keeps_the_number(kashoo: Client) -> None:
    first = int(kashoo.invoice()["number"])
    assert kashoo.invoice(number="5000")["number"] == "5000"
    assert kashoo.invoice(number=first - 1)["number"] == str(first - 1)
    row = kashoo.invoice()
    assert row["number"] == "5001"
    assert kashoo.call("PUT", f"records/invoices/{row['id']}", kashoo.draft())["number"] == "5001"


def test_the_customers_currency_and_removal_bind_new_invoices(kashoo: Client) -> None:
    euro, gone = kashoo.customer("A", currency="EUR"), kashoo.customer("B")
    kashoo.post("records/invoices", kashoo.draft(contact=euro), status=400)
    kept = kashoo.invoice(contact=gone)
    kashoo.call("DELETE", f"contacts/customers/{gone}", status=204)
    kashoo.post("records/invoices", kashoo.draft(contact=gone), status=400)
    kashoo.call("PUT", f"records/invoices/{kept['id']}", {**kept, "memo": "still mine"})


def test_a_locked_period_refuses_every_write_on_or_before_it(kashoo: Client) -> None:
    old, new = kashoo.invoice(date="2026-02-28"), kashoo.invoice(date="2026-03-01")
    paid = kashoo.post("records/invoicePayments", kashoo.payment(old, 1_000, date="2026-02-28"))
    kashoo.books.lock_until(kashoo.business, "2026-02-28")
    path = f"records/invoices/{old['id']}"
    assert "locked" in kashoo.call("PUT", path, {**old, "date": "2026-03-01"}, status=400)["message"]
    kashoo.call("PUT", f"records/invoices/{new['id']}", {**new, "date": "2026-02-28"}, status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=400)
    kashoo.post("records/invoices", kashoo.draft(date="2026-02-01"), status=400)
    kashoo.post("records/invoicePayments", kashoo.payment(old, 1_000, date="2026-03-01"))
    kashoo.books.lock_until(kashoo.business, None)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=204)


# -- payments


def test_payments_lower_the_balance_and_their_removal_raises_it(kashoo: Client) -> None:
    invoice = kashoo.invoice(contact=kashoo.customer())
    first = kashoo.post("records/invoicePayments", kashoo.payment(invoice, 4_000))
    assert kashoo.balance(invoice) == 6_000
    kashoo.post("records/invoicePayments", kashoo.payment(invoice, 6_000))
    assert kashoo.get(f"records/invoices/{invoice['id']}")["paid"] is True
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{first['id']}", status=204)
    assert kashoo.balance(invoice) == 4_000
    assert kashoo.get(f"records/invoicePayments/{first['id']}")["removed"] is True


def test_a_refund_reopens_and_an_unpaid_invoice_can_be_removed(kashoo: Client) -> None:
    invoice = kashoo.invoice()
    refund = kashoo.payment(invoice, -1_000)
    kashoo.post("records/invoicePayments", refund, status=400)
    paid = kashoo.post("records/invoicePayments", kashoo.payment(invoice, 1_000))
    given_back = kashoo.post("records/invoicePayments", refund)
    assert kashoo.balance(invoice) == 10_000
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=400)
    for row in (given_back, paid):
        kashoo.call("DELETE", f"records/invoicePayments/{row['id']}", status=204)
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=204)


def test_credit_is_applied_by_replacing_the_payment(kashoo: Client) -> None:
    contact = kashoo.customer()
    first, second = kashoo.invoice(contact=contact), kashoo.invoice(contact=contact)
    body = kashoo.payment(first, 10_000, amount=15_000, unallocatedAmount=5_000)
    row = kashoo.post("records/invoicePayments", body)
    parts = [*body["allocations"], {"amount": 5_000, "record": second["id"]}]
    path = f"records/invoicePayments/{row['id']}"
    kashoo.call("PUT", path, {**row, "allocations": parts, "unallocatedAmount": 0})
    assert (kashoo.balance(first), kashoo.balance(second)) == (0, 5_000)
    kashoo.call("PUT", path, {**row, "allocations": [], "unallocatedAmount": 15_000})
    assert (kashoo.balance(first), kashoo.balance(second)) == (10_000, 10_000)


def test_a_bad_payment_is_refused_and_moves_nothing(kashoo: Client) -> None:
    contact = kashoo.customer("A")
    invoice = kashoo.invoice(contact=contact)
    other = kashoo.invoice(contact=kashoo.customer("B"))
    part = {"amount": 5_000, "record": invoice["id"]}
    bad: list[dict[str, Any]] = [
        {"amount": 6_000},
        {"amount": 5_000.0},
        {"amount": "5000"},
        {"amount": 0, "allocations": []},
        {"contact": None},
        {"currency": "EUR"},
        {"account": kashoo.account("4000")},
        {"allocations": [{"amount": 5_000, "record": other["id"]}]},
        {"allocations": [{"amount": 5_000, "record": 1}]},
        {"allocations": [part, part, part], "amount": 15_000},
        {"allocations": [{"amount": 6_000, "record": invoice["id"]}], "unallocatedAmount": -1_000},
        {"date": None},
        {"type": "billPayment"},
    ]
    for change in bad:
        kashoo.post("records/invoicePayments", kashoo.payment(invoice, 5_000, **change), status=400)
    assert (kashoo.balance(invoice), kashoo.balance(other)) == (10_000, 10_000)
    assert kashoo.get("records/invoicePayments") == []


def test_what_is_allocated_binds_the_invoice(kashoo: Client) -> None:
    invoice = kashoo.invoice(contact=kashoo.customer("A"))
    kashoo.post("records/invoicePayments", kashoo.payment(invoice, 8_000))
    path = f"records/invoices/{invoice['id']}"
    line = invoice["lineItems"][0]
    kashoo.call("PUT", path, {**invoice, "lineItems": [{**line, "rate": 7_999}]}, status=400)
    kashoo.call("PUT", path, {**invoice, "contact": kashoo.customer("B")}, status=400)
    kashoo.call("PUT", path, {**invoice, "currency": "CAD"}, status=400)
    assert kashoo.call("PUT", path, {**invoice, "lineItems": [{**line, "rate": 8_000}]})["paid"] is True


# -- limits


def _count(sandbox: Sandbox, header: dict[str, str], wanted: int) -> list[requests.Response]:
    url = f"{sandbox.kashoo_url}/users/me"
    with requests.Session() as session:
        return [session.get(url, headers=header) for _ in range(wanted)]


def test_the_429_comes_exactly_at_the_limit_and_goes_after_the_window() -> None:
    clock = Clock(source=lambda: 0.0)
    with Sandbox(dataset="empty", clock=clock) as sandbox:
        books = sandbox.books
        books.limits = [(8, 60.0), (5, 1.0)]
        header = {"Authorization": f"TOKEN uuid:{books.issue(as_text=True)}"}
        first = _count(sandbox, header, 6)
        assert [answer.status_code for answer in first] == [200] * 5 + [429]
        assert first[-1].headers["Retry-After"] == "1"
        clock.advance(1)
        second = _count(sandbox, header, 4)
        assert [answer.status_code for answer in second] == [200] * 3 + [429]
        assert second[-1].headers["Retry-After"] == "59"
        assert _login(sandbox, auth=(books.email, books.password)).status_code == 429
        assert _me(sandbox, "TOKEN uuid:x").status_code == 401  # not counted: nobody's request
        clock.advance(58.9)
        books.retry_after = False
        assert "Retry-After" not in _count(sandbox, header, 1)[0].headers
        clock.advance(0.1)
        assert [answer.status_code for answer in _count(sandbox, header, 6)] == [200] * 5 + [429]
        assert books.refused == 5
        books.limits = []
        assert {answer.status_code for answer in _count(sandbox, header, 20)} == {200}


def test_the_default_limits_are_500_an_hour_and_5_a_second() -> None:
    assert Books(Clock()).limits == [(500, 3600.0), (5, 1.0)]

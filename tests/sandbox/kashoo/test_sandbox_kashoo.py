"""What every request to the simulated Kashoo meets: tokens, paths, parameters, pages, answers and limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from books import TODAY, Client, log_in, me

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.server import Sandbox

# -- tokens


def test_basic_login_with_accept_json_gives_the_token_object(sandbox: Sandbox) -> None:
    credentials = (sandbox.books.email, sandbox.books.password)
    before = sandbox.clock.time() * 1000
    answer = log_in(sandbox, auth=credentials, data={"duration": "60000"}, headers={"Accept": "application/json"})
    token = answer.json()
    assert set(token) == {"authenticationCode", "expiryDate", "locale", "myUserId", "restriction", "site"}
    assert 0 <= token["expiryDate"] - before - 60_000 < 5_000
    assert me(sandbox, f"TOKEN json:{answer.text}").json()["id"] == token["myUserId"]


def test_form_login_without_accept_gives_bare_text(sandbox: Sandbox) -> None:
    form = {"email": sandbox.books.email, "password": sandbox.books.password}
    answer = log_in(sandbox, data=form)
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) == 36
    assert me(sandbox, f"TOKEN uuid:{answer.text}").status_code == 200
    assert me(sandbox, f"TOKEN json:{answer.text}").status_code == 401


def test_wrong_password_is_401_html(sandbox: Sandbox) -> None:
    answer = log_in(sandbox, auth=(sandbox.books.email, "no"), headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")


@pytest.mark.parametrize("header", [None, "", "TOKEN uuid:", "TOKEN json:{}", "TOKEN json:[", "Bearer x", "TOKEN x"])
def test_no_valid_token_is_401(sandbox: Sandbox, header: str | None) -> None:
    assert me(sandbox, header).status_code == 401


def test_a_token_expires_on_the_clock_unless_renewed() -> None:
    clock = Clock(source=lambda: 0.0)
    with Sandbox(dataset="empty", clock=clock) as sandbox:
        old = json.dumps(sandbox.books.issue(60_000))
        clock.advance(59)
        headers = {"Authorization": f"TOKEN json:{old}", "Accept": "application/json"}
        renewed = log_in(sandbox, headers=headers, data={"duration": "60000"}).text
        clock.advance(1)
        assert me(sandbox, f"TOKEN json:{old}").status_code == 401
        assert log_in(sandbox, headers=headers).status_code == 401
        assert me(sandbox, f"TOKEN json:{renewed}").status_code == 200
        clock.advance(59)
        assert me(sandbox, f"TOKEN json:{renewed}").status_code == 401


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
    for text in ("{", "[" * 100_000, "[]", '"x"', "", '{"contactInformation": {"name": "x"}, "rate": NaN}'):
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


def test_a_page_of_all_rows_is_that_of_looking_at_each(kashoo: Client) -> None:
    rows = [kashoo.invoice(date=date) for date in ("2026-03-03", "2026-03-01", "2026-03-02", "2026-03-01")]
    kashoo.call("DELETE", f"records/invoices/{rows[2]['id']}", status=204)
    for limit, offset in ((2, 0), (2, 1), (2, 2), (2, 3), (500, 0)):
        every = kashoo.books.page(kashoo.business, "invoices", limit=limit, offset=offset)
        looked_at = kashoo.books.page(kashoo.business, "invoices", limit=limit, offset=offset, of_type="invoice")
        assert every == looked_at
        assert len(every) == max(0, min(limit, 3 - offset))


def test_a_list_that_lags_leaves_out_what_was_made_just_now(kashoo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kashoo.invoice()
    monkeypatch.setattr(kashoo.books, "list_delay_seconds", 60.0)
    assert kashoo.get("records/invoices") == []


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
        assert log_in(sandbox, auth=(books.email, books.password)).status_code == 429
        assert me(sandbox, "TOKEN uuid:x").status_code == 401  # not counted: nobody's request
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

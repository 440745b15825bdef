"""What the page's API says of a store after a real run, and when something is not there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient
from records import add_account, add_deal, writes
from tasks import Run

from airflow_provider_kashoo.plugins.api import app
from airflow_provider_kashoo.plugins.kept import Kept
from airflow_provider_kashoo.plugins.routes import plans, runs, today
from airflow_provider_kashoo.runtime.dag_runs import Schedule
from airflow_provider_kashoo.sandbox.server import Sandbox

SYNC, BACK = "salesforce_to_kashoo", "kashoo_to_salesforce"
RUN, PLANNED = "scheduled__2026-03-01T02:00:00+00:00", "manual__2"
NAME = "Deal <b>of</b> 100% & 'more'"

Page = Callable[..., Any]


@pytest.fixture(scope="module")
def deal(store_file: Path, sandbox: Sandbox) -> str:
    """A deal with an odd name that a finished run billed; of another one there is only a plan."""
    account = add_account(sandbox, "Adams & Sons")
    made = add_deal(sandbox, account, "98765.00", Name=NAME)
    sandbox.clock.advance(600)
    Run(sandbox, SYNC, RUN).up_to("commit")
    add_deal(sandbox, account, "500.00", Name="The next one")
    sandbox.clock.advance(600)
    Run(sandbox, SYNC, PLANNED).up_to("plan")
    return made


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """Give what an administrator's browser gets from the API."""
    create_auth_manager()
    user = SimpleAuthManagerUser(username="ann", role="admin")
    monkeypatch.setattr(app, "dependency_overrides", {get_user: lambda: user})
    for each in (today, runs):
        monkeypatch.setattr(each, "KEPT", Kept(patience=60))
    browser = TestClient(app)

    def get(path: str, status: int = 200) -> Any:
        answer = browser.get(f"/api/{path}")
        assert answer.status_code == status, answer.text
        assert status in (404, 422) or answer.headers["cache-control"] == "no-store"
        return answer.json()

    return get


def change(store: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(store)) as opened:
        opened.execute(statement, values)
        opened.commit()


def ask(store: Path, query: str) -> Any:
    with closing(sqlite3.connect(store)) as opened:
        return opened.execute(query).fetchone()[0]


def usd(page: Page) -> Any:
    return {each["currency"]: each for each in page("today")["pairs"][0]["money"]}["USD"]


def test_today_adds_up_what_was_billed(deal: str, page: Page, store_file: Path) -> None:
    billed = ask(store_file, "SELECT sum(expected_total) FROM links WHERE currency = 'USD'") / 100
    (pair,) = page("today")["pairs"]
    planned, done = pair["runs"]
    assert (done["run_id"], done["written"], done["failed"]) == (RUN, done["planned"], 0)
    assert (planned["run_id"], planned["written"], planned["planned"]) == (PLANNED, 0, 1)
    assert pair["writes"] == {"done": done["written"]}
    assert [each["source"] for each in pair["watermarks"]][:2] == ["salesforce.Account", "salesforce.Opportunity"]
    assert usd(page) | {"invoices": 0} == {
        "currency": "USD",
        "invoices": 0,
        "invoiced": f"{billed:,.2f} USD",
        "paid": "0.00 USD",
        "partly_paid": "0.00 USD",
        "open": f"{billed:,.2f} USD",
    }


def test_today_says_what_was_paid_and_what_waits(deal: str, page: Page, store_file: Path) -> None:
    before = usd(page)
    change(store_file, "UPDATE links SET settlement = 'Paid' WHERE source_id = ?", deal)
    change(store_file, "UPDATE operations SET state = 'parked' WHERE source_id = ?", deal)
    today_now = page("today")  # counted a moment ago: the same numbers
    assert {each["currency"]: each for each in today_now["pairs"][0]["money"]}["USD"] == before
    today.KEPT._counts.clear()
    try:
        assert usd(page)["paid"] == "98,765.00 USD"
        pair = page("today")["pairs"][0]
        assert (pair["writes"]["parked"], pair["runs"][1]["failed"]) == (1, 1)
    finally:
        change(store_file, "UPDATE links SET settlement = NULL")
        change(store_file, "UPDATE operations SET state = 'done'")


def test_today_says_how_far_a_run_is(deal: str, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page("today")["pairs"][0]["running"] == []  # Airflow knows neither run
    monkeypatch.setattr(today, "states_of", lambda *_: {PLANNED: "running", RUN: "success"})
    (running,) = page("today")["pairs"][0]["running"]
    assert (running["run_id"], running["planned"], running["done"], running["requests_left"]) == (PLANNED, 1, 0, 1)
    assert running["done_at"] >= page("today")["now"][:16]
    assert page("today")["limits"][0]["requests"] == 1_000_000
    assert 0 < page("today")["limits"][0]["left"] <= 1_000_000


@pytest.mark.parametrize(("paused", "hours", "late"), [(False, 2, True), (False, 0.5, False), (True, 2, False)])
def test_today_says_what_is_late(
    deal: str, page: Page, monkeypatch: pytest.MonkeyPatch, paused: bool, hours: float, late: bool
) -> None:
    due = datetime.now(UTC) - timedelta(hours=hours)
    monkeypatch.setattr(today, "schedule_of", lambda _: Schedule(paused, due))
    assert [(each["late"], each["paused"]) for each in page("today")["schedules"]] == [(late, paused)] * 2


def test_today_works_without_a_kashoo_connection(deal: str, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_KASHOO_DEFAULT")
    shown = page("today")
    assert "kashoo_default" in shown["no_limits"]
    assert shown["pairs"][0]["money"]


def test_plans_are_listed_and_shown_in_pages(deal: str, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = page(f"plans/{SYNC}")["plans"]
    assert [each["run_id"] for each in listed] == [PLANNED, RUN]
    assert listed[0]["new_invoices"] == ["500.00 USD"]
    assert page(f"plans/{BACK}") == {"plans": []}

    monkeypatch.setattr(plans, "MOST_ROWS", 2)
    path = f"plans/{SYNC}/{quote(RUN)}"
    first, second = page(path), page(f"{path}?offset=2")
    assert len(first["rows"]) == len(second["rows"]) == 2
    assert first["rows"] != second["rows"]
    (row,) = page(f"{path}?text={quote('100%')}")["rows"]
    assert (row["name"], row["customer"], row["total"]) == (NAME, "Adams & Sons", "98,765.00 USD")
    assert {each["action"] for each in page(f"{path}?action=link")["rows"]} == {"link"}
    assert page(f"{path}?action=void")["matching"] == 0
    assert "plan of this run is not there" in page(f"plans/{SYNC}/another", 404)["detail"]
    page(f"plans/another_dag/{quote(RUN)}", 404)


def test_a_run_has_its_plan_and_its_outcome(deal: str, page: Page) -> None:
    done = page(f"runs/{SYNC}/{quote(RUN)}")
    assert (done["known"], done["has_report"]) == (True, True)
    assert done["outcome"] == {"done": sum(each.get("create", 0) for each in done["actions"].values())}
    assert page(f"runs/{SYNC}/{PLANNED}")["outcome"] == {}
    assert page(f"runs/another_dag/{quote(RUN)}") == {"known": False}


def test_invoices_are_found(deal: str, page: Page) -> None:
    newest = page("invoices")["rows"]
    assert len(newest) > 20
    found = page("invoices?amount=98,765.00")
    assert [each["source_id"] for each in found["rows"]] == [deal]
    assert found["looked_at"] == 5_000
    day = newest[0]["date"]
    assert page(f"invoices?day={day}")["rows"] == [each for each in newest if each["date"] == day]
    for wrong in ("lots", "NaN", "9" * 20):
        said = {"what": f"'{wrong}' is no amount.", "remedy": "Write it like 1,250.00."}
        assert page(f"invoices?amount={wrong}", 409) == said


@pytest.mark.parametrize("text", ["<b>of</b> 1", "0% & 'm", "adams & s"])
def test_names_are_asked_of_salesforce(deal: str, page: Page, text: str) -> None:
    rows = page(f"invoices/named?text={quote(text)}")["rows"]
    assert (NAME, deal, "Adams & Sons") in [(each["name"], each["source_id"], each["customer"]) for each in rows]
    assert page(f"invoices/named?text={quote('0_ &')}")["rows"] == []


def test_a_story_is_told_with_and_without_asking(deal: str, page: Page, sandbox: Sandbox) -> None:
    before = writes(sandbox)
    stored = page(f"invoices/{deal}")
    assert stored["now"] == []
    assert [each["source_id"] for each in stored["links"]] == [deal]
    assert "create" in [each["event"] for each in stored["done"]] + [each["action"] for each in stored["plans"]]
    now = page(f"invoices/{deal}/now")["now"]
    assert (now[0]["name"], now[0]["found"]) == (NAME, True)
    assert writes(sandbox) == before


RULED = """version: 1
name: {name}
from: {{object: Opportunity}}
to: invoice
when: [IsWon]
fields: {{contact: {{link: AccountId, mapping: customer_from_account}}, date: {{from: CloseDate}}, currency: USD}}
single_line: {{amount: {{from: Amount}}, account: "4000", taxCode: none}}
rules:
  - {{when: Amount > 10, add_line: {{description: Handling, percent: 5, account: "4200", taxCode: none}}}}
  - {{when: Amount < 100, skip: too small}}
  - {{when: Amount > 99999, park: ask the controller}}
"""
CUSTOMER = (
    "version: 1\nname: customer_from_account\nfrom: {object: Account}\nto: customer\nfields: {name: {from: Name}}\n"
)


def test_records_are_opened_where_they_are(deal: str, page: Page, sandbox: Sandbox) -> None:
    here = {"Salesforce": f"{sandbox.salesforce_url}/{deal}"}
    told = page(f"invoices/{deal}")
    assert (told["opens"], [each["opens"] for each in told["links"]]) == (here, [here])
    assert [each["opens"] for each in page(f"plans/{SYNC}/{quote(RUN)}?text={deal}")["rows"]] == [here]


def test_mappings_say_what_their_rules_caught(
    deal: str, page: Page, store_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "customer.yaml").write_text(CUSTOMER)
    (tmp_path / "ruled.yaml").write_text(RULED.format(name="ruled"))
    (tmp_path / "wrong.yaml").write_text(CUSTOMER.replace("name: {from", "nme: {from").replace("_account\n", "_x\n", 1))
    monkeypatch.setenv("AIRFLOW__KASHOO__MAPPINGS_DIR", str(tmp_path))
    summary = json.loads(ask(store_file, "SELECT summary FROM runs"))
    changed = json.dumps(summary | {
        "rules": {"ruled: add_line Handling": 3, "other: add_line Handling": 9},
        "reasons": {"skip: too small": 7, "park: ask the controller": 1, "skip: not IsWon": 50},
    })  # fmt: skip
    change(store_file, "UPDATE runs SET summary = ?", changed)
    try:
        shown = page("mappings")
    finally:
        change(store_file, "UPDATE runs SET summary = ?", json.dumps(summary))
    ruled = next(each for each in shown["mappings"] if each["name"] == "ruled")
    assert [(each["what"], each["caught"]) for each in ruled["rules"]] == [
        ("add_line Handling", 6),  # in two runs
        ("skip: too small", 14),
        ("park: ask the controller", 2),
    ]
    assert {each["target"]: each["sources"] for each in ruled["fields"]}["date"] == ["CloseDate"]
    assert "dueDate" in ruled["unmapped"]
    assert any(each["place"].startswith("wrong.yaml:5") for each in shown["mistakes"])


def test_a_store_that_is_not_there_says_what_to_do(page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", f"sqlite:////{tmp_path}/none.db")
    for path in ("today", "todo", "invoices", "mappings", f"runs/{SYNC}/1", "invoices/006000000000001AAA"):
        assert page(path, 409)["remedy"] == "Run: airflow kashoo init"


def test_a_store_of_a_newer_version_says_so(
    deal: str, page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store_file: Path
) -> None:
    newer = tmp_path / "newer.db"
    with closing(sqlite3.connect(store_file)) as one, closing(sqlite3.connect(newer)) as other:
        one.backup(other)
    change(newer, "UPDATE alembic_version SET version_num = '9999'")
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", f"sqlite:////{newer}")
    for path in ("today", "todo", "invoices", "mappings", f"runs/{SYNC}/1", "invoices/006000000000001AAA"):
        assert "Install the version that made it" in page(path, 409)["remedy"]


def test_a_store_that_is_away_says_so(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", "postgres://me:pass-word-1@127.0.0.1:1/store")
    said = page("today", 503)
    assert "cannot be reached" in said["what"]
    assert "pass-word-1" not in str(said)

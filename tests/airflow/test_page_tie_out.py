"""The view Tie-out: what the page's API says of a real tie-out, and who may say what about a difference."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient
from tasks import Run

from airflow_provider_kashoo.operators.tie_out import KashooTieOutOperator
from airflow_provider_kashoo.plugins.api import app
from airflow_provider_kashoo.plugins.routes import tie_outs
from airflow_provider_kashoo.sandbox.server import Sandbox

DAG, NIGHT = "kashoo_tie_out", "scheduled__2026-03-01T06:00:00+00:00"
PATH = f"{DAG}/{quote(NIGHT, safe='')}"
FROM_THE_PAGE = {"origin": "http://testserver"}

Browser = Callable[..., TestClient]


@pytest.fixture
def browser(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Make a browser of somebody with a role."""
    create_auth_manager()

    def of(role: str = "admin") -> TestClient:
        user = SimpleAuthManagerUser(username="ann", role=role)
        monkeypatch.setattr(app, "dependency_overrides", {get_user: lambda: user})
        return TestClient(app)

    return of


@pytest.fixture(scope="module")
def removed(store_file: Path, sandbox: Sandbox) -> sqlite3.Row:
    """The link of an invoice that was removed in the books, after the tie-out that found it was made."""
    Run(sandbox, "salesforce_to_kashoo", "before").up_to("commit")
    query = "SELECT * FROM links WHERE target = 'invoice' AND currency = 'USD' ORDER BY id LIMIT 1"
    link: sqlite3.Row = ask(store_file, query)
    sandbox.books.remove(sandbox.books.main(), "invoices", link["kashoo_id"])
    began = datetime(2020, 1, 1, tzinfo=UTC)
    task = KashooTieOutOperator(task_id="tie_out", began=began, first_day="2020-01-01", last_day="2030-12-31")
    task.execute({"dag_run": SimpleNamespace(dag_id=DAG, run_id=NIGHT)})  # type: ignore[typeddict-item]
    return link


def ask(store: Path, query: str, *values: Any) -> Any:
    with closing(sqlite3.connect(store)) as opened:
        opened.row_factory = sqlite3.Row
        row = opened.execute(query, values).fetchone()
        opened.commit()
    return row


def get(browser: TestClient, path: str, status: int = 200) -> Any:
    answer = browser.get(f"/api/tie-outs{path}")
    assert answer.status_code == status, answer.text
    assert status == 404 or answer.headers["cache-control"] == "no-store"
    return answer.json()


def difference(browser: TestClient, removed: sqlite3.Row) -> Any:
    page = f"/{PATH}?currency=USD&month={removed['journal_date'][:7]}&name=removed in the books"
    (row,) = get(browser, page)["shown"]["rows"]
    return row


def said(browser: TestClient, ident: str, state: str, reason: str = "", **headers: str) -> Any:
    given = {"state": state, "reason": reason}
    return browser.post(f"/api/tie-outs/differences/{ident}", json=given, headers=headers or FROM_THE_PAGE)


def test_before_the_first_tie_out_there_is_none(empty_store: Path, browser: Browser) -> None:
    assert get(browser(), "") == {"tie_outs": []}


def test_a_tie_out_is_listed_with_its_months(removed: sqlite3.Row, browser: Browser, sandbox: Sandbox) -> None:
    (listed,) = get(browser("viewer"), "")["tie_outs"]
    assert (listed["dag_id"], listed["run_id"]) == (DAG, NIGHT)
    shown = get(browser("viewer"), f"/{PATH}")
    assert (shown["from"], shown["to"], shown["shown"]) == ("2020-01-01", "2030-12-31", None)
    assert shown["at"] == listed["at"]
    month = next(
        each
        for each in shown["months"]
        if (each["month"], each["currency"]) == (removed["journal_date"][:7], removed["currency"])
    )
    assert month["difference"] == f"{removed['expected_total'] / 100:,.2f}"
    assert not month["closed"]
    assert "differences are open" in month["why_open"][-1]


def test_a_difference_has_amounts_next_step_and_where_to_open_it(
    removed: sqlite3.Row, browser: Browser, sandbox: Sandbox
) -> None:
    row = difference(browser(), removed)
    assert row["id"]
    assert row | {"id": ""} == {
        "id": "",
        "name": "removed in the books",
        "source_id": removed["source_id"],
        "part": 1,
        "kashoo_id": removed["kashoo_id"],
        "kind": "invoice",
        "next_step": "Restore the invoice in Kashoo, or dismiss it with the reason.",
        "deal": f"{removed['expected_total'] / 100:,.2f}",
        "books": "0.00",
        "state": "open",
        "why": "",
        "by": None,
        "decided_at": None,
        "may_be_marked": True,
        "opens": {"Salesforce": f"{sandbox.salesforce_url}/{removed['source_id']}"},
    }


def test_differences_come_in_pages_and_by_name(
    removed: sqlite3.Row, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tie_outs, "MOST_ROWS", 1)
    page = f"/{PATH}?currency=USD&month={removed['journal_date'][:7]}"
    first, second = get(browser(), page)["shown"], get(browser(), f"{page}&offset=1")["shown"]
    assert first["matching"] == second["matching"] > 1
    assert first["rows"] != second["rows"]
    assert sum(each["count"] for each in first["names"]) == first["matching"]
    by_name = {each["name"]: each for each in first["names"]}["removed in the books"]
    assert (by_name["count"], by_name["apart"]) == (1, False)
    assert by_name["sum"] == f"{removed['expected_total'] / 100:,.2f}"
    assert get(browser(), f"/{PATH}?currency=EUR&month=1999-01")["shown"] is None


def test_what_customers_owe_is_shown_by_currency(removed: sqlite3.Row, browser: Browser, sandbox: Sandbox) -> None:
    owed = get(browser("viewer"), f"/{PATH}")["owed"]
    (total,) = (each for each in owed["totals"] if each["currency"] == "USD")
    assert total["customers"] > 1
    shown = get(browser("viewer"), f"/{PATH}?currency=USD&month=today")
    assert (shown["shown"]["month"], shown["shown"]["matching"]) == ("today", total["differences"])
    first = shown["customers"][0]
    assert first["opens"] == {"Salesforce": f"{sandbox.salesforce_url}/{first['source_id']}"}
    assert len(shown["customers"]) == min(total["customers"], tie_outs.MOST_ROWS)
    added = sum(Decimal(each["balance"].replace(",", "")) for each in shown["customers"])
    assert f"{added:,.2f}" == total["balance"]


def test_the_report_is_opened_as_a_page_and_as_csv(removed: sqlite3.Row, browser: Browser) -> None:
    task = KashooTieOutOperator(task_id="tie_out")
    key: Any = SimpleNamespace(dag_id=DAG, run_id=NIGHT)
    links = {link.name: link.get_link(task, ti_key=key) for link in task.operator_extra_links}  # type: ignore[arg-type]
    assert links["Kashoo"] == "/plugin/kashoo"
    path = links["Tie-out"].removeprefix("/kashoo")
    page, table = browser("viewer").get(path), browser("viewer").get(f"{path}?format=csv")
    for each in (page, table):
        assert each.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in each.headers["content-security-policy"]
    assert "Tie-out: deals, invoices and books" in page.text
    assert table.headers["content-disposition"] == 'attachment; filename="tie-out.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert removed["source_id"] in {row["source_id"] for row in rows}
    missing = browser("viewer").get(f"/tie-out/{DAG}/another")
    assert (missing.status_code, missing.text.partition(" is here")[0]) == (404, f"No tie-out of run another of {DAG}")


def test_what_a_person_says_is_in_the_store_and_on_the_page(
    removed: sqlite3.Row, browser: Browser, store_file: Path
) -> None:
    ann = browser("op")
    ident = difference(ann, removed)["id"]
    assert said(ann, ident, "dismissed", "credit note 118").json() == {"state": "dismissed"}
    query = "SELECT state, reason, decided_by FROM differences WHERE source_id = ?"
    assert tuple(ask(store_file, query, removed["source_id"])) == ("dismissed", "credit note 118", "ann (id ann)")
    assert "credit note 118" in ask(store_file, "SELECT reason FROM audit ORDER BY id DESC LIMIT 1")["reason"]
    row = difference(ann, removed)
    assert (row["state"], row["why"], row["by"]) == ("dismissed", "credit note 118", "ann (id ann)")
    assert row["decided_at"].endswith("Z")

    assert said(ann, ident, "open").status_code == 200
    assert difference(ann, removed)["state"] == "open"
    ask(store_file, "UPDATE differences SET state = 'resolved' WHERE source_id = ?", removed["source_id"])
    row = difference(ann, removed)
    assert (row["state"], row["may_be_marked"]) == ("resolved", False)
    assert "No open difference" in said(ann, ident, "investigating", "x").json()["what"]
    ask(store_file, "UPDATE differences SET state = 'open' WHERE source_id = ?", removed["source_id"])


def test_who_may_not_act_changes_nothing(removed: sqlite3.Row, browser: Browser, store_file: Path) -> None:
    ident = difference(browser(), removed)["id"]
    assert said(browser("viewer"), ident, "dismissed", "x").status_code == 403
    ann = browser()
    assert said(ann, ident, "dismissed", "x", origin="https://evil.example.com").status_code == 403
    assert said(ann, ident, "dismissed", "  ").status_code == 409
    assert said(ann, ident, "forgotten", "x").status_code == 422
    assert said(ann, ident, "dismissed", "x" * 1_001).status_code == 422
    query = "SELECT DISTINCT state FROM differences WHERE source_id = ?"
    assert ask(store_file, query, removed["source_id"])["state"] == "open"


def test_a_report_that_is_damaged_or_gone_says_so(
    removed: sqlite3.Row, browser: Browser, staged: Callable[[str], Path]
) -> None:
    report = staged(NIGHT)
    whole = report.read_text("utf-8")
    try:
        report.write_text(whole[:100])
        assert "report of this run cannot be read" in get(browser(), f"/{PATH}", 409)["what"]
        report.write_text(json.dumps({"format_version": "9.0"}))
        assert "another version" in get(browser(), f"/{PATH}", 409)["what"]
        report.unlink()
        assert "not there any more" in get(browser(), f"/{PATH}", 404)["detail"]
        assert get(browser(), "") == {"tie_outs": []}  # a run that did not compare yet
    finally:
        report.write_text(whole)
    assert "not there any more" in get(browser(), f"/{DAG}/another", 404)["detail"]


@pytest.fixture
def staged() -> Callable[[str], Path]:
    """Give the staged report of a run."""
    from airflow_provider_kashoo.settings import staging_root
    from airflow_provider_kashoo.sync.run.staged_runs import newest_runs

    def of(run_id: str) -> Path:
        (found,) = (files.folder for _, each, files in newest_runs(staging_root(), [DAG]) if each == run_id)
        return Path(str(found)) / "report.json"

    return of

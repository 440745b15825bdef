"""Tasks link to the page, and the task plan to its report, which only who may see the DAG gets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from airflow.dag_processing.dagbag import DagBag
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from records import add_account, add_deal, invoice_of
from tasks import Run

from airflow_provider_kashoo.get_provider_info import get_provider_info
from airflow_provider_kashoo.operators.links import (
    KashooPageLink,
    KashooRecordLink,
    PlanReportLink,
    SalesforceRecordLink,
    TieOutLink,
)
from airflow_provider_kashoo.plugins.api import app
from airflow_provider_kashoo.sandbox.server import Sandbox

LINKS = (PlanReportLink, TieOutLink, KashooPageLink, SalesforceRecordLink, KashooRecordLink)
SYNC = "salesforce_to_kashoo"
RUN = "scheduled__2026-03-01T02:00:00+00:00"


@pytest.fixture
def planned(new_run: Callable[[str], Run], sandbox: Sandbox) -> Run:
    """A run with a plan."""
    add_deal(sandbox, add_account(sandbox, "<script>alert(1)</script>"), "98765.00", Name="Deal & Sons")
    sandbox.clock.advance(600)  # past the margin
    return Run(sandbox, SYNC, RUN).up_to("plan")


def link_of(run_id: str = RUN) -> str:
    return PlanReportLink().get_link(SimpleNamespace(), ti_key=SimpleNamespace(dag_id=SYNC, run_id=run_id))  # type: ignore[arg-type]


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], TestClient]:
    """Make a browser of somebody with a role; None is nobody."""

    def browser(role: str | None) -> TestClient:
        create_auth_manager()
        user = SimpleAuthManagerUser(username="ann", role=role)
        monkeypatch.setattr(app, "dependency_overrides", {get_user: lambda: user} if role else {})
        return TestClient(app)

    return browser


def get(browser: TestClient, path: str) -> Any:
    return browser.get(path.removeprefix("/kashoo"))


def test_the_link_opens_the_report_with_names(planned: Run, as_user: Callable[[str | None], TestClient]) -> None:
    shown = get(as_user("viewer"), link_of())
    assert shown.status_code == 200
    assert "Deal &amp; Sons" in shown.text
    assert "98,765.00" in shown.text
    assert "<script>alert(1)</script>" not in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert shown.headers["cache-control"] == "no-store"


def test_nobody_gets_it_without_a_login(planned: Run, as_user: Callable[[str | None], TestClient]) -> None:
    assert get(as_user(None), link_of()).status_code == 401


def test_who_may_not_see_the_dag_does_not_get_it(planned: Run, as_user: Callable[[str | None], TestClient]) -> None:
    browser = as_user("viewer")
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="eve", role=None)
    assert get(browser, link_of()).status_code == 403


@pytest.mark.parametrize("run_id", ["another", "../../etc", "a/b"])
def test_a_report_that_is_not_there_says_why(as_user: Callable[[str | None], TestClient], run_id: str) -> None:
    shown = get(as_user("viewer"), link_of(run_id))
    assert shown.status_code == 404
    assert "No report of run" in shown.text
    assert "airflow kashoo plan --format html" in shown.text


def test_a_run_of_another_dag_is_not_shown(planned: Run, as_user: Callable[[str | None], TestClient]) -> None:
    assert get(as_user("viewer"), f"/plan/another_dag/{quote(RUN, safe='')}").status_code == 404


def test_the_link_is_below_the_path_of_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.com/company/")
    assert link_of("a/b c") == f"/company/kashoo/plan/{SYNC}/a%2Fb%20c"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://localhost:8080")
    assert link_of("1").startswith("/kashoo/plan/")


def test_every_step_links_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.com/company/")
    key: Any = SimpleNamespace(dag_id=SYNC, run_id=RUN)
    tasks = DagBag(Path(__file__).parents[2] / "dags" / f"{SYNC}.py").dags[SYNC].tasks
    for task in tasks:
        links = {link.name: link.get_link(task, ti_key=key) for link in task.operator_extra_links}  # type: ignore[arg-type]
        assert links["Kashoo"] == "/company/plugin/kashoo", task.task_id
    assert len(tasks) == 9


def test_apply_links_to_the_biggest_record_on_both_sides(
    new_run: Callable[[str], Run], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = json.loads(os.environ["AIRFLOW_CONN_KASHOO_DEFAULT"])
    conn["extra"] = (conn.get("extra") or {}) | {"profile": {"record_url": "https://books.example/{kind}/{id}"}}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_DEFAULT", json.dumps(conn))
    account = add_account(sandbox, "Big")
    deal = add_deal(sandbox, account, "98765.00")
    sandbox.clock.advance(600)
    run = Run(sandbox, SYNC, RUN).up_to("apply")
    apply, key = run.tasks["apply"], SimpleNamespace(dag_id=SYNC, run_id=RUN)
    links = {link.name: link.get_link(apply, ti_key=key) for link in apply.operator_extra_links}
    assert links["Biggest record in Salesforce"].endswith(f"/{deal}")
    assert links["Biggest record in Kashoo"] == f"https://books.example/invoice/{invoice_of(sandbox, deal)['id']}"


def test_airflow_knows_every_link_of_ours() -> None:
    """It shows only those that the provider names."""
    ours = {f"{each.__module__}.{each.__qualname__}" for each in LINKS}
    assert set(get_provider_info()["extra-links"]) == ours


def test_every_route_needs_a_login(as_user: Callable[[str | None], TestClient]) -> None:
    browser = as_user(None)
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert routes
    for route in routes:
        for method in route.methods:
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, "x"))
            assert browser.request(method, path).status_code == 401, path
    assert len(routes) == len(app.routes)

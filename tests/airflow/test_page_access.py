"""Who gets what of the page: each route is walked, so that a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from airflow_provider_kashoo.plugins.access import ACTS, OTHER_SITE, same_origin
from airflow_provider_kashoo.plugins.api import app

ROUTES = [route for route in app.routes if isinstance(route, APIRoute)]
OPEN = {"/static/kashoo.js"}
"""Only a login is needed: the script says nothing of any company."""

COSTS = {"/api/invoices/{record}/now", "/api/todo/names"}
"""Uses up requests to Kashoo: who may only look must not."""

CHANGES = {route.path_format for route in ROUTES if route.methods - {"GET", "HEAD"}}
"""Keeps what a person says, or starts a run."""

HOME = {"origin": "http://testserver"}

NONE, FORBIDDEN = 401, 403
ROLES = ("viewer", "user", "op", "admin")

Browser = Callable[[str | None], TestClient]


@pytest.fixture
def browser(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Make a browser of somebody with a role; None is nobody. No store is there, which each route then says."""
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", f"sqlite:////{tmp_path_factory.mktemp('none')}/none.db")
    create_auth_manager()

    def of(role: str | None) -> TestClient:
        user = SimpleAuthManagerUser(username="ann", role=None if role == "eve" else role)
        monkeypatch.setattr(app, "dependency_overrides", {get_user: lambda: user} if role else {})
        return TestClient(app)

    return of


def statuses(browser: TestClient) -> dict[str, int]:
    found = {}
    for route in ROUTES:
        for method in route.methods:
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, "salesforce_to_kashoo"))
            found[route.path_format] = browser.request(method, path, headers=HOME).status_code
    return found


def test_all_of_the_app_are_routes_that_are_walked_here() -> None:
    assert len(ROUTES) == len(app.routes) > 8


def test_nobody_gets_anything_without_a_login(browser: Browser) -> None:
    assert set(statuses(browser(None)).values()) == {NONE}


def test_who_may_see_no_dag_gets_only_the_script(browser: Browser) -> None:
    found = statuses(browser("eve"))
    assert {path for path, status in found.items() if status != FORBIDDEN} == OPEN


@pytest.mark.parametrize("role", ROLES)
def test_who_may_see_the_dag_may_look_and_who_may_edit_it_may_ask_kashoo(browser: Browser, role: str) -> None:
    refused = {path for path, status in statuses(browser(role)).items() if status in {NONE, FORBIDDEN}}
    assert refused == (COSTS | CHANGES if role == "viewer" else set())


def test_what_changes_something_is_known() -> None:
    names = {path.rpartition("/")[2] for path in CHANGES}
    assert names == {"dismiss", "settle", "resolve", "decide", "replay", "{ident}"}


def test_what_changes_something_checks_where_the_request_comes_from() -> None:
    for route in ROUTES:
        if route.methods - {"GET", "HEAD"}:
            assert {each.dependency for each in ACTS} <= {each.dependency for each in route.dependencies}, route.path


AIR = {"host": "air.example.com"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://air.example.com", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://air.example.com"}, 200),
        ({"referer": "https://air.example.com/plugin/kashoo"}, 200),
        ({"origin": "https://public.example.com"}, 200),  # as [api] base_url names it, before a proxy
        ({"authorization": "Bearer x"}, 200),
        ({}, 403),
        ({"origin": "https://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://air.example.com.evil.example"}, 403),
        ({"origin": "https://air.example.com", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://air.example.com", "sec-fetch-site": "same-site"}, 403),
    ],
)
def test_another_site_cannot_act(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], status: int) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://public.example.com/air")
    small = FastAPI()

    @small.post("/act", dependencies=[Depends(same_origin)])
    def act() -> str:
        return "done"

    answer = TestClient(small).post("/act", headers=AIR | headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["detail"] == OTHER_SITE


def test_a_browser_that_has_the_script_gets_it_only_when_it_changed(browser: Browser) -> None:
    ann = browser("viewer")
    first = ann.get("/static/kashoo.js")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = ann.get("/static/kashoo.js", headers={"If-None-Match": f'W/{first.headers["etag"]}, "x"'})
    assert (again.status_code, again.content) == (304, b"")
    assert ann.get("/static/kashoo.js", headers={"If-None-Match": '"older"'}).content == first.content

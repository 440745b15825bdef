"""What KashooHook sends, where to, and what it says of an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from airflow_provider_kashoo.core.errors import (
    ConfigurationError,
    RefusedError,
    UnreachableError,
)
from airflow_provider_kashoo.hooks.kashoo import DEFAULT_BUDGET, KashooHook
from tests.airflow.environment import BUSINESS, NO_SLASH, TOKEN, served, shown

ASKED = "items?email=jane@doe.example"


def test_https_is_used_unless_the_host_says_otherwise(store_file: Path, books: Any) -> None:
    with served() as seen:
        KashooHook("books").run("users/me/businesses")
    assert {request.scheme for request in seen.request_history} == {"https"}
    books(host="http://books.example/api")
    with requests_mock.Mocker() as seen:
        seen.post("http://books.example/api/authTokens", json=TOKEN)
        seen.get("http://books.example/api/users/me/businesses", json=[BUSINESS])
        assert KashooHook("books").run("/users/me/businesses").json() == [BUSINESS]


def test_without_a_host_it_is_kashoo_itself(store_file: Path, books: Any) -> None:
    books(host=None)
    with requests_mock.Mocker() as seen:
        seen.post("https://api.kashoo.com/api/authTokens", json=TOKEN)
        seen.get("https://api.kashoo.com/api/users/me/businesses", json=[BUSINESS])
        assert KashooHook("books").test_connection() == (True, "Connected to Northwind Trading Ltd..")


def test_a_port_is_refused_because_it_would_end_behind_the_path(store_file: Path, books: Any) -> None:
    books(port=8443)
    with pytest.raises(ConfigurationError, match=r"Connection books has a port.*Write the port into the host"):
        KashooHook("books").client()
    ok, message = KashooHook("books").test_connection()
    assert not ok
    assert "has a port" in message


def test_an_unknown_extra_never_becomes_a_header(store_file: Path, books: Any) -> None:
    books(extra={"X-Secret": "leaked", "verify": False, "budget": json.dumps(DEFAULT_BUDGET)})
    with served() as seen:
        KashooHook("books").run("users/me/businesses", headers={"X-Own": "1"})
    for request in seen.request_history:
        assert {"X-Secret", "verify", "budget", "business_id"}.isdisjoint(request.headers)
        assert request.verify is not False
    assert seen.request_history[-1].headers["X-Own"] == "1"


def test_a_refusal_is_said_without_its_body(store_file: Path, books: Any, caplog: pytest.LogCaptureFixture) -> None:
    with served(400, {"message": "Jane Doe owes 12.50"}), pytest.raises(RefusedError) as refused:
        KashooHook("books").run("users/me/businesses")
    assert refused.value.status == 400
    assert "Kashoo answered 400 to GET /api/users/me/businesses." in str(refused.value)
    assert "Jane" not in str(refused.value) + caplog.text


def test_a_redirect_is_not_followed(store_file: Path, books: Any) -> None:
    with served() as seen:
        seen.post(f"https://{NO_SLASH}/sync", status_code=302, headers={"Location": "https://elsewhere.example/"})
        with pytest.raises(RefusedError):
            KashooHook("books", method="POST").run("sync", data={"a": 1})
    assert {request.hostname for request in seen.request_history} == {"books.example"}


def sent(books_hook: KashooHook, **given: Any) -> requests_mock.request._RequestObjectProxy:
    """Send one write and give what reached the books."""
    with served() as seen:
        seen.register_uri(requests_mock.ANY, f"https://{NO_SLASH}/items", status_code=201, json={"id": 7})
        books_hook.run("items", **given)
    return seen.request_history[-1]


@pytest.mark.parametrize(
    "given", [{"data": {"name": "Bolt"}}, {"json": {"name": "Bolt"}}, {"data": '{"name": "Bolt"}'}], ids=str
)
def test_a_body_arrives_as_it_was_given(store_file: Path, books: Any, given: dict[str, Any]) -> None:
    assert sent(KashooHook("books", method="POST"), **given).json() == {"name": "Bolt"}


@pytest.mark.parametrize("empty", [[], {}])
def test_an_empty_body_stays_what_it_is(store_file: Path, books: Any, empty: Any) -> None:
    assert sent(KashooHook("books", method="PUT"), json=empty).json() == empty


def test_text_that_is_no_json_arrives_byte_by_byte(store_file: Path, books: Any) -> None:
    assert sent(KashooHook("books", method="POST"), data="Größe").body == "Größe".encode()


@pytest.mark.parametrize(
    ("method", "given", "error", "said"),
    [
        ("POST", {"extra_options": {"timeout": 5}}, ValueError, "does not support extra_options.*timeout"),
        ("POST", {"data": {}, "json": {}}, ValueError, "Give the body once"),
        ("GET", {"json": {"a": 1}}, ValueError, "a GET has none"),
        ("POST", {"files": {}, "auth": ("a", "b")}, TypeError, "does not support auth, files"),
        ("POST", {"allow_redirects": True}, TypeError, "does not support allow_redirects"),
    ],
)
def test_what_run_cannot_do_is_refused_before_anything_is_sent(
    store_file: Path, books: Any, method: str, given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with served() as seen, pytest.raises(error, match=said):
        KashooHook("books", method=method).run("items", **given)
    assert seen.request_history == []


def test_get_conn_refuses_options_too(store_file: Path, books: Any) -> None:
    with pytest.raises(ValueError, match="does not support extra_options; it was given verify"):
        KashooHook("books").get_conn(extra_options={"verify": False})


def test_headers_are_of_the_caller_who_gives_them(store_file: Path, books: Any) -> None:
    hook = KashooHook("books")
    own = hook.get_conn({"X-Own": "1"})
    with served() as seen:
        own.get(f"https://{NO_SLASH}/users/me/businesses")
        hook.run("users/me/businesses", headers={"X-Other": "2"})
        hook.run("users/me/businesses")
    first, _, second, third = seen.request_history
    assert first.headers["X-Own"] == "1"
    assert "X-Own" not in {**second.headers, **third.headers}
    assert second.headers["X-Other"] == "2"
    assert "X-Other" not in third.headers
    assert own.get_adapter("https://x") is hook.get_conn().get_adapter("https://x")


def test_a_token_the_books_forgot_is_renewed_a_read_repeated_and_a_write_not(store_file: Path, books: Any) -> None:
    answers = [{"status_code": 200, "json": []}, {"status_code": 401}, {"status_code": 200, "json": []}]
    with served() as seen:
        items = f"https://{NO_SLASH}/items"
        seen.get(items, answers)
        seen.post(items, [{"status_code": 401}, {"status_code": 201, "json": {"id": 7}}])
        hook = KashooHook("books")
        hook.run("items")
        assert hook.run("items").status_code == 200
        hook.method = "POST"
        with pytest.raises(RefusedError, match="answered 401"):
            hook.run("items", data={})
        assert hook.run("items", data={}).status_code == 201
    said = [f"{each.method} {each.path.rpartition('/')[2]}" for each in seen.request_history]
    assert said == [
        *("POST authtokens", "GET items", "GET items", "POST authtokens", "GET items"),
        *("POST items", "POST authtokens", "POST items"),
    ]


@pytest.mark.parametrize("status", [302, 401, 408, 409, 500, 502])
def test_a_write_whose_outcome_is_unknown_is_not_said_to_be_refused(store_file: Path, books: Any, status: int) -> None:
    with served() as seen:
        seen.post(f"https://{NO_SLASH}/items", status_code=status)
        with pytest.raises(RefusedError) as failed:
            KashooHook("books", method="POST").run("items", data={})
    assert failed.value.status == status
    assert str(failed.value) == (
        f"Kashoo answered {status} to POST /api/items. It is not known whether it was written. "
        "Look in Kashoo before you send it again."
    )


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 415, 422, 429])
def test_a_write_that_was_refused_for_sure_is_said_to_be(store_file: Path, books: Any, status: int) -> None:
    with served() as seen:
        seen.post(f"https://{NO_SLASH}/items", status_code=status)
        with pytest.raises(RefusedError, match=rf"answered {status} to POST /api/items\. Nothing was written\."):
            KashooHook("books", method="POST").run("items", data={})


@pytest.mark.parametrize(
    ("method", "fault", "written"),
    [
        ("GET", requests.ReadTimeout("late"), "Nothing was written."),
        ("POST", requests.ReadTimeout("late"), "It is not known whether it was written."),
        ("POST", requests.ConnectionError("cut"), "It is not known whether it was written."),
        ("POST", requests.exceptions.ChunkedEncodingError("cut"), "It is not known whether it was written."),
        ("POST", requests.ConnectTimeout("no way"), "Nothing was written."),
    ],
)
def test_no_answer_is_said_without_the_query(
    store_file: Path, books: Any, method: str, fault: Exception, written: str
) -> None:
    with served() as seen:
        seen.register_uri(method, f"https://{NO_SLASH}/items", exc=fault)
        with pytest.raises(UnreachableError, match="Kashoo cannot be reached") as failed:
            KashooHook("books", method=method).run(ASKED, data={})
    assert failed.value.written == written
    assert "jane" not in shown(failed.value)


def test_the_query_is_in_no_message(store_file: Path, books: Any) -> None:
    with served(404) as seen, pytest.raises(RefusedError) as failed:
        KashooHook("books").run("users/me/businesses?phone=1", data={"email": "jane@doe.example"})
    assert "jane" in seen.request_history[-1].url
    assert "Kashoo answered 404 to GET /api/users/me/businesses." in str(failed.value)
    assert "jane" not in str(failed.value)


@pytest.mark.parametrize("name", ["login", "password"])
def test_what_a_connection_lacks_is_named(store_file: Path, books: Any, name: str) -> None:
    books(**{name: None})
    with pytest.raises(ConfigurationError, match=rf"Connection books lacks {name}\. .*Admin > Connections"):
        KashooHook("books").client()


def test_a_business_id_is_needed(store_file: Path, books: Any) -> None:
    books(extra={"business_id": ""})
    with pytest.raises(ConfigurationError, match="Connection books lacks business_id"):
        KashooHook("books").client()

from __future__ import annotations

import json
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    ConfigurationError,
    RefusedError,
    UnreachableError,
)
from airflow_provider_kashoo.hooks.kashoo import DEFAULT_BUDGET, KashooHook
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Limit
from tests.airflow.environment import set_connection

TOKEN = {"authenticationCode": "c2VjcmV0", "expiryDate": 4_000_000_000_000}
BUSINESS = {"id": 77, "contactInformation": {"name": "Northwind Trading Ltd."}}
NO_SLASH = "books.example/api"
ASKED = "items?email=jane@doe.example"


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connections of this test: a Kashoo that is only a name, for whatever is checked before anything is sent."""

    def set_books(**changes: Any) -> None:
        given = {"conn_type": "kashoo", "host": NO_SLASH, "login": "me@firm.example", "password": "pass-word-1"}
        given["extra"] = {"business_id": "77"}
        extra = {**given["extra"], **changes.pop("extra", {})}
        value = {name: each for name, each in ({**given, **changes, "extra": extra}).items() if each is not None}
        monkeypatch.setenv("AIRFLOW_CONN_BOOKS", json.dumps(value))

    set_books()
    return set_books


def served(status: int = 200, body: Any = None) -> requests_mock.Mocker:
    mocker = requests_mock.Mocker()
    mocker.post("https://books.example/api/authTokens", json=TOKEN)
    mocker.get(f"https://{NO_SLASH}/users/me/businesses", status_code=status, json=[BUSINESS] if body is None else body)
    return mocker


# -- KashooHook: where it goes and what it sends


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
        "Look in Kashoo before it is sent again."
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


# -- KashooHook: the budget


@pytest.mark.parametrize("as_text", [True, False])
def test_the_budget_may_be_json_text_or_a_list(store_file: Path, books: Any, as_text: bool) -> None:
    limits = [{"requests": 9, "seconds": 60}, {"requests": 2, "seconds": 0.5}]
    books(extra={"budget": json.dumps(limits) if as_text else limits})
    assert KashooHook("books").budget().limits == (Limit(9, 60.0), Limit(2, 0.5))


def test_without_a_budget_the_default_holds(store_file: Path, books: Any) -> None:
    for extra in ({}, {"budget": ""}, {"budget": None}):
        books(extra=extra)
        assert KashooHook("books").budget().limits == (Limit(500, 3600.0), Limit(5, 1.0))


def test_one_login_on_one_host_has_one_budget_and_its_address_is_not_in_the_store(store_file: Path, books: Any) -> None:
    def used(**changes: Any) -> int:
        books(**changes)
        return KashooHook("books").budget().used(3600)

    assert used(login="anna@firm.example") == 0
    for _ in range(2):
        KashooHook("books").budget().acquire(60)
    assert used(login="anna@firm.example") == 2
    same = {"login": "Anna@Firm.example", "host": "https://BOOKS.example:443/other", "extra": {"business_id": "78"}}
    assert used(**same) == 2
    assert used(login="other@firm.example") == used(login="anna@firm.example", host="http://books.example/api") == 0
    with sqlite3.connect(store_file) as store:
        names = {row[0] for row in store.execute("SELECT budget FROM budget_slots")}
    assert [name for name in names if "@" in name or "example" in name] == []


@pytest.mark.parametrize(
    "budget",
    [
        "{}",
        "[]",
        "7",
        '"five"',
        '[{"requests": 5}]',
        '[{"requests": 0, "seconds": 1}]',
        '[{"requests": 5, "seconds": -1}]',
        [{"requests": "many", "seconds": 1}],
        {"requests": 5, "seconds": 1},
        [5, 1],
    ],
)
def test_a_malformed_budget_says_what_to_write(store_file: Path, books: Any, budget: Any) -> None:
    books(extra={"budget": budget})
    with pytest.raises(ConfigurationError) as refused:
        KashooHook("books").budget()
    assert str(refused.value) == (
        "The extra 'budget' of the Kashoo connection is not a list of limits. Nothing was written. "
        'Write for example [{"requests": 500, "seconds": 3600}].'
    )


def test_a_budget_that_is_not_json_is_named(store_file: Path, books: Any) -> None:
    books(extra={"budget": "[{"})
    with pytest.raises(ConfigurationError, match="The extra 'budget' of the Kashoo connection is not JSON"):
        KashooHook("books").budget()


def test_the_profile_may_be_overridden_and_a_misspelt_key_is_named(store_file: Path, books: Any) -> None:
    books(extra={"profile": '{"item": "/businesses/{b}/products"}', "reference_field": "poNumber"})
    profile = KashooHook("books").client().profile
    assert (profile.item, profile.invoice_reference) == ("/businesses/{b}/products", "poNumber")
    books(extra={"profile": {"itme": "/x"}})
    with pytest.raises(ConfigurationError, match="unknown key 'itme'"):
        KashooHook("books").client()


# -- KashooHook against the sandbox


def test_a_good_connection_names_the_business(sandbox: Sandbox, store_file: Path) -> None:
    name = sandbox.books.business(sandbox.books.main()).name
    assert KashooHook().test_connection() == (True, f"Connected to {name}.")


def test_every_request_takes_a_slot_of_the_shared_budget(sandbox: Sandbox, store_file: Path, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "kashoo_default", budget=[{"requests": 1000, "seconds": 3600}])
    before, seen = KashooHook().budget().used(3600), sandbox.logs["kashoo"].total
    hook = KashooHook()
    hook.run("users/me/businesses")
    hook.run("users/me/businesses")
    assert hook.get_conn() is hook.get_conn()
    assert sandbox.logs["kashoo"].total - seen == 3  # the login is one of them
    assert KashooHook().budget().used(3600) - before == 3


def test_the_test_button_works_before_init(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = {"conn_type": "sqlite", "host": str(tmp_path / "absent" / "store.db")}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(store))
    assert KashooHook().test_connection()[0] is True
    assert not Path(store["host"]).exists()


def test_a_wrong_password_is_said_and_not_shown(sandbox: Sandbox, store_file: Path, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "kashoo_default", password="not-the-password")
    ok, message = KashooHook().test_connection()
    assert not ok
    assert message.startswith("Kashoo refused the login.")
    assert "not-the-password" not in message
    assert sandbox.books.password not in message


def test_a_foreign_business_is_said(sandbox: Sandbox, store_file: Path, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "kashoo_default", business_id="12345")
    ok, message = KashooHook().test_connection()
    assert not ok
    assert message.startswith("Logged in, but the user has no business 12345; it has [")
    assert str(sandbox.books.main()) in message


def test_an_unreachable_host_is_said(sandbox: Sandbox, store_file: Path, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "kashoo_default", host="http://127.0.0.1:9/api")
    hook = KashooHook()
    client = hook.client()
    client._sleep = lambda _: None
    ok, message = hook.test_connection()
    assert not ok
    assert message.startswith("Kashoo cannot be reached (ConnectionError).")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": {"budget": 5}}, "The extra 'budget' of the Kashoo connection is not a list of limits"),
        ({"extra": {"profile": "[1]"}}, "The extra 'profile' of the Kashoo connection is no JSON object"),
        ({"extra": {"profile": "5"}}, "The extra 'profile' of the Kashoo connection is no JSON object"),
        ({"extra": {"profile": "{"}}, "The extra 'profile' of the Kashoo connection is not JSON"),
        ({"extra": {"business_id": ""}}, "Connection books lacks business_id"),
        ({"host": "books.example:http/api"}, "The host of connection books is no address"),
        ({"host": "https://"}, "The host of connection books is no address"),
    ],
)
@pytest.mark.parametrize("stored", [True, False])
def test_a_connection_with_which_every_task_would_fail_does_not_pass_the_test(
    store_file: Path,
    books: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changes: dict[str, Any],
    said: str,
    stored: bool,
) -> None:
    if not stored:
        absent = {"conn_type": "sqlite", "host": str(tmp_path / "absent.db")}
        monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(absent))
    books(**changes)
    with served() as seen:
        ok, message = KashooHook("books").test_connection()
    assert (ok, seen.request_history) == (False, [])
    assert said in message


def test_a_store_that_is_broken_does_not_pass_the_test(books: Any, monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"name,amount\n" * 500)
    for store, said in (
        ({"conn_type": "sqlite", "host": str(tmp_path / "store.db")}, "is no SQLite database"),
        ({"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me"}, "cannot be reached"),
        ({"conn_type": "mysql", "host": "db"}, "the sync store is sqlite or postgres"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(store))
        ok, message = KashooHook("books").test_connection()
        assert not ok
        assert said in message


def test_a_connection_that_does_not_exist_is_said() -> None:
    ok, message = KashooHook("nobody").test_connection()
    assert not ok
    assert "nobody" in message


@pytest.mark.parametrize("name", [None, {}, {"name": None}])
def test_a_business_without_a_name_is_named_by_its_id(store_file: Path, books: Any, name: Any) -> None:
    with served(body=[{"id": 77, "contactInformation": name}, {"id": 78}]):
        assert KashooHook("books").test_connection() == (True, "Connected to business 77.")


@pytest.mark.parametrize("body", [[1], [{}], [[]], [{"id": 77, "contactInformation": "Jane Doe"}]], ids=str)
def test_businesses_of_another_shape_are_a_no_without_what_they_hold(store_file: Path, books: Any, body: Any) -> None:
    with served(body=body):
        ok, message = KashooHook("books").test_connection()
    assert not ok
    assert message.startswith("It failed with ")
    assert "Jane" not in message


@pytest.mark.parametrize("path", ["authTokens", "users/me/businesses"])
@pytest.mark.parametrize("fault", [requests.exceptions.ChunkedEncodingError, requests.exceptions.InvalidHeader])
def test_whatever_goes_wrong_on_the_way_is_said(store_file: Path, books: Any, path: str, fault: Any) -> None:
    with served() as seen:
        seen.register_uri(requests_mock.ANY, f"https://{NO_SLASH}/{path}", exc=fault("pass-word-1"))
        ok, message = KashooHook("books").test_connection()
    assert not ok
    assert f"Kashoo cannot be reached ({fault.__name__})" in message
    assert "pass-word-1" not in message


# -- KashooSalesforceHook


def test_the_salesforce_hook_logs_in_and_reads(sandbox: Sandbox) -> None:
    organization = KashooSalesforceHook().client.organization()
    assert (organization.id, organization.currency) == (sandbox.org.org_id, "USD")


def test_a_wrong_secret_is_an_authentication_error_without_the_secret(sandbox: Sandbox, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "salesforce_default", consumer_secret="WRONG-SECRET-0815")
    with pytest.raises(AuthenticationError) as refused:
        KashooSalesforceHook().client.organization()
    assert str(refused.value).startswith("Salesforce refused the login (")
    assert "Check connection salesforce_default and the user's permissions." in str(refused.value)
    assert "WRONG-SECRET-0815" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_expired_session_is_renewed_without_notice(sandbox: Sandbox) -> None:
    client = KashooSalesforceHook().client
    client.organization()
    first = client._login
    sandbox.clock.advance(3 * 3600)
    assert client.organization().id == sandbox.org.org_id
    assert client._login != first
    logins = [seen for seen in sandbox.logs["salesforce"].entries() if seen["path"].endswith("/oauth2/token")]
    refused = [seen["status"] for seen in sandbox.logs["salesforce"].entries() if seen["status"] == 401]
    assert len(refused) == 1
    assert logins[-1]["status"] == 200


def test_an_unreachable_salesforce_is_tried_again_not_a_crash(sandbox: Sandbox, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "salesforce_default", domain="localhost:9/acme.my")
    with pytest.raises(UnreachableError, match="Salesforce cannot be reached"):
        KashooSalesforceHook().client.organization()


CLIENT = {"consumer_key": "key", "consumer_secret": "SECRET-0815", "domain": "acme.my"}
TOKEN_URL = "https://acme.my.salesforce.com/services/oauth2/token"
SOAP_URL = "https://login.salesforce.com/services/Soap/u/59.0"


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Salesforce connection of this test, to an org that is only a name."""

    def set_org(login: str | None = None, password: str | None = None, **extra: Any) -> KashooSalesforceHook:
        given = {"conn_type": "salesforce", "login": login, "password": password, "extra": extra or CLIENT}
        monkeypatch.setenv("AIRFLOW_CONN_ORG", json.dumps(given))
        return KashooSalesforceHook("org")

    return set_org


def soap_fault(code: str) -> str:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">'
        f"<e:Body><e:Fault><detail><sf:fault><sf:exceptionCode>{code}</sf:exceptionCode>"
        "<sf:exceptionMessage>SECRET-0815</sf:exceptionMessage></sf:fault></detail></e:Fault></e:Body></e:Envelope>"
    )


def shown(error: BaseException) -> str:
    """Everything that a task log would print of it."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<html>SECRET-0815</html>"),
        (503, ""),
        (429, "slow down"),
        (404, "<html>no such page</html>"),
        (200, "<html>maintenance</html>"),
        (200, "[]"),
        (200, '{"access_token": "x"}'),
        (400, '[{"errorCode": "SERVER_UNAVAILABLE", "message": "SECRET-0815"}]'),
        (400, '"SECRET-0815"'),
        (503, '{"error": "temporarily_unavailable"}'),
        (400, '{"error": "SECRET 0815 <b>"}'),
        (400, '{"error": ["SECRET-0815"]}'),
        (400, "{}"),
        (400, '{"error": "invalid_grant", "error_description": "login rate exceeded"}'),
    ],
)
def test_a_login_that_the_org_did_not_refuse_is_tried_again(org: Any, status: int, body: str) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(TOKEN_URL, status_code=status, text=body)
        with pytest.raises(UnreachableError, match=r"the login \(.*connection org") as failed:
            org().client  # noqa: B018
    assert "SECRET" not in shown(failed.value)


@pytest.mark.parametrize("word", ["invalid_grant", "invalid_client", "invalid_client_id", "inactive_user"])
def test_a_login_that_the_org_refused_is_not_tried_again(org: Any, word: str) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(TOKEN_URL, status_code=400, json={"error": word, "error_description": "SECRET-0815"})
        with pytest.raises(
            AuthenticationError, match=rf"refused the login \({word}\)\..*Check connection org"
        ) as failed:
            org().client  # noqa: B018
    assert "SECRET" not in shown(failed.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, soap_fault("INVALID_LOGIN"), AuthenticationError),
        (500, soap_fault("LOGIN_MUST_USE_SECURITY_TOKEN"), AuthenticationError),
        (500, soap_fault("SERVER_UNAVAILABLE"), UnreachableError),
        (500, soap_fault("LOGIN_RATE_EXCEEDED"), UnreachableError),
        (503, "<html><p>SECRET-0815</html>", UnreachableError),
        (200, "<html><p>SECRET-0815</html>", UnreachableError),
        (200, "<html/>", UnreachableError),
    ],
)
def test_a_login_by_soap_is_told_apart_in_the_same_way(org: Any, status: int, body: str, kind: Any) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(SOAP_URL, status_code=status, text=body)
        with pytest.raises(kind) as failed:
            org("me@acme.example", CLIENT["consumer_secret"], security_token="t").client  # noqa: B018
    assert "SECRET" not in shown(failed.value)


def encrypted_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    way = serialization.BestAvailableEncryption(b"SECRET-0815")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, way).decode()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"private_key": "MIIEvSECRET-0815"}, "has a private key that is no RSA key in PEM"),
        ({"private_key": encrypted_key()}, "has an encrypted private key"),
        (
            {"private_key_file_path": "/nowhere/SECRET-0815.pem"},
            r"has a private key file that cannot be read \(No such file",
        ),
        ({"private_key": None}, "lacks what a login needs"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_matter_of_the_connection(org: Any, extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Connection org {said}") as failed:
        org("me@acme.example", consumer_key="key", **extra).client  # noqa: B018
    assert failed.value.remedy
    assert "SECRET" not in shown(failed.value)
    assert "MII" not in shown(failed.value)


def test_a_version_with_a_letter_is_a_matter_of_the_connection(org: Any) -> None:
    with pytest.raises(ConfigurationError, match="Check version, domain and private key"):
        org("me@acme.example", "pass-word-1", security_token="t", version="v67.0").client  # noqa: B018

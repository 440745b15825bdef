"""The Kashoo connection: its budget, its profile, and the test button."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from airflow_provider_kashoo.core.errors import (
    ConfigurationError,
)
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.hooks.kashoo import KashooHook
from airflow_provider_kashoo.sandbox.server import Sandbox
from tests.airflow.environment import NO_SLASH, served, set_connection

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
    books(extra={"profile": {"locked_until": "31 March"}})
    with pytest.raises(ConfigurationError, match="locked_until '31 March'"):
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
    assert message.startswith("Logged in, but the user has no business 12345, only [")
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
        ({"extra": {"profile": "[1]"}}, "The extra 'profile' of the Kashoo connection is not a JSON object"),
        ({"extra": {"profile": "5"}}, "The extra 'profile' of the Kashoo connection is not a JSON object"),
        ({"extra": {"profile": "{"}}, "The extra 'profile' of the Kashoo connection is not JSON"),
        ({"extra": {"business_id": ""}}, "Connection books lacks business_id"),
        ({"host": "books.example:http/api"}, "The host of connection books is not an address"),
        ({"host": "https://"}, "The host of connection books is not an address"),
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
        ({"conn_type": "sqlite", "host": str(tmp_path / "store.db")}, "is not a SQLite database"),
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


@pytest.mark.parametrize("name", [None, {}, {"name": None}, "Jane Doe", [1]])
def test_a_business_without_a_name_is_named_by_its_id(store_file: Path, books: Any, name: Any) -> None:
    with served(body=[{"id": 77, "contactInformation": name}, {"id": 78}]):
        assert KashooHook("books").test_connection() == (True, "Connected to business 77.")


@pytest.mark.parametrize("body", [[1], [{}], [[]], [{"id": "Jane Doe"}]], ids=str)
def test_businesses_of_another_shape_are_left_out_without_what_they_hold(
    store_file: Path, books: Any, body: Any
) -> None:
    with served(body=body):
        ok, message = KashooHook("books").test_connection()
    assert (ok, message) == (False, "Logged in, but the user has no business 77, only [].")


@pytest.mark.parametrize("path", ["authTokens", "users/me/businesses"])
@pytest.mark.parametrize("fault", [requests.exceptions.ChunkedEncodingError, requests.exceptions.InvalidHeader])
def test_whatever_goes_wrong_on_the_way_is_said(store_file: Path, books: Any, path: str, fault: Any) -> None:
    with served() as seen:
        seen.register_uri(requests_mock.ANY, f"https://{NO_SLASH}/{path}", exc=fault("pass-word-1"))
        ok, message = KashooHook("books").test_connection()
    assert not ok
    assert f"Kashoo cannot be reached ({fault.__name__})" in message
    assert "pass-word-1" not in message

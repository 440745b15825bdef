"""A token that another client got serves reads, and only of the user and host that it is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kashoo_calls import PRIVATE, create, customer

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.kashoo_http import Token

LOGIN, READ = ("POST", "authTokens", 200), ("GET", "businesses", 200)


class Left:
    """What clients leave for each other."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self.taken = 0

    def take(self) -> Token | None:
        self.taken += 1
        return self.token

    def leave(self, token: Token) -> None:
        self.token = token


@pytest.fixture
def left(make: Any, seen: Any) -> Left:
    """What a first client left that logged in."""
    left = Left()
    first = make()
    first.share(left)
    first.businesses()
    assert seen() == [LOGIN, READ]
    return left


@pytest.fixture
def second(make: Any, left: Left) -> KashooClient:
    client: KashooClient = make()
    client.share(left)
    return client


def test_it_serves_the_reads_of_the_next_client(second: KashooClient, left: Left, seen: Any) -> None:
    assert left.taken == 1  # by the first one: a client that asks Kashoo nothing takes nothing
    second.businesses()
    list(second.accounts())
    assert seen() == [READ, ("GET", "accounts", 200), ("GET", "accounts", 200)]
    assert left.taken == 2


def test_a_write_logs_in_for_itself_because_a_refused_token_would_leave_it_in_doubt(
    second: KashooClient, left: Left, sandbox: Any, seen: Any
) -> None:
    second.businesses()
    sandbox.books._tokens.clear()
    seen()
    with second.ready(lambda: None):
        assert create(second, "customer", customer(PRIVATE)).id > 0
    assert seen() == [LOGIN, ("POST", "customers", 201)]
    second.businesses()
    assert seen() == [READ]


def test_a_write_that_was_not_made_ready_logs_in_too(second: KashooClient, seen: Any) -> None:
    assert create(second, "customer", customer(PRIVATE)).id > 0
    assert seen() == [LOGIN, ("POST", "customers", 201)]


def test_one_that_kashoo_has_ended_is_renewed_and_the_new_one_is_left(
    make: Any, second: KashooClient, left: Left, sandbox: Any, seen: Any
) -> None:
    sandbox.books._tokens.clear()
    second.businesses()
    assert seen() == [("GET", "businesses", 401), LOGIN, READ]
    third = make()
    third.share(left)
    third.businesses()
    assert seen() == [READ]


def test_one_that_is_about_to_end_is_not_used(second: KashooClient, sandbox: Any, seen: Any) -> None:
    sandbox.clock.advance(25 * 3600 - 100)
    second.businesses()
    assert seen() == [LOGIN, READ]


@pytest.mark.parametrize("other", ["login", "host"])
def test_one_of_another_user_or_host_is_sent_to_nobody(
    second: KashooClient, left: Left, sandbox: Any, seen: Any, other: str
) -> None:
    assert left.token
    account = f"x{left.token.account}" if other == "login" else f"{left.token.account}x"
    left.token = replace(left.token, account=account)
    second.businesses()
    assert seen() == [LOGIN, READ]
    assert left.token.account == f"{sandbox.books.email} at {sandbox.kashoo_url}"

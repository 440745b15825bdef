"""A side that does not answer is said in the log before the first pause, in one line; the pauses may take minutes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.transport import (
    READ_ATTEMPTS,
    TryAgain,
    Unlimited,
    new_session,
    read_with_retries,
)
from airflow_provider_kashoo.core.errors import UnreachableError

NOBODY = "http://127.0.0.1:1/api"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged as a warning so far."""
    return lambda: [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def test_the_first_failure_is_logged_before_the_first_pause(said: Callable[[], list[str]]) -> None:
    at_pauses: list[list[str]] = []
    session = new_session(Unlimited(), 5)
    client = KashooClient(
        session, NOBODY, login="me", password="word", business_id="7", sleep=lambda _: at_pauses.append(said())
    )
    with pytest.raises(UnreachableError):
        client.businesses()
    once = ["Kashoo cannot be reached (ConnectionError); it is asked up to 3 times more"]
    assert at_pauses == [once] * (READ_ATTEMPTS - 1)
    assert said() == once


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TryAgain("it answered with status 503"), "it answered with status 503"),
        (requests.Timeout("https://user:secret@host/"), "Timeout"),
    ],
)
def test_the_cause_is_said_and_nothing_that_an_address_holds(
    said: Callable[[], list[str]], error: Exception, cause: str
) -> None:
    answers: Any = iter([error, None])

    def call() -> str:
        if failure := next(answers):
            raise failure
        return "read"

    assert read_with_retries(call, "Salesforce", lambda _: None) == "read"
    assert said() == [f"Salesforce cannot be reached ({cause}); it is asked up to 3 times more"]


def test_a_read_that_is_answered_logs_nothing(said: Callable[[], list[str]]) -> None:
    assert read_with_retries(lambda: 1, "Kashoo") == 1
    assert said() == []

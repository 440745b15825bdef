"""A client of the simulated org over HTTPS, logged in as the provider does, and one of an org that is mocked."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from org_client import MOCK_TOKEN, MOCKED, PRIVATE, START, slept
from secrecy import raises_without
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0)) as running:
        yield running


@pytest.fixture(autouse=True)
def secrets(sandbox: Sandbox, caplog: Any, monkeypatch: Any) -> Iterator[list[str]]:
    """Whatever a test does, even at DEBUG no secret, token or body is logged."""
    slept.clear()
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_bundle))
    known = [sandbox.org.access.consumer_secret, MOCK_TOKEN, PRIVATE]
    yield known
    logged = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert [secret for secret in known if secret in logged] == []


@pytest.fixture
def raises(secrets: list[str]) -> Callable[..., Any]:
    return raises_without(lambda: secrets)


@pytest.fixture
def client(sandbox: Sandbox, secrets: list[str]) -> SalesforceClient:
    session = new_session(Unlimited(), 20)
    extra = json.loads(sandbox.describe()["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]

    def log_in() -> Session:
        connection = Salesforce(session=session, **extra)
        secrets.append(connection.session_id)
        return Session(connection.session_id, f"https://{connection.sf_instance}")

    return SalesforceClient(session, log_in, "67.0", sleep=slept.append)


@pytest.fixture
def mocked() -> SalesforceClient:
    return SalesforceClient(
        new_session(Unlimited(), 20), lambda: Session(MOCK_TOKEN, MOCKED), "67.0", sleep=slept.append
    )

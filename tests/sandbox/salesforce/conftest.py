"""A simulated Salesforce over HTTPS, and simple-salesforce logged in to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox

START = datetime(2026, 11, 23, 2, 0, 0, 750_000, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty", clock=Clock(START, source=lambda: 0.0)) as running:
        yield running


@pytest.fixture(scope="module")
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a bundle named in the environment would win over the next line
        session.verify = str(sandbox.ca_bundle)
        yield session


@pytest.fixture
def login(sandbox: Sandbox, session: requests.Session) -> Callable[..., Any]:
    extra = json.loads(sandbox.describe()["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
    return partial(Salesforce, session=session, parse_float=Decimal, **extra)


@pytest.fixture
def sf(login: Callable[..., Any]) -> Any:
    return login()


@pytest.fixture
def org(sandbox: Sandbox) -> Org:
    return sandbox.org

"""A simulated Kashoo over HTTP, without limits unless a test sets them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from books import Client

from airflow_provider_kashoo.sandbox.dataset import open_books
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.books.limits = []
    running.books.create_answer = "entity"
    return running


@pytest.fixture
def kashoo(sandbox: Sandbox) -> Iterator[Client]:
    token = json.dumps(sandbox.books.issue(), separators=(",", ":"))
    with requests.Session() as session:
        session.headers["Authorization"] = f"TOKEN json:{token}"
        yield Client(sandbox, session, open_books(sandbox.books))

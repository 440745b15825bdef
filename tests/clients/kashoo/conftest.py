"""Our client of Kashoo, over HTTP, and what must never be logged meanwhile."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kashoo_calls import PRIVATE, WRONG, slept
from secrecy import raises_without

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.sandbox.dataset import open_books
from airflow_provider_kashoo.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.books.limits, running.books.retry_after = [], True
    running.books.create_answer = "entity"
    return running


@pytest.fixture(autouse=True)
def secrets(running: Sandbox, caplog: Any) -> Iterator[Callable[[], list[str]]]:
    """Whatever a test does, even at DEBUG no secret, token or body is logged."""
    slept.clear()
    caplog.set_level(logging.DEBUG)

    def known() -> list[str]:
        login = f"{running.books.email}:{running.books.password}"
        tokens = [name.partition(":")[2] for name in running.books._tokens]
        return [running.books.password, WRONG, base64.b64encode(login.encode()).decode(), PRIVATE, *tokens]

    yield known
    logged = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert "HTTP/1.1" in logged
    assert [secret for secret in known() if secret in logged] == []


@pytest.fixture
def raises(secrets: Any) -> Callable[..., Any]:
    return raises_without(secrets)


@pytest.fixture
def make(sandbox: Sandbox) -> Callable[..., KashooClient]:
    def client(budget: Any = None, *, url: str = "", deadline: float = 20, **more: Any) -> KashooClient:
        business = str(open_books(sandbox.books))
        given = {"login": sandbox.books.email, "password": sandbox.books.password, "clock": sandbox.clock.time} | more
        session = new_session(budget or Unlimited(), deadline)
        return KashooClient(session, url or sandbox.kashoo_url, business_id=business, sleep=slept.append, **given)

    return client


@pytest.fixture
def seen(sandbox: Sandbox) -> Callable[[], list[tuple[str, str, int]]]:
    """What reached the sandbox since the last call: method, last word of the path, status."""
    start = sandbox.logs["kashoo"].total

    def since() -> list[tuple[str, str, int]]:
        nonlocal start
        new, start = sandbox.logs["kashoo"].total - start, sandbox.logs["kashoo"].total
        entries = sandbox.logs["kashoo"].entries()[-new:] if new else []
        return [(each["method"], each["path"].rpartition("/")[2], each["status"]) for each in entries]

    return since

"""The driver without sockets: both systems in this process and thread, one clock for everything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from driver import Driver
from sqlalchemy import URL, make_url

from airflow_provider_kashoo.clients.transport import MeteredAdapter, Unlimited
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.inprocess import InProcessAdapter
from airflow_provider_kashoo.sandbox.server import AGE, Sandbox
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database

WEDNESDAY = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""Weekly work begins with the week: no test may depend on the day on which it runs."""


def in_process(dataset: str = "empty", **more: Any) -> Sandbox:
    """Open a sandbox without sockets, whose clock goes on from a Wednesday."""
    box = Sandbox(dataset=dataset, serve=False, clock=Clock(WEDNESDAY - AGE), **more)
    box.clock.advance(AGE.total_seconds())
    return box


class Adapter(MeteredAdapter, InProcessAdapter):
    """Our own metering on top of a system that runs in this thread."""


class InProcessDriver(Driver):
    """A :class:`Driver` over ``Sandbox(serve=False)``; the store's clock is the sandbox's.

    :param url: of the store; a SQLite file in the folder unless given.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, url: URL | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.url = url or make_url(f"sqlite:///{folder}/store.db")
        super().__init__(sandbox, folder)

    def open_store(self) -> Database:
        return Database(self.url, self.sandbox.clock.time)

    def _session(self, system: str, budget: Budget | Unlimited) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        adapter = Adapter(budget, self.settings.send_deadline, self.sandbox.clock.time)
        adapter.app = self.sandbox.apps[system]
        for prefix in ("https://", "http://"):
            session.mount(prefix, adapter)
        return session

"""One sandbox, seen over a real socket or in process: sessions that are logged in, and what the systems hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from inprocess import Adapter

from airflow_provider_kashoo.clients.transport import MeteredAdapter, Unlimited
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.server import Sandbox

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass
class World:
    """One sandbox, seen through one kind of transport, with our own metering on top."""

    sandbox: Sandbox
    in_process: bool
    kashoo_token: str = ""
    salesforce_token: str = ""

    def session(self, system: str, deadline: float = 5.0) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = str(self.sandbox.ca_bundle), False
        adapter = Adapter(Unlimited(), deadline) if self.in_process else MeteredAdapter(Unlimited(), deadline)
        if isinstance(adapter, Adapter):
            adapter.app = self.sandbox.apps[system]
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def log_in(self) -> None:
        books, form = self.sandbox.books, self.sandbox.org.access.app
        url = f"{self.sandbox.kashoo_url}/authTokens"
        self.kashoo_token = self.session("kashoo").post(url, auth=(books.email, books.password)).text
        url = f"{self.sandbox.salesforce_url}/services/oauth2/token"
        self.salesforce_token = self.session("salesforce").post(url, data=form).json()["access_token"]

    def kashoo(self, method: str, path: str, deadline: float = 5.0, **more: Any) -> requests.Response:
        headers = {"Authorization": f"TOKEN uuid:{self.kashoo_token}"}
        url = f"{self.sandbox.kashoo_url}/businesses/{self.sandbox.books.main()}/{path}"
        return self.session("kashoo", deadline).request(method, url, headers=headers, **more)

    def create(self, name: str = "Acme", deadline: float = 5.0, **more: Any) -> requests.Response:
        body = {"contactInformation": {"name": name, "address": {"street": "1 Harbor St"}}, **more}
        return self.kashoo("POST", "contacts/customers", deadline, json=body)

    def customers(self) -> list[str]:
        """The names as the books hold them, not as an API tells them."""
        books = self.sandbox.books
        rows = books.business(books.main()).tables["customers"].listed()
        return [row["contactInformation"]["name"] for row in rows]

    def salesforce(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.salesforce_token}", **more.pop("headers", {})}
        url = f"{self.sandbox.salesforce_url}{path if path.startswith('/services') else '/services/data/v67.0' + path}"
        return self.session("salesforce").request(method, url, headers=headers, **more)

    def fail(self, kind: Any, system: str = "kashoo", **more: Any) -> None:
        self.sandbox.faults[system].add(Fault(kind, **more))


def still_sandbox(**more: Any) -> Sandbox:
    """Give a sandbox whose clock stands still and that has no limits."""
    sandbox = Sandbox(dataset="empty", clock=Clock(NOW, source=lambda: 0.0), **more)
    sandbox.books.limits = []
    return sandbox


def add_accounts(world: World, count: int = 2) -> list[str]:
    return [world.sandbox.org.insert("Account", {"Name": f"Firm {n}"}) for n in range(count)]


def error_type(act: Callable[[], object]) -> type[BaseException]:
    with pytest.raises(requests.RequestException) as caught:
        act()
    return caught.type

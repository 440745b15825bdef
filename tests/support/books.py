"""The simulated Kashoo as its clients meet it: a login, and a business with customers, invoices and payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.server import Sandbox

TODAY = "2026-03-10"


@dataclass
class Client:
    """A session with a token, and one fresh business per test."""

    sandbox: Sandbox
    session: requests.Session
    business: int

    @property
    def books(self) -> Books:
        return self.sandbox.books

    @property
    def root(self) -> str:
        return f"{self.sandbox.kashoo_url}/businesses/{self.business}"

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Any:
        answer = self.session.request(method, f"{self.root}/{path}", json=body, params=query)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        return self.call("GET", path, status=status, **query)

    def post(self, path: str, body: Any, *, status: int = 201) -> Any:
        return self.call("POST", path, body, status=status)

    def account(self, number: str) -> int:
        return int(next(row["id"] for row in self.get("accounts") if row["number"] == number))

    def customer(self, name: str = "Initech", **more: Any) -> int:
        return int(self.post("contacts/customers", {"contactInformation": {"name": name}, **more})["id"])

    def draft(self, **more: Any) -> dict[str, Any]:
        line = {"account": self.account("4000"), "quantity": 1, "rate": 10_000, "taxCode": ""}
        return {"type": "invoice", "currency": "USD", "date": TODAY, "lineItems": [line], **more}

    def invoice(self, **more: Any) -> dict[str, Any]:
        row: dict[str, Any] = self.post("records/invoices", self.draft(**more))
        return row

    def payment(self, invoice: dict[str, Any], used: int, **more: Any) -> dict[str, Any]:
        parts = [{"amount": used, "record": invoice["id"]}]
        base = {"currency": "USD", "date": TODAY, "contact": invoice.get("contact"), "account": self.account("1010")}
        return {**base, "amount": used, "allocations": parts, "unallocatedAmount": 0, **more}

    def balance(self, invoice: dict[str, Any]) -> int:
        return int(self.get(f"records/invoices/{invoice['id']}")["balanceDue"])


def log_in(sandbox: Sandbox, **more: Any) -> requests.Response:
    return requests.post(f"{sandbox.kashoo_url}/authTokens", timeout=5, **more)


def me(sandbox: Sandbox, authorization: str | None) -> requests.Response:
    headers = {"Authorization": authorization} if authorization else {}
    return requests.get(f"{sandbox.kashoo_url}/users/me", headers=headers, timeout=5)

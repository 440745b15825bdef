"""Requests to the simulated Kashoo as the tests of its client make them."""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.clients.kashoo import KashooClient, Write, Written
from airflow_provider_kashoo.clients.kashoo_http import encode
from airflow_provider_kashoo.core.values.ids import Reference

PRIVATE = "Wile E. Coyote, Box 12"
OURS = Reference("006000000000001AAA")
WRONG = "wrong-horse-battery"
slept: list[float] = []


def customer(name: str = PRIVATE, **more: Any) -> dict[str, Any]:
    return {"type": "customer", "contactInformation": {"name": name}, **more}


def create(kashoo: KashooClient, kind: str, body: dict[str, Any]) -> Written:
    return kashoo.send(Write(kind, None, encode(body)))


def invoice(kashoo: KashooClient, **more: Any) -> dict[str, Any]:
    income = next(each.id for each in kashoo.accounts() if each.is_income)
    line = {"account": income, "quantity": 1, "rate": 10_000, "taxCode": "", "description": PRIVATE}
    return {"type": "invoice", "currency": "USD", "date": "2026-03-10", "lineItems": [line], **more}

"""The simulated Salesforce as its clients meet it: a login, requests, refusals, and what a sale is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from simple_salesforce.exceptions import SalesforceError as ClientError

from airflow_provider_kashoo.sandbox.inprocess import InProcessAdapter
from airflow_provider_kashoo.sandbox.salesforce.org import Org
from airflow_provider_kashoo.sandbox.server import Sandbox

BASE = "/services/data/v67.0"


def logged_in(sandbox: Sandbox) -> requests.Session:
    """Give a session that reaches the org of a sandbox without ports."""
    session = requests.Session()
    session.mount("https://", InProcessAdapter(sandbox.apps["salesforce"]))
    token = session.post(f"{sandbox.salesforce_url}/services/oauth2/token", data=sandbox.org.access.app).json()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"
    return session


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    content: Any = caught.value.content
    [error] = content
    return caught.value.status, error["errorCode"]


def raw(sf: Any, method: str, path: str, **options: Any) -> Any:
    options.setdefault("headers", {"Authorization": f"Bearer {sf.session_id}"})
    return sf.session.request(method, f"https://{sf.sf_instance}{path}", timeout=10, **options)


def product(org: Org, price: str = "10.00", *, currency: str = "USD", active: bool = True) -> str:
    book = next(row["Id"] for row in org.rows("Pricebook2") if row["IsStandard"])
    item = org.insert("Product2", {"Name": "Lamp", "ProductCode": "L-1", "IsActive": True})
    fields = {"Pricebook2Id": book, "Product2Id": item, "UnitPrice": price, "IsActive": active}
    return org.insert("PricebookEntry", fields | {"CurrencyIsoCode": currency})


def deal(org: Org, **more: Any) -> str:
    fields = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-11-20"}
    return org.insert("Opportunity", fields | more)

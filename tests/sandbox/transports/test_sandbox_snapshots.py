"""A snapshot brings back everything: rows, indexes, tokens, locators and the clock."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from world import NOW, World, add_accounts

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.server import Sandbox


def _state(sandbox: Sandbox) -> str:
    rows = {name: sandbox.org.rows(name, deleted=True) for name in sandbox.org.schema.objects}
    indexes = {name: (table.refs, table.unique) for name, table in sandbox.org.tables.items()}
    books = [vars(business) for business in sandbox.books.businesses.values()]
    tables = [{kind: vars(table) for kind, table in business["tables"].items()} for business in books]
    plain = [{key: value for key, value in business.items() if key != "tables"} for business in books]
    limits = (sandbox.books._arrivals, sandbox.books._tokens, sandbox.books.refused, sandbox.org.api_requests)
    state = [rows, indexes, tables, plain, limits, sandbox.clock.time()]
    return json.dumps(state, default=lambda value: sorted(value) if isinstance(value, frozenset) else repr(value))


def _work(world: World) -> list[Any]:
    """Write on both sides; equal states give equal ids, tokens and answers."""
    world.sandbox.clock.advance(3600)
    world.log_in()
    key = world.create("Worked").json()["id"]
    world.kashoo("DELETE", f"contacts/customers/{key}")
    firm = add_accounts(world, 1)[0]
    world.sandbox.org.insert("Contact", {"LastName": "Ng", "AccountId": firm})
    world.salesforce("PATCH", f"/sobjects/Account/{firm}", json={"Name": "Worked"})
    return [world.kashoo_token, world.salesforce_token, key, firm, _state(world.sandbox)]


def test_a_snapshot_brings_both_systems_and_the_clock_back(world: World) -> None:
    sandbox = world.sandbox
    add_accounts(world, 201)
    world.create("Before")
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = world.salesforce("GET", "/query", params={"q": "SELECT Id FROM Account"}, headers=small).json()
    tokens = world.kashoo_token, world.salesforce_token
    kept, state = sandbox.snapshot(), _state(sandbox)
    first = _work(world)
    assert _state(sandbox) != state
    for _ in range(2):
        sandbox.restore(kept)
        assert _state(sandbox) == state
        assert sandbox.clock.now() == NOW
        assert _work(world) == first
    sandbox.restore(kept)
    world.kashoo_token, world.salesforce_token = tokens
    assert world.kashoo("GET", "contacts/customers").json()[0]["contactInformation"]["name"] == "Before"
    assert len(world.salesforce("GET", page["nextRecordsUrl"]).json()["records"]) == 1


def test_a_restored_state_does_not_touch_its_snapshot() -> None:
    sandbox = Sandbox(dataset="demo", clock=Clock(NOW, source=lambda: 0.0), serve=False)
    kept, state = sandbox.snapshot(), _state(sandbox)
    books = sandbox.books.business(sandbox.books.main())
    next(iter(books.tables["customers"].rows.values()))["contactInformation"]["name"] = "edited in place"
    next(iter(sandbox.org.tables["Account"].rows.values()))["Name"] = "edited in place"
    sandbox.restore(kept)
    assert _state(sandbox) == state
    sandbox.books.add_business("Second", home="EUR", currencies={"EUR"})
    sandbox.org.insert("Account", {"Name": "Late", "Payment_Terms__c": Decimal(9)})
    sandbox.restore(kept)
    assert _state(sandbox) == state

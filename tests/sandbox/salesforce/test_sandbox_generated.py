# ruff: noqa: S608 - SOQL made of literals of this file
"""A table that is computed when it is read behaves as any other, writes, links and snapshots included."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.evaluate import run
from airflow_provider_kashoo.sandbox.salesforce.ids import IdFactory
from airflow_provider_kashoo.sandbox.salesforce.org import SalesforceError
from airflow_provider_kashoo.sandbox.server import Sandbox

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(dataset="generated:3000", clock=Clock(START, source=lambda: 0.0), serve=False)


def found(sandbox: Sandbox, query: str, *, deleted: bool = False) -> list[str]:
    return [row["Id"] for row in run(sandbox.org, query, base="", deleted=deleted).rows]


def test_its_ids_are_those_a_factory_gives() -> None:
    factory, block = IdFactory(5), IdFactory(5).block("006", 8000)
    ids = [factory.next("006") for _ in range(8000)]
    assert list(block) == ids
    assert [block.index(key) for key in ids] == list(range(8000))
    assert block.index(factory.next("006")) is None
    assert block.index("001010000000001AAA") is None
    with pytest.raises(ValueError, match="given out already"):
        factory.block("006", 1)


def test_spans_of_stamps_find_what_a_scan_finds(sandbox: Sandbox) -> None:
    rows = sandbox.org.rows("Opportunity")
    stamps = sorted({row["SystemModstamp"] for row in rows})
    assert len(stamps) == 1000
    for low, high in ((0, 1), (10, 500), (999, 999), (400, 400)):
        first, last = (f"{stamps[at][:19]}Z" for at in (low, high))
        ids = found(sandbox, f"SELECT Id FROM Opportunity WHERE SystemModstamp >= {first} AND SystemModstamp <= {last}")
        assert ids == [row["Id"] for row in rows if stamps[low] <= row["SystemModstamp"] <= stamps[high]]
        assert len(ids) == 3 * (high - low + 1)


def test_its_rows_are_written_like_others(sandbox: Sandbox) -> None:
    org = sandbox.org
    deals = org.rows("Opportunity")
    assert (len(deals), org.count("Opportunity"), org.count("Account")) == (3000, 3000, 300)
    key, account = deals[1234]["Id"], deals[1234]["AccountId"]
    kept = sandbox.snapshot()
    org.update("Opportunity", key, {"Amount": "1.50", "AccountId": deals[0]["AccountId"]})
    assert org.get("Opportunity", key)["Amount"] == Decimal("1.50")
    assert found(sandbox, "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-11-23T02:00:00Z") == [key]
    assert key not in found(sandbox, f"SELECT Id FROM Opportunity WHERE AccountId = '{account}'")
    new = org.insert("Opportunity", {"Name": "new", "StageName": "Closed Won", "CloseDate": "2026-11-20"})
    assert new not in {deal["Id"] for deal in deals}
    org.delete("Account", account)
    assert org.count("Opportunity") == 3001 - 9
    assert len(found(sandbox, "SELECT Id FROM Opportunity WHERE IsDeleted = true", deleted=True)) == 9
    assert org.empty_recycle_bin() == 10
    assert len(found(sandbox, "SELECT Id FROM Opportunity", deleted=True)) == 3001 - 9
    with pytest.raises(SalesforceError, match="NOT_FOUND"):
        org.get("Account", account)
    sandbox.restore(kept)
    assert org.rows("Opportunity") == deals
    assert org.count("Account") == 300
    org.update("Opportunity", key, {"Name": "written after it was put back"})
    assert found(sandbox, "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-11-23T02:00:00Z") == [key]
    org.delete("Opportunity", key)
    assert org.count("Opportunity") == 2999

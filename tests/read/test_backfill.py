"""Runs over past intervals: exact, any number at once, no watermark moved, nothing billed twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from records import add_account, add_deal, writes
from rounds import Rounds, bearing, crash, open_items

from airflow_provider_kashoo.sync import steps

DAY = timedelta(days=1)


def past(drive: Rounds) -> tuple[datetime, list[str]]:
    """Three days on each of which a deal was won, and a store whose watermark is behind none of them."""
    begun = drive.sandbox.clock.now().replace(microsecond=0)
    deals = []
    for _ in range(3):
        deals.append(add_deal(drive.sandbox, add_account(drive.sandbox), "250.00"))
        drive.sandbox.clock.advance(DAY.total_seconds())
    for name in ("Account", "Product2", "Opportunity", "Order"):
        now = drive.sandbox.clock.now()
        drive.store.watermarks.move(f"salesforce.{name}", lower=begun, upper=now, run_id="elsewhere")
    return begun, deals


def facts(begun: datetime, day: int) -> dict[str, Any]:
    return {
        "run_id": f"backfill {day}",
        "run_type": "backfill",
        "interval_start": begun + day * DAY,
        "interval_end": begun + (day + 1) * DAY,
    }


def billed(drive: Rounds, deals: list[str]) -> list[int]:
    return [len(bearing(drive, deal)) for deal in deals]


def test_each_run_bills_its_own_interval_and_moves_no_watermark(drive: Rounds) -> None:
    begun, deals = past(drive)
    before = drive.store.watermarks.get("salesforce.Opportunity")
    seen = []
    for day in (2, 0, 1):  # in any order
        done = drive.run(**facts(begun, day))
        assert done.summary["requests"] > 0
        assert done.moved == {}
        seen.append(billed(drive, deals))
    assert seen == [[0, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert drive.store.watermarks.get("salesforce.Opportunity") == before
    sent = writes(drive.sandbox)["kashoo"]
    for day in range(3):
        drive.run(**facts(begun, day) | {"run_id": f"again {day}"})
    assert writes(drive.sandbox)["kashoo"] == sent
    assert open_items(drive) == []


def test_several_at_once_and_the_nightly_run_bill_each_deal_once(drive: Rounds) -> None:
    begun, deals = past(drive)
    prepared = [drive.prepare(**facts(begun, day)) for day in range(3)]
    prepared.append(drive.prepare(run_id="nightly", since=begun))
    for sync in reversed(prepared):
        drive.finish(sync)
    assert billed(drive, deals) == [1, 1, 1]
    drive.run()
    assert open_items(drive) == []


def test_one_that_died_goes_on_where_it_was(drive: Rounds) -> None:
    begun, deals = past(drive)
    sync = drive.prepare(run_id="whole", run_type="backfill", interval_start=begun, interval_end=begun + 3 * DAY)
    crash(drive, "answered POST records/invoices", lambda: drive.apply(sync), nth=2)
    assert sum(billed(drive, deals)) == 2
    drive.apply(sync)  # Airflow tries the task again
    steps.commit(sync)
    drive.look_up()
    drive.run()
    assert billed(drive, deals) == [1, 1, 1]
    assert open_items(drive) == []

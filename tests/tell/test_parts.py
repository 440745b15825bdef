"""The plan is made in parts of bounded size: it is the same plan, whatever that size."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from plans import planned
from records import invoice_of
from rounds import Rounds, Start, win

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run import collecting
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE, Sync
from airflow_provider_kashoo.sync.tell import affected

WEEK = 8 * 86_400.0


@pytest.fixture
def busy(drive: Rounds, start: Start) -> dict[str, str]:
    """Give deals whose invoices were written back, and what happened to them since: name -> deal."""
    box, main = drive.sandbox, drive.sandbox.books.main()
    deals = {name: win(drive) for name in ("paid", "part", "over", "refunded", "removed", "copied", "quiet")}
    drive.run()
    drive.run_back()
    drive.sandbox.clock.advance(3600)
    amounts = {"paid": [25_000], "part": [100, 233], "over": [30_000], "refunded": [700, -700]}
    for name, parts in amounts.items():
        for amount in parts:
            box.books.pay(main, invoice_of(box, deals[name])["id"], amount)
    box.books.remove(main, "invoices", invoice_of(box, deals["removed"])["id"])
    body = invoice_of(box, deals["copied"])
    box.books.create(
        main, "invoices", {name: body[name] for name in ("contact", "date", "currency", "memo", "lineItems")}
    )
    return deals


def plan_again(sync: Sync, monkeypatch: pytest.MonkeyPatch, size: int) -> tuple[str, list[Intent]]:
    monkeypatch.setattr(affected, "PART", size)
    return steps.plan(sync).digest, planned(sync)


@pytest.mark.parametrize("wait", [0.0, WEEK])
def test_the_plan_is_the_same_whatever_the_size_of_a_part(
    drive: Rounds, busy: dict[str, str], monkeypatch: pytest.MonkeyPatch, wait: float
) -> None:
    drive.sandbox.clock.advance(wait)
    sync = drive.prepare(TO_SALESFORCE)
    whole = plan_again(sync, monkeypatch, 5_000)
    for size in (1, 2, 3):
        assert plan_again(sync, monkeypatch, size) == whole
    said: dict[str, Any] = {(each.record.id, each.action.value): each for each in whole[1]}
    assert (busy["quiet"], "unchanged") in said
    assert {ident for ident, action in said if action == "review"} == {busy["removed"], busy["copied"]}
    assert said[busy["part"], "write_back"].changes["Kashoo_Paid__c"] == "3.33"
    steps.approve(sync)
    drive.finish(sync)
    told = {name: drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] for name, deal in busy.items()}
    open_ones = dict.fromkeys(("copied", "quiet"), "Open")
    assert told == open_ones | {
        "paid": "Paid",
        "part": "Partly Paid",
        "over": "Overpaid",
        "refunded": "Refunded",
        "removed": "Void",
    }


def test_the_garbage_collector_is_as_before_when_a_plan_fails() -> None:
    before, during = gc.get_threshold(), []

    @collecting.rarely()
    def fails() -> None:
        during.append(gc.get_threshold())
        raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan"):
        fails()
    assert during == [(collecting.RARELY, *before[1:])]
    assert gc.get_threshold() == before

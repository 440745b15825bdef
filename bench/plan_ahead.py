"""A plan that is only shown: how long it takes, and how well it says when the writes will be done.

Both sides are the sandbox, over HTTP. The limits of the estimate are small, so that the windows matter within minutes:
they are waited for by the real clock. With another user, a part of each window is taken by requests that the store saw
before the plan was made.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from driver import Driver

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.preview import preview

DEALS = 1_000
CHANGED = 250
WINDOWS = [Limit(100, 20), Limit(25, 1)]
OTHERS = 60

T = TypeVar("T")

Results = dict[str, dict[str, Any]]


def measure(results: Results) -> None:
    """Seconds of a plan of changed deals, and the error of its estimate."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(dataset=f"scale:{2 * DEALS}") as box:
        drive = Driver(box, Path(folder))
        drive.metered = False
        drive.run()
        changed = _change(drive, DEALS)
        box.clock.advance(60)
        begun = time.perf_counter()
        report = preview(drive.sync(), RunFacts("bench"))
        seconds = time.perf_counter() - begun
        updates = report.actions["invoice"].get("update", 0)
        if updates != changed:
            raise SystemExit(f"{changed:,} deals were changed, and {updates:,} updates planned.")
        results["plan of 1,000 changed deals"] = {"value": round(seconds, 1), "unit": "s", "goal": "<= 15"}
        drive.run()
        drive.metered, drive.limits = True, WINDOWS
        for words, others in (("", 0), (", with another user", OTHERS)):
            error = _error_of_estimate(drive, others)
            results[f"error of when a plan will be done{words}"] = {"value": error, "unit": "%", "goal": "<= 10"}


def _change(drive: Driver, most: int) -> int:
    """Change the amounts of deals that are billed; gives how many."""
    org = drive.sandbox.org
    deals = [link.source_id for link in drive.store.links.of_target("invoice") if link.source_object == "Opportunity"]
    lines = {row["OpportunityId"]: row for row in org.rows("OpportunityLineItem")}
    for deal in deals[:most]:
        if line := lines.get(deal):
            org.update("OpportunityLineItem", line["Id"], {"UnitPrice": line["UnitPrice"] + 1})
        else:
            org.update("Opportunity", deal, {"Amount": org.get("Opportunity", deal)["Amount"] + 1})
    return len(deals[:most])


def _error_of_estimate(drive: Driver, others: int) -> float:
    """Apply a plan, and say by how many percent of the time that it took the estimate was wrong."""
    _change(drive, CHANGED)
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in sync.sources:
        steps.extract(sync, source)
    summary = _whenever_it_may(lambda: steps.plan(sync))
    another = Budget(drive.database, "books", drive.limits)
    for _ in range(others):
        for slot in another.acquire(1.0):
            another.release(slot)
    begun = time.time()
    expected = sync.budget.pace().done_at(summary.requests) - begun
    steps.approve(sync)
    _whenever_it_may(lambda: steps.apply(sync))
    took = time.time() - begun
    steps.commit(sync)
    return round(100 * abs(expected - took) / took, 1)


def _whenever_it_may(step: Callable[[], T]) -> T:
    """Do a step as Airflow would: again when requests are free. That time is what is measured."""
    while True:
        try:
            return step()
        except BudgetSpent as spent:
            time.sleep(max(0.0, spent.until - time.time()))

"""Workers that meet on one plan, one record, one budget: no second invoice, nothing lost, no limit broken."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driver import BEGINNING, LOOK_UP_AFTER, up_to_approval
from inprocess import InProcessDriver, in_process
from plans import rows
from records import add_account, add_deal, books_rows, invoices_of, writes
from sqlalchemy import URL
from threads import at_once

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.write.engine import Engine
from airflow_provider_kashoo.sync.write.kashoo import KashooWriter

CUSTOMERS, DEALS = 5, 50
"""Of one plan; each is one race."""


class Worker(InProcessDriver):
    """One worker: its own connections to a store, both systems and the staging that all share."""

    def __init__(self, sandbox: Sandbox, folder: Path, url: URL) -> None:
        super().__init__(sandbox, folder, url)
        self.metered = False  # the budget has a race of its own

    def prepare(self, run_id: str) -> Sync:
        """Run as far as the approval of the plan."""
        sync = self.sync(run_id=run_id)
        up_to_approval(sync)
        return sync


class InStep(Engine):
    """Begins each write together with the other worker."""

    def __init__(self, sync: Sync, together: threading.Barrier) -> None:
        super().__init__(sync, KashooWriter, sleep=lambda _: None)
        self._together = together

    def _send(self, batch: list[Intent]) -> None:
        if batch:
            self._together.wait()
            time.sleep(random.random() / 500)  # noqa: S311 - who comes first, and how far, is never the same
        super()._send(batch)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    with in_process() as box:
        yield box
    sys.setswitchinterval(interval)


@pytest.fixture
def worker(box: Sandbox, store_url: URL, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(box, tmp_path, store_url))
        return made[-1]

    yield make
    for each in made:
        each.database.dispose()


def rest(worker: Worker, deals: list[str]) -> None:
    """A quiet run brings everything to rest: one invoice per deal, one customer each, nothing open, nothing to do."""
    box = worker.sandbox
    box.clock.advance(LOOK_UP_AFTER)
    worker.run(run_id=f"quiet {box.clock.time()}")
    assert {deal: len(invoices_of(box, deal)) for deal in deals} == dict.fromkeys(deals, 1)
    names = [row["contactInformation"]["name"] for row in books_rows(box, "customers")]
    assert sorted(names) == sorted(set(names))
    with worker.database.begin() as connection:
        states = connection.exec_driver_sql("SELECT DISTINCT state FROM operations").scalars().all()
    assert not {*states} & {"sent", "retry", "in_doubt", "parked"}
    assert worker.store.reviews.all_open() == []
    before = writes(box)["kashoo"]
    assert worker.run(run_id=f"idle {box.clock.time()}").summary.requests == 0
    assert writes(box)["kashoo"] == before


def race_on_plans(worker: Callable[[], Worker], box: Sandbox, races: int) -> None:
    one, two = worker(), worker()
    deals: list[str] = []
    for number in range(races // DEALS):
        accounts = [add_account(box, f"Customer {number}-{each}") for each in range(CUSTOMERS)]
        new = [add_deal(box, accounts[each % CUSTOMERS]) for each in range(DEALS)]
        box.clock.advance(900)
        plan = one.prepare(f"run {number}")
        same = two.sync(run_id=plan.run.run_id)
        before = writes(box)["kashoo"]
        together = threading.Barrier(2, timeout=60)
        first, second = (partial(InStep(sync, together).run, rows(sync)) for sync in (plan, same))
        at_once(first, second)
        assert writes(box)["kashoo"] - before == CUSTOMERS + DEALS  # by either worker
        deals += new
    rest(one, deals)


def test_two_workers_on_one_plan_write_each_row_once(worker, box) -> None:
    race_on_plans(worker, box, 200)


@pytest.mark.long
def test_two_workers_on_many_plans_write_each_row_once(worker, box) -> None:
    race_on_plans(worker, box, 2000)


def race_on_records(worker: Callable[[], Worker], box: Sandbox, rounds: int) -> None:
    """Each round all four kinds of run meet on one deal: a new one, one that changed, or one that was parked."""
    workers = [worker() for _ in range(4)]
    chance = random.Random(rounds)  # noqa: S311
    deals: list[str] = []
    for number in range(rounds):
        kind = ("new", "parked", "changed")[number % 3]
        if kind == "changed":
            box.org.update("Opportunity", chance.choice(deals), {"Amount": str(300 + number)})
        elif kind == "new":
            deals.append(add_deal(box, add_account(box, f"Customer {number}")))
        else:
            deals.append(add_deal(box, None))
            workers[0].run(run_id=f"parks {number}")
            box.org.update("Opportunity", deals[-1], {"AccountId": add_account(box, f"Customer {number}")})
        now = box.clock.now()
        interval = {"interval_start": now - timedelta(hours=1), "interval_end": now + timedelta(hours=1)}
        since = {"interval_start": BEGINNING, "interval_end": now + timedelta(hours=1)}
        at_once(
            lambda: workers[0].run(run_id=f"scheduled {number}", run_type="scheduled", **interval),  # noqa: B023
            lambda: workers[1].run(run_id=f"manual {number}"),  # noqa: B023
            lambda: workers[2].run(run_id=f"backfill {number}", run_type="backfill", **since),  # noqa: B023
            lambda: replayed(workers[3], number),  # noqa: B023
        )
        assert all(len(invoices_of(box, deal)) <= 1 for deal in deals)
    rest(workers[0], deals)


def replayed(worker: Worker, number: int) -> object:
    return replay(worker.sync(run_id=f"replay {number}"), None)


def test_scheduled_manual_backfill_and_replay_runs_on_one_record_make_one_invoice(worker, box) -> None:
    race_on_records(worker, box, 6)


@pytest.mark.long
def test_many_scheduled_manual_backfill_and_replay_runs_on_one_record_make_one_invoice(worker, box) -> None:
    race_on_records(worker, box, 200)


def race_on_a_budget(url: URL, clock: Any, rounds: int) -> None:
    """Four workers, each with its own connection, take what they can while the clock stands still."""
    databases = [Database(url, clock) for _ in range(4)]
    limits = Limit(9, 10), Limit(9 * rounds // 2, 1_000_000)
    budgets = [Budget(each, "shared", limits, patience=0, sleep=clock.sleep) for each in databases]
    together = threading.Barrier(4, timeout=60)

    def take(mine: Budget) -> list[int]:
        together.wait()
        slots = []
        try:
            while True:
                slots += mine.acquire(60)
        except BudgetSpent:
            for slot in slots:
                mine.release(slot)
            return slots

    given = []
    for _ in range(rounds):
        results = at_once(*(lambda mine=mine: take(mine) for mine in budgets))
        given.append(sum(len(each) for each in results))
        clock.now += 10
    assert given == [9] * (rounds // 2) + [0] * (rounds // 2)
    for each in databases:
        each.dispose()


def test_four_workers_on_one_budget_get_exactly_what_there_is(store_url, clock) -> None:
    race_on_a_budget(store_url, clock, 10)


@pytest.mark.long
def test_four_workers_on_one_budget_get_exactly_what_there_is_for_long(store_url, clock) -> None:
    race_on_a_budget(store_url, clock, 300)

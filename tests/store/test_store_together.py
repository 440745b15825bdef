"""Two workers at the same moment: the second comes exactly between what the first read and what it writes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from intents import like
from sqlalchemy import event, func, select

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.rules.intents import Create, Intent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import OpenOperation, StaleIntent
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore, record_pools, recorded_pools

ORG, BUSINESS = "00D000000000001EAA", "9990000001"
DEAL = "006000000000001AAA"
NEW = Create(
    record=Record("invoice", "Opportunity", DEAL), mapping="m", reason="why", sale=DEAL, document={"date": "2026-03-01"}
)
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
LONG_ENOUGH = 0.25
"""Seconds for the second to end, if nothing makes it wait for the first."""


class Together:
    """Two databases on one URL, as two processes have them."""

    def __init__(self, url: Any, clock: Any) -> None:
        self.databases = Database(url, clock), Database(url, clock)
        self.outcomes: list[str] = ["", ""]

    def stores(self) -> tuple[SyncStore, SyncStore]:
        one, two = (SyncStore(database, ORG, BUSINESS) for database in self.databases)
        return one, two

    def run(self, first: Callable[[], object], second: Callable[[], object]) -> list[str]:
        """Run the first; as it is about to write for the first time, run the second beside it."""
        other = threading.Thread(target=self._note, args=(1, second))
        started = threading.Event()

        @event.listens_for(self.databases[0].engine, "before_cursor_execute")
        def _about_to(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.lstrip().startswith(("INSERT", "UPDATE", "CREATE")) and not started.is_set():
                started.set()
                other.start()
                other.join(LONG_ENOUGH)

        self._note(0, first)
        assert started.is_set()
        other.join(60)
        return self.outcomes

    def _note(self, me: int, call: Callable[[], object]) -> None:
        try:
            self.outcomes[me] = str(call())
        except (StaleIntent, OpenOperation, ConfigurationError) as error:
            self.outcomes[me] = type(error).__name__


@pytest.fixture
def together(store_url: Any, clock: Any) -> Any:
    pair = Together(store_url, clock)
    yield pair
    for database in pair.databases:
        database.dispose()


def counted(store: SyncStore, table: Any, *where: Any) -> int:
    with store.database.begin() as connection:
        return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@pytest.mark.parametrize("known", [None, 100])
def test_a_watermark_moved_by_two_runs_at_once_keeps_the_later_and_never_goes_back(together, known) -> None:
    one, two = together.stores()
    if known:
        one.watermarks.move("s", lower=at(0), upper=at(known), run_id="r0")
    together.run(
        lambda: one.watermarks.move("s", lower=at(0), upper=at(300), run_id="r1"),
        lambda: two.watermarks.move("s", lower=at(0), upper=at(500), run_id="r2"),
    )
    assert together.outcomes == ["True", "True"]
    assert one.watermarks.get("s") == at(500)


def test_two_429s_at_once_close_the_budget_once_for_the_longer_time(together, clock) -> None:
    one, two = (Budget(database, "b", [Limit(1, 1)], sleep=clock.sleep) for database in together.databases)
    together.run(lambda: one.close(10), lambda: two.close(20))
    assert together.outcomes == ["None", "None"]
    start = clock.now
    one.acquire(60)
    assert clock.now == start + 20


def test_two_first_opens_make_one_scope_and_one_hash_key(together) -> None:
    one, two = together.databases
    together.run(
        lambda: SyncStore(one, ORG, BUSINESS).hashes.of("x"), lambda: SyncStore(two, ORG, BUSINESS).hashes.of("x")
    )
    assert together.outcomes[0] == together.outcomes[1] == SyncStore(one, ORG, BUSINESS).hashes.of("x")
    assert counted(SyncStore(one, ORG, BUSINESS), tables.scopes) == 1


def test_two_processes_record_pools_and_runs_and_references_side_by_side(together) -> None:
    one, two = together.stores()
    together.run(lambda: record_pools(one.database, {"p": 1}), lambda: record_pools(two.database, {"p": 2}))
    assert together.outcomes == ["None", "None"]
    assert recorded_pools(one.database) == {"p": 2}


def test_one_run_started_twice_at_once_is_one_run(together) -> None:
    one, two = together.stores()
    assert together.run(lambda: one.start_run("s", "r"), lambda: two.start_run("s", "r")) == ["None", "None"]
    assert counted(one, tables.runs) == 1


def test_references_seen_by_two_runs_at_once_are_both_remembered(together) -> None:
    one, two = together.stores()
    together.run(lambda: one.mark_reference_seen("invoice"), lambda: two.mark_reference_seen("customer"))
    assert (one.has_seen_reference("invoice"), two.has_seen_reference("customer")) == (True, True)


def test_a_record_parked_by_two_runs_at_once_is_parked_once(together) -> None:
    one, two = together.stores()
    together.run(
        lambda: one.waiting.park_unless_newer(NEW, REFUSED, "r1"),
        lambda: two.waiting.park_unless_newer(NEW, REFUSED, "r2"),
    )
    assert together.outcomes == ["True", "True"]
    assert [row["state"] for row in one.journal.unsettled(*State)] == [State.PARKED]


def test_a_review_item_opened_by_two_runs_at_once_is_opened_once(together) -> None:
    one, two = together.stores()
    together.run(lambda: one.reviews.open(NEW, REFUSED, "r1"), lambda: two.reviews.open(NEW, REFUSED, "r2"))
    assert together.outcomes == ["None", "None"]
    assert len(one.reviews.all_open()) == 1


def test_a_record_linked_by_two_runs_at_once_is_linked_by_one_and_stale_for_the_other(together) -> None:
    one, two = together.stores()
    together.run(
        lambda: one.journal.linked(NEW, LinkChange(501, {}), "r1"),
        lambda: two.journal.linked(NEW, LinkChange(502, {}), "r2"),
    )
    assert together.outcomes == ["None", "StaleIntent"]
    assert [link.kashoo_id for link in one.links.of_target("invoice")] == [501]


@pytest.mark.parametrize("sale", ["the same deal", "an order of the deal"])
def test_a_sale_sent_by_two_runs_at_once_is_sent_by_one(together, sale) -> None:
    one, two = together.stores()
    other = NEW if sale == "the same deal" else like(NEW, object="Order", id="801000000000001AAA")

    def send(store: SyncStore, intent: Intent, lease: str) -> str:
        sent = store.journal.send(
            intent, run_id=lease, lease=lease, deadline_seconds=60, payload_hash="h", fields={"memo": "x"}
        )
        return sent.lease

    assert together.run(lambda: send(one, NEW, "one"), lambda: send(two, other, "two")) == ["one", "OpenOperation"]
    assert [row["lease"] for row in one.journal.unsettled(*State)] == ["one"]


def test_two_processes_that_make_the_schema_at_once_make_it_once(postgres, tmp_path) -> None:
    for url in (postgres.fresh("template0"), f"sqlite:///{tmp_path}/new.db"):
        pair = Together(url, None)
        assert pair.run(pair.databases[0].migrate, pair.databases[1].migrate) == ["None", "None"]
        pair.databases[0].check()
        for database in pair.databases:
            database.dispose()

"""Channels: who sends takes them, and what was told is kept, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from journalled import CHANGE, NEW, send
from sqlalchemy import insert, update

from airflow_provider_kashoo.core.rules.alerts import Name, Told
from airflow_provider_kashoo.store import alerts
from airflow_provider_kashoo.store.alerts import FIRST_SECONDS, SENDING_SECONDS, Alerts, Taken
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import budget_closures, differences

PARKED = Told(Name.PARKED, "no_account", 3, 100.0)
LATE = Told(Name.LATE, "kashoo_to_salesforce", 1, None)


@pytest.fixture
def table(database: Database, store: SyncStore) -> Alerts:
    return Alerts(Scope(database, store.scope_id))


def take(table: Alerts, up_to: float | None = None, name: str = "mail") -> Taken:
    taken = table.take(name, up_to)
    assert taken is not None
    return taken


def test_what_was_told_is_kept_per_channel_and_scope(
    table: Alerts, database: Database, store: SyncStore, clock: Any
) -> None:
    first = take(table)
    assert (first.told, first.billed_after) == ([], clock.now - FIRST_SECONDS)
    table.said(first, [PARKED, LATE])
    again = take(table)
    assert again.told == [PARKED, LATE]
    more = Told(Name.PARKED, "no_account", 1, 100.0)
    table.said(again, [more])
    assert take(table).told == [more]
    assert take(table, name="slack").told == []
    other = SyncStore(database, store.org_id, "another")
    assert take(Alerts(Scope(database, other.scope_id))).told == []


def test_two_senders_never_hold_one_channel(table: Alerts, clock: Any) -> None:
    mine = take(table)
    assert table.take("mail", None) is None
    assert table.take("slack", None) is not None
    clock.sleep(SENDING_SECONDS - 1)
    assert table.take("mail", None) is None
    clock.sleep(1)  # whoever took it died
    other = take(table)
    table.said(mine, [LATE])  # it lived after all, and comes too late
    assert table.take("mail", None) is None
    table.said(other, [PARKED])
    assert take(table).told == [PARKED]


def test_what_is_billed_is_said_at_most_once(table: Alerts, clock: Any) -> None:
    now = clock.now
    died = take(table, now)
    assert died.billed_after < now
    clock.sleep(SENDING_SECONDS)
    refused = take(table, now + 5)
    assert refused.billed_after == now
    table.not_sent(refused)
    assert take(table, now + 9).billed_after == now


def test_a_mark_of_billing_never_moves_back(table: Alerts, clock: Any) -> None:
    table.said(take(table, clock.now), [])
    table.said(take(table, None), [])
    table.said(take(table, clock.now - 50), [])
    assert take(table).billed_after == clock.now


def test_writes_that_were_confirmed_in_a_time_are_added_up(database: Database, store: SyncStore, clock: Any) -> None:
    began = clock.now
    store.journal.answered(send(store), CHANGE, "written")

    def counted(after: float, up_to: float, action: str = "create") -> list[Any]:
        return [dict(row) for row in alerts.billed(database, store.scope_id, [action], after, up_to)]

    said = {"target": "invoice", "action": "create", "currency": "USD", "writes": 1, "total": NEW.total}
    assert counted(began - 1, began) == [said]
    assert counted(began, began + 1) == []
    assert counted(began - 1, began, "write_back") == []


def test_a_write_is_under_way_until_its_deadline(database: Database, store: SyncStore, clock: Any) -> None:
    assert not alerts.in_flight(database, store.scope_id)
    send(store)
    assert alerts.in_flight(database, store.scope_id)
    clock.sleep(61)
    assert not alerts.in_flight(database, store.scope_id)


def test_runs_that_moved_no_watermark_are_left_out(database: Database, store: SyncStore, clock: Any) -> None:
    for number, read in enumerate((4, 0, None, 0)):
        store.start_run("s", f"run {number}")
        store.finish_run("s", f"run {number}", read)
        clock.sleep(1)
    store.start_run("s", "goes on")
    assert [row["run_id"] for row in alerts.runs_read(database, store.scope_id, "s", 2)] == ["run 3", "run 1"]
    assert alerts.newest_end(database, store.scope_id, "s") == clock.now - 1
    assert alerts.newest_end(database, store.scope_id, "t") is None


def test_a_pause_is_remembered_for_a_while(database: Database, clock: Any) -> None:
    assert alerts.paused_lately(database, 100) is None
    with database.begin() as connection:
        connection.execute(insert(budget_closures).values(budget="b", until=clock.now - 60))
    assert alerts.paused_lately(database, 100) == clock.now - 60
    assert alerts.paused_lately(database, 60) is None


def test_differences_are_counted_until_somebody_decides(database: Database, store: SyncStore) -> None:
    row = {"scope_id": store.scope_id, "currency": "USD", "month": "2026-03", "state": "open"}
    found = [row | {"key": f"{n}", "name": "tax" if n else "unexplained", "found_at": float(n)} for n in range(3)]
    with database.begin() as connection:
        connection.execute(insert(differences), found)
    counted = alerts.open_differences(database, store.scope_id, {"dismissed", "resolved"})
    assert counted == [
        {"name": "tax", "differences": 2, "since": 1.0},
        {"name": "unexplained", "differences": 1, "since": 0.0},
    ]
    with database.begin() as connection:
        connection.execute(update(differences).where(differences.c.name == "tax").values(state="dismissed"))
    assert len(alerts.open_differences(database, store.scope_id, {"dismissed", "resolved"})) == 1

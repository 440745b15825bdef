"""The audit trail as a chain: what is altered, removed or put in no longer fits, and the noted head tells the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from journalled import CHANGE, NEW, send
from sqlalchemy import delete, select, update
from threads import at_once

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store.audit import Chain, check, entries, hash_of, heads
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import audit as table

PROBLEM = Problem("x", "its tax is unknown", "Map it.")


def parked(number: int) -> Create:
    return Create(record=Record("invoice", "Opportunity", f"006{number:012d}AAA"))


def filled(store: SyncStore) -> None:
    """Five rows: four parked records, of which the third was sent before, and a decision."""
    store.waiting.park(parked(1), PROBLEM, "r")
    store.journal.answered(send(store, NEW), CHANGE, "won")
    for number in (2, 3):
        store.waiting.park(parked(number), PROBLEM, "r")
    store.approvals.decide("s", "r", "ab" * 32, Decision.APPROVE, by="ann", reason="as agreed", summary={})


def found(database: Database, noted: str = "") -> Chain:
    (chain,) = check(database, noted)
    return chain


def ids(database: Database) -> list[int]:
    return [row["id"] for row in entries(database)]


def test_a_trail_that_nobody_touched_is_whole_and_its_head_is_that_of_its_last_row(store, database) -> None:
    filled(store)
    chain = found(database)
    assert (chain.entries, chain.broken) == (5, None)
    assert heads(database) == [(store.org_id, store.business_id, chain.head)]
    assert [*entries(database)][-1]["hash"] == chain.head
    assert found(database, chain.head).has_noted


@pytest.mark.parametrize("column", ["at", "run_id", "event", "source_id", "kashoo_id", "fields", "reason"])
def test_the_first_row_that_was_altered_is_named(store, database, column) -> None:
    filled(store)
    other: dict[str, Any] = {"at": 1.5, "kashoo_id": 7, "fields": ["memo"]}
    second = ids(database)[1]
    with database.begin() as connection:
        connection.execute(update(table).where(table.c.id == second).values({column: other.get(column, "z")}))
    broken = found(database).broken
    assert broken is not None
    assert broken["id"] == second


@pytest.mark.parametrize("gone", [0, 2])
def test_the_row_behind_one_that_was_removed_is_named(store, database, gone) -> None:
    filled(store)
    kept = ids(database)
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == kept[gone]))
    broken = found(database).broken
    assert broken is not None
    assert broken["id"] == kept[gone + 1]


def test_a_noted_head_tells_that_the_last_rows_were_removed(store, database) -> None:
    filled(store)
    noted = found(database).head
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == ids_in(connection)[-1]))
    assert found(database).broken is None
    assert not found(database, noted).has_noted


def ids_in(connection: Any) -> list[int]:
    return list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())


def test_a_noted_head_tells_that_all_was_made_anew_and_stays_known_when_rows_are_added(store, database) -> None:
    filled(store)
    noted = found(database).head
    store.waiting.park(parked(9), PROBLEM, "r")
    assert found(database, noted).has_noted
    with database.begin() as connection:
        head = ""
        for row in connection.execute(select(table).order_by(table.c.id)).mappings().all():
            forged = {**row, "reason": "nothing happened"}
            head = hash_of(head, forged)
            change = update(table).where(table.c.id == row["id"])
            connection.execute(change.values(reason=forged["reason"], hash=head))
    assert found(database).broken is None
    assert not found(database, noted).has_noted


def test_each_business_has_a_chain_of_its_own(store, database) -> None:
    other = SyncStore(database, store.org_id, "9990000002")
    for number in range(3):
        store.waiting.park(parked(number), PROBLEM, "r")
        other.waiting.park(parked(number), PROBLEM, "r")
    assert [(chain.entries, chain.broken) for chain in check(database)] == [(3, None), (3, None)]
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.scope_id == other.scope_id, table.c.id == 2))
    assert [chain.broken is None for chain in check(database)] == [True, False]


def test_processes_that_write_at_once_make_one_chain(store, database) -> None:
    def writing(first: int) -> Callable[[], None]:
        own = SyncStore(database, store.org_id, store.business_id)
        return lambda: [own.waiting.park(parked(first + each), PROBLEM, "r") for each in range(10)] and None

    at_once(*(writing(first) for first in (100, 200, 300, 400)))
    assert (found(database).entries, found(database).broken) == (40, None)


def test_a_decision_about_a_plan_is_in_the_trail_with_who_and_why(store, database) -> None:
    filled(store)
    last = [*entries(database)][-1]
    assert (last["event"], last["target"], last["source_object"]) == ("approve", "plan", "s")
    assert last["reason"] == f"plan {'ab' * 32}, by ann: as agreed"


def test_a_period_begins_with_its_start_and_ends_before_its_end(store, database, clock) -> None:
    begun = clock.now
    for number in range(3):
        store.waiting.park(parked(number), PROBLEM, f"r{number}")
        clock.now += 60
    within = entries(database, begun + 60, begun + 120)
    assert [row["run_id"] for row in within] == ["r1"]


def test_a_long_trail_is_read_in_pages(store, database, monkeypatch) -> None:
    monkeypatch.setattr(audit, "_NEXT", audit._NEXT.limit(2))
    monkeypatch.setattr(audit, "PAGE", 2)
    filled(store)
    assert found(database).entries == 5
    assert found(database).broken is None

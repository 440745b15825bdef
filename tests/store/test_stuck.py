"""What waits, counted by cause and read in pages, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import parked_in_all
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.stuck import ASKED, IN_DOUBT, PARKED, Group, groups_of, oldest_of, page_of
from airflow_provider_kashoo.store.tables import links, operations, review_items

DAY = 86_400.0


def record(number: int) -> dict[str, Any]:
    return {
        "run_id": "r",
        "target": "invoice",
        "source_object": "Opportunity",
        "source_id": f"006{number:012d}AAA",
        "part": 1,
    }


def wait(store: SyncStore, number: int, state: str = "parked", **more: Any) -> None:
    own = {"scope_id": store.scope_id, "key": f"{number}", "action": "create", "generation": 1, "attempts": 0}
    own |= {"sale_id": str(number), "state": state, "link_version": 0, "created_at": DAY, "fix": "Add it."}
    own |= {"error_class": "no_account", "cause": "c"}
    with store.database.begin() as connection:
        connection.execute(insert(operations), own | record(number) | more)


def link(store: SyncStore, number: int, total: int, currency: str, state: str = "live") -> None:
    given = {name: value for name, value in record(number).items() if name != "run_id"}
    own = {"scope_id": store.scope_id, "generation": 1, "sale_id": str(number), "kashoo_id": number, "version": 1}
    own |= {"state": state, "currency": currency, "expected_total": total, "fields": {}, "written_back": {}}
    with store.database.begin() as connection:
        connection.execute(insert(links), own | given | {"created_at": 1.0, "updated_at": 1.0})


def ask(store: SyncStore, number: int, **more: Any) -> None:
    own = {"scope_id": store.scope_id, "error_class": "edited", "cause": "c", "fix": "f", "opened_at": 5.0}
    with store.database.begin() as connection:
        connection.execute(insert(review_items), own | record(number) | more)


def groups(store: SyncStore, database: Database) -> list[Group]:
    return groups_of(database, store.scope_id, oldest_of(database, store.scope_id))


def ids(rows: Any) -> list[int]:
    return [int(row["source_id"][3:15]) for row in rows]


def test_what_waits_is_counted_by_state_and_cause(database: Database, store: SyncStore) -> None:
    wait(store, 1, expected_total=100, currency="USD")
    wait(store, 2, "retry")  # nothing is known of its amount
    wait(store, 3, expected_total=100, currency="USD")
    link(store, 3, 7_000, "CAD")  # what is linked now counts
    wait(store, 4, "in_doubt", error_class=None, fix=None, cause=None)
    wait(store, 5, "done")
    link(store, 6, 900, "USD")
    ask(store, 6)
    ask(store, 7, dismissed_at=6.0)
    ask(store, 8, settled_for="books")
    ask(store, 9, closed_at=6.0)
    other = SyncStore(database, store.org_id, "another")
    wait(other, 10)
    assert groups(store, database) == [
        Group(PARKED, "no_account", 3, {"USD": 100, "CAD": 7_000}, DAY, "Add it."),
        Group(IN_DOUBT, "no_answer_yet", 1, {}, DAY, ""),
        Group(ASKED, "edited", 1, {"USD": 900}, 5.0, "f"),
    ]
    assert [each.count for each in groups(other, database)] == [1]
    assert sorted(ids(parked_in_all(database))) == [1, 2, 3, 10]


def test_what_to_do_is_said_of_a_group_only_if_it_is_the_same_for_all(database: Database, store: SyncStore) -> None:
    wait(store, 1)
    wait(store, 2, fix="Add another.")
    assert [each.fix for each in groups(store, database)] == [""]
    wait(store, 3, currency="CAD", fix="Add it.", error_class="b")
    wait(store, 4, currency="USD", fix="Add more.", error_class="b")
    assert [each.fix for each in groups(store, database)] == ["", ""]


def test_a_group_is_as_old_as_the_first_try_of_a_record(database: Database, store: SyncStore) -> None:
    wait(store, 1, "closed", created_at=DAY, closed_at=3 * DAY)
    wait(store, 1, created_at=3 * DAY)
    wait(store, 2, "done", created_at=1.0, closed_at=2.0)  # it was written before, and waits anew
    wait(store, 2, created_at=2 * DAY)
    assert [each.since for each in groups(store, database)] == [DAY]
    with database.begin() as connection:
        connection.execute(update(operations).where(operations.c.sale_id == "1").values(state="done"))
    assert [each.since for each in groups(store, database)] == [2 * DAY]


@pytest.mark.parametrize("state", [PARKED, ASKED])
def test_a_group_is_read_in_pages(
    database: Database, store: SyncStore, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.store.stuck.PAGE", 2)
    for number in range(1, 6):
        wait(store, number)
        ask(store, number)
        link(store, number, number, "USD")
    (pair,) = figures.pairs(database)
    cause = "edited" if state == ASKED else "no_account"
    found, after, pages = [], 0, 0
    while after is not None:
        page, after = page_of(database, pair, state, cause, after)
        rows = page.asked if state == ASKED else page.waiting
        assert len(page.links) == len(rows)
        found += ids(rows)
        pages += 1
    assert (found, pages) == ([1, 2, 3, 4, 5], 3)
    assert page_of(database, pair, state, "another")[0].waiting == []

from __future__ import annotations

from dataclasses import replace

import pytest
from intents import like
from journalled import (
    BACK,
    BUSY,
    CHANGE,
    DEAL,
    DIFFERS,
    NEW,
    ORDER,
    REFUSED,
    audited,
    everything,
    operations,
    rows_of,
    send,
    states,
)
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from airflow_provider_kashoo.core.rules.intents import Link, Void
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.journal import StaleIntent


def test_a_record_parked_again_stays_one_row_with_the_newest_cause(store) -> None:
    store.waiting.park(NEW, BUSY, "run1")
    store.waiting.park(NEW, REFUSED, "run2")
    [row] = operations(store)
    assert (row["state"], row["cause"], row["fix"], row["run_id"], row["attempts"]) == (
        "parked", REFUSED.cause, REFUSED.fix, "run2", 0,
    )  # fmt: skip
    assert audited(store) == [("parked", "run1", None)]


def test_a_record_refused_run_after_run_is_parked_once(store) -> None:
    store.waiting.park(NEW, BUSY, "run0")
    for run in ("run1", "run2", "run3"):
        store.journal.failed(send(store, run_id=run), Event.REFUSED, REFUSED)
    [parked] = store.journal.unsettled(State.PARKED)
    assert (parked["run_id"], parked["cause"]) == ("run3", REFUSED.cause)


@pytest.mark.parametrize("later", ["answered", "linked", "closed"])
def test_what_is_parked_closes_itself_when_the_record_is_settled_later(store, later) -> None:
    store.waiting.park(NEW, REFUSED, "run1")
    neighbour = like(NEW, id="006000000000002AAA", sale="006000000000002AAA")
    for other in (neighbour, like(NEW, part=2), like(NEW, kind="customer")):
        store.waiting.park(other, REFUSED, "run1")
    if later == "answered":
        store.journal.answered(send(store), CHANGE, "won")
    elif later == "linked":
        store.journal.linked(NEW, CHANGE, "run2")
    else:
        store.waiting.close(NEW)
    first, *others = [row for row in operations(store) if row["action"] == "create" and row["state"] != "done"]
    assert (first["source_id"], first["state"]) == (DEAL, "closed")
    assert first["closed_at"] is not None
    assert {row["state"] for row in others} == {"parked"}


@pytest.mark.parametrize("later", ["linked", "closed"])
def test_what_was_turned_away_is_not_sent_again_when_the_record_is_settled_without_it(store, later) -> None:
    store.journal.failed(send(store), Event.TURNED_AWAY, BUSY)
    store.journal.linked(NEW, CHANGE, "run2") if later == "linked" else store.waiting.close(NEW)
    assert states(store) == ["closed"]


def test_a_void_ends_every_question_but_whether_a_copy_of_it_stands(store) -> None:
    store.journal.linked(NEW, CHANGE, "run0")
    for problem in (DIFFERS, POSSIBLE_DUPLICATE):
        store.reviews.open(NEW, problem, "run1")
    store.journal.answered(send(store, like(NEW, Void, kashoo_id=501, link_version=1)), CHANGE, "lost")
    assert [item["error_class"] for item in store.reviews.all_open()] == ["possible_duplicate"]


def test_a_write_back_closes_what_was_parked_for_its_own_target_only(store) -> None:
    store.journal.linked(NEW, CHANGE, "run0")
    store.waiting.park(BACK, REFUSED, "run1")
    store.waiting.park(NEW, REFUSED, "run1")
    store.journal.written_back(send(store, BACK), {}, "Paid")
    assert [(row["target"], row["state"]) for row in operations(store)] == [
        ("Opportunity", "closed"), ("invoice", "parked"), ("Opportunity", "done"),
    ]  # fmt: skip


def test_a_review_item_is_opened_once_per_record_and_cause(store) -> None:
    for run in ("run1", "run2"):
        store.reviews.open(NEW, REFUSED, run)
        store.reviews.open(NEW, DIFFERS, run)
    items = store.reviews.all_open()
    assert [(item["error_class"], item["run_id"]) for item in items] == [
        ("closed_period", "run1"), ("total_differs", "run1"),
    ]  # fmt: skip
    assert states(store) == []


def test_a_write_that_is_found_later_knows_from_what_it_was_made(store) -> None:
    sources = {"date": {"CloseDate": "h"}, "lines": None}
    send(store, replace(NEW, sources=sources))
    [operation] = operations(store)
    assert store.journal.settle(operation, Event.FOUND, "our reference stands on it", 501)
    assert store.links.of_kashoo("invoice", [501])[501].sources == sources


def test_a_record_found_in_the_books_is_linked_without_an_operation(store) -> None:
    store.journal.linked(replace(NEW, reason="in the books already"), CHANGE, "run1")
    assert store.links.of_kashoo("invoice", [501])[501].source_id == DEAL
    assert (states(store), audited(store)) == ([], [("link", "run1", 501)])
    before = everything(store)
    with pytest.raises(StaleIntent):
        store.journal.linked(NEW, replace(CHANGE, kashoo_id=502), "run2")
    assert everything(store) == before


@pytest.mark.parametrize("sold", [{}, {"object": "Order", "id": ORDER}])
def test_a_record_is_not_linked_alone_while_its_sale_is_in_flight(store, sold) -> None:
    send(store, like(NEW, **sold))
    before = everything(store)
    with pytest.raises(StaleIntent):
        store.journal.linked(like(NEW, Link), CHANGE, "run2", alone=True)
    assert everything(store) == before


@pytest.mark.parametrize("other", [{"sale_id": DEAL}, {"kashoo_id": 501}])
def test_the_database_itself_keeps_one_live_invoice_link_per_sale_and_per_invoice_of_a_record(
    store, database, other
) -> None:
    store.journal.linked(NEW, CHANGE, "run1")
    [link] = rows_of(store, tables.links)
    copy = {**link, "id": link["id"] + 1_000, "sale_id": "006000000000009AAA", "kashoo_id": 999, **other}
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(insert(tables.links).values(copy))
    with database.engine.begin() as connection:  # a link that ended does not stand in the way
        connection.execute(insert(tables.links).values({**copy, "state": "ended"}))
    assert len(store.links.of_target("invoice")) == 1

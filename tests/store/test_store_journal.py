from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from intents import like
from journalled import (
    BACK,
    BUSY,
    CHANGE,
    DEADLINE,
    DEAL,
    DIFFERS,
    DOCUMENT,
    NEW,
    ORDER,
    REFUSED,
    SILENT,
    audited,
    everything,
    failing,
    operations,
    rows_of,
    send,
    states,
)
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from threads import at_once

from airflow_provider_kashoo.core.rules.intents import Create, Update
from airflow_provider_kashoo.core.rules.operations import LIVE, Event, ForbiddenTransition, State
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import LostLease, OpenOperation, Sent, StaleIntent
from airflow_provider_kashoo.store.store import SyncStore

# -- before the request leaves


def test_what_a_lookup_needs_is_committed_before_the_request_leaves(store, clock, database) -> None:
    sent = send(store)
    other = SyncStore(database, "00D000000000001EAA", "9990000001")  # another process: only commits are seen
    [row] = operations(other)
    assert (row["id"], row["state"], row["attempts"], row["lease"]) == (sent.id, "sent", 1, "a")
    assert row["reference"] == f"[sf:{DEAL}:1:1]"
    assert row["key"] == f"salesforce_to_kashoo/Opportunity/{DEAL}/1/create/1"
    assert (row["payload_hash"], row["contact_id"], row["expected_total"]) == ("hash", 77, 12_000)
    assert (row["journal_date"], row["currency"]) == ("2026-03-01", "USD")
    assert (row["sent_at"], row["deadline"], row["closed_at"]) == (clock.now, clock.now + DEADLINE, None)


def test_the_payload_itself_is_not_kept_anywhere(store) -> None:
    sent = send(store, replace(NEW, document={**DOCUMENT, "memo": "Private words"}))
    store.journal.answered(sent, CHANGE, "won")
    assert "Private words" not in str(everything(store))
    assert rows_of(store, tables.audit)[0]["fields"] == ["contact", "date", "memo"]


@pytest.mark.parametrize("seen", [0, 1, 3])
def test_a_row_planned_from_another_version_of_its_link_is_stale(store, seen) -> None:
    store.journal.linked(NEW, CHANGE, "run0")
    store.journal.answered(send(store, like(NEW, Update, link_version=1)), CHANGE, "changed")
    before = everything(store)
    with pytest.raises(StaleIntent, match=f"Opportunity {DEAL}"):
        send(store, like(NEW, Update, link_version=seen))
    assert everything(store) == before
    assert send(store, like(NEW, Update, link_version=2)).attempts == 1


def test_a_sale_that_was_billed_as_opportunity_makes_its_order_stale(store) -> None:
    store.journal.answered(send(store), CHANGE, "won")
    with pytest.raises(StaleIntent):
        send(store, like(NEW, object="Order", id=ORDER))


@pytest.mark.parametrize("ending", [None, Event.SILENCE])
def test_an_intent_in_flight_or_in_doubt_is_never_sent_again(store, clock, ending) -> None:
    sent = send(store)
    if ending:
        store.journal.failed(sent, ending, SILENT)
    before = everything(store)
    for wait in (0, DEADLINE + 1, 10 * 365 * 86_400):
        clock.now += wait
        with pytest.raises(OpenOperation):
            send(store, run_id="run2", lease="b")
    assert everything(store) == before


@pytest.mark.parametrize("ending", [None, Event.SILENCE])
def test_a_sale_in_flight_or_in_doubt_as_opportunity_is_not_billed_as_order(store, ending) -> None:
    sent = send(store)
    if ending:
        store.journal.failed(sent, ending, SILENT)
    order = like(NEW, object="Order", id=ORDER)
    with pytest.raises(OpenOperation):
        send(store, order)
    assert len(operations(store)) == 1
    assert send(store, like(order, sale=ORDER)).attempts == 1  # another sale may go
    with pytest.raises(OpenOperation):
        send(store, like(order, part=2))
    assert send(store, like(NEW, part=2)).attempts == 1  # another invoice of the same deal


def test_two_threads_never_have_one_intent_in_flight_twice(store, database, clock) -> None:
    stores = [SyncStore(Database(database.url, clock), "00D000000000001EAA", "9990000001") for _ in range(2)]
    intents = [like(NEW, id=f"006{n:012d}AAA", sale=f"006{n:012d}AAA") for n in range(25)]
    together = threading.Barrier(2, timeout=30)
    results: list[list[str]] = [[], []]

    def work(me: int) -> None:
        for intent in intents:
            together.wait()
            try:
                results[me].append(send(stores[me], intent, lease=f"lease{me}").lease)
            except OpenOperation:
                results[me].append("open")

    at_once(lambda: work(0), lambda: work(1))
    pairs = list(zip(*results, strict=True))
    assert len(pairs) == len(intents)
    assert {frozenset(pair) for pair in pairs} <= {frozenset(("lease0", "open")), frozenset(("lease1", "open"))}
    winners = [next(lease for lease in pair if lease != "open") for pair in pairs]
    assert [row["lease"] for row in operations(store)] == winners


@pytest.mark.parametrize("state", sorted(State))
def test_the_database_itself_refuses_a_second_live_operation_of_one_key(store, database, state) -> None:
    send(store)
    [row] = rows_of(store, tables.operations)
    copy = {**row, "id": row["id"] + 1_000, "state": state}
    if state in LIVE:
        with pytest.raises(IntegrityError), database.engine.begin() as connection:
            connection.execute(insert(tables.operations).values(copy))
    else:
        with database.engine.begin() as connection:
            connection.execute(insert(tables.operations).values(copy))
    assert len(operations(store)) == (1 if state in LIVE else 2)


# -- the answer


def test_a_confirmed_create_is_done_linked_and_audited(store, clock) -> None:
    sent = send(store)
    clock.now += 2
    store.journal.answered(sent, CHANGE, "won and not billed yet")
    [row] = operations(store)
    assert (row["state"], row["kashoo_id"], row["closed_at"]) == ("done", 501, clock.now)
    link = store.links.of_sources("invoice", [DEAL])[DEAL]
    assert (link.kashoo_id, link.version, link.fields, link.sale_id) == (501, 1, {"memo": ("s1", "r1")}, DEAL)
    assert (link.currency, link.expected_total, link.journal_date) == ("USD", 12_000, "2026-03-01")
    assert audited(store) == [("create", "run1", 501)]
    assert store.reviews.all_open() == []
    assert store.journal.done_by("run1") == {sent.intent.write}


def test_what_was_written_but_differs_is_done_with_one_review_item_and_never_parked(store) -> None:
    store.journal.answered(send(store), CHANGE, "won", DIFFERS)
    assert states(store) == ["done"]
    [item] = store.reviews.all_open()
    assert (item["kashoo_id"], item["error_class"], item["cause"], item["run_id"]) == (
        501, "total_differs", DIFFERS.cause, "run1",
    )  # fmt: skip
    with pytest.raises(StaleIntent):
        send(store)


MOMENTS = ["UPDATE operations", "INSERT INTO links", "INSERT INTO audit", "INSERT INTO review_items", "COMMIT"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_failure_inside_the_settling_transaction_keeps_nothing_of_it(store, database, moment) -> None:
    store.waiting.park(NEW, REFUSED, "run0")
    sent = send(store)
    before = everything(store)
    with failing(database, moment), pytest.raises(ConnectionResetError):
        store.journal.answered(sent, CHANGE, "won", DIFFERS)
    assert everything(store) == before
    store.journal.answered(sent, CHANGE, "won", DIFFERS)
    assert sorted(states(store)) == ["closed", "done"]
    assert len(rows_of(store, tables.links)) == len(store.reviews.all_open()) == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_failure_while_settling_what_was_found_keeps_nothing_of_it(store, database, moment) -> None:
    send(store)
    [operation] = operations(store)
    before = everything(store)
    with failing(database, moment), pytest.raises(ConnectionResetError):
        store.journal.settle(operation, Event.FOUND, "found", 501, DIFFERS)
    assert everything(store) == before
    assert store.journal.settle(operation, Event.FOUND, "found", 501, DIFFERS)
    assert len(rows_of(store, tables.links)) == len(store.reviews.all_open()) == 1


@pytest.mark.parametrize("moment", ["UPDATE operations", "UPDATE links", "INSERT INTO audit", "COMMIT"])
def test_a_failure_while_settling_a_write_back_keeps_nothing_of_it(store, database, moment) -> None:
    store.journal.linked(NEW, CHANGE, "run0")
    sent = send(store, BACK)
    before = everything(store)
    with failing(database, moment), pytest.raises(ConnectionResetError):
        store.journal.written_back(sent, {"Kashoo_Status__c": "h"}, "Paid")
    assert everything(store) == before


@pytest.mark.parametrize("moment", ["INSERT INTO operations", "COMMIT"])
def test_a_send_that_was_not_committed_left_no_trace(store, database, moment) -> None:
    before = everything(store)
    with failing(database, moment), pytest.raises(ConnectionResetError):
        send(store)
    assert everything(store) == before


@pytest.mark.parametrize(
    ("happened", "state", "closed"),
    [(Event.REFUSED, "parked", False), (Event.TURNED_AWAY, "retry", False), (Event.SILENCE, "in_doubt", False)],
)
def test_a_write_without_a_yes_keeps_its_cause_and_stays_open(store, happened, state, closed) -> None:
    assert store.journal.failed(send(store), happened, REFUSED) == State(state)
    [row] = operations(store)
    assert (row["state"], row["error_class"], row["cause"], row["fix"]) == (
        state, "closed_period", REFUSED.cause, REFUSED.fix,
    )  # fmt: skip
    assert (row["closed_at"] is not None) == closed
    assert audited(store) == [(state, "run1", None)]
    assert store.links.of_sources("invoice", [DEAL]) == {}
    assert store.waiting.sources("Opportunity") == [DEAL]
    assert store.waiting.sources("Order") == []


def test_an_event_outside_the_table_changes_nothing(store) -> None:
    sent = send(store)
    before = everything(store)
    with pytest.raises(ForbiddenTransition):
        store.journal.failed(sent, Event.BLOCKED, REFUSED)
    assert everything(store) == before


def test_a_write_that_was_turned_away_goes_on_as_the_same_operation(store) -> None:
    store.journal.failed(send(store), Event.TURNED_AWAY, BUSY)
    again = send(store, run_id="run2", lease="b")
    assert again.attempts == 2
    store.journal.answered(again, CHANGE, "won")
    [row] = operations(store)
    assert (row["id"], row["state"], row["attempts"], row["run_id"]) == (again.id, "done", 2, "run2")


# -- leases


def settlements(store: SyncStore, sent: Sent) -> list[Callable[[], object]]:
    return [
        lambda: store.journal.answered(sent, CHANGE, "won", DIFFERS),
        lambda: store.journal.failed(sent, Event.REFUSED, REFUSED),
        lambda: store.journal.failed(sent, Event.SILENCE, SILENT),
        lambda: store.journal.written_back(sent, {"Kashoo_Status__c": "h"}, "Paid"),
    ]


@pytest.mark.parametrize("way", range(4))
def test_a_process_that_lost_its_lease_settles_nothing(store, way) -> None:
    lost = send(store)
    store.journal.failed(lost, Event.TURNED_AWAY, BUSY)
    holder = send(store, lease="b")
    before = everything(store)
    with pytest.raises(LostLease, match=f"Opportunity {DEAL}"):
        settlements(store, lost)[way]()
    assert everything(store) == before
    store.journal.answered(holder, CHANGE, "won")
    assert states(store) == ["done"]


@pytest.mark.parametrize("way", range(4))
def test_an_operation_is_settled_once(store, way) -> None:
    sent = send(store)
    store.journal.answered(sent, CHANGE, "won")
    before = everything(store)
    with pytest.raises(LostLease):
        settlements(store, sent)[way]()
    assert everything(store) == before


# -- looked up


@pytest.mark.parametrize("second", [Event.FOUND, Event.ABSENT])
def test_of_two_who_settle_one_operation_the_second_changes_nothing(store, second) -> None:
    send(store)
    [operation] = operations(store)  # both have read it
    assert store.journal.settle(operation, Event.FOUND, "our reference stands on it", 501)
    before = everything(store)
    assert not store.journal.settle(operation, second, "resolved by a person", 502 if second is Event.FOUND else None)
    assert everything(store) == before


def test_an_answer_that_comes_while_another_run_has_it_in_doubt_settles_it(store) -> None:
    sent = send(store)
    [operation] = operations(store)
    assert store.journal.settle(operation, Event.SILENCE, "2 records carry its reference")
    store.journal.answered(sent, CHANGE, "won")
    assert states(store) == ["done"]
    assert store.links.of_sources("invoice", [DEAL])[DEAL].kashoo_id == 501


# -- write-backs


def test_an_unanswered_write_back_is_repeated_after_its_deadline_and_not_before(store, clock) -> None:
    store.journal.linked(NEW, CHANGE, "run0")
    first = send(store, BACK)
    clock.now += DEADLINE - 0.5
    with pytest.raises(OpenOperation):
        send(store, BACK, lease="b")
    clock.now += 0.5
    second = send(store, BACK, run_id="run2", lease="b")
    assert (second.id, second.attempts) == (first.id, 2)
    with pytest.raises(LostLease):
        store.journal.written_back(first, {"Kashoo_Status__c": "old"}, "Open")
    store.journal.written_back(second, {"Kashoo_Status__c": "h"}, "Paid")
    link = store.links.of_sources("invoice", [DEAL])[DEAL]
    assert (link.written_back, link.settlement, link.version) == ({"Kashoo_Status__c": "h"}, "Paid", 1)
    assert states(store) == ["done"]
    assert audited(store) == [("link", "run0", 501), ("write_back", "run2", 501)]


@pytest.mark.parametrize("of", [Create, Update])
def test_a_write_to_the_books_is_not_repeated_after_its_deadline(store, clock, of) -> None:
    send(store, like(NEW, of))
    clock.now += DEADLINE * 1000
    with pytest.raises(OpenOperation):
        send(store, like(NEW, of), lease="b")
    assert operations(store)[0]["attempts"] == 1

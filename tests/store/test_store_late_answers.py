"""An update that is answered after it was taken for lost: what the link says then, and who is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from intents import like

from airflow_provider_kashoo.core.rules import intents
from airflow_provider_kashoo.core.rules.intents import Intent, Update, Void
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.questions import LATE_UPDATE, POSSIBLE_DUPLICATE
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.journal import Sent, StaleIntent
from airflow_provider_kashoo.store.links import UNKNOWN, Link, LinkChange
from airflow_provider_kashoo.store.store import SyncStore

DEAL = "006000000000001AAA"
FOUND = intents.Link(
    record=Record("invoice", "Opportunity", DEAL), mapping="invoice_from_opportunity", reason="the deal changed"
)
UPDATE = like(FOUND, Update, kashoo_id=501, link_version=1, source_read="2026-03-02T00:00:00+00:00")
CHANGE = LinkChange(501, {"memo": ("s1", "r1"), "date": ("d1", "d1")}, expected_total=12_000)
LATE = LinkChange(501, {"memo": ("s2", "r2"), "date": ("d1", "d1")}, expected_total=13_000)


def send(store: SyncStore, intent: Intent, run_id: str = "run1") -> Sent:
    return store.journal.send(
        intent, run_id=run_id, lease=run_id, deadline_seconds=60.0, payload_hash="hash", fields={"memo": "s2"}
    )


def settle(store: SyncStore, event: Event, kashoo_id: int | None = None) -> None:
    [operation] = store.journal.unsettled(State.SENT)
    assert store.journal.settle(operation, event, "looked up", kashoo_id)


def link_of(store: SyncStore) -> Link | None:
    return store.links.of_sources("invoice", [DEAL]).get(DEAL)


def asked(store: SyncStore) -> list[tuple[str, int]]:
    return [(row["error_class"], row["kashoo_id"]) for row in store.reviews.all_open()]


@pytest.fixture
def sent(store: SyncStore) -> Sent:
    """An update of a linked invoice, without an answer."""
    store.journal.linked(FOUND, CHANGE, "run0")
    return send(store, UPDATE)


@pytest.fixture
def lost(store: SyncStore, sent: Sent) -> Sent:
    """The same, which the look-up took for absent."""
    settle(store, Event.ABSENT)
    return sent


def test_what_was_sent_last_is_unknown_where_the_link_says_otherwise(store: SyncStore, lost: Sent) -> None:
    assert store.journal.late_answer(lost, LATE) == LATE_UPDATE
    link = link_of(store)
    assert link
    assert link.fields == {"memo": (UNKNOWN, "r2"), "date": ("d1", "d1")}
    assert (link.version, link.expected_total) == (2, 12_000)
    assert asked(store) == [("late_update", 501)]
    assert [row["error_class"] for row in store.journal.unsettled(State.PARKED)] == ["late_update"]


def test_a_reading_older_than_the_links_stays_stale(store: SyncStore, lost: Sent) -> None:
    newer = replace(UPDATE, source_read="2026-03-03T00:00:00+00:00")
    store.journal.answered(send(store, newer, "run2"), CHANGE, "changed")
    store.journal.late_answer(lost, LATE)
    with pytest.raises(StaleIntent):
        send(store, replace(UPDATE, link_version=3), "run3")
    assert send(store, replace(newer, link_version=3), "run3").attempts == 1


def test_a_record_that_was_voided_since_is_not_linked_again(store: SyncStore, lost: Sent) -> None:
    store.journal.answered(send(store, like(UPDATE, Void), "run2"), CHANGE, "lost")
    assert store.journal.late_answer(lost, LATE) == LATE_UPDATE
    assert link_of(store) is None


def test_an_answer_that_names_another_record_is_a_possible_duplicate(store: SyncStore, lost: Sent) -> None:
    before = link_of(store)
    assert store.journal.late_answer(lost, replace(LATE, kashoo_id=502)) == POSSIBLE_DUPLICATE
    assert link_of(store) == before
    assert asked(store) == [("possible_duplicate", 502)]


def test_an_update_that_was_found_before_its_answer_came_asks_nobody(store: SyncStore, sent: Sent) -> None:
    settle(store, Event.FOUND, 501)
    before = link_of(store)
    assert store.journal.late_answer(sent, LATE) is None
    assert link_of(store) == before
    assert asked(store) == []
    assert store.journal.unsettled(State.PARKED) == []

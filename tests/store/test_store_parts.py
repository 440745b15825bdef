"""Several invoices of one deal in the store: each has its own link, its own questions, and its own writes."""

from __future__ import annotations

import pytest
from intents import like
from journalled import BACK, CHANGE, DEAL, DIFFERS, NEW, ORDER, REFUSED, send, states

from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.store.journal import OpenOperation
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore

SECOND = like(NEW, part=2)


def linked(store: SyncStore, *parts: int, sale: str = DEAL) -> None:
    for part in parts:
        change = LinkChange(500 + part, {"memo": ("s", "r")}, expected_total=part * 1_000, currency="USD")
        store.journal.linked(like(NEW, part=part, sale=sale, link_version=0), change, "run0")


def open_parts(store: SyncStore) -> list[tuple[int, str]]:
    return [(item["part"], item["error_class"]) for item in store.reviews.all_open()]


def test_each_part_has_its_own_link_and_the_first_stands_for_the_deal(store: SyncStore) -> None:
    linked(store, 3, 1, 2)
    parts = store.links.parts_of("invoice", [DEAL, ORDER])
    assert {ident: sorted(links) for ident, links in parts.items()} == {DEAL: [1, 2, 3]}
    assert parts[DEAL][3].kashoo_id == 503
    assert store.links.of_sources("invoice", [DEAL])[DEAL].part == 1
    assert store.links.of_sales([DEAL])[DEAL].part == 1
    assert parts[DEAL][1].fields["memo"][0] != UNKNOWN


def test_parts_of_a_deal_are_in_flight_side_by_side_but_no_other_record_of_its_sale(store: SyncStore) -> None:
    send(store)
    assert send(store, SECOND).intent.reference.part == 2
    for part in (1, 2, 3):
        with pytest.raises(OpenOperation):
            send(store, like(NEW, object="Order", id=ORDER, part=part))
    assert states(store) == ["sent", "sent"]


def test_questions_about_two_parts_are_two_and_close_one_by_one(store: SyncStore) -> None:
    for intent in (NEW, SECOND):
        store.reviews.open(intent, REFUSED, "run1")
        store.reviews.open(intent, REFUSED, "run2")
    assert open_parts(store) == [(1, REFUSED.error_class), (2, REFUSED.error_class)]
    assert store.reviews.parts("invoice", REFUSED) == {(DEAL, 1), (DEAL, 2)}
    assert store.reviews.sources("invoice", REFUSED) == {DEAL}
    store.reviews.close("invoice", DEAL, [REFUSED.error_class], 2)
    assert open_parts(store) == [(1, REFUSED.error_class)]
    store.reviews.open(SECOND, DIFFERS, "run3")
    store.reviews.close_all(NEW, but=[])
    assert open_parts(store) == [(2, DIFFERS.error_class)]
    store.reviews.close("invoice", DEAL, [DIFFERS.error_class])  # of all parts
    assert open_parts(store) == []


def test_what_is_written_back_for_one_part_is_not_outdated_by_another(store: SyncStore) -> None:
    linked(store, 1, 2)
    back = like(BACK, kashoo_id=501, link_version=1)
    assert not store.written_back.is_outdated(back)
    send(store, back)
    assert store.written_back.divided() == {DEAL}
    assert [link.part for link in store.written_back.of_records([DEAL])] == [1, 2]
    ended = like(NEW, part=1, link_version=1)
    store.links.end(ended)
    store.journal.linked(like(NEW, part=1, generation=2, link_version=2), LinkChange(509, CHANGE.fields), "run1")
    assert store.written_back.is_outdated(back)  # its part has another invoice now


def test_a_deal_with_one_invoice_is_not_divided(store: SyncStore) -> None:
    linked(store, 1)
    assert store.written_back.divided() == set()


def test_a_refused_part_rests_by_itself(store: SyncStore) -> None:
    store.journal.failed(send(store, SECOND), Event.REFUSED, REFUSED)
    assert list(store.waiting.refused()) == [("invoice", DEAL, 2)]
    store.waiting.close(like(NEW, Create))
    assert states(store) == ["parked"]
    store.waiting.close(SECOND)
    assert states(store) == ["closed"]


def test_an_answer_to_one_part_leaves_what_is_asked_about_another(store: SyncStore) -> None:
    store.reviews.open(SECOND, REFUSED, "run1")
    store.journal.answered(send(store), CHANGE, "made", DIFFERS)
    assert open_parts(store) == [(2, REFUSED.error_class), (1, DIFFERS.error_class)]

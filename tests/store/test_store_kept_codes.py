"""The codes of the books are kept for a day, for one org and business."""

from __future__ import annotations

from typing import Any

from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore

ORG, BUSINESS, TEST_BUSINESS = "00D000000000001EAA", "9990000001", "9990000002"
CODES = {"accounts": {"4000": 9_990_000_123_456, "type:INCOME": 1}, "rates": {"S": "5.5"}, "shared": {}}
DAY = 86_400


def test_they_are_kept_for_a_day(store: SyncStore, clock: Any) -> None:
    assert store.codes.get() is None
    store.codes.keep(CODES)
    assert store.codes.get() == CODES
    clock.now += DAY - 1
    assert store.codes.get() == CODES
    clock.now += 1
    assert store.codes.get() is None


def test_what_is_read_again_takes_the_place_of_what_was_kept(store: SyncStore, clock: Any) -> None:
    store.codes.keep(CODES)
    clock.now += DAY - 1
    store.codes.keep({**CODES, "rates": {}})
    clock.now += DAY - 1
    assert store.codes.get() == {**CODES, "rates": {}}


def test_codes_that_a_clock_dates_to_the_future_are_of_no_known_age(store: SyncStore, clock: Any) -> None:
    store.codes.keep(CODES)
    clock.now -= 1
    assert store.codes.get() is None


def test_they_can_be_forgotten_and_are_of_one_business(database: Database) -> None:
    mine, other = SyncStore(database, ORG, BUSINESS), SyncStore(database, ORG, TEST_BUSINESS)
    mine.codes.keep(CODES)
    assert other.codes.get() is None
    other.codes.forget()
    assert mine.codes.get() == CODES
    mine.codes.forget()
    assert mine.codes.get() is None

"""A count that takes long holds nobody up, and is shown with the time it was made."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.plugins.kept import FRESH_SECONDS, PART, Kept


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Iterator[Kept]:
    kept = Kept(clock, patience=30)
    yield kept
    kept._thread.shutdown()


def test_a_quick_count_is_there_at_once_and_kept_a_while(kept: Kept, clock: Clock) -> None:
    counts = iter(range(5))
    assert kept.get("a", lambda: next(counts)) == (0, 1000.0)
    clock.now += FRESH_SECONDS
    assert kept.get("a", lambda: next(counts)) == (0, 1000.0)
    clock.now += 1
    assert kept.get("a", lambda: next(counts)) == (1, clock.now)
    assert kept.get("b", lambda: "other") == ("other", clock.now)


def test_a_slow_count_shows_the_last_one_until_it_is_done(kept: Kept, clock: Clock) -> None:
    go_on, begun = Event(), []

    def slow() -> str:
        begun.append(1)
        go_on.wait(30)
        return "new"

    kept.get("a", lambda: "old")
    clock.now += FRESH_SECONDS + 1
    kept.patience = 0
    assert kept.get("a", slow) == ("old", 1000.0)
    assert kept.get("a", slow) == ("old", 1000.0)
    assert kept.get("new", lambda: 1) == (None, None)
    go_on.set()
    kept.patience = 30
    assert kept.get("a", slow) == ("new", clock.now)
    assert len(begun) == 1


def test_what_took_long_is_not_counted_again_so_soon(kept: Kept, clock: Clock) -> None:
    counts = iter(range(5))

    def slow() -> int:
        clock.now += 10
        return next(counts)

    assert kept.get("a", slow) == (0, 1010.0)
    clock.now += 10 * PART
    assert kept.get("a", slow) == (0, 1010.0)
    clock.now += 1
    assert kept.get("a", slow)[0] == 1


def test_a_count_that_fails_says_so_and_is_begun_again(kept: Kept) -> None:
    def fail() -> None:
        raise UnreachableError("away")

    for _ in range(2):
        with pytest.raises(UnreachableError):
            kept.get("a", fail)
    assert kept.get("a", lambda: 1)[0] == 1

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from threads import at_once

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.store.budget import KEEP_SECONDS, PATIENCE, USEFUL_BATCH, Budget, forget_old_slots
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.tables import budget_slots

HOUR, SECOND = Limit(500, 3600), Limit(5, 1)
names = count()


@pytest.fixture
def budget(database: Database, clock: Any) -> Callable[..., Budget]:
    def make(*limits: Limit, name: str = "login/business", patience: float = PATIENCE) -> Budget:
        return Budget(database, name, limits, patience=patience, sleep=clock.sleep)

    return make


def spend(budget: Budget, requests: int) -> None:
    for _ in range(requests):
        budget.release(*budget.acquire(60))


# -- no window ever holds too much


@dataclass
class Request:
    """``end`` is the answer, or the deadline of a request whose answer was never booked."""

    slot: int
    taken: float
    end: float
    answered: bool = False


def most_in_a_window(sent: list[Request], seconds: float) -> int:
    """The worst case over every instant at which the other side may count a request, from taking to answering.

    The number that can be counted within (x, x + seconds] only rises where some request is taken at its end.
    """
    edges = [each.taken - seconds for each in sent]
    return max((sum(r.taken <= x + seconds and r.end > x for r in sent) for x in edges), default=0)


limits_of = st.lists(st.builds(Limit, st.integers(1, 4), st.integers(1, 40)), min_size=1, max_size=3)
acquires = st.tuples(st.just("acquire"), st.integers(1, 25))
releases = st.tuples(st.just("release"), st.integers(0, 5))
waits = st.tuples(st.just("wait"), st.integers(0, 30))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=limits_of, steps=st.lists(st.one_of(acquires, acquires, releases, waits), max_size=25))
def test_no_window_ever_holds_more_than_allowed_and_no_free_slot_is_withheld(budget, clock, limits, steps) -> None:
    one = budget(*limits, name=f"budget{next(names)}", patience=0)
    sent: list[Request] = []
    for step, value in steps:
        waiting = [each for each in sent if not each.answered and each.end >= clock.now]
        if step == "wait":
            clock.now += value
        elif step == "release" and waiting:
            each = waiting[value % len(waiting)]
            each.end, each.answered = clock.now, True
            one.release(each.slot)
        elif step == "acquire":
            used = {limit: sum(each.end > clock.now - limit.seconds for each in sent) for limit in limits}
            free = all(used[limit] < limit.requests for limit in limits)
            assert [one.used(limit.seconds) for limit in limits] == [used[limit] for limit in limits]
            if free:
                sent.append(Request(one.acquire(value)[0], clock.now, clock.now + value))
            else:
                with pytest.raises(BudgetSpent) as spent:
                    one.acquire(value)
                assert spent.value.until > clock.now
    for limit in limits:
        assert most_in_a_window(sent, limit.seconds) <= limit.requests


def test_a_slot_is_free_again_its_window_after_the_answer_not_after_the_sending(budget, clock) -> None:
    one = budget(Limit(1, 100), patience=0)
    start, slot = clock.now, one.acquire(60)[0]
    clock.now += 50
    one.release(slot)
    with pytest.raises(BudgetSpent) as spent:
        one.acquire(60)
    assert spent.value.until == start + 150
    clock.now = start + 149.5
    assert one.used(100) == 1
    clock.now = start + 150
    assert one.used(100) == 0
    one.acquire(60)


def test_slots_that_are_wanted_together_are_taken_together_or_not_at_all(budget) -> None:
    one = budget(Limit(3, 100), patience=0)
    assert len(set(one.acquire(60, 2))) == 2
    with pytest.raises(BudgetSpent):
        one.acquire(60, 2)
    assert one.used(100) == 2
    assert len(one.acquire(60)) == 1


def test_a_window_of_one_request_gives_one_slot_to_whoever_wants_two(budget) -> None:
    assert len(budget(Limit(1, 100), Limit(5, 1000)).acquire(60, 2)) == 1


def test_a_slot_whose_worker_died_is_free_again_its_window_after_the_deadline(budget, clock) -> None:
    one = budget(Limit(1, 100), patience=0)
    one.acquire(60)
    start, clock.now = clock.now, clock.now + 159
    with pytest.raises(BudgetSpent) as spent:
        one.acquire(60)
    assert spent.value.until == start + 160
    clock.now += 1
    one.acquire(60)


# -- waiting


def test_a_short_wait_is_slept_through_to_the_second(budget, clock) -> None:
    one = budget(HOUR, SECOND)
    start = clock.now
    for _ in range(11):
        one.release(*one.acquire(60))
    assert clock.now == start + 2


def test_the_longest_wait_that_is_slept_through_is_the_patience(budget, clock) -> None:
    one = budget(Limit(1, PATIENCE + 1))
    spend(one, 1)
    with pytest.raises(BudgetSpent):
        one.acquire(60)
    clock.now += 1
    before = clock.now
    one.acquire(60)
    assert clock.now == before + PATIENCE


@pytest.mark.parametrize(("allowed", "batch"), [(60, USEFUL_BATCH), (10, 10)])
def test_a_spent_budget_says_when_a_useful_batch_is_free_and_it_is(budget, clock, allowed, batch) -> None:
    one, start = budget(Limit(allowed, 3600)), clock.now
    for number in range(allowed):
        clock.now = start + 10 * number
        spend(one, 1)
    with pytest.raises(BudgetSpent) as spent:
        one.acquire(60)
    assert spent.value.until == start + 10 * (batch - 1) + 3600
    clock.now = spent.value.until
    spend(one, batch)
    assert clock.now == spent.value.until


# -- shared by everybody


def test_a_closed_budget_is_closed_for_everyone_and_a_shorter_closure_never_shortens_it(
    budget, clock, database
) -> None:
    start = clock.now
    budget(SECOND).close(120)
    budget(SECOND).close(60)
    elsewhere = Budget(Database(database.url, clock), "login/business", [SECOND], sleep=clock.sleep)
    with pytest.raises(BudgetSpent) as spent:
        elsewhere.acquire(60)
    assert spent.value.until == start + 120
    budget(SECOND, name="another login").acquire(60)
    elsewhere.close(180)
    clock.now = start + 170
    elsewhere.acquire(60)
    assert clock.now == start + 180


def test_budgets_of_two_names_spend_nothing_from_each_other(budget) -> None:
    one, two = budget(Limit(2, 100), name="one", patience=0), budget(Limit(2, 100), name="two", patience=0)
    spend(one, 2)
    assert (one.used(100), two.used(100)) == (2, 0)
    spend(two, 2)


def test_slots_that_no_window_needs_are_forgotten_but_for_the_newest_whose_id_must_not_be_given_twice(
    budget, clock, database
) -> None:
    one = budget(Limit(50, 100), Limit(5, 1))
    spend(one, 30)
    assert (one.used(100), one.used(1)) == (30, 5)
    clock.now += 101
    spend(one, 1)
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM budget_slots").scalar_one() == 2


def test_two_threads_with_their_own_connections_never_take_more_than_there_is(database, clock) -> None:
    together = threading.Barrier(2, timeout=30)
    taken: list[list[int]] = [[], []]
    refused = [0, 0]

    def work(me: int) -> None:
        mine = Budget(Database(database.url, clock), "shared", [Limit(21, 3600)], patience=0, sleep=clock.sleep)
        for _ in range(20):
            together.wait()
            try:
                taken[me] += mine.acquire(60)
            except BudgetSpent:
                refused[me] += 1

    at_once(lambda: work(0), lambda: work(1))
    assert len({*taken[0], *taken[1]}) == len(taken[0]) + len(taken[1]) == 21
    assert sum(refused) == 19


@pytest.mark.parametrize(
    ("requests", "seconds"), [(0, 0), (1, 0), (5, 0), (6, 1), (500, 99), (501, 3600), (1001, 7200)]
)
def test_how_long_a_plan_takes_is_told_from_the_tightest_limit(budget, requests, seconds) -> None:
    assert budget(HOUR, SECOND).seconds_for(requests) == seconds


# -- slots of budgets that nobody uses any more


def slots(database: Database) -> list[str]:
    with database.begin() as connection:
        return list(connection.execute(select(budget_slots.c.budget).order_by(budget_slots.c.id)).scalars())


def test_only_slots_that_count_for_nothing_are_forgotten(database: Database, budget: Any, clock: Any) -> None:
    """A budget forgets its own with its next request; one that a changed login left behind has none."""
    month, hour = Limit(3, 31 * 86_400), Limit(10, 3600)
    spend(budget(hour, name="left behind"), 4)
    clock.now += 2 * 86_400
    spend(budget(month, name="monthly"), 3)
    clock.now += KEEP_SECONDS - 2 * 86_400 - 1
    assert forget_old_slots(database) == 0
    clock.now += 2
    assert forget_old_slots(database) == 4
    assert forget_old_slots(database) == 0
    assert slots(database) == ["monthly"] * 3
    with pytest.raises(BudgetSpent):
        budget(month, name="monthly").acquire(60)


def test_the_newest_slot_is_never_forgotten(database: Database, budget: Any, clock: Any) -> None:
    """Whoever still holds it must not release the slot of somebody else, to whom its id was given again."""
    spend(budget(HOUR), 2)
    clock.now += 10 * KEEP_SECONDS
    assert forget_old_slots(database) == 1
    assert slots(database) == ["login/business"]

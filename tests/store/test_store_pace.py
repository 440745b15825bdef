"""When a number of requests will be answered: said before, and held against a budget that is really used."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.pace import Limit, Pace
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database

LIMITS = st.lists(st.builds(Limit, st.integers(2, 60), st.sampled_from([1.0, 60.0, 3600.0])), min_size=1, max_size=3)


class Clock:
    """Epoch seconds that move only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def send(budget: Budget, clock: Clock, requests: int, each: float) -> float:
    """Send requests one after the other; give when the last was answered."""
    for _ in range(requests):
        while True:
            try:
                (slot,) = budget.acquire(30)
                break
            except BudgetSpent as spent:
                clock.now = spent.until
        clock.sleep(each)
        budget.release(slot)
    return clock.now


@settings(max_examples=40)
@given(LIMITS, st.integers(0, 80), st.integers(0, 100), st.integers(0, 150), st.booleans())
def test_requests_are_answered_when_it_was_said(
    tmp_path_factory, sqlite_template, limits: list[Limit], before: int, pause: int, requests: int, closed: bool
) -> None:
    path = tmp_path_factory.mktemp("pace") / "store.db"
    path.write_bytes(sqlite_template.read_bytes())
    clock = Clock()
    database = Database(make_url(f"sqlite:///{path}"), clock)
    budget = Budget(database, "books", limits, sleep=clock.sleep)
    send(budget, clock, before, 0.25)  # others, or an earlier run
    clock.sleep(pause)
    if closed:
        budget.close(45)
    said = budget.pace().done_at(requests)
    begun = clock.now
    done = send(budget, clock, requests, 0.25 if before else 0.5)
    database.dispose()
    assert abs(done - said) <= 0.1 * (done - begun) + 0.01


def test_what_is_free_counts_no_limit_that_only_slows() -> None:
    hour, second = Limit(500, 3600), Limit(5, 1)
    assert Pace(now=1000.0, limits=(hour, second)).free == 300  # as many as five a second allow in a minute
    used = [990.0] * 480
    assert Pace(now=1000.0, limits=(hour, second), counted=used).free == 20
    assert Pace(now=1000.0, limits=(hour,), counted=used, closed_until=2000.0).free == 0
    assert Pace(now=1000.0, limits=(hour,), counted=[1.0] * 500).free == 0
    assert Pace(now=5000.0, limits=(hour,), counted=[1.0] * 500).free == 500

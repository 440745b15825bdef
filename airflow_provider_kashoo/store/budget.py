"""The request budget: slots in rolling windows, shared by every task, worker and host.

A slot counts from its *answer* (until then, from its deadline): the other side may count a request when
it starts or when it ends, and counted from the answer, no window can hold more requests than allowed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, delete, func, insert, select, update

from airflow_provider_kashoo.core.errors import BudgetSpent
from airflow_provider_kashoo.core.rules.pace import Limit, Pace
from airflow_provider_kashoo.store.database import NOW, Database
from airflow_provider_kashoo.store.tables import budget_closures, budget_slots

_MINE = budget_slots.c.budget == bindparam("this_budget")
_COUNT = select(func.count()).where(_MINE, budget_slots.c.counts_from > bindparam("since"))
_SLOTS = (
    select(budget_slots.c.taken_at, budget_slots.c.counts_from)
    .where(_MINE)  # older ones than any window are forgotten, but for the newest: it says how long an answer took
    .order_by(budget_slots.c.counts_from)
)
_CLOSED = select(budget_closures.c.until).where(budget_closures.c.budget == bindparam("this_budget"))
_INSERT = insert(budget_slots).returning(budget_slots.c.id)
_ANSWERED = update(budget_slots).where(budget_slots.c.id == bindparam("this_slot"))
_ANSWERED_NOW = _ANSWERED.values(counts_from=NOW)
_FORGET_ALL = delete(budget_slots).where(
    budget_slots.c.counts_from <= bindparam("outworn"),
    # The newest slot stays: SQLite gives a deleted highest id to the next row, and a slow worker may still hold it.
    budget_slots.c.id < select(func.max(budget_slots.c.id)).scalar_subquery(),
)
_FORGET = _FORGET_ALL.where(_MINE)

PATIENCE = 30.0
"""Longest wait in seconds that a task sleeps through; for a longer one it frees its worker and pool slot."""

MOST_TOGETHER = 2
"""Slots taken at once: one for a read, one for the write that depends on it."""

KEEP_SECONDS = 32 * 86_400
"""How long slots are kept whose budget nobody uses any more. Assumed: no limit is for longer than a month."""

USEFUL_BATCH = 25
"""A long wait ends when this many slots are free, not one."""


LATELY = 100
"""The newest answers, from which the time that a request takes is known."""

SECONDS_EACH = 0.5
"""Assumed for a request while none was answered."""


class Budget:
    """The budget of one Kashoo login on one host.

    :param name: the same for everything that shares the budget.
    :param limits: all of them hold at once.
    :param sleep: replaced in tests.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        limits: Sequence[Limit],
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database, self._name, self.limits = database, name, tuple(limits)
        self._patience, self._sleep = patience, sleep
        self._longest = max(limit.seconds for limit in limits)
        most = min(limit.requests for limit in limits)
        self._when_free = {count: _when_free(self.limits, count) for count in range(1, min(most, MOST_TOGETHER) + 1)}
        self._batch = _when_free(self.limits, USEFUL_BATCH)

    def acquire(self, deadline_seconds: float, wanted: int = 1) -> list[int]:
        """Take a slot, or several for requests that must follow each other at once, sleeping through a short wait.

        :param deadline_seconds: when a slot starts to count if no answer is ever recorded.
        :param wanted: how many slots, at most :data:`MOST_TOGETHER`; fewer are given where a window has fewer.
        :returns: the slots, for :meth:`release`.
        :raises BudgetSpent: when the wait is too long to keep a worker busy.
        """
        count = min(wanted, len(self._when_free))
        while True:
            with self._database.begin() as connection:
                now = self._database.lock(connection, self._name)
                free_at = self._free_at(connection, self._when_free[count])
                if free_at <= now:
                    return [self._take(connection, now, deadline_seconds) for _ in range(count)]
                if free_at - now > self._patience:
                    raise BudgetSpent(self._free_at(connection, self._batch))
            self._sleep(free_at - now)

    def release(self, slot: int) -> None:
        """Record that the slot's request was answered now."""
        with self._database.begin() as connection:
            if self._database.tells_time:
                connection.execute(_ANSWERED_NOW, {"this_slot": slot})
            else:
                connection.execute(_ANSWERED, {"this_slot": slot, "counts_from": self._database.now(connection)})

    def close(self, seconds: float) -> None:
        """Close the budget for everybody, because the other side asked for a pause.

        :param seconds: from now; a longer closure that exists already stays.
        """
        with self._database.begin() as connection:
            until = self._database.lock(connection, self._name) + seconds
            closed = connection.execute(
                update(budget_closures)
                .where(budget_closures.c.budget == self._name)
                .values(until=case((budget_closures.c.until > until, budget_closures.c.until), else_=until))
            )
            if not closed.rowcount:
                connection.execute(insert(budget_closures).values(budget=self._name, until=until))

    def used(self, seconds: float) -> int:
        """Count the slots in use in a window of this length."""
        with self._database.begin() as connection:
            since = self._database.now(connection) - seconds
            return int(connection.execute(_COUNT, {"this_budget": self._name, "since": since}).scalar_one())

    def seconds_for(self, requests: int) -> float:
        """Return the shortest time for this many requests, in seconds, starting with nothing used."""
        return max(max(0, (requests - 1) // limit.requests) * limit.seconds for limit in self.limits)

    def pace(self) -> Pace:
        """Give the limits as they stand, with the requests of all tasks, workers and hosts."""
        with self._database.reading() as connection:
            now = self._database.now(connection)
            slots = connection.execute(_SLOTS, {"this_budget": self._name}).all()
            closed = connection.execute(_CLOSED, {"this_budget": self._name}).scalar_one_or_none()
        lately = [counts_from - taken_at for taken_at, counts_from in slots if counts_from <= now][-LATELY:]
        return Pace(
            now=now,
            limits=self.limits,
            counted=[counts_from for _, counts_from in slots],
            closed_until=closed or 0.0,
            each=sum(lately) / len(lately) if lately else SECONDS_EACH,
            patience=self._patience,
            batch=USEFUL_BATCH,
        )

    def _take(self, connection: Connection, now: float, deadline_seconds: float) -> int:
        connection.execute(_FORGET, {"this_budget": self._name, "outworn": now - self._longest})
        slot = {"budget": self._name, "taken_at": now, "counts_from": now + deadline_seconds}
        return int(connection.execute(_INSERT, slot).scalar_one())

    def _free_at(self, connection: Connection, query: Select[Any]) -> float:
        found = connection.execute(query, {"this_budget": self._name}).one()
        return max((at for at in found if at is not None), default=0.0)


def forget_old_slots(database: Database) -> int:
    """Delete slots that count for no budget any more. A budget that is in use deletes its own with each request.

    :returns: how many were deleted.
    """
    with database.begin() as connection:
        outworn = database.now(connection) - KEEP_SECONDS
        return connection.execute(_FORGET_ALL, {"outworn": outworn}).rowcount


def _when_free(limits: Sequence[Limit], slots: int) -> Select[Any]:
    """Build the query for when the budget reopens, and when each window has ``slots`` free; past times mean now."""
    newest = select(budget_slots.c.counts_from).where(_MINE).order_by(budget_slots.c.counts_from.desc())
    times = [
        newest.offset(limit.requests - min(slots, limit.requests)).limit(1).scalar_subquery() + limit.seconds
        for limit in limits
    ]
    return select(_CLOSED.scalar_subquery(), *(time.label(f"window_{n}") for n, time in enumerate(times)))

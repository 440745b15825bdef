"""What each channel was told: one row for a channel, and one for each trouble that it knows of.

Whoever sends takes the channel first, so that two tasks never send the same at once. What is billed counts as said from
then on: should the worker die while it sends, that is not said again. What turned bad or well counts as said only when
it was sent: after such a death it may be said twice, but is never lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from airflow_provider_kashoo.core.rules.alerts import Name, Told
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import alerts, budget_closures, channels, differences, operations, runs

SENDING_SECONDS = 600.0
"""A channel that was taken so long ago is free again: whoever took it died."""

FIRST_SECONDS = 86_400.0
"""A new channel begins with what was billed within this time."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Taken:
    """A channel that is taken.

    :param billed_after: what was billed since then was not said; epoch seconds UTC.
    :param until: for how long it is taken; it tells this taking from a later one.
    """

    id: int
    billed_after: float
    until: float
    told: list[Told] = field(default_factory=list)


class Alerts:
    """The channels of one org and business."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def take(self, name: str, billed_up_to: float | None) -> Taken | None:
        """Take a channel, and note that what was billed is said.

        :param name: of the channel, at most 64 characters.
        :param billed_up_to: until when; None if no run is over yet.
        :returns: None if somebody else is sending.
        """
        with self._scope.writing() as scope:
            mine = channels.c.scope_id == scope.id, channels.c.name == name
            row = scope.connection.execute(select(channels).where(*mine)).one_or_none()
            if row and row.taken_until > scope.now:
                return None
            before = row.billed_up_to if row else scope.now - FIRST_SECONDS
            values = {
                "taken_until": scope.now + SENDING_SECONDS,
                "billed_up_to": max(before, billed_up_to or 0.0),
            }
            if row:
                ident = row.id
                scope.connection.execute(update(channels).where(channels.c.id == ident).values(values))
            else:
                new = insert(channels).values(scope_id=scope.id, name=name, **values).returning(channels.c.id)
                ident = scope.connection.execute(new).scalar_one()
            rows = scope.connection.execute(select(alerts).where(alerts.c.channel_id == ident).order_by(alerts.c.id))
            known = rows.mappings()  # a row has a method count of its own
            told = [Told(Name(each["name"]), each["which"], each["count"], each["since"]) for each in known]
            return Taken(int(ident), before, values["taken_until"], told)

    def said(self, taken: Taken, told: Iterable[Told]) -> None:
        """Note what a channel knows now, and free it.

        :param told: all that it was told and is not well.
        """
        with self._scope.writing() as scope:
            if not self._free(scope, taken):
                return
            known, now = {each.key: each for each in taken.told}, {each.key: each for each in told}
            mine = alerts.c.channel_id == taken.id
            for name, which in known.keys() - now.keys():
                scope.connection.execute(delete(alerts).where(mine, alerts.c.name == name, alerts.c.which == which))
            for key, each in now.items():
                values = {"count": each.count, "since": each.since}
                if key not in known:
                    own = {"channel_id": taken.id, "name": each.name, "which": each.which, "said_at": scope.now}
                    scope.connection.execute(insert(alerts).values(own | values))
                elif known[key] != each:
                    this = mine, alerts.c.name == each.name, alerts.c.which == each.which
                    scope.connection.execute(update(alerts).where(*this).values(values))

    def not_sent(self, taken: Taken) -> None:
        """Free a channel to which nothing could be sent: the next try says all of it."""
        with self._scope.writing() as scope:
            self._free(scope, taken, billed_up_to=taken.billed_after)

    @staticmethod
    def _free(scope: Scope, taken: Taken, **values: float) -> bool:
        """Free it, unless it was taken again meanwhile."""
        this = channels.c.id == taken.id, channels.c.taken_until == taken.until
        freed = scope.connection.execute(update(channels).where(*this).values(taken_until=0.0, **values))
        return bool(freed.rowcount)


def billed(database: Database, scope_id: int, actions: Collection[str], after: float, up_to: float) -> list[Row]:
    """Count the writes that were confirmed in a time; it looks at each of the scope: a second for a million.

    :param after: epoch seconds UTC, exclusive.
    :param up_to: inclusive.
    :returns: ``target``, ``action``, ``currency``, ``writes``, and ``total``: minor units, None if it is not known.
    """
    c = operations.c
    query = (
        select(c.target, c.action, c.currency, func.count().label("writes"), func.sum(c.expected_total).label("total"))
        .where(c.scope_id == scope_id, c.state == State.DONE, c.action.in_(sorted(actions)))
        .where(c.closed_at > after, c.closed_at <= up_to)
        .group_by(c.target, c.action, c.currency)
        .order_by(c.target, c.action, c.currency)
    )
    with database.reading() as connection:
        rows = connection.execute(query).mappings()
        return [{**row, "total": None if row["total"] is None else int(row["total"])} for row in rows]


def in_flight(database: Database, scope_id: int) -> bool:
    """Say whether a write is under way: a record that is tried again is then not parked, and not written either."""
    c = operations.c
    with database.reading() as connection:
        now = database.now(connection)
        sent = select(func.count()).where(c.scope_id == scope_id, c.state == State.SENT, c.deadline > now)
        return bool(connection.execute(sent).scalar_one())


def runs_read(database: Database, scope_id: int, sync: str, most: int) -> list[Row]:
    """Give the newest runs of which it is known how many records they read, the newest first."""
    query = select(runs.c.run_id, runs.c.started_at, runs.c.finished_at, runs.c.records_read).where(
        runs.c.scope_id == scope_id, runs.c.sync == sync, runs.c.records_read.is_not(None)
    )
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query.order_by(runs.c.id.desc()).limit(most)).mappings()]


def newest_end(database: Database, scope_id: int, sync: str) -> float | None:
    """Say when the newest run that is over ended, epoch seconds UTC; None if there is none."""
    query = select(func.max(runs.c.finished_at)).where(runs.c.scope_id == scope_id, runs.c.sync == sync)
    with database.reading() as connection:
        found = connection.execute(query).scalar_one()
    return None if found is None else float(found)


def paused_lately(database: Database, seconds: float) -> float | None:
    """Say until when Kashoo asked for a pause, if that was within so many seconds; epoch seconds UTC."""
    with database.reading() as connection:
        now = database.now(connection)
        until = connection.execute(select(func.max(budget_closures.c.until))).scalar_one()
    return float(until) if until is not None and until > now - seconds else None


def open_differences(database: Database, scope_id: int, decided: Collection[str]) -> list[Row]:
    """Count the differences of tie-outs that nobody decided about.

    :param decided: states in which somebody did.
    :returns: ``name``, ``differences``, and ``since``: when the first of them was found, epoch seconds UTC.
    """
    c = differences.c
    query = (
        select(c.name, func.count().label("differences"), func.min(c.found_at).label("since"))
        .where(c.scope_id == scope_id, c.state.not_in(sorted(decided)))
        .group_by(c.name)
        .order_by(c.name)
    )
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]

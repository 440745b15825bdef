"""What waits for a person, counted by its cause and read a page at a time: for a store in which thousands wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, and_, func, literal, null, select

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.store.links import IS_LIVE
from airflow_provider_kashoo.store.overview import Overview, links_of, since_of
from airflow_provider_kashoo.store.tables import links, operations, review_items

PARKED, IN_DOUBT, ASKED = "parked", "in_doubt", "asked"

STATES: Mapping[str, tuple[State, ...]] = {
    PARKED: (State.PARKED, State.RETRY),
    IN_DOUBT: (State.IN_DOUBT, State.SENT),
}
"""What a person can do about a write depends on these."""

NO_ANSWER = "no_answer_yet"
"""Stands for the cause of a write that was just sent."""

PAGE = 100


@dataclass(frozen=True)
class Group:
    """What waits for one cause.

    :param state: :data:`PARKED`, :data:`IN_DOUBT` or :data:`ASKED`.
    :param totals: currency -> total of the invoices as they were sent or linked last, minor units; of what was never
        sent, nothing is known.
    :param since: when its first record began to wait, epoch seconds UTC.
    :param fix: what to do; empty if it is not the same for all.
    """

    state: str
    error_class: str
    count: int
    totals: Mapping[str, int]
    since: float
    fix: str


Oldest = Mapping[tuple[str, str], float]
"""State and cause of a group -> when its first record began to wait, epoch seconds UTC."""


def groups_of(database: Database, scope_id: int, oldest: Oldest) -> list[Group]:
    """Count what waits in one scope by its cause, the most frequent first. A question that is settled does not wait.

    :param oldest: what :func:`oldest_of` gives; without it, a group waits since its first row of now was made.
    :raises SyncError: as :meth:`.Database.reading`; so do the others here.
    """
    with database.reading() as connection:
        found = [row for state in (*STATES, ASKED) for row in connection.execute(_counted(scope_id, state))]
    whole: dict[tuple[str, str], list[Any]] = {}
    for row in found:
        whole.setdefault((row.shown_as, row.named), []).append(row)
    groups = [
        Group(
            *named,
            sum(row.records for row in rows),
            {row.code: int(row.total) for row in rows if row.total is not None},
            min(oldest.get(named, row.since) for row in rows),
            rows[0].fix if all(row.fix == row.other_fix == rows[0].fix for row in rows) else "",
        )
        for named, rows in whole.items()
    ]
    return sorted(groups, key=lambda each: -each.count)


def page_of(
    database: Database, pair: Pair, state: str, error_class: str, after: int = 0
) -> tuple[Overview, int | None]:
    """Read :data:`PAGE` records of a group, with what is known around them.

    :param after: number of the operation or review item behind which to go on.
    :returns: the records, and the number behind which more come; None behind the last.
    """
    table = _table(state)
    mine = *_waits(table, pair.id, state), _cause(table) == error_class, table.c.id > after
    with database.reading() as connection:
        query = select(table).where(*mine).order_by(table.c.id).limit(PAGE + 1)
        found: list[Mapping[str, Any]] = [dict(row) for row in connection.execute(query).mappings()]
        rows = found[:PAGE]
        ids = {row["source_id"] for row in rows}
        since = {} if state == ASKED else since_of(connection, pair.id, ids)
        live = links_of(connection, pair.id, ids)
    waiting, asked = ([], rows) if state == ASKED else (rows, [])
    more = rows[-1]["id"] if len(found) > PAGE else None
    return Overview(pair.org_id, pair.business_id, waiting, asked, [], since, live), more


def oldest_of(database: Database, scope_id: int) -> Oldest:
    """Say when the first record of each group of writes began to wait; each try made the row of the write anew.

    It looks at every try of what waits: of 10,000 records that takes a fifth of a second.
    """
    found: dict[tuple[str, str], float] = {}
    columns = [operations.c[name] for name in ("target", "source_id", "part")]
    for state in STATES:
        waits = select(*columns, _cause(operations).label("named")).where(*_waits(operations, scope_id, state))
        with database.reading() as connection:
            rows = connection.execute(waits).all()
            since = since_of(connection, scope_id, {row.source_id for row in rows})
        for row in rows:
            began = since.get((row.target, row.source_id, row.part))
            if began is not None:
                group = state, row.named
                found[group] = min(began, found.get(group, began))
    return found


def _table(state: str) -> Table:
    return review_items if state == ASKED else operations


def _cause(table: Table) -> Any:
    return func.coalesce(table.c.error_class, NO_ANSWER)


def _waits(table: Table, scope_id: int, state: str) -> tuple[Any, ...]:
    if state == ASKED:
        unseen = (table.c.dismissed_at.is_(None), table.c.settled_for.is_(None))
        return table.c.scope_id == scope_id, table.c.closed_at.is_(None), *unseen
    return table.c.scope_id == scope_id, table.c.state.in_([each.value for each in STATES[state]])


def _counted(scope_id: int, state: str) -> Select[Any]:
    """Count by cause and currency. What the link says of the total counts, or else what the write says."""
    table = _table(state)
    of_record = and_(
        links.c.scope_id == table.c.scope_id,
        links.c.source_id == table.c.source_id,
        links.c.target == table.c.target,
        links.c.part == table.c.part,
        IS_LIVE,
    )
    sent, total = (null(), null()) if state == ASKED else (table.c.currency, table.c.expected_total)
    begun, fix = table.c.opened_at if state == ASKED else table.c.created_at, func.coalesce(table.c.fix, "")
    cause = _cause(table).label("named")
    currency = func.coalesce(links.c.currency, sent, "").label("code")
    return (
        select(
            literal(state).label("shown_as"),
            cause,
            currency,
            func.count().label("records"),
            func.sum(func.coalesce(links.c.expected_total, total)).label("total"),
            func.min(begun).label("since"),
            func.min(fix).label("fix"),
            func.max(fix).label("other_fix"),
        )
        .select_from(table.outerjoin(links, of_record))
        .where(*_waits(table, scope_id, state))
        .group_by("named", "code")
    )

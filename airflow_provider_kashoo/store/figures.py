"""The numbers of the store for people: money billed, writes, runs, watermarks. Nothing here takes a write lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.links import IS_LIVE

BILLED = tuple(name for name, kind in KINDS.items() if kind.billed)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """One Salesforce org and the Kashoo business that it is billed in."""

    id: int
    org_id: str
    business_id: str


def pairs(database: Database) -> list[Pair]:
    """List every org and business, oldest first.

    :raises SyncError: as :meth:`.Database.reading`; so does each function here.
    """
    scopes = tables.scopes.c
    with database.reading() as connection:
        rows = connection.execute(select(scopes.id, scopes.org_id, scopes.business_id).order_by(scopes.id))
        return [Pair(row.id, row.org_id, row.business_id) for row in rows]


def money(database: Database, scope_id: int) -> list[Row]:
    """Add up the invoices that are linked now; it looks at each of them, which takes seconds in a large store.

    :returns: ``currency``, ``settlement`` (None if it was never read), ``invoices``, ``total`` in minor units.
    """
    links = tables.links.c
    query = (
        select(
            links.currency,
            links.settlement,
            func.count().label("invoices"),
            func.coalesce(func.sum(links.expected_total), 0).label("total"),
        )
        .where(links.scope_id == scope_id, links.target.in_(BILLED), IS_LIVE)
        .group_by(links.currency, links.settlement)
    )
    with database.reading() as connection:
        return [
            {**row, "total": int(row["total"])}  # PostgreSQL adds whole numbers up to a decimal
            for row in connection.execute(query).mappings()
        ]


def states(database: Database, scope_id: int) -> dict[str, int]:
    """Count all writes that were ever planned by their state."""
    operations = tables.operations.c
    query = (
        select(operations.state, func.count().label("writes"))
        .where(operations.scope_id == scope_id)
        .group_by(operations.state)
    )
    with database.reading() as connection:
        return {row.state: row.writes for row in connection.execute(query)}


def questions(database: Database, scope_id: int) -> int:
    """Count what a person is asked, and nobody dismissed."""
    items = tables.review_items.c
    mine = items.scope_id == scope_id, items.closed_at.is_(None), items.dismissed_at.is_(None)
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).where(*mine)).scalar_one())


def watermarks(database: Database, scope_id: int) -> list[Row]:
    """List how far each source was read: ``source``, ``value`` and ``moved_at`` (epoch seconds UTC), ``run_id``."""
    marks = tables.watermarks.c
    query = select(marks.source, marks.value, marks.moved_at, marks.run_id).where(marks.scope_id == scope_id)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query.order_by(marks.source)).mappings()]


def newest_runs(database: Database, scope_id: int, most: int, sync: str | None = None) -> list[Row]:
    """List the newest runs with the summaries of their plans, the newest first.

    :param sync: of one sync only.
    """
    runs = tables.runs.c
    mine = [runs.scope_id == scope_id, *([runs.sync == sync] if sync else [])]
    query = select(tables.runs).where(*mine).order_by(runs.id.desc()).limit(most)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def run_named(database: Database, sync: str, run_id: str, pair: str = "") -> Row | None:
    """Find a run.

    :param pair: org and business, as the folder of its files names them. Without it a run is given only if no other
        org or business has one of this id: DAGs of two companies with one schedule have the same run ids.
    """
    runs, scopes = tables.runs.c, tables.scopes.c
    query = select(tables.runs, scopes.org_id, scopes.business_id).join(tables.scopes)
    with database.reading() as connection:
        rows = connection.execute(query.where(runs.sync == sync, runs.run_id == run_id)).mappings().all()
    found = [dict(row) for row in rows if pair in ("", f"{row['org_id']}-{row['business_id']}")]
    return found[0] if len(found) == 1 else None


def outcomes(database: Database, scope_id: int, run_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Count the writes of runs by their state; of a run with a million writes it takes seconds.

    :returns: run id -> state -> writes.
    """
    operations = tables.operations.c
    query = (
        select(operations.run_id, operations.state, func.count().label("writes"))
        .where(operations.scope_id == scope_id, operations.run_id.in_(sorted(run_ids)))
        .group_by(operations.run_id, operations.state)
    )
    found: dict[str, dict[str, int]] = {each: {} for each in run_ids}
    with database.reading() as connection:
        for row in connection.execute(query):
            found[row.run_id][row.state] = row.writes
    return found

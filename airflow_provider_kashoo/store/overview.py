"""The store as shown to a person: what waits, what is asked, and how far each source was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.links import IS_LIVE, chunks
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links, operations

Numbered = tuple[str, str, int]
"""Kind, Salesforce id and part of a record."""

Around = tuple[Mapping[Numbered, float], Mapping[Numbered, Mapping[str, Any]]]

WAITING = (State.PARKED, State.IN_DOUBT, State.RETRY, State.SENT)


@dataclass(frozen=True)
class Overview:
    """One pair of org and business.

    :param waiting: rows of the table ``operations``: parked, in doubt, to be sent again, or just sent.
    :param asked: open rows of the table ``review_items`` that nobody dismissed.
    :param watermarks: rows of the table ``watermarks``.
    :param since: (kind, source id, part) -> when what waits began to wait, epoch seconds UTC.
    :param links: (kind, source id, part) -> Kashoo id, currency and expected total of the live link.
    """

    org_id: str
    business_id: str
    waiting: list[Mapping[str, Any]]
    asked: list[Mapping[str, Any]]
    watermarks: list[Mapping[str, Any]]
    since: Mapping[Numbered, float] = field(default_factory=dict)
    links: Mapping[Numbered, Mapping[str, Any]] = field(default_factory=dict)


def overviews(database: Database) -> Iterator[Overview]:
    """Return one for each org and business, oldest first."""
    marks = select(tables.watermarks).order_by(tables.watermarks.c.source)
    with database.begin() as connection:
        scopes = connection.execute(select(tables.scopes).order_by(tables.scopes.c.id)).all()
        watermarks = [dict(row) for row in connection.execute(marks).mappings()]
    for row in scopes:
        scope = Scope(database, row.id)
        waiting = Journal(scope).unsettled(*WAITING)
        asked = [item for item in Reviews(scope).all_open() if item["dismissed_at"] is None]
        yield Overview(
            row.org_id,
            row.business_id,
            waiting,
            asked,
            [each for each in watermarks if each["scope_id"] == row.id],
            *_around(scope, waiting, asked),
        )


def _around(scope: Scope, waiting: list[Mapping[str, Any]], asked: list[Mapping[str, Any]]) -> Around:
    with scope.reading() as connection:
        since = since_of(connection, scope.id, {each["source_id"] for each in waiting})
        return since, links_of(connection, scope.id, {each["source_id"] for each in (*waiting, *asked)})


def since_of(connection: Connection, scope_id: int, source_ids: Iterable[str]) -> dict[Numbered, float]:
    """Say when each record began to wait: each try that is refused has a row of its own, which ends the one before."""
    columns = [operations.c[name] for name in ("target", "source_id", "part", "created_at", "closed_at")]
    begun: dict[Numbered, float] = {}
    ended: dict[Numbered, float | None] = {}
    for part in chunks(source_ids):
        mine = operations.c.scope_id == scope_id, operations.c.source_id.in_(part)
        for row in connection.execute(select(*columns).where(*mine).order_by(operations.c.id)):
            numbered = row.target, row.source_id, row.part
            before = ended.get(numbered, 0.0)
            if before is not None and before < row.created_at:
                begun[numbered] = row.created_at
            ended[numbered] = row.closed_at
    return begun


def links_of(connection: Connection, scope_id: int, source_ids: Iterable[str]) -> dict[Numbered, Mapping[str, Any]]:
    """Give the live links of records, as far as they are shown."""
    columns = [links.c[name] for name in ("target", "source_id", "part", "kashoo_id", "currency", "expected_total")]
    found: dict[Numbered, Mapping[str, Any]] = {}
    for part in chunks(source_ids):
        mine = links.c.scope_id == scope_id, links.c.source_id.in_(part), IS_LIVE
        for row in connection.execute(select(*columns).where(*mine)).mappings():
            found[row["target"], row["source_id"], row["part"]] = dict(row)
    return found


def asked_in_all(database: Database) -> Iterator[tuple[Scope, Mapping[str, Any]]]:
    """Give the open review items that nobody dismissed, of every org and business, each with its scope."""
    with database.begin() as connection:
        idents = connection.execute(select(tables.scopes.c.id).order_by(tables.scopes.c.id)).scalars().all()
    for ident in idents:
        scope = Scope(database, ident)
        yield from ((scope, item) for item in Reviews(scope).all_open() if item["dismissed_at"] is None)


def parked_in_all(database: Database) -> list[Mapping[str, Any]]:
    """Give what is parked in every org and business: ``id``, ``source_id``, ``part`` and ``error_class``."""
    columns = [operations.c[name] for name in ("id", "source_id", "part", "error_class")]
    parked = operations.c.state.in_([State.PARKED, State.RETRY])
    # By its scopes, because the index of the states begins with them.
    query = select(*columns).where(operations.c.scope_id.in_(select(tables.scopes.c.id)), parked)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def closed_until(database: Database) -> float | None:
    """Return until when Kashoo asked for a pause, epoch seconds; None when it did not."""
    until = tables.budget_closures.c.until
    with database.begin() as connection:
        found = connection.execute(select(until).where(until > database.now(connection)))
        return max(found.scalars(), default=None)

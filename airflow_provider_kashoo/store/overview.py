"""The store as shown to a person: what waits, what is asked, and how far each source was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.scope import Scope

WAITING = (State.PARKED, State.IN_DOUBT, State.RETRY, State.SENT)


@dataclass(frozen=True)
class Overview:
    """One pair of org and business.

    :param waiting: rows of the table ``operations``: parked, in doubt, to be sent again, or just sent.
    :param asked: open rows of the table ``review_items`` that nobody dismissed.
    :param watermarks: rows of the table ``watermarks``.
    """

    org_id: str
    business_id: str
    waiting: list[Mapping[str, Any]]
    asked: list[Mapping[str, Any]]
    watermarks: list[Mapping[str, Any]]


def overviews(database: Database) -> Iterator[Overview]:
    """Return one for each org and business, oldest first."""
    marks = select(tables.watermarks).order_by(tables.watermarks.c.source)
    with database.begin() as connection:
        scopes = connection.execute(select(tables.scopes).order_by(tables.scopes.c.id)).all()
        watermarks = [dict(row) for row in connection.execute(marks).mappings()]
    for row in scopes:
        scope = Scope(database, row.id)
        yield Overview(
            row.org_id,
            row.business_id,
            Journal(scope).unsettled(*WAITING),
            [item for item in Reviews(scope).all_open() if item["dismissed_at"] is None],
            [each for each in watermarks if each["scope_id"] == row.id],
        )


def asked_in_all(database: Database) -> Iterator[tuple[Scope, Mapping[str, Any]]]:
    """Give the open review items that nobody dismissed, of every org and business, each with its scope."""
    with database.begin() as connection:
        idents = connection.execute(select(tables.scopes.c.id).order_by(tables.scopes.c.id)).scalars().all()
    for ident in idents:
        scope = Scope(database, ident)
        yield from ((scope, item) for item in Reviews(scope).all_open() if item["dismissed_at"] is None)


def closed_until(database: Database) -> float | None:
    """Return until when Kashoo asked for a pause, epoch seconds; None when it did not."""
    until = tables.budget_closures.c.until
    with database.begin() as connection:
        found = connection.execute(select(until).where(until > database.now(connection)))
        return max(found.scalars(), default=None)

"""The store as the steps see it: one database, one org, one business."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, update

from airflow_provider_kashoo.core.rules.plan import PlanSummary
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.links import Links
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.waiting import Waiting
from airflow_provider_kashoo.store.watermarks import Watermarks

HASH_KEY = "hash_key"


class SyncStore:
    """What is known of one pair of org and business.

    :param database: an open database with the current schema.
    :param org_id: 18-character Salesforce organization id.
    :param business_id: Kashoo business id.
    """

    def __init__(self, database: Database, org_id: str, business_id: str) -> None:
        self.database, self.org_id, self.business_id = database, org_id, business_id
        with database.begin() as connection:
            now = database.lock(connection, "scopes")
            self.scope_id = _scope(connection, org_id, business_id, now)
            self.hashes = _hashes(connection)
        self.links = Links(database, self.scope_id)
        self.journal = Journal(database, self.scope_id)
        self.waiting = Waiting(database, self.scope_id)
        self.reviews = Reviews(database, self.scope_id)
        self.watermarks = Watermarks(database, self.scope_id)

    @property
    def knows_books(self) -> bool:
        """Say whether the books were searched whole for references of ours since this store exists."""
        return self._scope_row().swept_at is not None

    def mark_books_known(self) -> None:
        """Note that everything that carries a reference of ours is linked now."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            mine = tables.scopes.c.id == self.scope_id
            connection.execute(
                update(tables.scopes).where(mine, tables.scopes.c.swept_at.is_(None)).values(swept_at=now)
            )

    def forget_books(self) -> None:
        """Note that the books hold what this store does not know: they are searched whole again."""
        with self.database.begin() as connection:
            mine = tables.scopes.c.id == self.scope_id
            connection.execute(update(tables.scopes).where(mine).values(swept_at=None))

    def has_seen_reference(self, target: str) -> bool:
        """Say whether a listing of this target has ever shown a reference of ours."""
        return target in self._scope_row().references_seen

    def saw_reference(self, target: str) -> None:
        """Note that a listing showed one: this business does store and list our reference field."""
        if self.has_seen_reference(target):
            return
        with self.database.begin() as connection:
            self.database.lock(connection, "scopes")
            mine = tables.scopes.c.id == self.scope_id
            seen = set(connection.execute(select(tables.scopes.c.references_seen).where(mine)).scalar_one())
            connection.execute(update(tables.scopes).where(mine).values(references_seen=sorted({*seen, target})))

    def now(self) -> float:
        """Tell the store's clock, epoch seconds UTC."""
        with self.database.begin() as connection:
            return self.database.now(connection)

    def _scope_row(self) -> Any:
        with self.database.begin() as connection:
            return connection.execute(select(tables.scopes).where(tables.scopes.c.id == self.scope_id)).one()

    def start_run(self, sync: str, run_id: str) -> None:
        """Note that a run exists; a second call changes nothing."""
        with self.database.begin() as connection:
            self.database.lock(connection, f"runs/{self.scope_id}")
            if self._run(connection, sync, run_id) is None:
                now = self.database.now(connection)
                values = {"scope_id": self.scope_id, "sync": sync, "run_id": run_id, "started_at": now}
                connection.execute(insert(tables.runs).values(values))

    def record_plan(self, sync: str, run_id: str, summary: PlanSummary) -> None:
        """Keep the plan's digest and counts with the run."""
        self._update_run(sync, run_id, digest=summary.digest, summary=asdict(summary))

    def finish_run(self, sync: str, run_id: str) -> None:
        """Note that every step of a run is done."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
        self._update_run(sync, run_id, finished_at=now)

    def run(self, sync: str, run_id: str) -> Mapping[str, Any] | None:
        """Give what is known of a run, or None."""
        with self.database.begin() as connection:
            return self._run(connection, sync, run_id)

    def _update_run(self, sync: str, run_id: str, **values: Any) -> None:
        with self.database.begin() as connection:
            connection.execute(update(tables.runs).where(*self._is_run(sync, run_id)).values(values))

    def _run(self, connection: Connection, sync: str, run_id: str) -> Mapping[str, Any] | None:
        row = connection.execute(select(tables.runs).where(*self._is_run(sync, run_id))).mappings().one_or_none()
        return dict(row) if row else None

    def _is_run(self, sync: str, run_id: str) -> Iterable[Any]:
        runs = tables.runs.c
        return runs.scope_id == self.scope_id, runs.sync == sync, runs.run_id == run_id


def record_pools(database: Database, sizes: Mapping[str, int]) -> None:
    """Keep the sizes of Airflow's pools, which a task cannot see.

    :param sizes: pool name -> slots.
    """
    with database.begin() as connection:
        now = database.lock(connection, "pools")
        for name, slots in sizes.items():
            values = {"slots": slots, "recorded_at": now}
            done = connection.execute(update(tables.pools).where(tables.pools.c.name == name).values(values))
            if not done.rowcount:
                connection.execute(insert(tables.pools).values(name=name, **values))


def recorded_pools(database: Database) -> dict[str, int]:
    """Give the pool sizes last recorded."""
    with database.begin() as connection:
        return {row.name: row.slots for row in connection.execute(select(tables.pools))}


def keyed_hash(database: Database) -> KeyedHash:
    """Give the hash of a store, for who needs neither org nor business."""
    with database.begin() as connection:
        database.lock(connection, "scopes")
        return _hashes(connection)


def _scope(connection: Connection, org_id: str, business_id: str, now: float) -> int:
    scopes = tables.scopes.c
    known = connection.execute(
        select(scopes.id).where(scopes.org_id == org_id, scopes.business_id == business_id)
    ).scalar_one_or_none()
    if known is not None:
        return int(known)
    made = connection.execute(
        insert(tables.scopes).values(org_id=org_id, business_id=business_id, created_at=now).returning(scopes.id)
    )
    return int(made.scalar_one())


def _hashes(connection: Connection) -> KeyedHash:
    settings = tables.settings.c
    known = connection.execute(select(settings.value).where(settings.name == HASH_KEY)).scalar_one_or_none()
    if known is None:
        known = secrets.token_hex(32)
        connection.execute(insert(tables.settings).values(name=HASH_KEY, value=known))
    return KeyedHash(bytes.fromhex(known))

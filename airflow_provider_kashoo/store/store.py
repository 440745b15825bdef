"""The sync store of one org and one business, as the steps use it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, update

from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.approvals import Approvals
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.differences import Differences
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.store.kept_codes import KeptCodes
from airflow_provider_kashoo.store.linked_records import LinkedRecords
from airflow_provider_kashoo.store.links import Links
from airflow_provider_kashoo.store.own_records import OwnRecords
from airflow_provider_kashoo.store.readings import Readings
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.undone import Undone
from airflow_provider_kashoo.store.waiting import Waiting
from airflow_provider_kashoo.store.watermarks import Watermarks
from airflow_provider_kashoo.store.written_back import WrittenBack

HASH_KEY = "hash_key"


class Tables:
    """The tables of one scope: each call in its own transaction, or all in one, see :meth:`SyncStore.writing`."""

    def __init__(self, scope: Scope) -> None:
        self.links = Links(scope)
        self.linked_records = LinkedRecords(scope)
        self.readings = Readings(scope)
        self.journal = Journal(scope)
        self.waiting = Waiting(scope)
        self.reviews = Reviews(scope)
        self.written_back = WrittenBack(scope)
        self.own_records = OwnRecords(scope)
        self.watermarks = Watermarks(scope)
        self.codes = KeptCodes(scope)
        self.approvals = Approvals(scope)
        self.differences = Differences(scope)
        self.undone = Undone(scope)


class SyncStore(Tables):
    """The sync store of one org and business.

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
        self._scope = Scope(database, self.scope_id)
        super().__init__(self._scope)

    @contextmanager
    def writing(self) -> Iterator[Tables]:
        """Write to several tables in one transaction; no other one writes to this scope meanwhile.

        Only what it yields joins it: any other call to this store, made before its end, waits for it in vain.

        :raises SyncError: as :meth:`.Database.begin`.
        """
        with self._scope.writing() as scope:
            yield Tables(scope)

    @property
    def knows_books(self) -> bool:
        """Whether all of the books were searched for our references since this store was created."""
        return self._scope_row().swept_at is not None

    def mark_books_known(self) -> None:
        """Record that every Kashoo record with one of our references is linked now."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            mine = tables.scopes.c.id == self.scope_id
            connection.execute(
                update(tables.scopes).where(mine, tables.scopes.c.swept_at.is_(None)).values(swept_at=now)
            )

    def forget_books(self) -> None:
        """Record that the books hold records unknown to this store, so that all of them are searched again."""
        with self.database.begin() as connection:
            mine = tables.scopes.c.id == self.scope_id
            connection.execute(update(tables.scopes).where(mine).values(swept_at=None))

    def has_seen_reference(self, target: str) -> bool:
        """Return whether a listing of this kind ever contained one of our references."""
        return target in self._scope_row().references_seen

    def mark_reference_seen(self, target: str) -> None:
        """Record that a listing contained one: this business does store and list our reference field."""
        if self.has_seen_reference(target):
            return
        with self.database.begin() as connection:
            self.database.lock(connection, "scopes")
            mine = tables.scopes.c.id == self.scope_id
            seen = set(connection.execute(select(tables.scopes.c.references_seen).where(mine)).scalar_one())
            connection.execute(update(tables.scopes).where(mine).values(references_seen=sorted({*seen, target})))

    def now(self) -> float:
        """Return the time of the store's clock, epoch seconds UTC."""
        with self.database.begin() as connection:
            return self.database.now(connection)

    def _scope_row(self) -> Any:
        with self.database.begin() as connection:
            return connection.execute(select(tables.scopes).where(tables.scopes.c.id == self.scope_id)).one()

    def start_run(self, sync: str, run_id: str) -> None:
        """Record that a run began; a second call changes nothing."""
        with self._scope.writing() as scope:
            if self._run(scope.connection, sync, run_id) is None:
                values = {"scope_id": scope.id, "sync": sync, "run_id": run_id, "started_at": scope.now}
                scope.connection.execute(insert(tables.runs).values(values))

    def record_plan(self, sync: str, run_id: str, summary: PlanSummary) -> None:
        """Store the plan's digest and summary with the run."""
        self._update_run(sync, run_id, digest=summary.digest, summary=asdict(summary))

    def record_read_back(self, sync: str, run_id: str, result: Mapping[str, Any]) -> None:
        """Store with a run how the records of its test batch compare with what was sent."""
        self._update_run(sync, run_id, read_back=dict(result))

    def newest_read_back(self, sync: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the newest test batch that was read back: its run, and how it compares; None if there was none."""
        runs = tables.runs.c
        mine = runs.scope_id == self.scope_id, runs.sync == sync, runs.read_back.is_not(None)
        query = select(runs.run_id, runs.read_back).where(*mine).order_by(runs.id.desc()).limit(1)
        with self.database.begin() as connection:
            row = connection.execute(query).one_or_none()
            return (row.run_id, row.read_back) if row else None

    def finish_run(self, sync: str, run_id: str, records_read: int | None = None) -> None:
        """Record that every step of a run is done.

        :param records_read: how many changed records its deltas had; None if no watermark moves.
        """
        with self.database.begin() as connection:
            now = self.database.now(connection)
        self._update_run(sync, run_id, finished_at=now, records_read=records_read)

    def run(self, sync: str, run_id: str) -> Mapping[str, Any] | None:
        """Return the row of a run, or None."""
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
    """Store the sizes of Airflow's pools, which a task cannot read.

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
    """Return the pool sizes last recorded."""
    with database.begin() as connection:
        return {row.name: row.slots for row in connection.execute(select(tables.pools))}


def org_of_run(database: Database, business_id: str, sync: str, run_id: str) -> str | None:
    """Return the org that a run of this business began with; None if no such run began, or if several orgs have one."""
    runs, scopes = tables.runs.c, tables.scopes.c
    is_run = scopes.business_id == business_id, runs.sync == sync, runs.run_id == run_id
    with database.begin() as connection:
        found = connection.execute(select(scopes.org_id).join(tables.runs).where(*is_run)).scalars().all()
    return found[0] if len(found) == 1 else None


def keyed_hash(database: Database) -> KeyedHash:
    """Return the keyed hash of a store, for callers without org and business."""
    with database.reading() as connection:  # the page asks for it every few seconds, and must hold up no run
        if known := _known_key(connection):
            return KeyedHash(bytes.fromhex(known))
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
    known = _known_key(connection)
    if known is None:
        known = secrets.token_hex(32)
        connection.execute(insert(tables.settings).values(name=HASH_KEY, value=known))
    return KeyedHash(bytes.fromhex(known))


def _known_key(connection: Connection) -> str | None:
    settings = tables.settings.c
    return connection.execute(select(settings.value).where(settings.name == HASH_KEY)).scalar_one_or_none()

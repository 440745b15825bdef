"""One pair of Salesforce org and Kashoo business in a database, and its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from airflow_provider_kashoo.store.database import Database


@dataclass(frozen=True)
class Scope:
    """The org and business to which rows of the store belong.

    Each call runs in its own transaction, unless it is made within :meth:`writing`: then it joins that one.

    :param id: row of the table ``scopes``.
    :param now: when the transaction began, epoch seconds UTC.
    """

    database: Database
    id: int
    joined: Connection | None = None
    now: float = 0.0

    @property
    def connection(self) -> Connection:
        """The connection of the joined transaction."""
        if self.joined is None:
            raise RuntimeError("no transaction was begun")
        return self.joined

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a read transaction.

        :raises SyncError: as :meth:`.Database.begin`.
        """
        if self.joined is not None:
            yield self.joined
        else:
            with self.database.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Scope]:
        """Run a write transaction, one at a time in this scope: what it reads cannot change before it writes.

        :raises SyncError: as :meth:`.Database.begin`.
        """
        if self.joined is not None:
            yield self
        else:
            with self.database.begin() as connection:
                yield replace(self, joined=connection, now=self.database.lock(connection, f"scope/{self.id}"))

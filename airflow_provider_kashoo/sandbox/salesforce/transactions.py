"""Writes that can be taken back, and transactions held open: written now, seen by nobody until they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock
from typing import Any, Protocol, Self, TypeVar

from airflow_provider_kashoo.sandbox.salesforce.schema import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Store

T = TypeVar("T")


class _Aside(Exception):
    """Takes the writes of a held transaction out of the tables again."""


@dataclass(frozen=True)
class Pending:
    """A transaction held open: when it started, and the rows as they will be; None for a row that will be gone."""

    started: float
    rows: dict[tuple[str, str], Row | None] = field(default_factory=dict)


class Writes:
    """The one way into the stores of an org: undone when its block raises, put aside while its transaction is held."""

    def __init__(self, lock: RLock, stores: Mapping[str, Store]) -> None:
        self.lock, self._stores = lock, stores
        #: the transactions held open, by number
        self.held: dict[int, Pending] = {}
        self.number = 0
        self._current = 0
        self._journal: list[tuple[Store, str, Row | None]] = []
        self._depth = 0

    @contextmanager
    def block(self) -> Iterator[None]:
        """Undo every write of the block when it raises; blocks nest, each being its own savepoint."""
        with self.lock:
            mark = len(self._journal)
            self._depth += 1
            try:
                yield
            except BaseException:
                while len(self._journal) > mark:
                    store, record_id, old = self._journal.pop()
                    store.put(record_id, old)
                raise
            finally:
                self._depth -= 1
                if not self._depth:
                    self._journal.clear()

    def put(self, store: Store, record_id: str, row: Row | None) -> None:
        """Store ``row`` (None removes it); UNABLE_TO_LOCK_ROW while another transaction has written it."""
        key = (store.name, record_id)
        if any(key in pending.rows for number, pending in self.held.items() if number != self._current):
            message = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
            raise SalesforceError("UNABLE_TO_LOCK_ROW", message)
        if self._depth:
            self._journal.append((store, record_id, store.rows.get(record_id)))
        store.put(record_id, row)

    def hold(self, started: float) -> int:
        """Open a transaction that started at ``started`` (epoch seconds) and return its number."""
        with self.lock:
            self.number += 1
            self.held[self.number] = Pending(started)
            return self.number

    def oldest(self) -> float | None:
        """Return when the oldest transaction still open started, or None."""
        with self.lock:
            return min((pending.started for pending in self.held.values()), default=None)

    def aside(self, number: int, call: Callable[[], T]) -> T:
        """Run one statement of a held transaction: it sees the transaction's own writes, nobody else ever does."""
        with self.lock:
            pending = self._open(number)
            done: list[T] = []
            try:
                with self.block(), self._as(number):
                    mark = len(self._journal)
                    self._apply(pending)
                    done.append(call())
                    touched = {(store.name, key): store.rows.get(key) for store, key, _ in self._journal[mark:]}
                    raise _Aside  # noqa: TRY301 - the way out that takes the writes along
            except _Aside:
                self.held[number] = replace(pending, rows=touched)
            return done[0]

    def commit(self, number: int) -> None:
        """Make a held transaction's rows visible, with the stamps they got when they were written."""
        with self.block(), self._as(number):
            self._apply(self._open(number))
            del self.held[number]

    def rollback(self, number: int) -> None:
        """Forget a held transaction."""
        with self.lock:
            self._open(number)
            del self.held[number]

    def _open(self, number: int) -> Pending:
        if number not in self.held:
            raise SalesforceError("NOT_FOUND", f"transaction {number} is not open", status=404)
        return self.held[number]

    def _apply(self, pending: Pending) -> None:
        for (name, record_id), row in pending.rows.items():
            self.put(self._stores[name], record_id, row)

    @contextmanager
    def _as(self, number: int) -> Iterator[None]:
        before, self._current = self._current, number
        try:
            yield
        finally:
            self._current = before


class _Org(Protocol):
    """What a held transaction needs of its org."""

    writes: Writes

    def insert(self, sobject: str, fields: Mapping[str, Any]) -> str: ...
    def update(self, sobject: str, record_id: str, fields: Mapping[str, Any]) -> None: ...
    def delete(self, sobject: str, record_id: str) -> None: ...


class Held:
    """A transaction of an org held open: committed when its ``with`` block ends well, else rolled back.

    Its rows are locked until then: whoever else writes them gets UNABLE_TO_LOCK_ROW. Ids and stamps are given at each
    statement, so that a commit shows rows that are older than what others have read since.
    """

    def __init__(self, org: _Org, number: int) -> None:
        self._org, self.number = org, number

    def run(self, call: Callable[[], T]) -> T:
        """Run any reads and writes of the org inside this transaction: ``tx.run(lambda: org.get("Account", key))``."""
        return self._org.writes.aside(self.number, call)

    def insert(self, sobject: str, fields: Mapping[str, Any]) -> str:
        """As the org's own."""
        return self.run(partial(self._org.insert, sobject, fields))

    def update(self, sobject: str, record_id: str, fields: Mapping[str, Any]) -> None:
        """As the org's own."""
        self.run(partial(self._org.update, sobject, record_id, fields))

    def delete(self, sobject: str, record_id: str) -> None:
        """As the org's own."""
        self.run(partial(self._org.delete, sobject, record_id))

    def commit(self) -> None:
        """Make the rows visible, their stamps unmoved."""
        self._org.writes.commit(self.number)

    def rollback(self) -> None:
        """Forget the writes."""
        self._org.writes.rollback(self.number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.number in self._org.writes.held:
            (self.rollback if kind else self.commit)()

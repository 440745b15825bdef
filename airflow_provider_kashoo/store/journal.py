"""The journal: every write is committed here before it is sent, and settled here in one transaction.

States and events are those of :mod:`airflow_provider_kashoo.core.operations`; an update that would
leave that table fails, and so does one by a process that lost its lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.operations import LIVE, TRANSITIONS, UNSETTLED, Event, State, after
from airflow_provider_kashoo.core.plan import Action, PlanRow
from airflow_provider_kashoo.store import links as link_rows
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.tables import audit, operations, review_items


class StaleRow(Exception):
    """The plan row does not hold any more: its record was written since the plan was made."""


class OpenOperation(Exception):
    """Another operation with this key was sent and its outcome is not known yet."""


class LostLease(Exception):
    """The operation was taken over by another process since it was sent."""


@dataclass(frozen=True)
class Sent:
    """An operation that is committed as sent.

    :param lease: fencing token; only its holder may settle the operation.
    :param attempts: how often it was sent, this time included.
    """

    id: int
    row: PlanRow
    lease: str
    attempts: int
    run_id: str = ""


class Journal:
    """Operations, review items and audit of one scope."""

    def __init__(self, database: Database, scope_id: int) -> None:
        self._database, self._scope_id = database, scope_id

    def send(
        self,
        row: PlanRow,
        *,
        run_id: str,
        lease: str,
        deadline_seconds: float,
        payload_hash: str,
        fields: Mapping[str, str],
        contact_id: int | None = None,
    ) -> Sent:
        """Commit that a row is about to be sent.

        :param deadline_seconds: the request must not leave or be answered later than this.
        :param fields: field -> hash as sent; the base of the link when the write is found only later.
        :raises StaleRow: when the link is not as the plan saw it.
        :raises OpenOperation: when the same intent is in flight or in doubt, or its sale through another object.
        """
        with self._writing() as (connection, now):
            if link_rows.version_of(connection, self._scope_id, row) != row.link_version and row.target in _BOOKS:
                raise StaleRow(row.record)
            earlier = connection.execute(
                select(operations.c.id, operations.c.state, operations.c.attempts, operations.c.deadline).where(
                    self._mine, operations.c.key == row.key, operations.c.state.in_(list(LIVE))
                )
            ).one_or_none()
            if row.target in _BOOKS and self._sale_is_open(connection, row):
                raise OpenOperation(row.record)
            event = Event.SEND
            if earlier and earlier.state != State.RETRY:
                if row.action is not Action.WRITE_BACK or earlier.deadline > now:
                    raise OpenOperation(row.record)
                event = Event.REPEAT
            attempts = (earlier.attempts if earlier else 0) + 1
            values = {
                **_identity(row),
                "run_id": run_id,
                "state": after(State(earlier.state) if earlier else None, event),
                "attempts": attempts,
                "lease": lease,
                "payload_hash": payload_hash,
                "fields": dict(fields),
                "reference": str(row.reference),
                "kashoo_id": row.kashoo_id,
                "contact_id": contact_id,
                "currency": row.currency,
                "expected_total": row.total,
                "journal_date": row.document.get("date"),
                "link_version": row.link_version,
                "sent_at": now,
                "deadline": now + deadline_seconds,
            }
            if earlier:
                connection.execute(update(operations).where(operations.c.id == earlier.id).values(values))
                return Sent(earlier.id, row, lease, attempts, run_id)
            return Sent(self._insert(connection, values, now), row, lease, attempts, run_id)

    def answered(self, sent: Sent, change: LinkChange, reason: str, review: Problem | None = None) -> None:
        """Settle a write that the books confirmed: state, link, audit and review item in one transaction.

        :raises LostLease: when another process took the operation over.
        """
        with self._writing() as (connection, now):
            self._move(connection, sent, Event.ANSWERED, now, kashoo_id=change.kashoo_id)
            link_rows.put(connection, self._scope_id, sent.row, change, now)
            self._close_parked(connection, sent.row, now)
            self._note(connection, sent.row, sent.row.action.value, reason, change.kashoo_id, now, sent.id, sent.run_id)
            if review:
                self._open_review(
                    connection, sent.row, review, change.kashoo_id, now, self._run_of(connection, sent.id)
                )

    def late_answer(self, sent: Sent, kashoo_id: int) -> bool:
        """Record an answer that came after the operation was settled without it; never drop it.

        :returns: whether the books may hold the record twice; a review item says so then.
        """
        with self._writing() as (connection, now):
            here = connection.execute(
                select(operations.c.state, operations.c.kashoo_id, operations.c.run_id).where(
                    operations.c.id == sent.id
                )
            ).one()
            self._note(connection, sent.row, "late_answer", f"came in state {here.state}", kashoo_id, now, sent.id)
            if here.kashoo_id == kashoo_id:
                return False
            self._open_review(connection, sent.row, POSSIBLE_DUPLICATE, kashoo_id, now, here.run_id)
            return True

    def settle(self, operation: Mapping[str, Any], event: Event, reason: str, kashoo_id: int | None = None) -> bool:
        """Settle an operation that got no answer, by what was found out about it since.

        :param operation: a row of :meth:`unsettled`.
        :param event: ``FOUND`` (link and audit follow in the same transaction), ``ABSENT`` or ``SILENCE``.
        :returns: whether it was still as the row says; otherwise another process was faster.
        """
        row = _row_of(operation)
        with self._writing() as (connection, now):
            state = after(State(operation["state"]), event)
            moved = connection.execute(
                update(operations)
                .where(operations.c.id == operation["id"], operations.c.state == operation["state"])
                .values(
                    state=state,
                    # In doubt, the answer may still come: its sender keeps the lease.
                    **({} if state in LIVE else {"lease": None}),
                    kashoo_id=kashoo_id or operation["kashoo_id"],
                    closed_at=None if state in LIVE else now,
                    cause=None if state is State.DONE else reason,
                    **({} if state is not State.IN_DOUBT else {"error_class": "in_doubt", "fix": IN_DOUBT_FIX}),
                )
            )
            if not moved.rowcount:
                return False
            self._note(connection, row, event.value, reason, kashoo_id, now, operation["id"])
            if event is Event.ABSENT:
                self._park(connection, row, NOT_WRITTEN, operation["run_id"], now)  # read again in every run till then
            if event is Event.FOUND and kashoo_id is not None:
                sent = operation["fields"] or {}
                change = LinkChange(
                    kashoo_id=kashoo_id,
                    fields={name: (value, value) for name, value in sent.items()},
                    currency=operation["currency"],
                    expected_total=operation["expected_total"],
                    journal_date=operation["journal_date"],
                )
                link_rows.put(connection, self._scope_id, row, change, now)
                self._close_parked(connection, row, now)
            return True

    def operation(self, ident: int) -> Mapping[str, Any] | None:
        """Give one operation of this scope, or None."""
        with self._database.begin() as connection:
            found = connection.execute(select(operations).where(self._mine, operations.c.id == ident))
            row = found.mappings().one_or_none()
            return dict(row) if row else None

    def open_records(self) -> set[tuple[str, str]]:
        """List (target, source id) of what was sent and has no known outcome: nothing more is sent for it."""
        with self._database.begin() as connection:
            found = connection.execute(
                select(operations.c.target, operations.c.source_id).where(
                    self._mine, operations.c.state.in_([State.SENT, State.IN_DOUBT])
                )
            )
            return {(row.target, row.source_id) for row in found}

    def written_back(self, sent: Sent, written: Mapping[str, str], settlement: str) -> None:
        """Settle a write-back that Salesforce confirmed."""
        with self._writing() as (connection, now):
            self._move(connection, sent, Event.ANSWERED, now)
            link_rows.write_back(connection, self._scope_id, sent.row, written, settlement)
            self._close_parked(connection, sent.row, now)
            self._note(connection, sent.row, sent.row.action.value, sent.row.reason, sent.row.kashoo_id, now, sent.id)

    def linked(self, row: PlanRow, change: LinkChange, run_id: str) -> None:
        """Link a record that stands in the books already; nothing is sent.

        :raises StaleRow: when it was linked since the plan was made.
        """
        with self._writing() as (connection, now):
            if link_rows.version_of(connection, self._scope_id, row) != row.link_version:
                raise StaleRow(row.record)
            link_rows.put(connection, self._scope_id, row, change, now)
            self._close_parked(connection, row, now)
            self._note(connection, row, "link", row.reason, change.kashoo_id, now, None, run_id)

    def failed(self, sent: Sent, event: Event, problem: Problem) -> State:
        """Settle a write that was refused, turned away, or not answered.

        :param event: ``REFUSED``, ``TURNED_AWAY`` or ``SILENCE``.
        :raises LostLease: when another process took the operation over.
        """
        with self._writing() as (connection, now):
            if event is Event.REFUSED:
                self._close_parked(connection, sent.row, now)  # one parked row per record, however often it is refused
            state = self._move(
                connection, sent, event, now, error_class=problem.error_class, cause=problem.cause, fix=problem.fix
            )
            self._note(connection, sent.row, state.value, problem.cause, None, now, sent.id)
            return state

    def park(self, row: PlanRow, problem: Problem, run_id: str) -> None:
        """Keep a record that cannot be sent, with its cause and fix; a second call renews them."""
        with self._writing() as (connection, now):
            self._park(connection, row, problem, run_id, now)

    def review(self, row: PlanRow, problem: Problem, run_id: str) -> None:
        """Open a review item; an open one for the same record and cause stays as it is."""
        with self._writing() as (connection, now):
            self._open_review(connection, row, problem, row.kashoo_id, now, run_id)

    def close_reviews(self, target: str, source_id: str, error_classes: Iterable[str]) -> None:
        """Close what was to be reviewed of a record, now that its cause is gone."""
        with self._writing() as (connection, now):
            connection.execute(
                update(review_items)
                .where(
                    review_items.c.scope_id == self._scope_id,
                    review_items.c.target == target,
                    review_items.c.source_id == source_id,
                    review_items.c.error_class.in_(sorted(error_classes)),
                    review_items.c.closed_at.is_(None),
                )
                .values(closed_at=now)
            )

    def release(self, row: PlanRow) -> None:
        """Close what is parked for a record that needs no write any more."""
        with self._writing() as (connection, now):
            self._close_parked(connection, row, now)

    def unsettled_sources(self, source_object: str) -> list[str]:
        """List the records of one object that are read again in every run."""
        with self._database.begin() as connection:
            found = connection.execute(
                select(operations.c.source_id)
                .where(
                    self._mine,
                    operations.c.source_object == source_object,
                    operations.c.state.in_([state.value for state in UNSETTLED]),
                )
                .distinct()
            )
            return sorted(found.scalars())

    def unsettled(self, *states: State) -> list[Mapping[str, Any]]:
        """List operations in some states, oldest first."""
        with self._database.begin() as connection:
            found = connection.execute(
                select(operations).where(self._mine, operations.c.state.in_([*states])).order_by(operations.c.id)
            )
            return [dict(row) for row in found.mappings()]

    def open_reviews(self) -> list[Mapping[str, Any]]:
        """List open review items, oldest first."""
        with self._database.begin() as connection:
            found = connection.execute(
                select(review_items)
                .where(review_items.c.scope_id == self._scope_id, review_items.c.closed_at.is_(None))
                .order_by(review_items.c.id)
            )
            return [dict(row) for row in found.mappings()]

    def done_keys(self, run_id: str) -> set[str]:
        """Give the keys of the writes a run finished, so that its retry leaves them out."""
        with self._database.begin() as connection:
            finished = select(operations.c.key).where(
                self._mine, operations.c.run_id == run_id, operations.c.state == State.DONE
            )
            return set(connection.execute(finished).scalars())

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, float]]:
        """One writer of a scope at a time: what a transaction read still holds when it writes."""
        with self._database.begin() as connection:
            yield connection, self._database.lock(connection, f"journal/{self._scope_id}")

    @property
    def _mine(self) -> Any:
        return operations.c.scope_id == self._scope_id

    def _sale_is_open(self, connection: Connection, row: PlanRow) -> bool:
        """Say whether the outcome of another write for the same sale is not known: it may be billed by it."""
        others = select(operations.c.id).where(
            self._mine,
            operations.c.target == row.target,
            operations.c.sale_id == (row.sale_id or row.source_id),
            operations.c.part == row.part,
            operations.c.key != row.key,
            operations.c.state.in_([State.SENT, State.IN_DOUBT]),
        )
        return connection.execute(others).first() is not None

    def _park(self, connection: Connection, row: PlanRow, problem: Problem, run_id: str, now: float) -> None:
        parked = connection.execute(
            select(operations.c.id).where(
                self._mine,
                operations.c.target == row.target,
                operations.c.source_id == row.source_id,
                operations.c.part == row.part,
                operations.c.state == State.PARKED,
            )
        ).scalar()
        values = {
            **_identity(row),
            "run_id": run_id,
            "state": after(State.PARKED if parked else None, Event.BLOCKED),
            "link_version": row.link_version,
            "error_class": problem.error_class,
            "cause": problem.cause,
            "fix": problem.fix,
        }
        if parked:
            connection.execute(update(operations).where(operations.c.id == parked).values(values))
            return
        ident = self._insert(connection, {**values, "attempts": 0}, now)
        self._note(connection, row, State.PARKED.value, problem.cause, None, now, ident)

    def _insert(self, connection: Connection, values: Mapping[str, Any], now: float) -> int:
        made = connection.execute(
            insert(operations).values(scope_id=self._scope_id, created_at=now, **values).returning(operations.c.id)
        )
        return int(made.scalar_one())

    def _move(self, connection: Connection, sent: Sent, event: Event, now: float, **values: Any) -> State:
        """Change an operation's state, if it is still its sender's: sent, or in doubt and answered after all."""
        mine = (operations.c.id == sent.id, operations.c.lease == sent.lease)
        here = connection.execute(select(operations.c.state).where(*mine)).scalar_one_or_none()
        settled_meanwhile = here == State.IN_DOUBT and (State.IN_DOUBT, event) not in TRANSITIONS
        if here not in {State.SENT, State.IN_DOUBT} or settled_meanwhile:
            raise LostLease(sent.row.record)
        state = after(State(here), event)
        moved = connection.execute(
            update(operations)
            .where(*mine, operations.c.state == here)
            .values(state=state, closed_at=None if state in UNSETTLED else now, **values)
        )
        if not moved.rowcount:
            raise LostLease(sent.row.record)
        return state

    def _close_parked(self, connection: Connection, row: PlanRow, now: float) -> None:
        connection.execute(
            update(operations)
            .where(
                self._mine,
                operations.c.target == row.target,
                operations.c.source_id == row.source_id,
                operations.c.part == row.part,
                operations.c.state.in_([State.PARKED, State.RETRY]),
            )
            .values(state=after(State.PARKED, Event.SUPERSEDED), closed_at=now)
        )

    def _open_review(
        self, connection: Connection, row: PlanRow, problem: Problem, kashoo_id: int | None, now: float, run_id: str
    ) -> None:
        same = select(review_items.c.id).where(
            review_items.c.scope_id == self._scope_id,
            review_items.c.target == row.target,
            review_items.c.source_id == row.source_id,
            review_items.c.error_class == problem.error_class,
            review_items.c.closed_at.is_(None),
        )
        if connection.execute(same).scalar() is None:
            connection.execute(
                insert(review_items).values(
                    scope_id=self._scope_id,
                    run_id=run_id,
                    target=row.target,
                    source_object=row.source_object,
                    source_id=row.source_id,
                    kashoo_id=kashoo_id,
                    error_class=problem.error_class,
                    cause=problem.cause,
                    fix=problem.fix,
                    opened_at=now,
                )
            )

    def _run_of(self, connection: Connection, operation_id: int) -> str:
        return str(connection.execute(select(operations.c.run_id).where(operations.c.id == operation_id)).scalar_one())

    def _note(
        self,
        connection: Connection,
        row: PlanRow,
        event: str,
        reason: str,
        kashoo_id: int | None,
        now: float,
        operation_id: int | None,
        run_id: str | None = None,
    ) -> None:
        connection.execute(
            insert(audit).values(
                scope_id=self._scope_id,
                at=now,
                run_id=run_id or self._run_of(connection, operation_id or 0),
                operation_id=operation_id,
                event=event,
                target=row.target,
                source_object=row.source_object,
                source_id=row.source_id,
                kashoo_id=kashoo_id,
                fields=sorted(row.payload),
                reason=reason,
            )
        )


POSSIBLE_DUPLICATE = Problem(
    "possible_duplicate",
    "an answer came after the write was taken for lost: the books may hold it twice",
    "Compare in Kashoo and remove one by hand.",
)
NOT_WRITTEN = Problem("not_written", "it was sent, but not written", "Nothing: it is planned again by itself.")
IN_DOUBT_FIX = "Look in Kashoo, then: airflow kashoo resolve ID --found KASHOO_ID, or --absent."

_BOOKS = frozenset({"customer", "item", "invoice"})


def _identity(row: PlanRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "action": row.action.value if row.action is not Action.PARK else Action.CREATE.value,
        "target": row.target,
        "source_object": row.source_object,
        "source_id": row.source_id,
        "part": row.part,
        "generation": row.generation,
        "sale_id": row.sale_id or row.source_id,
    }


def _row_of(operation: Mapping[str, Any]) -> PlanRow:
    return PlanRow(
        action=Action(operation["action"]),
        mapping="",
        target=operation["target"],
        source_object=operation["source_object"],
        source_id=operation["source_id"],
        reason="",
        sale_id=operation["sale_id"],
        part=operation["part"],
        generation=operation["generation"],
        kashoo_id=operation["kashoo_id"],
        currency=operation["currency"],
    )

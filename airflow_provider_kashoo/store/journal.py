"""The journal: every write is committed here before it is sent, and settled here in one transaction.

States and events are those of :mod:`airflow_provider_kashoo.core.rules.operations`; an update that would
leave that table fails, and so does one by a process that lost its lease.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.kinds import BOOKS_TARGETS
from airflow_provider_kashoo.core.rules.operations import LIVE, TRANSITIONS, UNSETTLED, Event, State, after
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import LATE_UPDATE, POSSIBLE_DUPLICATE
from airflow_provider_kashoo.store import audit, reviews, waiting
from airflow_provider_kashoo.store import links as link_rows
from airflow_provider_kashoo.store import operation_rows as rows
from airflow_provider_kashoo.store.database import Database, Transaction
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.tables import operations


class StaleRow(Exception):
    """The plan row does not hold any more: its record was written since the plan was made."""


class OpenOperation(Exception):
    """Another operation with this key was sent and its outcome is not known yet."""


class LostLease(Exception):
    """The operation was taken over by another process since it was sent."""


Done = tuple[str, int, str]
"""A finished write: its key, and the version of the link and the reading of the source that it was planned from."""


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
    run_id: str


class Journal:
    """The operations of one scope."""

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
        with self._database.writing(self._scope_id) as transaction:
            if row.target in BOOKS_TARGETS and not link_rows.holds(transaction, row):
                raise StaleRow(row.record)
            if row.action is Action.WRITE_BACK and link_rows.is_outdated(transaction, row):
                raise StaleRow(row.record)
            earlier, of_sale = self._open(transaction, row)
            if row.target in BOOKS_TARGETS and of_sale:
                raise OpenOperation(row.record)
            event = Event.SEND
            if earlier and earlier.state != State.RETRY:
                if row.action is not Action.WRITE_BACK or earlier.deadline > transaction.now:
                    raise OpenOperation(row.record)
                event = Event.REPEAT
            attempts = (earlier.attempts if earlier else 0) + 1
            values = {
                **rows.identity(row),
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
                "sent_at": transaction.now,
                "deadline": transaction.now + deadline_seconds,
            }
            if row.action is Action.WRITE_BACK:
                link_rows.tell(transaction, row)
            if earlier:
                transaction.connection.execute(rows.UPDATE, {"this_id": earlier.id, **values})
                return Sent(earlier.id, row, lease, attempts, run_id)
            return Sent(rows.new(transaction, values), row, lease, attempts, run_id)

    def answered(self, sent: Sent, change: LinkChange, reason: str, review: Problem | None = None) -> None:
        """Settle a write that the books confirmed: state, link, audit and review item in one transaction.

        :raises LostLease: when another process took the operation over.
        """
        with self._database.writing(self._scope_id) as transaction:
            _, seen = self._move(transaction, sent, Event.ANSWERED, kashoo_id=change.kashoo_id)
            self._written(transaction, sent.row, change, sent.run_id, seen)
            audit.note(transaction, sent.row, sent.row.action.value, reason, sent.run_id, sent.id, change.kashoo_id)
            if review:
                reviews.open_item(transaction, sent.row, review, change.kashoo_id, sent.run_id)

    def late_answer(self, sent: Sent, change: LinkChange) -> Problem | None:
        """Record an answer that came after the operation was settled without it; never drop it.

        An update that was taken for lost may have replaced a newer value: its record is read and written afresh.

        :returns: what was put to a person: the books may hold the record twice, or an older value.
        """
        with self._database.writing(self._scope_id) as transaction:
            here = transaction.connection.execute(
                select(operations.c.state, operations.c.kashoo_id, operations.c.run_id).where(
                    operations.c.id == sent.id
                )
            ).one()
            reason, row = f"came in state {here.state}", sent.row
            audit.note(transaction, sent.row, "late_answer", reason, here.run_id, sent.id, change.kashoo_id)
            if here.kashoo_id != change.kashoo_id:
                late = POSSIBLE_DUPLICATE
            elif sent.row.action is Action.UPDATE and here.state != State.DONE:
                late = LATE_UPDATE
                row = link_rows.followed_since(transaction, row, change.kashoo_id)
                link_rows.overwritten(transaction, row, change)
                waiting.park(transaction, row, late, here.run_id)
            else:
                return None
            reviews.open_item(transaction, row, late, change.kashoo_id, here.run_id)
            return late

    def settle(
        self,
        operation: Mapping[str, Any],
        event: Event,
        reason: str,
        kashoo_id: int | None = None,
        review: Problem | None = None,
    ) -> bool:
        """Settle an operation that got no answer, by what was found out about it since.

        :param operation: a row of :meth:`unsettled`.
        :param event: ``FOUND`` (link, audit and review item follow in the same transaction), ``ABSENT`` or ``SILENCE``.
        :param review: what a person has to look at in what was found.
        :returns: whether it was still as the row says; otherwise another process was faster.
        """
        row = rows.row_of(operation)
        with self._database.writing(self._scope_id) as transaction:
            state = after(State(operation["state"]), event)
            moved = transaction.connection.execute(
                rows.SETTLE,
                {
                    "this_id": operation["id"],
                    "this_state": operation["state"],
                    "state": state,
                    # In doubt, the answer may still come: its sender keeps the lease.
                    **({} if state in LIVE else {"lease": None}),
                    "kashoo_id": kashoo_id or operation["kashoo_id"],
                    "closed_at": None if state in LIVE else transaction.now,
                    "cause": None if state is State.DONE else reason,
                    **({} if state is not State.IN_DOUBT else {"error_class": "in_doubt", "fix": IN_DOUBT_FIX}),
                },
            )
            settled = moved.one_or_none()
            if settled is None:
                return False
            audit.note(transaction, row, event.value, reason, operation["run_id"], operation["id"], kashoo_id)
            if event is Event.ABSENT:
                waiting.park(transaction, row, NOT_WRITTEN, operation["run_id"])  # read again in every run till then
            if event is Event.FOUND and kashoo_id is not None:
                sent = operation["fields"] or {}
                change = LinkChange(
                    kashoo_id=kashoo_id,
                    fields={name: (value, value) for name, value in sent.items()},
                    currency=operation["currency"],
                    expected_total=operation["expected_total"],
                    journal_date=operation["journal_date"],
                )
                self._written(transaction, row, change, operation["run_id"], settled.seen_read)
            if review:
                reviews.open_item(transaction, row, review, kashoo_id, operation["run_id"])
            return True

    def operation(self, ident: int) -> Mapping[str, Any] | None:
        """Give one operation of this scope, or None."""
        with self._database.begin() as connection:
            found = connection.execute(select(operations).where(self._mine, operations.c.id == ident))
            row = found.mappings().one_or_none()
            return dict(row) if row else None

    def open_records(self, *states: State) -> set[tuple[str, str]]:
        """List (target, source id) of what was sent and has no known outcome.

        :param states: ``SENT`` and ``IN_DOUBT`` when none is given: nothing more is sent to the books for those.
        """
        return {(row["target"], row["source_id"]) for row in self.unsettled(*states or (State.SENT, State.IN_DOUBT))}

    def written_back(self, sent: Sent, written: Mapping[str, str], settlement: str) -> None:
        """Settle a write-back that Salesforce confirmed.

        :raises LostLease: when another process took the operation over.
        """
        with self._database.writing(self._scope_id) as transaction:
            self._move(transaction, sent, Event.ANSWERED)
            link_rows.write_back(transaction, sent.row, written, settlement)
            if link_rows.is_outdated(transaction, sent.row):  # a later reading found nothing to tell meanwhile
                link_rows.told_unknown(transaction, sent.row)
            waiting.close(transaction, sent.row)
            action, reason = sent.row.action.value, sent.row.reason
            audit.note(transaction, sent.row, action, reason, sent.run_id, sent.id, sent.row.kashoo_id)

    def written_back_late(self, sent: Sent) -> None:
        """Record what came, or did not come, of a write-back after another process took it over.

        Which of the two Salesforce took last is not known: it is told anew.
        """
        with self._database.writing(self._scope_id) as transaction:
            link_rows.told_unknown(transaction, sent.row)
            reason = "taken over by another process"
            audit.note(transaction, sent.row, "late_answer", reason, sent.run_id, sent.id, sent.row.kashoo_id)

    def out_of_reach(self, sent: Sent, problem: Problem, settlement: str) -> None:
        """Settle a write-back to a record that Salesforce does not have any more; nobody has to look at it."""
        with self._database.writing(self._scope_id) as transaction:
            self._move(transaction, sent, Event.REFUSED, error_class=problem.error_class, cause=problem.cause)
            waiting.close(transaction, sent.row)
            link_rows.write_back(transaction, sent.row, None, settlement)
            audit.note(transaction, sent.row, "skip", problem.cause, sent.run_id, sent.id, sent.row.kashoo_id)

    def linked(self, row: PlanRow, change: LinkChange, run_id: str, *, alone: bool = False) -> None:
        """Link a record that stands in the books already; nothing is sent.

        :param alone: only if no write of its sale is open, and the books' record is nobody else's in any org.
        :raises StaleRow: when it was linked since the plan was made, or is not alone.
        """
        with self._linking(row) as transaction:
            if not link_rows.holds(transaction, row):
                raise StaleRow(row.record)
            if alone and (
                self._open(transaction, row)[1]
                or link_rows.held(transaction.connection, self._scope_id, row.target, [change.kashoo_id])
            ):
                raise StaleRow(row.record)
            link_rows.put(transaction, row, change)
            waiting.close(transaction, row)
            audit.note(transaction, row, "link", row.reason, run_id, None, change.kashoo_id)

    def followed(self, row: PlanRow, run_id: str) -> None:
        """Let a link go on under another record or sale; nothing is sent.

        :raises StaleRow: when the link is not as the plan saw it, the other one has a link by now, or a write to
            one of the two has no known outcome.
        """
        with self._linking(row) as transaction:
            both = row, replace(row, sale_id=row.follow_sale)
            if any(self._open(transaction, each)[1] for each in both) or not link_rows.holds(transaction, row):
                raise StaleRow(row.record)
            link_rows.follow(transaction, row)
            waiting.close(transaction, row)
            audit.note(transaction, row, "follow", row.reason, run_id, None, row.kashoo_id)

    def failed(self, sent: Sent, event: Event, problem: Problem) -> State:
        """Settle a write that was refused, turned away, or not answered.

        :param event: ``REFUSED``, ``TURNED_AWAY`` or ``SILENCE``.
        :raises LostLease: when another process took the operation over.
        """
        with self._database.writing(self._scope_id) as transaction:
            if event is Event.REFUSED:
                waiting.close(transaction, sent.row)  # one parked row per record, however often it is refused
                if sent.row.action is Action.WRITE_BACK and sent.attempts > 1:
                    link_rows.write_back(transaction, sent.row, {}, None)  # an earlier try may have been written
            told = {"error_class": problem.error_class, "cause": problem.cause, "fix": problem.fix}
            state, _ = self._move(transaction, sent, event, **told)
            audit.note(transaction, sent.row, state.value, problem.cause, sent.run_id, sent.id)
            return state

    def unsettled(self, *states: State) -> list[Mapping[str, Any]]:
        """List operations in some states, oldest first."""
        with self._database.begin() as connection:
            found = connection.execute(rows.IN_STATES, {"this_scope": self._scope_id, "these_states": states})
            return [dict(row) for row in found.mappings()]

    def done_by(self, run_id: str) -> set[Done]:
        """Name the writes a run finished, so that its retry leaves them out; what is planned afresh is another one."""
        with self._database.begin() as connection:
            named = (operations.c.key, operations.c.link_version, operations.c.source_read)
            mine = self._mine, operations.c.run_id == run_id, operations.c.state == State.DONE
            return {
                (key, version, read or "") for key, version, read in connection.execute(select(*named).where(*mine))
            }

    def _open(self, transaction: Transaction, row: PlanRow) -> tuple[Any, bool]:
        """Find the open operation of a row's key, and say whether another one of the same sale was sent."""
        names = {**rows.record(self._scope_id, row), "this_sale": row.sale_id or row.source_id, "this_key": row.key}
        found = transaction.connection.execute(rows.OPEN, names).all()
        own = next((each for each in found if each.key == row.key), None)
        return own, any(each.key != row.key and each.state != State.RETRY for each in found)

    @property
    def _mine(self) -> Any:
        return operations.c.scope_id == self._scope_id

    @contextmanager
    def _linking(self, row: PlanRow) -> Iterator[Transaction]:
        """Run a transaction that makes or moves a link; that another one took its place meanwhile makes it stale."""
        try:
            with self._database.writing(self._scope_id) as transaction:
                yield transaction
        except ConfigurationError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StaleRow(row.record) from error
            raise

    def _written(
        self, transaction: Transaction, row: PlanRow, change: LinkChange, run_id: str, seen: str | None
    ) -> None:
        """Make, renew or end the link of what the books confirmed, and close what waited for that.

        :param seen: when its source was read last while the outcome was not known.
        """
        if row.action is Action.VOID:
            overtaken = link_rows.end(transaction, row)
            reviews.close_all(transaction, row, but=[POSSIBLE_DUPLICATE.error_class])  # a copy of it may stand
        else:
            overtaken = link_rows.put(transaction, row, change)
        waiting.close(transaction, row)
        # The run that read it later, while this was in flight or in doubt, did nothing, and would not look again.
        if overtaken or (seen or "") > row.source_read:
            waiting.park(transaction, row, waiting.CHANGED_MEANWHILE, run_id)

    def _move(self, transaction: Transaction, sent: Sent, event: Event, **values: Any) -> tuple[State, str | None]:
        """Change an operation's state, if it is still its sender's: sent, or in doubt and answered after all.

        :returns: the state, and when its source was read last while the outcome was not known.
        """
        states = {State.SENT: after(State.SENT, event)}
        if (State.IN_DOUBT, event) in TRANSITIONS:
            states[State.IN_DOUBT] = after(State.IN_DOUBT, event)
        for here, state in states.items():
            names = {"this_id": sent.id, "this_lease": sent.lease, "this_state": here}
            values |= {"state": state, "closed_at": None if state in UNSETTLED else transaction.now}
            if moved := transaction.connection.execute(rows.SETTLE_HELD, {**names, **values}).one_or_none():
                return state, moved.seen_read
        raise LostLease(sent.row.record)


NOT_WRITTEN = Problem("not_written", "it was sent, but not written", "Nothing: it is planned again by itself.")
IN_DOUBT_FIX = "Look in Kashoo, then: airflow kashoo resolve ID --found KASHOO_ID, or --absent."

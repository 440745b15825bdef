"""The journal: every write is committed here before it is sent, and its outcome is recorded in one transaction.

States and events are those of :mod:`~airflow_provider_kashoo.core.rules.operations`; a transition that is not in that
table fails, and so does one by a process that lost its lease.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.rules.intents import Follow, Intent
from airflow_provider_kashoo.core.rules.intents import Link as LinkIntent
from airflow_provider_kashoo.core.rules.operations import LIVE, TRANSITIONS, UNSETTLED, Event, State, after
from airflow_provider_kashoo.core.rules.questions import LATE_UPDATE, POSSIBLE_DUPLICATE
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store import operations as rows
from airflow_provider_kashoo.store.links import LinkChange, Links
from airflow_provider_kashoo.store.own_records import told_in
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import operations
from airflow_provider_kashoo.store.waiting import CHANGED_MEANWHILE, Waiting


class StaleIntent(Exception):
    """The intent is outdated: its record was written since the plan was made."""


class OpenOperation(Exception):
    """Another operation with this key was sent and its outcome is not known yet."""


class LostLease(Exception):
    """The operation was taken over by another process since it was sent."""


Done = tuple[str, int, str]
"""A finished write: its key, and the link version and source reading that it was planned from."""

NOT_WRITTEN = Problem("not_written", "it was sent, but not written", "Nothing to do: it is planned again.")
IN_DOUBT_FIX = "Look in Kashoo, then run: airflow kashoo resolve ID --found KASHOO_ID, or --absent."


@dataclass(frozen=True)
class Sent:
    """An operation that is committed as sent.

    :param lease: fencing token; only its holder may record the outcome.
    :param attempts: how often it was sent, this time included.
    """

    id: int
    intent: Intent
    lease: str
    attempts: int
    run_id: str


class Journal:
    """The operations of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def send(
        self,
        intent: Intent,
        *,
        run_id: str,
        lease: str,
        deadline_seconds: float,
        payload_hash: str,
        fields: Mapping[str, str],
        contact_id: int | None = None,
    ) -> Sent:
        """Commit that an intent is about to be sent.

        :param deadline_seconds: the request must be sent and answered within this time.
        :param fields: field -> hash as sent; the base of the link if the write is only found later.
        :raises StaleIntent: when the link changed since the plan.
        :raises OpenOperation: when the same intent is in flight or in doubt, or its sale through another object.
        """
        with self._scope.writing() as scope:
            earlier, event = _admit(scope, intent)
            if intent.action.repeatable:
                told_in(scope, intent).note(intent)
            attempts = (earlier.attempts if earlier else 0) + 1
            values = {
                **rows.columns(intent),
                "run_id": run_id,
                "state": after(State(earlier.state) if earlier else None, event),
                "attempts": attempts,
                "lease": lease,
                "payload_hash": payload_hash,
                "fields": dict(fields),
                "reference": str(intent.reference),
                "kashoo_id": intent.kashoo_id,
                "contact_id": contact_id,
                "currency": intent.currency,
                "expected_total": intent.total,
                "journal_date": intent.date,
                "sent_at": scope.now,
                "deadline": scope.now + deadline_seconds,
            }
            if earlier:
                scope.connection.execute(rows.UPDATE, {"this_id": earlier.id, **values})
            return Sent(earlier.id if earlier else rows.new(scope, values), intent, lease, attempts, run_id)

    def answered(self, sent: Sent, change: LinkChange, reason: str, *reviews: Problem) -> None:
        """Record that the books confirmed a write: state, link, audit and review items in one transaction.

        :param reviews: what a person must check in the record.
        :raises LostLease: when another process took the operation over.
        """
        intent = sent.intent
        with self._scope.writing() as scope:
            _, seen = _move(scope, sent, Event.ANSWERED, kashoo_id=change.kashoo_id)
            _written(scope, intent, change, sent.run_id, seen)
            audit.note(scope, intent, intent.action.value, reason, sent.run_id, sent.id, change.kashoo_id)
            for review in reviews:
                Reviews(scope).open(intent, review, sent.run_id, change.kashoo_id)

    def late_answer(self, sent: Sent, change: LinkChange) -> Problem | None:
        """Record an answer that came after the operation was closed without it; never drop it.

        An update that was assumed lost may have replaced a newer value: its record is read and written again.

        :returns: what a person is asked: the books may hold the record twice, or an older value.
        """
        with self._scope.writing() as scope:
            here = scope.connection.execute(
                select(operations.c.state, operations.c.kashoo_id, operations.c.run_id).where(
                    operations.c.id == sent.id
                )
            ).one()
            reason, intent = f"came in state {here.state}", sent.intent
            audit.note(scope, intent, "late_answer", reason, here.run_id, sent.id, change.kashoo_id)
            if here.kashoo_id != change.kashoo_id:
                late = POSSIBLE_DUPLICATE
            elif intent.action.overwrites and here.state != State.DONE:
                late = LATE_UPDATE
                intent = Links(scope).followed_since(intent, change.kashoo_id)
                Links(scope).overwritten(intent, change)
                Waiting(scope).park(intent, late, here.run_id)
            else:
                return None
            Reviews(scope).open(intent, late, here.run_id, change.kashoo_id)
            return late

    def settle(
        self,
        operation: Mapping[str, Any],
        event: Event,
        reason: str,
        kashoo_id: int | None = None,
        review: Problem | None = None,
    ) -> bool:
        """Record the outcome of an operation that got no answer, from a later look-up.

        :param operation: a row of :meth:`unsettled`.
        :param event: ``FOUND`` (link, audit and review item follow in the same transaction), ``ABSENT`` or ``SILENCE``.
        :param review: what a person must check in the record that was found.
        :returns: False if another process changed the operation first.
        """
        intent, run_id = rows.intent_of(operation), operation["run_id"]
        with self._scope.writing() as scope:
            settled = _settle(scope, operation, event, reason, kashoo_id)
            if settled is None:
                return False
            audit.note(scope, intent, event.value, reason, run_id, operation["id"], kashoo_id)
            if event is Event.ABSENT:
                Waiting(scope).park(intent, NOT_WRITTEN, run_id)  # so that every run reads it again
            if event is Event.FOUND and kashoo_id is not None:
                sent = operation["fields"] or {}
                change = LinkChange(
                    kashoo_id=kashoo_id,
                    fields={name: (value, value) for name, value in sent.items()},
                    sources=operation["sources"],
                    currency=operation["currency"],
                    expected_total=operation["expected_total"],
                    journal_date=operation["journal_date"],
                )
                _written(scope, intent, change, run_id, settled.seen_read)
            if review:
                Reviews(scope).open(intent, review, run_id, kashoo_id)
            return True

    def failed(self, sent: Sent, event: Event, problem: Problem) -> State:
        """Record that a write was refused, turned away, or not answered.

        :param event: ``REFUSED``, ``TURNED_AWAY`` or ``SILENCE``.
        :raises LostLease: when another process took the operation over.
        """
        with self._scope.writing() as scope:
            if event is Event.REFUSED:
                Waiting(scope).close(sent.intent)  # one parked row per record, however often it is refused
                if sent.intent.action.repeatable and sent.attempts > 1:
                    told_in(scope, sent.intent).confirm(sent.intent, {}, None)  # an earlier try may have been written
            said = {"error_class": problem.error_class, "cause": problem.cause, "fix": problem.fix}
            state, _ = _move(scope, sent, event, **said)
            audit.note(scope, sent.intent, state.value, problem.unquoted, sent.run_id, sent.id)
            return state

    def written_back(self, sent: Sent, written: Mapping[str, str], settlement: str) -> None:
        """Record that Salesforce confirmed a write-back.

        :raises LostLease: when another process took the operation over.
        """
        intent = sent.intent
        with self._scope.writing() as scope:
            _move(scope, sent, Event.ANSWERED)
            (told := told_in(scope, intent)).confirm(intent, written, settlement)
            if told.is_outdated(intent):  # a later reading found nothing to write meanwhile
                told.forget(intent)
            Waiting(scope).close(intent)
            audit.note(scope, intent, intent.action.value, intent.reason, sent.run_id, sent.id, intent.kashoo_id)

    def written_back_late(self, sent: Sent) -> None:
        """Record a write-back that another process took over in the meantime, answered or not.

        Which of the two Salesforce executed last is not known: it is written again.
        """
        with self._scope.writing() as scope:
            told_in(scope, sent.intent).forget(sent.intent)
            reason = "taken over by another process"
            audit.note(scope, sent.intent, "late_answer", reason, sent.run_id, sent.id, sent.intent.kashoo_id)

    def out_of_reach(self, sent: Sent, problem: Problem, settlement: str) -> None:
        """Record that the target of a write-back no longer exists in Salesforce; no person needs to act."""
        with self._scope.writing() as scope:
            _move(scope, sent, Event.REFUSED, error_class=problem.error_class, cause=problem.cause)
            Waiting(scope).close(sent.intent)
            told_in(scope, sent.intent).confirm(sent.intent, None, settlement)
            audit.note(scope, sent.intent, "skip", problem.unquoted, sent.run_id, sent.id, sent.intent.kashoo_id)

    def linked(self, intent: Intent, change: LinkChange, run_id: str, *, alone: bool = False) -> None:
        """Link a record that is in the books already; nothing is sent.

        :param alone: only if no write of its sale is open, and the Kashoo record has no link, of any org.
        :raises StaleIntent: when it was linked since the plan was made, or is not alone.
        """
        with self._linking(intent) as scope:
            if not Links(scope).holds(intent):
                raise StaleIntent(str(intent.record))
            kind, ident = intent.record.kind, change.kashoo_id
            if alone and (_open(scope, intent)[1] or Links(scope).linked_ids(kind, [ident])):
                raise StaleIntent(str(intent.record))
            Links(scope).put(intent, change)
            Waiting(scope).close(intent)
            audit.note(scope, intent, LinkIntent.action.value, intent.reason, run_id, None, change.kashoo_id)

    def unlinked(self, intent: Intent, reason: str, run_id: str) -> None:
        """End the link of a customer or item, because a person said that it is another one."""
        with self._scope.writing() as scope:
            Links(scope).end(intent)
            audit.note(scope, intent, "unlinked", reason, run_id, None, intent.kashoo_id)

    def followed(self, intent: Follow, run_id: str) -> None:
        """Move a link to another record or sale; nothing is sent.

        :raises StaleIntent: when the link changed since the plan, the other one now has a link, or a write to one of
            the two has no known outcome.
        """
        with self._linking(intent) as scope:
            both = intent, replace(intent, sale=intent.into_sale)
            if any(_open(scope, each)[1] for each in both) or not Links(scope).holds(intent):
                raise StaleIntent(str(intent.record))
            Links(scope).follow(intent)
            Waiting(scope).close(intent)
            audit.note(scope, intent, intent.action.value, intent.reason, run_id, None, intent.kashoo_id)

    def operation(self, ident: int) -> Mapping[str, Any] | None:
        """Return an operation of this scope, or None."""
        with self._scope.reading() as connection:
            found = connection.execute(select(operations).where(self._mine, operations.c.id == ident))
            row = found.mappings().one_or_none()
            return dict(row) if row else None

    def unsettled(self, *states: State) -> list[Mapping[str, Any]]:
        """List operations in some states, oldest first."""
        with self._scope.reading() as connection:
            found = connection.execute(rows.IN_STATES, {"this_scope": self._scope.id, "these_states": states})
            return [dict(row) for row in found.mappings()]

    def open_records(self, *states: State) -> set[tuple[str, str]]:
        """List (kind, source id) of records whose write has no known outcome.

        :param states: by default ``SENT`` and ``IN_DOUBT``, which block any further write to the books.
        """
        return {(row["target"], row["source_id"]) for row in self.unsettled(*states or (State.SENT, State.IN_DOUBT))}

    def done_by(self, run_id: str) -> set[Done]:
        """List the writes that a run finished, so that its retry skips them; newly planned writes differ."""
        with self._scope.reading() as connection:
            named = (operations.c.key, operations.c.link_version, operations.c.source_read)
            mine = self._mine, operations.c.run_id == run_id, operations.c.state == State.DONE
            return {
                (key, version, read or "") for key, version, read in connection.execute(select(*named).where(*mine))
            }

    @property
    def _mine(self) -> Any:
        return operations.c.scope_id == self._scope.id

    @contextmanager
    def _linking(self, intent: Intent) -> Iterator[Scope]:
        """Run a transaction that makes or moves a link; another link in its place makes the intent stale."""
        try:
            with self._scope.writing() as scope:
                yield scope
        except ConfigurationError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StaleIntent(str(intent.record)) from error
            raise


def _admit(scope: Scope, intent: Intent) -> tuple[Any, Event]:
    """Return the open operation that an intent continues, if any, and the event; raise if it may not be sent."""
    earlier, of_sale = _open(scope, intent)
    if intent.action.repeatable:
        if told_in(scope, intent).is_outdated(intent):
            raise StaleIntent(str(intent.record))
    elif not Links(scope).holds(intent):
        raise StaleIntent(str(intent.record))
    elif of_sale:
        raise OpenOperation(str(intent.record))
    if not earlier or earlier.state == State.RETRY:
        return earlier, Event.SEND
    if not intent.action.repeatable or earlier.deadline > scope.now:
        raise OpenOperation(str(intent.record))
    return earlier, Event.REPEAT


def _open(scope: Scope, intent: Intent) -> tuple[Any, bool]:
    """Find the open operation with an intent's key, and whether another one of the same sale was sent."""
    names = rows.names(scope, intent) | {"this_sale": intent.sale or intent.record.id, "this_key": intent.key}
    found = scope.connection.execute(rows.OPEN, names).all()
    own = next((each for each in found if each.key == intent.key), None)
    return own, any(each.key != intent.key and each.state != State.RETRY for each in found)


def _move(scope: Scope, sent: Sent, event: Event, **values: Any) -> tuple[State, str | None]:
    """Change an operation's state, if its sender still has the lease: it is sent, or in doubt and answered after all.

    :returns: the new state, and when its source was last read while the outcome was unknown.
    :raises LostLease: when another process has it.
    """
    states = {State.SENT: after(State.SENT, event)}
    if (State.IN_DOUBT, event) in TRANSITIONS:
        states[State.IN_DOUBT] = after(State.IN_DOUBT, event)
    for here, state in states.items():
        names = {"this_id": sent.id, "this_lease": sent.lease, "this_state": here}
        values |= {"state": state, "closed_at": None if state in UNSETTLED else scope.now}
        values |= {"cause": None, "fix": None} if state is State.DONE else {}
        if moved := scope.connection.execute(rows.SETTLE_HELD, {**names, **values}).one_or_none():
            return state, moved.seen_read
    raise LostLease(str(sent.intent.record))


def _settle(scope: Scope, operation: Mapping[str, Any], event: Event, reason: str, kashoo_id: int | None) -> Any:
    """Change an operation's state after a look-up; None if another process changed it first."""
    state = after(State(operation["state"]), event)
    moved = scope.connection.execute(
        rows.SETTLE,
        {
            "this_id": operation["id"],
            "this_state": operation["state"],
            "state": state,
            # In doubt, the answer may still come: its sender keeps the lease.
            **({} if state in LIVE else {"lease": None}),
            "kashoo_id": kashoo_id or operation["kashoo_id"],
            "closed_at": None if state in LIVE else scope.now,
            "cause": None if state is State.DONE else reason,
            **({} if state is not State.IN_DOUBT else {"error_class": "in_doubt", "fix": IN_DOUBT_FIX}),
        },
    )
    return moved.one_or_none()


def _written(scope: Scope, intent: Intent, change: LinkChange, run_id: str, seen: str | None) -> None:
    """Make, renew or end the link of a confirmed write, and close what was parked for it.

    :param seen: when its source was last read while the outcome was unknown.
    """
    if intent.action.ends_link:
        overtaken = Links(scope).end(intent)
        Reviews(scope).close_all(intent, but=[POSSIBLE_DUPLICATE.error_class])  # a copy may still exist
    else:
        overtaken = Links(scope).put(intent, change)
    Waiting(scope).close(intent)
    # A run that read the record later, while this was in flight or in doubt, did nothing, and will not read it again.
    if overtaken or (seen or "") > intent.source_read:
        Waiting(scope).park(intent, CHANGED_MEANWHILE, run_id)

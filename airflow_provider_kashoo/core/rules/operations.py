"""The states of one write, in one table. Only the store changes a state, and only as the table allows.

An operation is one intended write, journalled before it is sent. ``PARKED`` always means *not
written*: a record that was written but differs from what we expected is ``DONE``, with a review item.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of an operation."""

    SENT = "sent"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    PARKED = "parked"
    DONE = "done"
    NOT_WRITTEN = "not_written"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to an operation."""

    SEND = "send"  # committed just before the request leaves
    REPEAT = "repeat"  # no answer in time; an update by Id may simply be sent again
    ANSWERED = "answered"  # confirmed as written, with the id
    REFUSED = "refused"  # certainly not written, and trying again cannot help
    TURNED_AWAY = "turned_away"  # certainly not written (429, locked row): try again
    SILENCE = "silence"  # sent, and no conclusive answer
    FOUND = "found"  # looked up later: it was written
    ABSENT = "absent"  # looked up later: proved not to be written
    BLOCKED = "blocked"  # cannot be sent: the record or a parent has a problem
    SUPERSEDED = "superseded"  # a later run dealt with the same record


TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (None, Event.SEND): State.SENT,
    (None, Event.BLOCKED): State.PARKED,
    (State.SENT, Event.ANSWERED): State.DONE,
    (State.SENT, Event.REPEAT): State.SENT,
    (State.SENT, Event.REFUSED): State.PARKED,
    (State.SENT, Event.TURNED_AWAY): State.RETRY,
    (State.SENT, Event.SILENCE): State.IN_DOUBT,
    (State.SENT, Event.FOUND): State.DONE,
    (State.SENT, Event.ABSENT): State.NOT_WRITTEN,
    (State.RETRY, Event.SEND): State.SENT,
    (State.RETRY, Event.REFUSED): State.PARKED,
    (State.RETRY, Event.SUPERSEDED): State.CLOSED,
    (State.IN_DOUBT, Event.ANSWERED): State.DONE,
    (State.IN_DOUBT, Event.SILENCE): State.IN_DOUBT,
    (State.IN_DOUBT, Event.FOUND): State.DONE,
    (State.IN_DOUBT, Event.ABSENT): State.NOT_WRITTEN,
    (State.PARKED, Event.SUPERSEDED): State.CLOSED,
    (State.PARKED, Event.BLOCKED): State.PARKED,
}

LIVE = frozenset({State.SENT, State.RETRY, State.IN_DOUBT})
"""The outcome is still open; a key has at most one operation in these states."""

UNSETTLED = frozenset({State.SENT, State.RETRY, State.IN_DOUBT, State.PARKED})
"""The source record is read again in every run while an operation is in these states."""


class ForbiddenTransition(Exception):
    """An event that the table does not allow in a state: a bug, or a second process."""


def after(state: State | None, event: Event) -> State:
    """Look up the state that follows.

    :param state: None for an operation that does not exist yet.
    :raises ForbiddenTransition: when the table has no such row.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ForbiddenTransition(f"an operation in state {state} cannot take {event}") from None

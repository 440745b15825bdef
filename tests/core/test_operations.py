from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.operations import (
    LIVE,
    TRANSITIONS,
    UNSETTLED,
    Event,
    ForbiddenTransition,
    State,
    after,
)

# The table once more, by hand: a change of the code has to be meant.
TABLE = """
-            send         sent
-            blocked      parked
sent         answered     done
sent         repeat       sent
sent         refused      parked
sent         turned_away  retry
sent         silence      in_doubt
sent         found        done
sent         absent       not_written
retry        send         sent
retry        refused      parked
retry        superseded   closed
in_doubt     answered     done
in_doubt     silence      in_doubt
in_doubt     found        done
in_doubt     absent       not_written
parked       superseded   closed
parked       blocked      parked
"""
ROWS = [
    (None if state == "-" else State(state), Event(event), State(follows))
    for state, event, follows in (line.split() for line in TABLE.split("\n") if line)
]
ALLOWED = {(state, event) for state, event, _ in ROWS}
FORBIDDEN = [(state, event) for state in [None, *State] for event in Event if (state, event) not in ALLOWED]


@pytest.mark.parametrize(("state", "event", "follows"), ROWS)
def test_every_row_of_the_table_leads_where_it_says(state, event, follows):
    assert after(state, event) is follows


@pytest.mark.parametrize(("state", "event"), FORBIDDEN)
def test_every_pair_outside_the_table_is_refused_by_name(state, event):
    with pytest.raises(ForbiddenTransition, match=f"state {state} cannot take {event}"):
        after(state, event)


def test_the_table_here_is_the_whole_table():
    assert {(state, event, follows) for (state, event), follows in TRANSITIONS.items()} == set(ROWS)


def leads_to(state: State) -> set[Event]:
    return {event for _, event, follows in ROWS if follows is state}


def test_what_is_closed_stays_closed():
    moving = {state for state, _, _ in ROWS}
    assert set(State) - moving == {State.DONE, State.NOT_WRITTEN, State.CLOSED}
    assert moving - {None} == UNSETTLED


def test_live_is_what_is_unsettled_and_may_have_been_written_or_may_yet_be():
    assert UNSETTLED - {State.PARKED} == LIVE
    assert {State.SENT, State.RETRY, State.IN_DOUBT} == LIVE


def test_parked_always_means_not_written():
    assert leads_to(State.PARKED) == {Event.BLOCKED, Event.REFUSED}
    assert leads_to(State.NOT_WRITTEN) == {Event.ABSENT}
    assert leads_to(State.DONE) == {Event.ANSWERED, Event.FOUND}


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_after_silence_nothing_is_sent_until_the_write_was_looked_up(events):
    state: State | None = None
    silent = False
    for event in events:
        if (state, event) not in TRANSITIONS:
            continue
        state = after(state, event)
        assert not (silent and state in {State.SENT, State.RETRY, State.PARKED})
        silent = silent or event is Event.SILENCE

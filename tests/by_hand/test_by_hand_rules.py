"""What ``resolve`` and ``replay`` refuse, by themselves: nothing is settled, and nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from intents import like
from room import DEAL, DEAL_2, DOCUMENT, ORDER, Room

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Tell, Update, Void
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync.by_hand.replay import _chosen, replay
from airflow_provider_kashoo.sync.by_hand.resolve import HIGHEST_ID, resolve

NO_ANSWER = Problem("no_answer", "no answer", "It is looked up.")
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
PARENT = Problem("waiting_for_parent", "its customer is parked", "Fix the parked customer first.")
ACCOUNT = "001000000000001AAA"


def doubtful(room: Room, intent: Intent | None = None) -> int:
    """Let a write have no answer; give its operation."""
    sent = room.send(intent or room.begun(total=25_000).become(Create, document=DOCUMENT))
    room.store.journal.failed(sent, Event.SILENCE, NO_ANSWER)
    return int(sent.id)


def refused(room: Room, ident: int, found: int | None = None) -> str:
    """Give the words of the refusal, after which everything is as it was."""
    before = room.store.journal.unsettled(*State), room.store.links.of_target("invoice"), room.questions()
    with pytest.raises(ConfigurationError) as said:
        resolve(room.sync, ident, found)
    assert before == (room.store.journal.unsettled(*State), room.store.links.of_target("invoice"), room.questions())
    return str(said.value)


# -- resolve


@pytest.mark.parametrize("ident", [0, -1, 987_654, HIGHEST_ID, 1 << 200])
def test_an_operation_that_is_not_there_is_unknown(room: Room, ident: int) -> None:
    assert refused(room, ident).startswith(f"Operation {ident} is unknown, not in doubt.")


@pytest.mark.parametrize("state", ["done", "parked", "retry"])
def test_what_is_not_in_doubt_is_not_resolved(room: Room, state: str) -> None:
    sent = room.send(room.begun().become(Create, document=DOCUMENT))
    if state == "done":
        room.store.journal.answered(sent, LinkChange(501, {}), "won")
    else:
        room.store.journal.failed(sent, Event.REFUSED if state == "parked" else Event.TURNED_AWAY, REFUSED)
    assert refused(room, sent.id).startswith(f"Operation {sent.id} is {state}, not in doubt.")


@pytest.mark.parametrize(("kind", "name"), [(Void, "void"), (Tell, "write-back")])
def test_what_settles_by_itself_needs_nobody(room: Room, kind: type[Intent], name: str) -> None:
    ident = doubtful(room, like(room.linked().applied_to(room.begun()), kind))
    said = refused(room, ident)
    assert said.startswith(f"Operation {ident} is a {name}.")
    assert "Nothing to do: the next run" in said


def test_what_was_sent_just_now_may_still_be_answered(room: Room, clock: Any) -> None:
    sent = room.send(room.begun().become(Create, document=DOCUMENT))
    clock.now += 59
    assert "was sent just now. " in refused(room, sent.id)
    clock.now += 1
    assert resolve(room.sync, sent.id, None) == "not_written"


@pytest.mark.parametrize(
    ("edit", "words"), [(None, "Kashoo has no invoice 501."), ({"removed": True}, "501 any more.")]
)
def test_what_is_not_in_the_books_was_not_found(room: Room, edit: dict[str, Any] | None, words: str) -> None:
    if edit:
        room.books.put("invoice", 501, DOCUMENT, **edit)
    assert words in refused(room, doubtful(room), 501)


def test_an_update_is_found_in_the_record_that_it_updated(room: Room) -> None:
    link = room.linked()
    room.books.put("invoice", 502, DOCUMENT)
    ident = doubtful(room, like(link.applied_to(room.begun()), Update))
    assert f"Operation {ident} updated Kashoo's invoice 501, not 502." in refused(room, ident, 502)


def test_the_invoice_of_another_sale_is_not_the_one(room: Room) -> None:
    room.linked(ORDER, 502)
    assert f"Kashoo's invoice 502 belongs to Order {ORDER}." in refused(room, doubtful(room), 502)


def test_an_invoice_that_another_org_linked_is_not_the_one(room: Room) -> None:
    other = SyncStore(room.store.database, "00D000000000009AAA", room.store.business_id)
    intent = replace(room.begun(), record=Record("invoice", "Opportunity", "006990000000001AAA"))
    other.journal.linked(intent, LinkChange(501, {}), "theirs")
    room.books.put("invoice", 501, DOCUMENT)
    assert "belongs to a sale of another Salesforce org." in refused(room, doubtful(room), 501)


def test_an_invoice_that_bears_another_reference_is_not_the_one(room: Room) -> None:
    room.books.put("invoice", 501, DOCUMENT, DEAL_2)
    assert f"belongs to [sf:{DEAL_2}:1:1], the reference" in refused(room, doubtful(room), 501)


@pytest.mark.parametrize(("total", "asked"), [(25_000, []), (24_000, [(DEAL, "total_differs")])])
def test_what_a_person_found_is_linked_and_another_total_is_named(room: Room, total: int, asked: list[Any]) -> None:
    ident = doubtful(room)
    room.books.put("invoice", 501, DOCUMENT, totalDue=total)
    assert resolve(room.sync, ident, 501) == "done"
    assert room.store.links.of_sources("invoice", [DEAL])[DEAL].kashoo_id == 501
    assert room.questions() == asked


def test_what_a_person_did_not_find_is_planned_afresh(room: Room) -> None:
    ident = doubtful(room)
    assert resolve(room.sync, ident, None) == "not_written"
    assert [ident for ident, _ in room.waiting()] == [DEAL]
    assert room.books.read_ids == []


# -- replay


def parked(room: Room, source_id: str, problem: Problem = REFUSED, kind: str = "invoice") -> int:
    room.store.waiting.park(room.begun(source_id, kind=kind), problem, "run0")
    return int(room.store.journal.unsettled(State.PARKED)[-1]["id"])


def chosen(room: Room, *idents: int) -> list[str]:
    return [row["source_id"] for row in _chosen(room.sync, idents or None)]


@pytest.mark.parametrize("state", ["unknown", "in doubt"])
def test_what_is_not_parked_is_not_replayed_and_nothing_else_either(room: Room, state: str) -> None:
    fit = parked(room, DEAL)
    ident = doubtful(room, room.begun(DEAL_2).become(Create)) if state == "in doubt" else 987_654
    with pytest.raises(ConfigurationError, match=f"No parked record has the id {ident}"):
        replay(room.sync, [fit, ident])
    assert [each for each, _ in room.waiting()] == [DEAL]


def test_all_that_is_parked_or_was_turned_away_is_replayed_when_nothing_is_named(room: Room) -> None:
    parked(room, DEAL)
    room.store.journal.failed(room.send(room.begun(DEAL_2).become(Create)), Event.TURNED_AWAY, REFUSED)
    doubtful(room, room.begun(ORDER).become(Create))
    assert chosen(room) == [DEAL, DEAL_2]


def test_only_what_is_named_is_replayed(room: Room) -> None:
    parked(room, DEAL)
    assert chosen(room, parked(room, DEAL_2)) == [DEAL_2]


def test_what_waits_for_a_parent_comes_along_with_it(room: Room) -> None:
    parked(room, DEAL, PARENT)
    parked(room, DEAL_2)
    assert chosen(room, parked(room, ACCOUNT, kind="customer")) == [ACCOUNT, DEAL]


def test_nothing_parked_is_nothing_to_replay(room: Room) -> None:
    assert replay(room.sync, None) == {}

"""The engine by itself, with a channel that only notes what it is given; the store is a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from intents import like
from room import DEAL, DEAL_2, DOCUMENT, ORDER, READ, Room

from airflow_provider_kashoo.core.errors import Problem, StoppedError
from airflow_provider_kashoo.core.rules.intents import (
    WRITES,
    Ask,
    Create,
    Follow,
    Intent,
    Keep,
    Link,
    Park,
    Release,
    Tell,
    Update,
    Void,
    Wait,
)
from airflow_provider_kashoo.core.rules.kept import Columns, columns_of
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.questions import (
    CHANGED_ON_BOTH_SIDES,
    NO_LONGER_BILLABLE,
    REMOVED_IN_BOOKS,
    SALE_BILLED_TWICE,
    SECOND_OF_SALE,
)
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.waiting import CHANGED_MEANWHILE
from airflow_provider_kashoo.sync.write.engine import BACKOFF_SECONDS, Engine
from airflow_provider_kashoo.sync.write.kashoo import KashooWriter

REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
THIRD = "006000000000003AAA"


@dataclass
class Notes:
    """A channel that sends nothing.

    :ivar seen: what it was given, in order: names of methods, with the source ids.
    :ivar overtaken: records that were written since the plan.
    """

    most: int = 1
    seen: list[tuple[str, ...]] = field(default_factory=list)
    overtaken: set[str] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)

    def begin(self, intents: Sequence[Intent]) -> None:
        self.seen.append(("begin", *(each.record.id for each in intents)))

    def mark_read(self, kept: Columns) -> list[int]:
        ids = kept["id"].to_pylist()
        self.kept += ids
        return [row for row, ident in enumerate(ids) if ident in self.overtaken]

    def mark_asked(self, asked: Sequence[Ask]) -> None:
        self.kept += [each.record.id for each in asked]

    def is_overtaken(self, asked: Ask) -> bool:
        return asked.record.id in self.overtaken

    def link(self, intent: Link) -> str:
        self.seen.append(("link", intent.record.id))
        return "linked"

    def follow(self, intent: Follow) -> str:
        self.seen.append(("follow", intent.record.id))
        return "followed"

    def send(self, intents: list[Intent]) -> Iterable[str]:
        self.seen.append(("send", *(each.record.id for each in intents)))
        return ["sent" for _ in intents]


@pytest.fixture
def notes() -> Notes:
    return Notes()


def apply(room: Room, notes: Notes, *intents: Intent, stopping: Callable[[], bool] = lambda: False) -> dict[str, int]:
    return Engine(room.sync, lambda _: notes, stopping).run(intents)


def apply_kept(room: Room, notes: Notes, *parts: Sequence[Keep], rows: Sequence[Intent] = ()) -> dict[str, int]:
    """Apply a plan with unchanged records in columns."""
    return Engine(room.sync, lambda _: notes).run(rows, [columns_of(part) for part in parts])


def ask(room: Room, problem: Problem, source_id: str = DEAL, **more: bool) -> Ask:
    return replace(room.begun(source_id).asked(problem), **more)


def parked(room: Room, *source_ids: str) -> None:
    """Let records wait since an earlier reading."""
    for each in source_ids or (DEAL,):
        room.store.waiting.park(room.begun(each, source_read="2026-03-01"), REFUSED, "run0")


def open_question(room: Room, *problems: Problem, source_id: str = DEAL) -> None:
    for each in problems:
        room.store.reviews.open(room.begun(source_id), each, "run0")


# -- order and batches


def test_intents_are_done_in_the_order_of_the_plan(room: Room, notes: Notes) -> None:
    plan = [
        room.begun(THIRD).become(Follow),
        room.begun(DEAL).become(Link),
        room.begun(DEAL_2).become(Create),
        room.begun(ORDER).become(Update),
        room.begun(DEAL).become(Link),
    ]
    assert apply(room, notes, *plan) == {"followed": 1, "linked": 2, "sent": 2}
    assert notes.seen == [
        ("begin", THIRD, DEAL, DEAL_2, ORDER, DEAL),
        ("follow", THIRD),
        ("link", DEAL),
        ("send", DEAL_2),
        ("send", ORDER),
        ("link", DEAL),
    ]


@pytest.mark.parametrize(
    ("most", "batches"),
    [(1, [(DEAL,), (DEAL_2,), (THIRD,)]), (2, [(DEAL, DEAL_2), (THIRD,)]), (3, [(DEAL, DEAL_2, THIRD)])],
)
def test_a_channel_gets_no_more_at_a_time_than_it_takes_and_the_rest_at_last(
    room: Room, most: int, batches: list[tuple[str, ...]]
) -> None:
    notes = Notes(most)
    plan = [room.begun(each).become(Tell) for each in (DEAL, DEAL_2, THIRD)]
    assert apply(room, notes, *plan) == {"sent": 3}
    assert [rest for what, *rest in notes.seen if what == "send"] == [list(each) for each in batches]


def test_nothing_is_sent_of_an_empty_plan(room: Room, notes: Notes) -> None:
    assert apply(room, notes) == {}
    assert notes.seen == [("begin",)]


@pytest.mark.parametrize("kind", [Create, Update, Void, Tell])
def test_what_writes_goes_to_the_channel(room: Room, notes: Notes, kind: type[Intent]) -> None:
    assert kind.action in WRITES
    assert apply(room, notes, room.begun().become(kind)) == {"sent": 1}


# -- run again


def test_what_this_run_finished_is_done_before_and_what_another_one_finished_is_not(room: Room, notes: Notes) -> None:
    mine, other = (room.begun(each).become(Create, document=DOCUMENT) for each in (DEAL, DEAL_2))
    for intent, run_id in ((mine, "run1"), (other, "another")):
        room.store.journal.answered(room.send(intent, run_id), LinkChange(501, {}), "won")
    assert apply(room, notes, mine, other) == {"done before": 1, "sent": 1}
    assert notes.seen[1:] == [("send", DEAL_2)]


def test_a_plan_made_afresh_is_another_write_of_the_same_key(room: Room, notes: Notes) -> None:
    first = room.begun().become(Create, document=DOCUMENT)
    room.store.journal.answered(room.send(first, "run1"), LinkChange(501, {}), "won")
    again = replace(first, link_version=1)
    later = replace(first, source_read="2026-03-03")
    assert apply(room, notes, again, later) == {"sent": 2}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_it_stops_before_the_next_intent_of_any_kind(room: Room, notes: Notes, after: int) -> None:
    plan = [room.begun(DEAL).become(Link), room.begun(DEAL_2).become(Create), room.begun(THIRD).become(Release)]
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(len(notes.seen) - 1)
        return len(asked) > after

    with pytest.raises(StoppedError):
        apply(room, notes, *plan, stopping=stopping)
    assert len(notes.seen) - 1 == after
    assert asked == list(range(after + 1))


def test_what_was_not_sent_yet_of_a_batch_is_not_sent_after_a_stop(room: Room) -> None:
    notes = Notes(most=3)
    plan = [room.begun(each).become(Tell) for each in (DEAL, DEAL_2, THIRD)]
    answers = iter([False, False, True])
    with pytest.raises(StoppedError):
        apply(room, notes, *plan, stopping=lambda: next(answers))
    assert [what for what, *_ in notes.seen] == ["begin"]


# -- what waits


def test_a_parked_record_is_kept_with_its_cause(room: Room, notes: Notes) -> None:
    assert apply(room, notes, room.begun().parked(REFUSED)) == {"parked": 1}
    assert room.waiting() == [(DEAL, REFUSED.cause)]


def test_a_record_is_not_parked_over_a_later_reading_that_was_acted_on(room: Room, notes: Notes) -> None:
    room.linked(source_read="2026-04-01")
    assert apply(room, notes, room.begun().parked(REFUSED)) == {"stale": 1}
    assert room.waiting() == []


def test_what_waits_for_an_outcome_is_noted_with_the_operation(room: Room, notes: Notes) -> None:
    room.send(room.begun(source_read="2026-03-01").become(Create))
    parked(room)
    assert apply(room, notes, room.begun().become(Wait)) == {"wait": 1}
    [operation] = room.store.journal.unsettled(State.SENT)
    assert (operation["seen_read"], room.waiting()) == (READ, [])


def test_what_is_kept_or_asked_is_marked_as_read_before_anything_is_done(room: Room, notes: Notes) -> None:
    apply(room, notes, ask(room, REFUSED, DEAL_2), room.begun().become(Keep), room.begun(ORDER).become(Release))
    assert notes.kept == [DEAL, DEAL_2]


@pytest.mark.parametrize("kind", [Ask, Keep, Release])
@pytest.mark.parametrize("ends", [True, False])
def test_a_record_at_rest_ends_its_waiting_only_where_the_plan_says_so(
    room: Room, notes: Notes, kind: type[Ask | Keep | Release], ends: bool
) -> None:
    parked(room, DEAL, DEAL_2)
    intent = like(ask(room, REFUSED), kind, ends_waiting=ends)
    assert apply(room, notes, intent) == {intent.action.value: 1}
    assert [ident for ident, _ in room.waiting()] == ([DEAL_2] if ends else [DEAL, DEAL_2])


@pytest.mark.parametrize("wanted", [Update, Park])
def test_a_question_ends_no_waiting_while_the_plan_wants_more_of_its_record(
    room: Room, notes: Notes, wanted: type[Intent]
) -> None:
    parked(room)
    apply(room, notes, ask(room, REFUSED, ends_waiting=True), room.begun().become(wanted, reason="still waits"))
    assert room.store.journal.unsettled(State.CLOSED) == []


def test_a_write_of_another_record_does_not_keep_a_record_waiting(room: Room, notes: Notes) -> None:
    parked(room)
    apply(room, notes, ask(room, REFUSED, ends_waiting=True), room.begun(DEAL_2).become(Update))
    assert room.waiting() == []


def test_what_was_turned_away_before_is_not_sent_again_once_its_record_is_at_rest(room: Room, notes: Notes) -> None:
    sent = room.send(room.begun(source_read="2026-03-01").become(Create))
    room.store.journal.failed(sent, Event.TURNED_AWAY, REFUSED)
    apply(room, notes, room.begun().become(Keep))
    assert room.store.journal.unsettled(State.RETRY) == []


@pytest.mark.parametrize("kind", [Keep, Ask])
def test_what_does_not_hold_any_more_is_stale_and_ends_nothing(
    room: Room, notes: Notes, kind: type[Ask | Keep]
) -> None:
    parked(room)
    open_question(room, CHANGED_ON_BOTH_SIDES)
    notes.overtaken = {DEAL}
    assert apply(room, notes, like(ask(room, REFUSED), kind, ends_waiting=True)) == {"stale": 1}
    assert [ident for ident, _ in room.waiting()] == [DEAL]
    assert room.questions() == [(DEAL, CHANGED_ON_BOTH_SIDES.error_class)]


# -- unchanged records in columns


def unchanged(room: Room, *ids: str, **more: Any) -> list[Keep]:
    return [room.begun(each).become(Keep, **more) for each in ids]


def test_unchanged_records_are_marked_part_by_part_and_counted(room: Room, notes: Notes) -> None:
    assert apply_kept(room, notes, unchanged(room, DEAL, DEAL_2), unchanged(room, THIRD)) == {"unchanged": 3}
    assert notes.kept == [DEAL, DEAL_2, THIRD]


def test_an_unchanged_record_closes_what_was_opened_since_the_plan(room: Room, notes: Notes) -> None:
    parked(room, DEAL, THIRD)
    open_question(room, CHANGED_ON_BOTH_SIDES, REMOVED_IN_BOOKS, source_id=DEAL_2)
    assert apply_kept(room, notes, unchanged(room, DEAL, DEAL_2, ORDER)) == {"unchanged": 3}
    assert [ident for ident, _ in room.waiting()] == [THIRD]
    assert room.questions() == [(DEAL_2, REMOVED_IN_BOOKS.error_class)]


def test_an_unchanged_record_of_a_test_batch_goes_on_waiting(room: Room, notes: Notes) -> None:
    parked(room)
    assert apply_kept(room, notes, unchanged(room, DEAL, ends_waiting=False)) == {"unchanged": 1}
    assert [ident for ident, _ in room.waiting()] == [DEAL]


def test_an_unchanged_record_that_does_not_hold_any_more_is_stale_and_closes_nothing(room: Room, notes: Notes) -> None:
    parked(room)
    open_question(room, CHANGED_ON_BOTH_SIDES)
    notes.overtaken = {DEAL, DEAL_2}
    assert apply_kept(room, notes, unchanged(room, DEAL, DEAL_2, THIRD)) == {"stale": 2, "unchanged": 1}
    assert [ident for ident, _ in room.waiting()] == [DEAL]
    assert room.questions() == [(DEAL, CHANGED_ON_BOTH_SIDES.error_class)]


def test_a_customer_is_at_rest_before_the_invoices_are_done(
    room: Room, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.begun("001000000000001AAA", kind="customer").become(Keep)
    room.store.waiting.park(replace(account, source_read="2026-03-01"), REFUSED, "run0")
    still: list[list[tuple[str, str]]] = []
    monkeypatch.setattr(notes, "link", lambda _: still.append(room.waiting()) or "linked")
    assert apply_kept(room, notes, [account], rows=[room.begun().become(Link)]) == {"unchanged": 1, "linked": 1}
    assert still == [[]]


def test_between_two_parts_of_unchanged_records_it_stops(room: Room, notes: Notes) -> None:
    answers = iter([False, True])
    parts = [columns_of(unchanged(room, each)) for each in (DEAL, DEAL_2)]
    with pytest.raises(StoppedError):
        Engine(room.sync, lambda _: notes, lambda: next(answers)).run([], parts)
    assert notes.kept == [DEAL]


def test_an_invoice_that_was_written_since_the_plan_is_parked_and_read_again(room: Room) -> None:
    links = room.linked(), room.linked(DEAL_2, kashoo_id=502)
    begun = [link.applied_to(room.begun(link.source_id)).become(Keep) for link in links]
    kept = [begun[0], replace(begun[1], link_version=9)]
    assert Engine(room.sync, KashooWriter).run([], [columns_of(kept)]) == {"unchanged": 1, "stale": 1}
    assert room.waiting() == [(DEAL_2, CHANGED_MEANWHILE.cause)]
    assert room.store.links.is_newer(replace(begun[0], source_read="2026-03-01T12:00:00+00:00"))


# -- what is asked


def test_a_question_is_put_to_a_person(room: Room, notes: Notes) -> None:
    assert apply(room, notes, ask(room, REMOVED_IN_BOOKS)) == {"review": 1}
    assert room.questions() == [(DEAL, REMOVED_IN_BOOKS.error_class)]


def test_a_record_that_both_sides_hold_alike_answers_what_is_about_a_difference(room: Room, notes: Notes) -> None:
    open_question(room, CHANGED_ON_BOTH_SIDES, SECOND_OF_SALE, REMOVED_IN_BOOKS)
    open_question(room, CHANGED_ON_BOTH_SIDES, source_id=DEAL_2)
    apply(room, notes, room.begun().become(Keep))
    assert room.questions() == [(DEAL, REMOVED_IN_BOOKS.error_class), (DEAL_2, CHANGED_ON_BOTH_SIDES.error_class)]


def test_a_record_that_is_left_out_answers_only_what_is_about_its_sale(room: Room, notes: Notes) -> None:
    open_question(room, CHANGED_ON_BOTH_SIDES, SECOND_OF_SALE, SALE_BILLED_TWICE)
    apply(room, notes, room.begun().become(Release))
    assert room.questions() == [(DEAL, CHANGED_ON_BOTH_SIDES.error_class)]


def test_a_question_that_the_plan_asks_again_is_not_closed(room: Room, notes: Notes) -> None:
    open_question(room, CHANGED_ON_BOTH_SIDES, NO_LONGER_BILLABLE)
    apply(room, notes, ask(room, CHANGED_ON_BOTH_SIDES), room.begun().become(Keep))
    assert room.questions() == [(DEAL, CHANGED_ON_BOTH_SIDES.error_class)]


@pytest.mark.parametrize(
    ("asked", "left"),
    [(CHANGED_ON_BOTH_SIDES, [CHANGED_ON_BOTH_SIDES]), (REMOVED_IN_BOOKS, [NO_LONGER_BILLABLE, REMOVED_IN_BOOKS])],
)
def test_what_is_asked_of_a_deal_that_is_to_be_billed_answers_that_it_is_not(
    room: Room, notes: Notes, asked: Problem, left: list[Problem]
) -> None:
    open_question(room, NO_LONGER_BILLABLE)
    apply(room, notes, ask(room, asked))
    assert room.questions() == [(DEAL, each.error_class) for each in left]


# -- what it does for the channels


def test_an_intent_is_journalled_with_hashes_of_what_is_written(room: Room, notes: Notes) -> None:
    engine = Engine(room.sync, lambda _: notes)
    sent = engine.journal(room.begun().become(Create, document={"memo": "Private"}), 77)
    [row] = room.store.journal.unsettled(State.SENT)
    assert (row["id"], row["run_id"], row["lease"], row["contact_id"]) == (sent.id, "run1", engine.lease, 77)
    assert row["fields"] == {"memo": room.store.hashes.of("Private")}
    assert row["payload_hash"] == room.store.hashes.of({"memo": "Private"})
    assert row["deadline"] == row["sent_at"] + room.sync.settings.send_deadline


def test_the_pause_between_tries_doubles(room: Room, notes: Notes) -> None:
    slept: list[float] = []
    engine = Engine(room.sync, lambda _: notes, sleep=slept.append)
    engine.pause(1)
    engine.pause(2)
    assert slept == [BACKOFF_SECONDS, 2 * BACKOFF_SECONDS]


# -- the writer to Kashoo


def test_a_question_leaves_from_what_its_invoice_was_made_so_that_it_is_compared_with_that_again(room: Room) -> None:
    link = room.linked()
    now = {"date": {"CloseDate": "changed"}}
    asked = replace(link.applied_to(room.begun()), sources=now).asked(REMOVED_IN_BOOKS)
    Engine(room.sync, KashooWriter).run([asked])
    assert room.store.links.of_sources("invoice", [DEAL])[DEAL].sources is None
    kept = replace(link.applied_to(room.begun()), sources=now).become(Keep)
    Engine(room.sync, KashooWriter).run([kept])
    assert room.store.links.of_sources("invoice", [DEAL])[DEAL].sources == now

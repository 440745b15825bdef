"""What is written within one transaction is written whole or not at all; and the names that are kept in stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from intents import like
from sqlalchemy import select

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Create,
    Follow,
    Intent,
    Keep,
    Link,
    Park,
    Tell,
    Update,
    Void,
)
from airflow_provider_kashoo.core.rules.kept import columns_of
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import OpenOperation, Sent
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore, Tables

DEAL, ORDER, ACCOUNT = "006000000000001AAA", "801000000000001AAA", "001000000000001AAA"
READ, LATER = "2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"
NEW = Create(record=Record("invoice", "Opportunity", DEAL), sale=DEAL, reason="won", document={"date": "2026-03-01"})
BACK = like(
    NEW, Tell, kind="Opportunity", sync="kashoo_to_salesforce", kashoo_id=501, changes={"Paid__c": 1}, source_read=READ
)
CHANGE = LinkChange(501, {"memo": ("s1", "r1")}, expected_total=100)
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")


def send(store: Tables, intent: Intent = NEW) -> Sent:
    return store.journal.send(
        intent, run_id="r1", lease="a", deadline_seconds=60, payload_hash="h", fields={"memo": "s"}
    )


def everything(store: SyncStore) -> dict[str, list[dict[str, Any]]]:
    with store.database.begin() as connection:
        return {
            name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for name, table in tables.metadata.tables.items()
        }


def prepare(store: SyncStore) -> None:
    """Link a deal, with a question, something parked and written back, an update and a write-back in flight."""
    store.journal.linked(like(NEW, Link), CHANGE, "r0")
    store.written_back.confirm(BACK, {"Paid__c": "before"}, "Open")
    store.reviews.open(NEW, REFUSED, "r0")
    store.waiting.park(NEW, REFUSED, "r0")
    send(store, like(NEW, Update, kashoo_id=501, link_version=1))
    send(store, BACK)


def sent(store: Tables, action: Action) -> Sent:
    [row] = [row for row in store.journal.unsettled(State.SENT) if row["action"] == action]
    intent = like(NEW, Update, kashoo_id=501, link_version=1) if action is Action.UPDATE else BACK
    return Sent(row["id"], intent, "a", row["attempts"], "r1")


def settle(store: Tables, event: Event) -> None:
    [row] = [row for row in store.journal.unsettled(State.SENT) if row["action"] == Action.UPDATE]
    assert store.journal.settle(row, event, "looked up", 501 if event is Event.FOUND else None, REFUSED)


OTHER = like(NEW, id=ORDER, object="Order", sale=ORDER)
KNOWN = like(NEW, Keep, link_version=1, source_read=LATER)
CALLS: dict[str, Callable[[Tables], object]] = {
    "send": lambda store: send(store, OTHER),
    "answered": lambda store: store.journal.answered(sent(store, Action.UPDATE), CHANGE, "won", REFUSED),
    "refused": lambda store: store.journal.failed(sent(store, Action.UPDATE), Event.REFUSED, REFUSED),
    "found": lambda store: settle(store, Event.FOUND),
    "absent": lambda store: settle(store, Event.ABSENT),
    "late": lambda store: store.journal.late_answer(sent(store, Action.UPDATE), CHANGE),
    "written back": lambda store: store.journal.written_back(sent(store, Action.WRITE_BACK), {"Paid__c": "h"}, "Paid"),
    "written back late": lambda store: store.journal.written_back_late(sent(store, Action.WRITE_BACK)),
    "out of reach": lambda store: store.journal.out_of_reach(sent(store, Action.WRITE_BACK), REFUSED, "gone"),
    "linked": lambda store: store.journal.linked(OTHER, replace(CHANGE, kashoo_id=502), "r1"),
    "park": lambda store: store.waiting.park(OTHER, REFUSED, "r1"),
    "park unless newer": lambda store: store.waiting.park_unless_newer(OTHER, REFUSED, "r1"),
    "park if overtaken": lambda store: store.waiting.park_if_overtaken(like(OTHER, link_version=9), "r1"),
    "wait": lambda store: store.waiting.wait(like(NEW, source_read=LATER), "r1"),
    "close": lambda store: store.waiting.close(NEW),
    "open review": lambda store: store.reviews.open(OTHER, REFUSED, "r1"),
    "close review": lambda store: store.reviews.close("invoice", DEAL, [REFUSED.error_class]),
    "close all reviews": lambda store: store.reviews.close_all(NEW, but=[]),
    "mark read": lambda store: store.readings.mark(columns_of([KNOWN])),
    "end link": lambda store: store.links.end(NEW),
    "put link": lambda store: store.links.put(NEW, CHANGE),
    "note": lambda store: store.written_back.note(like(BACK, source_read=LATER)),
    "note kept": lambda store: store.written_back.note_kept(
        columns_of([like(BACK, Keep, source_read=LATER, held={"Paid__c": "h"}, settlement="Paid")])
    ),
    "confirm": lambda store: store.written_back.confirm(BACK, {"Paid__c": "h"}, "Paid"),
    "forget": lambda store: store.written_back.forget(BACK),
    "watermark": lambda store: store.watermarks.move(
        "s", lower=datetime.fromtimestamp(0, UTC), upper=datetime.fromtimestamp(9, UTC), run_id="r1"
    ),
}


class Died(Exception):
    """Something fails in the middle."""


def write_and_die(store: SyncStore, *calls: Callable[[Tables], object]) -> None:
    with store.writing() as tables_of_store:
        for call in calls:
            call(tables_of_store)
        raise Died


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_within_a_transaction_is_undone_with_it(store, call) -> None:
    prepare(store)
    before = everything(store)
    with pytest.raises(Died):
        write_and_die(store, call)
    assert everything(store) == before
    call(store)
    assert everything(store) != before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_within_a_transaction_writes_what_it_writes_alone(store, call, sqlite_url, clock) -> None:
    other = SyncStore(Database(sqlite_url, clock), "00D000000000002EAA", "9990000002")
    for each in (store, other):
        prepare(each)
    with store.writing() as joined:
        call(joined)
    call(other)
    assert plain(everything(store)) == plain(everything(other))
    other.database.dispose()


def plain(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Leave out what names the store and its scope."""
    own = {"scope_id", "id", "operation_id"}
    return {
        name: [{column: value for column, value in row.items() if column not in own} for row in rows]
        for name, rows in found.items()
        if name not in {"settings", "scopes"}
    }


def test_what_was_written_is_read_within_the_transaction_and_by_nobody_else_before_its_end(store, database) -> None:
    with store.writing() as joined:
        joined.journal.linked(NEW, CHANGE, "r1")
        assert joined.links.of_sources("invoice", [DEAL])[DEAL].version == 1
        assert joined.links.linked_ids("invoice") == {501}
        joined.waiting.park(OTHER, REFUSED, "r1")
        assert joined.waiting.sources("Order") == [ORDER]
        joined.reviews.open(OTHER, REFUSED, "r1")
        assert joined.reviews.sources("invoice", REFUSED) == {ORDER}
    again = SyncStore(database, store.org_id, store.business_id)
    assert again.links.linked_ids("invoice") == {501}
    assert again.waiting.sources("Order") == [ORDER]


def test_several_writes_are_undone_together(store) -> None:
    before = everything(store)
    with pytest.raises(Died):
        write_and_die(
            store,
            lambda joined: joined.journal.linked(NEW, CHANGE, "r1"),
            lambda joined: joined.reviews.open(OTHER, REFUSED, "r1"),
            lambda joined: joined.waiting.park(OTHER, REFUSED, "r1"),
        )
    assert everything(store) == before


def test_a_write_back_that_is_refused_leaves_no_note_of_its_reading(store) -> None:
    store.journal.linked(NEW, CHANGE, "r0")
    send(store, BACK)
    before = everything(store)
    with store.writing() as joined, pytest.raises(OpenOperation):
        send(joined, like(BACK, source_read=LATER))
    assert everything(store) == before


# -- names that are kept: as stores out there hold them, letter by letter

ANY = like(NEW, Intent, kashoo_id=501)
KEPT = {
    Action.CREATE: ("create", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/create/1"),
    Action.UPDATE: ("update", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/update/1"),
    Action.VOID: ("void", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/void/1"),
    Action.LINK: ("link", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/link/1"),
    Action.FOLLOW: ("follow", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/follow/1"),
    Action.WRITE_BACK: ("write_back", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/write_back/1"),
    Action.UPSERT: ("upsert", f"salesforce_to_kashoo/invoice/{DEAL}/1/upsert/1"),
    Action.PARK: ("create", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/park/1"),
    Action.REVIEW: ("review", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/review/1"),
    Action.WAIT: ("wait", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/wait/1"),
    Action.UNCHANGED: ("unchanged", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/unchanged/1"),
    Action.SKIP: ("skip", f"salesforce_to_kashoo/Opportunity/{DEAL}/1/skip/1"),
}


@pytest.mark.parametrize("of", INTENTS.values())
def test_what_is_parked_is_kept_under_the_recorded_action_and_key(store, of) -> None:
    store.waiting.park(like(ANY, of), REFUSED, "r1")
    [row] = store.journal.unsettled(State.PARKED)
    assert (row["action"], row["key"]) == KEPT[of.action]


@pytest.mark.parametrize(
    ("intent", "key", "reference"),
    [
        (
            NEW,
            "salesforce_to_kashoo/Opportunity/006000000000001AAA/1/create/1",
            "[sf:006000000000001AAA:1:1]",
        ),
        (
            like(NEW, object="Order", id=ORDER, part=2, generation=3),
            "salesforce_to_kashoo/Order/801000000000001AAA/2/create/3",
            "[sf:801000000000001AAA:2:3]",
        ),
        (
            like(NEW, Update, kind="customer", object="Account", id=ACCOUNT, sale=ACCOUNT, kashoo_id=7),
            "salesforce_to_kashoo/Account/001000000000001AAA/1/update/1",
            "[sf:001000000000001AAA:1:1]",
        ),
        (
            like(NEW, Void, generation=2, kashoo_id=501),
            "salesforce_to_kashoo/Opportunity/006000000000001AAA/1/void/2",
            "[sf:006000000000001AAA:1:2]",
        ),
        (
            like(BACK, source_read=""),
            "kashoo_to_salesforce/Opportunity/006000000000001AAA/1/write_back/1",
            "[sf:006000000000001AAA:1:1]",
        ),
    ],
    ids=lambda each: each.action.value if isinstance(each, Intent) else "",
)
def test_what_is_sent_is_kept_under_the_recorded_key_and_reference(store, intent, key, reference) -> None:
    send(store, intent)
    [row] = store.journal.unsettled(State.SENT)
    assert (row["key"], row["reference"], row["action"]) == (key, reference, key.split("/")[4])
    assert (str(intent.reference), intent.key) == (reference, key)


def test_the_audit_keeps_the_recorded_words(store) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    survivor = "006000000000002AAA"
    store.journal.followed(like(NEW, Follow, link_version=1, into=survivor, into_sale=survivor), "r1")
    store.waiting.park(like(OTHER, Park), REFUSED, "r1")
    moved = like(NEW, id=survivor, sale=survivor, link_version=2, kashoo_id=501)
    store.journal.answered(send(store, like(moved, Update)), CHANGE, "changed")
    store.journal.answered(send(store, like(moved, Void, link_version=3)), CHANGE, "lost")
    told = like(BACK, id=survivor, sale=survivor)
    store.journal.written_back(send(store, told), {}, "Void")
    store.journal.written_back_late(send(store, like(told, source_read=LATER)))
    events = [row["event"] for row in everything(store)["audit"]]
    assert events == ["link", "follow", "parked", "update", "void", "write_back", "late_answer"]

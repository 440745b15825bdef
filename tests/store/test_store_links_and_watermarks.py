from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intents import like
from sqlalchemy import text

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Keep, Update, Void
from airflow_provider_kashoo.core.rules.kept import columns_of
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.summary import summarise
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import links
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.journal import Sent, StaleIntent
from airflow_provider_kashoo.store.links import LinkChange, Linked
from airflow_provider_kashoo.store.store import SyncStore, record_pools, recorded_pools

ORG, OTHER_ORG, BUSINESS, TEST_BUSINESS = "00D000000000001EAA", "00D000000000002EAA", "9990000001", "9990000002"
DEAL = "006000000000001AAA"
NEW = Create(record=Record("invoice", "Opportunity", DEAL), mapping="m", reason="won", document={"memo": "x"})
CHANGE = LinkChange(501, {"memo": ("s1", "r1")}, currency="USD", expected_total=100, journal_date="2026-03-01")
PROBLEM = Problem("currency", "no such currency", "Add it.")
names = count()


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


# -- watermarks


def test_a_watermark_starts_where_the_first_run_ended_and_says_none_before(store) -> None:
    assert store.watermarks.get("salesforce.Opportunity") is None
    assert store.watermarks.move("salesforce.Opportunity", lower=at(500), upper=at(900.25), run_id="r1")
    assert store.watermarks.get("salesforce.Opportunity") == at(900.25)
    assert store.watermarks.get("salesforce.Order") is None


@pytest.mark.parametrize(
    ("lower", "upper", "ends"),
    [(900, 1000, 1000), (800, 901, 901), (901, 1000, 900), (100, 900, 900), (100, 899, 900), (900, 900, 900)],
)
def test_a_watermark_moves_only_when_the_run_began_at_or_before_it_and_ended_after_it(
    store, lower, upper, ends
) -> None:
    store.watermarks.move("s", lower=at(0), upper=at(900), run_id="r1")
    assert store.watermarks.move("s", lower=at(lower), upper=at(upper), run_id="r2") == (ends != 900)
    assert store.watermarks.get("s") == at(ends)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_everything_below_a_watermark_was_read_by_some_run(store, runs) -> None:
    source, first = f"source{next(names)}", runs[0][0]
    read: set[int] = set()
    highest = -1
    for lower, length in runs:
        upper = lower + length
        if store.watermarks.move(source, lower=at(lower), upper=at(upper), run_id="r"):
            read |= set(range(lower, upper))
        mark = store.watermarks.get(source).timestamp()
        assert mark >= highest
        assert set(range(first, int(mark))) <= read
        highest = mark


# -- links


def test_a_renewed_link_keeps_the_hashes_of_fields_that_were_not_written(store) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    change = LinkChange(501, {"lines": ("s2", "r2")}, expected_total=200)
    store.journal.linked(replace(NEW, link_version=1), change, "r2")
    [link] = store.links.of_target("invoice")
    assert link.fields == {"memo": ("s1", "r1"), "lines": ("s2", "r2")}
    assert (link.version, link.expected_total, link.currency, link.journal_date) == (2, 200, "USD", "2026-03-01")


def send(store: SyncStore, intent: Intent) -> Sent:
    return store.journal.send(intent, run_id="r", lease="a", deadline_seconds=60, payload_hash="h", fields={})


SEEN = {"memo": [{"Name": "n"}, "h"], "date": [{"CloseDate": "d"}, "h"]}


def observed(store) -> Any:
    return store.links.of_sources("invoice", [DEAL])[DEAL].observed


def test_what_was_seen_of_a_field_stays_until_it_is_seen_again_or_written(store) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    assert observed(store) is None
    keep = like(NEW, Keep, link_version=1)
    marks = [like(keep, observed=SEEN), keep, like(keep, sources={"memo": {}})]
    for each in marks:
        assert store.readings.mark(columns_of([each])) == []
        assert observed(store) == SEEN
    update = like(NEW, Update, kashoo_id=501, link_version=1)
    store.journal.answered(send(store, update), replace(CHANGE, fields={"memo": ("s2", "r2")}), "changed")
    assert observed(store) == {"date": SEEN["date"]}
    after = like(keep, link_version=2)
    assert store.readings.mark(columns_of([like(after, observed=SEEN), like(after, observed={})])) == []
    assert observed(store) == {}


def test_an_update_notes_what_was_seen_of_other_fields(store) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    update = like(NEW, Update, kashoo_id=501, link_version=1)
    store.journal.answered(send(store, update), replace(CHANGE, observed=SEEN), "changed")
    assert observed(store) == {"date": SEEN["date"]}


def test_a_plan_from_before_a_void_is_stale(store) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    void = like(NEW, Void, kashoo_id=501, link_version=1)
    store.journal.answered(send(store, void), CHANGE, "lost")
    for version in (0, 1):
        with pytest.raises(StaleIntent):
            send(store, replace(NEW, generation=2, link_version=version))
    assert send(store, replace(NEW, generation=2, link_version=2)).attempts == 1


@pytest.mark.parametrize("seen", ["linked", "unchanged"])
def test_a_row_that_was_read_before_its_link_was_held_against_a_later_reading_is_stale(store, seen) -> None:
    read = {name: f"2026-03-0{day}T00:00:00+00:00" for day, name in enumerate(("old", "new"), start=1)}
    store.journal.linked(NEW if seen == "unchanged" else replace(NEW, source_read=read["new"]), CHANGE, "r1")
    update = like(NEW, Update, kashoo_id=501, link_version=1, source_read=read["old"])
    if seen == "unchanged":
        assert store.readings.mark(columns_of([like(update, Keep, source_read=read["new"])])) == []
    older = like(update, Keep)
    assert store.readings.mark(columns_of([older])) == [0]
    with pytest.raises(StaleIntent):
        send(store, update)
    assert send(store, replace(update, source_read=read["new"])).attempts == 1


@pytest.mark.parametrize("found", [False, True])
def test_what_a_link_was_held_against_never_becomes_older(store, found) -> None:
    old, later, newest = (f"2026-03-0{day}T00:00:00+00:00" for day in (1, 2, 3))
    store.journal.linked(NEW, CHANGE, "r1")
    update = like(NEW, Update, kashoo_id=501, link_version=1, source_read=old)
    sent = send(store, update)
    assert store.readings.mark(columns_of([like(update, Keep, source_read=newest)])) == []
    if found:
        [operation] = store.journal.unsettled(State.SENT)
        assert store.journal.settle(operation, Event.FOUND, "the record says what was sent", 501)
    else:
        store.journal.answered(sent, CHANGE, "changed")
    with pytest.raises(StaleIntent):
        send(store, replace(update, link_version=2, source_read=later))
    assert [each["error_class"] for each in store.journal.unsettled(State.PARKED)] == ["changed_meanwhile"]


def test_links_are_found_by_source_sale_and_kashoo_id_however_many_are_asked_for(store, monkeypatch) -> None:
    monkeypatch.setattr(links, "CHUNK", 2)
    intents = [like(NEW, id=f"801{n:012d}AAA", sale=f"006{n:012d}AAA") for n in range(7)]
    for number, intent in enumerate(intents):
        store.journal.linked(intent, replace(CHANGE, kashoo_id=600 + number), "r1")
    store.journal.linked(like(intents[0], kind="customer"), replace(CHANGE, kashoo_id=1), "r1")
    wanted = {intent.record.id: 600 + number for number, intent in enumerate(intents)}
    found = store.links.of_sources("invoice", [*wanted, "801000000000099AAA"])
    assert {source: link.kashoo_id for source, link in found.items()} == wanted
    assert set(store.links.of_sales([each.sale for each in intents])) == {each.sale for each in intents}
    assert set(store.links.of_kashoo("invoice", [1, 2, *range(600, 606)])) == {*range(600, 606)}
    assert [link.kashoo_id for link in store.links.of_target("customer")] == [1]
    assert store.links.of_sources("invoice", []) == {}


# -- scopes


def fill(store: SyncStore) -> None:
    store.journal.linked(NEW, CHANGE, "r1")
    parked = like(NEW, id="006000000000002AAA")
    store.waiting.park(parked, PROBLEM, "r1")
    store.reviews.open(parked, PROBLEM, "r1")
    sent = store.journal.send(
        like(NEW, id="006000000000003AAA"),
        run_id="r1",
        lease="a",
        deadline_seconds=60,
        payload_hash="h",
        fields={},
    )
    store.journal.answered(sent, replace(CHANGE, kashoo_id=502), "won")
    store.watermarks.move("s", lower=at(0), upper=at(900), run_id="r1")
    store.start_run("salesforce_to_kashoo", "r1")


def seen(store: SyncStore) -> tuple[object, ...]:
    return (
        [link.kashoo_id for link in store.links.of_target("invoice")],
        sorted(store.links.of_sources("invoice", [DEAL])),
        sorted(store.links.of_sales([DEAL])),
        sorted(store.links.of_kashoo("invoice", [501])),
        [row["state"] for row in store.journal.unsettled(*State)],
        store.waiting.sources("Opportunity"),
        [item["error_class"] for item in store.reviews.all_open()],
        len(store.journal.done_by("r1")),
        store.watermarks.get("s"),
        bool(store.run("salesforce_to_kashoo", "r1")),
    )


FULL = (
    [501, 502], ["006000000000001AAA"], ["006000000000001AAA"], [501], ["parked", "done"], ["006000000000002AAA"],
    ["currency"], 1, at(900), True,
)  # fmt: skip
EMPTY = ([], [], [], [], [], [], [], 0, None, False)


@pytest.mark.parametrize("neighbour", [(ORG, TEST_BUSINESS), (OTHER_ORG, BUSINESS)])
def test_two_businesses_or_orgs_never_see_each_others_rows(store, database, neighbour) -> None:
    other = SyncStore(database, *neighbour)
    fill(store)
    assert (seen(store), seen(other)) == (FULL, EMPTY)
    other.waiting.close(like(NEW, id="006000000000002AAA"))
    other.watermarks.move("s", lower=at(0), upper=at(5000), run_id="r9")
    assert (other.watermarks.get("s"), seen(store)) == (at(5000), FULL)


def test_the_same_records_can_be_synced_to_a_second_business_without_touching_the_first(store, database) -> None:
    other = SyncStore(database, ORG, TEST_BUSINESS)
    fill(other)
    fill(store)
    assert seen(store) == seen(other) == FULL
    assert seen(SyncStore(database, ORG, BUSINESS)) == FULL  # the same pair again is the same scope


def test_hashes_agree_within_a_store_and_differ_between_stores(store, database, tmp_path, clock) -> None:
    second = Database(f"sqlite:///{tmp_path}/second.db", clock)
    second.migrate()
    again = SyncStore(database, OTHER_ORG, TEST_BUSINESS)
    assert store.hashes.of(12_000) == again.hashes.of(12_000) != SyncStore(second, ORG, BUSINESS).hashes.of(12_000)


# -- runs and pools


def test_a_run_keeps_its_start_its_plan_and_its_end(store, clock) -> None:
    store.start_run("s", "r1")
    began, clock.now = clock.now, clock.now + 90
    store.start_run("s", "r1")
    summary = replace(summarise([NEW], Counter(), seconds_for=float, notes=["a note"]), digest="d")
    store.record_plan("s", "r1", summary)
    store.finish_run("s", "r1")
    run = store.run("s", "r1")
    assert (run["started_at"], run["finished_at"], run["digest"]) == (began, began + 90, summary.digest)
    assert (run["summary"]["actions"], run["summary"]["notes"]) == ({"invoice": {"create": 1}}, ["a note"])
    assert store.run("s", "r2") is None


def test_pool_sizes_are_those_last_recorded(database) -> None:
    record_pools(database, {"kashoo": 2, "default_pool": 128})
    record_pools(database, {"kashoo": 4})
    assert recorded_pools(database) == {"kashoo": 4, "default_pool": 128}
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM pools")).scalar_one() == 2


# -- links that may have to be written back


def linked(store: SyncStore, number: int, settlement: str | None = None, **more: Any) -> int:
    """Let a deal have an invoice with the same number; gives the row id of the link."""
    record = Record("invoice", "Opportunity", f"006{number:012d}AAA")
    intent = replace(NEW, record=record, sale=record.id, **more)
    store.links.put(intent, replace(CHANGE, kashoo_id=number))
    store.written_back.confirm(replace(intent, kashoo_id=number), {"Paid": f"h{number}"}, settlement)
    return store.links.of_sources("invoice", [record.id])[record.id].id


def test_links_that_are_open_listed_or_named_are_due_each_once(store) -> None:
    rows = {
        number: linked(store, number, settlement) for number, settlement in enumerate(["Paid", None, "Open", "Void"])
    }
    ids = store.written_back.ids
    assert ids([None, "Open"], [], []) == [rows[1], rows[2]]
    assert ids([None, "Open"], [0, 1, 77], []) == [rows[0], rows[1], rows[2]]
    assert ids([None, "Open"], [3], ["006000000000000AAA", "006000000000099AAA"]) == [*rows.values()]
    assert store.written_back.all_ids() == [*rows.values()]


def test_due_links_are_those_of_this_scope_that_are_live(store, database) -> None:
    linked(SyncStore(database, OTHER_ORG, BUSINESS), 1)
    own, ended = linked(store, 1), linked(store, 2)
    store.links.end(
        replace(NEW, record=Record("invoice", "Opportunity", "006000000000002AAA"), sale="006000000000002AAA")
    )
    assert store.written_back.ids([], [1, 2], ["006000000000001AAA", "006000000000002AAA"]) == [own]
    assert [link.id for link in store.written_back.voided()] == [ended]


def test_a_link_without_its_base_says_all_else_that_the_whole_link_says(store) -> None:
    row = linked(store, 7, "Open")
    [found] = store.written_back.of_ids([row, 99])
    whole = store.links.of_kashoo("invoice", [7])[7]
    assert all(getattr(found, name) == getattr(whole, name) for name in Linked.__dataclass_fields__)
    assert found.written_back == {"Paid": "h7"}
    [bearer] = store.written_back.bearers([whole.source_id])
    assert bearer == (row, Reference(whole.source_id, 1, 1), 7)


def test_more_links_than_one_query_takes_are_found_in_order(store, monkeypatch) -> None:
    monkeypatch.setattr(links, "CHUNK", 2)
    rows = [linked(store, number, "Paid") for number in range(5)]
    assert store.written_back.ids(["Open"], range(5), []) == rows
    assert [link.id for link in store.written_back.of_ids(reversed(rows))] == rows

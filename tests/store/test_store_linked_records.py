from __future__ import annotations

from dataclasses import replace

import pytest
from intents import like

from airflow_provider_kashoo.core.rules.intents import Create, Keep, Update, Void
from airflow_provider_kashoo.core.rules.kept import columns_of
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import linked_records, links, readings, written_back
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore

ORG, OTHER_ORG, BUSINESS = "00D000000000001EAA", "00D000000000002EAA", "9990000001"
IDS = [f"006{number:012d}AAA" for number in range(7)]
ORDER, ACCOUNT = "801000000000001AAA", "001000000000001AAA"
NEW = Create(record=Record("invoice", "Opportunity", IDS[0]), mapping="m", reason="won")
CHANGE = LinkChange(500, {"memo": ("s1", "r1")}, journal_date="2026-03-01")
EARLIER, LATER = "2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"


@pytest.fixture(autouse=True)
def _small(monkeypatch) -> None:
    """Let all that is asked for take several statements and pages."""
    monkeypatch.setattr(links, "CHUNK", 2)
    monkeypatch.setattr(readings, "CHUNK", 2)
    monkeypatch.setattr(written_back, "CHUNK", 2)
    monkeypatch.setattr(linked_records, "PAGE", 2)


def link(store: SyncStore, number: int, **changes: object) -> None:
    store.journal.linked(like(NEW, id=IDS[number], **changes), replace(CHANGE, kashoo_id=500 + number), "r1")


def end(store: SyncStore, number: int) -> None:
    """Let the link of a record end, as by a void."""
    store.journal.unlinked(like(NEW, Void, id=IDS[number], kashoo_id=500 + number), "void", "r2")


@pytest.fixture
def filled(store, database) -> SyncStore:
    """Deals of which one is not linked any more, and neighbours that are none of them."""
    for number in range(len(IDS)):
        link(store, number)
    end(store, 3)
    store.journal.linked(like(NEW, object="Order", id=ORDER), replace(CHANGE, kashoo_id=600), "r1")
    store.journal.linked(like(NEW, kind="customer", object="Account", id=ACCOUNT), replace(CHANGE, kashoo_id=1), "r1")
    other = SyncStore(database, OTHER_ORG, BUSINESS)
    other.journal.linked(like(NEW, id="006000000000099AAA"), replace(CHANGE, kashoo_id=699), "r1")
    return store


LIVE = [*IDS[:3], *IDS[4:]]


def test_of_some_records_those_are_named_that_are_linked(filled) -> None:
    asked = [*IDS, ORDER, ACCOUNT, "006000000000099AAA", "006000000000098AAA"]
    assert filled.linked_records.sources(["invoice"], "Opportunity", asked) == {*LIVE}
    assert filled.linked_records.sources(["customer", "item"], "Opportunity", asked) == set()
    assert filled.linked_records.sources(["customer", "item"], "Account", asked) == {ACCOUNT}
    assert filled.linked_records.sources(["invoice"], "Opportunity", []) == set()
    assert filled.linked_records.kashoo_ids("invoice", [1, 500, 501, 502, 503, 699]) == {500, 501, 502}


def test_all_that_is_linked_comes_in_pages_in_order_and_once(filled) -> None:
    pages = list(filled.linked_records.pages_of_sources(["invoice"], "Opportunity"))
    assert pages == [LIVE[:2], LIVE[2:4], LIVE[4:]]
    link(filled, 2, kind="item")  # of two kinds: still one record
    pages = list(filled.linked_records.pages_of_sources(["invoice", "item"], "Opportunity"))
    assert [ident for page in pages for ident in page] == LIVE
    filled.journal.linked(like(NEW, id="006000000000050AAA"), replace(CHANGE, kashoo_id=501), "r1")  # shared
    pages = list(filled.linked_records.pages_of_kashoo_ids("invoice"))
    assert [ident for page in pages for ident in page] == [500, 501, 502, 504, 505, 506, 600]
    assert list(filled.linked_records.pages_of_sources(["invoice"], "Account")) == []


def test_a_record_that_is_linked_between_two_pages_shifts_none_of_the_others(filled) -> None:
    pages = filled.linked_records.pages_of_sources(["invoice"], "Opportunity")
    seen = next(pages)
    filled.journal.linked(like(NEW, id="006000000000000BBB"), replace(CHANGE, kashoo_id=700), "r1")
    end(filled, 0)
    assert [*seen, *(ident for page in pages for ident in page if ident in LIVE)] == LIVE


def test_the_oldest_date_is_that_of_the_links_with_these_settlements(filled) -> None:
    oldest = filled.linked_records.oldest_date
    for number, (day, settlement) in enumerate([("2026-01-05", "Paid"), ("2026-02-01", "Open"), ("2026-01-20", None)]):
        filled.links.put(
            like(NEW, id=IDS[number], link_version=1), replace(CHANGE, kashoo_id=500 + number, journal_date=day)
        )
        told = like(NEW, id=IDS[number], kashoo_id=500 + number)
        filled.written_back.confirm(told, {}, settlement)
    assert oldest("invoice", ["Open"]) == "2026-02-01"
    assert oldest("invoice", ["Open", None]) == "2026-01-20"
    assert oldest("invoice", ["Open", "Paid", None]) == "2026-01-05"
    assert oldest("invoice", ["Void"]) is None
    assert oldest("item", [None]) is None
    filled.journal.linked(like(NEW, id="006000000000051AAA"), LinkChange(701, {}), "r1")
    assert oldest("invoice", [None]) == ""  # an undated one may be older


def test_what_ended_is_found_for_some_or_for_all(filled) -> None:
    end(filled, 5)
    assert filled.links.ended_references("invoice") == [Reference(IDS[3]), Reference(IDS[5])]
    assert filled.links.ended_references("invoice", [*IDS[:3], IDS[5]]) == [Reference(IDS[5])]
    assert filled.links.ended_versions("invoice") == {(IDS[3], 1): 2, (IDS[5], 1): 2}
    assert filled.links.ended_versions("invoice", [*IDS[2:5], "nobody"]) == {(IDS[3], 1): 2}
    assert filled.links.ended_versions("invoice", []) == {}
    assert filled.links.ended_references("customer") == []


def test_records_of_the_books_are_found_with_all_their_links_however_many_are_asked_for(filled) -> None:
    filled.journal.linked(like(NEW, id="006000000000050AAA"), replace(CHANGE, kashoo_id=501), "r1")
    found = filled.links.sharing("invoice", range(490, 505))
    assert [(each.kashoo_id, each.source_id) for each in found] == [
        (500, IDS[0]), (501, IDS[1]), (502, IDS[2]), (504, IDS[4]), (501, "006000000000050AAA"),
    ]  # fmt: skip
    assert filled.links.linked_ids("invoice", range(498, 510)) == {500, 501, 502, 504, 505, 506}


def test_of_many_links_just_those_are_overtaken_that_were_written_or_read_later(filled) -> None:
    kept = [like(NEW, Keep, id=ident, link_version=1, source_read=EARLIER, sources={"memo": {}}) for ident in IDS]
    filled.links.put(like(NEW, Update, id=IDS[1], link_version=1), replace(CHANGE, kashoo_id=501))
    assert filled.readings.mark(columns_of([replace(kept[4], source_read=LATER)])) == []
    overtaken = filled.readings.mark(columns_of([*kept, kept[0], replace(kept[2], sources=None)]))
    assert overtaken == [1, 3, 4]  # written, ended, read later
    for ident in (IDS[0], IDS[2], IDS[5], IDS[6]):
        assert filled.links.is_newer(like(NEW, Keep, id=ident, source_read="2026-02-28T00:00:00+00:00"))
        assert filled.links.of_sources("invoice", [ident])[ident].sources == {"memo": {}}
    assert filled.links.of_sources("invoice", [IDS[1]])[IDS[1]].sources is None
    # A later reading counts within one call too.
    older, newer = replace(kept[6], source_read=LATER), kept[6]
    assert filled.readings.mark(columns_of([older, newer])) == [1]


def test_a_record_whose_sources_are_not_said_keeps_those_of_its_link(filled) -> None:
    kept = [like(NEW, Keep, id=ident, link_version=1, source_read=EARLIER) for ident in LIVE]
    filled.readings.mark(columns_of([replace(each, sources={"memo": {"Name": "h"}}) for each in kept]))
    later = [replace(each, source_read=LATER) for each in kept]
    assert filled.readings.mark(columns_of([*later[:2], replace(later[2], sources={}), *later[3:]])) == []
    found = filled.links.of_sources("invoice", LIVE)
    assert [found[ident].sources for ident in LIVE] == [{"memo": {"Name": "h"}}] * 2 + [{}] + [
        {"memo": {"Name": "h"}}
    ] * 3
    for each in kept:
        assert filled.links.is_newer(each)
    twice = replace(later[0], sources={"memo": None}), later[0]  # in one statement
    assert filled.readings.mark(columns_of(twice)) == []
    assert filled.links.of_sources("invoice", LIVE)[LIVE[0]].sources == {"memo": None}


def test_what_salesforce_has_is_noted_of_many_invoices_unless_the_books_were_read_later(filled) -> None:
    told = [like(NEW, Keep, id=ident, kashoo_id=500 + IDS.index(ident), source_read=EARLIER) for ident in LIVE]
    seen = [replace(each, held={"Paid__c": "h"}, settlement="Paid") for each in told]
    filled.written_back.note_kept(columns_of([*seen[:3], *told[3:]]))
    older = [replace(each, held={"Paid__c": "old"}, settlement="Open", source_read="2026-02-01") for each in told]
    filled.written_back.note_kept(columns_of(older))
    links = filled.links.of_sources("invoice", LIVE)
    assert [links[ident].settlement for ident in LIVE] == ["Paid"] * 3 + [None] * 3
    assert [links[ident].written_back for ident in LIVE] == [{"Paid__c": "h"}] * 3 + [{}] * 3
    for each in told:
        assert filled.written_back.is_outdated(replace(each, source_read="2026-02-01"))

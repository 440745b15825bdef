"""What of a plan is a row, what is only counted, and which credits are asked for: no simulated system, no request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from intents import like
from room import DEAL, DEAL_2, DOCUMENT, LINE, ORDER, Room

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.select import Credit, Why
from airflow_provider_kashoo.core.rules.intents import (
    Ask,
    Create,
    Follow,
    Intent,
    Keep,
    Link,
    Park,
    Release,
    Void,
)
from airflow_provider_kashoo.core.rules.questions import (
    CHANGED_ON_BOTH_SIDES,
    REMOVED_IN_BOOKS,
    SECOND_OF_SALE,
)
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.sync.bill.candidates import Considered, _consider_credits
from airflow_provider_kashoo.sync.bill.compare import compare
from airflow_provider_kashoo.sync.bill.credits import ask_for
from airflow_provider_kashoo.sync.bill.sales import Sales
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft

FROM_DEAL, FROM_ORDER = "invoice_from_opportunity", "invoice_from_order"
ANOTHER = "another"
VOIDING = "\non_leave: void_unpaid\n"
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
DEARER = [LINE | {"rate": 30_000}]
CHEAPER = [LINE | {"rate": 20_000}]
WORN_OUT = Reference(DEAL, 1, 1)


# -- what is only counted


def drafted(room: Room, intents: list[Intent]) -> Draft:
    draft = Draft(Pending.of(room.store), ends_waiting=room.sync.run.limit is None)
    draft.add(intents)
    return draft


def test_a_record_that_is_left_out_and_that_nobody_waits_for_is_only_counted(room: Room) -> None:
    room.store.waiting.park(room.begun(DEAL_2), REFUSED, "run0")
    room.store.reviews.open(room.begun(ORDER), SECOND_OF_SALE.of(other="Order"), "run0")
    left_out = [room.begun(each).become(Release, reason="not IsWon") for each in (DEAL, DEAL_2, ORDER)]
    draft = drafted(room, left_out)
    assert {each.record.id for each in draft.rows} == {DEAL_2, ORDER}
    assert list(draft.skipped.of.items()) == [(("invoice", "skip", "not IsWon"), 1)]


def test_a_question_that_leaving_out_does_not_close_keeps_nothing(room: Room) -> None:
    room.store.reviews.open(room.begun(), REMOVED_IN_BOOKS, "run0")
    assert drafted(room, [room.begun().become(Release, reason="not IsWon")]).rows == []


@pytest.mark.parametrize(("limit", "ends"), [(None, True), (1, False)])
def test_a_test_batch_ends_no_waiting(room: Room, limit: int | None, ends: bool) -> None:
    room.store.waiting.park(room.begun(), REFUSED, "run0")
    room.run(limit=limit)
    begun = room.begun()
    intents = [begun.become(Release), begun.become(Keep), begun.asked(REFUSED)]
    kept = drafted(room, intents).rows
    assert [each.ends_waiting for each in kept if isinstance(each, Ask | Keep | Release)] == [ends] * 3


def test_an_unchanged_record_is_a_row_only_if_it_closes_something(room: Room) -> None:
    room.store.waiting.park(room.begun(DEAL_2), REFUSED, "run0")
    room.store.reviews.open(room.begun(ORDER), CHANGED_ON_BOTH_SIDES.of(fields="memo"), "run0")
    room.store.reviews.open(room.begun(DEAL), REMOVED_IN_BOOKS, "run0")
    draft = drafted(room, [room.begun(each).become(Keep) for each in (DEAL, DEAL_2, ORDER)])
    assert {each.record.id for each in draft.rows} == {DEAL_2, ORDER}
    assert draft.kept.table()["id"].to_pylist() == [DEAL]


@pytest.mark.parametrize("known", [True, False])
def test_an_unchanged_record_says_nothing_of_sources_that_its_link_has(room: Room, known: bool) -> None:
    sources = {"memo": {"Name": "h"}}
    link = replace(room.linked(), sources=sources if known else None)
    intent = replace(room.begun(), sources=sources)
    [kept] = compare(room.facts(), intent, DOCUMENT, link)
    assert (type(kept), kept.sources) == (Keep, None if known else sources)


def test_all_that_acts_is_a_row_as_it_is(room: Room) -> None:
    intents = [room.begun().become(kind) for kind in (Void, Park, Create, Link, Follow)]
    draft = drafted(room, intents)
    assert draft.rows == intents
    assert (draft.skipped.of, draft.kept.table().num_rows) == ({}, 0)


def test_a_link_counts_on_from_the_last_one_of_its_sale(room: Room) -> None:
    link = room.linked()
    room.store.links.end(link.applied_to(room.begun()))
    assert room.facts().ended_version("invoice", DEAL) == link.version + 1
    assert room.facts().ended_version("invoice", DEAL, part=2) == 0
    again = replace(room.begun(), generation=2, link_version=link.version + 1)
    room.store.journal.linked(like(again, Link), LinkChange(503, {}), "run0")
    assert room.store.links.of_sources("invoice", [DEAL])[DEAL].version == link.version + 2


# -- credits: asked about once, whatever the other mappings of the object say


def test_two_mappings_ask_for_one_credit_once_and_a_third_bills_it(room: Room) -> None:
    facts = room.facts()
    made = [room.made(FROM_ORDER, {DEAL_2: DEAL_2})]
    for amount in (100, 200):
        share = Credit(amount, "USD", DEAL, None, Why("IsWon"))
        made.append(room.made(FROM_DEAL, credits={DEAL: share, DEAL_2: share}))
    result = Considered(drafted(room, []))
    assert _consider_credits(facts, made, Sales(facts, made), result) == {DEAL}
    assert [each.reason for each in result.intents] == ["a credit of 1.00 USD is to be given; there is no invoice yet"]


@pytest.mark.parametrize(
    ("invoice", "named"),
    [
        ({"number": "1001"}, " on invoice 1001"),
        ({"number": None}, " on invoice 501"),
        ({"removed": True}, "; there is no invoice yet"),
        ({}, " on invoice 501"),
    ],
)
def test_a_credit_names_the_invoice_as_the_books_show_it(room: Room, invoice: dict[str, Any], named: str) -> None:
    room.linked()
    if invoice:
        room.books.edit("invoice", 501, **invoice)
    else:
        room.books.unreadable.add(501)
    asked = ask_for(room.facts(), room.begun(ORDER), Credit(40000, None, ORDER, DEAL, Why("total >= 0")), None)
    assert (asked.reason, asked.kashoo_id) == (
        f"a credit of 400.00 is to be given{named}",
        501 if "on invoice" in named else None,
    )

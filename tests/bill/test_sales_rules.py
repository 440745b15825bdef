"""Which record bills a sale, and what becomes of links that move, by itself: no simulated system, no request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from intents import like, said
from room import DEAL, DEAL_2, LINE, OBJECTS, ORDER, Room

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.select import Why
from airflow_provider_kashoo.core.rules.intents import (
    Ask,
    Create,
    Follow,
    Park,
    Release,
    Update,
)
from airflow_provider_kashoo.core.rules.questions import (
    REMOVED_IN_BOOKS,
    SALE_BILLED_TWICE,
    SECOND_OF_SALE,
)
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.bill.sales import Sales

FROM_DEAL, FROM_ORDER = "invoice_from_opportunity", "invoice_from_order"
VOIDING = "\non_leave: void_unpaid\n"
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
DEARER = [LINE | {"rate": 30_000}]
CHEAPER = [LINE | {"rate": 20_000}]
WORN_OUT = Reference(DEAL, 1, 1)


def sales(
    room: Room, billable: dict[str, str], unfit: dict[str, str] | None = None, left_out: set[str] | None = None
) -> Sales:
    """Settle the sales of records in this order: id -> sale."""
    excluded = {Why("IsWon"): pa.array(sorted(left_out or ()), pa.string())}
    problems = dict.fromkeys(unfit or {}, REFUSED)
    made = room.made(FROM_ORDER, billable, problems=problems, unfit_sales=unfit or {}, excluded=excluded)
    return Sales(room.facts(), [made])


def test_the_first_record_in_hand_bills_a_sale_and_its_order_is_left_out(room: Room) -> None:
    found = sales(room, {DEAL: DEAL, ORDER: DEAL})
    assert found.claim(room.begun()) is None
    other = found.claim(room.begun(ORDER, DEAL))
    assert isinstance(other, Release)
    assert other.reason == "its sale is billed through its Opportunity"
    assert found.claim(room.begun()) is None


def test_a_second_record_of_one_object_is_for_a_person(room: Room) -> None:
    second = "801000000000002AAA"
    found = sales(room, {ORDER: DEAL, second: DEAL})
    assert found.claim(room.begun(ORDER, DEAL)) is None
    ask = found.claim(room.begun(second, DEAL))
    assert isinstance(ask, Ask)
    assert (ask.error_class, ORDER in ask.reason) == (SECOND_OF_SALE.error_class, True)


def test_the_record_that_is_linked_bills_its_sale_whoever_comes_first(room: Room) -> None:
    room.linked()
    found = sales(room, {ORDER: DEAL, DEAL: DEAL})
    assert isinstance(found.claim(room.begun(ORDER, DEAL)), Release)
    assert found.claim(room.begun()) is None


def test_two_invoices_of_one_sale_are_a_question_about_the_second(room: Room) -> None:
    room.linked()
    room.linked(ORDER, 502)
    found = sales(room, {DEAL: DEAL, ORDER: DEAL})
    assert found.claim(room.begun()) is None
    ask = found.claim(room.begun(ORDER, DEAL))
    assert isinstance(ask, Ask)
    assert (ask.error_class, ask.kashoo_id, ask.sale) == (SALE_BILLED_TWICE.error_class, 502, ORDER)


def test_a_record_waits_while_another_one_of_its_sale_is_on_its_way(room: Room) -> None:
    room.send(like(room.begun(), Create))
    found = sales(room, {ORDER: DEAL, DEAL: DEAL})
    waits = found.claim(room.begun(ORDER, DEAL))
    assert isinstance(waits, Park)
    assert waits.error_class == "waiting_for_sale"
    assert found.claim(room.begun()) is None


def test_an_invoice_goes_on_with_the_sale_that_its_record_joined(room: Room) -> None:
    link = room.linked(ORDER)
    found = sales(room, {ORDER: DEAL})
    [move] = found.moves
    assert isinstance(move, Follow)
    assert (move.record.id, move.sale, move.into, move.into_sale) == (ORDER, ORDER, ORDER, DEAL)
    assert move.link_version == link.version
    own = found.links_of(ORDER).get(1)
    assert own is not None
    assert (own.sale_id, own.version) == (DEAL, link.version + 1)
    assert isinstance(found.claim(room.begun(DEAL)), Release)


def test_an_invoice_of_a_record_that_cannot_be_billed_now_goes_on_too(room: Room) -> None:
    room.linked(ORDER)
    assert [type(each) for each in sales(room, {}, {ORDER: DEAL}).moves] == [Follow]


def test_an_invoice_whose_new_sale_has_one_is_filed_under_its_own_record(room: Room) -> None:
    room.linked()
    room.linked(ORDER, 502, sale=DEAL_2)
    [move] = sales(room, {DEAL: DEAL, ORDER: DEAL}).moves
    assert isinstance(move, Follow)
    assert (move.sale, move.into_sale) == (DEAL_2, ORDER)


def test_two_records_that_exchange_their_sales_both_move(room: Room) -> None:
    other = "801000000000002AAA"
    room.linked(ORDER, 501, sale=DEAL)
    room.linked(other, 502, sale=DEAL_2)
    found = sales(room, {ORDER: DEAL_2, other: DEAL})
    ends = {ident: link.sale_id for ident in (ORDER, other) for link in found.links_of(ident).values()}
    assert ends == {ORDER: DEAL_2, other: DEAL}
    assert all(isinstance(each, Follow) for each in found.moves)


@pytest.mark.parametrize("why", ["in doubt", "removed in Kashoo", "the sale is being billed"])
def test_an_invoice_stays_where_it_is_while_something_is_not_known(room: Room, why: str) -> None:
    link = room.linked(ORDER)
    about = link.applied_to(room.begun(ORDER))
    if why == "in doubt":
        room.send(like(about, Update))
    elif why == "removed in Kashoo":
        room.store.reviews.open(about, REMOVED_IN_BOOKS, "run0")
    else:
        room.send(like(room.begun(), Create))
    assert sales(room, {ORDER: DEAL}).moves == []


def test_who_is_not_in_hand_of_a_sale_that_an_invoice_leaves_is_read_by_the_next_run(room: Room) -> None:
    room.linked(ORDER, 501, sale=DEAL)
    room.salesforce.records["Order"] = [{"Id": "801000000000002AAA", "OpportunityId": DEAL}]
    room.salesforce.records["Opportunity"] = [{"Id": DEAL}]
    found = sales(room, {ORDER: ORDER})
    assert [(type(each), each.record.id) for each in found.moves] == [
        (Follow, ORDER),
        (Park, DEAL),
        (Park, "801000000000002AAA"),
    ]
    waits = found.claim(room.begun())
    assert isinstance(waits, Park)
    assert waits.reason == "the invoice of its sale moves to another sale"


def test_a_sale_waits_when_a_record_that_is_billed_joined_it_unseen(room: Room) -> None:
    room.linked(ORDER)
    room.salesforce.records["Order"] = [{"Id": ORDER, "OpportunityId": DEAL}]
    found = sales(room, {DEAL: DEAL})
    assert [(type(each), each.record.id, each.sale) for each in found.moves] == [(Park, ORDER, DEAL)]
    waits = found.claim(room.begun())
    assert isinstance(waits, Park)
    assert waits.reason == "a record that already has an invoice joined its sale"


def test_an_invoice_of_a_record_that_is_left_out_bills_the_sale_it_joined(room: Room) -> None:
    room.linked(ORDER)
    room.salesforce.records["Order"] = [{"Id": ORDER, "OpportunityId": DEAL}]
    found = sales(room, {DEAL: DEAL}, left_out={ORDER})
    assert said(found.moves) == [(Follow, f"part of sale {DEAL} now")]
    assert isinstance(found.claim(room.begun()), Release)


def test_a_removed_invoice_leaves_its_sale_to_the_next_record(room: Room) -> None:
    link = room.linked()
    room.store.reviews.open(link.applied_to(room.begun()), REMOVED_IN_BOOKS, "run0")
    room.linked(ORDER, 502)
    found = sales(room, {DEAL: DEAL, ORDER: DEAL})
    assert found.claim(room.begun(ORDER, DEAL)) is None


def in_two_parts(room: Room, source_id: str = ORDER, **more: Any) -> None:
    for part, kashoo_id in ((1, 501), (2, 502)):
        record = Record("invoice", OBJECTS[source_id[:3]], source_id, part)
        room.linked(source_id, kashoo_id, record=record, **more)


def test_several_invoices_of_a_record_do_not_move_and_the_sale_it_joined_is_not_billed_besides(room: Room) -> None:
    in_two_parts(room)
    found = sales(room, {ORDER: DEAL, DEAL: DEAL})
    assert found.moves == []
    assert said([found.claim(room.begun(DEAL))]) == [(Park, "waiting_for_sale")]
    assert {part: link.sale_id for part, link in found.links_of(ORDER).items()} == {1: ORDER, 2: ORDER}


@pytest.mark.parametrize(("removed", "billed"), [([1], False), ([2], False), ([1, 2], True)])
def test_only_when_all_its_invoices_were_removed_does_the_invoice_of_another_record_stand_for_the_sale(
    room: Room, removed: list[int], billed: bool
) -> None:
    in_two_parts(room, DEAL)
    room.linked(ORDER, 503)
    for part in removed:
        about = room.begun(DEAL)
        room.store.reviews.open(replace(about, record=replace(about.record, part=part)), REMOVED_IN_BOOKS, "run0")
    claimed = sales(room, {DEAL: DEAL, ORDER: DEAL}).claim(room.begun(ORDER, DEAL))
    assert claimed is None if billed else said([claimed]) == [(Ask, SALE_BILLED_TWICE.error_class)]

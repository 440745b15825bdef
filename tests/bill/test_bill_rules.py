"""What each pass of the plan towards the books decides, by itself: no simulated system, no request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from intents import like, said
from room import DEAL, DEAL_2, DOCUMENT, LINE, ORDER, Room, shipped

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.select import Why
from airflow_provider_kashoo.core.rules.intents import (
    Ask,
    Intent,
    Keep,
    Link,
    Park,
    Release,
    Update,
    Void,
    Wait,
)
from airflow_provider_kashoo.core.rules.questions import (
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
)
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.bill.compare import compare
from airflow_provider_kashoo.sync.bill.generations import Generations
from airflow_provider_kashoo.sync.bill.leaving import MANY, LeftOut, plan_leaving
from airflow_provider_kashoo.sync.bill.made import Ids, bill_once

FROM_DEAL, FROM_ORDER = "invoice_from_opportunity", "invoice_from_order"
ANOTHER = "another"
VOIDING = "\non_leave: void_unpaid\n"
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
DEARER = [LINE | {"rate": 30_000}]
CHEAPER = [LINE | {"rate": 20_000}]
WORN_OUT = Reference(DEAL, 1, 1)


# -- compare: a linked record against what the books say now


def held_against(room: Room, link: Any = None, **changes: Any) -> list[Intent]:
    """Hold the linked deal against the books, as its mapping makes it now."""
    link = link or room.store.links.of_sources("invoice", [DEAL])[DEAL]
    return compare(room.facts(), room.begun(mapping=FROM_DEAL), DOCUMENT | changes, link)


def test_what_did_not_change_is_kept_and_costs_no_request(room: Room) -> None:
    room.linked()
    room.books.edit("invoice", 501, memo="A person's words")
    assert said(held_against(room)) == [(Keep, "nothing that is mapped changed")]
    assert room.books.read_ids == []


def test_only_the_changed_fields_are_written_over_what_was_read(room: Room) -> None:
    link = room.linked()
    room.books.edit("invoice", 501, poNumber="by hand")
    [update] = held_against(room, date="2026-03-05")
    assert isinstance(update, Update)
    assert update.changes == {"date": "2026-03-05"}
    assert update.document == DOCUMENT | {"date": "2026-03-05"}
    entry = room.books.read("invoice", 501)
    assert entry is not None
    assert update.base == entry.fingerprint(room.store.hashes)
    assert (update.kashoo_id, update.link_version, update.generation) == (501, link.version, 1)


def test_a_field_that_vanished_in_salesforce_is_emptied(room: Room) -> None:
    room.linked(document=DOCUMENT | {"poNumber": "PO 7"})
    assert said(held_against(room)) == [(Update, {"poNumber": None})]


@pytest.mark.parametrize("how", ["removed", "not there"])
def test_a_record_that_was_removed_is_for_a_person_and_is_not_made_again(room: Room, how: str) -> None:
    room.linked()
    if how == "removed":
        room.books.edit("invoice", 501, removed=True)
    else:
        del room.books.rows["invoice", 501]
    assert said(held_against(room, date="2026-03-05")) == [(Ask, "removed_in_books")]


def test_a_record_that_cannot_be_read_is_parked_alone(room: Room) -> None:
    room.linked()
    room.books.unreadable.add(501)
    assert said(held_against(room, date="2026-03-05")) == [(Park, "unreadable")]


def test_of_lines_that_both_sides_changed_the_books_win_and_a_person_is_told(room: Room) -> None:
    room.linked()
    room.books.put("invoice", 501, DOCUMENT | {"lines": CHEAPER})
    assert said(held_against(room, lines=DEARER)) == [(Ask, "changed_on_both_sides"), (Keep, "Kashoo keeps its values")]


def test_what_else_changed_is_written_although_a_person_is_asked_and_the_question_comes_first(room: Room) -> None:
    room.linked()
    room.books.put("invoice", 501, DOCUMENT | {"lines": CHEAPER})
    decided = held_against(room, lines=DEARER, date="2026-03-05")
    assert said(decided) == [(Ask, "changed_on_both_sides"), (Update, {"date": "2026-03-05"})]


def test_of_a_date_that_both_sides_changed_salesforce_wins(room: Room) -> None:
    room.linked()
    room.books.edit("invoice", 501, date="2026-03-09")
    assert said(held_against(room, date="2026-03-05")) == [(Update, {"date": "2026-03-05"})]


@pytest.mark.parametrize("field", ["contact", "currency"])
def test_an_invoice_gets_no_other_customer_or_currency_without_a_person(room: Room, field: str) -> None:
    room.linked()
    changed = {"contact": 78, "currency": "CAD"}[field]
    assert said(held_against(room, **{field: changed}, memo="Other")) == [(Ask, "identity_changed")]


@pytest.mark.parametrize("changed", [{"lines": DEARER}, {"date": "2026-03-05"}])
def test_after_money_came_in_a_person_is_asked_about_lines_and_date(room: Room, changed: dict[str, Any]) -> None:
    room.linked()
    room.books.edit("invoice", 501, balanceDue=0)
    assert said(held_against(room, **changed)) == [(Ask, "paid_invoice_changed")]


def test_after_money_came_in_texts_stay_as_billed_and_nobody_is_asked(room: Room) -> None:
    room.linked()
    room.books.edit("invoice", 501, balanceDue=0)
    texts = {"memo": "Other", "dueDate": "2026-04-09", "lines": [LINE | {"description": "Other"}]}
    assert said(held_against(room, **texts)) == [(Keep, "dueDate, lines, memo stay as billed")]


def test_after_money_came_in_a_text_that_the_mapping_names_follows_all_the_same(room: Room) -> None:
    room.map(shipped("invoice_from_opportunity", "after_payment: [memo]\n"))
    room.linked()
    room.books.edit("invoice", 501, balanceDue=0)
    decided = held_against(room, memo="Other", dueDate="2026-04-09", date="2026-03-05")
    assert said(decided) == [(Ask, "paid_invoice_changed"), (Update, {"memo": "Other"})]


def test_a_refunded_invoice_was_touched_by_money_too(room: Room) -> None:
    room.linked()
    intent = room.begun(link_version=1, kashoo_id=501)
    room.store.written_back.confirm(intent, {}, "Refunded")
    assert said(held_against(room, date="2026-03-05")) == [(Ask, "paid_invoice_changed")]


@pytest.mark.parametrize("day", ["2026-02-28", "2026-03-05"])
def test_nothing_moves_in_a_locked_period_nor_into_it(room: Room, day: str) -> None:
    room.books.profile = Profile(locked_until="2026-03-02")
    room.linked(document=DOCUMENT | {"date": "2026-03-01" if day > "2026-03-02" else "2026-03-03"})
    assert said(held_against(room, date=day)) == [(Ask, "locked_invoice_changed")]


def test_after_the_locked_period_an_open_invoice_follows_its_deal(room: Room) -> None:
    room.books.profile = Profile(locked_until="2026-02-28")
    room.linked()
    assert said(held_against(room, date="2026-03-05")) == [(Update, {"date": "2026-03-05"})]


@pytest.mark.parametrize("odd", [{"balanceDue": None}, {"totalDue": "a lot"}, {"date": "soon"}])
def test_an_invoice_that_the_books_show_with_odd_values_waits_until_they_are_mended(room: Room, odd: Any) -> None:
    room.linked()
    room.books.edit("invoice", 501, **odd)
    assert said(held_against(room, lines=DEARER)) == [(Park, "unreadable")]


def test_what_both_sides_changed_alike_is_linked_so_and_an_edit_by_hand_stays_one(room: Room) -> None:
    room.linked()
    room.books.put("invoice", 501, DOCUMENT | {"date": "2026-03-05", "memo": "by hand"})
    [link] = held_against(room, date="2026-03-05")
    assert isinstance(link, Link)
    assert "memo" not in link.document
    assert link.document["date"] == "2026-03-05"
    assert link.held["memo"] == "by hand"


def test_a_removed_customer_is_to_be_restored_rather_than_made_again(room: Room) -> None:
    account = "001000000000001AAA"
    link = room.linked(account, 77, {"name": "Acme"}, "customer")
    del room.books.rows["customer", 77]
    [ask] = compare(room.facts(), room.begun(account, kind="customer"), {"name": "Acme Inc"}, link)
    assert isinstance(ask, Ask)
    assert ask.fix.startswith("Restore it in Kashoo")


def test_moves_of_one_sale_keep_the_order_of_their_ids_whatever_they_come_to(room: Room) -> None:
    room.linked()
    [link] = room.store.links.of_target("invoice")
    assert link.expected_total
    assert link.intent("salesforce_to_kashoo").total is None


# -- generations: which number a record's next invoice has


@pytest.fixture
def voided(room: Room) -> Generations:
    """The generations of a deal whose first invoice we voided."""
    room.linked()
    [link] = room.store.links.of_target("invoice")
    room.store.links.end(link.applied_to(room.begun()))
    return Generations(room.store.links.ended("invoice"))


RECORD = Record("invoice", "Opportunity", DEAL)


def test_the_first_invoice_is_the_first_generation() -> None:
    assert Generations([]).next(RECORD) == 1


def test_a_voided_invoice_is_followed_by_the_next_generation(voided: Generations) -> None:
    assert voided.next(RECORD) == 2
    assert voided.next(replace(RECORD, part=2)) == 1
    assert voided.next(replace(RECORD, id=DEAL_2)) == 1


def test_an_invoice_that_another_store_voided_counts_too_and_the_highest_of_them() -> None:
    found = Generations([])
    found.removed([Reference(DEAL, 1, 3), Reference(DEAL, 1, 2)])
    assert found.next(RECORD) == 4


def test_an_invoice_that_stands_is_the_next_one_itself() -> None:
    found = Generations([])
    found.removed([Reference(DEAL, 1, 2)])
    found.stand([Reference(DEAL, 1, 5)])
    assert found.next(RECORD) == 5


def test_an_invoice_that_stands_again_after_its_void_is_seen(voided: Generations, room: Room) -> None:
    second = replace(room.begun(), generation=voided.next(RECORD))
    assert not voided.stands_again(second)
    voided.stand([WORN_OUT])
    assert voided.next(RECORD) == 2
    assert voided.stands_again(second)


def test_a_reference_of_a_later_generation_than_this_store_wrote_is_not_known(voided: Generations, room: Room) -> None:
    assert voided.knows(WORN_OUT, None)
    assert not voided.knows(Reference(DEAL, 1, 2), None)
    live = replace(room.store.links.ended("invoice")[0], generation=2)
    assert voided.knows(Reference(DEAL, 1, 2), live)


# -- leaving: linked deals that are not to be billed any more


def leave(room: Room, source_id: str = DEAL, kashoo_id: int = 501, *, mapping: str = FROM_DEAL, **more: Any) -> LeftOut:
    link = room.store.links.of_sources("invoice", [source_id]).get(source_id) or room.linked(source_id, kashoo_id)
    return LeftOut(replace(room.begun(source_id), mapping=mapping), link, Why("IsWon"), **more)


def decided(room: Room, *left: LeftOut, billable: set[str] | None = None, **more: Any) -> list[Intent]:
    given = {"billed_elsewhere": [], "planned": [], "skipped": Ids([])} | more
    return plan_leaving(room.facts(), Ids([], billable or set()), left, **given)


@pytest.fixture
def voiding(room: Room) -> Room:
    room.map(shipped(FROM_DEAL, VOIDING))
    return room


def test_a_deal_that_left_is_put_to_a_person(room: Room) -> None:
    [ask] = decided(room, leave(room))
    assert isinstance(ask, Ask)
    assert ask.error_class == "no_longer_billable"
    assert "no longer meets `IsWon`" in ask.reason
    assert "not voided" not in ask.reason
    assert (ask.kashoo_id, ask.link_version) == (501, 1)
    assert room.books.read_ids == []


def test_an_unpaid_invoice_as_it_was_written_is_voided_where_the_mapping_says_so(voiding: Room) -> None:
    [void] = decided(voiding, leave(voiding))
    entry = voiding.books.read("invoice", 501)
    assert entry is not None
    assert isinstance(void, Void)
    assert void.base == entry.fingerprint(voiding.store.hashes)
    assert (void.kashoo_id, void.total, void.currency, void.sale) == (501, 25_000, "USD", DEAL)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"balanceDue": 24_000}, "a payment was received"),
        ({"balanceDue": None}, "Kashoo does not show what is owed"),
        ({"date": "2026-04-01"}, "date changed in Kashoo"),
        ({"totalDue": 26_000, "balanceDue": 26_000}, "its total differs from the expected one"),
    ],
)
def test_an_invoice_that_somebody_would_miss_is_never_voided(voiding: Room, edit: dict[str, Any], why: str) -> None:
    left = leave(voiding)
    voiding.books.edit("invoice", 501, **edit)
    [ask] = decided(voiding, left)
    assert isinstance(ask, Ask)
    assert ask.reason.endswith(f"it was not voided: {why}")


def test_an_invoice_of_which_a_copy_may_stand_is_not_voided(voiding: Room) -> None:
    left = leave(voiding)
    voiding.store.reviews.open(left.of_link, POSSIBLE_DUPLICATE, "run0")
    assert said(decided(voiding, left)) == [(Ask, "no_longer_billable")]


def test_what_the_books_removed_or_do_not_give_is_not_voided(voiding: Room) -> None:
    left = leave(voiding)
    voiding.books.edit("invoice", 501, removed=True)
    assert said(decided(voiding, left)) == [(Ask, "removed_in_books")]
    voiding.books.unreadable.add(501)
    assert said(decided(voiding, left)) == [(Park, "unreadable")]


def test_a_deal_that_another_mapping_bills_does_not_leave(voiding: Room) -> None:
    assert decided(voiding, leave(voiding), billable={DEAL}) == []


@pytest.mark.parametrize("turned", [1, -1])
def test_where_two_mappings_leave_it_out_the_one_that_asks_wins(voiding: Room, turned: int) -> None:
    both = [leave(voiding), leave(voiding, mapping=FROM_ORDER)][::turned]
    assert said(decided(voiding, *both)) == [(Ask, "no_longer_billable")]


def test_what_a_person_removed_is_left_out_without_another_question(room: Room) -> None:
    left = leave(room)
    room.store.reviews.open(left.of_link, REMOVED_IN_BOOKS, "run0")
    assert said(decided(room, left)) == [(Release, "its invoice was removed in Kashoo")]


def test_a_void_waits_for_what_was_sent_before(voiding: Room) -> None:
    left = leave(voiding)
    voiding.send(like(left.of_link, Update))
    assert [type(each) for each in decided(voiding, left)] == [Wait]


def test_a_test_batch_voids_nothing(voiding: Room) -> None:
    left = leave(voiding)
    voiding.run(limit=5)
    assert said(decided(voiding, left)) == [(Release, "outside the test batch of 5")]


@pytest.mark.parametrize(("vanished", "action"), [(MANY, Void), (MANY + 1, Ask)])
def test_more_records_than_vanish_at_once_are_put_to_a_person(voiding: Room, vanished: int, action: type) -> None:
    left = [leave(voiding, f"0060000000{n:05}AAA", 500 + n, vanished=True) for n in range(vanished)]
    assert {type(each) for each in decided(voiding, *left)} == {action}


def test_the_other_records_of_a_sale_wait_while_its_invoice_is_voided(voiding: Room) -> None:
    elsewhere = voiding.begun(ORDER, DEAL).become(Release, reason="its sale is billed through its Opportunity")
    unread = "801000000000002AAA"
    voiding.salesforce.records["Order"] = [{"Id": each, "OpportunityId": DEAL} for each in (ORDER, unread)]
    planned = [elsewhere]
    intents = decided(voiding, leave(voiding), billed_elsewhere=[(elsewhere, DEAL)], planned=planned)
    assert [(type(each), each.record.id) for each in intents] == [(Void, DEAL), (Park, ORDER), (Park, unread)]
    assert {each.reason for each in intents[1:]} == {"the invoice of its sale is being voided"}
    assert {each.sale for each in intents} == {DEAL}


def test_nobody_waits_for_an_invoice_that_stays(room: Room) -> None:
    elsewhere = room.begun(ORDER, DEAL).become(Release, reason="its sale is billed through its Opportunity")
    room.salesforce.records["Order"] = [{"Id": "801000000000002AAA", "OpportunityId": DEAL}]
    intents = decided(room, leave(room), billed_elsewhere=[(elsewhere, DEAL)])
    assert [type(each) for each in intents] == [Ask, Release]


def test_the_other_records_wait_for_a_void_whose_outcome_is_not_known_too(room: Room) -> None:
    elsewhere = room.begun(ORDER, DEAL).become(Release, reason="its sale is billed through its Opportunity")
    room.linked()
    room.send(like(room.store.links.of_target("invoice")[0].applied_to(room.begun()), Void))
    assert [type(each) for each in decided(room, billed_elsewhere=[(elsewhere, DEAL)])] == [Park]


# -- what two mappings would bill


def test_what_two_mappings_would_bill_is_billed_by_none(room: Room) -> None:
    room.map(shipped(FROM_DEAL).model_copy(update={"name": ANOTHER}))
    made = [
        room.made(FROM_DEAL, {DEAL: DEAL, DEAL_2: DEAL_2}),
        room.made(ANOTHER, {DEAL: ORDER}, problems={DEAL_2: REFUSED}, unfit_sales={DEAL_2: DEAL_2}),
    ]
    bill_once(made)
    assert [each.ids.to_pylist() for each in made] == [[DEAL_2], []]
    causes = {each.problems[DEAL].cause for each in made}
    assert causes == {f"the mappings {FROM_DEAL} and {ANOTHER} would both bill this record"}
    assert (made[1].problems[DEAL_2], made[1].unfit_sales[DEAL]) == (REFUSED, ORDER)

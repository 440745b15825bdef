"""What each pass of the plan towards Salesforce decides, by itself: no simulated system, no request."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from intents import like
from room import DEAL, DEAL_2, DOCUMENT, ORDER, READ, Room

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Ask, Intent, Keep, Park, Tell
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE, REMOVED_IN_BOOKS, STANDS_AGAIN
from airflow_provider_kashoo.core.rules.settlement import (
    OPEN,
    OUT_OF_REACH,
    PAID,
    PARTLY_PAID,
    REFUNDED,
    VOID,
    Allocation,
    Invoice,
    Payment,
    settlement_of,
)
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.read.books import ALLOCATION_COLUMNS, INVOICE_COLUMNS, staged_as
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE
from airflow_provider_kashoo.sync.tell.affected import Affected, Found
from airflow_provider_kashoo.sync.tell.payments import Payments
from airflow_provider_kashoo.sync.tell.plan import WRITTEN_BACK_ALREADY, _at_rest, _begin, _decide

TODAY = date(2026, 3, 1)

TOLD = "payment_to_opportunity"
REFUSED = Problem("field_custom_validation_exception", "a rule refused it", "Look at the rule.")
TYPES = {
    "Kashoo_Invoice__c": "string",
    "Kashoo_Status__c": "string",
    "Kashoo_Paid__c": "currency",
    "Kashoo_Balance__c": "currency",
    "Kashoo_Last_Payment__c": "date",
}


@pytest.fixture
def tell(room: Room) -> Room:
    """A run towards Salesforce; nothing is listed yet."""
    room.run(TO_SALESFORCE)
    room.salesforce.types |= {"Opportunity": TYPES, "Order": TYPES}
    room.delta("invoices")
    room.delta("payments", start="2026-02-20")
    return room


def counted(room: Room, resource: str, rows: int) -> None:
    """Let the delta that was staged say how many rows it has."""
    delta = room.sync.files.read_json(f"delta.{resource}") or {}
    room.sync.files.write_json(f"delta.{resource}", delta | {"records": rows})


def lists(room: Room, *kashoo_ids: int) -> None:
    """Let the extract have listed some of the invoices that stand in the books."""
    rows = [staged_as(entry) for ident in kashoo_ids if (entry := room.books.read("invoice", ident))]
    room.books.read_ids.clear()
    room.sync.files.write_table("invoices", pa.Table.from_pylist(rows, schema=INVOICE_COLUMNS))
    counted(room, "invoices", len(rows))


def paid(room: Room, *parts: Allocation) -> None:
    """Let the extract have listed payments."""
    rows = [vars(part) for part in parts]
    room.sync.files.write_table("allocations", pa.Table.from_pylist(rows, schema=ALLOCATION_COLUMNS))
    counted(room, "payments", len(rows))


def settled(room: Room, link: Link, status: str, **fields: Any) -> Link:
    """Let Salesforce have been told of an invoice."""
    held = room.store.hashes.fields(fields)
    room.store.written_back.confirm(link.intent(TO_SALESFORCE), held, status)
    everything = [*room.store.links.of_target("invoice"), *room.store.links.ended("invoice")]
    return next(each for each in everything if each.id == link.id)


def told_of(found: Found) -> list[int]:
    return [invoice.id for _, invoice in found.known]


def changed(affected: Affected, paid_lately: set[int]) -> Found:
    """Put the parts together."""
    parts = list(affected.changed(paid_lately))
    return Found([each for part in parts for each in part.known], [each for part in parts for each in part.intents])


def asked(found: Found | list[Intent]) -> list[tuple[Any, ...]]:
    intents = found.intents if isinstance(found, Found) else found
    return [(type(each), each.record.kind, each.error_class) for each in intents if isinstance(each, Ask | Park)]


# -- payments: those seen have to explain a balance to the cent


def owing(balance: int, ident: int = 501, **more: Any) -> Invoice:
    return Invoice(ident, 25_000, balance, currency="USD", number="41", date="2026-03-01", **more)


def test_a_balance_that_the_payments_seen_explain_needs_no_other(tell: Room) -> None:
    link = tell.linked()
    paid(tell, Allocation(9, 501, "2026-03-02", 10_000), Allocation(8, 501, "2026-03-01", 5_000))
    payments = Payments(tell.sync)
    payments.complete([[(link, owing(10_000))]], set())
    assert tell.books.listed_from == []
    assert payments.paid_lately == {501}
    settlement = settlement_of(owing(10_000), payments.of([(link, owing(10_000))])[501], TODAY)
    assert (settlement["paid"], settlement["status"]) == (15_000, PARTLY_PAID)
    assert settlement["last_payment_date"] == "2026-03-02"


def test_a_balance_that_they_do_not_explain_is_looked_for_400_days_before_its_date(tell: Room) -> None:
    link = tell.linked()
    tell.books.paid = [Payment(7, "2025-02-01", ((501, 25_000),))]
    payments = Payments(tell.sync)
    payments.complete([[(link, owing(0))]], set())
    assert tell.books.listed_from == ["2025-01-25"]
    settlement = settlement_of(owing(0), payments.of([(link, owing(0))])[501], TODAY)
    assert (settlement["status"], settlement["last_payment_date"]) == (PAID, "2025-02-01")
    assert payments.paid_lately == set()


def test_what_was_staged_is_not_lost_when_older_payments_are_read(tell: Room) -> None:
    tell.delta("payments", start="2024-01-01")
    payments = Payments(tell.sync)
    payments.complete([[(tell.linked(), owing(0))]], set())
    assert tell.books.listed_from == ["2024-01-01"]


@pytest.mark.parametrize(("status", "reads"), [(None, 0), (OPEN, 0), (PARTLY_PAID, 1), (PAID, 1), (REFUNDED, 1)])
def test_a_whole_balance_is_explained_unless_more_was_told_before(tell: Room, status: str | None, reads: int) -> None:
    link = replace(tell.linked(), settlement=status)
    Payments(tell.sync).complete([[(link, owing(25_000))]], set())
    assert len(tell.books.listed_from) == reads


def test_a_whole_balance_is_not_explained_while_it_is_not_known_what_was_told(tell: Room) -> None:
    Payments(tell.sync).complete([[(tell.linked(), owing(25_000))]], {("Opportunity", DEAL)})
    assert len(tell.books.listed_from) == 1


def test_what_a_removed_invoice_says_of_its_balance_is_not_to_be_explained(tell: Room) -> None:
    link = tell.linked()
    Payments(tell.sync).complete([[(link, owing(0, removed=True))]], set())
    assert tell.books.listed_from == []


def test_payments_of_another_invoice_explain_nothing(tell: Room) -> None:
    paid(tell, Allocation(9, 502, "2026-03-02", 25_000))
    Payments(tell.sync).complete([[(tell.linked(), owing(0))]], set())
    assert len(tell.books.listed_from) == 1


# -- affected: which invoices Salesforce may have to be told of


def test_a_listed_invoice_is_taken_from_the_list_and_one_that_moved_is_read(tell: Room) -> None:
    tell.linked()
    tell.linked(DEAL_2, 502)
    lists(tell, 501)
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == [501, 502]
    assert tell.books.read_ids == [502]


@pytest.mark.parametrize("status", [PAID, REFUNDED, VOID, OUT_OF_REACH])
def test_a_settled_invoice_that_is_not_listed_is_not_read(tell: Room, status: str) -> None:
    settled(tell, tell.linked(), status)
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == []
    assert tell.books.read_ids == []


def test_a_settled_invoice_is_read_when_money_moved_or_its_last_write_is_not_settled(tell: Room) -> None:
    link = settled(tell, tell.linked(), PAID)
    assert told_of(changed(Affected(tell.sync, tell.reads()), {501})) == [501]
    record = Record("Opportunity", "Opportunity", DEAL)
    tell.store.waiting.park(replace(link.intent(TO_SALESFORCE), record=record), REFUSED, "run0")
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == [501]


@pytest.mark.parametrize("error_class", ["does_not_fit", "not_a_number"])  # the second from an older store
def test_a_write_back_that_no_payment_can_change_is_not_tried_again(tell: Room, error_class: str) -> None:
    link = settled(tell, tell.linked(), PAID)
    record = Record("Opportunity", "Opportunity", DEAL)
    refused = Problem(error_class, "it takes numbers", "Map it.")
    tell.store.waiting.park(replace(link.intent(TO_SALESFORCE), record=record), refused, "run0")
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == []
    tell.run(TO_SALESFORCE, run_type="replay")
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == [501], "a person says that it is mended"


def test_the_weeks_first_run_looks_at_all_that_is_settled_but_told_voids(tell: Room) -> None:
    settled(tell, tell.linked(), PAID)
    settled(tell, tell.linked(DEAL_2, 502), VOID)
    tell.delta("invoices", sweep=True)
    affected = Affected(tell.sync, tell.reads())
    assert affected.weekly
    assert told_of(changed(affected, set())) == [501]


def test_a_void_that_a_person_is_asked_about_is_looked_at_weekly(tell: Room) -> None:
    link = settled(tell, tell.linked(), VOID)
    tell.store.reviews.open(link.intent(TO_SALESFORCE), REMOVED_IN_BOOKS, "run0")
    tell.delta("invoices", sweep=True)
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == [501]


@pytest.mark.parametrize(("balance", "known"), [(25_000, []), (20_000, [501])])
def test_a_refund_that_was_told_is_told_again_only_when_money_came(tell: Room, balance: int, known: list[int]) -> None:
    settled(tell, tell.linked(), REFUNDED)
    tell.books.edit("invoice", 501, balanceDue=balance)
    lists(tell, 501)
    assert told_of(changed(Affected(tell.sync, tell.reads()), set())) == known


def test_an_invoice_that_cannot_be_read_parks_the_record_it_is_told_to(tell: Room) -> None:
    tell.linked()
    tell.books.unreadable.add(501)
    found = changed(Affected(tell.sync, tell.reads()), set())
    assert asked(found) == [(Park, "Opportunity", "unreadable")]
    assert (found.known, found.intents[0].generation) == ([], 1)


def test_an_invoice_of_which_the_books_do_not_say_what_is_owed_is_parked(tell: Room) -> None:
    tell.linked()
    tell.books.edit("invoice", 501, balanceDue=None)
    found = changed(Affected(tell.sync, tell.reads()), set())
    assert asked(found) == [(Park, "Opportunity", "unreadable")]


def test_what_nobody_is_told_of_is_not_parked(tell: Room) -> None:
    tell.sync = replace(tell.sync, mappings={n: m for n, m in tell.sync.mappings.items() if n != TOLD})
    tell.linked()
    tell.books.unreadable.add(501)
    assert asked(changed(Affected(tell.sync, tell.reads()), set())) == []


@pytest.mark.parametrize("how", ["removed", "not there"])
def test_an_invoice_that_a_person_removed_is_told_as_void_and_asked_about(tell: Room, how: str) -> None:
    tell.linked()
    if how == "removed":
        tell.books.edit("invoice", 501, removed=True)
    else:
        del tell.books.rows["invoice", 501]
    found = changed(Affected(tell.sync, tell.reads()), set())
    assert asked(found) == [(Ask, "invoice", "removed_in_books")]
    [(_, invoice)] = found.known
    assert (invoice.removed, invoice.balance, invoice.currency) == (True, 0, "USD")
    assert invoice.shown == (how == "removed")


@pytest.fixture
def voided(tell: Room) -> Link:
    """An invoice that we voided, and Salesforce was not told of."""
    link = tell.linked()
    tell.store.links.end(link.applied_to(tell.begun()))
    tell.books.edit("invoice", 501, removed=True)
    [ended] = tell.store.links.ended("invoice")
    return ended


def test_a_void_of_ours_that_was_not_told_is_told(tell: Room, voided: Link) -> None:
    found = Affected(tell.sync, tell.reads()).voids_to_write_back()
    assert (told_of(found), found.intents) == ([501], [])
    assert found.known[0][1].removed
    assert voided.settlement is None


def test_a_void_that_was_told_is_at_rest(tell: Room, voided: Link) -> None:
    settled(tell, voided, VOID)
    tell.delta("invoices", sweep=True)
    assert told_of(Affected(tell.sync, tell.reads()).voids_to_write_back()) == []


@pytest.mark.parametrize(("weekly", "known"), [(False, []), (True, [501])])
def test_a_void_of_a_deleted_record_is_told_once_a_week(
    tell: Room, voided: Link, weekly: bool, known: list[int]
) -> None:
    settled(tell, voided, OUT_OF_REACH)
    tell.delta("invoices", sweep=weekly)
    assert told_of(Affected(tell.sync, tell.reads()).voids_to_write_back()) == known


def test_a_void_whose_record_has_another_invoice_is_not_told(tell: Room, voided: Link) -> None:
    tell.linked(DEAL, 502, generation=2, link_version=voided.version)
    assert told_of(Affected(tell.sync, tell.reads()).voids_to_write_back()) == []


def test_an_invoice_that_stands_again_after_our_void_is_for_a_person(tell: Room, voided: Link) -> None:
    tell.books.edit("invoice", 501, removed=False)
    lists(tell, 501)
    affected = Affected(tell.sync, tell.reads())
    found = affected.voids_to_write_back()
    assert (told_of(found), asked(found)) == ([], [(Ask, "invoice", STANDS_AGAIN.error_class)])
    assert asked(affected.standing_again()) == [(Ask, "invoice", STANDS_AGAIN.error_class)]
    assert voided.kashoo_id == 501


def test_a_void_that_cannot_be_read_is_asked_for_by_the_next_run(tell: Room, voided: Link) -> None:
    tell.books.unreadable.add(voided.kashoo_id)
    found = Affected(tell.sync, tell.reads()).voids_to_write_back()
    assert (found.known, found.intents) == ([], [])


def test_every_other_invoice_with_a_linked_reference_is_a_possible_duplicate(tell: Room) -> None:
    tell.linked()
    tell.linked(ORDER, 502)
    mark, alone = f"[sf:{DEAL}:1:1]", f"[sf:{ORDER}:1:1]"
    tell.sync.files.write_json("references", {mark: [501, 503], alone: [502], f"[sf:{DEAL}:1:2]": [504]})
    [copy] = Affected(tell.sync, tell.reads()).copies()
    assert isinstance(copy, Ask)
    assert (copy.error_class, copy.kashoo_id, copy.record.id) == (POSSIBLE_DUPLICATE.error_class, 503, DEAL)


def test_what_salesforce_holds_is_not_known_while_an_answer_is_missing(tell: Room) -> None:
    link = tell.linked()
    begun = _begin(tell.sync, tell.sync.mappings[TOLD], link, READ)
    assert Affected(tell.sync, tell.reads()).is_known(begun)
    tell.send(like(begun, Tell))
    affected = Affected(tell.sync, tell.reads())
    assert not affected.is_known(begun)
    assert affected.unsettled == {("Opportunity", DEAL)}


# -- what is written of one invoice


def decision(room: Room, document: dict[str, Any], held: dict[str, Any]) -> Intent:
    begun = _begin(room.sync, room.sync.mappings[TOLD], room.linked(), READ)
    hashed = room.store.hashes.fields
    return _decide(begun, document, hashed(document), PAID, hashed(held))


def test_only_the_fields_that_salesforce_does_not_hold_are_written(tell: Room) -> None:
    document = {"Paid": "250", "Status": PAID, "Last": None}
    intent = decision(tell, document, {"Paid": "250", "Status": OPEN})
    assert isinstance(intent, Tell)
    assert intent.changes == {"Status": PAID, "Last": None}
    assert (intent.document, intent.settlement) == (document, PAID)
    assert intent.record == Record("Opportunity", "Opportunity", DEAL)
    assert intent.generation == 1


def test_what_salesforce_holds_already_is_only_noted(tell: Room) -> None:
    intent = decision(tell, {"Paid": "250"}, {"Paid": "250", "Other": "x"})
    assert isinstance(intent, Keep)
    assert (intent.reason, intent.settlement) == (WRITTEN_BACK_ALREADY, PAID)
    assert intent.held == tell.store.hashes.fields({"Paid": "250"})


def test_a_value_that_cannot_be_told_parks_the_record_and_writes_nothing(tell: Room) -> None:
    intent = decision(tell, {"Status": PAID, "Paid": REFUSED}, {})
    assert isinstance(intent, Park)
    assert intent.error_class == REFUSED.error_class


HELD = {"Kashoo_Invoice__c": "501", "Kashoo_Paid__c": "0", "Kashoo_Balance__c": "250", "Kashoo_Status__c": OPEN}


def at_rest(room: Room, link: Link, *, balance: int = 25_000) -> list[Intent]:
    invoice = replace(owing(balance), number="501")
    found = _at_rest(room.sync, Affected(room.sync, room.reads()), Payments(room.sync), [(link, invoice)])
    assert found.keys() <= {link.id}
    return list(found.values())


def test_an_invoice_that_says_what_salesforce_was_told_is_at_rest(tell: Room) -> None:
    link = settled(tell, tell.linked(), OPEN, **HELD)
    [keep] = at_rest(tell, link)
    assert isinstance(keep, Keep)
    assert keep.record.named == ("Opportunity", DEAL)
    assert keep.held == {}, "nobody looked into Salesforce"


@pytest.mark.parametrize("why", ["other balance", "never told", "void", "paid lately", "weekly", "refused"])
def test_an_invoice_is_looked_at_whole_when_anything_speaks_for_it(tell: Room, why: str) -> None:
    link = tell.linked()
    if why != "never told":
        link = settled(tell, link, VOID if why == "void" else OPEN, **HELD)
    if why == "paid lately":
        paid(tell, Allocation(9, 501, "2026-03-02", 100))
    if why == "weekly":
        tell.delta("invoices", sweep=True)
    if why == "refused":
        begun = _begin(tell.sync, tell.sync.mappings[TOLD], link, READ)
        tell.store.waiting.park(begun, REFUSED, "run0")
    assert at_rest(tell, link, balance=20_000 if why == "other balance" else 25_000) == []


def test_a_mapping_that_tells_nothing_of_what_is_owed_lets_nothing_rest(tell: Room) -> None:
    plain = tell.sync.mappings[TOLD]
    fields = {name: field for name, field in plain.fields.items() if name == "Kashoo_Invoice__c"}
    tell.sync = replace(tell.sync, mappings={TOLD: plain.model_copy(update={"fields": fields})})
    link = settled(tell, tell.linked(document=DOCUMENT), OPEN, **HELD)
    assert at_rest(tell, link) == []

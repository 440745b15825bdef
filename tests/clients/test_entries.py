"""Where Kashoo's JSON ends: what a record says in our words, whatever stands in its fields."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_kashoo.clients.entries import Account, Business, Entry, Tax, payment_of, to_json
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.settlement import Invoice, Payment
from airflow_provider_kashoo.core.values.ids import KeyedHash, Reference

OURS, OTHER = Reference("006000000000001AAA"), Reference("006000000000002AAA")
HASHES = KeyedHash(b"a key")
ODD = [None, "", "text", 7, -1, True, Decimal("1.5"), Decimal("1e999999"), float("nan"), [], [7], {}, {"a": None}]
INVOICE = {
    "id": 7,
    "number": "41",
    "date": "2026-03-10",
    "dueDate": "2026-04-09",
    "currency": "CAD",
    "totalDue": 10_000,
    "balanceDue": 4_000,
    "contact": 5,
    "creation": 1_773_136_800_500,
    "memo": f"Call first! {OURS}",
    "colour": "red",
}


def entry(kind: str = "invoice", **changes: Any) -> Entry:
    return Entry(kind, {**INVOICE, **changes}, Profile())


def test_an_invoice_is_read_in_our_words() -> None:
    read = entry()
    assert (read.id, read.number, read.date, read.due_date) == (7, "41", "2026-03-10", "2026-04-09")
    assert (read.total, read.balance, read.currency, read.contact) == (10_000, 4_000, "CAD", 5)
    assert (read.created, read.removed, read.references) == (1_773_136_800.5, False, [OURS])
    assert read.fields == {
        "contact": 5,
        "date": "2026-03-10",
        "dueDate": "2026-04-09",
        "currency": "CAD",
        "memo": "Call first!",
        "lines": [],
    }
    assert read.invoice == Invoice(7, 10_000, 4_000, "CAD", "41", "2026-03-10", "2026-04-09", contact=5)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("place", [name for name in INVOICE if name != "id"])
def test_an_odd_value_makes_what_it_stands_for_unknown_and_spoils_nothing_else(place: str, odd: Any) -> None:
    read = entry(**{place: odd})
    amounts = (read.total, read.balance, read.contact)
    assert all(each is None or type(each) is int for each in amounts)
    texts = (read.number, read.date, read.due_date, read.currency)
    assert all(each is None or type(each) is str for each in texts)
    assert read.created is None or type(read.created) is float
    assert read.odd in {place, ""}
    assert (read.invoice is None) == bool(read.odd)
    assert {name for name, value in INVOICE.items() if name in read.fields} - {place} <= read.fields.keys()
    assert read.references in ([OURS], [])
    assert read.fields["lines"] == []


@pytest.mark.parametrize(
    ("said", "amount"), [(Decimal("100.0"), 100), (0, 0), (Decimal("100.5"), None), ("100", None), (True, None)]
)
def test_an_amount_is_a_whole_number_of_minor_units_or_unknown(said: Any, amount: int | None) -> None:
    assert entry(totalDue=said).total == amount


@pytest.mark.parametrize(("said", "removed"), [(True, True), (False, False), (None, False), ("yes", False)])
def test_only_true_removes_a_record(said: Any, removed: bool) -> None:
    assert entry(removed=said).removed is removed


def test_what_the_books_do_not_say_is_told_apart_from_what_they_say_is_nothing() -> None:
    unpaid = entry(balanceDue=None)
    assert unpaid.invoice is None
    assert unpaid.owing(10_000, 0) == Invoice(7, 10_000, 0, "CAD", "41", "2026-03-10", "2026-04-09", contact=5)
    assert entry(number=None).owing(1, 0).shown
    assert not Entry("invoice", {"id": 7}, Profile()).owing(1, 0).shown


def test_an_entry_that_was_kept_as_json_is_the_same_one() -> None:
    read = entry()
    kept = Entry("invoice", json.loads(json.dumps(read.raw)), Profile())
    assert kept == read
    assert kept.fingerprint(HASHES) == read.fingerprint(HASHES) == HASHES.of(read.raw)
    assert entry(colour="blue").fingerprint(HASHES) != read.fingerprint(HASHES)


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"memo": f"{OTHER} {OURS}", "contact": 9}, True),
        ({"memo": str(OTHER)}, False),
        ({"memo": None}, True),  # the books cut it
        ({"memo": None, "contact": 9}, False),
    ],
)
def test_it_is_ours_by_our_reference_or_without_any_by_what_it_says(changes: dict[str, Any], ours: bool) -> None:
    assert entry(**changes).is_ours({"contact": 5, "date": "2026-03-10"}, OURS) is ours


def test_the_reference_stands_in_the_field_that_the_connection_names() -> None:
    read = Entry(
        "invoice", {"id": 7, "memo": "Hello", "poNumber": f"P-7 {OURS}"}, Profile(invoice_reference="poNumber")
    )
    assert (read.reference_field, read.references) == ("poNumber", [OURS])
    assert (read.fields["memo"], read.fields["poNumber"]) == ("Hello", "P-7")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_read_back_as_it_is_written(kind: str) -> None:
    of_type = {"date": "2026-03-10", "link": 5, "money": 25_000}
    document = {name: of_type.get(field.type, f"a {name}") for name, field in KINDS[kind].fields.items()}
    body = to_json(kind, document, OURS, Profile())
    read = Entry(kind, {"id": 7, **body}, Profile())
    lines = {"lines": []} if kind == "invoice" else {}
    assert read.document == {**document, **lines, "id": 7, "references": [OURS]}


def test_a_payment_is_allocated_whole_to_its_invoice() -> None:
    document = {"account": 1000, "amount": 25_000, "contact": 5, "currency": "USD", "date": "2026-03-10", "invoice": 9}
    body = to_json("payment", document, OURS, Profile())
    assert body == {
        "type": "invoicePayment",
        "account": 1000,
        "allocations": [{"amount": 25_000, "record": 9}],
        "amount": 25_000,
        "contact": 5,
        "currency": "USD",
        "date": "2026-03-10",
        "memo": str(OURS),
        "unallocatedAmount": 0,
    }
    read = Entry("payment", {"id": 7, **body}, Profile())
    assert (read.total, read.contact, read.date) == (25_000, 5, "2026-03-10")


def test_a_change_leaves_the_record_as_it_was_read() -> None:
    base = Entry("customer", {"id": 7, "contactInformation": {"name": "A", "address": {"street": "1"}}}, Profile())
    before = json.dumps(base.raw)
    body = to_json("customer", {"name": "B", "street": "2"}, OURS, Profile(), base.raw)
    assert body["contactInformation"] == {"name": "B", "address": {"street": "2"}}
    assert json.dumps(base.raw) == before


def test_the_short_lists_are_read_in_our_words() -> None:
    assert Business.of({"id": 1, "contactInformation": {"name": "Acme"}}) == Business("1", "Acme")
    assert Business.of({"id": 1, "contactInformation": None}) == Business("1", None)
    income = {"id": 3, "number": 4000, "name": "Sales", "type": "INCOME"}
    assert Account.of(income, Profile()) == Account(3, "4000", "Sales", is_income=True)
    for kind, takes in (("CASH", True), ("BANK", True), ("INCOME", False), (7, False)):
        assert Account.of({"id": 3, "type": kind}, Profile()).takes_payments is takes
    assert Account.of({"id": 3}, Profile()) == Account(3, None, None, is_income=False)
    assert Tax.of({"abbreviation": "GST", "rate": 5}) == Tax("GST", Decimal(5))
    assert Tax.of({"abbreviation": "GST", "rate": "five"}) is Tax.of({"rate": 5}) is None


@pytest.mark.parametrize(
    ("changes", "payment"),
    [
        ({}, Payment(1, "2026-03-01", ((7, 100), (8, 200)), unallocated=50)),
        ({"allocations": None, "unallocatedAmount": None}, Payment(1, "2026-03-01")),
        ({"removed": True}, Payment(1, "2026-03-01", unallocated=50, removed=True)),
    ],
)
def test_a_payment_is_read_with_its_shares(changes: dict[str, Any], payment: Payment) -> None:
    parts = [{"record": 7, "amount": 100}, {"record": 8, "amount": 200}]
    row = {"id": 1, "date": "2026-03-01", "allocations": parts, "unallocatedAmount": 50}
    assert payment_of({**row, **changes}) == payment

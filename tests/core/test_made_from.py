"""From which values a field was made, and which fields may change because of that."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from room import DEAL, shipped

from airflow_provider_kashoo.core.mapping.stages.sources import MadeFrom, is_decided_anew
from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.core.rules.made_from import made_of, touched, unknown
from airflow_provider_kashoo.core.values.ids import KeyedHash

NOW = {"date": {"CloseDate": "d1"}, "memo": {"Name": "n1"}, "lines": {"lines.Id": "i1", "lines.TotalPrice": "t1"}}
RECORD = {
    "Id": DEAL,
    "Name": "Deal",
    "CloseDate": date(2026, 3, 1),
    "Amount": Decimal("250.00"),
    "AccountId": "001000000000001AAA",
    "Account.Payment_Terms__c": Decimal(30),
}
LINES = [
    {"Id": "00k000000000001AAA", "parent": DEAL, "Quantity": Decimal(1), "TotalPrice": Decimal(10)},
    {"Id": "00k000000000002AAA", "parent": DEAL, "Quantity": Decimal(2), "TotalPrice": Decimal(20)},
]
FOLLOWS = "follow: [Account.Payment_Terms__c, Product2.Name]\n"


def made(record=RECORD, lines=(), more="", name="invoice_from_opportunity"):
    of_lines = pa.Table.from_pylist(list(lines)) if lines else None
    others = [record | {"Id": "006000000000009AAA", "Name": "another"}, record]
    found = MadeFrom(shipped(name, more), pa.Table.from_pylist(others), of_lines, KeyedHash(b"secret").of_json)
    assert found.json().to_pylist() == [json.dumps(found.of(0)), json.dumps(found.of(1))]
    return found.of(1)


def changed(before, now):
    return touched(now, before, {})


def test_a_field_is_touched_when_a_value_it_was_made_from_changed():
    assert touched(NOW | {"date": {"CloseDate": "d2"}}, NOW, {}) == {"date"}
    assert touched(NOW | {"lines": NOW["lines"] | {"lines.TotalPrice": "t2"}}, NOW, {}) == {"lines"}
    assert touched(NOW, NOW, {"memo": ("a", "b")}) == set()


def test_a_path_that_the_mapping_reads_only_now_touches_nothing():
    assert touched(NOW | {"memo": {"Description": "d1"}, "poNumber": {"Po__c": "p"}}, NOW, {}) == set()


def test_what_is_not_known_may_change():
    assert touched(NOW, None, {"dueDate": ("a", "b")}) == {*NOW, "dueDate"}
    assert touched(NOW, unknown(NOW, ["memo"]), {}) == {"memo"}
    assert touched(NOW, NOW, {"memo": (UNKNOWN, "b")}) == {"memo"}


@given(st.sets(st.sampled_from(sorted(NOW))), st.booleans())
def test_what_a_person_is_asked_about_is_touched_again_and_nothing_else(pending, known):
    before = {name: dict.fromkeys(paths, "old") for name, paths in NOW.items()} if known else None
    assert touched(NOW, made_of(NOW, before, pending), {}) == pending


@pytest.mark.parametrize(
    ("field", "value", "touches"),
    [
        ("Name", "Other", {"memo", "lines"}),
        ("CloseDate", date(2026, 3, 2), {"date", "dueDate"}),
        ("Amount", Decimal("250.01"), {"lines", "when"}),
        ("AccountId", "001000000000002AAA", {"contact"}),
        ("Account.Payment_Terms__c", Decimal(10), set()),
        ("Amount", Decimal("250.0"), set()),
        ("Name", " Deal ", set()),
    ],
)
def test_a_deal_without_lines_is_made_of_its_own_values(field, value, touches):
    assert changed(made(), made(RECORD | {field: value})) == touches


def test_an_empty_value_is_not_the_word_none():
    assert changed(*(made(RECORD | {"Name": name}) for name in (None, "None"))) == {"memo", "lines"}


def test_of_other_records_only_what_the_mapping_follows_counts():
    one, other = (made(RECORD | {"Account.Payment_Terms__c": Decimal(days)}, more=FOLLOWS) for days in (30, 10))
    assert changed(one, other) == {"dueDate"}
    named = [[LINES[0] | {"Product2.Name": name}] for name in ("Lamp", "Desk")]
    assert changed(*(made(lines=lines, more=FOLLOWS) for lines in named)) == {"lines"}
    assert changed(*(made(lines=lines) for lines in named)) == set()


def test_lines_count_whatever_their_order_and_a_deal_with_lines_is_not_made_of_its_amount():
    assert made(lines=LINES) == made(lines=LINES[::-1])
    assert changed(made(lines=LINES), made(RECORD | {"Amount": None}, lines=LINES)) == {"when"}
    for lines in ([], LINES[:1], [LINES[0], LINES[1] | {"Quantity": Decimal(3)}]):
        assert changed(made(lines=LINES), made(lines=lines)) == {"lines"}


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({}, False),
        ({"IsWon": True}, True),
        ({"Amount": Decimal("250.0"), "Name": "Other", "Size": Decimal(1)}, False),
        ({"Amount": Decimal("250.01")}, True),
        ({"Account.Approved__c": False}, True),
        ({"Test__c": True}, True),
    ],
)
def test_what_decides_that_a_deal_is_billed_is_also_what_other_records_say(change, anew):
    rules = """\
rules:
  - {when: Test__c or not Account.Approved__c, skip: a test}
  - {when: Size == 1, park: too small}
"""
    mapping = shipped("invoice_from_opportunity", rules)
    first = RECORD | {"IsWon": None, "Account.Approved__c": True, "Test__c": False, "Size": Decimal(2)}
    hashed = KeyedHash(b"secret").of_json
    before = MadeFrom(mapping, pa.Table.from_pylist([first]), None, hashed).of(0)
    now = pa.Table.from_pylist([first | change])
    assert is_decided_anew(now, before, hashed) == anew
    assert is_decided_anew(now, None, hashed)
    assert is_decided_anew(now.drop_columns(["Amount", "IsWon"]), before, hashed) == (
        anew and not change.keys() & {"Amount", "IsWon"}
    )


def test_a_customer_is_made_of_all_that_its_mapping_reads():
    record = {"Id": "001000000000001AAA", "Name": "Acme", "Contacts.Email": "a@acme.example"}
    one, other = (
        made(record | more, name="customer_from_account") for more in ({}, {"Contacts.Email": "b@acme.example"})
    )
    assert changed(one, other) == {"email"}


def test_what_a_rule_looks_at_counts_for_what_it_changes_and_of_other_records_what_is_followed():
    rules = """\
rules:
  - {when: Type == "New" and Account.City == "Ulm", set: {memo: one, lines.project: two}}
  - {when: Size > 1, add_line: {description: Fee, percent: 5, account: "1", taxCode: none}}
"""
    first = RECORD | {"Type": "New", "Size": Decimal(1), "Account.City": "Ulm"}
    for field, value, touches in (
        ("Type", "Old", {"memo", "lines"}),
        ("Size", Decimal(2), {"lines"}),
        ("Account.City", "Bonn", set()),
    ):
        assert changed(*(made(first | more, more=rules) for more in ({}, {field: value}))) == touches
    followed = rules + "follow: [Account.City]\n"
    assert changed(*(made(first | {"Account.City": city}, more=followed) for city in ("Ulm", "Bonn"))) == {
        "memo",
        "lines",
    }

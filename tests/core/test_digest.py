"""The digest: over every value that apply reads and all that a person is shown, however it is divided."""

from __future__ import annotations

from dataclasses import fields, replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.digest import Digest
from airflow_provider_kashoo.core.rules.intents import Keep
from airflow_provider_kashoo.core.rules.kept import KEPT_COLUMNS, columns_of
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.record import Record

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), max_size=6)
KEEP = Keep(record=Record("invoice", "Opportunity", "006000000000001AAA"), sources={"memo": {}}, held={"Paid__c": "h"})


def digest_of(*parts: pa.Table, shown: str = "") -> str:
    digest = Digest()
    for part in parts:
        digest.add("rows", part)
    return digest.of(shown)


def texts(*values: str | None) -> pa.Table:
    return pa.table({"a": pa.array(values, pa.string())})


# -- values


def test_a_digest_depends_on_every_value_and_their_order():
    columns = [
        (),
        ("a",),
        ("a", "b"),
        ("b", "a"),
        ("ab",),
        ("a", "b", ""),
        ("a", "b", None),
        ("", "ab"),
        ("", "a", "b"),
    ]
    assert len({digest_of(texts(*each)) for each in columns}) == len(columns)


@given(TEXTS, TEXTS)
def test_two_columns_have_one_digest_only_if_they_say_the_same(one, other):
    assert (digest_of(texts(*one)) == digest_of(texts(*other))) == (one == other)


@given(TEXTS, st.integers(0, 6), st.integers(0, 6))
def test_how_a_column_is_divided_leaves_the_digest_alone(values, first, second):
    whole, (first, second) = texts(*values), sorted((first, second))
    parts = whole.slice(0, first), whole.slice(first, second - first), whole.slice(second)
    coded = [pa.table({"a": part["a"].dictionary_encode()}) for part in parts]
    chunked = pa.concat_tables([parts[0], parts[1]])
    assert digest_of(whole) == digest_of(*parts) == digest_of(chunked, parts[2]) == digest_of(*coded)
    assert digest_of(whole) == digest_of(*(batch for part in parts for batch in part.to_batches()))


def test_a_digest_depends_on_the_column_and_on_the_table_of_a_value():
    one, two = ["x", "y"], ["y", "x"]
    assert digest_of(pa.table({"a": one, "b": two})) != digest_of(pa.table({"a": two, "b": one}))
    assert digest_of(pa.table({"a": one})) != digest_of(pa.table({"b": one}))
    elsewhere = Digest()
    elsewhere.add("kept", pa.table({"a": one}))
    assert elsewhere.of("") != digest_of(pa.table({"a": one}))


def test_numbers_and_truths_count_too():
    tables = [pa.table({"a": each}) for each in ([1, 2], [1, 3], [1, None], [True, False], [True, True])]
    assert len({digest_of(each) for each in tables}) == len(tables)


# -- unchanged records


CHANGED = {"part": 2, "generation": 2, "link_version": 1, "kashoo_id": 5, "ends_waiting": False}
CHANGED |= {"sources": None, "held": {}, "observed": {"memo": [{}, "h"]}}
NOT_READ = {"currency", "total"}
"""Fields that apply does not read of an unchanged record."""


READ = [each.name for of in (Keep, Record) for each in fields(of) if each.name not in {"record", *NOT_READ}]


@pytest.mark.parametrize("name", READ)
def test_it_covers_all_that_apply_reads_of_an_unchanged_record(name):
    value = {name: CHANGED.get(name, "other")}
    of_record = name in Record.__dataclass_fields__
    changed = replace(KEEP, record=replace(KEEP.record, **value)) if of_record else replace(KEEP, **value)
    assert digest_of(columns_of([changed])) != digest_of(columns_of([KEEP]))


def test_no_column_of_unchanged_records_is_without_a_field():
    assert sorted(KEPT_COLUMNS.names) == sorted(READ)


# -- what is shown

SHOWN = {
    "actions": {"invoice": {"create": 1}},
    "totals": {"CAD": 1},
    "to_pay": {"CAD": 1},
    "reasons": {"skip: not IsWon": 1},
    "rules": {"invoice_from_order: set memo": 1},
    "asks": {"an invoice is voided": 1},
    "asking": [["006000000000001AAA", 1, 1]],
    "requests": 1,
    "seconds": 0.5,
    "notes": ["first run"],
    "org_id": "00D000000000001EAA",
    "business_id": "9990000001",
    "searched_books": True,
}


@pytest.mark.parametrize("name", [field.name for field in fields(PlanSummary) if field.name != "digest"])
def test_it_covers_all_that_a_person_is_shown(name):
    shown = replace(PlanSummary(), **{name: SHOWN[name]}).shown
    assert digest_of(texts("x"), shown=shown) != digest_of(texts("x"), shown=PlanSummary().shown)


def test_it_does_not_cover_itself():
    assert replace(PlanSummary(), digest="other").shown == PlanSummary().shown

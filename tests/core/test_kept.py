from __future__ import annotations

import pytest
from intents import like

from airflow_provider_kashoo.core.rules import kept as module
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    Keep,
)
from airflow_provider_kashoo.core.rules.kept import Kept, columns_of, counts_of, intents_of
from airflow_provider_kashoo.core.values.record import Record

DEAL, OTHER = "006000000000001AAA", "006000000000002AAA"
LEAST = Keep(record=Record("invoice", "Opportunity", DEAL))
MOST = Keep(
    record=Record("customer", "Account", "001000000000001AAA", 2),
    reason="nothing that is “mapped” changed",
    sync="kashoo_to_salesforce",
    mapping="customers",
    sale=OTHER,
    generation=3,
    link_version=4,
    source_read="2026-03-02T12:00:00+00:00",
    kashoo_id=501,
    sources={"memo": {"Name": "h", "Größe": "x"}, "lines": None},
    held={"Paid__c": "h"},
    observed={"memo": [{"Name": "h"}, "b"]},
    settlement="Paid",
    ends_waiting=False,
)
OWN_SALE = like(LEAST, sale=DEAL, sources={}, observed={})


def test_an_intent_is_the_same_after_it_was_a_row():
    plan = [LEAST, MOST, OWN_SALE, MOST]
    columns = columns_of(plan)
    assert intents_of(columns, range(4)) == plan
    assert intents_of(columns, [3, 0]) == [MOST, LEAST]
    assert intents_of(columns, []) == intents_of(columns_of([]), []) == []


def test_an_amount_is_not_kept():
    assert intents_of(columns_of([like(MOST, currency="CAD", total=10**30)]), [0]) == [MOST]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_records_come_in_order_however_they_were_added(monkeypatch, size):
    monkeypatch.setattr(module, "PART", size)
    records = [like(LEAST, id=ident, part=part) for ident in (OTHER, DEAL) for part in (2, 1)] + [MOST]
    one, other = Kept(), Kept()
    for each in records:
        one.add(each)
    other.add_columns(columns_of(records[3:]))
    for each in reversed(records[:3]):
        other.add(each)
    assert one.table().to_pylist() == other.table().to_pylist()
    assert intents_of(one.table(), range(5)) == [MOST, *(records[row] for row in (3, 2, 1, 0))]


def test_they_are_counted_by_kind_and_reason():
    plan = [LEAST, MOST, like(LEAST, id=OTHER), like(LEAST, reason="kept")]
    assert counts_of(columns_of(plan)) == {
        ("invoice", Action.UNCHANGED, ""): 2,
        ("invoice", Action.UNCHANGED, "kept"): 1,
        ("customer", Action.UNCHANGED, MOST.reason): 1,
    }
    assert counts_of(columns_of([])) == {}

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_provider_kashoo.core.rules import skipped as module
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.skipped import Skipped

IDS = [f"006{number:012}AAA" for number in range(4)]


def in_chunks(ids):
    return pa.chunked_array([ids[:1], ids[1:]])


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    "many",
    [
        list,
        tuple,
        pa.array,
        lambda ids: pa.chunked_array([ids[:1], ids[1:]]),
        lambda ids: pa.array(ids, pa.large_string()),
    ],
)
def test_one_record_and_many_are_noted_alike(monkeypatch, size, many):
    monkeypatch.setattr(module, "PART", size)
    single, together = Skipped(), Skipped()
    for each in IDS:
        single.note("invoice", Action.SKIP, "not IsWon", each, "deals")
    together.note("invoice", Action.SKIP, "not IsWon", many(IDS), "deals")
    assert single.of == together.of == {("invoice", Action.SKIP, "not IsWon"): 4}
    assert single.table().to_pylist() == together.table().to_pylist()
    assert together.table().schema == module.SKIPPED_COLUMNS
    assert together.table().to_pylist()[3] == {
        "kind": "invoice", "id": IDS[3], "mapping": "deals", "action": "skip", "reason": "not IsWon",
    }  # fmt: skip


def test_none_is_none():
    skipped = Skipped()
    skipped.note("invoice", Action.SKIP, "not IsWon", [])
    assert (skipped.of, skipped.table().num_rows) == ({}, 0)


def test_each_reason_is_counted_by_itself():
    skipped = Skipped()
    skipped.note("invoice", Action.SKIP, "not IsWon", IDS[:3])
    skipped.note("invoice", Action.SKIP, "deleted", IDS[3])
    skipped.note("item", Action.SKIP, "deleted", IDS[:2])
    skipped.note("invoice", Action.SKIP, "not IsWon", IDS[3])
    assert [*skipped.of.values()] == [4, 1, 2]
    assert skipped.table()["kind"].to_pylist().count("item") == 2

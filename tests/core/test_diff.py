from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.diff import Merge, as_linked, base_hashes, changed_fields, merge, written_base
from airflow_provider_kashoo.core.values.ids import KeyedHash

HASHES = KeyedHash(b"a test's own key")


def three_way(sent, read, ours, theirs) -> Merge:
    """Merge one field; None leaves it out."""
    documents = [{} if value is None else {"memo": value} for value in (sent, read, ours, theirs)]
    return merge(documents[2], documents[3], base_hashes(documents[0], documents[1], HASHES), HASHES)


NOTHING, KEPT, CONFLICT = Merge(), Merge(kept=["memo"]), Merge(conflicts=["memo"])


def write(value) -> Merge:
    return Merge(write={"memo": value})


@pytest.mark.parametrize(
    ("sent", "read", "ours", "theirs", "outcome"),
    [
        pytest.param("a", "a", "a", "a", NOTHING, id="nobody changed it"),
        pytest.param("a", "a", "b", "a", write("b"), id="we changed it"),
        pytest.param("a", "a", "a", "c", KEPT, id="they changed it"),
        pytest.param("a", "a", "b", "c", CONFLICT, id="both changed it"),
        pytest.param("a", "a", "b", "b", NOTHING, id="both changed it to the same"),
        pytest.param(" a ", "a", " a ", "a", NOTHING, id="trimmed, nobody changed it"),
        pytest.param(" a ", "a", "b", "a", write("b"), id="trimmed, we changed it"),
        pytest.param(" a ", "a", " a ", "c", KEPT, id="trimmed, they changed it"),
        pytest.param(" a ", "a", "b", "c", CONFLICT, id="trimmed, both changed it"),
        pytest.param("a", None, "a", None, NOTHING, id="not stored, nobody changed it"),
        pytest.param("a", None, "b", None, write("b"), id="not stored, we changed it"),
        pytest.param("a", None, "a", "c", KEPT, id="not stored, they filled it"),
        pytest.param("a", "a", None, "a", write(None), id="we emptied it"),
        pytest.param("a", "a", "a", None, KEPT, id="they emptied it"),
        pytest.param("a", "a", None, None, NOTHING, id="both emptied it"),
        pytest.param("a", "a", None, "c", CONFLICT, id="we emptied it, they changed it"),
        pytest.param("a", "a", "b", None, CONFLICT, id="we changed it, they emptied it"),
        pytest.param(None, None, "b", None, write("b"), id="new to the mapping"),
        pytest.param(None, None, "b", "b", NOTHING, id="new to the mapping, there already"),
        pytest.param(None, None, "b", "c", CONFLICT, id="new to the mapping, theirs differs"),
        pytest.param(None, None, None, "c", NOTHING, id="theirs alone"),
    ],
)
def test_the_three_way_table(sent, read, ours, theirs, outcome):
    assert three_way(sent, read, ours, theirs) == outcome


@pytest.mark.parametrize("empty", [{}, {"memo": None}])
def test_absent_and_empty_are_the_same_on_every_side(empty):
    base = base_hashes({"memo": "a"}, empty, HASHES)
    assert merge({"memo": "a"}, empty, base, HASHES) == Merge()
    assert merge({"memo": "b"}, empty, base, HASHES) == Merge(write={"memo": "b"})
    assert merge({"memo": "b"}, empty, {}, HASHES) == Merge(write={"memo": "b"})
    assert changed_fields(empty, {}, HASHES) == []
    assert changed_fields(empty, base_hashes({"memo": None}, {}, HASHES), HASHES) == []


def test_fields_are_merged_one_by_one():
    sent = {"memo": "a", "date": "2026-03-01", "lines": [1], "currency": "CAD"}
    ours = sent | {"memo": "b", "lines": [2], "poNumber": "9"}
    theirs = sent | {"date": "2026-03-02", "lines": [3], "theirOwn": "x"}
    merged = merge(ours, theirs, base_hashes(sent, sent, HASHES), HASHES)
    assert merged == Merge(write={"memo": "b", "poNumber": "9"}, kept=["date"], conflicts=["lines"])


def test_a_source_changed_when_it_differs_from_what_was_sent():
    base = base_hashes({"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}, HASHES)
    assert changed_fields({"a": 1, "b": 2, "d": 1}, base, HASHES) == ["b", "c", "d"]
    assert changed_fields({"a": 1, "b": 1, "c": 1}, base, HASHES) == []


def test_the_base_holds_hashes_of_both_sides_and_no_value():
    base = base_hashes({"memo": " 100.00 ", "date": "x"}, {"memo": "100.00", "date": "x"}, HASHES, ["memo"])
    assert base == {"memo": (HASHES.of(" 100.00 "), HASHES.of("100.00"))}
    assert base != base_hashes({"memo": " 100.00 "}, {"memo": "100.00"}, KeyedHash(b"another"))


VALUES = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 2))


@given(VALUES, VALUES, VALUES, VALUES)
def test_no_field_is_lost_and_after_the_merge_there_is_nothing_left_to_write(sent, read, ours, theirs):
    merged = merge(ours, theirs, base_hashes(sent, read, HASHES), HASHES)
    places = [*merged.write, *merged.kept, *merged.conflicts]
    assert len(places) == len(set(places))
    assert all(ours.get(name) != theirs.get(name) for name in places)
    written = theirs | merged.write
    again = merge(ours, written, base_hashes(ours, written, HASHES), HASHES)
    assert again.write == {}
    assert again.conflicts == []


def base_of(**fields: tuple[str | None, str | None]) -> dict[str, tuple[str, str]]:
    """Make a base; of each field what was sent, and what was read back."""
    return {name: (HASHES.of(sent), HASHES.of(read)) for name, (sent, read) in fields.items()}


def test_a_link_stays_symbolic_as_long_as_the_deal_did_not_change_it():
    base = base_of(lines=("item of A", "x"), contact=("customer of A", "x"))
    ours = {"lines": "item of A", "contact": "customer of B", "memo": "item of A"}
    resolved = {"lines": "501", "contact": "502", "memo": "503"}
    expected = {"lines": "item of A", "contact": "502", "memo": "503"}
    assert as_linked(ours, resolved, base, HASHES) == expected


def test_after_an_update_the_base_has_what_was_written_and_what_both_sides_agree_on():
    written, ours = {"memo": "new"}, {"memo": "old", "date": "same", "poNumber": "ours", "dueDate": None}
    read = {"memo": "new, trimmed", "date": "same", "poNumber": "theirs", "number": "41"}
    assert written_base(written, ours, read, HASHES) == base_of(
        memo=("new", "new, trimmed"), date=("same", "same"), dueDate=(None, None)
    )

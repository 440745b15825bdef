from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.values.dates import business_date, floor_second, parse_instant, soql_instant
from airflow_provider_kashoo.core.values.id_columns import are_record_ids
from airflow_provider_kashoo.core.values.ids import (
    KeyedHash,
    Reference,
    canonical,
    is_record_id,
    operation_key,
    to_18,
)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001
IDS_15, IDS_18 = st.text(LETTERS, min_size=15, max_size=15), st.text(LETTERS, min_size=18, max_size=18)
REFERENCES = st.builds(Reference, IDS_15.map(to_18), st.integers(1, 99), st.integers(1, 99))
JSON = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=5)
DEAL = "006000000000001AAA"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T02:00:00.000+0000",  # REST
        "2026-11-23T02:00:00.000Z",  # Bulk
        "2026-11-23T02:00:00",
        "2026-11-22T21:00:00-05:00",
    ],
)
def test_an_instant_is_utc_however_it_is_written(text):
    instant = parse_instant(text)
    assert instant == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert instant.utcoffset() == timedelta(0)


def test_an_instant_without_a_zone_is_utc_and_not_the_machines_time(monkeypatch):
    with monkeypatch.context() as machine:
        machine.setenv("TZ", "America/Vancouver")
        time.tzset()
        instant = parse_instant("2026-11-23T02:00:00")
    time.tzset()
    assert instant == datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T00:00:00Z"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ValueError, match=r"isoformat|month"):
        parse_instant(text)


@settings(deadline=None)  # time zones are read from disk
@given(INSTANTS)
def test_an_instant_survives_soql_down_to_the_second(instant):
    assert parse_instant(soql_instant(instant)) == floor_second(instant)
    assert timedelta(0) <= instant.astimezone(UTC) - floor_second(instant) < timedelta(seconds=1)


def test_soql_instants_are_utc_without_a_fraction():
    local = datetime(2026, 11, 22, 21, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=-5)))
    assert soql_instant(local) == "2026-11-23T02:00:00Z"


@pytest.mark.parametrize(
    ("hour", "zone", "day"), [(4, "America/Vancouver", 30), (4, "UTC", 31), (20, "Pacific/Auckland", 1)]
)
def test_an_instant_falls_on_the_day_of_the_place_where_the_books_are_kept(hour, zone, day):
    assert business_date(datetime(2026, 12, 31, hour, tzinfo=UTC), zone).day == day


@pytest.mark.parametrize(
    ("short", "suffix"),
    [("0015000000Gv7qJ", "AAR"), ("001000000000001", "AAA"), ("ABCDEabcdeAbCdE", "5AV"), ("aB0cD00000Z0000", "SAB")],
)
def test_the_suffix_of_an_id_encodes_its_capitals(short, suffix):
    assert to_18(short) == short + suffix


@given(IDS_15)
def test_an_id_keeps_its_15_characters_and_is_normalised_once(short):
    assert to_18(short)[:15] == short
    assert to_18(to_18(short)) == to_18(short)


@given(IDS_15)
def test_ids_that_differ_in_case_alone_differ_when_case_is_lost(short):
    other = short.swapcase()
    assert (to_18(short).upper() == to_18(other).upper()) is (short == other)


@pytest.mark.parametrize(
    "bad", ["", "00150000", "0015000000Gv7q-", "0015000000Gv7qJA", "' OR Name LIKE '%", "001500000ÄGv7qJ", "0" * 19]
)
def test_what_is_no_id_is_refused(bad):
    with pytest.raises(ValueError, match="15 or 18"):
        to_18(bad)


@given(st.lists(REFERENCES, max_size=4), st.text("ab :\n", max_size=8))
def test_references_are_found_in_any_text_in_the_order_they_stand(references, between):
    assert Reference.find(between.join(["", *map(str, references), ""])) == references


@given(REFERENCES, st.text(max_size=30))
def test_a_reference_is_added_once_and_keeps_what_a_person_wrote(reference, text):
    marked = reference.add_to(text)
    assert marked.startswith(text)
    assert Reference.find(marked)[-1:] == [reference]
    assert reference.add_to(marked) == marked


def test_a_reference_is_not_taken_for_a_later_part_or_generation():
    assert Reference(DEAL, 1, 1).add_to(str(Reference(DEAL, 1, 11))).count("[sf:") == 2
    assert Reference.find(f"[sf:{DEAL}:2:1]") == [Reference(DEAL, 2, 1)]


@pytest.mark.parametrize("text", [None, "", "thanks!", "[sf:006:1:1]", f"[sf:{DEAL}:x:1]", f"sf:{DEAL}:1:1"])
def test_what_is_no_reference_is_not_found(text):
    assert Reference.find(text) == []


def test_an_empty_field_holds_the_reference_alone():
    assert Reference(DEAL).add_to(None) == Reference(DEAL).add_to("") == f"[sf:{DEAL}:1:1]"


def test_every_part_of_the_intent_makes_another_key():
    intent = ["salesforce_to_kashoo", "Opportunity", DEAL, 1, "create", 1]
    keys = {operation_key(*intent)}
    for place, other in enumerate(["other", "Order", "006000000000002AAA", 2, "update", 2]):
        keys.add(operation_key(*[*intent[:place], other, *intent[place + 1 :]]))
    assert len(keys) == 7


@given(JSON)
def test_the_order_of_keys_changes_no_hash(document):
    turned = dict(reversed(document.items()))
    assert canonical(turned) == canonical(document)
    assert KeyedHash(b"k").of(turned) == KeyedHash(b"k").of(document)


def test_dates_and_decimals_are_hashed_as_their_text():
    assert canonical({"b": Decimal("1.50"), "a": date(2026, 1, 2)}) == '{"a":"2026-01-02","b":"1.50"}'


def test_hashes_of_values_need_the_key_of_the_store():
    ours, theirs = KeyedHash(b"ours"), KeyedHash(b"theirs")
    assert ours.of(10000) == KeyedHash(b"ours").of(10000)
    assert ours.of(10000) != theirs.of(10000)
    assert ours.fields({"a": 1, "b": "1"}) == {"a": ours.of(1), "b": ours.of("1")}
    assert len({ours.of(value) for value in (1, "1", None, "", "None", [1])}) == 6
    assert len(bytes.fromhex(ours.of("x"))) == 16


NEARLY_IDS = st.sampled_from([None, "", DEAL, DEAL[:15], DEAL.lower(), "é" * 9, f"{DEAL[:14]}-{DEAL[15:]}", f"{DEAL}A"])


@given(st.lists(NEARLY_IDS | IDS_15 | IDS_18 | IDS_15.map(to_18) | st.text(max_size=19)), st.integers(0, 3))
def test_ids_by_the_column_are_judged_as_one_by_one(values, begin):
    column = pa.array(values, pa.string())[begin:]
    expected = [is_record_id(value) for value in values[begin:]]
    assert are_record_ids(column).to_pylist() == expected
    assert are_record_ids(pa.chunked_array([column, column])).to_pylist() == expected * 2


def test_numbers_are_no_ids():
    assert are_record_ids(pa.array([1, None])).to_pylist() == [False, False]

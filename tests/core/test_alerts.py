"""People are told once when something turns bad and once when it is well again, whatever happens in between."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.alerts import OF_RECORDS, WORSE, Name, News, Told, Trouble, news, told_after

KEYS = [(Name.PARKED, "no_account"), (Name.PARKED, "closed_period"), (Name.LATE, "kashoo_to_salesforce")]
WHAT_IS = st.dictionaries(st.sampled_from(KEYS), st.integers(1, 2_000))
"""What is wrong at one look: key -> how many records have it."""

LOOKS = st.lists(WHAT_IS, max_size=20)


def troubles(found: dict) -> list[Trouble]:
    return [Trouble(name, which, count) for (name, which), count in found.items()]


def look(found: dict, told: list[Told]) -> tuple[News, list[Told]]:
    said = news(troubles(found), told)
    return said, told_after(told, said)


@given(LOOKS)
def test_what_people_know_is_what_is_wrong(looks: list[dict]) -> None:
    told: list[Told] = []
    for found in looks:
        said, told = look(found, told)
        assert {each.key for each in told} == set(found)
        assert len([*said.bad, *said.worse, *said.known]) == len(found)


@given(LOOKS)
def test_bad_and_well_take_turns(looks: list[dict]) -> None:
    told: list[Told] = []
    history: dict = {key: [] for key in KEYS}
    for found in [*looks, {}]:
        said, told = look(found, told)
        for each in said.bad:
            history[each.key].append("bad")
        for over in said.well:
            history[over.key].append("well")
    for each in history.values():
        assert each == ["bad", "well"] * (len(each) // 2)


@given(LOOKS, WHAT_IS)
def test_the_same_again_is_no_news(looks: list[dict], last: dict) -> None:
    told: list[Told] = []
    for found in [*looks, last]:
        _, told = look(found, told)
    again, after = look(last, told)
    assert not again.is_new
    assert after == told


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=30).map(sorted))
def test_what_grows_is_said_again_at_ten_times_only(counts: list[int]) -> None:
    told: list[Told] = []
    said = []
    for count in counts:
        found, told = look({KEYS[0]: count}, told)
        said += [each.count for each in (*found.bad, *found.worse)]
    assert said[0] == counts[0]
    assert all(later >= WORSE * before for before, later in pairwise(said))
    assert counts[-1] < WORSE * said[-1]


@given(WHAT_IS)
def test_whoever_was_told_nothing_hears_all_that_is_wrong(now: dict) -> None:
    said, _ = look(now, [])
    assert {each.key for each in said.bad} == set(now)
    assert said.well == []


@given(WHAT_IS, WHAT_IS)
def test_while_a_write_is_under_way_nothing_is_said_of_records(before: dict, now: dict) -> None:
    _, told = look(before, [])
    said = news(troubles(now), told, OF_RECORDS)
    assert not {each.name for each in (*said.bad, *said.well, *said.known)} & OF_RECORDS
    kept = {each.key for each in told_after(told, said)}
    assert {key for key in before if key[0] in OF_RECORDS} == {key for key in kept if key[0] in OF_RECORDS}


def test_after_it_fell_it_counts_from_its_lowest() -> None:
    _, told = look({KEYS[0]: 500}, [])
    _, told = look({KEYS[0]: 3}, told)
    said, told = look({KEYS[0]: 29}, told)
    assert not said.is_new
    said, _ = look({KEYS[0]: 30}, told)
    assert [each.count for each in said.worse] == [30]

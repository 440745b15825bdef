from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.window import RunFacts, Window, delta_window, moves_to

OVERLAP, MARGIN, AGE = timedelta(minutes=10), timedelta(minutes=5), timedelta(days=1)
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def choose(watermark=None, now=NOW, covered=None, **facts):
    return delta_window(
        RunFacts("run", **facts),
        watermark=watermark,
        now=now,
        overlap=OVERLAP,
        margin=MARGIN,
        covered=covered,
        covered_age=AGE,
    )


def span(window: Window) -> tuple[datetime, datetime, bool]:
    return window.lower, window.upper, window.moves


SCHEDULED = {"run_type": "scheduled", "interval_start": at(22), "interval_end": at(23)}
BACKFILL = {"run_type": "backfill", "interval_start": at(10), "interval_end": at(11)}


@pytest.mark.parametrize(
    ("facts", "watermark", "expected"),
    [
        pytest.param(SCHEDULED, at(22), (at(21, 23, 50), at(23), True), id="scheduled"),
        pytest.param(SCHEDULED, at(20), (at(19, 23, 50), at(23), True), id="scheduled after an outage"),
        pytest.param(SCHEDULED, at(23), (at(21, 23, 50), at(23), True), id="scheduled behind a manual run"),
        pytest.param(SCHEDULED | {"first": at(1)}, None, (at(1), at(23), True), id="scheduled for the first time"),
        pytest.param(
            SCHEDULED | {"interval_end": at(24)}, at(22), (at(21, 23, 50), at(23, 2, 25), True), id="never near now"
        ),
        pytest.param({"run_type": "manual"}, at(22), (at(21, 23, 50), at(23, 2, 25), True), id="manual"),
        pytest.param(
            {"run_type": "manual", "interval_start": at(1), "interval_end": at(2)},
            at(22),
            (at(21, 23, 50), at(23, 2, 25), True),
            id="a manual run's interval says nothing",
        ),
        pytest.param({"run_type": "asset_triggered"}, at(22), (at(21, 23, 50), at(23, 2, 25), True), id="event"),
        pytest.param({"run_type": "manual", "first": at(1)}, None, (at(1), at(23, 2, 25), True), id="first manual"),
        pytest.param(BACKFILL, at(22), (at(10), at(11), False), id="backfill"),
        pytest.param(BACKFILL, None, (at(10), at(11), False), id="backfill before any run"),
        pytest.param(
            BACKFILL | {"interval_end": at(24)}, at(22), (at(10), at(23, 2, 25), False), id="backfill of today"
        ),
        pytest.param({"since": at(5), "until": at(6)}, at(22), (at(5), at(6), False), id="since and until"),
        pytest.param({"since": at(5)}, at(22), (at(5), at(23, 2, 25), False), id="since"),
        pytest.param({"until": at(22, 12)}, at(22), (at(21, 23, 50), at(22, 12), False), id="until"),
        pytest.param({"until": at(30)}, at(22), (at(21, 23, 50), NOW, False), id="until in the future"),
        pytest.param({"limit": 5}, at(22), (at(21, 23, 50), at(23, 2, 25), False), id="limit"),
        pytest.param({"limit": 0}, at(22), (at(21, 23, 50), at(23, 2, 25), False), id="limit of none"),
        pytest.param(SCHEDULED | {"limit": 5}, at(22), (at(21, 23, 50), at(23, 2, 25), False), id="scheduled, limit"),
        pytest.param(BACKFILL | {"since": at(5)}, at(22), (at(5), at(23, 2, 25), False), id="backfill, since"),
    ],
)
def test_the_window_follows_the_table(facts, watermark, expected):
    assert span(choose(watermark, **facts)) == expected


@pytest.mark.parametrize("facts", [SCHEDULED, {"run_type": "manual"}, {"limit": 5}, {"until": at(22)}])
def test_without_a_watermark_and_a_beginning_nothing_is_guessed(facts):
    with pytest.raises(ConfigurationError, match="start_date"):
        choose(None, **facts)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_a_run_that_needs_an_interval_and_has_none_says_so(run_type):
    with pytest.raises(ConfigurationError, match="CronDataIntervalTimetable"):
        choose(at(22), run_type=run_type)


@pytest.mark.parametrize("until", [at(5), at(4)])
def test_since_must_be_before_until(until):
    with pytest.raises(ConfigurationError, match="since is not before until"):
        choose(at(22), since=at(5), until=until)


@pytest.mark.parametrize("since", [NOW, NOW + timedelta(days=400)])
def test_a_since_in_the_future_is_refused_whatever_until_is(since):
    for facts in ({}, {"until": since + timedelta(days=1)}, {"limit": 5}):
        with pytest.raises(ConfigurationError, match=r"since is in the future: 202.*clock says 2026-11"):
            choose(at(22), since=since, **facts)


def test_a_since_within_the_margin_is_an_empty_window():
    assert choose(at(22), since=NOW - MARGIN).empty
    assert not choose(at(22), since=NOW - MARGIN - timedelta(seconds=1)).empty


EVERY_RUN = [
    pytest.param(SCHEDULED | {"interval_end": at(24)}, id="scheduled"),
    pytest.param({"run_type": "manual"}, id="manual"),
    pytest.param({"run_type": "asset_triggered"}, id="event"),
    pytest.param(BACKFILL | {"interval_end": at(24)}, id="backfill"),
    pytest.param({"since": at(5)}, id="since"),
    pytest.param({"until": at(23, 2, 30)}, id="until"),
    pytest.param({"limit": 5}, id="limit"),
]


@pytest.mark.parametrize("facts", EVERY_RUN)
@pytest.mark.parametrize(
    ("covered", "upper"),
    [
        pytest.param(at(22, 20), at(22, 20), id="the start of the oldest open transaction"),
        pytest.param(NOW - AGE, NOW - AGE, id="just young enough"),
        pytest.param(NOW - AGE - timedelta(seconds=1), NOW - AGE, id="too old"),
        pytest.param(at(1), NOW - AGE, id="hung for weeks"),
    ],
)
def test_every_window_ends_at_the_oldest_open_transaction_within_the_limit_of_age(facts, covered, upper):
    free, capped = choose(at(21), **facts), choose(at(21), covered=covered, **facts)
    assert span(capped) == (free.lower, upper, free.moves)
    hung = f", past a transaction in Salesforce that has been open since {covered.isoformat()}"
    end = hung if covered < upper else "; Salesforce has confirmed nothing newer yet"
    assert capped.note == f"{free.note}; read up to {upper.isoformat()}{end}"


@pytest.mark.parametrize("facts", EVERY_RUN)
@pytest.mark.parametrize("covered", [NOW, NOW + timedelta(hours=1)])
def test_a_transaction_that_began_after_the_window_changes_nothing(facts, covered):
    assert choose(at(21), covered=covered, **facts) == choose(at(21), **facts)


def test_a_run_during_a_long_transaction_reads_nothing_and_moves_nothing():
    window = choose(at(23), covered=at(22, 23, 50), run_type="manual")
    assert window.empty
    assert not choose(at(23), covered=at(22, 23, 51), run_type="manual").empty


def test_a_fraction_of_a_second_before_the_open_transaction_is_not_read():
    """It stamps whole seconds, which lie before its start."""
    covered = at(22, 20) + timedelta(milliseconds=700)
    assert choose(at(21), covered=covered).upper == at(22, 20)


@pytest.mark.parametrize(
    ("known", "lower", "upper", "moves"),
    [
        pytest.param(None, at(5), at(6), True, id="never read"),
        pytest.param(at(5), at(5), at(6), True, id="from the watermark on"),
        pytest.param(at(5), at(4), at(6), True, id="from before it"),
        pytest.param(at(5), at(5, 0, 1), at(6), False, id="behind a gap"),
        pytest.param(at(6), at(5), at(6), False, id="no further"),
        pytest.param(at(7), at(5), at(6), False, id="back"),
    ],
)
def test_a_watermark_moves_forward_and_over_no_gap(known, lower, upper, moves):
    assert moves_to(upper, lower=lower, known=known) is moves


def test_a_window_that_ends_where_it_begins_or_before_is_empty():
    assert choose(at(23), until=at(22, 23, 50)).empty
    assert choose(at(23), until=at(22)).empty
    assert not choose(at(23), until=at(22, 23, 51)).empty


def test_an_interval_of_width_zero_still_reads_the_overlap():
    window = choose(at(23), run_type="scheduled", interval_start=at(23), interval_end=at(23))
    assert span(window) == (at(22, 23, 50), at(23), True)


def test_the_note_says_how_the_window_came_about():
    assert choose(None, first=at(1)).note == "no watermark yet: from the start"
    assert choose(at(22)).note == "since the watermark"
    assert choose(at(22), since=at(5)).note == "limited by hand: the watermark does not move"


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
RUNS = st.builds(
    RunFacts,
    st.just("run"),
    st.sampled_from(["scheduled", "manual", "asset_triggered", "backfill"]),
    INSTANTS,
    INSTANTS,
    since=st.none() | INSTANTS,
    limit=st.none() | st.integers(1, 9),
)


@given(RUNS, INSTANTS, INSTANTS, st.none() | INSTANTS)
def test_a_window_that_moves_the_watermark_leaves_no_gap_before_it(run, watermark, now, covered):
    assume(run.since is None or run.since < now)
    limits = {"overlap": OVERLAP, "margin": MARGIN, "covered_age": AGE}
    window = delta_window(run, watermark=watermark, now=now, covered=covered, **limits)
    assert window.upper <= now - MARGIN
    assert covered is None or window.upper <= max(covered, now - AGE)
    assert window.lower.microsecond == window.upper.microsecond == 0
    assert window.moves is (run.run_type != "backfill" and run.since is None and run.limit is None)
    if window.moves:
        assert window.lower <= watermark - OVERLAP


@given(INSTANTS, st.lists(st.tuples(st.booleans(), st.timedeltas(timedelta(0), timedelta(days=3))), max_size=8))
def test_runs_one_after_the_other_read_every_second(first, steps):
    """Whatever mix of manual and scheduled runs, with outages between them."""
    watermark, now, read_to = None, first, first
    for scheduled, pause in steps:
        now += pause
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        facts = {"run_type": "scheduled", "interval_start": midnight - timedelta(days=1), "interval_end": midnight}
        window = choose(watermark, now, first=first, **(facts if scheduled else {"run_type": "manual"}))
        assert window.lower <= read_to
        if not window.empty:
            watermark = read_to = max(read_to, window.upper)

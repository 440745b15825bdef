"""No day is shifted where a clock is put forward or back: 40 zones, every change in 24 years, and what is around it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from airflow_provider_kashoo.core.mapping.values.computed import days_of
from airflow_provider_kashoo.core.values.dates import business_date, first_of_week, midnight

ZONES = (
    "Africa/Cairo Africa/Casablanca Africa/Johannesburg America/Asuncion America/Bogota America/Caracas "
    "America/Chicago America/Denver America/Edmonton America/Halifax America/Havana America/Los_Angeles "
    "America/Mexico_City America/New_York America/Nuuk America/Phoenix America/Regina America/Santiago "
    "America/Sao_Paulo America/St_Johns America/Toronto America/Vancouver America/Winnipeg Asia/Amman Asia/Beirut "
    "Asia/Gaza Asia/Kathmandu Asia/Kolkata Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Lord_Howe "
    "Australia/Sydney Europe/Berlin Europe/Dublin Europe/London Pacific/Apia Pacific/Auckland Pacific/Chatham "
    "Pacific/Kiritimati"
).split()
"""Among them: changes at midnight (Cairo, Beirut, Santiago), of half an hour (Lord Howe), a day that never was (Apia),
winter time that is the exception (Dublin), and Casablanca, which changes for Ramadan."""

FIRST, LAST = datetime(2007, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
SECONDS = (-90_000, -86_400, -7200, -3600, -1, 0, 1, 1799, 3599, 3600, 7200, 86_399)
AROUND = [timedelta(seconds=each) for each in SECONDS]


def changes(zone: str) -> list[datetime]:
    """Find every moment at which a clock was changed, to the second."""
    there, found, step = ZoneInfo(zone), list[datetime](), timedelta(days=7)
    at = FIRST
    while at < LAST:
        if at.astimezone(there).utcoffset() != (at + step).astimezone(there).utcoffset():
            low, high = at, at + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(there).utcoffset() == low.astimezone(there).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(microsecond=0))
        at += step
    return found


def on_the_wall(instant: datetime, zone: str) -> date:
    """Say which day a calendar there shows: UTC and the difference to it, by hand."""
    difference = instant.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return (instant.replace(tzinfo=None) + difference).date()


@pytest.mark.parametrize("zone", ZONES)
def test_no_day_is_shifted_where_the_clock_changes(zone: str) -> None:
    edges = changes(zone) or [FIRST]
    instants = [edge + more for edge in edges for more in AROUND]
    midnights = [midnight(on_the_wall(edge, zone), zone).astimezone(UTC) for edge in edges]
    instants += [each + timedelta(seconds=more) for each in midnights for more in (-1, 0, 1)]
    expected = [on_the_wall(each, zone) for each in instants]
    assert [business_date(each, zone) for each in instants] == expected
    assert days_of(pa.array(instants, pa.timestamp("us", "UTC")), zone).to_pylist() == expected


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_begins_once_and_no_instant_before_it_is_of_it(zone: str) -> None:
    for edge in changes(zone):
        for day in (on_the_wall(edge, zone) + timedelta(days=more) for more in (-1, 0, 1)):
            begins = midnight(day, zone).astimezone(UTC)
            assert business_date(begins - timedelta(seconds=1), zone) < day, (zone, day)
            assert business_date(begins, zone) >= day, (zone, day)
            assert not first_of_week(begins, begins + timedelta(seconds=1), zone)


def test_there_are_forty_zones_and_most_of_them_change_their_clocks() -> None:
    assert len(set(ZONES)) == 40
    found = {zone: len(changes(zone)) for zone in ZONES}
    assert sum(found.values()) > 1000
    assert sum(count == 0 for count in found.values()) < 10

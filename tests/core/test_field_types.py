"""What each type of field takes: exactly, or not at all, and every refusal names the field and the value."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.write_back import as_told
from airflow_provider_kashoo.core.mapping.values.field_types import (
    DATES,
    DOES_NOT_FIT,
    IDS,
    NUMBERS,
    PICKLISTS,
    TEXTS,
    FieldInfo,
    as_json,
    fitted,
)

TYPES = sorted(NUMBERS | TEXTS | PICKLISTS | DATES | IDS | {"boolean", "address", "time", "base64", "anyType"})


def field(kind: str, **more: Any) -> FieldInfo:
    scale, length, precision = more.pop("scale", 0), more.pop("length", 0), more.pop("precision", 0)
    return FieldInfo("Field__c", kind, scale, length, False, True, (), None, precision=precision, **more)


MONEY = field("currency", scale=2, precision=18)
COUNT = field("int", precision=4)
MEMO = field("string", length=5)
STATUS = field("picklist", length=255, values=("Open", "Paid"), restricted=True)
LOOSE = field("picklist", length=255, values=("Open", "Paid"))
MANY = field("multipicklist", length=4099, values=("Red", "Green", "Blue"), restricted=True)
DAY, MOMENT, CHECK = field("date"), field("datetime"), field("boolean", required=True)


@pytest.mark.parametrize(
    ("into", "value", "sent"),
    [
        (MONEY, "250", Decimal(250)),
        (MONEY, "250.50", Decimal("250.5")),
        (MONEY, "-0.01", Decimal("-0.01")),
        (MONEY, "0.00", Decimal(0)),
        (COUNT, "5.0", Decimal(5)),
        (COUNT, "9000", Decimal(9000)),
        (CHECK, "true", True),
        (CHECK, "True", True),
        (CHECK, "false", False),
        (MEMO, "12345", "12345"),
        (field("textarea"), "x" * 9000, "x" * 9000),
        (STATUS, "Paid", "Paid"),
        (LOOSE, "Anything", "Anything"),
        (MANY, "Blue;Red", "Red;Blue"),
        (MANY, " Green ; Green ;", "Green"),
        (MANY, ";", None),
        (DAY, "2026-03-01", "2026-03-01"),
        (MOMENT, "2026-03-01", "2026-03-01T00:00:00.000+0000"),
        (MOMENT, "2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00.000+0000"),
        (field("reference"), "006000000000001", "006000000000001AAA"),
        (MONEY, None, None),
        (MEMO, None, None),
    ],
)
def test_a_value_gets_the_type_of_its_field(into: FieldInfo, value: str | None, sent: Any) -> None:
    found = fitted(into, value, "UTC")
    assert not isinstance(found, Problem)
    assert as_json(into, found) == sent
    assert type(as_json(into, found)) is type(sent)
    assert fitted(into, found, "UTC") == found
    assert as_told(as_json(into, found)) == found


@pytest.mark.parametrize(
    ("into", "value", "says"),
    [
        (MONEY, "10.125", "takes a number with at most 2 decimals, not '10.125'"),
        (MONEY, "1001-A", "takes a number, not '1001-A'"),
        (MONEY, "1_000", "takes a number, not '1_000'"),
        (MONEY, "NaN", "takes a number, not 'NaN'"),
        (MONEY, "1234567890123456.78", "takes a number of at most 15 digits, not '1234567890123456.78'"),
        (field("double"), "9" * 40, f"takes a number of at most 15 digits, not '{'9' * 40}'"),
        (COUNT, "5.5", "takes a number with at most 0 decimals, not '5.5'"),
        (COUNT, "12000", "takes a number with at most 4 digits before the decimal point, not '12000'"),
        (CHECK, "yes", "takes true or false, not 'yes'"),
        (CHECK, None, "takes a value, not nothing"),
        (MEMO, "123456", "takes at most 5 characters, not the 6 of '123456'"),
        (STATUS, "paid", "takes only 'Open', 'Paid', not 'paid'"),
        (LOOSE, "x" * 256, "takes at most 255 characters"),
        (MANY, "Red;Pink", "takes only 'Red', 'Green', 'Blue', not 'Red;Pink'"),
        (DAY, "2026-02-30", "takes a date as YYYY-MM-DD, not '2026-02-30'"),
        (DAY, "1001", "takes a date as YYYY-MM-DD, not '1001'"),
        (DAY, "4001-01-01", "takes a date as YYYY-MM-DD"),
        (MOMENT, "soon", "takes a date, or a time such as"),
        (MOMENT, "2026-99-99", "takes a date as YYYY-MM-DD"),
        (field("reference"), "006000000000001AAB", "takes the id of a record"),
        (field("address"), "x", "takes values of type address, not what a mapping can give"),
        (field("string", required=True), None, "takes a value, not nothing"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_field(into: FieldInfo, value: str | None, says: str) -> None:
    found = fitted(into, value, "UTC")
    assert isinstance(found, Problem)
    assert found.error_class == DOES_NOT_FIT
    assert found.cause.startswith(f"Field__c {says}")
    assert found.fix.endswith(".")


def test_a_long_value_is_not_shown_whole() -> None:
    for into in (MEMO, STATUS, MONEY):
        found = fitted(into, "x" * 5000, "UTC")
        assert isinstance(found, Problem)
        assert len(found.cause) < 200


@pytest.mark.parametrize(
    ("zone", "sent"),
    [
        ("America/Toronto", "2026-03-08T05:00:00.000+0000"),
        ("Pacific/Auckland", "2026-03-07T11:00:00.000+0000"),
    ],
)
def test_a_date_is_the_beginning_of_that_day_where_the_business_is(zone: str, sent: str) -> None:
    assert fitted(MOMENT, "2026-03-08", zone) == sent


@given(st.sampled_from(TYPES), st.booleans(), st.booleans(), st.text() | st.none())
def test_whatever_comes_is_taken_once_or_refused(
    kind: str, restricted: bool, required: bool, value: str | None
) -> None:
    into = field(kind, scale=2, precision=10, length=20, values=("a", "b"), restricted=restricted, required=required)
    found = fitted(into, value, "America/Toronto")
    if isinstance(found, Problem):
        assert "Field__c takes " in found.cause
        return
    json.dumps(as_json(into, found), default=float)
    assert fitted(into, found, "America/Toronto") == found


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 6), st.integers(0, 18))
def test_a_number_is_sent_to_the_last_digit_or_not_at_all(number: Decimal, scale: int, precision: int) -> None:
    into = field("double", scale=scale, precision=max(scale, precision))
    found = fitted(into, format(number, "f"), "UTC")
    if not isinstance(found, Problem):
        assert as_json(into, found) == number
        assert Decimal(repr(float(str(found)))) == number


@given(st.dates(date(1700, 1, 2), date(4000, 12, 30)), st.sampled_from(["UTC", "America/Toronto", "Asia/Tokyo"]))
def test_a_date_in_a_datetime_is_that_day_again_in_the_zone(day: date, zone: str) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    found = fitted(MOMENT, day.isoformat(), zone)
    assert datetime.fromisoformat(str(found)).astimezone(ZoneInfo(zone)).date() == day

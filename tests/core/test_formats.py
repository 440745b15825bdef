"""Numbers and dates as people read them, whatever the language of the machine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapped import DEAL, deal, documents, line, only_problem, run

from airflow_provider_kashoo.core.mapping.values.expressions import ExpressionError
from airflow_provider_kashoo.core.mapping.values.formats import format_of

D = Decimal


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("#,##0.00", D("1234567.005"), "1,234,567.01"),
        ("#,##0.00", D("-1234.005"), "-1,234.01"),
        ("#,##0.00", D("-0.004"), "0.00"),
        ("#,##0", D("999.5"), "1,000"),
        ("0.00", D("1234.5"), "1234.50"),
        ("0", D("0.5"), "1"),
        ("0.##", D("1234.500"), "1234.5"),
        ("0.##", D("3"), "3"),
        ("0.0##", D("3"), "3.0"),
        ("#.##0,00", D("1234567.895"), "1.234.567,90"),
        ("# ##0,00", D("1234567.895"), "1 234 567,90"),
        ("#'##0.00", D("1234.5"), "1'234.50"),
        ("#,##0.00", D("9" * 38 + ".5"), "99," + ",".join(["999"] * 12) + ".50"),
        ("%d %B %Y", date(2026, 3, 1), "01 March 2026"),
        ("%-d.%-m.%y", date(2026, 3, 1), "1.3.26"),
        ("%A, %b %d (%j) 100 %%", date(2024, 2, 29), "Thursday, Feb 29 (060) 100 %"),
        ("%a %Y-%m-%d", date(1700, 1, 1), "Fri 1700-01-01"),
    ],
)
def test_a_value_is_written_as_the_format_says(text: str, value: Decimal | date, said: str) -> None:
    assert format_of(text).of(value) == said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is no format; numbers are written as #,##0.00, 0.## or #.##0,00, dates as %d %B %Y"),
        (".2f", "is no format"),
        ("#,##0,00", "is no format"),
        ("0.", "is no format"),
        ("0.#0", "is no format"),
        ("0." + "0" * 39, "has more than 38 decimals"),
        ("%d %H:%M", "'%H' is no part of a date; known: %Y, %y, %m"),
        ("%d %", "'%' is no part of a date"),
        ("%-B", "'%-B' is no part of a date"),
    ],
)
def test_a_format_that_is_none_is_refused_with_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        format_of(text)
    assert says in str(caught.value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**30), max_value=10**30))
def test_numbers_agree_with_those_of_python(value: Decimal) -> None:
    with localcontext(Context(prec=200)):
        rounded = value.quantize(D("0.01"), ROUND_HALF_UP) or D("0.00")
    assert format_of("#,##0.00").of(value) == f"{rounded:,.2f}"
    assert D(format_of("0.00").of(value)) == rounded


@given(st.dates(date(1700, 1, 1), date(4000, 12, 31)))
def test_dates_agree_with_those_of_python(day: date) -> None:
    for text in ("%Y-%m-%d", "%d.%m.%y %j", "%a %A %b %B"):  # the tests run in English
        assert format_of(text).of(day) == day.strftime(text)
    assert date.fromisoformat(format_of("%Y-%m-%d").of(day)) == day


def memo(spec: str, **changes: object) -> str | None:
    made = run(deal(**changes), lines=[line(TotalPrice=changes.get("Amount", "300.00"))], field=f"memo: {spec}")
    found = documents(made.made)
    return found[DEAL].get("memo") if found else made.problems[DEAL].cause


def test_a_field_or_an_expression_is_written_by_a_format() -> None:
    assert memo('{from: CloseDate, format: "%d %B %Y"}') == "01 March 2026"
    assert memo('{from: Amount, format: "#,##0.00"}', Amount="1234.5") == "1,234.50"
    assert memo('{expr: "Amount * 1.05", format: "#,##0.00"}', Amount="1234.5") == "1,296.23"
    assert memo('{expr: "CloseDate + 30", format: "%-d %b"}') == "31 Mar"
    assert memo('{from: Days, format: "0", default: "no terms"}') == "no terms"


def test_a_template_is_filled_by_formats() -> None:
    text = '{text: "{Name}: {Amount:#,##0.00} until {CloseDate:%d.%m.%Y}{Days:0}"}'
    assert memo(text, Amount="1234.5") == "Spring order: 1,234.50 until 01.03.2026"


def test_an_instant_is_written_as_the_day_of_the_business() -> None:
    late = datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert memo('{from: WonAt, format: "%d %B %Y"}', WonAt=late) == "31 December 2025"
    assert memo('{from: WonAt, format: "%d %B %Y"}', WonAt=late + timedelta(hours=9)) == "01 January 2026"


def test_a_value_of_another_kind_parks_its_record() -> None:
    says = "memo: 'Spring order' is a text, and the format '0.00' is for a number"
    assert memo('{from: Name, format: "0.00"}') == says
    assert memo('{text: "of {Name:0.00}"}') == says
    problem = only_problem(run(deal(), field='memo: {text: "{CloseDate:0.00} {Name:0.00}"}'))
    assert problem.cause == "memo: '2026-03-01' is a date, and the format '0.00' is for a number"

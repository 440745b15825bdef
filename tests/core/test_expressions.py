from __future__ import annotations

import operator
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.mapping.values.expressions import Condition, ExpressionError

NUMBER = pa.decimal128(38, 10)
TYPES = {
    "Amount": NUMBER,
    "IsWon": pa.bool_(),
    "Account.Country": pa.string(),
    "CloseDate": pa.date32(),
    "Stamp": pa.timestamp("us", "UTC"),
}


def frame(**columns: list) -> pd.DataFrame:
    named = {name.replace("__", "."): values for name, values in columns.items()}
    arrays = {name: pa.array(values, type=TYPES[name]) for name, values in named.items()}
    return pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)


ROWS = frame(
    Amount=[Decimal(100), None, Decimal("0.1")],
    IsWon=[True, None, False],
    Account__Country=["CA", None, "US"],
    CloseDate=[date(2026, 1, 1), None, date(2027, 1, 1)],
    Stamp=[datetime(2026, 1, 1, 8, tzinfo=UTC), None, datetime(2027, 1, 1, tzinfo=UTC)],
)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Amount >= 100", "y.."),
        ("Amount > 0.1", "y.."),
        ("Amount == 0.1", "..y"),
        ("Amount < -1", "..."),
        ("Amount != 100", ".yy"),
        ("Amount in [0.1, 100]", "y.y"),
        ("Amount not in (100,)", ".yy"),
        ("Amount == None", ".y."),
        ("Amount is not None", "y.y"),
        ("Amount > None", "..."),
        ("IsWon", "y.."),
        ("not IsWon", ".yy"),
        ("IsWon == False", "..y"),
        ('Account.Country == "CA"', "y.."),
        ('Account.Country in ["CA", None]', "yy."),
        ('Account.Country not in ["CA", None]', "..y"),
        ("Account.Country in []", "..."),
        ('CloseDate >= "2026-06-01"', "..y"),
        ('CloseDate in ["2026-01-01"]', "y.."),
        ('Stamp < "2026-01-01T09:00:00Z"', "y.."),
        ('Stamp < "2026-01-01T09:00:00+02:00"', "..."),
        ('Stamp < "2026-01-01T09:00:00"', "y.."),
        ('Stamp == "2027-01-01"', "..y"),
        ("Amount < 1 or Amount == None and IsWon", "..y"),
        ("(Amount < 1 or Amount == None) and not IsWon", ".yy"),
        ("Amount == 99999999999999999999", "..."),
    ],
)
def test_a_condition_holds_as_python_would_say_and_empty_is_none(text, held):
    result = Condition(text).holds(ROWS)
    assert ["y" if value else "." for value in result] == list(held)
    assert result.dtype == bool


@pytest.mark.parametrize(
    "text",
    [
        "Amount",
        "Account.Country",
        "Account.Country == 5",
        "Account.Country > 5",
        'Amount == "100"',
        "Amount == True",
        "IsWon == 1",
        'IsWon == "true"',
        'CloseDate > "soon"',
        "CloseDate == 20260101",
        'Stamp > "yesterday"',
        'Amount in [1, "x"]',
    ],
)
def test_a_constant_of_another_type_is_an_error_and_never_just_unequal(text):
    with pytest.raises(ExpressionError, match="different types"):
        Condition(text).holds(ROWS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Amount >", "is not a valid condition"),
        ("", "is not a valid condition"),
        ("Amount = 5", "is not a valid condition"),
        ("len(Name) > 3", r"'len\(Name\)' is not a field"),
        ("5 < Amount", "write the field on the left"),
        ("Amount > Other", "'Other' is not a constant"),
        ("Amount > 1 + 1", "'1 \\+ 1' is not a constant"),
        ("1 < Amount < 5", "is not allowed in a condition"),
        ("Amount + 1", "is not allowed in a condition"),
        ("IsWon if IsWon else IsWon", "is not allowed in a condition"),
        ("__import__('os')", "is not allowed in a condition"),
        ("Items[0] == 1", "is not a field"),
        ("lambda: 1", "is not allowed in a condition"),
        ('Country in "US"', "in takes a list"),
        ("Amount in 5", "in takes a list"),
        ('Country == ["US"]', "other operators one value"),
        ("-Amount", "is not allowed in a condition"),
        ("Name == b'x'", "is not a constant"),
        ('Name == f"{x}"', "is not a constant"),
    ],
)
def test_what_is_not_field_operator_constant_is_refused_when_read(text, complaint):
    with pytest.raises(ExpressionError, match=complaint):
        Condition(text)


def test_a_condition_knows_the_paths_it_reads():
    text = 'IsWon and not (Account.Owner.Country in ["US"] or Amount < 5) and Account.Terms__c is None'
    assert Condition(text).paths == {"IsWon", "Account.Owner.Country", "Amount", "Account.Terms__c"}


def test_an_empty_frame_and_another_index_are_kept():
    assert Condition("IsWon").holds(ROWS.iloc[:0]).tolist() == []
    assert Condition("Amount in [100]").holds(ROWS.iloc[[2, 0]]).to_dict() == {2: False, 0: True}


ORDERED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
AMOUNTS = st.decimals(-99, 99, places=2) | st.integers(-5, 5).map(Decimal)


def _ordered(symbol, constant):
    return f"Amount {symbol} {constant}", lambda v: v is not None and ORDERED[symbol](v, constant)


def _inside(constants):
    return f"Amount in [{', '.join(map(str, constants))}]", lambda v: v in constants


LEAVES = (
    st.builds(_ordered, st.sampled_from(list(ORDERED)), AMOUNTS)
    | st.builds(_inside, st.lists(AMOUNTS | st.none(), max_size=3))
    | AMOUNTS.map(lambda c: (f"Amount == {c}", lambda v: v == c))
    | AMOUNTS.map(lambda c: (f"Amount != {c}", lambda v: v != c))
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda part: (
        part.map(lambda a: (f"not ({a[0]})", lambda v: not a[1](v)))
        | st.tuples(part, part).map(lambda p: (f"({p[0][0]}) and ({p[1][0]})", lambda v: p[0][1](v) and p[1][1](v)))
        | st.tuples(part, part).map(lambda p: (f"({p[0][0]}) or ({p[1][0]})", lambda v: p[0][1](v) or p[1][1](v)))
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(CONDITIONS, st.lists(st.none() | AMOUNTS, max_size=5))
def test_columns_give_what_python_gives_row_by_row(condition, values):
    text, python = condition
    assert Condition(text).holds(frame(Amount=values)).tolist() == [python(value) for value in values]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A >= 0.10", ["A >= 0.10"]),
        ("A or B", ["A or B"]),
        ("not (A and B)", ["not (A and B)"]),
        ("A and (B or C) and D in ['x']", ["A", "B or C", "D in ['x']"]),
    ],
)
def test_the_parts_of_a_condition_are_what_and_joins(text, parts):
    assert [part.text for part in Condition(text).parts] == parts


@pytest.mark.parametrize(
    ("text", "slip"),
    [
        ("Amount = 100", "is equal is written =="),
        ("Amount <> 100", "is not equal is written !="),
        ("IsWon AND Amount >= 100", "and, or, not and in are written in small letters"),
        ("IsWon && Amount >= 100", "and, or are written as words"),
        ("Name == \u201cA\u201d", "quotes are \" or '"),
        ("Amount >= $100", "an amount is a plain number, such as 1000"),
        ("CloseDate >= 2026-02-03", 'a date stands in quotes: "2026-01-31"'),
        ('Name like "A%"', "there is no like; compare with whole values, by == or in [..]"),
        ('Name == "A = B" AND IsWon', "and, or, not and in are written in small letters"),
    ],
)
def test_what_people_write_who_know_soql_is_named(text: str, slip: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Condition(text)
    assert str(caught.value).endswith(f"is not a valid condition; {slip}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "IsWon == true",
            "'true' is not a constant value; the words are True, False and None; a checkbox",
        ),
        ("Region__c == null", "'null' is not a constant value; the words are True, False and None"),
        ("Amount >= 1,000", "write: field operator constant; an amount is a plain number, such as 1000"),
        ("CloseDate >= 2026-12-13", 'is not a constant value; a date stands in quotes: "2026-01-31"'),
        (
            "CloseDate >= TODAY()",
            "'TODAY()' is not a constant value; there is no date of today",
        ),
    ],
)
def test_a_constant_that_is_written_as_elsewhere_is_named(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Condition(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('Amount >= "100"', "compares Amount, which is a number, with '100'. Write a number without quotes."),
        ("IsWon and Amount in [1, True]", "compares Amount, which is a number, with True. Write a number"),
        ("Account.Country == 1", "compares Account.Country, which is a text, with 1. Write the text in quotes."),
        ('not CloseDate > "31.12.2026"', "compares CloseDate, which is a date, with '31.12.2026'. Write a day such as"),
        ('Stamp > "noon"', "compares Stamp, which is a date with a time, with 'noon'. Write an instant such as"),
        ('IsWon == "true"', "compares IsWon, which is a checkbox, with 'true'. Write True or False"),
        ("IsWon or Amount", "Amount is a number, and stands alone as if it were a checkbox. Compare it with a value."),
    ],
)
def test_a_comparison_that_no_record_could_meet_is_named_before_any_is_read(text: str, fault: str) -> None:
    assert [fault in each for each in Condition(text).misfits(TYPES)] == [True]
    with pytest.raises(ExpressionError):
        Condition(text).holds(ROWS)


def test_what_fits_is_not_named() -> None:
    fitting = "IsWon and not Amount < 1.5 and Account.Country in ['CA', None] and CloseDate >= '2026-01-01'"
    assert list(Condition(fitting).misfits(TYPES)) == []

"""What a mapping computes: what an expression gives, what is refused when it is read, and what parks a record."""

from __future__ import annotations

import operator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.values.calculation import calculation
from airflow_provider_kashoo.core.mapping.values.computed import NUMBER, WIDE, computed
from airflow_provider_kashoo.core.mapping.values.expressions import Condition, ExpressionError
from airflow_provider_kashoo.core.mapping.values.operations import kind_of_column

D = Decimal
ROWS: dict[str, pa.Array] = {
    "Quantity": pa.array([D("3"), None, D("0.5")], NUMBER),
    "Price": pa.array([D("19.99"), D("7"), D("-2.5")], NUMBER),
    "Parts__c": pa.array([D(7), D(2), D(0)], NUMBER),
    "Name": pa.array(["Zoë", None, "שלום 😀"]),
    "Account.Code__c": pa.array(["ab-1", "cd-2", None]),
    "CloseDate": pa.array([date(2026, 1, 31), None, date(2024, 2, 28)]),
    "Due": pa.array([date(2026, 3, 1), date(2026, 1, 1), None]),
    "WonAt": pa.array([datetime(2026, 1, 1, 3, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
    "IsWon": pa.array([True, False, None]),
    "Street": pa.array(["Main Straße 1", "Main St 2", ""]),
    "Gone__c": pa.nulls(3, pa.string()),
}


def of(text: str, rows: dict[str, pa.Array] = ROWS) -> list[Any]:
    cells = computed(calculation(text), rows.__getitem__, len(next(iter(rows.values()))), "America/Vancouver")
    return cells.to_list()


def why(text: str, rows: dict[str, pa.Array] = ROWS) -> list[str | None]:
    return [value.cause if isinstance(value, Problem) else None for value in of(text, rows)]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("Quantity * Price", [D("59.97"), None, D("-1.25")]),
        ("Quantity * Price * 1.05", [D("62.9685"), None, D("-1.3125")]),
        ("Quantity * (Price + 1) - -2", [D("64.97"), None, D("1.25")]),
        ("-Price", [D("-19.99"), D("-7"), D("2.5")]),
        ("+Price - Price", [D(0), D(0), D(0)]),
        ("0.1 + 0.2", [D("0.3")] * 3),
        ("1.23456789012345678901234567", [D("1.23456789012345678901234567")] * 3),
        ("-1.234567890123456789012345678901234", [D("-1.234567890123456789012345678901234")] * 3),
        ("Price / 3", [D("6.663333333333333333"), D("2.333333333333333333"), D("-0.833333333333333333")]),
        ("0.000000000000000001 / 2 + Price * 0", [D(0)] * 3),  # of two, to the even one
        ("0.000000000000000003 / -2 + Price * 0", [D("-0.000000000000000002")] * 3),
        ("0.000000000000000005 / 2 + Price * 0", [D("0.000000000000000002")] * 3),
        ("1 / Price", [D("0.050025012506253127"), D("0.142857142857142857"), D("-0.4")]),
        ("coalesce(Quantity, 0) + 1", [D(4), D(1), D("1.5")]),
        ("coalesce(Gone__c, Quantity, 9)", [D(3), D(9), D("0.5")]),
        ("coalesce(Quantity / Parts__c, 1)", [D("0.428571428571428571"), D(1), Problem]),
        ("coalesce(Price, 1 / Gone__c)", [D("19.99"), D(7), D("-2.5")]),
        ("coalesce(Price, Quantity / 0)", [D("19.99"), D(7), D("-2.5")]),
        ("min(Quantity, Price)", [D(3), D(7), D("-2.5")]),
        ("max(Quantity, Price, 4)", [D("19.99"), D(7), D(4)]),
        ("min(CloseDate, Due)", [date(2026, 1, 31), date(2026, 1, 1), date(2024, 2, 28)]),
        ("round(Price)", [D(20), D(7), D(-3)]),
        ("round(Price, 1)", [D(20), D(7), D("-2.5")]),
        ("round(Price * 100, -2)", [D(2000), D(700), D(-300)]),
        ("round(Price, -9)", [D(0), D(0), D(0)]),
        ("lower(Name)", ["zoë", None, "שלום 😀"]),
        ("upper(Account.Code__c)", ["AB-1", "CD-2", None]),
        ("upper(Street)", ["MAIN STRASSE 1", "MAIN ST 2", None]),
        ("left(Name, 2)", ["Zo", None, "של"]),
        ('strip(concat(" ", Name, " "))', ["Zoë", None, "שלום 😀"]),
        ('concat(Name, " / ", Account.Code__c)', ["Zoë / ab-1", "/ cd-2", "שלום 😀 /"]),
        ("concat(Name, Quantity, CloseDate, IsWon)", ["Zoë32026-01-31true", "false", "שלום 😀0.52024-02-28"]),
        ("concat(Gone__c, Gone__c)", [None] * 3),
        ('coalesce(concat(Gone__c, ""), Name, "x")', ["Zoë", "x", "שלום 😀"]),
        ("CloseDate + 30", [date(2026, 3, 2), None, date(2024, 3, 29)]),
        ("1 + CloseDate", [date(2026, 2, 1), None, date(2024, 2, 29)]),
        ("CloseDate - Parts__c", [date(2026, 1, 24), None, date(2024, 2, 28)]),
        ("Due - CloseDate", [D(29), None, None]),
        ("WonAt + 0", [date(2025, 12, 31), None, None]),  # still New Year's Eve in Vancouver
        ("Quantity + Gone__c", [None] * 3),
        ("coalesce(IsWon, Gone__c)", [True, False, None]),
        ("None", [None] * 3),
        ('"  "', [None] * 3),
    ],
)
def test_what_an_expression_gives(text: str, given: list[Any]) -> None:
    found = of(text)
    assert [Problem if isinstance(each, Problem) else each for each in found] == given


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Price / Parts__c", "'Price / Parts__c' cannot be computed from '-2.5' and '0': nothing can be divided by 0"),
        ("1 / (Parts__c * 0)", "'1 / (Parts__c * 0)' cannot be computed from '1' and '0': nothing can be divided by 0"),
        ("Name * 2", "'Name * 2' cannot be computed from 'שלום 😀' and '2': it takes two numbers"),
        ("CloseDate + Quantity", "from '2024-02-28' and '0.5': 0.5 is not a whole number of days"),
        ("CloseDate - Quantity", "from '2024-02-28' and '0.5': 0.5 is not a whole number of days"),
        ("CloseDate + 999999", "the result is not between the years 1700 and 4000"),
        ("CloseDate + 99999999999999", "the result is not between the years 1700 and 4000"),
        ("Price * 10000000000000000000 * 10000000000000000000", "more than 38 digits before or after the decimal"),
        ("Price / 1000000000 * 0.00000000000000000000000000001", "more than 38 digits before or after the decimal"),
        ("coalesce(Gone__c, Name, Price)", None),
        ("coalesce(Quantity, Name)", None),
        ("upper(Price)", "'upper(Price)' cannot be computed from '-2.5': it takes a text"),
        ("min(Name, Price)", "it takes numbers, or dates"),
        ("round(CloseDate)", "it takes a number"),
    ],
)
def test_what_cannot_be_computed_parks_its_record_with_the_values(text: str, cause: str | None) -> None:
    found = why(text)[2]
    assert cause is None or cause in str(found)
    assert not (cause is None and found)


def test_a_fallback_of_another_kind_is_a_problem_where_it_is_reached() -> None:
    assert ["one kind" in (each or "") for each in why("coalesce(Quantity, Account.Code__c)")] == [False, True, False]


def test_the_values_of_a_problem_are_kept_apart_from_its_words() -> None:
    (problem,) = [each for each in of("Price / Parts__c") if isinstance(each, Problem)]
    assert "-2.5" not in problem.unquoted
    assert problem.unquoted == "'Price / Parts__c' cannot be computed from …: nothing can be divided by 0"


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        ("", 0, "'' is not a valid expression"),
        ("Price *", 7, "'Price *' is not a valid expression"),
        ("import os", 0, "is not a valid expression"),
        ("Price ** 2", 0, "'Price ** 2' is not allowed in an expression: it computes with + - * /, not **"),
        ("1 + Price // 2", 4, "not //"),
        ("Price % 2", 0, "not %"),
        ("1 + len(Name)", 4, "'len' is no function of an expression. Did you mean 'left'?"),
        ("rond(Price)", 0, "Did you mean 'round'?"),
        ('"é" + lenn(Name)', 6, "'lenn' is no function"),
        ("Price +\n lenn(Name)", 9, "'lenn' is no function"),
        ("  rond(Price)", 2, "Did you mean 'round'?"),
        ("Name.upper()", 0, "'Name.upper' is no function of an expression; known: min, max"),
        ("lambda: 1", 0, "'lambda: 1' is not allowed"),
        ("concat(Name, [x for x in Name])", 13, "'[x for x in Name]' is not allowed"),
        ("Name.__class__", 0, "'Name.__class__' is no field"),
        ("'x'.__class__", 0, "is no field"),
        ("__import__('os')", 0, "'__import__' is no function"),
        ("_private", 0, "is no field"),
        ("1 + 1e400", 4, "'1e400' is too long"),
        ("9" * 39, 0, "is too long; a number has at most 38 digits"),
        ("9" * 5000, 2000, "has 5000 characters; at most 2000 are read"),
        ("-" * 60 + "Price", 50, "is more than 50 levels deep"),
        ("(" * 300 + "Price" + ")" * 300, 200, "is not a valid expression"),
        ("round(Price, 1.5)", 0, "it takes a number, and a whole number from -9 to 18"),
        ("round(Price, Parts__c)", 0, "it takes a number, and a whole number from -9 to 18"),
        ("round(Price, 19)", 0, "from -9 to 18"),
        ("left(Name)", 0, "it takes a text, and a whole number from 1 to 32000"),
        ("left(Name, 0)", 0, "from 1 to 32000"),
        ("min(Price)", 0, "it takes two or more numbers, or dates"),
        ("upper(Name, Name)", 0, "'upper(Name, Name)' is no use of upper: it takes a text"),
        ("concat(*Name)", 0, "write the values only: concat(...)"),
        ("round(Price, digits=2)", 0, "write the values only: round(...)"),
        ("Price if IsWon else 0", 0, "use a rule with when, or map"),
        ("Price > 2", 0, "conditions stand in when"),
        ("not IsWon", 0, "conditions stand in when"),
        ("IsWon and IsWon", 0, "conditions stand in when"),
        ("~Price", 0, "is not allowed"),
        ("f'{Name}'", 0, "join texts with concat"),
        ("True", 0, "write numbers, texts, fields or None"),
        ("0x1F", 0, "'0x1F' is no number"),
        ("5j", 0, "is not allowed"),
        ("Items[0]", 0, "is not allowed"),
        ("b'x'", 0, "is not allowed"),
        ("Price # the net one", 6, "'#' is not allowed"),
        ("ﬁeld", 0, "'ﬁeld' is no field"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_place(text: str, offset: int, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        calculation(text)
    assert says in str(caught.value)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "offset"),
    [("IsWon and len(Name) > 2", 10), ('Name == "é" and 5 < Price', 16), ("IsWon and Price + 1", 10), ("Price >", 7)],
)
def test_a_condition_says_where_its_mistake_is(text: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Condition(text)
    assert caught.value.offset == offset


KINDS = {path: kind_of_column(column.type) for path, column in ROWS.items()}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 + Name * 2", "'Name * 2' takes two numbers, and Name is a text and 2 is a number"),
        (
            "CloseDate + Name",
            "takes two numbers, or a date and a number of days, and CloseDate is a date and Name",
        ),
        ('Name + "x"', "; texts are joined with concat"),
        ("CloseDate + Due", "takes two numbers, or a date and a number of days"),
        ("upper(Price)", "'upper(Price)' takes a text, and Price is a number"),
        ("coalesce(Price, Name)", "takes values of one kind, and Price is a number and Name is a text"),
        ("min(IsWon, Price)", "takes numbers, or dates"),
        ("-Name", "'-Name' takes a number, and Name is a text"),
    ],
)
def test_kinds_that_do_not_fit_are_named_before_any_record_is_read(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        calculation(text).kind(KINDS)
    assert says in str(caught.value)
    reached = text != "coalesce(Price, Name)"  # the price is never empty
    assert any(isinstance(each, Problem) for each in of(text)) is reached


def test_a_calculation_knows_what_it_reads_and_gives() -> None:
    found = calculation("coalesce(Account.Code__c, concat(Name, Price), Name)")
    assert found.paths == ("Account.Code__c", "Name", "Price")
    assert found.kind(KINDS) == "a text"
    assert calculation("CloseDate - WonAt").kind(KINDS) == "a number"
    assert [calculation(text).may_be_empty for text in ("Name", "coalesce(Name, '-')", "'x'")] == [True, False, False]


def test_no_rows_and_large_texts() -> None:
    none = {path: column.slice(0, 0) for path, column in ROWS.items()}
    assert of("round(Quantity * Price / 7, 2)", none) == []
    assert of("concat(Name, upper(Name))", none) == []
    odd = ["x" * 32_000, "\u202eabc\u200f", "a\x00b", "👩‍👩‍👧"]
    assert of('concat(Name, "!")', {"Name": pa.array(odd)}) == [f"{text}!" for text in odd]
    assert of("left(Name, 2)", {"Name": pa.array(odd)}) == ["xx", "\u202ea", "a\x00", "👩\u200d"]


# -- columns agree with single values

EXACT = Context(prec=500)
VALUES = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**6), max_value=10**6)
LONG = st.decimals(allow_nan=False, allow_infinity=False, places=37, min_value=-(10**37), max_value=10**37)
TREES = st.recursive(
    st.sampled_from(["A", "B", "C"])
    | st.integers(-9, 9).map(str)
    | st.sampled_from(["1.05", "0.333333333333", "1e15"]),
    lambda part: (
        st.tuples(part, st.sampled_from("+-*/"), part).map(lambda p: (p[0], p[1], p[2]))
        | st.tuples(st.sampled_from(["min", "max", "coalesce"]), part, part)
        | st.tuples(st.just("round"), part, st.integers(-2, 6))
        | st.tuples(st.just("-"), part)
    ),
    max_leaves=7,
)


def text_of(tree: Any) -> str:
    match tree:
        case str():
            return tree
        case ("-", part):
            return f"(-{text_of(part)})"
        case (str() as name, one, int() as digits):
            return f"{name}({text_of(one)}, {digits})"
        case ("min" | "max" | "coalesce" as name, one, other):
            return f"{name}({text_of(one)}, {text_of(other)})"
        case (one, symbol, other):
            return f"({text_of(one)} {symbol} {text_of(other)})"
    raise AssertionError(tree)


class Bad(Exception):
    """A row has no result."""


def known(number: Decimal | None) -> Decimal | None:
    if number is None:
        return None
    number = EXACT.normalize(number)
    if number and (number.adjusted() >= 38 or number.as_tuple().exponent < -38):
        raise Bad
    return number or D(0)


def plain(tree: Any, row: dict[str, Decimal | None]) -> Decimal | None:
    """Evaluate as a person would with paper: one row, exact decimals, half even at 18 places where there is no end."""
    match tree:
        case str():
            return row[tree] if tree in row else D(tree)
        case ("-", part):
            value = plain(part, row)
            return known(None if value is None else EXACT.minus(value))
        case ("round", part, digits):
            value = plain(part, row)
            with localcontext(EXACT):
                return known(None if value is None else value.quantize(D(1).scaleb(-digits), ROUND_HALF_UP))
        case ("coalesce", one, other):
            first = plain(one, row)
            return plain(other, row) if first is None else first
        case ("min" | "max" as name, one, other):
            both = [value for value in (plain(one, row), plain(other, row)) if value is not None]
            return (min(both) if name == "min" else max(both)) if both else None
    one, other = plain(tree[0], row), plain(tree[2], row)
    if one is None or other is None:
        return None
    if tree[1] == "/":
        if not other:
            raise Bad
        return known(EXACT.scaleb(D(round(Fraction(one) / Fraction(other) * 10**18)), -18))
    with localcontext(EXACT):
        return known({"+": operator.add, "-": operator.sub, "*": operator.mul}[tree[1]](one, other))


def expected(tree: Any, row: dict[str, Decimal | None]) -> Any:
    try:
        return plain(tree, row)
    except Bad:
        return Problem


@settings(deadline=None, max_examples=300)
@given(TREES, st.lists(st.tuples(VALUES, VALUES, VALUES | LONG), min_size=1, max_size=6))
def test_columns_give_what_plain_decimals_give_row_by_row(tree: Any, rows: list[tuple[Any, Any, Any]]) -> None:
    columns = {name: pa.array(list(values), WIDE) for name, values in zip("ABC", zip(*rows, strict=True), strict=True)}
    found = [Problem if isinstance(each, Problem) else each for each in of(text_of(tree), columns)]
    assert found == [expected(tree, dict(zip("ABC", row, strict=True))) for row in rows]


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_a_usual_product_is_exact_in_narrow_columns(rows: list[tuple[Any, Any]]) -> None:
    columns = {name: pa.array(list(values), NUMBER) for name, values in zip("AB", zip(*rows, strict=True), strict=True)}
    wanted = [None if one is None or other is None else one * other * D("1.05") for one, other in rows]
    assert of("A * B * 1.05", columns) == wanted


@given(st.lists(st.none() | st.text(max_size=4) | st.text("aB \u00df\ufb01", max_size=4), min_size=1, max_size=6))
def test_columns_of_texts_give_what_python_gives_row_by_row(texts: list[str | None]) -> None:
    """Also for letters whose upper case is two letters."""
    rows = {"A": pa.array(texts, pa.string())}
    for name, wanted in {"left(A, 2)": lambda text: text[:2], "upper(A)": str.upper, "lower(A)": str.lower}.items():
        found = [None if text is None else wanted(text).strip() or None for text in texts]
        assert of(name, rows) == found


@pytest.mark.parametrize(
    ("text", "days", "found"),
    [
        ("CloseDate + Days", ["1", None, "-40"], [date(2026, 2, 1), None, date(2024, 1, 19)]),
        ("CloseDate - Days", ["1.000", "5", "366"], [date(2026, 1, 30), None, date(2023, 2, 27)]),
        ("CloseDate + Days", ["0.5", None, "1"], ["0.5 is not a whole number of days", None, date(2024, 2, 29)]),
        ("CloseDate + Days", ["1", None, "9" * 20], [date(2026, 2, 1), None, "not between the years"]),
        (
            "CloseDate - Days",
            ["9" * 18, None, "-9" + "0" * 17],
            ["not between the years", None, "not between the years"],
        ),
        ("CloseDate + Days", ["721323", None, "722026"], [date(4000, 12, 31), None, date(4000, 12, 31)]),
        ("CloseDate + Days", ["721324", None, "722027"], ["not between the years", None, "not between the years"]),
        ("CloseDate - Days", ["119100", None, "1"], ["not between the years", None, date(2024, 2, 27)]),
        ("CloseDate + Days", ["2913112", None, "2913113"], ["not between the years", None, "not between the years"]),
    ],
)
def test_days_are_moved_by_whole_numbers_within_the_known_years(text, days, found):
    rows = ROWS | {"Days": pa.array([each and D(each) for each in days], NUMBER)}
    for value, wanted in zip(of(text, rows), found, strict=True):
        assert wanted in value.cause if isinstance(wanted, str) else value == wanted

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.values.money import (
    NotMoney,
    Rounding,
    add_up,
    as_decimal,
    check_currency,
    decimals_of,
    format_exact,
    format_in,
    format_minor,
    in_units_of,
    line_total,
    percent_of,
    rate_of,
    round_to_unit,
    round_together,
    share_of,
    sold_as,
    to_minor,
)

CENTS = st.integers(-(10**15), 10**15)
QUANTITIES = st.decimals("0.01", "100000", places=4)


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("0", 0), ("19.99", 1999), ("-0.01", -1), ("100.0000000000", 10000), ("1E+3", 100000), ("0.10", 10)],
)
def test_an_amount_becomes_whole_cents(amount, minor):
    assert to_minor(Decimal(amount)) == minor


@given(CENTS)
@example(0)
@example(-5)
@example(10**40 + 1)
def test_minor_units_are_written_as_an_exact_decimal_without_idle_zeros(amount):
    written = as_decimal(amount)
    assert to_minor(Decimal(written)) == amount
    assert written.startswith("-") == (amount < 0)
    assert written == (written.rstrip("0").rstrip(".") if "." in written else written)


def test_a_whole_number_is_in_major_units():
    assert to_minor(7) == 700


@pytest.mark.parametrize(("amount", "minor"), [("0.001", "0.1"), ("33.335", "3333.5"), ("-0.0000000001", "-1E-8")])
def test_fractions_of_a_cent_stay(amount, minor):
    assert to_minor(Decimal(amount)) == Decimal(minor)


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        *((amount, "^it is not a finite number$") for amount in ("NaN", "Infinity", "-Infinity")),
        *((amount, "^it has more than 76 digits$") for amount in ("1E+999999", "1E-999999", "1." + "1" * 76)),
    ],
)
def test_what_is_no_amount_is_refused(amount, why):
    with pytest.raises(NotMoney, match=why):
        to_minor(Decimal(amount))


@pytest.mark.parametrize("amount", [19.99, True, "19.99", None])
def test_only_exact_types_are_money(amount):
    with pytest.raises(TypeError, match=type(amount).__name__):
        to_minor(amount)


@given(st.integers(-(10**37), 10**37))
def test_every_amount_a_decimal128_can_hold_survives_to_the_cent(cents):
    text = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    assert to_minor(Decimal(text)) == cents


def test_no_digit_of_the_longest_numbers_is_lost():
    longest = [Decimal("9" * 45 + "." + "0" * 30 + "1"), Decimal("-0." + "0" * 70 + "1")]
    assert add_up(map(to_minor, longest)) == Decimal("9" * 45 + "00." + "0" * 29 + "9" * 40)


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-2.5", -3), ("0.49", 0), ("-0.49", 0)]
)
def test_halves_are_rounded_away_from_zero(value, rounded):
    assert round_to_unit(Decimal(value)) == rounded


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 0), ("1.5", 2), ("2.5", 2), ("-0.5", 0), ("-1.5", -2), ("0.51", 1), ("-2.51", -3)]
)
def test_halves_are_rounded_to_the_even_one_where_that_is_asked_for(value, rounded):
    assert round_to_unit(Decimal(value), Rounding.HALF_EVEN) == rounded
    assert round_together([Decimal(value)], Decimal(value), Rounding.HALF_EVEN) == [rounded]


@given(CENTS, QUANTITIES)
def test_quantity_times_rate_is_the_amount_to_the_cent_without_rounding(amount, quantity):
    kept, rate = rate_of(amount, quantity)
    assert kept * rate == line_total(kept, rate) == amount
    assert kept in {quantity, Decimal(1)}


@given(st.integers(-(10**9), 10**9), QUANTITIES)
def test_a_quantity_is_kept_whenever_a_whole_rate_gives_the_amount_back(rate, quantity):
    amount = quantity * rate
    if amount == int(amount):
        assert rate_of(int(amount), quantity) == (quantity, rate)


@pytest.mark.parametrize(
    ("amount", "quantity", "line"),
    [
        (10000, "3", ("1", 10000)),  # 33.333... a piece
        (9999, "3", ("3", 3333)),
        (150, "1.5", ("1.5", 100)),
        (-5000, "2", ("2", -2500)),  # a credit
        (5000, "0", ("1", 5000)),
        (5000, "-2", ("1", 5000)),
        (0, "4", ("4", 0)),
    ],
)
def test_a_rate_that_cents_cannot_hold_becomes_one_at_the_total(amount, quantity, line):
    assert rate_of(amount, Decimal(quantity)) == (Decimal(line[0]), line[1])


EXACT = st.decimals("-1000000", "1000000", places=4)
SPLITS = st.lists(st.one_of(EXACT, st.integers(-(10**6), 10**6).map(Decimal)), min_size=1, max_size=8)


@given(SPLITS, st.randoms())
def test_rounded_together_amounts_add_up_to_their_rounded_total_and_none_is_off_by_a_unit(amounts, random):
    total = add_up(amounts)
    whole = round_together(amounts, total)
    assert sum(whole) == round_to_unit(total)
    assert all(abs(unit - exact) < 1 for unit, exact in zip(whole, amounts, strict=True))
    order = random.sample(range(len(amounts)), len(amounts))
    again = round_together([amounts[place] for place in order], total)
    for exact in set(amounts):  # another order moves a unit between equal amounts at most
        assert sorted(w for w, e in zip(whole, amounts, strict=True) if e == exact) == sorted(
            again[row] for row, place in enumerate(order) if amounts[place] == exact
        )


@given(SPLITS, st.decimals("-0.9999", "0.9999", places=4))
def test_a_total_that_is_a_little_off_is_met_as_far_as_rounding_goes(amounts, off):
    total = add_up([*amounts, off])
    whole = round_together(amounts, total)
    assert all(abs(unit - exact) < 1 for unit, exact in zip(whole, amounts, strict=True))
    lowest = sum(round_together(amounts, Decimal(-(10**9))))
    highest = sum(round_together(amounts, Decimal(10**9)))
    assert sum(whole) == min(max(round_to_unit(total), lowest), highest)


@pytest.mark.parametrize(
    ("amounts", "whole"),
    [
        (["3333.5"] * 3, [3334, 3334, 3333]),  # three times 66.67 less 50 %
        (["-3333.5"] * 3, [-3333, -3334, -3334]),
        (["100.4", "100.3", "100.3"], [101, 100, 100]),
        (["100.25", "-0.25"], [100, 0]),
        (["7", "0.5"], [7, 1]),
        ([], []),
    ],
)
def test_the_largest_remainder_gets_the_unit_and_of_equal_ones_the_first(amounts, whole):
    exact = [Decimal(each) for each in amounts]
    assert round_together(exact, add_up(exact)) == whole


def test_a_total_far_off_moves_no_amount_that_needs_no_rounding():
    assert round_together([Decimal(7), Decimal("0.5")], Decimal(100)) == [7, 1]
    assert round_together([Decimal(7), Decimal("0.5")], Decimal(-100)) == [7, 0]


@pytest.mark.parametrize(
    ("quantity", "amount", "words"),
    [
        ("3", "3001", "3 x ~10.00"),
        ("64", "100", "64 x 0.015625"),
        ("128", "100", "128 x ~0.007812"),  # 0.0078125: of two as near ones the even one
        ("640", "100", "640 x ~0.001562"),
        ("640", "300", "640 x ~0.004688"),
        ("7000", "115360", "7,000 x 0.1648"),
        ("3", "10000", "3 x ~33.33"),
        ("3", "250000000", "3 x ~833,333.33"),
        ("7000.0000", "70", "7,000 x 0.0001"),
        ("1.25", "10", "1.25 x 0.08"),
        ("-2", "-10000", "-2 x 50.00"),
        ("-2", "10000", "-2 x -50.00"),
        ("70000", "1", "70,000 x ~0.0000001429"),
        ("2", "6666.5", "2 x 33.3325"),
        ("2", "0", "2 x 0.00"),
    ],
)
def test_what_was_sold_in_words(quantity, amount, words):
    assert sold_as(Decimal(quantity), Decimal(amount)) == words


@given(QUANTITIES, st.integers(1, 10**12))
def test_what_was_sold_is_within_its_last_digit_of_what_it_cost(quantity, amount):
    words, _, price = sold_as(quantity, Decimal(amount)).partition(" x ")
    assert Decimal(words.replace(",", "")) == quantity
    shown = Decimal(price.lstrip("~").replace(",", ""))
    exact = Fraction(amount) / Fraction(quantity) / 100
    last = Fraction(10) ** shown.as_tuple().exponent
    assert (Fraction(shown) == exact) == (not price.startswith("~"))
    assert abs(Fraction(shown) - exact) <= last / 2


@pytest.mark.parametrize(
    ("taxable", "percent", "tax"),
    [(10000, "5", 500), (10, "5", 1), (9, "5", 0), (-10, "5", -1), (10050, "9.975", 1002)],
)
def test_a_tax_is_rounded_half_up_once(taxable, percent, tax):
    assert percent_of(taxable, Decimal(percent)) == tax


def test_a_line_and_a_share_are_exact_before_they_are_rounded_however_long_they_are():
    assert line_total(Decimal("0." + "3" * 40), 3 * 10**40) == 10**40 - 1
    assert share_of(10**30 + 1, Decimal("33.3333333333")) == Decimal("333333333333" + "0" * 18 + ".333333333333")
    assert line_total(Decimal("0.5"), 5, Rounding.HALF_EVEN) == 2
    assert percent_of(50, Decimal(5), Rounding.HALF_EVEN) == 2


@pytest.mark.parametrize(
    ("currency", "units", "text", "number"),
    [("JPY", 1250, "1,250 JPY", "1250"), ("KWD", 12345, "12.345 KWD", "12.345"), ("CLF", 5, "0.0005 CLF", "0.0005")],
)
def test_a_currency_without_hundredths_is_counted_in_its_own_minor_unit(currency, units, text, number):
    assert in_units_of(currency, to_minor(Decimal(number))) == units
    assert format_minor(units, currency) == text
    assert format_in(currency, -units) == f"-{text.removesuffix(' ' + currency)}"
    assert as_decimal(units, currency) == number
    check_currency(currency, {currency})


def test_a_currency_that_is_not_known_has_hundredths():
    assert [decimals_of(code) for code in ("CAD", None, "", "XXX", "JPY", "KWD")] == [2, 2, 2, 2, 0, 3]
    assert in_units_of(None, Decimal("12.5")) == Decimal("12.5")


@pytest.mark.parametrize("code", ["CAD", "USD", "EUR"])
def test_currencies_with_two_decimals_are_taken(code):
    check_currency(code)


@pytest.mark.parametrize("code", ["JPY", "KWD", "CLF"])
def test_other_currencies_are_refused(code):
    with pytest.raises(NotMoney, match=f"^its currency {code} does not have two decimals, and how Kashoo handles it"):
        check_currency(code, {"ISK"})


@pytest.mark.parametrize("code", ["cad", "CA", "CADS", "C4D", "", "ÄÖÜ"])
def test_what_is_no_code_is_refused(code):
    with pytest.raises(NotMoney, match=f"^its currency '{code}' is not a three-letter ISO code$"):
        check_currency(code, {code})


@pytest.mark.parametrize(
    ("amount", "text"), [(123450, "1,234.50 CAD"), (-5, "-0.05 CAD"), (0, "0.00 CAD"), (100000000, "1,000,000.00 CAD")]
)
def test_amounts_are_written_for_people(amount, text):
    assert format_minor(amount, "CAD") == text
    assert format_minor(amount) == text.removesuffix(" CAD")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("10000.5", "100.005"), ("10000.50000", "100.005"), ("3E+5", "3,000.00"), ("-0.5", "-0.005"), ("0", "0.00")],
)
def test_exact_amounts_are_written_with_all_their_digits(amount, text):
    assert format_exact(Decimal(amount)) == text

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.values.money import (
    NotMoney,
    check_currency,
    format_minor,
    line_total,
    rate_of,
    round_half_up,
    tax_of,
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


def test_a_whole_number_is_in_major_units():
    assert to_minor(7) == 700


@pytest.mark.parametrize("amount", ["0.001", "19.995", "-0.0000000001", "NaN", "Infinity", "-Infinity"])
def test_what_cents_cannot_hold_is_refused_and_never_rounded(amount):
    with pytest.raises(NotMoney):
        to_minor(Decimal(amount))


@pytest.mark.parametrize("amount", [19.99, True, "19.99", None])
def test_only_exact_types_are_money(amount):
    with pytest.raises(TypeError, match=type(amount).__name__):
        to_minor(amount)


@given(st.integers(-(10**37), 10**37))
def test_every_amount_a_decimal128_can_hold_survives_to_the_cent(cents):
    text = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    assert to_minor(Decimal(text)) == cents


def test_a_fraction_of_a_cent_far_behind_the_point_of_a_long_number_is_still_seen():
    with pytest.raises(NotMoney):
        to_minor(Decimal("1" * 40 + "." + "0" * 40 + "1"))


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-2.5", -3), ("0.49", 0), ("-0.49", 0)]
)
def test_halves_are_rounded_away_from_zero(value, rounded):
    assert round_half_up(Decimal(value)) == rounded


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


@pytest.mark.parametrize(
    ("taxable", "percent", "tax"),
    [(10000, "5", 500), (10, "5", 1), (9, "5", 0), (-10, "5", -1), (10050, "9.975", 1002)],
)
def test_a_tax_is_rounded_half_up_once(taxable, percent, tax):
    assert tax_of(taxable, Decimal(percent)) == tax


@pytest.mark.parametrize("code", ["CAD", "USD", "EUR"])
def test_currencies_with_two_decimals_are_taken(code):
    check_currency(code)


@pytest.mark.parametrize("code", ["JPY", "KWD", "CLF", "cad", "CA", "CADS", "C4D", "", "ÄÖÜ"])
def test_other_currencies_and_what_is_no_code_are_refused(code):
    with pytest.raises(NotMoney):
        check_currency(code)


@pytest.mark.parametrize(
    ("amount", "text"), [(123450, "1,234.50 CAD"), (-5, "-0.05 CAD"), (0, "0.00 CAD"), (100000000, "1,000,000.00 CAD")]
)
def test_amounts_are_written_for_people(amount, text):
    assert format_minor(amount, "CAD") == text
    assert format_minor(amount) == text.removesuffix(" CAD")

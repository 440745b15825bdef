"""Spellings that are one name, and names that only look alike."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.values.spelling import compact, digits, fold, plain, same_phone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller, Söhne", "MULLER SOHNE"),
        ("Straße 5", "STRASSE 5"),
        ("Acme, Inc.", "acme inc"),
        ("Acme™ (Inc)", "Acme Inc"),
        ("D'Angelo", "D’Angelo"),  # noqa: RUF001
        ("Coca-Cola", "Coca Cola"),
        ("\uff21\uff23\uff2d\uff25", "acme"),
        ("株式会社 東京", "株式会社東京"),
        ("Αθήνα", "ΑΘΗΝΑ"),
        ("カフェ", "ｶﾌｪ"),
    ],
)
def test_case_accents_punctuation_and_width_do_not_tell_names_apart(one: str, other: str) -> None:
    assert fold(one) == fold(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme", "Acne"),
        ("東京", "京都"),
        ("A+B GmbH", "AB GmbH"),
        ("Müller & Sohn", "Müller Sohn"),
        ("Müller Sohn", "Müller Sohn 2"),
        ("C++", "C#"),
        ("C#", "C"),
        ("A/B", "AB"),
        ("Studio 1.5", "Studio 15"),
        ("Hotel 4 2", "Hotel 42"),
        ("A$AP", "AAP"),
        ("ハード", "バード"),
        ("Иван", "Йван"),
        ("กุ", "กู"),
        ("कि", "की"),
    ],
)
def test_letters_digits_and_signs_tell_names_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text(max_size=12))
def test_a_name_folds_once(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(st.text(st.sampled_from("a1\uff12\u00e9\u0301.- +&\uff8a\uff9e\u00bd\u2122"), max_size=8))
def test_a_name_of_awkward_letters_folds_once(name: str) -> None:
    assert fold(fold(name)) == fold(name)
    assert fold(name.upper()) == fold(name)


def test_a_phone_number_counts_by_its_digits_with_or_without_country_code() -> None:
    assert digits(" (604) 555-0100 ") == "6045550100"
    assert same_phone(digits("+1 604 555 0100"), digits("604-555-0100"))
    assert same_phone(digits("+49 30 1234567"), digits("030/1234567"))
    assert not same_phone(digits("604 555 0100"), digits("604 555 0101"))
    assert not same_phone(digits("0100"), digits("604 555 0100"))


@pytest.mark.parametrize(
    "number",
    ["+49 (0)30 1234567", "+49 ( 0 ) 30 1234567", "030 1234567x12", "030 1234567, ext. 12", "0301234567 Durchwahl 12"],
)
def test_a_trunk_and_an_extension_do_not_tell_phone_numbers_apart(number: str) -> None:
    assert same_phone(digits(number), digits("+49 30 1234567"))
    assert same_phone(digits(number), digits("030/1234567 EXT 7"))
    assert not same_phone(digits(number), digits("030/1234568"))


def test_letters_of_a_phone_number_are_no_extension() -> None:
    assert digits("1-800-FOX 12") == "180012"
    assert digits("x 604 555 0100") == "6045550100"


def test_a_postal_code_counts_by_letters_and_digits_and_a_code_by_all() -> None:
    assert compact("V6B 1A1") == compact("v6b-1a1")
    assert plain(" a-10  x ") == plain("A-10 X") != plain("A10 X")
    assert plain("Caf\u00e9") == plain("Cafe\u0301")


@pytest.mark.parametrize("spelled", [fold, compact, plain, digits])
@pytest.mark.parametrize("value", [None, "", "  ", {}, [], True, Decimal(5)])
def test_what_is_no_text_or_number_says_nothing(spelled, value) -> None:
    assert spelled(value) == ""


def test_a_whole_number_of_the_books_is_a_text() -> None:
    assert (compact(10115), digits(6045550100), plain(7)) == ("10115", "6045550100", "7")

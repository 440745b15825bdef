"""Where our reference stands in a text of the books, and how much room it leaves for the text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.clients.entries import Entry, to_json
from airflow_provider_kashoo.clients.profile import LONGEST_TEXT, Profile
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.texts import cut, length

OURS, OTHER = Reference("006000000000001AAA"), Reference("006000000000002AAA", 12, 345)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"invoice_reference": "contact"}, "'contact' of each invoice, which is no free text"),
        ({"customer_reference": "name"}, "'name' of each customer, which is no free text"),
        ({"text_limits": {"memo": 44}}, "limits 'memo' to 44 characters"),
        ({"text_limits": {"memo": "500"}}, "limits 'memo' to '500' characters"),
        ({"item_reference": "sku", "text_limits": {"description": "9"}}, "limits 'description' to '9' characters"),
        ({"text_limits": 500}, "limits 'notes' to '500' characters"),
    ],
)
def test_a_field_without_room_for_the_reference_is_refused(profile: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Profile().overridden(profile)


# -- the rules of the text


@settings(max_examples=60)
@given(st.text(max_size=300), st.integers(60, 250))
def test_whatever_the_text_the_reference_fits_and_the_same_text_comes_out_again(text: str, most: int) -> None:
    profile = Profile(text_limits={"memo": most})
    memo = to_json("invoice", {"memo": text}, OURS, profile)["memo"]
    assert Reference.find(memo) == [OURS]
    assert length(memo) <= most
    own = Reference.without(memo)
    assert Reference.without(text).startswith(own)
    assert to_json("invoice", {"memo": own}, OURS, profile)["memo"] == memo
    assert to_json("invoice", {}, OURS, profile, {"memo": memo})["memo"] == memo


@settings(max_examples=40)
@given(st.text(max_size=300))
def test_a_text_of_the_books_is_never_cut(kept: str) -> None:
    memo = to_json("invoice", {"date": "2026-03-01"}, OURS, Profile(), {"memo": f"{kept} {OTHER}"})["memo"]
    assert memo.startswith(f"{kept} {OTHER}")
    assert length(memo) <= LONGEST_TEXT or memo == f"{kept} {OTHER}"


@given(st.text(max_size=50), st.integers(0, 60))
def test_a_cut_text_is_a_start_of_whole_letters_without_blanks_at_its_end(text: str, most: int) -> None:
    short = cut(text, most)
    assert text.startswith(short)
    assert short == short.rstrip()
    assert length(short) <= most
    assert length(text) > most or short == text.rstrip()


LONG = "A text that is longer than forty characters, and goes on and on."


@pytest.mark.parametrize(
    ("kept", "sent", "cut_off"),
    [
        (LONG[:50], LONG, True),
        (LONG, LONG, True),
        (LONG[:30], LONG, False),  # too short for a limit: it was not written
        ("Another text altogether, of more than forty characters.", LONG, False),
        (None, LONG, False),
    ],
)
def test_what_the_books_cut_off_is_told_apart_from_what_they_did_not_write(
    kept: str | None, sent: str, cut_off: bool
) -> None:
    line = {"description": sent, "quantity": "1", "taxCode": "none", "rate": 5}
    read = Entry(
        "invoice",
        {"id": 7, "memo": kept, "lineItems": [{"description": kept, "quantity": 1, "taxCode": "", "rate": 5}]},
        Profile(),
    )
    assert read.shows_start_of({"memo": sent}) is cut_off
    assert read.shows_start_of({"lines": [line]}) is cut_off
    assert not read.shows_start_of({"lines": [line | {"rate": 6}]})

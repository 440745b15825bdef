from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM
from airflow_provider_kashoo.core.rules.duplicates import Ladder, Match, fold
from airflow_provider_kashoo.core.values.ids import Reference

OURS = Reference("001000000000001AAA")
OTHER = Reference("001000000000002AAA")


def row(ident: int, *references: Reference, **fields: str | None) -> dict:
    return {"id": ident, "references": list(references), **fields}


def customer(*rows: dict, **document: str | None) -> Match:
    return Ladder(rows, CUSTOMER).find(document, OURS)


def item(*rows: dict, **document: str | None) -> Match:
    return Ladder(rows, ITEM).find(document, OURS)


ACME = {"name": "Acme Ltd.", "postalCode": "V6B 1A1", "email": "ap@acme.example"}


def test_our_reference_is_stronger_than_every_likeness():
    assert customer(row(1, **ACME), row(2, OURS, name="Renamed"), **ACME) == Match(2, "our reference", (2,))


def test_the_reference_of_another_record_is_no_evidence():
    assert customer(row(1, OTHER), **ACME) == Match(None, "not in the books")
    assert customer(row(1, Reference(OURS.source_id, 2)), **ACME).kashoo_id is None


def test_the_ladder_stops_at_the_strongest_rung_on_which_anything_stands():
    same_mail, same_name = row(1, email="AP@Acme.example"), row(2, name="ACME ltd", postalCode="v6b1a1")
    assert customer(same_name, same_mail, **ACME) == Match(1, "same e-mail", (1,))
    assert customer(same_name, **ACME) == Match(2, "same name and postal code", (2,))


def test_two_records_on_one_rung_are_a_question_and_no_weaker_rung_answers_it():
    twins = [row(1, email=ACME["email"]), row(2, email=ACME["email"])]
    assert customer(*twins, row(3, **ACME | {"email": "x@y.example"}), **ACME) == Match(None, "same e-mail", (1, 2))
    assert customer(row(1, OURS), row(2, OURS), **ACME) == Match(None, "our reference", (1, 2))


@pytest.mark.parametrize(
    ("theirs", "document"),
    [
        ({"name": "Acme Ltd."}, {"name": "Acme Ltd."}),  # a name alone is not enough
        ({"name": "Acme Ltd.", "postalCode": "V6B 1A2"}, {"name": "Acme Ltd.", "postalCode": "V6B 1A1"}),
        ({"email": ""}, {"email": ""}),
        ({"email": None}, {}),
        ({"name": "...", "postalCode": "-"}, {"name": "!", "postalCode": "."}),
        ({"email": "anna@bell.example"}, {"email": "annab@ell.example"}),
        ({"email": "jo.b@x.example"}, {"email": "job@x.example"}),
    ],
)
def test_what_is_not_surely_the_same_customer_is_not_matched(theirs, document):
    assert customer(row(1, **theirs), **document) == Match(None, "not in the books")


def test_an_item_is_known_by_its_code_then_by_its_name():
    assert item(row(1, code=" a-10 "), row(2, name="Widget"), code="A-10", name="Widget") == Match(1, "same code", (1,))
    assert item(row(1, code="A1-0"), row(2, name=" WIDGET"), code="A-10", name="Widget") == Match(2, "same name", (2,))
    assert item(row(1, code="M-15"), code="M-1.5").kashoo_id is None
    assert item(row(1, name="Cable 15"), name="Cable 1.5").kashoo_id is None


def test_an_invoice_is_known_by_our_reference_alone():
    same = {"contact": "1", "date": "2026-03-01", "memo": "Spring"}
    assert Ladder([row(1, **same)], INVOICE).find(same, OURS).kashoo_id is None
    assert Ladder([row(1), row(2, OURS)], INVOICE).find({}, OURS).kashoo_id == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller & Söhne", "MULLER SOHNE"),
        ("Straße 5", "STRASSE 5"),
        ("Acme, Inc.", "acme inc"),
        ("\uff21\uff23\uff2d\uff25", "acme"),
        ("株式会社 東京", "株式会社東京"),
    ],
)
def test_case_accents_punctuation_and_width_do_not_tell_names_apart(one, other):
    assert fold(one) == fold(other) != ""


def test_letters_tell_names_apart():
    assert len({fold(name) for name in ("Acme", "Acne", "Acme 2", "東京", "京都", "")}) == 6
    assert fold(None) == ""


@given(st.text(max_size=12))
def test_a_name_folds_once(name):
    assert fold(fold(name)) == fold(name)


ROWS = st.lists(
    st.builds(
        row,
        st.integers(1, 99),
        st.sampled_from([OURS, OTHER]),
        email=st.sampled_from([None, "a@x.example", "b@x.example"]),
        name=st.sampled_from(["Acme", "acme", "Bolt"]),
        postalCode=st.sampled_from(["V6B", "H2X", None]),
    ),
    max_size=5,
    unique_by=lambda each: each["id"],
)


@given(ROWS, st.booleans(), st.randoms())
def test_the_order_of_the_listing_changes_no_match(rows, referenced, random):
    rows = [each if referenced else each | {"references": []} for each in rows]
    document = {"name": "Acme", "postalCode": "V6B", "email": "a@x.example"}
    assert customer(*rows, **document) == customer(*random.sample(rows, len(rows)), **document)

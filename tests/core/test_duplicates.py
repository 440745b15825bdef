from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, ITEM
from airflow_provider_kashoo.core.mapping.file.policies import OnDuplicate
from airflow_provider_kashoo.core.rules.duplicates import OF_OTHERS, Ladder, Match
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record

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
    assert customer(row(1, OTHER, **ACME), **ACME).kashoo_id is None
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


GARCIA = {"name": "Garcia Consulting", "postalCode": "10115"}


@pytest.mark.parametrize(
    ("field", "theirs", "ours"),
    [
        ("email", "office@one.example", "hello@two.example"),
        ("street", "Torstr. 1", "Torstr. 2"),
        ("phone", "030 1234567", "030 1234568"),
        ("currency", "EUR", "USD"),
    ],
)
def test_name_and_postal_code_link_only_where_nothing_speaks_against_it(field: str, theirs: str, ours: str):
    doubt = customer(row(1, **GARCIA, **{field: theirs}), **GARCIA, **{field: ours})
    assert doubt == Match(None, "same name and postal code", (1,), (field,))
    assert customer(row(1, **GARCIA), **GARCIA, **{field: ours}).kashoo_id == 1
    assert customer(row(1, **GARCIA, **{field: theirs}), **GARCIA).kashoo_id == 1
    assert customer(row(1, **GARCIA, **{field: f" {theirs.upper()} "}), **GARCIA, **{field: theirs}).kashoo_id == 1


def test_one_e_mail_under_two_names_is_a_question():
    rows = [row(1, email="ap@holding.example", name="Acme")]
    assert customer(*rows, email="AP@holding.example", name="Beta") == Match(None, "same e-mail", (1,), ("name",))
    assert customer(*rows, email="AP@holding.example", name="ACME.").kashoo_id == 1


def test_what_nothing_speaks_against_outweighs_a_doubt_even_on_a_weaker_rung():
    mail = {"email": "ap@x.example"}
    holding, beta = row(1, **mail, name="Holding"), row(2, name="Beta", postalCode="7")
    assert customer(holding, beta, **mail, name="Beta", postalCode="7").kashoo_id == 2
    assert customer(holding, row(3, **mail, name="Beta"), **mail, name="Beta").kashoo_id == 3


def test_a_code_or_name_of_an_item_alone_is_a_question_when_the_other_differs():
    assert item(row(1, code="SUP", name="Support"), code="SUP", name="Support yearly") == Match(
        None, "same code", (1,), ("name",)
    )
    assert item(row(1, code="1001", name="Lamp"), code="HW-1", name="Lamp") == Match(None, "same name", (1,), ("code",))


@pytest.mark.parametrize("of_other", ["reference", "link", "this plan"])
def test_what_belongs_to_another_record_is_never_found_by_likeness(of_other: str):
    marked = row(1, *([OTHER] if of_other == "reference" else []), **ACME)
    ladder = Ladder([marked], CUSTOMER, [1] if of_other == "link" else [])
    if of_other == "this plan":
        assert ladder.find(ACME, OTHER).kashoo_id == 1
        ladder.take(1)
    assert ladder.find(ACME, OURS) == Match(None, OF_OTHERS)


def test_our_reference_counts_on_a_record_that_carries_others_too():
    assert customer(row(1, OTHER, OURS)).kashoo_id == 1


RECORD = Record("customer", "Account", OURS.source_id)


def problem(*rows: dict, **document: str | None) -> Problem | None:
    ladder = Ladder(rows, CUSTOMER)
    return ladder.undecided(ladder.find(document, OURS), RECORD, document)


def test_a_doubt_names_both_records_and_says_how_to_answer():
    rows = [row(7, **GARCIA, email="a@x.example", phone="030 1234567")]
    document = GARCIA | {"name": "garcia consulting", "email": "b@x.example", "phone": "030 7654321"}
    relink = "airflow kashoo relink 001000000000001AAA"
    names = ": 'Garcia Consulting' in Kashoo, 'garcia consulting' in Salesforce"
    assert problem(*rows, **document) == Problem(
        "doubtful_match",
        "customer 7 in Kashoo has the same name and postal code, but another e-mail and phone" + names,
        f"If it is the same customer, give both the same e-mail and phone, or run {relink} --to 7. "
        f"If not, run {relink} --new.",
        names,
    )


def test_several_doubts_are_named_together():
    rows = [row(7, name="One", email="a@x.example"), row(8, name="Two", email="a@x.example")]
    found = problem(*rows, name="Three", email="a@x.example")
    assert found
    assert found.unquoted == "customers 7 and 8 in Kashoo have the same e-mail, but another name"
    assert found.said == ": 'One' and 'Two' in Kashoo, 'Three' in Salesforce"
    assert "--to with the id of the right one." in found.fix


def test_of_many_the_first_are_named():
    found = problem(*(row(each, name="One", email="a@x.example") for each in range(1, 9)), email="a@x.example")
    assert found
    assert found.cause.startswith("customers 1, 2, 3, 4, 5 and 3 more in Kashoo have the same e-mail")
    assert found.said.count("'One'") == 5


def test_what_is_certain_or_absent_is_not_asked_about():
    assert problem(row(7, **ACME), **ACME) is None
    assert problem(**ACME) is None


def test_copies_of_one_record_are_told_by_their_reference():
    copies = problem(row(1, OURS), row(2, OURS), **ACME)
    assert copies
    assert copies.cause == "2 records in Kashoo carry its reference"


@pytest.mark.parametrize("odd", [5, True, [], {}, {"a": 1}])
def test_an_odd_value_of_the_books_breaks_no_listing(odd):
    rows = [row(1, **dict.fromkeys(CUSTOMER.fields, odd)), row(2, **ACME)]
    assert customer(*rows, **ACME).kashoo_id == 2


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


TWIN = {"email": ACME["email"], "name": "Acme"}
FOUND = {
    "none": ([], None),
    "one": ([row(1, **TWIN)], "one"),
    "one, with a doubt": ([row(1, **TWIN | {"name": "Beta"})], "doubtful_match"),
    "two": ([row(1, **TWIN), row(2, **TWIN)], "ambiguous_match"),
    "ours": ([row(1, OURS, name="Beta")], None),
    "ours twice": ([row(1, OURS), row(2, OURS)], "ambiguous_match"),
}
OF_ONE = {OnDuplicate.SKIP: "left_as_duplicate", OnDuplicate.REVIEW: "unconfirmed_match"}


@pytest.mark.parametrize("policy", OnDuplicate)
@pytest.mark.parametrize("what", FOUND)
def test_a_policy_says_what_likeness_means_and_never_what_our_reference_means(what: str, policy: OnDuplicate):
    rows, undecided = FOUND[what]
    ladder = Ladder(rows, CUSTOMER)
    said = ladder.undecided(ladder.find(TWIN, OURS), RECORD, TWIN, policy)
    wanted = OF_ONE.get(policy) if undecided == "one" else undecided
    if policy is OnDuplicate.SKIP and wanted and what != "ours twice":
        wanted = "left_as_duplicate"
    assert (said and said.error_class) == wanted
    assert said is None or what == "ours twice" or all(str(each["id"]) in said.unquoted for each in rows)

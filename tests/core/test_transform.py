from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapped import (
    ACCOUNT,
    AROUND,
    DEAL,
    DUE,
    MAPPING,
    OTHER,
    PRODUCT,
    SINGLE,
    THIRD,
    deal,
    excluded,
    line,
    only_problem,
    run,
    sales,
    table,
)

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.select import Credit, Why
from airflow_provider_kashoo.core.mapping.stages.transform import documents, transform
from airflow_provider_kashoo.core.rules.totals import net_total


def value_of(field: str, **changes: Any) -> Any:
    """Give what one more header field becomes: a value, None when left out, or the problem it makes."""
    result = run(deal(**changes), field=field)
    return result.problems.get(DEAL) or documents(result.made)[DEAL].get(field.partition(":")[0])


def test_a_deal_becomes_a_document_in_the_words_of_the_books():
    assert documents(run(deal()).made) == {
        DEAL: {
            "contact": {"link": ["customer", ACCOUNT]},
            "date": "2026-03-01",
            "currency": "CAD",
            "poNumber": "none",
            "lines": [
                {
                    "item": {"link": ["item", PRODUCT]},
                    "description": "Widget",
                    "account": "4000",
                    "taxCode": "none",
                    "quantity": "3",
                    "rate": 10000,
                }
            ],
        }
    }


def test_a_negative_total_is_a_credit_of_its_sale_and_of_what_it_reduces():
    more = {"Amount": "-400.005", "SaleId": OTHER, "Original": THIRD, "AccountId": None}
    tail = "sale: {from: SaleId, optional: true}\nreduces: {from: Original, optional: true}\n"
    result = run(deal(**more), lines=[], tail=tail)
    assert result.credits == {DEAL: Credit(40001, "CAD", OTHER, THIRD, Why("Amount >= 100"))}
    assert (documents(result.made), result.problems, excluded(result)) == ({}, {}, {DEAL: "Amount >= 100"})
    unknown = run(deal(**more | {"CurrencyIsoCode": None, "SaleId": "x", "Original": "x"}), lines=[], tail=tail)
    assert unknown.credits == {DEAL: Credit(40001, "CAD", DEAL, None, Why("Amount >= 100"))}


@pytest.mark.parametrize(
    ("when", "changes", "credit"),
    [
        ("[IsWon, Amount >= 100]", {"Amount": "-0.01"}, True),
        ("[IsWon, Amount >= 100]", {"Amount": "-0.004"}, False),
        ("[IsWon, Amount >= 100]", {"Amount": "0"}, False),
        ("[IsWon, Amount >= 100]", {"Amount": None}, False),
        ("[IsWon, Amount >= 100]", {"Amount": "-400", "IsWon": False}, False),
        ("[Amount >= 100 and IsWon]", {"Amount": "-400"}, True),
        ("[Amount >= 100 and IsWon]", {"Amount": "-400", "IsWon": False}, False),
        ("[Amount >= 100 or IsWon]", {"Amount": "-400", "IsWon": False}, False),  # looks at more than the total
        ("[not (Amount < 100 and IsWon)]", {"Amount": "-400"}, False),
        ('[Amount >= 100 or Name == "Spring order"]', {"Amount": "-400"}, True),
        ("[Amount != 0, Amount >= 100, IsWon]", {"Amount": "-400"}, True),
        ("[]", {"Amount": "-400"}, True),
    ],
)
def test_a_credit_meets_every_condition_but_those_on_the_total_alone(when, changes, credit):
    mapping = load_mapping(MAPPING.replace("[IsWon, Amount >= 100]", when) % ("poNumber: none", ""), "m.yaml")
    result = transform(mapping, table([deal(**changes), deal(OTHER)]), table([line(), line(OTHER)]), AROUND)
    assert list(result.credits) == ([DEAL] if credit else [])
    assert list(documents(result.made)) == [OTHER]
    assert (DEAL in excluded(result)) != (DEAL in result.problems)


def test_without_a_total_the_sum_of_the_lines_tells_a_credit():
    mapping = load_mapping(MAPPING.replace("total: {from: Amount}\n", "") % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="-400.00"), line(TotalPrice="100.00"), line(OTHER, TotalPrice="-1.00"), line(OTHER)]
    result = transform(mapping, table([deal(), deal(OTHER)]), table(lines), AROUND)
    assert result.credits == {DEAL: Credit(30000, "CAD", DEAL, None, Why("total >= 0"))}
    assert excluded(result) == {DEAL: "total >= 0"}
    assert list(documents(result.made)) == [OTHER]


def test_a_problem_of_a_line_is_a_problem_of_its_deal_and_the_others_go_on():
    result = run(deal(), deal(OTHER), lines=[line(), line(TotalPrice=None), line(OTHER)])
    assert list(documents(result.made)) == [OTHER]
    assert result.problems[DEAL].error_class == "missing_value"
    assert result.problems[DEAL].cause == "amount: it is empty"


def test_lines_of_deals_that_are_left_out_go_nowhere():
    result = run(deal(IsWon=False), deal(OTHER), lines=[line(), line(OTHER)])
    assert len(documents(result.made)[OTHER]["lines"]) == 1
    assert (result.problems, excluded(result)) == ({}, {DEAL: "IsWon"})


def test_every_deal_left_out_names_the_first_condition_that_did_it():
    result = run(deal(IsWon=False, Amount="1"), deal(OTHER, Amount="99.99"), deal(THIRD, IsWon=None))
    assert excluded(result) == {DEAL: "IsWon", OTHER: "Amount >= 100", THIRD: "IsWon"}
    assert (documents(result.made), result.problems, sales(result)) == ({}, {}, {})


def test_a_deal_without_lines_is_a_problem_unless_the_mapping_has_a_single_line():
    assert only_problem(run(deal(), lines=[])).error_class == "no_lines"
    one = {"description": "Spring order", "account": "4000", "taxCode": "none", "quantity": "1", "rate": 30000}
    assert documents(run(deal(), lines=[], tail=SINGLE).made)[DEAL]["lines"] == [one]


def test_a_single_line_is_for_deals_without_lines_only():
    made = documents(run(deal(), deal(OTHER), lines=[line(OTHER)], tail=SINGLE).made)
    assert [made[key]["lines"][0]["description"] for key in (DEAL, OTHER)] == ["Spring order", "Widget"]


@pytest.mark.parametrize(
    ("changes", "around", "outcome"),
    [
        ({"CurrencyIsoCode": "USD"}, {}, "USD"),
        ({"CurrencyIsoCode": None}, {}, "CAD"),
        ({"CurrencyIsoCode": None}, {"org_currency": None}, "missing_value"),
        ({"CurrencyIsoCode": "JPY"}, {}, "currency"),
    ],
)
def test_the_currency_is_the_deals_or_the_orgs_and_never_guessed(changes, around, outcome):
    result = run(deal(**changes), **around)
    assert outcome in [
        documents(result.made).get(DEAL, {}).get("currency"),
        getattr(result.problems.get(DEAL), "error_class", ""),
    ]


@pytest.mark.parametrize(
    ("changes", "cause", "fix"),
    [
        ({"AccountId": None}, "contact: it is empty", "Fill AccountId in"),
        ({"CloseDate": None}, "date: it is empty", "Fill CloseDate in"),
        ({"AccountId": "unknown"}, "contact: 'unknown' is not a Salesforce id", "Correct the field"),
        ({"AccountId": ACCOUNT[:-1] + "Z"}, f"contact: '{ACCOUNT[:-1]}Z' is not a Salesforce id", "Correct the field"),
    ],
)
def test_a_required_field_that_is_empty_or_wrong_says_where_to_correct_it(changes, cause, fix):
    problem = only_problem(run(deal(**changes)))
    assert problem.cause.startswith(cause)
    assert problem.fix.startswith(fix)


@pytest.mark.parametrize(
    ("field", "changes", "value"),
    [
        ("memo: {from: Name}", {"Name": "  spaced  "}, "spaced"),
        ("memo: {from: Name}", {"Name": "   "}, None),
        ("memo: {from: Nowhere, optional: true}", {}, None),
        ("memo: {from: Nowhere, optional: true, default: {from: Name}}", {}, "Spring order"),
        ("memo: {from: Name, default: other}", {"Name": None}, "other"),
        ("memo: {from: Name, max_length: 7}", {}, "Spring"),
        ("memo: {from: Name}", {"Name": f"see [sf:{OTHER}:1:1]"}, "see"),
        ("memo: {from: Name, default: other}", {"Name": f"[sf:{OTHER}:1:1]"}, "other"),
        ("memo: {from: Days}", {"Days": "100"}, "100"),
        ("memo: {from: CloseDate}", {}, "2026-03-01"),
        ('memo: {text: "PO {Name} of {CloseDate}"}', {}, "PO Spring order of 2026-03-01"),
        ('memo: {text: "PO {Name}"}', {"Name": None}, "PO"),
        ('memo: {text: "{Name}"}', {"Name": None}, None),
        ('memo: {text: "{Days} days, {{net}}"}', {"Days": "30"}, "30 days, {net}"),
        ('memo: {text: "{Days} days"}', {"Days": "0"}, "0 days"),
        ("memo: {from: Name, map: {Spring order: A}}", {}, "A"),
        ("memo: {from: Days, map: {'30': A}}", {"Days": "30.0"}, "A"),
        ("memo: {from: Name, map: {Autumn: A}, default: other}", {}, "other"),
        ("memo: {from: Name, map: {Autumn: A}}", {"Name": None}, None),
        ("dueDate: {from: WonAt}", {"WonAt": datetime(2026, 3, 1, 7, 59, tzinfo=UTC)}, "2026-02-28"),
        ("dueDate: {from: WonAt}", {"WonAt": datetime(2026, 3, 1, 8, 0, tzinfo=UTC)}, "2026-03-01"),
        ("dueDate: '2026-12-24'", {}, "2026-12-24"),
        ("dueDate: {from: CloseDate, add_days: 30}", {}, "2026-03-31"),
        ("dueDate: {from: CloseDate, add_days: {from: Days}}", {"Days": "-1"}, "2026-02-28"),
        ("dueDate: {from: CloseDate, add_days: {from: Days}}", {"Days": None}, "2026-03-01"),
        ("dueDate: {from: CloseDate, add_days: {from: Days, default: 14}}", {"Days": None}, "2026-03-15"),
        ("dueDate: {from: WonAt, add_days: 30}", {"WonAt": None}, None),
    ],
)
def test_a_field_becomes(field, changes, value):
    assert value_of(field, **changes) == value


@pytest.mark.parametrize(
    ("field", "changes", "error_class", "cause"),
    [
        (
            "memo: {from: Name, map: {A: B}}",
            {},
            "unmapped_value",
            "the value 'Spring order' of Name is not listed in map",
        ),
        ("dueDate: {from: Name}", {}, "wrong_type", "'Spring order' is not a date"),
        ("dueDate: '0001-01-01'", {}, "wrong_type", "'0001-01-01' is not between the years 1700 and 4000"),
        ("dueDate: {from: Name}", {"Name": "an \n" * 50}, "wrong_type", f"'{'an ' * 26}a…' is not a date"),
        (f"{DUE}{{from: Days}}}}", {"Days": "1.5"}, "wrong_type", "add_days: 1.5 is not a whole number"),
        (
            f"{DUE}{{from: Days}}}}",
            {"Days": "9999999"},
            "wrong_type",
            "2026-03-01 with 9999999 days added is not",
        ),
        (f"{DUE}{{from: Days}}}}", {"Days": "999999999999"}, "wrong_type", "2026-03-01 with 999999999999 days added"),
        (f"{DUE}{{from: Name}}}}", {}, "wrong_type", "add_days: 'Spring order' is not a number"),
        (f"{DUE}45 days}}", {}, "wrong_type", "add_days: '45 days' is not a number"),
        (f"{DUE}'1234567890.123456'}}", {}, "wrong_type", "add_days: '1234567890.123456' has more than 15 digits"),
    ],
)
def test_a_value_that_cannot_be_converted_parks_its_deal_and_is_shown(field, changes, error_class, cause):
    problem = value_of(field, **changes)
    assert problem.error_class == error_class
    assert problem.cause.startswith(f"{field.partition(':')[0]}: {cause}")


@pytest.mark.parametrize(
    ("changes", "around", "cause"),
    [
        ({"CurrencyIsoCode": "Canadian"}, {}, "its currency 'Canadian' is not a three-letter ISO code"),
        ({"CurrencyIsoCode": "JPY"}, {}, "its currency JPY does not have two decimals"),
        ({"AccountId": ACCOUNT, "SaleId": "see mail"}, {}, "sale: 'see mail' is not a Salesforce id"),
    ],
)
def test_the_value_at_fault_is_shown(changes, around, cause):
    tail = "sale: {from: SaleId, optional: true}\n"
    assert only_problem(run(deal(**changes), tail=tail, **around)).cause.startswith(cause)


def test_an_amount_that_is_none_parks_its_deal_and_is_shown():
    mapping = MAPPING.replace("{from: TotalPrice}", "{from: Description}") % ("poNumber: none", "")
    made = transform(load_mapping(mapping, "m"), table([deal()]), table([line(Description="tba")]), AROUND)
    assert only_problem(made).cause == "amount: 'tba' is not an amount"


def test_the_first_problem_of_a_deal_is_the_one_told():
    assert (
        only_problem(run(deal(AccountId=None, CloseDate=None), lines=[line(TotalPrice=None)])).cause
        == "contact: it is empty"
    )


def test_one_sale_is_named_by_the_same_id_whichever_record_it_comes_from():
    sale = "sale: {from: SaleId, optional: true}\n"
    result = run(deal(SaleId="0060000000000AB"), deal(OTHER, SaleId=None), tail=sale)
    assert sales(result) == {DEAL: "0060000000000ABAAY", OTHER: OTHER}
    assert sales(run(deal(), tail=sale)) == sales(run(deal())) == {DEAL: DEAL}


def test_a_sale_that_is_no_id_parks_the_deal_and_bills_nothing():
    result = run(deal(SaleId="see mail"), deal(OTHER, SaleId=THIRD), tail="sale: {from: SaleId}\n")
    assert list(documents(result.made)) == [OTHER]
    assert result.problems[DEAL].cause.startswith("sale: ")


def test_a_customer_has_no_lines_and_no_total():
    text = (
        "version: 1\nname: c\nfrom: {object: Account}\nto: customer\nfields: {name: {from: Name}, city: {from: City}}"
    )
    result = transform(load_mapping(text, "m"), table([{"Id": ACCOUNT, "Name": "Acme", "City": None}]), None, AROUND)
    assert documents(result.made) == {ACCOUNT: {"name": "Acme"}}


CENTS = st.integers(-100, 50_000)
DEALS = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(CENTS, st.integers(0, 7)), max_size=3), st.integers(0, 1)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30, deadline=None)  # each example builds two frames
@given(DEALS, st.randoms())
def test_every_deal_ends_in_one_place_in_any_order_and_bills_exactly_its_amount(deals, random):
    records, lines, amounts = [], [], {}
    for number, (won, own, off) in enumerate(deals):
        ident = f"00600000000000{number}AAA"
        amounts[ident] = sum(cents for cents, _ in own) + off
        records.append(deal(ident, IsWon=won, Amount=Decimal(amounts[ident]) / 100))
        lines += [line(ident, TotalPrice=Decimal(c) / 100, Quantity=str(q)) for c, q in own]
    result = run(*records, lines=lines)
    places = [*documents(result.made), *result.problems, *excluded(result)]
    assert sorted(places) == sorted(amounts)
    assert {key: net_total(document) for key, document in documents(result.made).items()}.items() <= amounts.items()
    shuffled = random.sample(records, len(records))
    again = run(*shuffled, lines=lines)
    assert (documents(again.made), again.problems, excluded(again)) == (
        documents(result.made),
        result.problems,
        excluded(result),
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("IsWon, Amount >= 100", 'IsWon, Amount >= "100"', "when"),
        ("when: [IsWon", 'rules: [{when: Amount == "x", skip: no deal}]\nwhen: [IsWon', "rules"),
    ],
)
def test_a_condition_whose_types_changed_since_it_was_checked_is_said_with_its_place(old, new, place):
    """Somebody may edit a mapping, or change a field, while a run is on its way."""
    text = MAPPING.replace(old, new, 1) % ("poNumber: none", "")
    line = text[: text.index(f"{place}: [")].count("\n") + 1
    with pytest.raises(ConfigurationError, match=rf"^m.yaml:{line}:\d+: .*compares values of different types"):
        transform(load_mapping(text, "m.yaml"), table([deal()]), None, AROUND)

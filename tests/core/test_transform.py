from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.amounts import add_up
from airflow_provider_kashoo.core.mapping.cells import Cells
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.lines import Lines
from airflow_provider_kashoo.core.mapping.model import load_mapping
from airflow_provider_kashoo.core.mapping.select import Credit, Why
from airflow_provider_kashoo.core.mapping.transform import Transformed, documents, transform
from airflow_provider_kashoo.core.rules.totals import net_total
from airflow_provider_kashoo.core.values.texts import length

AROUND = Surroundings("America/Vancouver", "CAD", {"customers": "customer", "items": "item"})
DEAL, OTHER, THIRD = "006000000000001AAA", "006000000000002AAA", "006000000000003AAA"
ACCOUNT, PRODUCT = "001000000000001AAA", "01t000000000001AAA"
NUMBER = pa.decimal128(38, 10)
TYPES = {
    "Amount": NUMBER,
    "TotalPrice": NUMBER,
    "Quantity": NUMBER,
    "Days": NUMBER,
    "IsWon": pa.bool_(),
    "CloseDate": pa.date32(),
    "WonAt": pa.timestamp("us", "UTC"),
}
MAPPING = """\
version: 1
name: invoices
from: {object: Opportunity, lines: OpportunityLineItems}
to: invoice
when: [IsWon, Amount >= 100]
total: {from: Amount}
fields:
  contact: {link: AccountId, mapping: customers}
  date: {from: CloseDate}
  currency: {from: CurrencyIsoCode}
  %s
lines:
  item: {link: Product2Id, mapping: items}
  description: {from: Description, default: {from: Product2.Name}}
  quantity: {from: Quantity}
  amount: {from: TotalPrice}
  account: "4000"
  taxCode: {from: Family, map: {Services: S}, default: none}
%s"""
DUE = "dueDate: {from: CloseDate, add_days: "
SINGLE = """\
single_line:
  description: {from: Name}
  amount: {from: Amount}
  account: "4000"
  taxCode: none
"""


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build columns as the extract stages them; whole numbers stand for decimals."""
    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = TYPES.get(name, pa.string())
        cells = [row.get(name) for row in rows]
        number = pa.types.is_decimal(kind)
        arrays[name] = pa.array([Decimal(c) if number and c is not None else c for c in cells], type=kind)
    return pa.table(arrays)


def deal(ident: str = DEAL, **changes: Any) -> dict[str, Any]:
    row = {"Id": ident, "Name": "Spring order", "IsWon": True, "Amount": "300.00", "AccountId": ACCOUNT}
    return row | {"CloseDate": date(2026, 3, 1), "CurrencyIsoCode": "CAD"} | changes


def line(parent: str = DEAL, **changes: Any) -> dict[str, Any]:
    row = {"parent": parent, "Product2Id": PRODUCT, "Product2.Name": "Widget", "Description": None}
    return row | {"Quantity": "3", "TotalPrice": "300.00", "Family": "Goods"} | changes


def run(*records: dict[str, Any], lines: list[dict[str, Any]] | None = None, field: str = "", tail: str = "", **around):
    mapping = load_mapping(MAPPING % (field or "poNumber: none", tail), "m.yaml")
    given_lines = [line(record["Id"]) for record in records] if lines is None else lines
    surroundings = Surroundings(**(AROUND.__dict__ | around))
    return transform(mapping, table(list(records)), table(given_lines) if given_lines else None, surroundings)


def value_of(field: str, **changes: Any) -> Any:
    """Give what one more header field becomes: a value, None when left out, or the problem it makes."""
    result = run(deal(**changes), field=field)
    return result.problems.get(DEAL) or documents(result.made)[DEAL].get(field.partition(":")[0])


def excluded(result: Transformed) -> dict[str, str]:
    return {
        **{ident: why.text for why, ids in result.excluded.items() for ident in ids.to_pylist()},
        **{ident: credit.unmet.text for ident, credit in result.credits.items()},
    }


def sales(result: Transformed) -> dict[str, str]:
    made = zip(result.made["Id"].to_pylist(), result.made["sale"].to_pylist(), strict=True)
    return {**dict(made), **result.unfit_sales}


def only_problem(result: Transformed) -> Problem:
    assert (documents(result.made), list(result.problems)) == ({}, [DEAL])
    return result.problems[DEAL]


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


def test_the_rate_follows_from_the_total_after_discount():
    lines = [
        line(TotalPrice="100.00"),
        line(TotalPrice="199.99", Quantity="0.5"),
        line(TotalPrice="0.01", Quantity=None),
    ]
    kept = [(each["quantity"], each["rate"]) for each in documents(run(deal(), lines=lines).made)[DEAL]["lines"]]
    assert kept == [("1", 10000), ("0.5", 39998), ("1", 1)]


def test_what_cents_cannot_hold_goes_out_as_one_and_says_what_was_sold():
    lines = [
        line(TotalPrice="1153.60", Quantity="7000"),
        line(TotalPrice="100.00", **{"Product2.Name": None}),
        line(TotalPrice="-3.50", Quantity="-2", Description="Returned"),
        line(TotalPrice="100.00", Description="Desks (3 x ~33.33)"),
        line(TotalPrice="100.00", Description="3 x ~33.33"),
        line(TotalPrice="5.00", Quantity="0"),
        line(TotalPrice="30.00"),
    ]
    document = documents(run(deal(Amount="1485.10"), lines=lines).made)[DEAL]
    assert [(each["description"], each["quantity"], each["rate"]) for each in document["lines"]] == [
        ("Widget (7,000 x 0.1648)", "1", 115360),
        ("3 x ~33.33", "1", 10000),
        ("Returned (-2 x 1.75)", "1", -350),
        ("Desks (3 x ~33.33)", "1", 10000),
        ("3 x ~33.33", "1", 10000),
        ("Widget", "1", 500),
        ("Widget", "3", 1000),
    ]


def test_what_was_sold_fits_into_the_longest_description():
    short = MAPPING.replace("{from: Product2.Name}}", "{from: Product2.Name}, max_length: 20}")
    mapping = load_mapping(short % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="100.00", Description="Desks for the new office"), line(Description="x" * 30)]
    made = transform(mapping, table([deal(Amount="400.00")]), table(lines), AROUND).made
    found = documents(made)[DEAL]["lines"]
    assert [each["description"] for each in found] == ["Desks f (3 x ~33.33)", "x" * 20]


@pytest.mark.parametrize(
    ("more", "kept", "told"),
    [
        ("", 255, "x" * 242 + " (3 x ~33.33)"),
        (", max_length: 20", 255, "x" * 7 + " (3 x ~33.33)"),
        (", max_length: 300", 255, "x" * 242 + " (3 x ~33.33)"),
        ("", 12, "3 x ~33.33"),
    ],
)
def test_what_was_sold_fits_into_what_the_books_keep(more, kept, told):
    text = MAPPING.replace("{from: Product2.Name}}", f"{{from: Product2.Name}}{more}}}")
    mapping = load_mapping(text % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="100.00", Description="x" * 400)]
    found = transform(mapping, table([deal(Amount="100.00")]), table(lines), replace(AROUND, line_text=kept))
    assert documents(found.made)[DEAL]["lines"][0]["description"] == told


def test_a_letter_outside_of_the_first_plane_is_not_halved_before_what_was_sold():
    lines = [line(TotalPrice="100.00", Description="\N{GRINNING FACE}" * 400)]
    mapping = load_mapping(MAPPING % ("poNumber: none", ""), "m.yaml")
    found = transform(mapping, table([deal(Amount="100.00")]), table(lines), replace(AROUND, line_text=255))
    assert length(documents(found.made)[DEAL]["lines"][0]["description"]) in {254, 255}


def test_a_deal_whose_lines_do_not_add_up_is_a_problem():
    problem = only_problem(run(deal(), lines=[line(TotalPrice="299.985")]))
    assert problem.error_class == "lines_do_not_add_up"
    assert problem.cause == "its lines add up to 299.985, but its total is 300.00"
    assert problem.fix == "Compare the sum of its lines with Amount in Salesforce, and correct one of them."


@pytest.mark.parametrize(
    ("amount", "prices", "rates", "rounded"),
    [
        ("100.005", ["33.335"] * 3, [3334, 3334, 3333], "100.005 rounded to 100.01"),
        ("100.00", ["33.335"] * 3, [3334, 3333, 3333], ""),
        ("100.00", ["33.335", "66.665"], [3334, 6666], ""),
        ("100.005", ["133.34", "-33.335"], [13334, -3333], "100.005 rounded to 100.01"),
        ("100.009", ["100.00"], [10000], "100.009 rounded to 100.00"),
        ("100.00", ["100.0099999999"], [10000], ""),
        ("100.00", ["100.01"], None, "lines_do_not_add_up"),
        ("100.00", ["99.99"], None, "lines_do_not_add_up"),
    ],
)
def test_cents_that_nobody_can_correct_are_rounded_once_and_named(amount, prices, rates, rounded):
    result = run(deal(Amount=amount), lines=[line(TotalPrice=price, Quantity="1") for price in prices])
    if rates is None:
        assert only_problem(result).error_class == rounded
        return
    assert [each["rate"] for each in documents(result.made)[DEAL]["lines"]] == rates
    assert result.rounded.get(DEAL, "") == rounded


def test_without_a_total_the_sum_of_the_lines_is_rounded_once():
    mapping = load_mapping(MAPPING.replace("total: {from: Amount}\n", "") % ("poNumber: none", ""), "m.yaml")
    lines = [line(TotalPrice="33.335", Quantity="1") for _ in range(3)]
    result = transform(mapping, table([deal(Amount="999.00")]), table(lines), AROUND)
    assert net_total(documents(result.made)[DEAL]) == 10001


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


def test_thirty_decimals_are_exact_and_ten_thousand_lines_are_one_invoice():
    tiny = Decimal("1E-30")
    wide = pa.decimal256(76, 38)
    rows = [line(Id=f"{number:05}", Quantity="1", TotalPrice=Decimal("0.01")) for number in range(10_000)]
    rows[0]["TotalPrice"], rows[1]["TotalPrice"] = Decimal("0.015") - tiny, Decimal("0.005") + tiny
    lines = table([row | {"TotalPrice": None} for row in rows])
    prices = pa.array([row["TotalPrice"] for row in rows], wide)
    lines = lines.set_column(lines.column_names.index("TotalPrice"), "TotalPrice", prices)
    mapping = load_mapping(MAPPING % ("poNumber: none", ""), "m.yaml")
    found = documents(transform(mapping, table([deal(Amount="100.00")]), lines, AROUND).made)[DEAL]
    assert [each["rate"] for each in found["lines"]][:3] == [1, 1, 1]
    assert (len(found["lines"]), net_total(found)) == (10_000, 10_000)


@pytest.mark.parametrize("price", ["9" * 17, "-" + "9" * 17, "100000000000000000.00"])
def test_an_amount_that_the_books_cannot_count_parks_its_deal(price):
    result = run(
        deal(Amount="100.00"),
        deal(OTHER),
        lines=[line(TotalPrice=price), line(TotalPrice=f"{100 - Decimal(price):f}"), line(OTHER)],
    )
    assert list(documents(result.made)) == [OTHER]
    assert "has more digits than the books can hold" in result.problems[DEAL].cause


def test_a_rate_of_a_large_line_is_exact():
    result = run(deal(Amount="200000000000.00"), lines=[line(TotalPrice="200000000000.00", Quantity="0.000064")])
    (made,) = documents(result.made)[DEAL]["lines"]
    assert (made["quantity"], made["rate"]) == ("0.000064", 2 * 10**19 // 64)


def test_more_large_lines_than_a_column_can_add_up_are_added_up_exactly():
    count, most = 184_467, 10**14 - 1
    amounts = Cells(pa.array([most] * count, pa.int64()))
    lines = Lines(np.zeros(count, np.int64), {"amount": amounts}, np.zeros(count, np.bool_))
    assert add_up(lines, 1, ()).amount(0) == Decimal(count) * most


def test_a_line_without_a_parent_goes_nowhere():
    result = run(deal(), lines=[line(), line(parent=None, TotalPrice="999.00"), line(parent=THIRD)])
    assert [each["rate"] for each in documents(result.made)[DEAL]["lines"]] == [10_000]
    assert result.problems == {}

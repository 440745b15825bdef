"""What the rules of a mapping make of the deals that they catch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapped import AROUND, DEAL, MAPPING, OTHER, deal, excluded, line, table

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.select import Why
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, documents, transform
from airflow_provider_kashoo.core.rules.totals import net_total

HANDLING = """\
rules:
  - when: Country not in ["US", "CA"]
    add_line: {description: International handling, percent: 5, account: "4200", taxCode: none}
"""


def run(rules: str, *deals: dict[str, Any], lines: list[dict[str, Any]] | None = None) -> Transformed:
    mapping = load_mapping(MAPPING % ("poNumber: none", rules), "m.yaml")
    given = [line(each["Id"]) for each in deals] if lines is None else lines
    return transform(mapping, table(list(deals)), table(given), AROUND)


def made(rules: str, *, lines: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    return documents(run(rules, deal(**changes), lines=lines).made)[DEAL]


def briefly(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(each.get("description"), each["quantity"], each["rate"], each["account"]) for each in document["lines"]]


def test_a_fee_of_five_percent_comes_on_top_of_what_salesforce_says() -> None:
    abroad, home = deal(Country="FR"), deal(OTHER, Country="CA")
    found = run(HANDLING, abroad, home)
    assert briefly(documents(found.made)[DEAL]) == [
        ("Widget", "3", 10_000, "4000"),
        ("International handling", "1", 1_500, "4200"),
    ]
    assert briefly(documents(found.made)[OTHER]) == [("Widget", "3", 10_000, "4000")]
    assert found.made["rules"].to_pylist() == [1, 0]


def test_a_fee_is_of_whole_cents_and_rounded_half_up() -> None:
    document = made(HANDLING, Country=None, Amount="100.10", lines=[line(TotalPrice="100.10", Quantity="1")])
    assert net_total(document) == 10_010 + 501


def test_lines_that_do_not_add_up_park_their_deal_whatever_a_rule_adds() -> None:
    found = run(HANDLING, deal(Country="FR"), lines=[line(TotalPrice="285.71")])
    assert found.problems[DEAL].error_class == "lines_do_not_add_up"


def test_a_fee_of_a_field_is_not_added_where_the_field_is_empty() -> None:
    rules = HANDLING.replace("percent: 5", "amount: {from: Days}").replace("Country not in", "Country in")
    assert briefly(made(rules, Country="CA", Days="12.345"))[1] == ("International handling", "1", 1_235, "4200")
    assert len(made(rules, Country="CA", Days=None)["lines"]) == 1


def test_fields_are_set_by_a_route_and_of_several_rules_the_last_counts() -> None:
    rules = """\
rules:
  - when: Region == "West" and Amount >= 200
    set: {memo: {text: "West {Name}"}, lines.account: "4100", lines.project: West coast}
  - when: Region == "West"
    set: {memo: {from: Name}}
"""
    west, east = made(rules, Region="West"), made(rules, Region="East")
    assert (west["memo"], east.get("memo")) == ("Spring order", None)
    assert [(each["account"], each["project"]) for each in west["lines"]] == [("4100", "West coast")]
    assert [(each["account"], each.get("project")) for each in east["lines"]] == [("4000", None)]


@pytest.mark.parametrize(
    ("set_", "says"),
    [
        ("dueDate: {from: Name}", "dueDate: 'Spring order' is not a date"),
        ('memo: {expr: "Amount / Days"}', "memo: "),
        ("memo: {from: Name, map: {a: b}}", "memo: the value 'Spring order' of Name is not listed in map"),
        ("lines.project: {from: Name, map: {a: b}}", "project: the value 'Spring order' of Name is not listed in map"),
    ],
)
def test_a_value_that_a_rule_cannot_set_parks_its_deal_and_is_not_left_out(set_: str, says: str) -> None:
    rules = f"rules:\n  - {{when: Days == 0, set: {{{set_}}}}}\n"
    found = run(rules, deal(Days="0"), deal(OTHER, Days="1"))
    assert found.made["Id"].to_pylist() == [OTHER]
    assert found.problems[DEAL].cause.startswith(says)


def test_a_function_of_a_rule_gets_the_deals_that_the_rule_catches() -> None:
    call = '{call: "own_rules:terms", inputs: [Rating, CloseDate], returns: date}'
    rules = f"rules:\n  - {{when: Days == 0, set: {{dueDate: {call}}}}}\n"
    found = run(rules, deal(Days="1", CloseDate=None), deal(OTHER, Days="0", Rating="Hot"))
    assert documents(found.made)[OTHER]["dueDate"] == "2026-04-30"
    assert found.problems[DEAL].cause == "date: it is empty"


def test_a_rule_may_set_what_the_deal_lacks() -> None:
    rules = 'rules: [{when: CloseDate == None, set: {date: "2026-12-31"}}]\n'
    assert made(rules, CloseDate=None)["date"] == "2026-12-31"
    assert run("", deal(CloseDate=None)).problems[DEAL].cause == "date: it is empty"


def test_lines_are_divided_over_projects_and_every_cent_stays() -> None:
    rules = "rules: [{split: {lines.project: {Hardware: 60, Services: 40}}}]\n"
    document = made(rules, lines=[line(TotalPrice="100.01"), line(TotalPrice="199.99", Description="Desk")])
    assert [(each["project"], each["description"], each["rate"]) for each in document["lines"]] == [
        ("Hardware", "Widget (60 %)", 6_001),
        ("Services", "Widget (40 %)", 4_000),
        ("Hardware", "Desk (60 %)", 11_999),
        ("Services", "Desk (40 %)", 8_000),
    ]


def test_what_is_added_before_is_divided_too() -> None:
    rules = HANDLING + "  - {split: {lines.account: {'4100': 50, '4300': 50}}}\n"
    document = made(rules, Country="FR")
    assert [(each["account"], each["rate"]) for each in document["lines"]] == [
        ("4100", 15_000),
        ("4300", 15_000),
        ("4100", 750),
        ("4300", 750),
    ]


@given(
    st.lists(st.integers(-10_000, 10**9), min_size=1, max_size=4),
    st.sampled_from([(60, 40), (33, 33, 34), (Decimal("0.5"), Decimal("99.5")), (100,)]),
    st.sampled_from(["5", "2.5", "0.01", "150"]),
)
def test_no_cent_is_lost_by_dividing_and_a_fee_is_what_it_says(
    cents: list[int], shares: tuple[Any, ...], percent: str
) -> None:
    split = ", ".join(f"P{place}: {share}" for place, share in enumerate(shares))
    rules = f"rules:\n  - add_line: {{description: Fee, percent: {percent}, account: '1', taxCode: none}}\n"
    rules += f"  - split: {{lines.project: {{{split}}}}}\n"
    prices = [f"{Decimal(each) / 100:f}" for each in cents]
    text = MAPPING.replace("when: [IsWon, Amount >= 100]", "when: [IsWon]").replace("total: {from: Amount}\n", "")
    mapping = load_mapping(text % ("poNumber: none", rules), "m.yaml")
    found = transform(mapping, table([deal()]), table([line(TotalPrice=price) for price in prices]), AROUND)
    if (total := sum(cents)) < 0:
        assert DEAL in found.credits
        return
    fee = int((Decimal(total) * Decimal(percent) / 100).to_integral_value(rounding="ROUND_HALF_UP"))
    assert net_total(documents(found.made)[DEAL]) == total + fee


def test_what_a_rule_skips_or_parks_says_why() -> None:
    rules = """\
rules:
  - {when: Name == "Test", skip: a test deal}
  - {when: Amount < 0, park: credits are made by hand}
"""
    text = MAPPING.replace("when: [IsWon, Amount >= 100]", "when: [IsWon]") % ("poNumber: none", rules)
    deals = table([deal(Name="Test"), deal(OTHER, Amount="-5.00")])
    found = transform(load_mapping(text, "m.yaml"), deals, None, AROUND)
    assert {why: ids.to_pylist() for why, ids in found.excluded.items()} == {Why("a test deal", by_rule=True): [DEAL]}
    assert (excluded(found), found.credits) == ({DEAL: "a test deal"}, {})
    fix = "Change the deal, or the rule in the mapping."
    assert found.problems == {OTHER: Problem("parked_by_rule", "credits are made by hand", fix)}
    assert (Why("x", by_rule=True).reason, Why("x").reason) == ("x", "not x")


PAID = 'rules:\n  - {when: Name == "Prepaid", mark_paid: {account: "1000", date: {from: WonOn}}}\n'
AND_WIRED = '  - {when: Family == "Wire", mark_paid: {account: "1010", date: {from: CloseDate}}}\n'


def test_of_what_a_rule_marks_as_paid_account_and_day_are_known() -> None:
    prepaid, open_ = deal(Name="Prepaid", WonOn="2026-01-03"), deal(OTHER, WonOn=None)
    found = run(PAID, prepaid, open_)
    assert found.made["payment"].to_pylist() == [{"account": "1000", "date": "2026-01-03"}, None]
    assert documents(found.made)[DEAL] == documents(run("", prepaid).made)[DEAL]
    assert "payment" not in run("", prepaid).made.column_names


def test_of_several_rules_that_mark_a_deal_as_paid_the_last_counts() -> None:
    both = deal(Name="Prepaid", Family="Wire", WonOn="2026-01-03")
    wired = deal(OTHER, Family="Wire", WonOn=None)
    found = run(PAID + AND_WIRED, both, wired)
    assert {each["account"] for each in found.made["payment"].to_pylist()} == {"1010"}


def test_a_payment_without_a_day_parks_its_deal_alone() -> None:
    found = run(PAID, deal(Name="Prepaid", WonOn=None), deal(OTHER, WonOn=None))
    assert found.problems[DEAL].cause == "mark_paid date: it is empty"
    assert found.made["Id"].to_pylist() == [OTHER]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{when: IsWon}", "give exactly one of skip, park, set, add_line, split, mark_paid"),
        ("{skip: no, when: IsWon}", "reads the word no as false"),
        ("{skip: x}", "a rule that would skip every deal; add when"),
        ("{split: {lines.project: {A: 60, B: 30}}}", "the shares of lines.project add up to 90; each above 0"),
        ("{split: {lines.project: {A: 160, B: -60}}}", "each above 0, together 100"),
        ("{split: {lines.amount: {A: 100}}}", "split takes invoices, lines.project or lines.account"),
        ("{set: {lines.amount: 5}}", "set takes fields of the invoice, and lines. with one of description"),
        ("{set: {colour: red}}", "invoice has no field 'colour'"),
        ("{set: {contact: me}}", "'contact' must be a link"),
        ("{add_line: {description: x, percent: -5, account: '1', taxCode: none}}", "Input should be greater than 0"),
        ("{add_line: {description: x, account: '1', taxCode: none}}", "give either percent or amount"),
        ("{mark_paid: {account: '1000', date: {from: CloseDate}}}", "a rule that would mark_paid every deal; add when"),
        ("{when: IsWon, mark_paid: {account: '1000'}}", "mark_paid.date: it is missing"),
        ("{when: IsWon, mark_paid: {account: '1', date: {link: AccountId, mapping: customers}}}", "cannot be a link"),
        ("{when: Amount > , skip: x}", "'Amount >' is not a valid condition"),
        ("{when: __import__('os'), skip: x}", "is not allowed in a condition"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_its_line(rule: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_mapping(MAPPING % ("poNumber: none", f"rules:\n  - {rule}\n"), "m.yaml")
    assert fault in str(caught.value)
    assert str(caught.value).startswith("m.yaml:2"), str(caught.value)

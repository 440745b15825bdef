"""One deal becomes several invoices: what each of them says, and which deals cannot be divided."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapped import AROUND, DEAL, DUE, MAPPING, NUMBER, OTHER, deal, line, table

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.sources import PART, MadeFrom
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, documents, part_documents, transform
from airflow_provider_kashoo.core.mapping.values.odd import ODD
from airflow_provider_kashoo.core.values.ids import KeyedHash

SPLIT = "rules:\n  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}\n"
RULED = (
    "rules:\n  - {when: IsWon, split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c%s}}}\n"
)
FIRST, SECOND, THIRD_ID = "a01000000000001AAA", "a01000000000002AAA", "a01000000000003AAA"
HASHES = KeyedHash(b"secret")
Row = dict[str, Any]


def milestone(ident: str, share: str | None, day: int | None = 1, parent: str = DEAL, **more: Any) -> Row:
    due = None if day is None else date(2026, 4, day)
    return {"Id": ident, "parent": parent, "Percent__c": share, "Due__c": due} | more


def children_of(rows: list[Row]) -> dict[str, pa.Table]:
    types = {"Percent__c": NUMBER, "Due__c": pa.date32(), "Payable__c": pa.date32()}
    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = types.get(name, pa.string())
        cells = [row.get(name) for row in rows]
        made = [Decimal(cell) if kind == NUMBER and cell is not None else cell for cell in cells]
        arrays[name] = pa.array(made, kind)
    return {"Billing_Milestones__r": pa.table(arrays)} if rows else {}


def divided(
    rows: list[Row], *records: Row, lines: list[Row] | None = None, rules: str = SPLIT, field: str = "", **around: Any
) -> Transformed:
    mapping = load_mapping(MAPPING % (field or "poNumber: none", rules), "m.yaml")
    records = records or (deal(),)
    given_lines = [line(each["Id"]) for each in records] if lines is None else lines
    surroundings = Surroundings(**(AROUND.__dict__ | around))
    return transform(mapping, table(list(records)), table(given_lines), surroundings, children_of(rows))


def amounts(result: Transformed, ident: str = DEAL) -> list[list[int]]:
    """Give the amount of each line of each part."""
    parts = part_documents(result.made).get(ident, [])
    assert all(each["quantity"] == "1" for part in parts for each in part.document["lines"])
    return [[each["rate"] for each in part.document["lines"]] for part in parts]


def only_undivided(result: Transformed) -> Problem:
    """Give why the deal is not divided; it is still made as one invoice, for a deal that was billed so before."""
    assert (part_documents(result.made), list(documents(result.made)), result.problems) == ({}, [DEAL], {})
    return result.undivided[DEAL]


def test_each_milestone_becomes_an_invoice_with_its_share_of_each_line() -> None:
    rows = [milestone(FIRST, "30"), milestone(SECOND, "70", 20)]
    result = divided(rows, field='memo: {text: "{Name}"}')
    whole = documents(result.made)[DEAL]
    assert whole["lines"][0]["rate"] == 10_000  # what one invoice would say: 3 x 100.00
    common = {"contact": {"link": ["customer", "001000000000001AAA"]}, "currency": "CAD", "memo": "Spring order"}
    shown = {"item": {"link": ["item", "01t000000000001AAA"]}, "account": "4000", "taxCode": "none", "quantity": "1"}
    assert [(part.child, part.document) for part in part_documents(result.made)[DEAL]] == [
        (FIRST, common | {"date": "2026-04-01", "lines": [shown | {"description": "Widget (30 %)", "rate": 9_000}]}),
        (SECOND, common | {"date": "2026-04-20", "lines": [shown | {"description": "Widget (70 %)", "rate": 21_000}]}),
    ]


def test_a_deal_that_no_rule_catches_stays_one_invoice() -> None:
    rules = RULED.replace("IsWon", 'Name == "Other"') % ""
    result = divided([milestone(FIRST, "40"), milestone(SECOND, "60")], deal(), rules=rules)
    assert (part_documents(result.made), list(documents(result.made))) == ({}, [DEAL])


def test_deals_are_divided_side_by_side_whatever_the_order_of_their_children() -> None:
    rows = [
        milestone(SECOND, "60"),
        milestone("a01000000000009AAA", "50", parent=OTHER),
        milestone(FIRST, "40"),
        milestone(THIRD_ID, "50", parent=OTHER),
    ]
    result = divided(rows, deal(), deal(OTHER, Amount="100.01"), lines=[line(), line(OTHER, TotalPrice="100.01")])
    assert amounts(result) == [[12_000], [18_000]]
    assert amounts(result, OTHER) == [[5_001], [5_000]]
    assert [part.child for part in part_documents(result.made)[OTHER]] == [THIRD_ID, "a01000000000009AAA"]


def test_lines_of_nothing_stay_so_that_no_invoice_is_empty() -> None:
    rows = [milestone(FIRST, "10"), milestone(SECOND, "90")]
    result = divided(rows, deal(Amount="300.01"), lines=[line(), line(TotalPrice="0.01")])
    assert amounts(result) == [[3_000, 0], [27_000, 1]]


def test_what_other_rules_add_is_divided_too() -> None:
    rules = 'rules:\n  - add_line: {description: Fee, percent: 5, account: "4200", taxCode: none}\n' + SPLIT[7:]
    assert amounts(divided([milestone(FIRST, "50"), milestone(SECOND, "50")], rules=rules)) == [[15_000, 750]] * 2


def test_the_due_date_is_as_many_days_after_the_date_as_that_of_the_deal() -> None:
    rows = [milestone(FIRST, "30", 1), milestone(SECOND, "70", 20)]
    result = divided(rows, field=DUE + "30}")
    assert [part.document["dueDate"] for part in part_documents(result.made)[DEAL]] == ["2026-05-01", "2026-05-20"]


def test_due_date_and_memo_may_be_those_of_the_child() -> None:
    rows = [
        milestone(FIRST, "30", Payable__c=date(2026, 4, 15), Note__c="Design"),
        milestone(SECOND, "70", Payable__c=None, Note__c=None),
    ]
    rules = RULED % ", dueDate: Payable__c, memo: Note__c"
    result = divided(rows, rules=rules, field='memo: {text: "{Name}"}\n  ' + DUE + "30}", room={"invoice": ("memo", 4)})
    said = [(part.document["dueDate"], part.document["memo"]) for part in part_documents(result.made)[DEAL]]
    assert said == [("2026-04-15", "Desi"), ("2026-05-01", "Spri")]


def test_a_long_description_gives_way_to_the_share() -> None:
    result = divided(
        [milestone(FIRST, "30"), milestone(SECOND, "70")], lines=[line(Description="x" * 50)], line_text=20
    )
    texts = [part.document["lines"][0]["description"] for part in part_documents(result.made)[DEAL]]
    assert texts == ["x" * 13 + " (30 %)", "x" * 13 + " (70 %)"]


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ([], "it has no Billing_Milestones__r"),
        ([milestone(FIRST, "100", parent=OTHER)], "it has no Billing_Milestones__r"),
        (
            [milestone(FIRST, "30"), milestone(SECOND, "60.5")],
            "the shares of its Billing_Milestones__r add up to 90.5, not 100: 30, 60.5",
        ),
        (
            [milestone(FIRST, "120"), milestone(SECOND, "-20")],
            "the shares of its Billing_Milestones__r are not all above 0: 120, -20",
        ),
        (
            [milestone(FIRST, "100"), milestone(SECOND, "0")],
            "the shares of its Billing_Milestones__r are not all above 0: 100, 0",
        ),
        (
            [milestone(FIRST, "100"), milestone(SECOND, None)],
            f"Percent__c of its Billing_Milestones__r {SECOND}: it is empty",
        ),
        ([milestone(FIRST, "100", None)], f"Due__c of its Billing_Milestones__r {FIRST}: it is empty"),
        (
            [milestone(FIRST, "100") | {ODD: "Due__c"}],
            "Billing_Milestones__r: Salesforce shows Due__c with a value that a field of its type cannot have",
        ),
    ],
)
def test_a_deal_that_cannot_be_divided_is_parked_whole(rows: list[Row], cause: str) -> None:
    assert only_undivided(divided(rows)).cause == cause


def test_very_many_shares_are_not_all_named() -> None:
    rows = [milestone(f"a0100000000{place:04d}AAA", "1") for place in range(99)]
    assert only_undivided(divided(rows)).cause.endswith("add up to 99, not 100: " + "1, " * 11 + "1 and 87 more")


def test_two_rules_that_would_divide_one_deal_park_it() -> None:
    problem = only_undivided(divided([milestone(FIRST, "100")], rules=SPLIT + SPLIT[7:]))
    assert problem.cause == "two rules would split it into invoices"


def test_a_credit_needs_no_milestones() -> None:
    result = divided([], deal(Amount="-300.00"), lines=[line(TotalPrice="-300.00")])
    assert (result.problems, result.undivided, list(result.credits)) == ({}, {}, [DEAL])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{invoices: {from: M__r, share: P__c}}", "date: it is missing"),
        (
            "{invoices: {from: M__r, share: P__c, date: D__c, due: X}}",
            "takes from, share, date, dueDate or memo, not 'due'",
        ),
        ("{invoices: {from: M__r, share: 40 %, date: D__c}}", "'40 %' is no field"),
        ("{invoices: {from: M__r, share: P__c, date: D__c}, lines.project: {A: 100}}", "split takes one of invoices"),
    ],
)
def test_a_rule_that_says_no_such_thing_is_refused(rule: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"m.yaml:\d+:\d+: .*") as refused:
        load_mapping(MAPPING % ("poNumber: none", f"rules:\n  - split: {rule}\n"), "m.yaml")
    assert said in str(refused.value)


def shares_between(cuts: set[int]) -> list[str]:
    """Cut 100 % into shares at these hundredths of a percent."""
    bounds = [0, *sorted(cuts), 10_000]
    return [str(Decimal(end - start) / 100) for start, end in pairwise(bounds)]


@given(
    shares=st.sets(st.integers(1, 9_999), max_size=5).map(shares_between),
    cents=st.lists(st.integers(-500_000, 5_000_000), min_size=1, max_size=5),
    data=st.data(),
)
def test_parts_add_up_to_each_line_whatever_the_order_of_the_children(
    shares: list[str], cents: list[int], data: st.DataObject
) -> None:
    total = sum(cents)
    rows = [milestone(f"a0100000000{place:04d}AAA", share) for place, share in enumerate(shares)]
    lines = [line(TotalPrice=str(Decimal(each) / 100), Quantity="1") for each in cents]
    record = deal(Amount=str(Decimal(total) / 100))
    result = divided(rows, record, lines=lines)
    again = divided(data.draw(st.permutations(rows)), record, lines=lines)
    if total < 10_000:  # excluded, or a credit
        assert part_documents(result.made) == {}
        return
    parts = amounts(result)
    assert [sum(each) for each in zip(*parts, strict=True)] == cents
    for part, share in zip(parts, shares, strict=True):
        assert all(abs(cent - each * Decimal(share) / 100) < 1 for cent, each in zip(part, cents, strict=True))
    assert part_documents(again.made) == part_documents(result.made)


def sources(rows: list[Row], record: Row | None = None, place: int = 0) -> dict[str, Any]:
    mapping = load_mapping(MAPPING % (DUE + "30}", RULED % ", memo: Note__c"), "m.yaml")
    records, lines, children = table([record or deal()]), table([line(Id="00k000000000001AAA")]), children_of(rows)
    part = part_documents(transform(mapping, records, lines, AROUND, children).made)[DEAL][place]
    made_from = MadeFrom(mapping, records, lines, HASHES.of_json)
    spec = mapping.rules[0].invoices
    assert spec
    return dict(made_from.of_part(0, spec, part.child, part.read))


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def test_from_what_a_part_is_made() -> None:
    rows = [milestone(FIRST, "40", Note__c="A"), milestone(SECOND, "60", Note__c="B")]
    before = sources(rows)
    assert before[PART] == {"Id": HASHES.of(FIRST)}
    assert changed(before, sources(rows, deal(CloseDate=date(2026, 3, 9)))) == {"dueDate"}
    moved = [rows[0] | {"Due__c": date(2026, 4, 9)}, rows[1]]
    assert changed(before, sources(moved)) == {"date", "dueDate"}
    other_shares = [milestone(FIRST, "40", Note__c="A"), milestone(SECOND, "30"), milestone(THIRD_ID, "30")]
    assert changed(before, sources(other_shares)) == {"lines"}
    assert changed(before, sources([rows[0] | {"Note__c": "C"}, rows[1]])) == {"memo"}
    without = [rows[1] | {"Percent__c": "100"}]
    assert changed(before, sources(without)) == {PART, "lines", "memo"}

"""A user's own function in a mapping: it gets copies, and what it returns is held against what it declares."""

from __future__ import annotations

import warnings
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import own_rules
import pytest
from mapped import DEAL, OTHER, deal, documents, line, run

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings


def memo(name: str, *names: str, returns: str = "text", more: str = "") -> list[Any]:
    """Give the memo that a function makes of deals with these names, or why there is none."""
    records = [deal(f"00600000000000{number}AAA", Name=each) for number, each in enumerate(names, 1)]
    spec = f'memo: {{call: "own_rules:{name}", inputs: [Name], returns: {returns}{more}}}'
    lines = [line(record["Id"]) for record in records]
    made = run(*with_ids(records), lines=with_parents(lines, records), field=spec)
    found = documents(made.made)
    return [found[each].get("memo") if each in found else made.problems[each].cause for each in ids(records)]


def with_ids(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record | {"Id": ident} for record, ident in zip(records, ids(records), strict=True)]


def with_parents(lines: list[dict[str, Any]], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each | {"parent": ident} for each, ident in zip(lines, ids(records), strict=True)]


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [f"00600000000000{number}AAA" for number in range(1, len(records) + 1)]


def test_a_function_gives_a_field_its_value() -> None:
    spec = 'dueDate: {call: "own_rules:terms", inputs: [Account.Rating, CloseDate], returns: date}'
    made = run(deal(**{"Account.Rating": "Hot"}), deal(OTHER, **{"Account.Rating": None}), field=spec)
    found = documents(made.made)
    assert [found[each]["dueDate"] for each in (DEAL, OTHER)] == ["2026-04-30", "2026-03-31"]


def test_it_gets_texts_decimals_days_and_none() -> None:
    spec = 'memo: {call: "own_rules:see", inputs: [Name, Amount, CloseDate, WonAt, IsWon, Gone__c], returns: text}'
    made = run(deal(Name=" Zoë "), deal(OTHER, Name=None), field=spec)
    assert len(documents(made.made)) == 2
    assert [
        ["Zoë", None],
        [Decimal(300), Decimal(300)],
        [date(2026, 3, 1)] * 2,
        [None, None],
        [True, True],
        [None, None],
    ] == own_rules.SEEN


def test_it_changes_nothing_but_its_own_copies_and_its_warnings_are_not_seen() -> None:
    spec = 'memo: {call: "own_rules:spoil", inputs: [Name], returns: text}\n  poNumber: {from: Name}'
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = documents(run(deal(), field=spec).made)[DEAL]
    assert (found["memo"], found["poNumber"], seen) == ("spoiled", "Spring order", [])


def test_when_it_fails_every_record_of_the_call_says_how() -> None:
    one, other = memo("fail", "a", "b")
    assert one == other
    assert one.startswith("memo: the function own_rules:fail: it failed with RuntimeError: nothing works xxx")
    assert len(one.partition("failed with ")[2]) == 300


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("leave", "it failed with SystemExit: 3"),
        ("too_short", "it returned 1 values for 2 rows"),
        ("turned", "it returned a Series with another index than that of its inputs"),
        ("scalar", "it returned str, not a Series or a list"),
    ],
)
def test_a_call_that_breaks_the_contract_parks_its_records(name: str, says: str) -> None:
    assert memo(name, "a", "b") == [f"memo: the function own_rules:{name}: {says}"] * 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("float", "it returned '1.5', a float, and declares text"),
        ("nan", "it returned 'nan', a float"),
        ("bool", "it returned 'True', a bool"),
        ("NaT", "it returned 'NaT', a NaTType"),
        ("list", "it returned '['x']', a list"),
        ("half", "it returned a text with half a character"),
        ("none", "it returned nothing, and nulls: true is not declared"),
        ("blank", "it returned nothing, and nulls: true is not declared"),
        ("long text", "it returned 41 characters, and declares a length of 40"),
        ("five", "it returned '5', a int, and declares text"),
    ],
)
def test_a_value_that_does_not_fit_parks_its_own_record_only(name: str, says: str) -> None:
    good, bad = memo("as_told", "ok", name, more=", length: 40")
    assert good == "ok"
    assert says in bad


@pytest.mark.parametrize(
    ("returns", "name", "says"),
    [
        ("number", "NaN", "which is no number that can be written down"),
        ("number", "sNaN", "which is no number that can be written down"),
        ("number", "inf", "which is no number that can be written down"),
        ("number", "long", "which is no number that can be written down"),
        ("number", "tiny", "which is no number that can be written down"),
        ("money", "float", "a float, and declares money"),
        ("number", "bool", "a bool, and declares number"),
        ("date", "instant", "a datetime, and declares date"),
        ("date", "ok", "a str, and declares date"),
    ],
)
def test_numbers_and_dates_are_what_they_are_declared(returns: str, name: str, says: str) -> None:
    fine = "day" if returns == "date" else "five"
    good, bad = memo("as_told", fine, name, returns=returns)
    assert good in {"2026-01-01", "5"}
    assert says in bad


def test_nothing_may_be_returned_where_that_is_declared() -> None:
    assert memo("as_told", "none", "blank", "ok", more=", nulls: true") == [None, None, "ok"]
    assert memo("as_told", "none", "ok", more=", nulls: true, default: '-'") == ["-", "ok"]


def test_odd_texts_pass_and_types_of_pandas_are_understood() -> None:
    assert memo("as_told", "emoji") == ["\u202e👩‍👩‍👧\x00"]
    assert memo("upper", "x" * 32_000) == ["X" * 32_000]
    assert memo("own_type", "a", "b") == ["A", "B"]


def amounts(name: str, given: str) -> Any:
    spec = f'{{call: "own_rules:{name}", inputs: [Amount], returns: money}}'
    rules = f'rules: [{{add_line: {{description: Fee, amount: {spec}, account: "4200", taxCode: none}}}}]'
    made = run(deal(Amount=given), lines=[line(TotalPrice=given)], tail=rules)
    found = documents(made.made)
    return found[DEAL]["lines"][1]["rate"] if found else made.problems[DEAL].cause


def test_money_is_decimal_or_int_in_major_units() -> None:
    assert amounts("cents", "301") == 151  # 1.505, rounded half up
    assert amounts("whole", "301") == 30_100
    assert "a float, and declares money" in amounts("floats", "301")


CUSTOMER = "version: 1\nname: c\nfrom: {object: Account}\nto: customer\nfields:\n  name: {from: Name}\n  "


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ('notes: {call: "no_such_thing.rules:terms", inputs: [Name], returns: text}', "no module 'no_such_thing'"),
        (
            'notes: {call: "own_rules:term", inputs: [Name], returns: text}',
            "Did you mean 'terms'?",
        ),
        ('notes: {call: "own_rules:terms", inputs: [Name], returns: text}', "does not take 1 inputs: missing a req"),
        ('notes: {call: "own_rules:NOT_A_FUNCTION", inputs: [Name], returns: text}', "is no function but int"),
        ('notes: {call: "broken_rules:terms", inputs: [Name], returns: text}', "importing 'broken_rules' fails: Zero"),
        ('notes: {call: "own_rules.terms", inputs: [Name], returns: text}', "is no function; write package.module"),
        ('notes: {call: "own_rules:upper", returns: text}', "call needs inputs"),
        ('notes: {call: "own_rules:upper", inputs: [Name]}', "call needs inputs"),
        ('notes: {call: "own_rules:upper", inputs: [Name * 2], returns: text}', "'Name * 2' is no field"),
        ('notes: {call: "own_rules:upper", inputs: [Name], returns: json}', "returns: 'json' is not 'text', 'date'"),
        ('notes: {call: "own_rules:whole", inputs: [A], returns: number, length: 4}', "length is for a function that"),
        ("notes: {from: Name, nulls: true}", "nulls belongs to call, and there is none"),
        ('notes: {from: Name, default: {call: "own_rules:x", inputs: [Name], returns: text}}', "has no 'x'"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, says: str
) -> None:
    (tmp_path / "broken_rules.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, CUSTOMER + field)
    assert "c.yaml:7:" in str(caught.value)
    assert says in str(caught.value)


def test_where_a_module_was_looked_for_and_what_may_be_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the installed packages and Airflow's plugins folder"):
        load(tmp_path, CUSTOMER + 'notes: {call: "nowhere:terms", inputs: [Name], returns: text}')
    with pytest.raises(ConfigurationError, match="Did you mean 'terms'"):
        load(tmp_path, CUSTOMER + 'notes: {call: "own_rules:term", inputs: [Name], returns: text}')


def test_what_it_declares_must_fit_its_target(tmp_path: Path) -> None:
    item = "version: 1\nname: i\nfrom: {object: Product2}\nto: item\nfields:\n  name: {from: Name}\n"
    field = '  account: {call: "own_rules:whole", inputs: [Name], returns: date}\n'
    with pytest.raises(ConfigurationError, match="own_rules:whole returns date, and it takes a code"):
        load(tmp_path, item + field)
    assert load(tmp_path, item + field.replace("date}", "date, map: {'2026-01-01': '4000'}}"))


def load(directory: Path, text: str) -> Any:
    (directory / "c.yaml").write_text(text)
    return load_mappings(directory)

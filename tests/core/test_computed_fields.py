"""Expressions where a mapping has values: lines, totals, rules, fallbacks, write-backs; and what is refused at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mapped import AROUND, DEAL, MAPPING, OTHER, THIRD, deal, documents, line, run, table
from pydantic import ValidationError

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.file.computed_check import misfits
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.write_back_check import misfits as write_back_misfits
from airflow_provider_kashoo.core.mapping.stages.sources import MadeFrom
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, transform
from airflow_provider_kashoo.core.mapping.stages.write_back import columns
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.mapping.values.operations import Kind
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

PRICED = "amount: {from: TotalPrice}"


def priced(amount: str, *lines: dict[str, Any], **changes: Any) -> Transformed:
    text = (MAPPING % ("poNumber: none", "")).replace(PRICED, f"amount: {amount}")
    return transform(load_mapping(text, "m.yaml"), table([deal(**changes)]), table(list(lines)), AROUND)


def rates(made: Transformed) -> list[tuple[str, int]]:
    return [(each["quantity"], each["rate"]) for each in documents(made.made)[DEAL]["lines"]]


def test_the_amount_of_a_line_is_computed() -> None:
    two = [line(Quantity="3", UnitPrice="33.40"), line(Quantity="2.5", UnitPrice="79.92")]
    assert rates(priced('{expr: "Quantity * UnitPrice"}', *two)) == [("3", 3340), ("2.5", 7992)]


def test_fractions_of_a_cent_are_kept_until_the_lines_are_rounded_together() -> None:
    three = [line(Quantity="1", UnitPrice="33.335")] * 3
    found = documents(priced('{expr: "Quantity * UnitPrice"}', *three, Amount="100.01").made)[DEAL]["lines"]
    assert [each["rate"] for each in found] == [3334, 3334, 3333]


def test_a_computed_amount_must_add_up_and_division_by_zero_parks_the_deal() -> None:
    made = priced('{expr: "Quantity * UnitPrice * 1.05"}', line(Quantity="3", UnitPrice="100"))
    assert made.problems[DEAL].cause == "its lines add up to 315.00, but its total is 300.00"
    made = priced('{expr: "UnitPrice / Quantity"}', line(Quantity="0", UnitPrice="100"))
    assert "cannot be computed from '100' and '0': nothing can be divided by 0" in made.problems[DEAL].cause


def test_a_line_that_cannot_be_computed_is_not_taken_for_an_empty_one() -> None:
    two = [line(Quantity="2", UnitPrice="600"), line(Quantity="0", UnitPrice="600")]
    assert priced('{expr: "UnitPrice / Quantity"}', *two).problems[DEAL].error_class == "not_computed"


def test_what_is_empty_is_missing_and_named_by_its_expression() -> None:
    made = priced('{expr: "Quantity * UnitPrice"}', line(UnitPrice=None))
    problem = made.problems[DEAL]
    assert (problem.cause, problem.error_class) == ("amount: it is empty", "missing_value")
    assert problem.fix.startswith("Fill Quantity * UnitPrice in Salesforce")


def test_total_rules_and_conditions_take_computed_values() -> None:
    tail = (
        "rules:\n"
        "  - set: {memo: {expr: \"concat('West ', Name)\"}}\n"
        '  - add_line: {description: Fee, amount: {expr: "round(Amount * 0.035, 2)"}, account: "4200", taxCode: none}\n'
    )
    text = (MAPPING % ("poNumber: none", tail)).replace("total: {from: Amount}", 'total: {expr: "Amount - Days"}')
    records = [deal(Amount="301.00", Days="1")]
    made = transform(load_mapping(text, "m.yaml"), table(records), table([line()]), AROUND)
    found = documents(made.made)[DEAL]
    assert found["memo"] == "West Spring order"
    assert [each["rate"] for each in found["lines"]] == [10_000, 1054]  # 10.535, rounded half up
    assert sum(Decimal(each["quantity"]) * each["rate"] for each in found["lines"]) == 30_000 + 1054


FALLBACKS = """\
dueDate:
    from: Promised__c
    optional: true
    add_days: 1
    default:
      from: Terms__c
      map: {Net: "2026-06-01"}
      add_days: 2
      default: {expr: "CloseDate + Days", default: {expr: "CloseDate + 7"}}
  memo:
    from: Code__c
    optional: true
    max_length: 9
    default:
      from: Terms__c
      map: {Net: net of everything}
      max_length: 7
      default: {expr: "concat('~', Name)", max_length: 5}
"""


def test_fallbacks_go_on_step_by_step() -> None:
    records = [
        deal(Terms__c="Net", Days="5"),
        deal(OTHER, Terms__c="Gross", Days="5"),
        deal(THIRD, Terms__c=None, Days=None),
    ]
    found = documents(run(*records, field=FALLBACKS.rstrip()).made)
    assert [found[each]["dueDate"] for each in (DEAL, OTHER, THIRD)] == ["2026-06-04", "2026-03-09", "2026-03-11"]
    assert [found[each]["memo"] for each in (DEAL, OTHER, THIRD)] == ["net of", "~Spri", "~Spri"]
    whole = [each | {"Code__c": "a code of many letters", "Promised__c": "2026-12-30"} for each in records]
    found = documents(run(*whole, field=FALLBACKS.rstrip()).made)
    assert {(each["dueDate"], each["memo"]) for each in found.values()} == {("2026-12-31", "a code of")}


def test_a_field_is_made_from_all_that_it_computes_from() -> None:
    number = 'poNumber: {call: "own_rules:upper", inputs: [Other__c], returns: text}'
    spec = f'memo: {{expr: "concat(Name, Code__c)"}}\n  {number}'
    mapping = load_mapping(MAPPING % (spec, ""), "m.yaml")

    def made(**changes: Any) -> Any:
        rows = table([deal(Code__c="a", Other__c="b") | changes])
        return MadeFrom(mapping, rows, None, lambda text: f"#{text}").of(0)

    before = made()
    assert {*before["memo"]} == {"Name", "Code__c", "mapping"}
    assert {*before["poNumber"]} == {"Other__c", "mapping"}
    assert [name for name in before if made(Code__c="z")[name] != before[name]] == ["memo"]
    assert [name for name in before if made(Other__c="z")[name] != before[name]] == ["poNumber"]


# -- refused before a run


def load(directory: Path, field: str, old: str = "poNumber: none") -> Any:
    text = (
        (MAPPING % ("poNumber: none", ""))
        .replace(old, field)
        .replace("contact: {link: AccountId, mapping: customers}", "contact: {link: AccountId, mapping: c}")
    )
    text = text.replace("  item: {link: Product2Id, mapping: items}\n", "")
    (directory / "m.yaml").write_text(text)
    (directory / "c.yaml").write_text(
        "version: 1\nname: c\nfrom: {object: Account}\nto: customer\nfields: {name: {from: Name}}\n"
    )
    return load_mappings(directory)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        (
            'poNumber: {expr: "lenn(Name)"}',
            "fields.poNumber.expr: 'lenn' is no function of an expression",
        ),
        ('poNumber: {expr: "Name", from: Name}', "exactly one of from, value, text, link, expr, call"),
        ("poNumber: {expr: 5}", "fields.poNumber.expr: '5' is not a text"),
        ('poNumber: {from: Name, format: ".2f"}', "'.2f' is no format"),
        ('poNumber: {from: Name, format: "0", map: {a: b}}', "format cannot be joined with map or add_days"),
        ('poNumber: {text: "{Name}", format: "0"}', "format goes with from or expr; inside text, write {Path:format}"),
        (
            'dueDate: {from: CloseDate, format: "%Y"}',
            "dueDate: a format gives a text, and it takes a date",
        ),
        ('dueDate: {from: A, default: {from: B, format: "%Y"}}', "a format gives a text, and it takes a date"),
    ],
)
def test_a_mistake_is_refused_with_file_and_line(tmp_path: Path, field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, field)
    assert "m.yaml:11:" in str(caught.value)
    assert says in str(caught.value)


def test_a_mistake_knows_its_place_in_the_expression() -> None:
    with pytest.raises(ValidationError) as caught:
        Field.model_validate({"expr": "Amount * lenn(Name)"})
    (fault,) = caught.value.errors()
    assert (fault["loc"], fault["ctx"]["error"].offset) == (("expr",), 9)


def test_a_link_is_never_computed(tmp_path: Path) -> None:
    old = "contact: {link: AccountId, mapping: customers}"
    with pytest.raises(ConfigurationError, match="'contact' must be a link"):
        load(tmp_path, 'contact: {expr: "AccountId"}', old)
    nested = 'contact: {link: AccountId, mapping: c, default: {expr: "Other__c"}}'
    with pytest.raises(ConfigurationError, match="a link cannot be computed"):
        load(tmp_path, nested, old)


KINDS: dict[str, Kind] = {"Name": "a text", "Amount": "a number", "CloseDate": "a date", "IsWon": "a checkbox"}


@pytest.mark.parametrize(
    ("spec", "into", "says"),
    [
        ({"expr": "Name * 2"}, "money", "'Name * 2' takes two numbers, and Name is a text"),
        ({"expr": "concat(Name, '')"}, "money", "gives a text, and it takes an amount"),
        ({"expr": "CloseDate + 1"}, "number", "gives a date, and it takes a number"),
        ({"expr": "Amount + 1"}, "date", "gives a number, and it takes a date"),
        ({"expr": "CloseDate + 1"}, "code", "gives a date, and it takes a code"),
        ({"expr": "Amount", "format": "%Y"}, "text", "the format '%Y' is for a date, and Amount is a number"),
        ({"from": "Name", "format": "0.00"}, "text", "the format '0.00' is for a number, and Name is a text"),
        ({"text": "{IsWon:0}"}, "text", "the format '0' is for a number, and IsWon is a checkbox"),
        ({"from": "Name", "default": {"expr": "Name"}}, "date", "'Name' gives a text, and it takes a date"),
        ({"from": "CloseDate", "add_days": {"expr": "CloseDate"}}, "date", "gives a date, and it takes a number"),
    ],
)
def test_types_that_do_not_fit_are_known_before_a_run(spec: dict[str, Any], into: Any, says: str) -> None:
    (found,) = misfits(Field.model_validate(spec), into, KINDS)
    assert says in found[0]


@pytest.mark.parametrize(
    ("spec", "into"),
    [
        ({"expr": "Amount * 2"}, "money"),
        ({"expr": "Amount * 2"}, "text"),
        ({"expr": "IsWon", "map": {"true": "2026-01-01"}}, "date"),
        ({"expr": "CloseDate - CloseDate"}, "number"),
        ({"expr": "Unknown__c * 2"}, "date"),
        ({"expr": "Amount", "format": "0"}, "text"),
        ({"from": "CloseDate", "format": "%Y"}, "text"),
    ],
)
def test_types_that_fit_are_let_through(spec: dict[str, Any], into: Any) -> None:
    assert list(misfits(Field.model_validate(spec), into, KINDS)) == []


# -- write-backs

SETTLED = {
    "invoice_id": "7", "number": "INV-1", "status": "Paid", "currency": "USD", "due_date": "2026-04-01",
    "total": 123_456, "paid": 23_456, "balance": 100_000, "last_payment_date": None,
}  # fmt: skip


def back(spec: str) -> Any:
    return load_mapping(f"version: 1\nname: b\nfrom: {{object: invoice}}\nto: Opportunity\nfields:\n  F: {spec}\n", "b")


def info(kind: str, scale: int = 2) -> FieldInfo:
    return FieldInfo("F", kind, scale, 80, False, True, (), None)


@pytest.mark.parametrize(
    ("spec", "kind", "written"),
    [
        ('{expr: "total - paid"}', "currency", "1000"),
        ('{expr: "round(paid / total * 100, 2)"}', "percent", "19"),
        (
            '{text: "{paid:#,##0.00} of {total:#,##0.00}, due {due_date:%d %b %Y}"}',
            "string",
            "234.56 of 1,234.56, due 01 Apr 2026",
        ),
        ('{from: total, format: "#,##0.00"}', "string", "1,234.56"),
        ('{expr: "coalesce(last_payment_date, due_date + 1)"}', "date", "2026-04-02"),
        ('{from: total, default: {expr: "paid"}}', "currency", "1234.56"),
        ('{call: "own_rules:whole", inputs: [total], returns: money}', "currency", "1234"),
    ],
)
def test_a_write_back_computes_with_amounts_and_dates(spec: str, kind: str, written: str) -> None:
    assert columns(back(spec).fields, [SETTLED], {"F": info(kind)}, "UTC")["F"] == [written]
    assert list(write_back_misfits(back(spec).fields["F"], "F", info(kind), "UTC")) == []


@pytest.mark.parametrize(
    ("spec", "kind", "says"),
    [
        (
            '{expr: "total - number"}',
            "currency",
            "takes two numbers, two dates, or a date and a number of days, and total",
        ),
        ('{expr: "concat(number, status)"}', "currency", 'is a number field, and "concat(number, status)" is a text'),
        ('{from: total, format: "0.00"}', "currency", "is a number field, and total is a text"),
        ('{expr: "total - paid"}', "date", "is a date field, and 'total - paid' is an amount"),
        ('{from: number, format: "0.00"}', "string", "the format '0.00' is for a number, and number is a text"),
        (
            '{call: "own_rules:no", inputs: [total], returns: date}',
            "currency",
            "is a number field, and own_rules:no is a date",
        ),
    ],
)
def test_what_a_write_back_can_never_fill_is_refused(spec: str, kind: str, says: str) -> None:
    assert says.replace('"', "'") in " ".join(write_back_misfits(back(spec).fields["F"], "F", info(kind), "UTC"))


def test_a_write_back_names_what_an_invoice_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="an invoice has no 'totl'"):
        back('{expr: "totl - paid"}')


def test_values_that_cannot_be_computed_park_their_invoice() -> None:
    (found,) = columns(back('{expr: "total / (paid - paid)"}').fields, [SETTLED], {"F": info("currency")}, "UTC")["F"]
    assert isinstance(found, Problem)
    assert "nothing can be divided by 0" in found.cause


def test_no_column_is_left_without_a_type() -> None:
    assert pa.types.is_string(run(deal(), field='memo: {expr: "Gone__c"}').made["memo"].type)

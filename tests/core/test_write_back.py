"""What a write-back mapping makes of invoices: the value of each, to the digit, and once for all that say the same."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages import write_back
from airflow_provider_kashoo.core.mapping.stages.write_back import columns, rows
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo

SAYS: dict[str, Any] = {
    "invoice_id": "7", "number": "INV-7", "status": "Partly Paid", "currency": "USD", "due_date": "2026-04-01",
    "total": 10_050, "paid": 1_000, "balance": -5, "last_payment_date": None,
}  # fmt: skip
TEXT = FieldInfo("F__c", "string", 0, 255, False, True, (), None)
MONEY = FieldInfo("F__c", "currency", 2, 0, False, True, (), None, precision=18)


def mapping(**fields: str) -> Mapping:
    lines = "".join(f"  {name}: {expression}\n" for name, expression in fields.items())
    return load_mapping(
        f"version: 1\nname: back\nfrom: {{object: invoice}}\nto: Opportunity\nfields:\n{lines}", "b.yaml"
    )


def value(expression: str, into: FieldInfo = TEXT, **says: Any) -> Any:
    found = columns(mapping(F__c=expression).fields, [SAYS | says], {"F__c": into}, "America/Toronto")
    return found["F__c"][0]


@pytest.mark.parametrize(
    ("expression", "says", "wanted"),
    [
        ("{from: total}", {}, "100.5"),
        ("{from: paid}", {}, "10"),
        ("{from: balance}", {}, "-0.05"),
        ("{from: total}", {"total": 123_456_789_012_345_678}, "1234567890123456.78"),
        ("{from: number}", {"number": " 7 "}, "7"),
        ("{from: number}", {"number": ""}, None),
        ("{from: number, map: {X: Y}}", {"number": ""}, None),
        ("{from: number, default: none yet}", {"number": "  "}, "none yet"),
        ("{from: number, default: {from: invoice_id}}", {"number": None}, "7"),
        ("{from: number}", {"number": "A [sf:006000000000001AAA:1:1]"}, "A"),
        ("{text: 'Invoice {number}: {paid} of {total} {currency}'}", {}, "Invoice INV-7: 10 of 100.5 USD"),
        ("{text: 'Invoice {number}', max_length: 9}", {}, "Invoice I"),
        ("{from: total, map: {'100.5': big}, default: small}", {}, "big"),
        ("{from: total, map: {'100.5': big}, default: small}", {"total": 1}, "small"),
        ("{from: due_date, add_days: 30}", {}, "2026-05-01"),
        ("{from: due_date, add_days: {from: paid}}", {}, "2026-04-11"),
        ("{from: last_payment_date, add_days: 3}", {}, None),
        ("true", {}, "true"),
        ("5", {}, "5"),
    ],
)
def test_each_expression_gives_its_text(expression: str, says: dict[str, Any], wanted: str | None) -> None:
    assert value(expression, **says) == wanted


@pytest.mark.parametrize(
    ("expression", "into", "cause"),
    [
        ("{from: status, map: {Paid: P}}", TEXT, "the value 'Partly Paid' of status is not listed in map"),
        ("{from: due_date, add_days: {from: total}}", TEXT, "add_days: 100.5 is not a whole number"),
        ("{from: due_date, add_days: {from: number}}", TEXT, "add_days: 'INV-7' is not a number"),
        ("{from: status}", MONEY, "F__c takes a number, not 'Partly Paid'"),
    ],
)
def test_what_cannot_be_written_is_a_problem(expression: str, into: FieldInfo, cause: str) -> None:
    found = value(expression, into)
    assert isinstance(found, Problem)
    assert found.cause == cause


def test_what_is_not_known_of_an_invoice_is_left_out_of_its_document_only() -> None:
    asked = mapping(Number__c="{from: number}", Due__c="{text: 'due {due_date}'}", Paid__c="{from: paid}")
    hidden = {name: said for name, said in SAYS.items() if name not in {"number", "due_date"}}
    said = [SAYS, hidden, SAYS | {"number": None}]
    found = rows(asked.fields, said, columns(asked.fields, said, dict.fromkeys(asked.fields, TEXT), "UTC"))
    assert found == [
        {"Number__c": "INV-7", "Due__c": "due 2026-04-01", "Paid__c": "10"},
        {"Paid__c": "10"},
        {"Number__c": None, "Due__c": "due 2026-04-01", "Paid__c": "10"},
    ]


def test_only_the_fields_that_are_wanted_are_made() -> None:
    asked = mapping(Number__c="{from: number}", Paid__c="{from: paid}")
    assert columns(asked.fields, [SAYS], {"Paid__c": MONEY}, "UTC", {"Paid__c"}) == {"Paid__c": ["10"]}


def test_a_value_is_made_once_for_all_invoices_that_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str | None] = []
    real = write_back.fitted

    def counted(into: FieldInfo, text: str | None, zone: str) -> Any:
        made.append(text)
        return real(into, text, zone)

    monkeypatch.setattr(write_back, "fitted", counted)
    said = [SAYS | {"total": 100 * (number % 3), "paid": 0} for number in range(99)]
    asked = mapping(Total__c="{from: total}", Both__c="{text: '{paid} of {total}'}", Five__c="5")
    found = columns(asked.fields, said, dict.fromkeys(asked.fields, TEXT), "UTC")
    assert found["Both__c"] == [f"0 of {number % 3}" for number in range(99)]
    assert sorted(made) == ["0", "0 of 0", "0 of 1", "0 of 2", "1", "2", "5"]

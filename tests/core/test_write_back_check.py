"""What a write-back mapping can give, and what its fields take: found out before there is any invoice."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.kinds import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.write_back_check import misfits
from airflow_provider_kashoo.core.mapping.stages.write_back import columns
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.rules.settlement import STATUSES

ZONE = "America/Toronto"


def field(kind: str, **more: Any) -> FieldInfo:
    scale, length = more.pop("scale", 0), more.pop("length", 0)
    return FieldInfo("F__c", kind, scale, length, False, True, (), None, **more)


FIELDS = {
    "currency": field("currency", scale=2, precision=18),
    "whole currency": field("currency", scale=0, precision=18),
    "int": field("int", precision=9),
    "percent": field("percent", scale=2, precision=5),
    "text": field("string", length=40),
    "short text": field("string", length=8),
    "area": field("textarea", length=32000),
    "phone": field("phone", length=40),
    "date": field("date"),
    "datetime": field("datetime"),
    "checkbox": field("boolean", required=True),
    "status": field("picklist", length=255, values=STATUSES, restricted=True),
    "open picklist": field("picklist", length=255, values=("A",)),
    "colours": field("multipicklist", length=4099, values=("Red", "Blue"), restricted=True),
    "reference": field("reference"),
    "address": field("address"),
    "required text": field("string", length=40, required=True),
}

PLENTY = {
    "invoice_id": "7", "number": "INV-1001", "status": "Paid", "currency": "USD", "date": "2026-03-02",
    "due_date": "2026-04-01", "days_overdue": 12, "total": 10050, "paid": 10050, "balance": 0,
    "last_payment_date": "2026-03-09",
}  # fmt: skip
LITTLE = PLENTY | {
    "number": None,
    "currency": None,
    "date": None,
    "due_date": None,
    "days_overdue": None,
    "last_payment_date": None,
    "paid": 0,
    "balance": 10050,
}
SETTLEMENTS = [PLENTY, LITTLE, *(PLENTY | {"status": each} for each in STATUSES)]


def mapping(expression: str) -> Mapping:
    text = f"version: 1\nname: back\nfrom: {{object: invoice}}\nto: Opportunity\nfields:\n  F__c: {expression}\n"
    return load_mapping(text, "back.yaml")


def faults(expression: str, into: FieldInfo) -> list[str]:
    return list(misfits(mapping(expression).fields["F__c"], "F__c", into, ZONE))


def problems(expression: str, into: FieldInfo) -> list[Problem]:
    found = columns(mapping(expression).fields, SETTLEMENTS, {"F__c": into}, ZONE)
    return [value for value in found["F__c"] if isinstance(value, Problem)]


@pytest.mark.parametrize(
    ("expression", "into", "says"),
    [
        ("{from: number}", "currency", "is a number field, and number is a text. Map it to an amount"),
        ("'{number}'", "currency", "takes a number, not '{number}'"),  # a bare text is a constant
        ("{text: '{number}'}", "int", "is a number field, and number is a text"),
        ("{text: 'Paid {paid}'}", "currency", "is a number field, and 'Paid {paid}' is a text"),
        ("{from: paid}", "whole currency", "has 0 decimals, and paid is an amount. Give it 2 decimal places"),
        ("{from: paid}", "checkbox", "is a checkbox, and paid is an amount"),
        ("{from: paid}", "date", "is a date field, and paid is an amount"),
        ("{from: paid}", "status", "is a restricted picklist, and paid is an amount"),
        ("{from: due_date}", "currency", "is a number field, and due_date is a date"),
        ("{from: due_date}", "short text", "takes at most 8 characters, and due_date has 10 or more"),
        ("{from: status}", "colours", "takes only 'Red', 'Blue', not 'Open'"),
        ("{from: status}", "short text", "takes at most 8 characters, not the 11 of 'Partly Paid'"),
        ("{from: status}", "date", "takes a date as YYYY-MM-DD, not 'Open'"),
        ("{from: status, map: {Paid: Payed}, default: Open}", "status", "not 'Payed'"),
        ("{from: status, map: {Paid: 'true'}, default: 'no'}", "checkbox", "takes true or false, not 'no'"),
        (
            "{from: status, map: {Paid: 'true', Open: 'false'}}",
            "checkbox",
            "has a map without 'Partly Paid', 'Overpaid', 'Refunded', 'Void'. Add them to the map, or a default.",
        ),
        ("{from: number, map: {X: Pink}}", "colours", "takes only 'Red', 'Blue', not 'Pink'"),
        ("{from: last_payment_date}", "required text", "takes a value, not nothing"),
        ("{text: 'a very long text before {number}', max_length: 50}", "short text", "has 23 or more"),
        ("true", "currency", "takes a number, not 'true'"),
        ("maybe", "checkbox", "takes true or false, not 'maybe'"),
        ("Pink", "colours", "not 'Pink'"),
        ("006000000000001AAB", "reference", "takes the id of a record"),
        ("{from: invoice_id}", "reference", "refers to a record, and invoice_id is a whole number"),
        ("{from: status}", "address", "takes values of type address"),
        ("{from: number}", "address", "is of type address, which cannot be written back"),
    ],
)
def test_what_does_not_fit_is_said_before_it_is_written(expression: str, into: str, says: str) -> None:
    found = faults(expression, FIELDS[into])
    assert says in " ".join(found)
    assert all(each.startswith("F__c ") and each.endswith(".") for each in found)


@pytest.mark.parametrize(
    ("expression", "into"),
    [
        ("{from: status, map: {Paid: 'true'}, default: 'false'}", "checkbox"),
        ("true", "checkbox"),
        ("'true'", "checkbox"),
        ("5", "currency"),
        ("'5.25'", "currency"),
        ("{text: '{paid}'}", "currency"),
        ("{from: invoice_id}", "int"),
        ("{from: paid}", "text"),
        ("{from: due_date}", "datetime"),
        ("{from: last_payment_date, default: '2026-01-01'}", "date"),
        ("{from: last_payment_date, default: none yet}", "required text"),
        ("{from: status, max_length: 8}", "short text"),
        ("{from: status, map: {Paid: Red}, default: Blue;Red}", "colours"),
        ("{text: 'Invoice {number}'}", "short text"),
        ("{from: number}", "open picklist"),
        ("'006000000000001'", "reference"),
    ],
)
def test_what_fits_is_let_through_and_written(expression: str, into: str) -> None:
    assert faults(expression, FIELDS[into]) == []
    assert [each for each in problems(expression, FIELDS[into]) if "characters" not in each.cause] == []


SOURCES = [f"{{from: {name}}}" for name in SETTLEMENT_SOURCE]
MAPPED = [
    "{from: status, map: {Paid: Red}, default: Blue}",
    "{from: number, map: {INV-1001: 'true'}, default: 'false'}",
]
CONSTANTS = [
    "5",
    "true",
    "'2026-01-01'",
    "Open",
    "{value: Red}",
    "{text: '{number} {status}'}",
    "{from: due_date, add_days: 3}",
]


@pytest.mark.parametrize(("expression", "into"), list(product(SOURCES + MAPPED + CONSTANTS, FIELDS)))
def test_the_check_and_the_writing_agree(expression: str, into: str) -> None:
    """What the check lets through is written; what it refuses, some invoice would have shown."""
    found, parked = faults(expression, FIELDS[into]), problems(expression, FIELDS[into])
    depends_on_the_text = ("number" in expression and into == "short text") or into in {"status", "colours"}
    if not found and not depends_on_the_text:
        assert parked == []
    if found:
        assert parked


def test_a_write_back_has_no_links() -> None:
    with pytest.raises(ConfigurationError, match=r"back.yaml:6:3: 'F__c' cannot be a link"):
        mapping("{link: invoice_id, mapping: customer_from_account}")

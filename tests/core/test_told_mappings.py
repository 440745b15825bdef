"""What a mapping to Salesforce may say: each mistake has its place, and what to write instead."""

from __future__ import annotations

import pytest

from airflow_provider_kashoo.core.mapping.file.load import mistakes_together, read_mapping

OWN = """version: 1
name: own
from: {object: invoice}
to: Case
match: Key__c
when:
  - days_overdue >= 14
fields:
  Subject: {text: "Invoice {number}"}
leave:
  Status: Closed
"""


def mistakes(text: str) -> list[str]:
    reading = read_mapping(text, "own.yaml")
    return [str(each) for each in [*reading.mistakes, *mistakes_together([reading])]]


def test_the_plain_one_has_none() -> None:
    assert mistakes(OWN) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("days_overdue >= 14", "days_late >= 14", "an invoice has no 'days_late'"),
        (
            "days_overdue >= 14",
            'days_overdue >= "14"',
            "compares days_overdue, which is a number, with '14'. Write a number",
        ),
        ("{number}", "{amount}", "an invoice has no 'amount'"),
        ("match: Key__c\n", "", "a write-back without match has no leave"),
        ("  Subject:", "  Key__c: {from: key}\n  Subject:", "Key__c is what match names"),
        ("when:\n  - days_overdue >= 14\n", "", "leave is for when, and there is none"),
        ("object: invoice", "object: payment", "a payment has no 'days_overdue'"),
        ("object: invoice", "object: customer", "a mapping from customer writes to Account"),
        ("match: Key__c", 'match: Key__c\ncomment: "{sum} is paid"', "an invoice has no 'sum'"),
        ("to: Case", 'to: Kashoo_Invoice__c\ncomment: "{paid}"', "comment is for a mapping from invoice to Case"),
        ("match: Key__c", "match: Key__c\nfind: {Status: New}", "find is for a mapping from invoice without match"),
        ("match: Key__c", "find: {Status: New}", "find needs a field that names the deal"),
        ("match: Key__c", "match: Key__c\nattach_pdf: {paper: a5}", "attach_pdf"),
        ("to: Case", "to: customer", "a mapping to customer has no match"),
    ],
)
def test_each_mistake_is_named(old: str, new: str, says: str) -> None:
    assert old in OWN
    assert says in "\n".join(mistakes(OWN.replace(old, new, 1)))


def test_two_mappings_of_one_object_would_overwrite_each_other() -> None:
    readings = [read_mapping(OWN.replace("name: own", f"name: {name}"), f"{name}.yaml") for name in ("one", "two")]
    (found,) = mistakes_together(readings)
    assert "one also writes back to Case" in str(found)

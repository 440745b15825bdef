"""What Salesforce answers, with any JSON value in any field: nothing raises but what a task may try again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from odd import VALUES

from airflow_provider_kashoo.clients import exact
from airflow_provider_kashoo.clients.describe import ObjectInfo, from_json, object_info, to_json
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.values.dates import parse_instant

DEAL, OTHER = "006000000000001AAA", "006000000000002AAA"
DESCRIBE: dict[str, Any] = {
    "name": "Opportunity",
    "keyPrefix": "006",
    "replicateable": True,
    "fields": [
        {
            "name": name,
            "type": kind,
            "scale": 2,
            "length": 80,
            "calculated": False,
            "calculatedFormula": None,
            "updateable": True,
            "referenceTo": ["Account"],
            "relationshipName": "Account",
        }
        for name, kind in (("Name", "string"), ("Amount", "currency"))
    ],
    "childRelationships": [
        {"relationshipName": name, "childSObject": name[:-1], "field": "OpportunityId"} for name in ("Lines", "Parts")
    ],
}
PAGE: dict[str, Any] = {"totalSize": 2, "done": True, "records": [{"Id": DEAL, "Name": "A"}, {"Id": OTHER}]}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List where a JSON value holds another one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from places(each, (*path, name))


def with_odd(answer: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Give the answer once for each place and value, as the client reads it."""
    for place in places(answer):
        for token in VALUES.values():
            changed = json.loads(json.dumps(answer))
            target = changed
            for step in place[:-1]:
                target = target[step]
            target[place[-1]] = "@@"
            yield place, exact.loads(json.dumps(changed).replace('"@@"', token))


class Answering(SalesforceClient):
    """A client that gets these answers."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(None, None, "67.0")  # type: ignore[arg-type]
        self.answers = list(answers)

    def json(self, method: str, path: str, **options: Any) -> Any:  # noqa: ARG002
        if path == "/composite":
            return {"compositeResponse": [{"httpStatusCode": 200, "body": each} for each in self.answers]}
        return self.answers[0]


def test_a_describe_with_an_odd_value_describes_the_rest() -> None:
    plain = object_info(DESCRIBE)
    for place, raw in with_odd(DESCRIBE):
        try:
            info: ObjectInfo = object_info(raw)
        except UnreachableError:
            assert place in {("name",), ("fields",)}
            continue
        kept = from_json(json.loads(json.dumps(to_json(info))))
        assert kept == info
        if place[:2] == ("fields", 0):
            assert info.fields["Amount"] == plain.fields["Amount"]
        if place[:1] == ("childRelationships",) and len(place) > 1:
            assert {"Lines", "Parts"} - info.children.keys() <= {("Lines", "Parts")[place[1]]}


def test_a_page_with_an_odd_value_gives_the_other_records() -> None:
    for place, page in with_odd(PAGE):
        try:
            found = list(Answering(page).query("SELECT Id FROM Opportunity"))
        except UnreachableError:
            assert place in {("totalSize",), ("done",), ("records",)}
            continue
        if place[:2] == ("records", 0):
            assert {"Id": OTHER} in found


def test_a_record_whose_write_is_answered_oddly_is_not_taken_for_written() -> None:
    answer = [{"id": each, "success": True, "errors": []} for each in (DEAL, OTHER)]
    refused = {"statusCode": "LOCKED", "message": "m", "fields": ["Name"]}
    for sent in (answer, [{"success": False, "errors": [refused]}, answer[1]]):
        for place, odd in with_odd(sent):
            if isinstance(odd, list) and place[0] == 0:
                first, second = Answering(odd).update([("Opportunity", {"Id": DEAL}), ("Opportunity", {"Id": OTHER})])
                assert second is None
                row = odd[0]
                assert (first is None) == (isinstance(row, dict) and row.get("success") is True)


def test_odd_clocks_and_deletions_are_left_out() -> None:
    updated = {"ids": [DEAL], "latestDateCovered": "2026-03-01T12:00:00.000+0000"}
    deleted = {"deletedRecords": [{"id": OTHER, "deletedDate": "2026-03-01T12:00:00.000+0000"}, {"id": DEAL}]}
    since = parse_instant("2026-03-01T00:00:00Z")
    for place, odd in with_odd([updated, deleted]):
        if len(place) > 1:
            clock = Answering(*odd)._clock("Opportunity", since)
            assert clock.gone <= {DEAL, OTHER}
            assert (clock.covered is None) <= (place == (0, "latestDateCovered"))


def test_an_org_says_who_it_is_or_is_asked_again() -> None:
    known = {"records": [{"Id": "00D000000000001EAA", "Name": "Org"}]}
    money = {"records": [{"DefaultCurrencyIsoCode": "CAD"}]}
    for place, odd in with_odd([known, money]):
        if len(place) < 2:
            continue
        try:
            org = Answering(*odd).organization()
        except UnreachableError:
            assert place[0] == 0
            continue
        assert org.id == "00D000000000001EAA"
        assert org.currency is None or isinstance(org.currency, str)


# -- JSON itself


def test_numbers_keep_their_digits_and_texts_their_letters() -> None:
    assert exact.loads('{"a": 0.1, "b": 12345678901234567890, "c": "\\ud83d\\ude00"}') == {
        "a": Decimal("0.1"),
        "b": 12345678901234567890,
        "c": "\U0001f600",
    }
    assert exact.loads(r'["\ud800 a\u0000b"]') == ["\ufffd a\ufffdb"]
    assert exact.loads("[NaN, -Infinity]") == [None, None]
    assert exact.loads("[0.00, 1e299, -1e299]") == [0, Decimal("1e299"), Decimal("-1e299")]


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        ("9" * 5000, Decimal("Infinity")),
        ("-1e400", Decimal("-Infinity")),
        ("1e999999999999999999999", Decimal("Infinity")),
        ("1e-999999999", 0),
        ("1e-999999999999999999999", 0),
    ],
)
def test_a_number_that_no_double_holds_fills_no_memory(digits: str, number: Decimal) -> None:
    assert exact.loads(f"[{digits}]") == [number]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "<html>"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact.loads(text)

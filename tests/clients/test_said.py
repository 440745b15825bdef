"""What a refusal is shown as: the other side's own words, masked and cut, and no guess of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.clients import said
from airflow_provider_kashoo.clients.outcomes import of_write
from airflow_provider_kashoo.clients.refusals import record_problem
from airflow_provider_kashoo.clients.said import LONGEST, MASK, answer_of, quoted
from airflow_provider_kashoo.core.rules.operations import Event

MISLEADING = [
    "description is too long: 'Clock radio'",
    "contact 'Block & Lockwood Ltd' was removed; unlock it first",
    "the item 'Padlock' has no income account",
    "dueDate is outdated: it lies before date",
    "The customer is kept in CAD; an invoice in USD is not possible",
    "customer currency differs from the invoice currency",
    "poNumber 'TAX-ACCOUNT-7' is used by another invoice",
    "memo: 'syntax' is not allowed",
    "accounting for this contact is managed by your accountant",
    "rate must be an integer in the currency's smallest unit",
    "The books are locked up to 2026-01-31; 2026-01-30 cannot be changed",
    "number 1001 exists already",
]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("said", MISLEADING)
@pytest.mark.parametrize("form", ["message", "error", "errors", "nested", "text", "bare", "page"])
def test_what_kashoo_said_is_the_cause_whatever_words_it_used(status: int, said: str, form: str) -> None:
    bodies = {
        "message": json.dumps({"message": said}),
        "error": json.dumps({"code": 17, "error": said, "timestamp": 1}),
        "errors": json.dumps({"errors": [{"message": said}, {"message": said}]}),
        "nested": json.dumps({"error": {"details": [said]}}),
        "text": said,
        "bare": json.dumps(said),
        "page": f"<html><head><title>lock</title></head><body><h1>{said}</h1></body></html>",
    }
    outcome = of_write(status, bodies[form])
    cause = f"Kashoo refused the record ({status})"
    assert (outcome.event, outcome.problem.error_class) == (Event.REFUSED, "refused")
    assert outcome.problem.cause == f"{cause}: {said}"
    assert outcome.problem.unquoted == cause


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        ({"field": "currency", "message": "Clock radio"}, "currency"),
        ({"errors": [{"field": "memo", "message": "x"}, {"path": "lineItems[0].account", "message": "y"}]}, "account"),
        ({"error": {"fieldName": "date", "reason": "x"}}, "date"),
        ({"errors": [{"pointer": "/lineItems/0/taxCode", "detail": "x"}]}, "tax"),
        ({"field": "contact"}, "contact"),
        ({"field": "dateOfBirth", "message": "date"}, "refused"),
        ({"message": "field: currency"}, "refused"),
        ({"data": {"field": "currency"}, "message": "x"}, "refused"),
    ],
)
def test_only_a_field_that_the_answer_names_is_a_cause_of_ours(body: dict[str, Any], error_class: str) -> None:
    assert of_write(400, json.dumps(body)).problem.error_class == error_class


def test_a_field_says_nothing_where_the_status_is_not_about_the_record() -> None:
    problem = of_write(404, json.dumps({"field": "date", "message": "no such business"})).problem
    assert (problem.error_class, problem.cause) == (
        "not_found",
        "Kashoo does not have this record or path (404): no such business",
    )


def test_json_of_an_unknown_shape_is_shown_as_it_is() -> None:
    assert answer_of('{"wrong": {"memo": 5}}').words == '{"wrong": {"memo": 5}}'
    for nothing in ("", "{}", "[]", '""', "null", '{"message": ""}', "<html></html>"):
        assert of_write(400, nothing).problem.cause == "Kashoo refused the record (400)"
    assert answer_of("[" * 100_000).words.startswith("[[[")


SECRET = "hunter2-hunter2"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    "text",
    [
        f"the password {SECRET} is wrong",
        f'{{"password": "{SECRET}", "note": "x"}}',
        f"login failed for token={SECRET}; try again",
        f"https://me:{SECRET}@books.example/api is unknown",
        f"Authorization: TOKEN uuid:{UUID}",
        f"Authorization: Bearer {'a1' * 15}",
        "session 00D000000000001!AQ0AQKx7yz01234567890ABCDEF expired",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln is no token",
    ],
)
def test_no_secret_is_shown(text: str) -> None:
    shown = quoted(text, [SECRET])
    assert MASK in shown
    for secret in (SECRET, UUID, "a1a1a1", "AQ0AQKx", "eyJhbGci"):
        assert secret not in shown


def test_ordinary_words_are_not_masked() -> None:
    for text in ("your Basic subscription ends", "the bearer of bad news", "token expired", "note: call me at 5!"):
        assert quoted(text, ["b", ""]) == text


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 50_000,
        "eyJ-" * 25_000,
        "eyJhbGciOiJSUzI1NiJ9_-" * 5_000,
        "://" + "a:" * 50_000,
        "password" * 12_500,
        "<head <script <style " * 5_000,
    ],
)
def test_a_long_answer_is_read_in_no_time(text: str) -> None:
    assert len(answer_of(text).words) <= LONGEST
    for pattern in (*said._SECRETS, said._NAMED_SECRET, said._TAG):
        pattern.sub(MASK, text)


@pytest.mark.parametrize("before", [" " * 3_980, f"token={'a' * 3_960} token "])
def test_a_secret_is_not_shown_where_the_text_is_cut(before: str) -> None:
    assert UUID[:8] not in quoted(f"no: {before}{UUID} is wrong")
    assert SECRET[:4] not in quoted(f"no: {before}   {SECRET} is wrong", [SECRET])
    assert SECRET[:4] not in quoted(f'no: {before[:-25]} password="x {SECRET} y"')


def test_the_words_of_a_page_are_found_behind_a_long_head() -> None:
    style = "p {color: red} " * 500
    for page in (
        f"<html><head><style>{style}</style></head><body>No such item</body></html>",
        f"<html><head><title>x</title><body><p>No such item</p><style>{style}",
    ):
        assert answer_of(page).words == "No such item"


@given(st.text(), st.lists(st.text(min_size=4, max_size=8), max_size=3))
def test_words_are_one_line_and_short_whatever_comes(text: str, secrets: list[str]) -> None:
    shown = quoted(text, secrets)
    assert len(shown) <= LONGEST
    assert shown == " ".join(shown.split())
    assert shown.isprintable()


# -- Salesforce

PAID = {"message": "Paid is locked: currency of a clocked deal.", "fields": ["Kashoo_Paid__c"]}
MEMO = {"message": "Memo: data value too large: abc", "fields": ["Memo__c"]}
NOTE = {"message": "Note: data value too large: x", "fields": ["Note__c"]}
TRIGGER = {"message": "Deal: execution of BeforeUpdate\ncaused"}


@pytest.mark.parametrize(
    ("code", "errors", "said", "fix"),
    [
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            [PAID],
            f" for Kashoo_Paid__c: {PAID['message'][:-1]}",
            "validation rule",
        ),
        ("STRING_TOO_LONG", [MEMO, NOTE], f" for Memo__c, Note__c: {MEMO['message']}; {NOTE['message']}", "max_length"),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", [TRIGGER], ": Deal: execution of BeforeUpdate caused", "trigger"),
        ("JSON_PARSER_ERROR", [{"message": "Cannot parse", "fields": None}], ": Cannot parse", "mapping"),
        ("INSUFFICIENT_ACCESS_OR_READONLY", [{"message": None, "fields": []}], "", "edit access"),
    ],
)
@pytest.mark.parametrize("key", ["statusCode", "errorCode"])
def test_a_record_is_refused_in_salesforces_words_with_its_fields(
    key: str, code: str, errors: list[dict[str, Any]], said: str, fix: str
) -> None:
    problem = record_problem([{key: code, **each} for each in errors])
    assert problem.cause == f"Salesforce refused the record: {code}{said}"
    assert problem.unquoted.count(":") == 1
    assert fix in problem.fix


def test_a_record_that_is_refused_without_an_error_is_refused() -> None:
    assert record_problem([]).cause == "Salesforce refused the record: unknown"

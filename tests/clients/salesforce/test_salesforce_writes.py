"""Upserts, creations and files that our client writes, against the simulated org over HTTPS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from org_client import MOCKED, PRIVATE, slept
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.clients.salesforce_writes import File, Written, create, files_of, upload, upsert
from airflow_provider_kashoo.clients.transport import READ_ATTEMPTS, NoAnswer, adapter_of
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem, UnreachableError
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce.org import Org, OwnRule
from airflow_provider_kashoo.sandbox.server import Sandbox

DATA = f"{MOCKED}/services/data/v67.0"
INVOICES, PAYMENTS, KEY = "Kashoo_Invoice__c", "Kashoo_Payment__c", "Kashoo_Id__c"
PDF = f"%PDF-1.7 {PRIVATE}\r\n\x00\xff".encode()


@pytest.fixture
def org(sandbox: Sandbox) -> Iterator[Org]:
    yield sandbox.org
    sandbox.org.refuse_nothing()
    sandbox.org.storage_full = False
    sandbox.faults["salesforce"].clear()
    for name in ("Case", INVOICES, PAYMENTS, "ContentDocument"):
        for row in sandbox.org.rows(name):
            sandbox.org.delete(name, row["Id"])


def classes(answers: list[Problem | Written]) -> list[str]:
    return [answer.error_class if isinstance(answer, Problem) else "" for answer in answers]


def last(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.logs["salesforce"].entries()[-1]


# -- upserts


def test_upserts_create_and_update_each_record_on_its_own(client, org, sandbox) -> None:
    kept = org.insert(INVOICES, {KEY: "7"})
    records = [
        {KEY: "8", "Total__c": Decimal("10.10"), "Status__c": "Open"},
        {KEY: "9", "Status__c": "Lost"},
        {KEY: "7", "Total__c": Decimal(5)},
    ]
    new, wrong, old = upsert(client, INVOICES, KEY, records)
    assert (wrong.error_class, "Status__c" in wrong.cause) == ("invalid_or_null_for_restricted_picklist", True)
    assert (new.created, old) == (True, Written(kept, created=False))
    assert {row[KEY]: row["Total__c"] for row in org.rows(INVOICES)} == {"7": 5, "8": Decimal("10.10")}
    assert last(sandbox)["options"]["sforce-auto-assign"] == "FALSE"
    again = upsert(client, INVOICES, KEY, [records[0]])
    assert again == [Written(new.id, created=False)]
    payments = [{KEY: f"p{n}", "Kashoo_Invoice__r": {KEY: n}} for n in ("8", "404")]
    assert classes(upsert(client, PAYMENTS, KEY, payments)) == ["", "invalid_field"]
    assert [row[INVOICES] for row in org.rows(PAYMENTS)] == [new.id]


def test_an_upsert_whose_answer_is_lost_is_sent_again_and_makes_one_record(client, org, sandbox) -> None:
    sandbox.faults["salesforce"].add(Fault("drop_after", path="/composite/sobjects"))
    [done] = upsert(client, INVOICES, KEY, [{KEY: "7", "Total__c": 5}])
    assert (done.created, org.count(INVOICES), len(slept)) == (False, 1, 1)


def test_an_upsert_says_what_a_rule_or_lock_refuses(client, org, sandbox) -> None:
    kept = org.insert(INVOICES, {KEY: "7"})
    sandbox.faults["salesforce"].add(Fault("row_lock", path="/composite/sobjects", records=(kept,)))
    assert classes(upsert(client, INVOICES, KEY, [{KEY: "7"}, {KEY: "8"}])) == ["unable_to_lock_row", ""]
    org.refuse(INVOICES, OwnRule("validation", "Closed.", "Total__c"))
    [problem] = upsert(client, INVOICES, KEY, [{KEY: "7"}])
    assert problem.cause.startswith("Salesforce refused the record: FIELD_CUSTOM_VALIDATION_EXCEPTION for Total__c")
    org.refuse(INVOICES, OwnRule("duplicate", "Use one of these records?"))
    assert classes(upsert(client, INVOICES, KEY, [{KEY: "9"}])) == ["duplicates_detected"]
    assert [row[KEY] for row in org.rows(INVOICES)] == ["7", "8"]


def test_an_upsert_by_a_field_that_is_no_external_id_is_a_matter_of_the_set_up(client, org, raises) -> None:
    with raises(ConfigurationError, "404"):
        upsert(client, INVOICES, "Name", [{"Name": "x"}])


def test_an_upsert_without_an_answer_does_not_say_that_nothing_was_written(mocked, requests_mock, raises) -> None:
    requests_mock.patch(f"{DATA}/composite/sobjects/{INVOICES}/{KEY}", exc=requests.ReadTimeout)
    with raises(UnreachableError, "may have been written"):
        upsert(mocked, INVOICES, KEY, [{KEY: "7"}])
    assert requests_mock.call_count == READ_ATTEMPTS


# -- creations


def test_cases_are_created_each_on_its_own_and_stay_with_whom_the_mapping_says(client, org, sandbox) -> None:
    made, wrong = create(client, "Case", [{"Subject": "Overpaid"}, {"Subject": "x" * 256}])
    assert made == Written(org.rows("Case")[0]["Id"], created=True)
    assert (wrong.error_class, org.count("Case")) == ("string_too_long", 1)
    assert last(sandbox)["options"]["sforce-auto-assign"] == "FALSE"
    comments = [{"ParentId": made.id, "CommentBody": "first"}, {"ParentId": made.id, "CommentBody": "second"}]
    assert classes(create(client, "CaseComment", comments, assign=True)) == ["", ""]
    assert last(sandbox)["options"]["sforce-auto-assign"] == "TRUE"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_before", "error_after", "html_after"])
def test_a_creation_is_sent_once_whatever_becomes_of_it(client, org, sandbox, raises, kind) -> None:
    client.now()
    sandbox.faults["salesforce"].add(Fault(kind, path="/composite/sobjects", times=None))
    start = sandbox.logs["salesforce"].total
    with raises(NoAnswer, "Whether it was written is not known"):
        create(client, "Case", [{"Subject": PRIVATE}])
    assert (sandbox.logs["salesforce"].total - start, slept) == (1, [])
    assert org.count("Case") == kind.endswith("_after")


@pytest.mark.parametrize("kind", ["limit_concurrent", "limit_daily", "too_many", "row_lock"])
def test_a_creation_that_was_turned_away_says_that_nothing_was_written(client, org, sandbox, kind) -> None:
    client.now()
    sandbox.faults["salesforce"].add(Fault(kind, path="/sobjects/ContentVersion"))
    with pytest.raises(UnreachableError, match="Nothing was written") as caught:
        upload(client, "Invoice", "Invoice.pdf", PDF)
    assert (isinstance(caught.value, NoAnswer), slept, org.count("ContentVersion")) == (False, [], 0)


def test_a_creation_that_comes_too_late_is_not_sent(client, org) -> None:
    adapter = adapter_of(client._http)
    client.now()
    with client.ready():
        adapter.clock = lambda: 1e12
        with pytest.raises(UnreachableError, match="Nothing was written"):
            create(client, "Case", [{"Subject": "x"}])
    assert org.count("Case") == 0


def test_a_creation_renews_an_expired_session(client, org, sandbox) -> None:
    client.now()
    sandbox.end_sessions()
    assert classes(create(client, "Case", [{"Subject": "x"}])) == [""]
    assert org.count("Case") == 1


def test_what_a_parser_says_of_several_new_records_is_about_all_of_them(mocked, requests_mock, raises) -> None:
    said = [{"errorCode": "JSON_PARSER_ERROR", "message": "Unexpected value"}]
    requests_mock.post(f"{DATA}/composite/sobjects", status_code=400, json=said)
    assert classes(create(mocked, "Case", [{"Subject": "x"}])) == ["json_parser_error"]
    with raises(ConfigurationError, "400 JSON_PARSER_ERROR"):
        create(mocked, "Case", [{"Subject": "x"}] * 2)


# -- files


def test_a_file_goes_up_and_a_newer_one_takes_its_place(client, org) -> None:
    deal = org.insert("Opportunity", {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-11-20"})
    assert files_of(client, deal) == []
    first = upload(client, "Rechnung 7 für Müller", "Rechnung 7.pdf", PDF, publish_to=deal)
    [file] = files_of(client, deal)
    md5 = hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    assert file == File("Rechnung 7 für Müller", file.document, first.id, md5)
    assert org.content(first.id) == PDF
    second = upload(client, "Rechnung 7", "Rechnung 7.pdf", b"newer", document_id=file.document)
    [newer] = files_of(client, deal)
    assert (newer.document, newer.version, newer.title) == (file.document, second.id, "Rechnung 7")
    assert newer.checksum == hashlib.md5(b"newer", usedforsecurity=False).hexdigest()
    link = {"ContentDocumentId": file.document, "LinkedEntityId": deal}
    assert classes(create(client, "ContentDocumentLink", [link])) == ["duplicate_value"]


def test_an_org_without_room_is_a_problem_that_says_what_to_do(client, org) -> None:
    org.storage_full = True
    problem = upload(client, "Invoice", "Invoice.pdf", PDF)
    assert (problem.error_class, "file storage" in problem.fix) == ("storage_limit_exceeded", True)
    assert org.count("ContentDocument") == 0


@pytest.mark.parametrize("answer", [{"json": {"success": True}}, {"json": [1]}, {"text": "<html/>"}])
def test_an_upload_whose_answer_names_no_record_is_looked_up(mocked, requests_mock, raises, answer) -> None:
    requests_mock.post(f"{DATA}/sobjects/ContentVersion", status_code=201, **answer)
    with raises(NoAnswer, "not known"):
        upload(mocked, "Invoice", "Invoice.pdf", PDF)
    assert requests_mock.call_count == 1


def test_simple_salesforce_reads_what_was_uploaded(client, sandbox, org) -> None:
    made = upload(client, "Invoice", "Invoice.pdf", PDF)
    login = json.loads(sandbox.describe()["env"]["AIRFLOW_CONN_SALESFORCE_DEFAULT"])["extra"]
    other = Salesforce(**login)
    path = other.ContentVersion.get(made.id)["VersionData"]
    url, token = f"https://{other.sf_instance}{path}", {"Authorization": f"Bearer {other.session_id}"}
    assert requests.get(url, headers=token, timeout=5).content == PDF

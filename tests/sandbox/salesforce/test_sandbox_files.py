# ruff: noqa: S608 - SOQL made of literals of this file
"""Files of the simulated Salesforce over HTTPS: versions, documents, links, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from orgs import BASE, deal, raw, refused

from airflow_provider_kashoo.sandbox.salesforce import schema
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError

PDF = b"%PDF-1.7\r\n--\x00\xff\r\n" * 3


@pytest.fixture(autouse=True)
def room(org: Org) -> Any:
    yield
    org.storage_full = False


def encoded(data: bytes = PDF) -> str:
    return base64.b64encode(data).decode()


def version(sf: Any, **fields: Any) -> dict[str, Any]:
    made = sf.ContentVersion.create({"PathOnClient": "Invoice 7.pdf", "VersionData": encoded()} | fields)
    return dict(sf.ContentVersion.get(made["id"]))


def parts(sf: Any, fields: dict[str, Any], data: bytes = PDF, **more: Any) -> Any:
    files = {
        "entity_content": (None, json.dumps(fields), "application/json"),
        "VersionData": ("Invoice.pdf", data, "application/pdf"),
        **more,
    }
    return raw(sf, "POST", f"{BASE}/sobjects/ContentVersion", files=files)


def links(sf: Any, entity: str) -> list[dict[str, Any]]:
    text = "SELECT Id, ContentDocumentId, ShareType FROM ContentDocumentLink WHERE "
    return [dict(row) for row in sf.query(f"{text}LinkedEntityId = '{entity}'")["records"]]


def test_a_version_makes_a_document_and_links_it(sf: Any, org: Org) -> None:
    record = deal(org)
    made = version(sf, FirstPublishLocationId=record)
    assert (made["Title"], made["FileExtension"], made["FileType"]) == ("Invoice 7", "pdf", "PDF")
    assert (made["ContentSize"], made["VersionNumber"], made["IsLatest"]) == (len(PDF), "1", True)
    assert made["Checksum"] == hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    document = sf.ContentDocument.get(made["ContentDocumentId"])
    assert (document["Title"], document["LatestPublishedVersionId"]) == ("Invoice 7", made["Id"])
    assert [link["ContentDocumentId"] for link in links(sf, record)] == [document["Id"]]
    assert [link["ShareType"] for link in links(sf, made["OwnerId"])][-1:] == ["I"]
    nested = sf.query(f"SELECT (SELECT ContentDocument.Title FROM ContentDocumentLinks) FROM Opportunity "
                      f"WHERE Id = '{record}'")["records"][0]["ContentDocumentLinks"]  # fmt: skip
    assert [row["ContentDocument"]["Title"] for row in nested["records"]] == ["Invoice 7"]


def test_a_version_of_a_document_takes_the_place_of_the_one_before(sf: Any) -> None:
    first = version(sf)
    second = version(sf, ContentDocumentId=first["ContentDocumentId"], Title="Newer", VersionData=encoded(b"new"))
    assert (second["VersionNumber"], second["IsLatest"]) == ("2", True)
    assert sf.ContentVersion.get(first["Id"])["IsLatest"] is False
    document = sf.ContentDocument.get(first["ContentDocumentId"])
    assert (document["Title"], document["LatestPublishedVersionId"]) == ("Newer", second["Id"])
    assert (document["ContentSize"], second["Checksum"]) == (3, hashlib.md5(b"new", usedforsecurity=False).hexdigest())


@pytest.mark.parametrize("data", [PDF, b"", bytes(range(256)) * 9000])
def test_the_bytes_come_back_as_they_went(sf: Any, data: bytes) -> None:
    made = parts(sf, {"PathOnClient": "Überweisung.pdf"}, data)
    assert made.status_code == 201, made.text
    row = sf.query(f"SELECT VersionData, Title FROM ContentVersion WHERE Id = '{made.json()['id']}'")["records"][0]
    assert row["Title"] == "Überweisung"
    assert row["VersionData"] == f"{BASE}/sobjects/ContentVersion/{made.json()['id']}/VersionData"
    assert raw(sf, "GET", row["VersionData"]).content == data


def test_a_request_of_parts_has_one_of_json_and_one_of_bytes(sf: Any, org: Org) -> None:
    before = org.count("ContentVersion")
    two = parts(sf, {"PathOnClient": "a.pdf"}, more=("b.pdf", b"b", "application/pdf"))
    cut = raw(
        sf,
        "POST",
        f"{BASE}/sobjects/ContentVersion",
        data=b"--no border",
        headers={"Authorization": f"Bearer {sf.session_id}", "Content-Type": "multipart/form-data; boundary=x"},
    )
    for answer in (two, cut):
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_MULTIPART_REQUEST")
    assert org.count("ContentVersion") == before


def test_json_holds_files_up_to_a_limit_only(sf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MAX_JSON_FILE", len(PDF))
    version(sf)
    too_large = {"PathOnClient": "a.pdf", "VersionData": encoded(PDF + b".")}
    assert refused(lambda: sf.ContentVersion.create(too_large)) == (413, "REQUEST_ENTITY_TOO_LARGE")
    assert parts(sf, {"PathOnClient": "a.pdf"}, PDF + b".").status_code == 201


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"VersionData": "no base64!"}, "JSON_PARSER_ERROR"),
        ({"VersionData": None}, "REQUIRED_FIELD_MISSING"),
        ({"PathOnClient": ""}, "REQUIRED_FIELD_MISSING"),
        ({"Checksum": "0"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"FirstPublishLocationId": "00G000000000001AAA"}, "MALFORMED_ID"),
    ],
)
def test_what_no_version_can_be_is_refused(sf: Any, fields: dict[str, Any], code: str) -> None:
    assert refused(lambda: version(sf, **fields)) == (400, code)


def test_an_org_without_room_takes_no_file(sf: Any, org: Org) -> None:
    org.storage_full = True
    before = org.count("ContentVersion"), org.count("ContentDocument")
    assert refused(lambda: version(sf)) == (400, "STORAGE_LIMIT_EXCEEDED")
    assert (org.count("ContentVersion"), org.count("ContentDocument")) == before


def test_documents_are_made_by_versions_alone(sf: Any) -> None:
    assert refused(lambda: sf.ContentDocument.create({"Title": "x"})) == (400, "INVALID_TYPE_FOR_OPERATION")
    described = sf.ContentDocument.describe()
    assert (described["createable"], described["updateable"]) == (False, True)


def test_a_document_is_linked_to_a_record_once(sf: Any, org: Org) -> None:
    record, document = deal(org), version(sf)["ContentDocumentId"]
    link = {"attributes": {"type": "ContentDocumentLink"}, "ContentDocumentId": document, "LinkedEntityId": record}
    answer = sf.restful("composite/sobjects", method="POST", json={"records": [link, link]})
    assert [each["success"] for each in answer] == [True, False]
    assert answer[1]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
    assert [row["ShareType"] for row in links(sf, record)] == ["V"]


def test_links_end_with_their_record_and_with_their_document(sf: Any, org: Org) -> None:
    record = deal(org)
    made = version(sf, FirstPublishLocationId=record)
    org.delete("Opportunity", record)
    assert links(sf, record) == []
    assert sf.ContentDocument.get(made["ContentDocumentId"])["Id"] == made["ContentDocumentId"]
    org.undelete("Opportunity", record)
    assert len(links(sf, record)) == 1
    org.delete("ContentDocument", made["ContentDocumentId"])
    assert links(sf, record) == []
    with pytest.raises(SalesforceError, match="ENTITY_IS_DELETED"):
        org.get("ContentVersion", made["Id"])


@pytest.mark.parametrize(
    ("where", "known"),
    [
        ("", False),
        ("WHERE ShareType = 'V'", False),
        ("WHERE LinkedEntityId != '{id}'", False),
        ("WHERE LinkedEntityId NOT IN ('{id}')", False),
        ("WHERE LinkedEntityId = '{id}' OR ShareType = 'V'", False),
        ("WHERE LinkedEntityId = '{id}'", True),
        ("WHERE ShareType = 'V' AND ContentDocumentId IN ('{id}')", True),
    ],
)
def test_links_are_found_by_either_end_only(sf: Any, where: str, known: bool) -> None:
    text = f"SELECT Id FROM ContentDocumentLink {where}".format(id="069000000000001AAA")
    if known:
        assert sf.query(text)["totalSize"] == 0
    else:
        assert refused(lambda: sf.query(text)) == (400, "MALFORMED_QUERY")

"""Comments and files: Salesforce finds them by no external id, so each is looked for before it is made.

A creation whose answer was lost stays sent until its deadline: by then it was either written, and is found, or never
will be (assumed of Salesforce: a request ends within the deadline of the journal and the time to settle).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from airflow_provider_kashoo.clients import salesforce_writes as writes
from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.clients.salesforce_writes import Written
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Upsert
from airflow_provider_kashoo.sync.tell.follow_ups import BODY, COMMENT, FILE, PARENT

Answer = Problem | Written
Make = Callable[[SalesforceClient], Answer]

NOT_SAID = Problem("not_written", "it is not to be said any more", "Nothing to do.")

SHARED = "V"
"""Who sees the record sees the file, and may not edit it (evidenced)."""


def commented(intent: Upsert) -> Make:
    """Comment on a Case, unless just that is said there already, or it is not to be said any more."""

    def make(client: SalesforceClient) -> Answer:
        if intent.leaves:
            return NOT_SAID
        case, body = str(intent.changes[PARENT]), str(intent.changes[BODY])
        for row in client.query(next(soql.by_ids(COMMENT, ["Id", BODY], [case], key=PARENT))):
            if str(row[BODY] or "").strip() == body.strip():
                return Written(row["Id"], created=False)
        (answer,) = writes.create(client, COMMENT, [{PARENT: case, BODY: body}])
        return answer

    return make


def attached(intent: Upsert, title: str, name: str, pdf: bytes, also: str | None) -> Make:
    """Attach a file to the record of an invoice, unless its newest version is just that.

    Its description names the invoice, by which it is found again whatever its title is.

    :param also: another record that it is linked to: the Account.
    :returns: what gives the id of the document.
    """

    def make(client: SalesforceClient) -> Answer:
        found = writes.files_of(client, intent.record.id)
        mine = next((file for file in found if file.description == intent.external_id), None)
        if mine is None or mine.checksum != hashlib.md5(pdf, usedforsecurity=False).hexdigest():
            document = mine.document if mine else None
            to = None if mine else intent.record.id
            answer = writes.upload(
                client, title, name, pdf, document_id=document, publish_to=to, description=intent.external_id
            )
            if isinstance(answer, Problem):
                return answer
            document = document or _document_of(client, answer.id)
        else:
            document = mine.document
        return _linked(client, document, also) or Written(document, created=mine is None)

    return make


def _document_of(client: SalesforceClient, version: str) -> str:
    (row,) = client.query(next(soql.by_ids(FILE, ["ContentDocumentId"], [version])))
    return str(row["ContentDocumentId"])


def _linked(client: SalesforceClient, document: str, record_id: str | None) -> Problem | None:
    """Link a document to one more record, unless it is; say why that cannot be done."""
    if not record_id or any(file.document == document for file in writes.files_of(client, record_id)):
        return None
    link: dict[str, Any] = {"ContentDocumentId": document, "LinkedEntityId": record_id, "ShareType": SHARED}
    (answer,) = writes.create(client, "ContentDocumentLink", [link])
    return answer if isinstance(answer, Problem) else None

"""What is written to Salesforce: fields by Id, records by an external id, new records, files.

Updates and upserts may be repeated, so they are tried again like reads. A creation and an upload are sent once; where
the answer is lost, :class:`~.transport.NoAnswer` says so, and whoever repeats it looks first. No write starts
assignment rules unless asked to: Salesforce would otherwise give a Case to somebody else (evidenced).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_kashoo.clients import exact, soql
from airflow_provider_kashoo.clients.pages import rows_of
from airflow_provider_kashoo.clients.refusals import Refused, record_problem
from airflow_provider_kashoo.clients.transport import NoAnswer, TooLate
from airflow_provider_kashoo.core.errors import Problem, UnreachableError
from airflow_provider_kashoo.core.values.ids import is_record_id

if TYPE_CHECKING:
    from airflow_provider_kashoo.clients.salesforce import SalesforceClient

MAX_COLLECTION = 200
PERHAPS_WRITTEN = "Some records may have been written; all of them are written again."
PERHAPS_CREATED = "Whether it was written is not known; it is looked up before it is sent again."

Record = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A record that Salesforce wrote.

    :param created: whether it is new.
    """

    id: str
    created: bool


@dataclass(frozen=True)
class File:
    """A document that is linked to a record.

    :param description: of its newest version.
    :param version: id of its newest ContentVersion.
    :param checksum: MD5 of that version's bytes in hexadecimal digits (evidenced).
    """

    title: str
    document: str
    version: str
    checksum: str
    description: str = ""


def update(client: SalesforceClient, records: Sequence[tuple[str, Record]]) -> list[Problem | None]:
    """Update records by Id; see :meth:`.SalesforceClient.update`."""
    # Records of one object stand together: Salesforce takes at most ten stretches of one object (evidenced).
    order = sorted(range(len(records)), key=lambda number: records[number][0])
    sent = _body(records[number] for number in order)
    answers = _repeatable(client, "/composite/sobjects", sent, len(records))
    found = ((number, _problem_of(answer)) for number, answer in zip(order, answers, strict=True))
    return [problem for _, problem in sorted(found, key=itemgetter(0))]


def upsert(
    client: SalesforceClient, sobject: str, match: str, records: Sequence[Record], *, assign: bool = False
) -> list[Problem | Written]:
    """Create or update records of one object by an external id; this may be repeated safely.

    A parent may be named by its own external id: ``{"Parent__r": {"Key__c": "7"}}`` (evidenced).

    :param match: field of type external id, unique; each record has it, and no other record of the same call the same.
    :param records: fields, at most 200; each succeeds or fails on its own.
    :param assign: whether the org's assignment rule chooses the owner of a Case.
    :returns: one entry per record, in order.
    :raises Refused: when Salesforce refuses several records together, without saying which of them is wrong.
    :raises UnreachableError: when there was no answer in time; any of them may have been written.
    """
    sent = _body((sobject, fields) for fields in records)
    answers = _repeatable(client, f"/composite/sobjects/{sobject}/{match}", sent, len(records), assign=assign)
    return [_written(answer) for answer in answers]


def create(
    client: SalesforceClient, sobject: str, records: Sequence[Record], *, assign: bool = False
) -> list[Problem | Written]:
    """Create records of one object; sent once, because a second time would make others.

    :param records: fields, at most 200; each succeeds or fails on its own.
    :param assign: whether the org's assignment rule chooses the owner of a Case.
    :returns: one entry per record, in order.
    :raises Refused: when Salesforce refuses several records together; nothing was written.
    :raises NoAnswer: when any of them may have been written.
    :raises UnreachableError: when nothing was written.
    """
    sent = _body((sobject, fields) for fields in records)
    try:
        answer = client.send_once("POST", "/composite/sobjects", data=sent, headers=_assigning(assign=assign))
    except Refused as error:
        return [_refused(error, sent, len(records))]
    return [_written(row, created=True) for row in _checked(_loads(answer.text), len(records), PERHAPS_CREATED)]


def upload(
    client: SalesforceClient,
    title: str,
    path_on_client: str,
    data: bytes,
    *,
    document_id: str | None = None,
    publish_to: str | None = None,
    description: str = "",
) -> Problem | Written:
    """Upload a file as a ContentVersion, in a request of several parts (evidenced; up to 2 GB); sent once.

    :param path_on_client: file name; its extension says what it is.
    :param document_id: document of which it becomes the newest version; None for a document of its own.
    :param publish_to: record that a new document is linked to; not with ``document_id``.
    :returns: the id of the version.
    :raises NoAnswer: when it may have been written.
    :raises UnreachableError: when nothing was written.
    """
    given = {"ContentDocumentId": document_id, "FirstPublishLocationId": publish_to}
    fields = {"Title": title, "PathOnClient": path_on_client, "Description": description} | {
        key: value for key, value in given.items() if value
    }
    parts = {
        "entity_content": (None, json.dumps(fields), "application/json"),
        # PathOnClient is the name that counts; the part has to have one as well.
        "VersionData": ("VersionData", data, "application/octet-stream"),
    }
    headers = {"Content-Type": None}  # requests sets it, with the border between the parts
    try:
        answer = client.send_once("POST", "/sobjects/ContentVersion", files=parts, headers=headers)
    except Refused as error:
        return _refused(error, "", 1)
    made = _loads(answer.text)
    return _written(made if isinstance(made, Mapping) else {"success": True}, created=True)


def files_of(client: SalesforceClient, record_id: str) -> list[File]:
    """Read which documents are linked to a record, those that the user may see."""
    found = []
    for row in client.query(soql.files_of(record_id)):
        document = row["ContentDocument"]
        version = document["LatestPublishedVersion"] or {}
        title, newest = str(document["Title"]), str(document["LatestPublishedVersionId"])
        said = str(version.get("Checksum")), str(version.get("Description") or "")
        found.append(File(title, row["ContentDocumentId"], newest, *said))
    return found


def _body(records: Any) -> str:
    listed = [{"attributes": {"type": sobject}, **fields} for sobject, fields in records]
    return json.dumps({"allOrNone": False, "records": listed}, default=_number)


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form here")
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("an amount has more digits than JSON represents exactly")
    return number


def _assigning(*, assign: bool) -> dict[str, str]:
    return {"Sforce-Auto-Assign": "TRUE" if assign else "FALSE"}


def _repeatable(client: SalesforceClient, path: str, sent: str, count: int, *, assign: bool = False) -> list[Any]:
    """Send a collection that may be repeated; give Salesforce's answer of each record."""
    try:
        answer = client.json("PATCH", path, data=sent, headers=_assigning(assign=assign))
    except Refused as error:
        return [_refused(error, sent, count)]
    except UnreachableError as error:
        raise UnreachableError(error.what, remedy=error.remedy, written=PERHAPS_WRITTEN) from None
    except TooLate:
        said = "Salesforce did not answer before the deadline of these write-backs."
        raise UnreachableError(said, remedy="The task tries again by itself.", written=PERHAPS_WRITTEN) from None
    return _checked(answer, count, PERHAPS_WRITTEN)


def _refused(error: Refused, sent: str, count: int) -> Problem:
    """Say what is wrong with a single record; of several Salesforce does not say which of them it is."""
    if count > 1 or not error.is_about_the_content:
        raise error
    return record_problem(error.errors, sent)


def _checked(answer: Any, count: int, written: str) -> list[Any]:
    if not isinstance(answer, list) or len(answer) != count:
        raise NoAnswer("Salesforce answered for other records.", written=written)
    return answer


def _loads(text: str) -> Any:
    try:
        return exact.loads(text)
    except ValueError:
        raise NoAnswer("Salesforce's answer is not JSON.", written=PERHAPS_CREATED) from None


def _problem_of(row: Any) -> Problem | None:
    """Return why one record of a collection was not written; None if it was."""
    if isinstance(row, Problem):
        return row
    if isinstance(row, Mapping) and row.get("success") is True:
        return None
    return record_problem(rows_of(row, "errors"))


def _written(row: Any, *, created: bool = False) -> Problem | Written:
    if problem := _problem_of(row):
        return problem
    if not is_record_id(row.get("id")):
        raise NoAnswer("Salesforce did not say which record it wrote.", written=PERHAPS_CREATED)
    return Written(row["id"], created=created or row.get("created") is True)

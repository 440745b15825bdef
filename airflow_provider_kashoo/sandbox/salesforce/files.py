"""Files of the simulated org: a version makes a document or follows in one, and links lead from records to it."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.rules import StandardObjects
from airflow_provider_kashoo.sandbox.salesforce.schema import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Table

CONTENT = "_content"
"""Hidden key of a ContentVersion: its bytes."""

_OF_THE_LATEST = ("Title", "Description", "ContentSize", "FileExtension", "FileType")


class Files(StandardObjects):
    """The rules of files, on top of those of the other standard objects.

    Evidenced: a version without a document makes one, ``FirstPublishLocationId`` links it in the same call, Checksum
    is the MD5. Assumed: the title of a file without one, the share types of links that nobody asked for.
    """

    storage_full = False
    """Whether the org has no room for another file."""

    def content(self, record_id: str) -> bytes:
        """Return the bytes of a version; raises NOT_FOUND."""
        with self.lock:
            content: bytes = self._live(self.tables["ContentVersion"], record_id)[CONTENT]
            return content

    def _ruled(self, table: Table, row: Row, old: Row | None, given: Any) -> Row:
        row = super()._ruled(table, row, old, given)
        if table.name == "ContentVersion" and old is None:
            self._new_version(row)
        elif table.name == "ContentVersion" and row["IsLatest"]:
            self._follow(row)
        elif table.name == "ContentDocumentLink" and old is None:
            self._new_link(table, row)
        return row

    def _new_version(self, row: Row) -> None:
        if self.storage_full:
            raise SalesforceError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
        content = row["VersionData"]
        if content is None:
            message = "Required fields are missing: [VersionData]"
            raise SalesforceError("REQUIRED_FIELD_MISSING", message, ["VersionData"])
        path = PurePath(row["PathOnClient"].replace("\\", "/"))
        extension = path.suffix.removeprefix(".").lower()
        row |= {"VersionData": None, CONTENT: content, "ContentSize": len(content), "IsLatest": True}
        row |= {"Checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(), "Title": row["Title"] or path.stem}
        row |= {"FileExtension": extension or None, "FileType": extension.upper() or "UNKNOWN"}
        earlier = self._earlier(row["ContentDocumentId"])
        row["VersionNumber"] = str(len(earlier) + 1)
        if not row["ContentDocumentId"]:
            self._new_document(row)
            return
        if row["FirstPublishLocationId"]:
            message = "FirstPublishLocationId is for the first version of a document"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["FirstPublishLocationId"])
        for version in earlier:
            if version["IsLatest"]:
                self._save(self.tables["ContentVersion"], version | {"IsLatest": False}, version)
        self._follow(row)

    def _earlier(self, document_id: str | None) -> list[Row]:
        return self.tables["ContentVersion"].children("ContentDocumentId", document_id) if document_id else []

    def _new_document(self, row: Row) -> None:
        documents = self.tables["ContentDocument"]
        row["ContentDocumentId"] = self.ids.next(documents.sobject.prefix)
        document = self._blank(documents) | {"Id": row["ContentDocumentId"], "OwnerId": row["OwnerId"]}
        self._save(documents, document | self._shared(row), None)
        self._link(row["ContentDocumentId"], row["OwnerId"], "I")
        if row["FirstPublishLocationId"]:
            self._link(row["ContentDocumentId"], row["FirstPublishLocationId"], "V")

    @staticmethod
    def _shared(version: Row) -> Row:
        return {name: version[name] for name in _OF_THE_LATEST} | {"LatestPublishedVersionId": version["Id"]}

    def _follow(self, version: Row) -> None:
        """Let a document show its newest version."""
        documents = self.tables["ContentDocument"]
        document = documents.rows[version["ContentDocumentId"]]
        self._save(documents, document | self._shared(version), document)

    def _link(self, document_id: str, entity_id: str, share: str) -> None:
        links = self.tables["ContentDocumentLink"]
        row = self._blank(links) | {"Id": self.ids.next(links.sobject.prefix), "ContentDocumentId": document_id}
        row |= {"LinkedEntityId": entity_id, "ShareType": share, "Visibility": "AllUsers"}
        self._save(links, row, None)

    def _new_link(self, links: Table, row: Row) -> None:
        if any(
            link["LinkedEntityId"] == row["LinkedEntityId"]
            for link in links.children("ContentDocumentId", row["ContentDocumentId"])
        ):
            # Evidenced, <unknown> included.
            message = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
            raise SalesforceError("DUPLICATE_VALUE", message)
        row |= {"ShareType": row["ShareType"] or "V", "Visibility": row["Visibility"] or "AllUsers"}

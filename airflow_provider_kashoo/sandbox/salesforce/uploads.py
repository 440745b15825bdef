"""Files over REST: a record with its file in a request of several parts, and the bytes of a file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File

from airflow_provider_kashoo.sandbox.salesforce.org import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.wire import parsed, state_of

router = APIRouter()


def fields_of(request: Request, body: bytes) -> dict[str, Any]:
    """Return the fields of a record: a JSON object, or one part of JSON and one that is a file named for its field."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/"):
        return parsed(body)
    texts: list[bytes] = []
    files: dict[str, bytes] = {}

    def on_field(part: Field) -> None:
        texts.append(part.value or b"")

    def on_file(part: File) -> None:
        part.file_object.seek(0)
        files[(part.field_name or b"").decode()] = part.file_object.read()

    try:
        parser = create_form_parser({"Content-Type": content_type.encode()}, on_field, on_file)
        parser.write(body)
        parser.finalize()
        parser.close()
    except (FormParserError, ValueError):
        raise SalesforceError("INVALID_MULTIPART_REQUEST", "the parts of the request cannot be read") from None
    if len(texts) != 1 or len(files) != 1:
        message = "a multipart request has one part of JSON and one part with a file name"
        raise SalesforceError("INVALID_MULTIPART_REQUEST", message)
    return parsed(texts[0]) | files


@router.get("/sobjects/ContentVersion/{record_id}/VersionData")
async def content(request: Request, record_id: str) -> Response:
    """Return the bytes of a version of a file."""
    return Response(state_of(request).org.content(record_id), media_type="application/octetstream")

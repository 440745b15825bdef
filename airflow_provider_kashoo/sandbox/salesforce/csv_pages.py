"""Rows as the CSV of a Bulk API page, written out as it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from threading import RLock
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from airflow_provider_kashoo.sandbox.salesforce.evaluate import Column
from airflow_provider_kashoo.sandbox.salesforce.schema import NUMERIC, Field
from airflow_provider_kashoo.sandbox.salesforce.tables import Row

PARTS = "sandbox.parts"
"""ASGI extension of a server that takes a body as an iterator of bytes, to be read when all is decided."""
PART_ROWS = 1000
DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


def _text(value: str) -> str:
    return value.replace('"', '""') if '"' in value else value


def _number(value: Any) -> str:
    text = f"{value:f}" if not isinstance(value, int) else str(value)
    return text if "." in text or isinstance(value, int) else f"{text}.0"


def _moment(value: str) -> str:
    return f"{value[:-5]}Z"


def _writer(item: Field) -> Callable[[Any], str]:
    if item.type == "boolean":
        return lambda value: "true" if value else "false"
    if item.type in NUMERIC:
        return _number
    return _moment if item.type == "datetime" else _text


def parts(
    rows: Sequence[Row], columns: Sequence[Column], start: int, end: int, *, lock: RLock, delimiter: str, newline: str
) -> Iterator[bytes]:
    """Yield the header and then the rows from ``start`` up to ``end``, a thousand at a time, every cell quoted."""
    between, last = f'"{delimiter}"', f'"{newline}'
    yield f'"{between.join(column.name for column in columns)}{last}'.encode()
    cells = [(column.get, _writer(column.item)) for column in columns]
    wanted = islice(rows, start, end)
    while batch := list(islice(wanted, PART_ROWS)):
        lines = []
        with lock:
            for row in batch:
                values = ["" if (value := get(row)) is None else write(value) for get, write in cells]
                lines.append(f'"{between.join(values)}{last}')
        yield "".join(lines).encode()


class CsvResponse(Response):
    """An answer that is never whole in memory."""

    media_type = "text/csv"

    def __init__(self, body: Iterator[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(None, headers=headers)
        del self.headers["Content-Length"]
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Hand the parts over where the server takes them, else send them one by one."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if PARTS in (scope.get("extensions") or {}):
            await send({"type": "http.response.body", PARTS: self._body})
            return
        for part in self._body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

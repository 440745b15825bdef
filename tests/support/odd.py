"""Answers in which single values are not what they should be: any JSON value, in any field of any row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kashoo.sandbox.server import Sandbox

VALUES = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "negative": "-1",
    "fraction": "1.5",
    "huge": "9" * 40,
    "endless": "9" * 5_000,
    "beyond": "1e400",
    "boundless": "1e99999999999999999999",
    "tiny": "1e-999999999",
    "empty": '""',
    "long": f'"{"x" * 3_000}"',
    "half a letter": r'"\ud800"',
    "lone": '"odd"',
    "zero character": r'"a\u0000b"',
    "number in words": '"1e999999999"',
    "no day": '"2026-02-30"',
    "list": "[]",
    "object": "{}",
    "list of null": "[null]",
    "nested": '[[{"a": [1, {"b": null}]}]]',
    "deep": '{"a": {"id": {}, "amount": []}}',
}
"""Name -> JSON text."""


@dataclass(frozen=True)
class Odd:
    """One value of the row with this id: the path of its field (numbers are places in lists), and what stands there."""

    ident: Any
    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path} is {self.name}"


def some(paths: list[str], *, whole: bool, rounds: int = 2) -> list[tuple[str, str]]:
    """Pair fields with values: each with each, or each field with a few, so that all values come to be used."""
    names = list(VALUES)
    if whole:
        return list(product(paths, names))
    return [(path, names[(at * 5 + turn * 9) % len(names)]) for at, path in enumerate(paths) for turn in range(rounds)]


@dataclass
class Spoiled:
    """A system whose answers are spoiled on their way.

    :ivar hit: what was spoiled at least once.
    """

    app: ASGIApp
    odd: list[Odd] = field(default_factory=list)
    hit: set[Odd] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = [(name, said) for name, said in message["headers"] if name != b"content-length"]
                start = message | {"headers": headers}
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                await send(start)
                await send({"type": "http.response.body", "body": self._spoil(bytes(body)), "more_body": False})

        await self.app(scope, receive, collect)

    def _spoil(self, body: bytes) -> bytes:
        try:
            answer = json.loads(body)
        except ValueError:
            return body
        by_id: dict[Any, list[Odd]] = {}
        for each in self.odd:
            by_id.setdefault(each.ident, []).append(each)
        if not self._walk(answer, by_id):
            return body
        text = json.dumps(answer)
        for name, token in VALUES.items():
            text = text.replace(f'"@@{name}@@"', token)
        return text.encode()

    def _walk(self, value: Any, by_id: dict[Any, list[Odd]]) -> bool:
        if isinstance(value, list):
            return sum(self._walk(each, by_id) for each in value) > 0
        if not isinstance(value, dict):
            return False
        ident = value.get("Id") or value.get("id") or value.get("name") or _ident_in_url(value)
        inside = sum(self._walk(each, by_id) for each in value.values()) > 0
        here = [each for each in by_id.get(ident, ()) if _put(value, each)] if isinstance(ident, str | int) else []
        self.hit.update(here)
        return inside or bool(here)


def _ident_in_url(row: Any) -> Any:
    """Give the id of a record of Salesforce that was queried without it."""
    own = row.get("attributes")
    return str(own.get("url")).rpartition("/")[2] if isinstance(own, dict) else None


def _put(row: Any, odd: Odd) -> bool:
    *outer, last = [int(step) if step.isdecimal() else step for step in odd.path.split(".")]
    try:
        for step in outer:
            row = row[step]
        if isinstance(row, dict) and last not in row:
            return False
        row[last] = f"@@{odd.name}@@"
    except (KeyError, IndexError, TypeError):
        return False
    return True


@contextmanager
def spoiled(box: Sandbox, system: str, *odd: Odd) -> Iterator[Spoiled]:
    """Spoil what one system answers, until the end of the block."""
    plain = box.apps[system]
    box.apps[system] = spoiling = Spoiled(plain, list(odd))
    try:
        yield spoiling
    finally:
        box.apps[system] = plain
        spoiling.odd = []  # a client that was made meanwhile keeps talking to it

"""A real SMTP server and a real HTTP receiver on this host, which keep what arrives and can be told to refuse it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """What arrived by SMTP.

    :ivar answer: what the server says to a mail.
    :ivar keeps: whether it keeps the mails that it refuses, as one does whose answer is lost.
    """

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.answer, self.keeps = "250 OK", False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's interface
        if self.answer.startswith("250") or self.keeps:
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.answer


def parts(mail: Any) -> dict[str, str]:
    """Content type -> text, of the parts that are shown."""
    return {each.get_content_type(): each.get_content() for each in mail.walk() if not each.is_multipart()}


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:  # it connects to the server once, for which it must know the port
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp() -> Iterator[tuple[Mailbox, int]]:
    """Open a mail server: its mailbox and port."""
    box = Mailbox()
    controller = _OnAnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


class Inbox:
    """What arrived by HTTP.

    :ivar paths: where to.
    :ivar status: what the receiver answers.
    """

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.status = 200


@contextmanager
def http() -> Iterator[tuple[Inbox, int]]:
    """Open a receiver of JSON: its inbox and port."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if inbox.status < 400:
                inbox.bodies.append(body)
                inbox.paths.append(self.path)
            self.send_response(inbox.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield inbox, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()

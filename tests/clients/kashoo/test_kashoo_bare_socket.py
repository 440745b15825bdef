"""Our Kashoo client against a bare socket: what no well-behaved server answers."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kashoo_calls import PRIVATE, create, customer, slept

from airflow_provider_kashoo.clients.kashoo import Write
from airflow_provider_kashoo.clients.kashoo_http import encode
from airflow_provider_kashoo.clients.outcomes import WriteFailed
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.rules.operations import Event


def http(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


TOKEN = http(200, b"11111111-2222-4333-8444-555555555555", "Content-Type: text/plain")
PAGE = http(200, b"<html>Sign in</html>", "Content-Type: text/html")
CUT = http(200, b'{"id": 12}', length=100)
CUT_CHUNK = b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"id": 12}\r\n'
CUT_UNNOTICED = b'HTTP/1.1 201 X\r\nConnection: close\r\n\r\n{"id":9991,"href":"http://x/api/records/invoices/99'
DROPPED = b""


def held(peer: socket.socket) -> None:
    """Never answer; end when the client hangs up, or far too late."""
    peer.settimeout(4)
    peer.recv(1)


def dripping(peer: socket.socket) -> None:
    """Answer at once, but a byte at a time and for far too long."""
    peer.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    late = time.monotonic() + 4
    while time.monotonic() < late:
        peer.sendall(b"1\r\n \r\n")


def name_of(value: Any) -> str | None:
    named = {PAGE: "page", CUT: "cut", CUT_CHUNK: "cut chunk", CUT_UNNOTICED: "cut unnoticed", DROPPED: "dropped"}
    if isinstance(value, bytes):
        return named.get(value) or value[9:12].decode()
    return value.__name__ if callable(value) else None


@pytest.fixture
def wire() -> Iterator[Callable[..., tuple[str, list[str]]]]:
    """Serve one scripted answer per connection; the requests it got are listed by their first lines."""
    threads, sockets = [], []

    def serve(listening: socket.socket, script: list[Any], got: list[str]) -> None:
        for answer in script:
            with listening.accept()[0] as peer:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += peer.recv(65536)
                head, _, body = request.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                while length and len(body) < int(length[1]):
                    body += peer.recv(65536)
                got.append(head.decode().splitlines()[0].rpartition(" ")[0])
                try:
                    peer.sendall(answer) if isinstance(answer, bytes) else answer(peer)
                except OSError:
                    continue
        listening.close()

    def start(*script: Any) -> tuple[str, list[str]]:
        sockets.append(socket.create_server(("127.0.0.1", 0)))
        got: list[str] = []
        threads.append(threading.Thread(target=serve, args=(sockets[-1], list(script), got), daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{sockets[-1].getsockname()[1]}", got

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()  # every scripted answer was asked for


@pytest.mark.parametrize(
    ("answer", "event", "error_class", "stop"),
    [
        *((http(s), Event.REFUSED, name, False) for s, name in [(405, "not_allowed"), (413, "too_large")]),
        *((http(s, PRIVATE.encode()), Event.REFUSED, "refused", False) for s in (400, 415, 422)),
        (http(402), Event.SILENCE, "subscription", True),
        (http(403), Event.TURNED_AWAY, "permission", True),
        (http(503, b"", "Retry-After: 7"), Event.SILENCE, "no_answer", False),
        *((http(s, PRIVATE.encode()), Event.SILENCE, "no_answer", False) for s in (302, 401, 408, 409, 500, 502, 504)),
        *((answer, Event.SILENCE, "no_answer", False) for answer in (PAGE, CUT, CUT_CHUNK, CUT_UNNOTICED, DROPPED)),
        *((answer, Event.SILENCE, "no_answer", False) for answer in (held, dripping)),
    ],
    ids=name_of,
)
def test_each_answer_to_a_write_means_one_thing_and_it_is_sent_once(
    make, wire, raises, answer, event, error_class, stop
) -> None:
    url, got = wire(TOKEN, answer)
    began = time.monotonic()
    with raises(WriteFailed) as caught:
        create(make(url=url, deadline=0.3), "customer", customer())
    outcome = caught.value.outcome
    assert (outcome.event, outcome.problem.error_class, outcome.stop) == (event, error_class, stop)
    assert [line.split("/")[0].strip() for line in got] == ["POST", "POST"]
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("body", [b'{"id": 7}', b'"http://x/api%/7"', b'{"href":"http://x%/7/"}', b"http://x%/7?a=1"])
def test_an_id_or_an_address_in_our_books_is_understood(make, wire, body) -> None:
    url, _ = wire(TOKEN, http(201, body.replace(b"%", b"/businesses/1/items")))
    kashoo = make(url=url)
    kashoo.business_id = "1"
    assert create(kashoo, "item", {}).id == 7


@pytest.mark.parametrize("body", [b'{"id": 0}', b'{"id": true}', b'{"id": "7"}', b'{"see": "/items/7", "error": "no"}'])
def test_an_id_that_is_none_and_an_address_among_other_words_confirm_nothing(make, wire, raises, body) -> None:
    url, _ = wire(TOKEN, http(200, body))
    with raises(WriteFailed, "no conclusive answer"):
        create(make(url=url, profile=Profile(item="/items")), "item", {})


def test_a_sign_in_page_is_no_confirmation_of_an_update(make, wire, raises) -> None:
    url, _ = wire(TOKEN, PAGE)
    with raises(WriteFailed) as caught:
        make(url=url).send(Write("customer", 5, encode(customer())))
    assert caught.value.outcome.event is Event.SILENCE


@pytest.mark.parametrize(
    "fault", [http(500, b"x"), http(429), PAGE, CUT, CUT_CHUNK, DROPPED, held, dripping], ids=name_of
)
def test_a_read_is_repeated_whatever_went_wrong(make, wire, fault) -> None:
    good = http(200, b'[{"id": 7, "quantity": 0.10}]', "Content-Type: application/json")
    url, got = wire(TOKEN, fault, fault, good)
    [row] = make(url=url, deadline=0.3)._read_list("/users/me/businesses", {})
    assert (row["id"], str(row["quantity"])) == (7, "0.10")
    assert got[1:] == ["GET /users/me/businesses"] * 3
    assert len(slept) == 2


@pytest.mark.parametrize("fault", [http(502, PRIVATE.encode()), PAGE, DROPPED], ids=name_of)
def test_a_read_is_given_up_after_four_tries(make, wire, raises, fault) -> None:
    url, _ = wire(TOKEN, *[fault] * 4)
    with raises(UnreachableError, "Kashoo cannot be reached"):
        make(url=url).businesses()


def test_a_host_that_is_not_there_is_unreachable_and_a_write_to_it_surely_not_sent(make, wire, raises) -> None:
    url, got = wire(TOKEN)
    kashoo = make(url=url)
    kashoo.ready(lambda: None)
    while socket.socket().connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0:
        pass  # until the server has closed its port
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert (caught.value.outcome.event, caught.value.outcome.stop) == (Event.TURNED_AWAY, True)
    with raises(UnreachableError, "Check the host"):
        kashoo.businesses()
    with raises(UnreachableError):
        create(make(url=url), "customer", customer())
    assert got == ["POST /authTokens"]

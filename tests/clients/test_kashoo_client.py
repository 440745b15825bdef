"""Our Kashoo client against the simulated Kashoo over HTTP, and against a bare socket where HTTP itself goes wrong."""

from __future__ import annotations

import base64
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from secrecy import raises_without

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.clients.kashoo import KashooClient, Write, Written
from airflow_provider_kashoo.clients.kashoo_http import encode
from airflow_provider_kashoo.clients.outcomes import WriteFailed
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import DEFAULT_CLOSURE, MeteredAdapter, Unlimited, new_session
from airflow_provider_kashoo.core.errors import AuthenticationError, BudgetSpent, ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.sandbox.dataset import open_books
from airflow_provider_kashoo.sandbox.kashoo.books import KashooError
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Budget, Limit

PRIVATE = "Wile E. Coyote, Box 12"
OURS = Reference("006000000000001AAA")
WRONG = "wrong-horse-battery"
slept: list[float] = []


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(dataset="empty") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.books.limits, running.books.retry_after = [], True
    running.books.create_answer = "entity"
    return running


@pytest.fixture(autouse=True)
def secrets(running: Sandbox, caplog: Any) -> Iterator[Callable[[], list[str]]]:
    """Whatever a test does, even at DEBUG no secret, token or body is logged."""
    slept.clear()
    caplog.set_level(logging.DEBUG)

    def known() -> list[str]:
        login = f"{running.books.email}:{running.books.password}"
        tokens = [name.partition(":")[2] for name in running.books._tokens]
        return [running.books.password, WRONG, base64.b64encode(login.encode()).decode(), PRIVATE, *tokens]

    yield known
    logged = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert "HTTP/1.1" in logged
    assert [secret for secret in known() if secret in logged] == []


@pytest.fixture
def raises(secrets: Any) -> Callable[..., Any]:
    return raises_without(secrets)


@pytest.fixture
def make(sandbox: Sandbox) -> Callable[..., KashooClient]:
    def client(budget: Any = None, *, url: str = "", deadline: float = 20, **more: Any) -> KashooClient:
        business = str(open_books(sandbox.books))
        given = {"login": sandbox.books.email, "password": sandbox.books.password, "clock": sandbox.clock.time} | more
        session = new_session(budget or Unlimited(), deadline)
        return KashooClient(session, url or sandbox.kashoo_url, business_id=business, sleep=slept.append, **given)

    return client


@pytest.fixture
def seen(sandbox: Sandbox) -> Callable[[], list[tuple[str, str, int]]]:
    """What reached the sandbox since the last call: method, last word of the path, status."""
    start = sandbox.logs["kashoo"].total

    def since() -> list[tuple[str, str, int]]:
        nonlocal start
        new, start = sandbox.logs["kashoo"].total - start, sandbox.logs["kashoo"].total
        entries = sandbox.logs["kashoo"].entries()[-new:] if new else []
        return [(each["method"], each["path"].rpartition("/")[2], each["status"]) for each in entries]

    return since


def customer(name: str = PRIVATE, **more: Any) -> dict[str, Any]:
    return {"type": "customer", "contactInformation": {"name": name}, **more}


def create(kashoo: KashooClient, kind: str, body: dict[str, Any]) -> Written:
    return kashoo.send(Write(kind, None, encode(body)))


def invoice(kashoo: KashooClient, **more: Any) -> dict[str, Any]:
    income = next(each.id for each in kashoo.accounts() if each.is_income)
    line = {"account": income, "quantity": 1, "rate": 10_000, "taxCode": "", "description": PRIVATE}
    return {"type": "invoice", "currency": "USD", "date": "2026-03-10", "lineItems": [line], **more}


# -- tokens


@pytest.mark.parametrize("as_text", [False, True])
def test_a_token_is_understood_as_json_and_as_bare_text(make, sandbox, seen, as_text) -> None:
    class TextWanted(MeteredAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            if as_text and request.path_url.endswith("/authTokens"):
                del request.headers["Accept"]  # then Kashoo answers with text
            return super().send(request, *args, **options)

    kashoo, adapter = make(), TextWanted(Unlimited(), 20)
    for scheme in ("http://", "https://"):
        kashoo._session.mount(scheme, adapter)
    assert kashoo.business_id in [each.id for each in kashoo.businesses()]
    assert kashoo._authorization.startswith("TOKEN uuid:" if as_text else "TOKEN json:{")
    assert seen() == [("POST", "authTokens", 200), ("GET", "businesses", 200)]
    assert kashoo.requests_sent == 2


def test_a_token_is_used_until_shortly_before_it_expires_and_then_renewed(make, sandbox, seen) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.clock.advance(25 * 3600 - 300)
    kashoo.businesses()
    assert [path for _, path, _ in seen()] == ["authTokens", "businesses", "businesses"]
    sandbox.clock.advance(200)  # it would still be accepted for 100 seconds
    kashoo.businesses()
    assert seen() == [("POST", "authTokens", 200), ("GET", "businesses", 200)]


def test_a_read_answered_401_logs_in_once_more(make, sandbox, seen) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.books._tokens.clear()
    seen()
    assert kashoo.businesses()
    assert seen() == [("GET", "businesses", 401), ("POST", "authTokens", 200), ("GET", "businesses", 200)]


def test_a_read_refused_with_a_fresh_token_is_an_authentication_error(make, sandbox, seen, raises, monkeypatch) -> None:
    monkeypatch.setattr(sandbox.books, "check", Mock(side_effect=KashooError(PRIVATE, status=401)))
    with raises(AuthenticationError, "Kashoo refused the login"):
        make().businesses()
    assert [path for _, path, _ in seen()] == ["authTokens", "businesses", "authTokens", "businesses"]


def test_a_write_answered_401_is_in_doubt_and_not_repeated(make, sandbox, seen, raises) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.books._tokens.clear()
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert (caught.value.outcome.event, caught.value.outcome.stop) == (Event.SILENCE, False)
    assert seen() == [("POST", "customers", 401)]
    assert create(kashoo, "customer", customer()).id > 0  # the next write logs in again
    assert seen() == [("POST", "authTokens", 200), ("POST", "customers", 201)]


def test_a_wrong_password_is_an_authentication_error_that_tells_no_secret(make, seen, raises) -> None:
    with raises(AuthenticationError, "Check login and password") as caught:
        make(password=WRONG).businesses()
    assert "html" not in str(caught.value)
    assert (seen(), slept) == ([("POST", "authTokens", 401)], [])


# -- reading


def test_a_listing_is_read_to_the_empty_page_and_leaves_removed_rows_out(make, sandbox, seen) -> None:
    kashoo = make(profile=Profile(page_size=2))
    made = [create(kashoo, "customer", customer(f"Firm {n}")).id for n in range(5)]
    sandbox.books.remove(int(kashoo.business_id), "customers", made[1])
    seen()
    assert [each.id for each in kashoo.listing("customer")] == [made[0], *made[2:]]
    assert len(seen()) == 3  # two full pages and the empty one: a short page proves nothing


def test_a_row_shown_as_removed_or_twice_is_given_out_once_or_not_at_all(make, monkeypatch, sandbox) -> None:
    pages = {0: [{"id": 1}, {"id": 2, "removed": True}], 2: [{"id": 2}, {"id": 3, "removed": False}], 4: [{"id": 3}]}
    monkeypatch.setattr(sandbox.books, "page", lambda *_, offset, **__: pages.get(offset, []))
    assert [each.id for each in make().listing("customer")] == [1, 3]


def test_a_date_window_includes_both_its_ends(make) -> None:
    kashoo = make()
    made = {
        day: create(kashoo, "invoice", invoice(kashoo, date=f"2026-03-{day}")).id for day in ("09", "10", "11", "12")
    }
    listed = kashoo.listing("invoice", start="2026-03-10", end="2026-03-11")
    assert [each.id for each in listed] == [made["10"], made["11"]]


def test_a_record_that_is_not_there_reads_as_none_and_a_wrong_business_is_a_configuration_error(make, raises) -> None:
    kashoo = make()
    assert kashoo.read("customer", 1) is None
    kashoo.business_id = "1"
    with raises(ConfigurationError, "Check business_id"):
        list(kashoo.listing("customer"))


# -- writing


@pytest.mark.parametrize("shape", ["entity", "url-body", "location"])
def test_a_create_tells_its_id_in_each_of_three_answers(make, sandbox, shape) -> None:
    kashoo = make()
    sandbox.books.create_answer = shape
    written = create(kashoo, "customer", customer("Initech"))
    assert kashoo.read("customer", written.id).fields["name"] == "Initech"
    assert (written.entry is not None) == (shape == "entity")


def test_a_create_answered_by_nothing_is_in_doubt_although_it_was_written(make, sandbox, seen, raises) -> None:
    kashoo = make()
    sandbox.books.create_answer = "empty"
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert caught.value.outcome.event is Event.SILENCE
    assert [path for method, path, _ in seen() if method == "POST"] == ["authTokens", "customers"]
    assert len(list(kashoo.listing("customer"))) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"date": "2026-01-31"}, "The books are locked up to 2026-01-31; 2026-01-31 cannot be changed"),
        ({"currency": "XYZ"}, "'XYZ' is not a currency of this business"),
        ({"lineItems": [{"account": 1, "quantity": 1, "rate": 1}]}, "1 is not the id of one of the accounts"),
        ({"lineItems": [{"taxCode": "QQ"}]}, "'QQ'"),
        ({"memo": 5}, "memo must be text"),
    ],
)
def test_a_refusal_is_kept_in_kashoos_own_words(make, sandbox, seen, raises, change, words) -> None:
    kashoo = make()
    body = invoice(kashoo)
    if "taxCode" in str(change):
        change = {"lineItems": [body["lineItems"][0] | change["lineItems"][0]]}
    sandbox.books.lock_until(int(kashoo.business_id), "2026-01-31")
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "invoice", body | change)
    outcome = caught.value.outcome
    assert (outcome.event, outcome.problem.error_class, outcome.stop) == (Event.REFUSED, "refused", False)
    assert words in outcome.problem.cause
    assert str(caught.value) == "Kashoo refused the record (400)"  # what may reach a log has our words alone
    assert seen() == [("POST", "invoices", 400)]
    assert list(kashoo.listing("invoice")) == []


def test_an_update_of_what_is_not_there_is_refused(make, raises) -> None:
    with raises(WriteFailed) as caught:
        make().send(Write("customer", 1, encode(customer())))
    assert (caught.value.outcome.event, caught.value.outcome.problem.error_class) == (Event.REFUSED, "not_found")


# -- the shared budget


@pytest.mark.parametrize("tells", [True, False])
def test_a_429_closes_the_budget_for_every_client_that_shares_it(
    make, sandbox, seen, raises, database, clock, tells
) -> None:
    budget = Budget(database, "shared", [Limit(100, 3600)], patience=0, sleep=clock.sleep)
    kashoo, other = make(budget), make(budget)
    for each in (kashoo, other):
        each.businesses()
    sandbox.books.retry_after = tells
    sandbox.books.limits = [(1, 3600.0)]
    kashoo.businesses()
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert (caught.value.outcome.event, caught.value.outcome.problem.error_class) == (Event.TURNED_AWAY, "rate_limit")
    with raises(BudgetSpent) as spent:
        other.businesses()
    assert 3590 < spent.value.until - clock.now <= 3600 if tells else spent.value.until == clock.now + DEFAULT_CLOSURE
    assert seen() == [("POST", "customers", 429)]


def test_every_request_takes_one_slot_tokens_included_and_a_slot_taken_before_is_used(make, database, clock) -> None:
    budget = Budget(database, "b", [Limit(100, 3600)], sleep=clock.sleep)
    kashoo = make(budget)
    with kashoo.ready(lambda: None):
        assert (budget.used(3600), kashoo.requests_sent) == (2, 1)
        create(kashoo, "customer", customer())
    assert (budget.used(3600), kashoo.requests_sent) == (2, 2)
    with kashoo.ready(lambda: None):
        pass  # the journal said no: the slot is given back, not left to its deadline
    with database.begin() as connection:
        ends = connection.exec_driver_sql("SELECT counts_from FROM budget_slots").scalars().all()
    assert ends == [clock.now] * 3


# -- a bare socket: what no well-behaved server answers


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


# -- documents


def stored(kashoo: KashooClient, target: str, document: dict[str, Any], base: Entry | None = None) -> Entry:
    if base:
        written = kashoo.send(kashoo.prepare_update(base, document, OURS))
    else:
        written = kashoo.send(kashoo.prepare_create(target, document, OURS))
    return next(each for each in kashoo.listing(target) if each.id == written.id)


CUSTOMER = {"name": "Initech", "email": "ap@initech.test", "street": "1 Main", "country": "US", "currency": "USD"}
LINE = {"description": "Hosting", "quantity": "2.5", "rate": 1_001, "taxCode": "none"}


def test_each_target_reads_back_as_the_document_that_was_written(make) -> None:
    kashoo = make()
    account = next(each.id for each in kashoo.accounts() if each.is_income)
    tax = next(each.code for each in kashoo.taxes())
    item = {"name": "Anvil", "code": "A-1", "account": account, "taxCode": tax}
    contact = stored(kashoo, "customer", CUSTOMER).id
    lines = [{**LINE, "account": account, "quantity": each} for each in ("0.1", "1000", "0.333333", "12345678.9")]
    lines += [{**LINE, "account": account, "rate": 0}, {**LINE, "account": account, "taxCode": tax}]
    deal = {"contact": contact, "date": "2026-03-10", "dueDate": "2026-04-09", "currency": "USD", "poNumber": "P-7"}
    deal |= {"memo": "Thank you", "lines": lines}
    for target, document in (("customer", CUSTOMER), ("item", item), ("invoice", deal)):
        read = stored(kashoo, target, document).document
        assert read == {**document, "id": read["id"], "references": [OURS]}


@pytest.mark.parametrize(("target", "place"), [("customer", "notes"), ("invoice", "memo")])
def test_our_reference_stands_once_beside_a_persons_own_text_and_unknown_fields_stay(make, target, place) -> None:
    kashoo = make()
    body = customer() if target == "customer" else invoice(kashoo)
    ident = create(kashoo, target, {**body, place: "Call first!", "colour": "red"}).id
    change = {"name": "Initech"} if target == "customer" else {"poNumber": "P-8"}
    once = stored(kashoo, target, change, kashoo.read(target, ident))
    twice = stored(kashoo, target, change, once)
    assert once.raw[place] == twice.raw[place] == f"Call first! {OURS}"
    assert twice.raw["colour"] == "red"
    read = twice.document
    assert (read[place], read["references"]) == ("Call first!", [OURS])
    assert change.items() <= read.items()


# -- the gateway


def test_a_write_is_complete_before_it_is_sent(make, seen) -> None:
    kashoo = make()
    with pytest.raises(ValueError, match="more digits"):
        kashoo.prepare_create("invoice", {"lines": [{**LINE, "quantity": "0.1234567890123456789"}]}, OURS)
    write = kashoo.prepare_create("customer", CUSTOMER, OURS)
    assert seen() == []
    assert kashoo.send(write).entry.is_ours(CUSTOMER, OURS)


def test_a_record_stands_until_it_is_removed_and_a_second_removal_says_that_it_is_not_known(make) -> None:
    kashoo = make()
    ident = create(kashoo, "customer", customer()).id
    assert kashoo.stands("customer", ident)
    assert kashoo.send(kashoo.prepare_remove("customer", ident)).known
    assert not kashoo.stands("customer", ident)
    assert kashoo.read("customer", ident).removed
    assert not kashoo.stands("customer", ident + 1)
    assert not kashoo.send(kashoo.prepare_remove("customer", ident)).known


def test_what_is_only_listed_is_looked_for_in_its_list(make, seen) -> None:
    kashoo = make()
    account = next(each.id for each in kashoo.accounts() if each.is_income)
    item = kashoo.send(kashoo.prepare_create("item", {"name": "Anvil", "account": account}, OURS))
    seen()
    assert [kashoo.gives_single(kind) for kind in ("item", "customer")] == [False, True]
    assert kashoo.read("item", item.id).fields["name"] == "Anvil"
    assert {path for _, path, _ in seen()} == {"items"}


def test_payments_are_listed_with_what_they_pay(make, sandbox) -> None:
    kashoo = make()
    contact = create(kashoo, "customer", customer()).id
    made = create(kashoo, "invoice", invoice(kashoo, contact=contact))
    sandbox.books.pay(int(kashoo.business_id), made.id, 4_000)
    [payment] = kashoo.payments()
    assert payment.shares == ((made.id, 4_000),)
    assert (kashoo.read("invoice", made.id).invoice.paid, made.entry.invoice.paid) == (4_000, 0)


@pytest.mark.parametrize("count", [0, 3, 7])
def test_a_list_takes_about_as_many_requests_as_was_said(make, seen, count) -> None:
    kashoo = make(profile=Profile(page_size=2))
    for number in range(count):
        create(kashoo, "customer", customer(f"Firm {number}"))
    seen()
    assert len(list(kashoo.listing("customer"))) == count
    assert abs(kashoo.requests_to_list(count) - len(seen())) <= 1

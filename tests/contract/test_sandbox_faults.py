"""Scripted faults over a real socket and in process: what the client sees, and exactly what the systems then hold."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from airflow_provider_kashoo.clients.transport import MeteredAdapter, Unlimited, retry_after
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault, Faults
from airflow_provider_kashoo.sandbox.inprocess import InProcessAdapter
from airflow_provider_kashoo.sandbox.server import Sandbox

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUICK = 0.3  # seconds: the deadline of tests that are meant to miss one


class Metered(MeteredAdapter, InProcessAdapter):
    """The project's own adapter on top of the transport in process."""


class Crash(BaseException):
    pass


@dataclass
class World:
    """One sandbox, seen through one kind of transport."""

    sandbox: Sandbox
    in_process: bool
    kashoo_token: str = ""
    salesforce_token: str = ""

    def session(self, system: str, deadline: float = 5.0) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = str(self.sandbox.ca_bundle), False
        adapter = Metered(Unlimited(), deadline) if self.in_process else MeteredAdapter(Unlimited(), deadline)
        if isinstance(adapter, Metered):
            adapter.app = self.sandbox.apps[system]
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def log_in(self) -> None:
        books, org = self.sandbox.books, self.sandbox.org
        url = f"{self.sandbox.kashoo_url}/authTokens"
        self.kashoo_token = self.session("kashoo").post(url, auth=(books.email, books.password)).text
        form = {"grant_type": "client_credentials", "client_id": org.consumer_key, "client_secret": org.consumer_secret}
        url = f"{self.sandbox.salesforce_url}/services/oauth2/token"
        self.salesforce_token = self.session("salesforce").post(url, data=form).json()["access_token"]

    def kashoo(self, method: str, path: str, deadline: float = 5.0, **more: Any) -> requests.Response:
        headers = {"Authorization": f"TOKEN uuid:{self.kashoo_token}"}
        url = f"{self.sandbox.kashoo_url}/businesses/{self.sandbox.books.main()}/{path}"
        return self.session("kashoo", deadline).request(method, url, headers=headers, **more)

    def create(self, name: str = "Acme", deadline: float = 5.0, **more: Any) -> requests.Response:
        body = {"contactInformation": {"name": name, "address": {"street": "1 Harbor St"}}, **more}
        return self.kashoo("POST", "contacts/customers", deadline, json=body)

    def customers(self) -> list[str]:
        """The names as the books hold them, not as an API tells them."""
        books = self.sandbox.books
        rows = books.business(books.main()).tables["customers"].listed()
        return [row["contactInformation"]["name"] for row in rows]

    def salesforce(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.salesforce_token}", **more.pop("headers", {})}
        url = f"{self.sandbox.salesforce_url}{path if path.startswith('/services') else '/services/data/v67.0' + path}"
        return self.session("salesforce").request(method, url, headers=headers, **more)

    def fail(self, kind: Any, system: str = "kashoo", **more: Any) -> None:
        self.sandbox.faults[system].add(Fault(kind, **more))


def _sandbox(**more: Any) -> Sandbox:
    sandbox = Sandbox(dataset="empty", clock=Clock(NOW, source=lambda: 0.0), **more)
    sandbox.books.limits = []
    return sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Any]]:
    with _sandbox() as sandbox:
        yield sandbox, sandbox.snapshot()


@pytest.fixture(params=["socket", "in process"])
def world(running: tuple[Sandbox, Any], request: pytest.FixtureRequest) -> Iterator[World]:
    sandbox, beginning = running
    sandbox.restore(beginning)
    world = World(sandbox, request.param == "in process")
    world.log_in()
    yield world
    for script in sandbox.faults.values():
        script.clear()
        script.hook = None


def _seen(world: World, act: Callable[[], requests.Response]) -> int | type[Exception]:
    """What came of it: a status or the error's exact type; and the same must stand in the log (0 for silence)."""
    log = world.sandbox.logs["kashoo"]
    total = log.total
    try:
        found: int | type[Exception] = act().status_code
    except requests.RequestException as error:
        found = type(error)
    assert log.total == total + 1
    logged = log.entries()[-1]["status"]
    assert logged == found if isinstance(found, int) else logged in {0, 201}
    return found


SILENCE = requests.ConnectionError
KINDS: list[tuple[dict[str, Any], int | type[Exception], list[str]]] = [
    ({"kind": "drop_before"}, SILENCE, []),
    ({"kind": "drop_after"}, SILENCE, ["Acme"]),
    ({"kind": "cut_body"}, SILENCE, ["Acme"]),
    ({"kind": "slow_body"}, 201, ["Acme"]),
    ({"kind": "duplicate"}, 201, ["Acme", "Acme"]),
    ({"kind": "too_many"}, 429, []),
    ({"kind": "error_before", "status": 500}, 500, []),
    ({"kind": "error_before", "status": 503}, 503, []),
    ({"kind": "error_after", "status": 500}, 500, ["Acme"]),
    ({"kind": "error_after", "status": 502}, 502, ["Acme"]),
    ({"kind": "error_after", "status": 503}, 503, ["Acme"]),
    ({"kind": "unauthorized_before"}, 401, []),
    ({"kind": "unauthorized_after"}, 401, ["Acme"]),
    ({"kind": "html_before"}, 200, []),
    ({"kind": "html_after"}, 200, ["Acme"]),
]


@pytest.mark.parametrize(("fault", "seen", "written"), KINDS, ids=str)
def test_each_kind_answers_and_writes_what_it_says(
    world: World, fault: dict[str, Any], seen: int | type[Exception], written: list[str]
) -> None:
    world.fail(**fault)
    assert _seen(world, world.create) == seen
    assert world.customers() == written
    assert world.sandbox.faults["kashoo"].fired == {fault["kind"]: 1}
    assert _seen(world, lambda: world.create("Next")) == 201, "it was meant for one request"
    assert world.customers() == [*written, "Next"]


def test_answers_made_up_look_like_their_maker(world: World) -> None:
    world.fail("unauthorized_before")
    assert world.create().json() == {"message": "Session expired or invalid"}
    world.fail("error_before", status=500)
    assert world.create().json() == {"message": "An unexpected error occurred"}
    for kind, text in (("error_before", "<h1>502</h1>"), ("html_before", "Sign in")):
        world.fail(kind, status=502)
        answer = world.create()
        assert answer.headers["Content-Type"].startswith("text/html")
        assert text in answer.text
    assert answer.headers["Date"] == "Tue, 10 Mar 2026 12:00:00 GMT"
    assert world.customers() == []


@pytest.mark.parametrize("kind", ["too_many", "error_before"])
def test_retry_after_comes_in_seconds_as_a_date_or_not_at_all(world: World, kind: Any) -> None:
    waits = []
    for more in ({"retry_after": 30}, {"retry_after": 30, "as_date": True}, {}):
        world.fail(kind, status=503, **more)
        answer = world.create()
        waits.append((answer.headers.get("Retry-After"), retry_after(answer)))
    assert waits == [("30", 30.0), ("Tue, 10 Mar 2026 12:00:30 GMT", 30.0), (None, None)]


def test_a_duplicate_is_answered_by_the_second_delivery(world: World) -> None:
    world.fail("duplicate")
    newest = world.create().json()["id"]
    rows = world.sandbox.books.business(world.sandbox.books.main()).tables["customers"].listed()
    assert [row["id"] for row in rows].index(newest) == 1
    world.fail("duplicate", method="DELETE")
    assert world.kashoo("DELETE", f"contacts/customers/{newest}").status_code == 404
    assert len(world.customers()) == 1


@pytest.mark.parametrize(("shape", "seen"), [("location", SILENCE), ("empty", SILENCE), ("url-body", SILENCE)])
def test_every_shape_of_answer_can_be_cut(world: World, shape: Any, seen: type[Exception]) -> None:
    world.sandbox.books.create_answer = shape
    world.fail("cut_body")
    assert _seen(world, world.create) is seen
    assert world.customers() == ["Acme"]


def test_a_slow_body_arrives_whole_in_drips(world: World) -> None:
    pauses: list[float] = []

    def pause() -> float:
        pauses.append(0.001)
        return 0.001

    world.fail("slow_body", pause=pause)
    answer = world.create()
    assert answer.json()["contactInformation"]["name"] == "Acme"
    assert len(pauses) == 1 + -(-len(answer.content) // 32)


@pytest.mark.parametrize(
    ("pauses", "error"),
    [
        ([2 * QUICK, 0.0], requests.ReadTimeout),  # no head in time
        ([0.0, 2 * QUICK], requests.ConnectionError),  # silence within the body: urllib3 calls the body broken
        ([0.0, *[QUICK / 2] * 4], requests.ReadTimeout),  # always something, and never the end
    ],
)
def test_a_slow_body_runs_into_the_deadline(world: World, pauses: list[float], error: type[Exception]) -> None:
    left = iter(pauses)
    world.fail("slow_body", pause=lambda: next(left, 0.0))
    assert _seen_type(lambda: world.create(deadline=QUICK)) is error
    assert world.customers() == ["Acme"]


def _seen_type(act: Callable[[], object]) -> type[BaseException]:
    with pytest.raises(requests.RequestException) as caught:
        act()
    return caught.type


# -- which requests are hit


def test_a_fault_hits_the_nth_match_so_many_times(world: World) -> None:
    world.fail("error_before", method="POST", path=r"/contacts/customers$", nth=2, times=2)
    world.fail("drop_before", method="PUT")
    world.fail("drop_before", path="/records/")
    statuses = []
    for name in "abcd":
        statuses.append(world.create(name).status_code)
        assert world.kashoo("GET", "contacts/customers").status_code == 200
    assert (statuses, world.customers()) == ([201, 500, 500, 201], ["a", "d"])
    first = world.sandbox.faults["kashoo"].entries()[0]
    assert (first["seen"], first["fired"]) == (4, 2)


def test_without_an_end_a_fault_hits_every_request_until_cleared(world: World) -> None:
    world.fail("error_after", times=None)
    assert [world.create(name).status_code for name in "abc"] == [500] * 3
    world.sandbox.faults["kashoo"].clear()
    assert world.create("d").status_code == 201
    assert world.customers() == ["a", "b", "c", "d"]


def test_of_two_due_faults_the_second_waits_for_its_turn(world: World) -> None:
    world.fail("too_many")
    world.fail("unauthorized_before")
    assert [world.create().status_code for _ in range(3)] == [429, 401, 201]
    assert world.sandbox.faults["kashoo"].fired == {"too_many": 1, "unauthorized_before": 1}


def test_chance_comes_from_the_seed() -> None:
    def draws(faults: Faults) -> list[bool]:
        faults.add(Fault("drop_before", times=None, probability=0.5))
        return [faults.due("GET", "/") is not None for _ in range(64)]

    one = Faults("kashoo", seed=1)
    first = draws(one)
    assert 16 < sum(first) < 48
    one.clear()
    assert draws(one) == first == draws(Faults("kashoo", seed=1))
    assert draws(Faults("kashoo", seed=2)) != first


@pytest.mark.parametrize(
    "wrong", [{"kind": "drop"}, {"nth": 0}, {"times": 0}, {"probability": 1.1}, {"path": "("}, {"kind": "row_lock"}]
)
def test_a_fault_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, re.error)):
        Faults("kashoo").add(Fault(**{"kind": "drop_before", **wrong}))


def test_the_admin_api_scripts_faults(running: tuple[Sandbox, Any]) -> None:
    sandbox, beginning = running
    sandbox.restore(beginning)
    world = World(sandbox, in_process=False)
    url = f"{sandbox.admin_url}/faults"
    fault = {"system": "kashoo", "kind": "slow_body", "path": "customers", "pause_seconds": 0.001}
    try:
        added = requests.post(url, json=fault, timeout=5)
        assert (added.status_code, added.json()[0]["kind"]) == (201, "slow_body")
        world.log_in()
        assert world.create().status_code == 201
        listed = requests.get(url, timeout=5).json()
        assert [(row["path"], row["seen"], row["fired"]) for row in listed["kashoo"]] == [("customers", 1, 1)]
        assert listed["salesforce"] == []
        for wrong in (
            {},
            {"kind": "?"},
            {"nth": "x"},
            {"system": "xero"},
            {"kind": "row_lock"},
            {"path": "("},
            {"a": 1},
        ):
            assert requests.post(url, json=fault | wrong if wrong else {}, timeout=5).status_code == 400, wrong
        assert requests.delete(url, timeout=5).status_code == 204
        assert requests.get(url, timeout=5).json() == {"salesforce": [], "kashoo": []}
    finally:
        sandbox.faults["kashoo"].clear()


# -- Salesforce


def _accounts(world: World, count: int = 2) -> list[str]:
    return [world.sandbox.org.insert("Account", {"Name": f"Firm {n}"}) for n in range(count)]


def _collection(ids: list[str], **more: Any) -> dict[str, Any]:
    records = [{"attributes": {"type": "Account"}, "Id": key, "Name": "New"} for key in ids]
    return {"records": records, **more}


def _names(world: World) -> list[str]:
    return [row["Name"] for row in world.sandbox.org.rows("Account")]


def test_a_locked_row_fails_alone_in_a_collection(world: World) -> None:
    ids = _accounts(world)
    world.fail("row_lock", "salesforce", records=(ids[0],))
    answer = world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids))
    message = f"unable to obtain exclusive access to this record or 1 records: {ids[0]}"
    locked = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": message, "fields": []}
    assert answer.status_code == 200
    assert answer.json() == [{"success": False, "errors": [locked]}, {"id": ids[1], "success": True, "errors": []}]
    assert _names(world) == ["Firm 0", "New"]
    assert world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids)).json()[0]["success"] is True


def test_a_locked_row_undoes_all_or_none(world: World) -> None:
    ids = _accounts(world)
    world.fail("row_lock", "salesforce", records=(ids[1],))
    answer = world.salesforce("PATCH", "/composite/sobjects", json=_collection(ids, allOrNone=True)).json()
    codes = [entry["errors"][0]["statusCode"] for entry in answer]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "UNABLE_TO_LOCK_ROW"]
    assert _names(world) == ["Firm 0", "Firm 1"]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"Name": "New"}), ("DELETE", None)])
def test_a_single_write_of_a_locked_row_is_a_400(world: World, method: str, body: Any) -> None:
    (key,) = _accounts(world, 1)
    world.fail("row_lock", "salesforce", method=method)
    answer = world.salesforce(method, f"/sobjects/Account/{key}", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
    assert _names(world) == ["Firm 0"]
    assert world.salesforce("GET", f"/sobjects/Account/{key}").json()["Name"] == "Firm 0"


@pytest.mark.parametrize(
    ("kind", "status", "code", "message"),
    [
        ("limit_daily", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        (
            "limit_concurrent",
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        ),
        ("unauthorized_before", 401, "INVALID_SESSION_ID", "Session expired or invalid"),
        ("error_before", 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    ],
)
def test_refusals_of_salesforce(world: World, kind: Any, status: int, code: str, message: str) -> None:
    world.fail(kind, "salesforce")
    answer = world.salesforce("POST", "/sobjects/Account", json={"Name": "New"})
    assert (answer.status_code, answer.json()) == (status, [{"message": message, "errorCode": code}])
    assert _names(world) == []


@pytest.mark.parametrize(("kind", "written"), [("drop_before", []), ("drop_after", ["New"]), ("cut_body", ["New"])])
def test_connections_break_under_tls_too(world: World, kind: Any, written: list[str]) -> None:
    world.fail(kind, "salesforce")
    seen = _seen_type(lambda: world.salesforce("POST", "/sobjects/Account", json={"Name": "New"}))
    assert seen is requests.ConnectionError
    assert _names(world) == written
    assert world.salesforce("GET", "/limits").status_code == 200


def test_a_locator_expires_between_two_pages(world: World) -> None:
    _accounts(world, 201)
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = world.salesforce("GET", "/query", params={"q": "SELECT Id FROM Account"}, headers=small).json()
    world.fail("locator_expired", "salesforce", path="/query/")
    lost = world.salesforce("GET", page["nextRecordsUrl"])
    assert (lost.status_code, lost.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert len(world.salesforce("GET", page["nextRecordsUrl"]).json()["records"]) == 1


# -- crash points


def test_the_hook_sees_each_stage(world: World) -> None:
    stages: list[str] = []
    answered = threading.Event()  # a server gets there after its client has the answer

    def hook(reached: str) -> None:
        stages.append(reached)
        if reached.startswith("answered"):
            answered.set()

    world.sandbox.faults["kashoo"].hook = hook
    path = f"POST /api/businesses/{world.sandbox.books.main()}/contacts/customers"
    for kind, reached in (("drop_before", 1), ("drop_after", 2), ("duplicate", 3), ("too_many", 3)):
        stages.clear()
        world.fail(kind)
        if reached < 3:
            _seen_type(world.create)
        else:
            world.create()
            assert answered.wait(5)
        answered.clear()
        wanted = ("received", "answered") if kind == "too_many" else ("received", "processed", "answered")[:reached]
        assert stages == [f"{stage} {path}" for stage in wanted], kind


@pytest.mark.parametrize(("stage", "written"), [("received", []), ("processed", ["Acme"]), ("answered", ["Acme"])])
@pytest.mark.parametrize("world", ["in process"], indirect=True)
def test_what_the_hook_raises_reaches_a_client_in_process_as_it_is(
    world: World, stage: str, written: list[str]
) -> None:
    crash = Crash(stage)

    def hook(reached: str) -> None:
        if reached.startswith(stage):
            raise crash

    world.sandbox.faults["kashoo"].hook = hook
    with pytest.raises(Crash) as caught:
        world.create()
    assert caught.value is crash
    assert world.customers() == written
    world.sandbox.faults["kashoo"].hook = None
    assert world.create("Next").status_code == 201
    assert world.customers() == [*written, "Next"]


# -- variants of the books


def test_a_new_row_may_show_in_lists_only_later(world: World) -> None:
    world.sandbox.books.list_delay_seconds = 90
    key = world.create().json()["id"]
    for seconds, listed in ((0, []), (89, []), (1, [key])):
        world.sandbox.clock.advance(seconds)
        assert [row["id"] for row in world.kashoo("GET", "contacts/customers").json()] == listed
        assert world.kashoo("GET", f"contacts/customers/{key}").json()["id"] == key


def test_books_may_store_no_reference(world: World) -> None:
    world.sandbox.books.stores_reference = False
    answer = world.create(notes="SF-1").json()
    assert "notes" not in answer
    account = world.kashoo("POST", "accounts", json={"name": "Sales", "type": "INCOME"}).json()["id"]
    line = {"account": account, "quantity": 1, "rate": 100, "description": "kept"}
    body = {"date": "2026-03-10", "currency": "USD", "memo": "SF-2", "contact": answer["id"], "lineItems": [line]}
    invoice = world.kashoo("POST", "records/invoices", json=body).json()
    assert "memo" not in invoice
    assert invoice["lineItems"][0]["description"] == "kept"
    world.sandbox.books.stores_reference = True
    assert world.kashoo("PUT", f"records/invoices/{invoice['id']}", json=body).json()["memo"] == "SF-2"


# -- snapshots


def _state(sandbox: Sandbox) -> str:
    rows = {name: sandbox.org.rows(name, deleted=True) for name in sandbox.org.schema.objects}
    indexes = {name: (table.refs, table.unique) for name, table in sandbox.org.tables.items()}
    books = [vars(business) for business in sandbox.books.businesses.values()]
    tables = [{kind: vars(table) for kind, table in business["tables"].items()} for business in books]
    plain = [{key: value for key, value in business.items() if key != "tables"} for business in books]
    limits = (sandbox.books._arrivals, sandbox.books._tokens, sandbox.books.refused, sandbox.org.api_requests)
    state = [rows, indexes, tables, plain, limits, sandbox.clock.time()]
    return json.dumps(state, default=lambda value: sorted(value) if isinstance(value, frozenset) else repr(value))


def _work(world: World) -> list[Any]:
    """Write on both sides; equal states give equal ids, tokens and answers."""
    world.sandbox.clock.advance(3600)
    world.log_in()
    key = world.create("Worked").json()["id"]
    world.kashoo("DELETE", f"contacts/customers/{key}")
    firm = _accounts(world, 1)[0]
    world.sandbox.org.insert("Contact", {"LastName": "Ng", "AccountId": firm})
    world.salesforce("PATCH", f"/sobjects/Account/{firm}", json={"Name": "Worked"})
    return [world.kashoo_token, world.salesforce_token, key, firm, _state(world.sandbox)]


def test_a_snapshot_brings_both_systems_and_the_clock_back(world: World) -> None:
    sandbox = world.sandbox
    _accounts(world, 201)
    world.create("Before")
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = world.salesforce("GET", "/query", params={"q": "SELECT Id FROM Account"}, headers=small).json()
    tokens = world.kashoo_token, world.salesforce_token
    kept, state = sandbox.snapshot(), _state(sandbox)
    first = _work(world)
    assert _state(sandbox) != state
    for _ in range(2):
        sandbox.restore(kept)
        assert _state(sandbox) == state
        assert sandbox.clock.now() == NOW
        assert _work(world) == first
    sandbox.restore(kept)
    world.kashoo_token, world.salesforce_token = tokens
    assert world.kashoo("GET", "contacts/customers").json()[0]["contactInformation"]["name"] == "Before"
    assert len(world.salesforce("GET", page["nextRecordsUrl"]).json()["records"]) == 1


def test_a_restored_state_does_not_touch_its_snapshot() -> None:
    sandbox = Sandbox(dataset="demo", clock=Clock(NOW, source=lambda: 0.0), serve=False)
    kept, state = sandbox.snapshot(), _state(sandbox)
    books = sandbox.books.business(sandbox.books.main())
    next(iter(books.tables["customers"].rows.values()))["contactInformation"]["name"] = "edited in place"
    next(iter(sandbox.org.tables["Account"].rows.values()))["Name"] = "edited in place"
    sandbox.restore(kept)
    assert _state(sandbox) == state
    sandbox.books.add_business("Second", home="EUR", currencies={"EUR"})
    sandbox.org.insert("Account", {"Name": "Late", "Payment_Terms__c": Decimal(9)})
    sandbox.restore(kept)
    assert _state(sandbox) == state


# -- in process


def test_nothing_listens_without_serve() -> None:
    with _sandbox(serve=False) as sandbox:
        world = World(sandbox, in_process=True)
        world.log_in()
        answer = world.create()
        root = f"{sandbox.kashoo_url}/businesses/{sandbox.books.main()}"
        assert answer.json()["links"][0]["href"] == f"{root}/contacts/customers/{answer.json()['id']}"
        assert (answer.reason, answer.url, answer.encoding) == ("Created", f"{root}/contacts/customers", "utf-8")
        assert world.salesforce("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 0
        assert json.loads(sandbox.describe()["env"]["AIRFLOW_CONN_KASHOO_DEFAULT"])["host"] == sandbox.kashoo_url
        with pytest.raises(requests.ConnectionError):
            requests.get(sandbox.kashoo_url, timeout=1)


@pytest.mark.parametrize("world", ["in process"], indirect=True)
def test_a_plain_session_reads_in_process_as_from_a_socket(world: World) -> None:
    session = requests.Session()
    session.mount("http://", InProcessAdapter(world.sandbox.apps["kashoo"]))
    url, headers = f"{world.sandbox.kashoo_url}/users/me", {"Authorization": f"TOKEN uuid:{world.kashoo_token}"}
    whole = session.get(url, headers=headers)
    assert whole.json()["email"] == world.sandbox.books.email
    pieces = session.get(url, headers=headers, stream=True).iter_content(7)
    assert b"".join(pieces) == whole.content
    for more, error in (({}, None), ({"timeout": 0.01}, requests.ConnectionError)):
        left = iter([0.0, 0.02])
        world.fail("slow_body", pause=lambda left=left: next(left, 0.0))
        if error:
            with pytest.raises(error):
                session.get(url, headers=headers, **more)
        else:
            assert session.get(url, headers=headers, **more).content == whole.content
    world.fail("slow_body", pause=lambda: 60.0)
    with pytest.raises(requests.ReadTimeout):  # at once
        session.get(url, headers=headers, timeout=(9, 50))
    world.fail("cut_body")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(url, headers=headers)


def test_many_threads_may_send_at_once(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: world.create(f"Firm {number:02}"), range(24)))
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(world.customers()) == [f"Firm {number:02}" for number in range(24)]
    assert len({answer.json()["id"] for answer in answers}) == 24


def test_an_app_that_waits_is_told_that_there_is_no_loop() -> None:
    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await asyncio.Future(loop=loop)

    loop = asyncio.new_event_loop()
    session = requests.Session()
    session.mount("http://", InProcessAdapter(waiting))
    with pytest.raises(RuntimeError, match="event loop"):
        session.get("http://localhost/")
    loop.close()

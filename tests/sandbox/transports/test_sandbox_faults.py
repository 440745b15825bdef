"""Scripted faults over a real socket and in process: what the client sees, and exactly what the systems then hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from world import World, error_type

from airflow_provider_kashoo.clients.transport import retry_after
from airflow_provider_kashoo.sandbox.faults import Fault, Faults
from airflow_provider_kashoo.sandbox.server import Sandbox

QUICK = 0.3  # seconds: the deadline of tests that are meant to miss one


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


@pytest.mark.parametrize("shape", ["location", "empty", "url-body"])
def test_every_shape_of_answer_can_be_cut(world: World, shape: Any) -> None:
    world.sandbox.books.create_answer = shape
    world.fail("cut_body")
    assert _seen(world, world.create) is SILENCE
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
    assert error_type(lambda: world.create(deadline=QUICK)) is error
    assert world.customers() == ["Acme"]


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


def test_books_may_cut_a_text(world: World) -> None:
    world.sandbox.books.cuts = {"notes": 4}
    assert world.create(notes="SF-12").json()["notes"] == "SF-1"
    world.sandbox.books.cuts = {}
    assert world.create(notes="SF-12").json()["notes"] == "SF-12"

"""A sandbox without ports: what is sent in process is answered as from a socket."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from world import World, still_sandbox

from airflow_provider_kashoo.sandbox.inprocess import InProcessAdapter


def test_nothing_listens_without_serve() -> None:
    with still_sandbox(serve=False) as sandbox:
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

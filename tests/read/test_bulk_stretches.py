"""Large results of a bulk job are read from several places at once, and go on where a worker died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from records import add_account
from rounds import Killed, Rounds

from airflow_provider_kashoo.clients.bulk import BulkQueries
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.clients.transport import Unlimited
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce import bulk
from airflow_provider_kashoo.sync.read.bulk import AT_ONCE, Query, in_bulk
from airflow_provider_kashoo.sync.read.shapes import Shape
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync

QUERY = Query("records.Account", "SELECT Id FROM Account", Shape().records)
COUNT = 32
PAGES = 21
"""Ten chunks of three records in pages of two, and one of two records: places are listed in three requests."""


@pytest.fixture(autouse=True)
def small(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK_ROWS", 3)
    monkeypatch.setattr("airflow_provider_kashoo.clients.bulk.PAGE_RECORDS", 2)
    monkeypatch.setattr("time.sleep", lambda _: None)
    for number in range(COUNT - len(drive.sandbox.org.rows("Account"))):
        add_account(drive.sandbox, f"Account {number}")


@pytest.fixture
def sync(drive: Rounds) -> Sync:
    return drive.sync()


def asked(drive: Rounds, end: str, method: str = "GET") -> int:
    entries = drive.sandbox.logs["salesforce"].entries()
    return sum(row["method"] == method and row["path"].endswith(end) for row in entries)


def read(client: SalesforceClient, files: Staging) -> list[str]:
    """Extract in bulk; gives the ids, in order."""
    parts = Parts(files, "Account")
    found = [ident for _, table in parts.keep_job(client, QUERY) for ident in table["Id"].to_pylist()]
    assert sum(parts.rows.values()) == len(found)
    return sorted(found)


def everything(drive: Rounds) -> list[str]:
    return sorted(row["Id"] for row in drive.sandbox.org.rows("Account"))


def older(drive: Rounds, version: str) -> SalesforceClient:
    session = drive._session("salesforce", Unlimited())
    return SalesforceClient(session, drive.log_in, version, sleep=lambda _: None)


def at_request(drive: Rounds, number: int, call: Callable[[], Any]) -> None:
    """Call something when a page is asked for the ``number``-th time, before Salesforce sees it."""
    seen, lock = 0, threading.Lock()

    def hook(stage: str) -> None:
        nonlocal seen
        if stage.startswith("received GET") and stage.endswith("/results"):
            with lock:
                seen += 1
                due = seen == number
            if due:
                call()

    drive.sandbox.faults["salesforce"].hook = hook


def die() -> None:
    raise Killed


def test_every_record_of_every_stretch_is_read_once(drive: Rounds, sync: Sync) -> None:
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert (asked(drive, "/resultPages"), asked(drive, "/results")) == (3, PAGES)
    assert asked(drive, "/jobs/query", "POST") == 1


def test_pages_are_fetched_at_the_same_time(drive: Rounds, sync: Sync) -> None:
    together = threading.Barrier(AT_ONCE)
    met: list[int] = []

    def hook(stage: str) -> None:
        if stage.startswith("received GET") and stage.endswith("/results") and not met:
            together.wait(30)
            met.append(1)

    drive.sandbox.faults["salesforce"].hook = hook
    assert read(sync.salesforce, sync.files) == everything(drive)


class Eager(ThreadPoolExecutor):
    """Does what it is given at once: nobody needs to wait for threads to see how much they were given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_no_more_pages_are_fetched_than_fit_into_memory(
    drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.sync.read.bulk.ThreadPoolExecutor", Eager)
    for used, _ in enumerate(in_bulk(sync.salesforce, QUERY)):
        assert asked(drive, "/results") <= used + 1 + AT_ONCE
    assert asked(drive, "/results") == PAGES


def test_the_documented_names_and_whole_paths_are_understood_too(
    drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "/services/data/v67.0"

    def documented(content: Any, *rest: Any) -> Any:
        if isinstance(content, dict) and "resultChunks" in content:
            links = [{"resultUrl": whole + entry["resultLink"]} for entry in content["resultChunks"]]
            following = content["nextRecordsUrl"] and whole + content["nextRecordsUrl"].replace("Pages", "pages")
            content = {"resultPages": links, "nextRecordsUrl": following, "done": content["done"]}
        return reply(content, *rest)

    reply = bulk.reply
    monkeypatch.setattr(bulk, "reply", documented)
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert asked(drive, "/resultPages") == 3


def test_a_version_without_places_is_read_page_after_page(drive: Rounds, sync: Sync) -> None:
    assert read(older(drive, "57.0"), sync.files) == everything(drive)
    assert asked(drive, "/resultPages") == 0
    assert read(older(drive, "58.0"), sync.files.of_run("again", "")) == everything(drive)
    assert asked(drive, "/resultPages") == 3


NOT_UNDERSTOOD: list[Any] = [
    {},
    {"resultChunks": [{"resultLink": "/jobs/query/1/results"}], "done": True},
    {"resultChunks": [{"link": "x"}], "done": True},
    {"resultChunks": ["?locator=MA"], "done": True},
    {"resultChunks": [{"resultLink": "?locator=MA"}], "nextRecordsUrl": "?locator=MA", "done": False},
    {"resultChunks": [{"resultLink": "?locator=MA"}], "done": False},
    [{"message": "no", "errorCode": "NOT_FOUND"}],
    "no",
]


def test_places_that_are_not_understood_are_not_used(
    drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = bulk.reply
    for number, said in enumerate(NOT_UNDERSTOOD):

        def spoilt(content: Any, *rest: Any, said: Any = said) -> Any:
            return reply(said if isinstance(content, dict) and "resultChunks" in content else content, *rest)

        monkeypatch.setattr(bulk, "reply", spoilt)
        assert read(sync.salesforce, sync.files.of_run("again", str(number))) == everything(drive)
    assert asked(drive, "/results") == len(NOT_UNDERSTOOD) * PAGES


def test_a_worker_that_dies_goes_on_with_the_pages_that_are_left(drive: Rounds, sync: Sync) -> None:
    at_request(drive, 12, die)
    with pytest.raises(Killed):
        read(sync.salesforce, sync.files)
    drive.sandbox.faults["salesforce"].hook = None
    staged, before = len(sync.files.names("records.Account.Account.bulk")), asked(drive, "/results")
    assert staged >= 12 - 2 * AT_ONCE
    assert read(drive.salesforce(), sync.files) == everything(drive)
    assert asked(drive, "/results") - before == PAGES - staged
    assert (asked(drive, "/resultPages"), asked(drive, "/jobs/query", "POST")) == (3, 1)


def test_a_page_that_is_never_served_fails_and_keeps_the_others(drive: Rounds, sync: Sync) -> None:
    drive.sandbox.faults["salesforce"].add(Fault(kind="error_before", path="/results$", nth=9, times=40))
    with pytest.raises(UnreachableError, match="Salesforce cannot be reached"):
        read(sync.salesforce, sync.files)
    drive.sandbox.faults["salesforce"].clear()
    staged, before = len(sync.files.names("records.Account.Account.bulk")), asked(drive, "/results")
    assert staged >= 8 - AT_ONCE
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert asked(drive, "/results") - before == PAGES - staged


def test_a_job_that_an_older_version_left_half_read_goes_on(
    drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_request(drive, 2, die)
    with monkeypatch.context() as then:
        then.setattr(BulkQueries, "places", lambda *_: [])
        with pytest.raises(Killed):
            read(sync.salesforce, sync.files)
    drive.sandbox.faults["salesforce"].hook = None
    kept = sync.files.read_json("bulk.records.Account.Account") or {}
    (stretch,) = kept.pop("stretches")
    assert (kept["parts"], stretch["done"]) == (1, False)
    sync.files.write_json("bulk.records.Account.Account", kept | {"locator": stretch["locator"]})
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert (asked(drive, "/resultPages"), asked(drive, "/jobs/query", "POST")) == (0, 1)


def test_stretches_that_overlap_are_noticed_and_read_again_page_after_page(
    drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_end", lambda start, size, total: min(start + size, total))
    with pytest.raises(UnreachableError, match="Salesforce counted"):
        read(sync.salesforce, sync.files)
    assert sync.files.names("records.Account.Account.bulk") == []
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert asked(drive, "/jobs/query", "POST") == 1


def test_nothing_is_left_out_before_the_first_place(drive: Rounds, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = bulk.reply

    def without_the_first(content: Any, *rest: Any) -> Any:
        if isinstance(content, dict) and "resultChunks" in content:
            content = content | {"resultChunks": content["resultChunks"][1:]}
        return reply(content, *rest)

    monkeypatch.setattr(bulk, "reply", without_the_first)
    assert read(sync.salesforce, sync.files) == everything(drive)
    assert asked(drive, "/results") == PAGES


def test_a_session_that_ends_while_threads_read_is_renewed_once(drive: Rounds, sync: Sync) -> None:
    client = sync.salesforce
    assert client.now()
    logins = asked(drive, "/token", "POST")
    together = threading.Barrier(AT_ONCE, action=drive.sandbox.end_sessions)
    met: list[int] = []

    def hook(stage: str) -> None:
        if stage.startswith("received GET") and stage.endswith("/results") and not met:
            together.wait(30)  # each of them was sent with the login that ends now
            met.append(1)

    drive.sandbox.faults["salesforce"].hook = hook
    assert read(client, sync.files) == everything(drive)
    assert asked(drive, "/token", "POST") - logins == 1


def test_lines_carry_their_parent(sync: Sync) -> None:
    parents = [
        table["parent"].to_pylist() == table["Id"].to_pylist()
        for _, table in in_bulk(sync.salesforce, replace(QUERY, parent="Id"))
    ]
    assert parents == [True] * PAGES

"""A store that is away for a while: tried again, and never waited for without limit."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, event, make_url, text

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.store import database as module
from airflow_provider_kashoo.store.database import Database

POSTGRES = "postgresql+psycopg://sync:hunter2@127.0.0.1:{port}/store"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_database_that_refuses_connections_is_tried_again() -> None:
    with pytest.raises(UnreachableError, match=r"cannot be reached.*Check connection kashoo_store") as failed:
        Database(POSTGRES.format(port=1)).check()
    assert "hunter2" not in str(failed.value)


def test_a_host_without_an_address_is_tried_again() -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        Database("postgresql+psycopg://sync:hunter2@store.invalid/store").check()


def test_a_database_that_never_answers_is_not_waited_for_without_limit(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        Database(POSTGRES.format(port=silent)).check()
    assert time.monotonic() - began < 8


def test_the_connection_may_say_its_own_timeout_and_options_and_still_syncs_each_commit(postgres_url: URL) -> None:
    given = postgres_url.update_query_dict({"options": "-c statement_timeout=61s", "connect_timeout": "4"})
    database, seen = Database(given), {}

    @event.listens_for(database.engine, "do_connect")
    def _see(_dialect: object, _record: object, _args: object, options: dict[str, object]) -> None:
        seen.update(options)

    with database.begin() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("statement_timeout", "synchronous_commit")
        ]
    assert shown == ["61s", "on"]
    assert seen["connect_timeout"] == "4"
    database.dispose()


def test_a_store_locked_by_another_process_is_tried_again(sqlite_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    database = Database(sqlite_url)
    other = sqlite3.connect(str(sqlite_url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnreachableError, match="is locked by another process"):
        database.check()
    other.execute("ROLLBACK")
    database.check()
    other.close()
    database.dispose()


def test_a_migration_does_not_wait_for_another_one_without_limit(
    postgres_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    one, two = Database(postgres_url), Database(postgres_url)
    began = time.monotonic()
    with one.begin() as connection:
        one.lock(connection, "migrations")
        with pytest.raises(UnreachableError, match="is locked by another process"):
            two.migrate()
    assert time.monotonic() - began < 10
    two.migrate()
    for each in (one, two):
        each.dispose()


def test_two_transactions_that_wait_for_each_other_are_tried_again(postgres_url: URL) -> None:
    database, both, failed = Database(postgres_url), threading.Barrier(2), []

    def take(first: str, second: str) -> None:
        try:
            with database.begin() as connection:
                database.lock(connection, first)
                both.wait(10)
                database.lock(connection, second)
        except (ConfigurationError, UnreachableError) as error:
            failed.append(error)

    threads = [threading.Thread(target=take, args=names) for names in (("a", "b"), ("b", "a"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert [type(each) for each in failed] == [UnreachableError]
    database.dispose()


def test_a_database_that_cuts_a_connection_is_tried_again(postgres, postgres_url: URL) -> None:
    database = Database(postgres_url)

    def half() -> None:
        with database.begin() as connection:
            postgres.cut(postgres_url)
            connection.execute(text("SELECT 1"))

    with pytest.raises(UnreachableError, match="cannot be reached"):
        half()
    database.dispose()


def test_a_password_that_the_database_refuses_is_a_matter_of_the_connection() -> None:
    said = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "sync"\0\0'
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with server.accept()[0] as peer:
                for answer in (b"N", b"E" + (len(said) + 4).to_bytes(4, "big") + said):  # no TLS; no entry
                    peer.recv(4096)
                    peer.sendall(answer)

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(ConfigurationError, match=r"refuses the login.*connection kashoo_store") as failed:
            Database(POSTGRES.format(port=server.getsockname()[1])).check()
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize("name", ["absent.db", "folder"])
def test_a_file_that_is_not_there_is_still_a_matter_of_the_set_up(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError):
        Database(make_url(f"sqlite:///{tmp_path}/{name}")).check()

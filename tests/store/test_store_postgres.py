"""What only PostgreSQL can do to a store: drop the connection, refuse a user, tell its own time."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database, shown
from airflow_provider_kashoo.store.store import SyncStore

ORG, BUSINESS = "00D000000000001EAA", "9990000001"


def test_every_connection_waits_until_its_commit_is_on_disk(postgres_database) -> None:
    with postgres_database.begin() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_what_is_read_after_a_lock_is_from_after_it_whatever_the_database_defaults_to(postgres, postgres_url) -> None:
    name = postgres_url.database
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    database = Database(postgres_url)
    with database.begin() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    database.dispose()


def test_no_option_of_the_connection_is_shown_in_messages(postgres_url) -> None:
    hidden = postgres_url.update_query_dict({"sslpassword": "key-secret"}).set(password="also-secret")
    assert "secret" not in shown(hidden)
    assert str(postgres_url.database) in shown(hidden)


def test_a_statement_that_was_too_slow_is_tried_again(postgres_url) -> None:
    database = Database(postgres_url)

    def slow() -> None:
        with database.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(1)"))

    with pytest.raises(UnreachableError, match=r"was too slow.*statement_timeout"):
        slow()
    database.dispose()


def test_a_connection_that_dropped_between_two_transactions_is_made_anew(postgres, postgres_database) -> None:
    store = SyncStore(postgres_database, ORG, BUSINESS)
    postgres.cut(postgres_database.url)
    store.start_run("s", "r")
    assert store.run("s", "r")["run_id"] == "r"


def test_a_connection_that_drops_in_a_transaction_keeps_nothing_of_it_and_says_so(postgres, postgres_database) -> None:
    def half() -> None:
        with postgres_database.begin() as connection:
            connection.execute(tables.pools.insert().values(name="p", slots=1, recorded_at=0))
            postgres.cut(postgres_database.url)

    with pytest.raises(UnreachableError, match=r"cannot be reached.*Check connection kashoo_store"):
        half()
    with postgres_database.begin() as connection:
        assert connection.execute(tables.pools.select()).all() == []


def test_deadlines_come_from_the_clock_of_the_database_and_go_on_within_a_transaction(postgres_url) -> None:
    database = Database(postgres_url)
    with database.begin() as connection:
        first, second = database.now(connection), database.now(connection)
    assert abs(first - time.time()) < 5
    assert second > first
    database.dispose()


def test_a_database_without_tables_says_how_to_make_them(postgres) -> None:
    database = Database(postgres.fresh("template0"))
    with pytest.raises(ConfigurationError, match=r"has no tables.*Run: airflow kashoo init"):
        database.check()
    database.dispose()


def test_a_database_that_was_never_created_is_not_taken_for_one_without_tables(postgres) -> None:
    with pytest.raises(ConfigurationError, match=r"does not exist.*Create the database"):
        Database(postgres.url("nowhere")).check()


def test_a_user_without_rights_is_told_whom_to_ask(postgres, postgres_database) -> None:
    with postgres_database.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN"))
    guest = Database(postgres_database.url.set(username="guest"))
    with pytest.raises(ConfigurationError, match=r"denies access.*Grant the user"):
        guest.check()
    guest.dispose()


def test_a_transaction_of_a_read_only_standby_says_so(postgres_database) -> None:
    with postgres_database.begin() as connection:
        name = postgres_database.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    postgres_database.dispose()
    with pytest.raises(ConfigurationError, match=r"is read-only.*Make it writable"):
        SyncStore(postgres_database, ORG, BUSINESS)


def test_the_words_of_an_error_are_not_taken_for_its_cause(postgres_database) -> None:
    """PostgreSQL names the relation whose column is empty; that there are no tables does not follow from that."""

    def insert() -> None:
        with postgres_database.begin() as connection:
            connection.execute(text("INSERT INTO links (id) VALUES (1)"))

    with pytest.raises(ConfigurationError, match=r"answered with IntegrityError 23502\."):
        insert()

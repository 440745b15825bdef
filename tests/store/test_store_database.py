from __future__ import annotations

import os
import re
import sqlite3
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event, text

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.store import tables
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore

NEWEST = max(path.name[:4] for path in (Path(tables.__file__).parent / "migrations" / "versions").glob("0*.py"))

ORG, BUSINESS = "00D000000000001EAA", "9990000001"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def refusal(database: Database) -> str:
    """What the check says: one line with a remedy, never an exception of the driver."""
    with pytest.raises(ConfigurationError) as caught:
        database.check()
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


def test_the_migrated_schema_is_the_one_the_tables_describe(database, tmp_path) -> None:
    sqlite = database.url.get_backend_name() == "sqlite"  # alembic cannot compare a JSON default on PostgreSQL
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": sqlite})
        assert compare_metadata(context, tables.metadata) == []


def test_the_migrated_indexes_have_the_conditions_the_tables_describe(sqlite_database, tmp_path) -> None:
    made = create_engine(url(tmp_path / "made.db"))
    tables.metadata.create_all(made)

    def indexes(path: Path) -> set[str]:
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            return {re.sub(r"\s+", " ", row[0]) for row in found}

    migrated = indexes(tmp_path / "store.db")
    assert migrated == indexes(tmp_path / "made.db")
    assert sum(" WHERE " in each for each in migrated) == 6


def test_migrating_twice_changes_nothing_and_keeps_rows(database) -> None:
    key = SyncStore(database, ORG, BUSINESS).hashes.of("x")
    database.migrate()
    database.check()
    assert SyncStore(database, ORG, BUSINESS).hashes.of("x") == key


def test_every_connection_has_wal_full_synchronous_and_foreign_keys(sqlite_database) -> None:
    for _ in range(2):
        with sqlite_database.begin() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            found = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in pragmas]
        assert found == ["wal", 2, 1]


def test_a_transaction_holds_the_write_lock_from_its_start(sqlite_database, tmp_path) -> None:
    with sqlite_database.begin(), sqlite3.connect(tmp_path / "store.db", timeout=0) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM links").fetchone() == (0,)  # readers do not wait


def test_a_transaction_that_raises_keeps_nothing(database) -> None:
    def half() -> None:
        with database.begin() as connection:
            connection.execute(tables.pools.insert().values(name="p", slots=1, recorded_at=0))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        half()
    with database.begin() as connection:
        assert connection.execute(tables.pools.select()).all() == []


def test_without_a_clock_of_a_test_the_time_is_now_in_epoch_seconds(store_url) -> None:
    database = Database(store_url)
    with database.begin() as connection:
        assert abs(database.now(connection) - time.time()) < 5


# -- a store that cannot be used


def test_a_store_that_does_not_exist_says_so_and_how_to_make_it(tmp_path) -> None:
    message = refusal(Database(url(tmp_path / "deeper" / "store.db")))
    assert "does not exist" in message
    assert message.endswith("Run: airflow kashoo init")
    assert not (tmp_path / "deeper" / "store.db").exists()


def test_a_store_without_tables_says_how_to_make_them(tmp_path) -> None:
    sqlite3.connect(tmp_path / "store.db").execute("PRAGMA user_version = 1").connection.close()
    database = Database(url(tmp_path / "store.db"))
    assert "has no tables" in refusal(database)
    with pytest.raises(ConfigurationError, match=r"has no tables.*Run: airflow kashoo init"):
        SyncStore(database, ORG, BUSINESS)


def test_a_store_whose_migration_was_cut_off_has_no_schema(database) -> None:
    with database.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    assert f"has schema none, but this version needs {NEWEST}" in refusal(database)


def test_an_older_store_names_both_versions(database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    assert f"has schema 0004, but this version needs {NEWEST}" in refusal(database)


@pytest.mark.parametrize("use", ["check", "migrate"])
def test_a_newer_store_or_one_of_another_program_is_refused_and_left_alone(database, use) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f2b1'"))
    with pytest.raises(ConfigurationError, match=r"has schema f2b1, which this version does not know.*of its own"):
        getattr(database, use)()
    with database.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "f2b1"


@pytest.mark.parametrize("use", ["check", "migrate", "open"])
def test_a_file_that_is_no_database_is_refused_as_such(tmp_path, use) -> None:
    (tmp_path / "store.db").write_bytes(b"name,amount\n" * 500)
    database = Database(url(tmp_path / "store.db"))
    uses = {"check": database.check, "migrate": database.migrate, "open": lambda: SyncStore(database, ORG, BUSINESS)}
    with pytest.raises(ConfigurationError, match=r"is not a SQLite database.*Restore the last backup"):
        uses[use]()
    assert (tmp_path / "store.db").read_bytes() == b"name,amount\n" * 500


def test_a_damaged_store_says_that_it_is_damaged(sqlite_database, tmp_path) -> None:
    SyncStore(sqlite_database, ORG, BUSINESS)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = (tmp_path / "store.db").read_bytes()
    (tmp_path / "store.db").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    assert "is damaged" in refusal(sqlite_database)


def test_a_read_only_store_says_so_before_anything_is_sent(sqlite_database) -> None:
    @event.listens_for(sqlite_database.engine, "connect")
    def _read_only(connection, _record) -> None:  # what a mount or a file mode does, even to root
        connection.execute("PRAGMA query_only = ON")

    assert re.search(r"is read-only\. .*Make it writable", refusal(sqlite_database))
    with pytest.raises(ConfigurationError, match="is read-only"):
        SyncStore(sqlite_database, ORG, BUSINESS)


def test_a_path_that_cannot_be_opened_says_so(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be opened.*Check the path"):
        SyncStore(Database(url(tmp_path)), ORG, BUSINESS)


def test_a_password_in_the_url_is_in_no_message() -> None:
    database = Database("postgresql+psycopg://sync:hunter2@127.0.0.1:1/store")
    with pytest.raises(UnreachableError) as caught:
        database.check()
    assert "hunter2" not in str(caught.value)
    assert "cannot be reached" in str(caught.value)


def test_a_full_disk_is_tried_again(sqlite_database) -> None:
    def fill() -> None:
        with sqlite_database.begin() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))  # SQLite takes as many as there are
            for number in range(1000):
                connection.execute(tables.pools.insert().values(name=f"{number}" * 50, slots=1, recorded_at=0))

    with pytest.raises(UnreachableError, match=r"has no space left.*Free disk space"):
        fill()
    with sqlite_database.begin() as connection:
        assert connection.execute(tables.pools.select()).all() == []


# -- whose the file is


def rights(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in sorted(folder.iterdir())}


@pytest.fixture
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_usual_umask")
def test_only_its_owner_reads_a_new_store_and_what_sqlite_puts_beside_it(tmp_path) -> None:
    database = Database(url(tmp_path / "store.db"))
    database.migrate()
    with database.begin() as connection:
        connection.execute(tables.pools.insert().values(name="p", slots=1, recorded_at=0))
        assert rights(tmp_path) == {"store.db": "0o600", "store.db-shm": "0o600", "store.db-wal": "0o600"}


@pytest.mark.usefixtures("_usual_umask")
@pytest.mark.parametrize("use", ["check", "migrate"])
def test_a_store_that_an_earlier_version_left_open_is_closed_while_others_use_it(tmp_path, use) -> None:
    path = tmp_path / "store.db"
    database = Database(url(path))
    database.migrate()
    with database.begin() as connection:
        connection.execute(tables.pools.insert().values(name="p", slots=1, recorded_at=0))
        for each in tmp_path.iterdir():
            each.chmod(0o644)
    getattr(Database(url(path)), use)()
    assert rights(tmp_path) == {"store.db": "0o600", "store.db-shm": "0o600", "store.db-wal": "0o600"}
    with database.begin() as connection:
        assert connection.execute(tables.pools.select()).one().name == "p"

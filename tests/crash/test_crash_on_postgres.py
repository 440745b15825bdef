"""The same on PostgreSQL, whose files nobody can copy in the middle: each crash has a run and a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from postgres import Postgres
from records import add_account, add_deal, add_line, books_rows
from rounds import Killed, Rounds, Start, end_state, in_step

from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

DEALS = 4
LEAST = 350
"""So many boundaries a run of both directions has at least."""


class Boundaries:
    """Counts what both systems reach and every transaction of the store; the process dies at one of them.

    :param fatal: which one; None for a run that is not disturbed.
    """

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal, self.count, self.armed = fatal, 0, False

    def reach(self, _: str = "") -> None:
        if not self.armed:
            return
        self.count += 1
        if self.count == self.fatal:
            self.armed = False  # what happens while the dying process unwinds is no boundary
            raise Killed

    @contextmanager
    def of(self, drive: Rounds) -> Iterator[None]:
        original = Database.begin

        @contextmanager
        def begin(database: Database) -> Iterator[Any]:
            with original(database) as connection:
                yield connection
                self.reach()  # before its commit, which does not come then
            self.reach()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "begin", begin)
            for faults in drive.sandbox.faults.values():
                patch.setattr(faults, "hook", self.reach)
            yield


@pytest.fixture(scope="module")
def start(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with in_step(tmp_path_factory.mktemp("start"), postgres=postgres) as start:
        yield start


def play(start: Start, folder: Path, boundaries: Boundaries) -> dict[str, Any]:
    """Bill some deals, let customers pay, tell Salesforce; a direction that dies is started again when it may be."""
    drive = start.again(folder)
    for number in range(DEALS):
        deal = add_deal(drive.sandbox, add_account(drive.sandbox, f"Firm {number}"), None, Name=f"Deal {number}")
        add_line(drive.sandbox, deal, f"{number + 1}50.00", product="HW-100" if number % 2 else "SV-200")
    for name in (TO_KASHOO, TO_SALESFORCE):
        boundaries.armed = True
        with boundaries.of(drive), suppress(Killed):
            drive.run(name)
        boundaries.armed = False
        drive.database.dispose()
        drive.database = drive.open_store()  # another process
        drive.look_up()
        if name == TO_KASHOO:
            pay(drive)
    drive.run_back()
    found = end_state(drive)
    drive.end()
    return found


def pay(drive: Rounds) -> None:
    box = drive.sandbox
    for number, row in enumerate(sorted(books_rows(box, "invoices"), key=lambda row: str(row["memo"]))):
        box.books.pay(box.books.main(), row["id"], row["balanceDue"] // (number % 3 + 1))


@pytest.mark.long
def test_a_run_on_postgresql_crashed_anywhere_ends_as_if_it_had_not_been(start: Start, tmp_path: Path) -> None:
    whole = Boundaries()
    wanted = play(start, tmp_path / "whole", whole)
    assert len(wanted["invoices"]) == DEALS + 1
    assert whole.count >= LEAST
    for fatal in range(1, whole.count + 1):
        boundaries = Boundaries(fatal)
        assert play(start, tmp_path / str(fatal), boundaries) == wanted, f"crashed at boundary {fatal}"
        assert boundaries.count >= fatal

"""Where the words of a refusal are kept: with the record that waits, and in no log and no audit."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from inprocess import in_process
from rounds import Rounds, operations, win

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.kashoo.rules import KashooError

SAID = "description is too long: 'Clock radio'"


@pytest.fixture
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    with in_process() as box:
        drive = Rounds(box, tmp_path_factory.mktemp("words"))
        yield drive
        drive.end()


def test_the_words_are_with_the_record_and_nowhere_else(
    drive: Rounds, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    create = drive.sandbox.books.create

    def refuse(business: int, kind: str, body: object) -> object:
        if kind == "invoices":
            raise KashooError(SAID)
        return create(business, kind, body)

    with monkeypatch.context() as refused:
        refused.setattr(drive.sandbox.books, "create", refuse)
        deal = win(drive)
        drive.run()
    [row] = operations(drive, State.PARKED)
    assert (row["source_id"], row["cause"]) == (deal, f"Kashoo refused the record (400): {SAID}")
    with drive.database.begin() as connection:
        reasons = connection.exec_driver_sql("SELECT reason FROM audit WHERE event = 'parked'").scalars().all()
    assert reasons == ["Kashoo refused the record (400)"]
    assert f"Kashoo refused the record (400), now parked {drive.sandbox.salesforce_url}/{deal}\n" in caplog.text
    assert "Clock" not in caplog.text

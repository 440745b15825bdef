"""A run notes how many records came in, so that people hear of it when nothing does."""

from __future__ import annotations

from rounds import Rounds, win

from airflow_provider_kashoo.core.rules.alerts import Name
from airflow_provider_kashoo.store.figures import pairs
from airflow_provider_kashoo.sync.notify.troubles import Limits, troubles_of
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO


def test_what_came_in_is_noted_of_runs_that_move_watermarks(drive: Rounds) -> None:
    def read(**facts: object) -> int | None:
        drive.sandbox.clock.advance(3_600)  # so that the overlap reads nothing twice
        done = drive.run(**facts)
        row = drive.store.run(TO_KASHOO, done.sync.run.run_id)
        assert row is not None
        return row["records_read"]

    win(drive, "500.00")
    assert read(limit=10) is None  # a test batch moves none
    first = read()
    assert first is not None
    assert first > 0
    assert [read(), read()] == [0, 0]
    (pair,) = pairs(drive.database)
    (trouble,) = troubles_of(drive.database, pair, Limits(1_000_000, 2)).troubles
    assert (trouble.name, trouble.count) == (Name.NOTHING_CAME_IN, 2)
    win(drive, "600.00")
    assert read()
    assert troubles_of(drive.database, pair, Limits(1_000_000, 2)).troubles == []

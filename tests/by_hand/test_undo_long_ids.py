"""The id of an undoing run is longer than that of its run."""

from __future__ import annotations

from pathlib import Path

from rounds import Rounds, Start, win

from airflow_provider_kashoo.sync.by_hand.undo import undo


def test_a_run_with_the_longest_id_that_airflow_takes_can_be_undone(start: Start, tmp_path: Path) -> None:
    drive: Rounds = start.again(tmp_path)
    try:
        win(drive)
        run_id = "m" * 250
        drive.run(run_id=run_id)
        drive.sandbox.clock.advance(60)
        assert undo(drive.sync(), run_id).report is not None
    finally:
        drive.end()

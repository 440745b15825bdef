"""A plan that is made again dies somewhere: nothing unapproved is written, nothing is passed over unplanned."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from driver import SOURCES
from rounds import Killed, Rounds, bearing, billed_once, moved_on, price, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

#: Where the step dies: the file, and whether it is written by then.
FILES = ("plan.parquet", "kept.parquet", "skipped.parquet", "summary.json")
DEATHS = [(file, written) for file in FILES for written in (False, True)]


def read_again(drive: Rounds, sync: Sync) -> None:
    drive.sandbox.clock.advance(3600)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)


def die_in_plan(sync: Sync, file: str, *, written: bool) -> None:
    """Let the step plan die as it writes a file, before or after the file is there."""
    real = Staging._write

    def write(files: Staging, name: str, content: bytes) -> None:
        if name != file or written:
            real(files, name, content)
        if name == file:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Staging, "_write", write)
        with pytest.raises(Killed):
            steps.plan(sync)


@pytest.mark.parametrize(("file", "written"), DEATHS)
def test_only_rows_that_were_approved_are_written(drive: Rounds, file: str, written: bool) -> None:
    deal = win(drive)
    sync = drive.prepare()
    price(drive, deal, "400.00")
    read_again(drive, sync)
    die_in_plan(sync, file, written=written)
    approved_stands = (file, written) == DEATHS[0]
    if approved_stands:
        drive.apply(sync)
    else:
        with pytest.raises(ConfigurationError, match="not the one that was approved"):
            drive.apply(sync)
    assert [row["totalDue"] for row in bearing(drive, deal)] == [25000] * approved_stands
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)
    billed_once(drive, deal, 40000)


@pytest.mark.parametrize(("file", "written"), DEATHS)
def test_no_watermark_passes_a_deal_that_was_not_planned(drive: Rounds, file: str, written: bool) -> None:
    sync = drive.prepare()
    drive.apply(sync)  # and its commit does not come about
    deal = win(drive)
    read_again(drive, sync)
    die_in_plan(sync, file, written=written)
    with suppress(ConfigurationError):
        steps.commit(sync)
    moved_on(drive)
    billed_once(drive, deal)


def test_a_watermark_moves_to_what_was_planned_when_the_next_plan_died(drive: Rounds) -> None:
    sync = drive.prepare()
    planned: dict[str, Any] = sync.files.read_json("delta.Opportunity") or {}
    drive.apply(sync)
    read_again(drive, sync)
    die_in_plan(sync, "summary.json", written=False)
    assert steps.commit(sync)["salesforce.Opportunity"] == planned["upper"]

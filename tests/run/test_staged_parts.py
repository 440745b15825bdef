"""A plan is made of exactly what its extracts read: no other company's, and nothing that was taken away meanwhile."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driver import SOURCES
from inprocess import in_process
from records import add_account, add_deal, add_line, books_rows
from rounds import Killed, Rounds, billed_once, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.read import records
from airflow_provider_kashoo.sync.read import salesforce as salesforce_delta
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

TONIGHT = "scheduled__2026-11-28T02:00:00+00:00"


def read(sync: Sync) -> None:
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)


def test_two_companies_with_one_schedule_do_not_meet(tmp_path: Path) -> None:
    with (
        in_process() as one,
        in_process(seed=2) as two,
    ):
        drives = [Rounds(box, tmp_path) for box in (one, two)]  # one store and one staging folder
        deals = [add_deal(box, add_account(box), amount) for box, amount in ((one, "250.00"), (two, "300.00"))]
        for drive in drives:
            drive.sandbox.clock.advance(60)
        runs = [drive.sync(run_id=TONIGHT) for drive in drives]
        for sync in reversed(runs):
            read(sync)
        for drive, sync in zip(drives, runs, strict=True):
            steps.plan(sync)
            steps.approve(sync)
            drive.finish(sync)
        found = [[(row["memo"][-24:], row["totalDue"]) for row in books_rows(box, "invoices")] for box in (one, two)]
        assert found == [[(f"[sf:{deals[0]}:1:1]"[-24:], 25000)], [(f"[sf:{deals[1]}:1:1]"[-24:], 30000)]]
        drives[0].database.dispose()
        drives[1].database.dispose()


@pytest.mark.parametrize(
    "part", ["records.Opportunity.Opportunity", "lines.Opportunity", "records.Opportunity.Account"]
)
def test_a_part_that_is_gone_is_not_taken_for_nothing_changed(drive: Rounds, part: str) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "250.00")
    drive.sandbox.clock.advance(7200)
    sync = drive.sync()
    read(sync)
    (path,) = [path for path in sync.files.folder.iterdir() if path.name.startswith(part)]
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"Opportunity staged are missing\. .* Clear the task"):
        steps.plan(sync)
    with pytest.raises(ConfigurationError, match="This run has no plan"):
        steps.commit(sync)
    billed_once(drive, deal)


def test_a_try_that_was_given_up_and_lives_on_takes_nothing_away(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(7200)
    given_up, sync = drive.sync(run_id="r"), drive.sync(run_id="r")
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        if source != "Opportunity":
            steps.extract(sync, source)
    dirty, found = salesforce_delta.find_dirty, records._found
    ended: list[Sync] = []
    plans: list[Any] = []

    def second_try_begins_and_ends(run: Sync, *rest: Any) -> Any:
        result = dirty(run, *rest)
        if run is given_up:
            steps.extract(sync, "Opportunity")
            ended.append(sync)
        return result

    def plan_is_made(*args: Any) -> Any:
        if ended and not plans:
            plans.append(steps.plan(sync))
        return found(*args)

    monkeypatch.setattr(salesforce_delta, "find_dirty", second_try_begins_and_ends)
    monkeypatch.setattr(records, "_found", plan_is_made)
    steps.extract(given_up, "Opportunity")
    monkeypatch.undo()
    assert plans[0].actions["invoice"] == {"create": 1}
    steps.approve(sync)
    drive.finish(sync)
    billed_once(drive, deal)


def test_an_extract_that_is_cleared_while_the_plan_is_made_ends_the_plan(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(7200)
    sync, again = drive.sync(run_id="r"), drive.sync(run_id="r")
    read(sync)
    check = steps._check_deltas

    def cleared_then(run: Sync) -> None:
        check(run)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(salesforce_delta, "find_dirty", lambda *_: (_ for _ in ()).throw(Killed))
            with pytest.raises(Killed):
                steps.extract(again, "Opportunity")

    monkeypatch.setattr(steps, "_check_deltas", cleared_then)
    with pytest.raises(ConfigurationError, match="An extract of this run ran again while the plan was made"):
        steps.plan(sync)
    monkeypatch.undo()
    steps.extract(again, "Opportunity")
    with pytest.raises(ConfigurationError, match="This run has no plan"):
        steps.approve(sync)
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)
    billed_once(drive, deal)


@pytest.mark.parametrize("name", ["plan.parquet", "kept.parquet", "summary.json"])
@pytest.mark.parametrize("left", [0, 40])
def test_a_damaged_file_is_named_with_what_to_clear(drive: Rounds, name: str, left: int) -> None:
    win(drive)
    sync = drive.prepare()
    path = sync.files.folder / name
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ConfigurationError, match=rf"staged file {Path(name).stem} .*cannot be read.*Clear the task"):
        steps.apply(sync)


def test_only_preflight_asks_salesforce_what_its_objects_are(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(7200)
    described = []
    for step in (steps.preflight, *[partial(steps.extract, source=each) for each in SOURCES[TO_KASHOO]], steps.plan):
        drive._org_client = None  # each step is a process of its own
        sync = drive.sync(run_id="r")
        drive.sandbox.logs["salesforce"].clear()
        step(sync)
        paths = [row["path"] for row in drive.sandbox.logs["salesforce"].entries()]
        described.append(sum(path.endswith("/describe") for path in paths))
    assert described[0] > 0
    assert described[1:] == [0] * (len(described) - 1)
    steps.approve(sync)
    drive.finish(sync)
    billed_once(drive, deal)

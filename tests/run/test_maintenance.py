"""Maintenance removes what is over, beside whatever runs, and a run whose files are gone says how to go on."""

from __future__ import annotations

import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from driver import SOURCES, up_to_approval
from records import invoices_of
from rounds import Killed, Rounds, billed_once, copy, win
from threads import at_once

from airflow_provider_kashoo.core.errors import ConfigurationError, SyncError
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run import maintenance
from airflow_provider_kashoo.sync.run.maintenance import NOTE, PART_SECONDS, Freed, GoesOn, tidy
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE, Sync

WEEK = timedelta(days=7)
DAY = 86_400
GONE = r"staged files of this run are gone: files are removed 7 days after .* Clear the task preflight, with everything"


def sweep(drive: Rounds, goes_on: GoesOn = lambda *_: False) -> Freed:
    return tidy(drive.folder / "staging", drive.database, WEEK, goes_on)


def files_of(drive: Rounds) -> list[Path]:
    return sorted(path for path in (drive.folder / "staging").rglob("*") if path.is_file())


def read(sync: Sync) -> None:
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)


# -- what goes and what stays


def test_a_run_that_is_over_goes_after_the_retention_time_and_not_before(drive: Rounds) -> None:
    win(drive)
    done = [drive.run(), drive.run_back()]
    staged = files_of(drive)
    size = sum(path.stat().st_size for path in staged)
    drive.sandbox.clock.advance(7 * DAY - 200)
    assert sweep(drive) == Freed()
    assert files_of(drive) == staged
    drive.sandbox.clock.advance(200)
    freed = sweep(drive)
    assert (freed.runs, freed.files, freed.bytes, freed.parts) == (2, len(staged), size, 0)
    assert files_of(drive) == []
    assert not any(each.sync.files.folder.exists() for each in done)
    assert str(freed).startswith(f"Removed {len(staged)} files ({size:,} bytes): of 2 runs, and 0 unfinished ones.\n")
    assert sweep(drive) == Freed()


def test_a_run_that_a_step_works_on_stays_however_old_it_is(drive: Rounds) -> None:
    deal = win(drive)
    sync = drive.prepare()
    for _ in range(3):  # days between the steps: an approval that waits, a request limit
        drive.sandbox.clock.advance(6 * DAY)
        steps.approve(sync)
        assert sweep(drive) == Freed()
    drive.finish(sync)
    billed_once(drive, deal)


def test_an_old_run_that_airflow_calls_unfinished_stays_and_is_named(drive: Rounds) -> None:
    deal = win(drive)
    sync = drive.prepare(run_id="scheduled__1", dag_id="my_copy")
    other = drive.prepare(run_id="scheduled__2", dag_id="my_copy")
    by_hand = drive.prepare()
    drive.sandbox.clock.advance(30 * DAY)
    asked = []

    def goes_on(dag_id: str, run_id: str) -> bool:
        asked.append((dag_id, run_id))
        return run_id == "scheduled__1"

    freed = sweep(drive, goes_on)
    assert sorted(asked) == [("my_copy", "scheduled__1"), ("my_copy", "scheduled__2")]
    assert (freed.runs, freed.going_on) == (2, ["scheduled__1"])
    assert "still goes on: scheduled__1" in str(freed)
    assert other.files.is_empty
    assert by_hand.files.is_empty
    drive.finish(sync)
    billed_once(drive, deal)


def test_what_is_not_ours_in_the_staging_folder_stays(drive: Rounds) -> None:
    drive.run()
    root = drive.folder / "staging"
    theirs = [
        root / "report.csv",
        root / "other" / "scope" / "run-0123abcd" / NOTE,
        root / TO_KASHOO / "scope" / "notes" / NOTE,
        root / TO_KASHOO / "a file",
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"at": "2020-01-01T00:00:00+00:00"}')
    drive.sandbox.clock.advance(8 * DAY)
    assert sweep(drive).runs == 1
    assert files_of(drive) == sorted(theirs)


def test_without_a_staging_folder_there_is_nothing_to_remove(drive: Rounds) -> None:
    shutil.rmtree(drive.folder / "staging", ignore_errors=True)
    assert sweep(drive) == Freed()


@pytest.mark.parametrize("left", [None, b"", b"[]", b'{"at": "yesterday"}', b'{"at": "2026-03-04T12:00:00"}', b"{}"])
def test_a_folder_without_a_note_is_counted_from_today_and_closed(drive: Rounds, left: bytes | None) -> None:
    """An earlier version staged it, for all to read."""
    folder = drive.prepare().files.folder
    (folder / NOTE).unlink()
    if left is not None:
        (folder / NOTE).write_bytes(left)
    for path in (folder.parent.parent, folder.parent, folder):
        path.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    drive.sandbox.clock.advance(365 * DAY)
    assert sweep(drive) == Freed()
    every = [folder.parent.parent, folder.parent, folder, *folder.iterdir()]
    assert {path.stat().st_mode & 0o077 for path in every} == {0}
    drive.sandbox.clock.advance(6 * DAY)
    assert sweep(drive) == Freed()
    drive.sandbox.clock.advance(DAY)
    assert sweep(drive).runs == 1
    assert not folder.exists()


def test_unfinished_files_of_tries_that_died_go_after_a_day(drive: Rounds) -> None:
    deal = win(drive)
    sync = drive.prepare()
    dead, living = (sync.files.folder / f"plan.parquet.{name}.part" for name in ("dead", "living"))
    for path, age in ((dead, PART_SECONDS + 60), (living, PART_SECONDS - 60)):
        path.write_bytes(b"12345")
        os.utime(path, (time.time() - age,) * 2)
    freed = sweep(drive)
    assert (freed.runs, freed.parts, freed.files, freed.bytes) == (0, 1, 1, 5)
    assert (dead.exists(), living.exists()) == (False, True)
    drive.finish(sync)
    billed_once(drive, deal)


def test_a_file_of_another_user_is_named_and_the_others_go(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = drive.prepare(), drive.prepare()
    drive.sandbox.clock.advance(8 * DAY)
    unlink, theirs = Path.unlink, first.files.folder / "plan.parquet"

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == theirs:
            raise PermissionError
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    freed = sweep(drive)
    assert freed.refused == [str(theirs)]
    assert files_of(drive) == [theirs]
    assert second.files.is_empty


# -- a run whose files are gone


STEPS = {
    "extract": lambda sync: steps.extract(sync, "Opportunity"),
    "plan": steps.plan,
    "approve": steps.approve,
    "apply": steps.apply,
    "commit": steps.commit,
}


@pytest.mark.parametrize("step", STEPS)
def test_a_run_whose_files_are_gone_says_how_to_go_on(drive: Rounds, step: str) -> None:
    deal = win(drive)
    sync = drive.prepare()  # and it failed there
    drive.sandbox.clock.advance(8 * DAY)
    sweep(drive)
    for _ in range(2):  # it does not make its folder again and forget it
        with pytest.raises(ConfigurationError, match=GONE):
            STEPS[step](sync)
    assert not sync.files.folder.exists()
    assert invoices_of(drive.sandbox, deal) == []
    up_to_approval(sync)  # preflight is cleared, with everything downstream
    drive.finish(sync)
    billed_once(drive, deal)


def test_a_failed_run_that_is_cleared_in_time_goes_on(drive: Rounds) -> None:
    deal = win(drive)
    sync = drive.prepare()
    drive.sandbox.clock.advance(7 * DAY - 1)
    sweep(drive)
    drive.finish(sync)
    billed_once(drive, deal)


def test_a_run_that_never_began_is_told_to_begin(drive: Rounds) -> None:
    with pytest.raises(ConfigurationError, match="This run has no plan"):
        steps.approve(drive.sync())


# -- beside whatever runs


@pytest.fixture
def old(drive: Rounds) -> Sync:
    """A run that is over, eight days ago."""
    done = drive.run()
    drive.sandbox.clock.advance(8 * DAY)
    return done.sync


def test_a_run_beside_it_sees_nothing_of_it(drive: Rounds, old: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    """It removes between any two files that a run writes, the old ones one after the other."""
    deal = win(drive)
    write, swept = Staging._write, []

    def write_and_sweep(files: Staging, name: str, content: bytes) -> None:
        write(files, name, content)
        shutil.copytree(kept, old.files.folder, dirs_exist_ok=True)
        swept.append(sweep(drive).runs)

    kept = drive.folder / "kept"
    shutil.copytree(old.files.folder, kept)
    monkeypatch.setattr(Staging, "_write", write_and_sweep)
    sync = drive.prepare()
    drive.finish(sync)
    monkeypatch.undo()
    assert set(swept) == {1}
    assert len(swept) > 15
    assert old.files.is_empty
    billed_once(drive, deal)


def test_two_at_once_remove_each_file_once_and_neither_fails(
    drive: Rounds, old: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = files_of(drive)
    gate, unlink = threading.Barrier(2), Path.unlink

    def together(path: Path, missing_ok: bool = False) -> None:
        gate.wait(10)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", together)
    root, url, clock = drive.folder / "staging", drive.url, drive.sandbox.clock.time
    freed = at_once(*[lambda: tidy(root, Database(url, clock), WEEK)] * 2)
    assert sum(each.files for each in freed) == len(staged)
    assert sum(each.runs for each in freed) == 1
    assert files_of(drive) == []
    assert not old.files.folder.exists()


def test_a_removal_that_dies_is_finished_by_the_next_and_no_plan_is_made_of_the_rest(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleared at any moment of the removal, a run either says what is missing or plans the whole."""
    deal = win(drive)
    sync = drive.sync(run_id="r")
    drive.sandbox.clock.advance(60)
    read(sync)
    kept = drive.folder / "kept"
    shutil.copytree(sync.files.folder, kept)
    drive.sandbox.clock.advance(8 * DAY)
    said, watermark = [], drive.store.watermarks.get("salesforce.Opportunity")
    for count in range(len(list(kept.iterdir()))):
        shutil.rmtree(sync.files.folder, ignore_errors=True)
        shutil.copytree(kept, sync.files.folder)
        _die_after(monkeypatch, count, drive)
        try:
            assert steps.plan(sync).actions["invoice"] == {"create": 1}
            said.append("")
        except SyncError as error:
            said.append(str(error))
    assert said[0] == ""
    assert all("Clear the task" in each or "Add an extract task" in each for each in said[1:])
    assert drive.store.watermarks.get("salesforce.Opportunity") == watermark
    drive.sandbox.clock.advance(8 * DAY)
    sweep(drive)
    assert sync.files.is_empty
    up_to_approval(sync)
    drive.finish(sync)
    billed_once(drive, deal)


def test_a_plan_that_is_made_while_its_files_go_is_refused_or_whole(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maintenance saw that the run is over, and it was cleared then: whatever goes at whichever moment of the plan."""
    deal = win(drive)
    drive.run()
    (invoice,) = invoices_of(drive.sandbox, deal)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 5_000)
    copy(drive, invoice)  # so that each staged file matters to the plan
    sync = drive.sync(TO_SALESFORCE)
    steps.preflight(sync)
    for source in SOURCES[TO_SALESFORCE]:
        steps.extract(sync, source)
    kept = drive.folder / "kept"
    shutil.copytree(sync.files.folder, kept)
    monkeypatch.setattr(maintenance._Sweep, "_is_over", lambda *_: True)
    found, whole, reads = [], _plan_while(drive, sync, -1, lambda: None), _reads_of_a_plan(sync)
    assert reads > 5
    for moment in range(reads):
        for count in range(1, len(list(kept.iterdir()))):
            shutil.rmtree(sync.files.folder, ignore_errors=True)
            shutil.copytree(kept, sync.files.folder)
            found.append(_plan_while(drive, sync, moment, lambda count=count: _die_after(monkeypatch, count, drive)))
    assert {each for each in found if "Clear the task" not in each and "Add an extract task" not in each} <= {whole}


def _plan_while(drive: Rounds, sync: Sync, moment: int, call: Any) -> str:
    """Plan, and call something when it reads its n-th file; give the digest, or what it says."""
    read, count = Staging._read, [moment]

    def reading(files: Staging, name: str) -> bytes | None:
        count[0] -= 1
        if count[0] == -1:
            call()
        return read(files, name)

    with pytest.MonkeyPatch.context() as patch:
        if moment >= 0:
            patch.setattr(Staging, "_read", reading)
        try:
            return steps.plan(sync).digest
        except SyncError as error:
            return str(error)


def _reads_of_a_plan(sync: Sync) -> int:
    read, names = Staging._read, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Staging, "_read", lambda files, name: (names.append(name), read(files, name))[1])
        steps.plan(sync)
    return len(names)


def _die_after(monkeypatch: pytest.MonkeyPatch, count: int, drive: Rounds) -> None:
    """Let a removal die after so many files."""
    unlink, left = Path.unlink, [count]

    def dying(path: Path, missing_ok: bool = False) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dying)
        with pytest.raises(Killed):
            sweep(drive)


@pytest.mark.parametrize("moment", ["after the look", "after the removal"])
def test_a_run_that_is_cleared_in_the_same_second_is_billed_once_in_the_end(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    deal = win(drive)
    sync = drive.prepare(run_id="r", dag_id="syncs")
    drive.sandbox.clock.advance(8 * DAY)
    begun: list[str] = []

    def begin() -> None:
        try:
            steps.preflight(sync)
            begun.append("whole")
        except SyncError as error:
            begun.append(str(error))

    if moment == "after the look":  # Airflow said that it is over, and it is cleared then
        sweep(drive, lambda *_: bool(begin()))
    else:
        remove = maintenance._remove_folder
        monkeypatch.setattr(maintenance, "_remove_folder", lambda folder: (begin(), remove(folder)))
        sweep(drive)
        monkeypatch.undo()
    assert begun == ["whole"]
    if said := _goes_on(sync):
        assert "Clear the task preflight" in said
        up_to_approval(sync)
    drive.finish(sync)
    billed_once(drive, deal)


def _goes_on(sync: Sync) -> str:
    """Do what follows on preflight; give what it says, nothing when it gets as far as the approval."""
    try:
        for source in SOURCES[TO_KASHOO]:
            steps.extract(sync, source)
        steps.plan(sync)
        steps.approve(sync)
    except SyncError as error:
        return str(error)
    return ""


def test_a_folder_that_vanishes_while_a_step_begins_to_write_is_made_again(
    room_files: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch, vanished = Path.touch, []

    def vanish(path: Path, *args: Any, **more: Any) -> None:
        if not vanished:
            vanished.append(path)
            path.parent.rmdir()
        touch(path, *args, **more)

    monkeypatch.setattr(Path, "touch", vanish)
    room_files.write_json("a", {"b": 1})
    assert vanished
    assert room_files.read_json("a") == {"b": 1}


@pytest.fixture
def room_files(tmp_path: Path) -> Staging:
    return Staging(tmp_path, TO_KASHOO, "scope", "r")

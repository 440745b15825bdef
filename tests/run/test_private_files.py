"""What is staged is for its owner only, and a disk that is full or closed says so and loses nothing."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from room import Room
from rounds import Rounds, billed_once, win

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.store.private import tighten
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE

TABLE = pa.table({"name": ["Customer & Sons"], "amount": [25_000]})


@pytest.fixture(autouse=True)
def _usual_umask() -> Any:
    """Files are for all to read unless the code says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(root: Path) -> set[tuple[str, str]]:
    """Kind and mode of all that lies under a folder, the folder itself left out."""
    return {("folder" if path.is_dir() else "file", oct(stat.S_IMODE(path.stat().st_mode))) for path in root.rglob("*")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- whose the files are


def test_nobody_but_the_owner_reads_what_the_runs_staged(drive: Rounds) -> None:
    win(drive)
    drive.run()
    drive.run_back()
    root = drive.folder / "staging"
    assert modes(root) == {("folder", "0o700"), ("file", "0o600")}
    assert mode(root) == 0o700


def test_a_folder_that_an_administrator_made_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    tmp_path.chmod(0o755)
    Staging(tmp_path, "s", "scope", "r").write_table("t", TABLE)
    assert (mode(tmp_path), mode(tmp_path / "other")) == (0o755, 0o755)
    assert modes(tmp_path / "s") == {("folder", "0o700"), ("file", "0o600")}
    assert mode(tmp_path / "s") == 0o700


def test_what_an_earlier_version_staged_is_closed_when_its_run_goes_on(tmp_path: Path) -> None:
    folder = Staging(tmp_path, "s", "scope", "r").folder
    folder.mkdir(parents=True)
    (folder / "delta.Opportunity.json").write_text("{}")
    assert modes(tmp_path / "s") >= {("folder", "0o755"), ("file", "0o644")}
    Staging(tmp_path, "s", "scope", "r").write_json("next", {})
    assert modes(tmp_path) == {("folder", "0o700"), ("file", "0o600")}


def test_what_cannot_be_closed_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Staging(tmp_path, "s", "scope", "r").folder
    folder.mkdir(parents=True)

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    files = Staging(tmp_path, "s", "scope", "r")
    files.write_json("a", {"b": 1})
    assert files.read_json("a") == {"b": 1}
    tighten(tmp_path / "gone")


# -- what is read is what was written, by this run


def test_a_table_is_read_as_it_was_written(room: Room) -> None:
    for table in (TABLE, TABLE.replace_schema_metadata({"pandas": "{}"})):
        room.sync.files.write_table("t", table)
        found = room.sync.files.read_table("t")
        assert found is not None
        assert found.equals(table, check_metadata=True)


def test_a_file_of_another_run_is_refused(room: Room) -> None:
    other = room.sync.files.of_run(room.sync.name, "run2")
    other.write_table("records.Opportunity.Opportunity.bulk00001", TABLE)
    room.sync.files.write_table("t", TABLE)
    [path] = other.folder.iterdir()
    path.rename(room.sync.files.folder / path.name)
    with pytest.raises(ConfigurationError, match=r"bulk00001 is of another run, run2-\w{8}\. .*Clear the task that wr"):
        room.sync.files.read_table(path.name.removesuffix(".parquet"))


def test_a_file_of_an_earlier_version_names_no_run_and_is_read(room: Room) -> None:
    import pyarrow.parquet as pq

    pq.write_table(TABLE, room.sync.files.folder / "t.parquet")
    assert room.sync.files.read_table("t") == TABLE


@pytest.mark.parametrize(("resource_", "file"), [("invoices", "invoices"), ("payments", "allocations")])
def test_invoices_or_payments_that_are_gone_are_not_taken_for_none(drive: Rounds, resource_: str, file: str) -> None:
    deal = win(drive)
    drive.run()
    books = drive.sandbox.books
    books.pay(books.main(), _invoice(drive, deal), 25000)
    sync = drive.sync(TO_SALESFORCE)
    steps.preflight(sync)
    for source in ("invoices", "payments"):
        steps.extract(sync, source)
    (sync.files.folder / f"{file}.parquet").unlink()
    with pytest.raises(ConfigurationError, match=rf"extract of {resource_} staged \d+ rows, but 0 are there\..*Clear"):
        steps.plan(sync)
    steps.extract(sync, resource_)
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Paid"
    billed_once(drive, deal)


def _invoice(drive: Rounds, deal: str) -> int:
    return next(link.kashoo_id for link in drive.store.links.of_target("invoice") if link.source_id == deal)


def test_a_part_that_is_there_twice_bills_nothing_twice(drive: Rounds) -> None:
    deal = win(drive)
    sync = drive.sync()
    drive.sandbox.clock.advance(60)
    steps.preflight(sync)
    for source in ("Account", "Product2", "Opportunity", "Order"):
        steps.extract(sync, source)
    for path in list(sync.files.folder.glob("*.parquet")):
        (path.parent / path.name.replace(".rest-", ".rest-copy-")).write_bytes(path.read_bytes())
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)
    billed_once(drive, deal)


# -- a disk that is full


FILL = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.sync.run.staging import Staging
files = Staging(Path(sys.argv[1]), "s", "scope", "r")
files.write_json("kept", {"a": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    files.write_json("kept", {"a": "x" * 100_000})
except UnreachableError as error:
    print(error)
print(files.read_json("kept"), sorted(path.name for path in files.folder.iterdir()))
files.write_json("small", {})
"""


def test_a_file_that_may_not_grow_so_far_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A real limit of the system: the write ends in the middle, as on a full disk."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    said, left = done.stdout.splitlines()
    assert said.startswith(f"The staging folder {tmp_path} has no space left (File too large).")
    assert said.endswith("Free disk space, or raise the limit; the task tries again by itself.")
    assert left == "{'a': 1} ['kept.json']"
    assert (Staging(tmp_path, "s", "scope", "r").folder / "small.json").exists()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root mounts a small disk")
def test_a_disk_that_is_really_full_is_said(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        files = Staging(tmp_path, "s", "scope", "r")
        files.write_json("kept", {"a": 1})
        with pytest.raises(UnreachableError, match="has no space left"):
            files.write_json("kept", {"a": "x" * 200_000})
        assert files.names("") == ["kept"]
        assert [path.name for path in files.folder.iterdir()] == ["kept.json"]
        files.write_json("kept", {"a": "x" * 2_000})  # the room is free again
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("step", ["extract", "plan", "approve", "apply"])
def test_a_step_whose_disk_fills_goes_on_when_there_is_room_and_loses_nothing(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    deal = win(drive)
    drive.sandbox.clock.advance(60)
    sync = drive.sync(run_id="r")
    steps_of = [lambda: steps.preflight(sync)]
    steps_of += [
        lambda source=source: steps.extract(sync, source) for source in ("Account", "Product2", "Opportunity", "Order")
    ]
    steps_of += [lambda: steps.plan(sync), lambda: steps.approve(sync), lambda: drive.apply(sync)]
    full = {"extract": 3, "plan": 5, "approve": 6, "apply": 7}[step]
    for number, act in enumerate(steps_of):
        if number == full:
            with monkeypatch.context() as patch:
                _fill(patch)
                with pytest.raises(UnreachableError, match=r"has no space left .*The file was not staged"):
                    act()
        act()
    steps.commit(sync)
    billed_once(drive, deal)


def _fill(patch: pytest.MonkeyPatch) -> None:
    """Let the disk be full for all but the note of a step, so that the step gets as far as it can."""
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name.endswith(".part") and not path.name.startswith("worked_on"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    patch.setattr(Path, "write_bytes", full)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_closed_says_what_to_correct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "touch", refuse)  # root may write where nobody else may
    with pytest.raises(ConfigurationError, match=rf"{tmp_path} cannot be written .*staging_path"):
        Staging(tmp_path, "s", "scope", "r").write_json("a", {})

"""A reference run is crashed at every boundary, restarted, and must end like the run that was not.

At each boundary the process forks: the child is what the crash leaves (both systems as they are then, and a copy of
the store's and the staging's files), and starts again; the parent goes on to the next boundary.

Two crashes that leave the same are one crash: most requests only read, and what a dying process knew dies with it. So
the daily test crashes where something new is left, and the long ones do not rely on that.
"""

from __future__ import annotations

import gc
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from driver import LOOK_UP_AFTER, SOURCES
from inprocess import InProcessDriver, in_process
from records import books_rows

from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

RUNS_TO_REST = 2
"""One is enough, but for the very first write of a store: no listing has shown a reference of ours yet."""

AT_ONCE = 2
WRITTEN = re.compile(
    "processed (POST|PUT|PATCH|DELETE) .*(records/[a-zA-Z]+|customers|items|composite/sobjects)(/[0-9]+)?$"
)
"""A system has just written: what is left then is never what was left before."""

BUDGET = {"budget_slots", "budget_closures"}
RECOVERY = 60
"""The second crash of a pair comes at one of so many first boundaries of the recovery."""

CRASHED_TWICE = 3
"""Exit status of a process whose recovery was crashed too, and ended as it should."""

WRITTEN_BACK = (
    "Kashoo_Invoice__c",
    "Kashoo_Status__c",
    "Kashoo_Paid__c",
    "Kashoo_Balance__c",
    "Kashoo_Last_Payment__c",
)


class Boundaries:
    """Counts the boundaries of a run and forks a crashed child at each that is chosen.

    :param new: choose those where a crash leaves something else than at the one before; otherwise every n-th.
    :param twice: whether each recovery is crashed too, at one boundary of its own.
    """

    def __init__(self, driver: InProcessDriver, every: int = 1, *, new: bool = False, twice: bool = False) -> None:
        self.driver, self.every, self.new, self.twice = driver, every, new, twice
        self.count, self.step, self.name, self.run_id = 0, "", "", ""
        self.crashed, self.left, self.alike = 0, None, list[str]()
        self.again = self.crashed_twice = 0
        self.quiet = False
        self.children: dict[int, str] = {}
        self.failed: list[str] = []
        for system, faults in driver.sandbox.faults.items():
            faults.hook = lambda stage, system=system: self.reach(f"{system} {stage}")

    def reach(self, what: str) -> None:
        if self.again:
            self.again -= 1
            if not self.again:
                self.crash_again()
        if self.quiet or not self.step:
            return
        self.count += 1
        if self.count % self.every or (self.new and not self.leaves_something_new(what)):
            return
        self.crashed += 1
        while len(self.children) >= AT_ONCE:
            self.reap()
        image = Path(tempfile.mkdtemp(prefix="crash-", dir=self.driver.folder.parent))
        copy_of_files(self.driver.folder, image)
        child = os.fork()
        if child == 0:
            gc.disable()  # a collection would touch, and so copy, every page of the parent
            self.quiet = True
            self.again = random.Random(self.count).randint(1, RECOVERY) if self.twice else 0  # noqa: S311
            os._exit(self.restart(image))
        self.children[child] = f"#{self.count} in {self.name}.{self.step}: {what}"

    def leaves_something_new(self, what: str) -> bool:
        """Say whether the files or the systems are others than before, or a task tried again begins elsewhere."""
        before, self.left = self.left, (self.name, self.step, *left_behind(self.driver))
        self.alike += [what] * (self.left == before)
        return self.left != before

    def crash_again(self) -> None:
        """Die in the middle of the recovery; a fork of this process is what starts once more."""
        image = Path(tempfile.mkdtemp(prefix="again-", dir=self.driver.folder.parent))
        copy_of_files(self.driver.folder, image)
        child = os.fork()
        if child == 0:
            os._exit(self.restart(image))
        _, status = os.waitpid(child, 0)
        os._exit(1 if status else CRASHED_TWICE)

    def reap(self) -> None:
        child, status = os.wait()
        what = self.children.pop(child)
        ended = os.waitstatus_to_exitcode(status)
        self.crashed_twice += ended == CRASHED_TWICE
        if ended not in {0, CRASHED_TWICE}:
            self.failed.append(what)

    def restart(self, image: Path) -> int:
        """Be the process after the crash: every other time Airflow's retry of the same task, else a new run."""
        try:
            driver = self.driver = InProcessDriver(self.driver.sandbox, image)
            driver.metered = False  # the budget's own transactions were boundaries; the recovery need not repeat them
            return self.run_to_rest(driver)
        except BaseException:  # noqa: BLE001  a forked child must not return into pytest
            traceback.print_exc()
            return 2
        finally:
            shutil.rmtree(image)

    def run_to_rest(self, driver: InProcessDriver) -> int:
        found: dict[str, Any] = {}
        for attempt in range(RUNS_TO_REST + 1):
            if attempt:
                driver.sandbox.clock.advance(LOOK_UP_AFTER)
                driver.run(self.name)
            elif self.crashed % 2:
                go_on(driver, self.name, self.run_id, self.step)
            else:
                continue
            found = end_state(driver)
            if found == EXPECTED[self.name]:
                return 0
        for part, wanted in EXPECTED[self.name].items():
            if found[part] != wanted:
                where = f"#{self.count} {self.name}.{self.step}: {part}"
                sys.stderr.write(f"{where}\n  found  {found[part]}\n  wanted {wanted}\n")
        return 1


def copy_of_files(folder: Path, image: Path) -> None:
    """Copy what a dead process leaves on disk; the shared-memory file of SQLite dies with it."""
    for path in folder.rglob("*"):
        target = image / path.relative_to(folder)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif not path.name.endswith("-shm"):
            shutil.copyfile(path, target)


def left_behind(driver: InProcessDriver) -> tuple[Any, ...]:
    """Give what a recovery finds: rows of both systems, rows of the store, staged files.

    Not the slots of the budget, which are taken and answered around each request: recoveries are not metered here.
    """
    box = driver.sandbox
    with box.org.lock, box.books.lock:
        tables = [*box.org.tables.values(), *box.books.business(box.books.main()).tables.values()]
        systems = repr([table.rows for table in tables])
    with closing(sqlite3.connect(f"file:{driver.folder}/store.db?mode=ro", uri=True)) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        rows = [store.execute(f"SELECT * FROM {name}").fetchall() for name in names if name not in BUDGET]  # noqa: S608
    staged = sorted((str(path), path.stat().st_mtime_ns) for path in (driver.folder / "staging").rglob("*"))
    return systems, rows, staged


@contextmanager
def commits_are_boundaries(boundaries: Boundaries) -> Iterator[None]:
    """Make the moments before and after every writing transaction of the store boundaries."""
    original = Database.begin

    @contextmanager
    def begin(self: Database) -> Iterator[Any]:
        wrote = False
        with original(self) as connection:
            before = connection.connection.driver_connection.total_changes
            yield connection
            wrote = connection.connection.driver_connection.total_changes > before
            if wrote:
                boundaries.reach("before a commit")
        if wrote:
            boundaries.reach("after a commit")

    Database.begin = begin  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.begin = original  # type: ignore[method-assign]


def go_on(driver: InProcessDriver, name: str, run_id: str, step: str, boundaries: Boundaries | None = None) -> None:
    """Run the steps of a run from one of them on, as Airflow does when it tries a task again."""
    sync = driver.sync(name, run_id=run_id)
    calls = {
        "preflight": lambda: steps.preflight(sync),
        **{f"extract {source}": lambda source=source: steps.extract(sync, source) for source in SOURCES[name]},
        "plan": lambda: steps.plan(sync),
        "approve": lambda: steps.approve(sync),
        "apply": lambda: steps.apply(sync),
        "commit": lambda: steps.commit(sync),
    }
    names = list(calls)
    for each in names[names.index(step) :]:
        if boundaries:
            boundaries.step = each
        calls[each]()
    if boundaries:
        boundaries.step = ""


def small(box: Sandbox, deals: int) -> None:
    """Leave so many won deals, so that a run is some 60 records; orders of the others are billed by themselves."""
    won = [row["Id"] for row in box.org.rows("Opportunity") if row["IsWon"] and row["Amount"] >= 100]
    for deal in won[deals:]:
        box.org.update("Opportunity", deal, {"StageName": "Prospecting"})


def pay(box: Sandbox) -> None:
    """Let customers pay: by the deal's reference, so that ids and numbers do not matter."""
    ours = sorted(
        (row for row in books_rows(box, "invoices") if "[sf:" in (row["memo"] or "")), key=lambda r: r["memo"]
    )
    for number, row in enumerate(ours):
        if number % 3 < 2:
            box.books.pay(box.books.main(), row["id"], row["totalDue"] if number % 3 else row["totalDue"] // 4)


def end_state(driver: InProcessDriver) -> dict[str, Any]:
    """Everything that must be equal in the end, by references instead of ids and numbers."""
    box = driver.sandbox
    names = {row["id"]: row["contactInformation"]["name"] for row in books_rows(box, "customers")}
    numbers = {row["number"]: row["memo"] for row in books_rows(box, "invoices")}

    def invoice(row: dict[str, Any]) -> tuple[Any, ...]:
        lines = tuple((line["quantity"], line["rate"], line.get("description")) for line in row["lineItems"])
        return (
            row["memo"],
            row["date"],
            row["currency"],
            row["totalDue"],
            row["balanceDue"],
            names[row["contact"]],
            lines,
        )

    def told(row: dict[str, Any]) -> tuple[Any, ...]:
        values = {name: row[name] for name in WRITTEN_BACK}
        return row["Id"], tuple({**values, WRITTEN_BACK[0]: numbers.get(values[WRITTEN_BACK[0]])}.items())

    with driver.database.begin() as connection:
        links = connection.exec_driver_sql("SELECT target, source_id, part FROM links WHERE state = 'live'").all()
        states = connection.exec_driver_sql("SELECT state, count(*) FROM operations GROUP BY state").all()
    unsettled = {state: count for state, count in states if state in {"sent", "retry", "in_doubt", "parked"}}
    return {
        "invoices": sorted((invoice(row) for row in books_rows(box, "invoices")), key=str),
        "customers": sorted(names.values()),
        "items": sorted(row["name"] for row in books_rows(box, "items")),
        "salesforce": sorted(told(row) for object_ in ("Opportunity", "Order") for row in box.org.rows(object_)),
        "links": sorted(tuple(link) for link in links),
        "reviews": sorted((item["source_id"], item["error_class"]) for item in driver.store.reviews.all_open()),
        "unsettled": unsettled,
    }


EXPECTED: dict[str, dict[str, Any]] = {}


def reference(folder: Path, deals: int) -> None:
    """Run without a crash, and keep what both directions end in."""
    with in_process("demo") as box:
        small(box, deals)
        driver = InProcessDriver(box, folder)
        driver.run()
        EXPECTED[TO_KASHOO] = end_state(driver)
        pay(box)
        driver.run_back()
        EXPECTED[TO_SALESFORCE] = end_state(driver)
        driver.database.dispose()


def crash_all(root: Path, deals: int, **chosen: Any) -> Boundaries:
    """Crash the reference run at every boundary, or at those that are chosen."""
    folders = [root / "reference", root / "run"]
    for folder in folders:
        folder.mkdir()
    reference(folders[0], deals)
    with in_process("demo") as box:
        small(box, deals)
        driver = InProcessDriver(box, folders[1])
        boundaries = Boundaries(driver, **chosen)
        with commits_are_boundaries(boundaries):
            for name in (TO_KASHOO, TO_SALESFORCE):
                box.clock.advance(60)
                boundaries.name, boundaries.run_id = name, f"{name} with crashes"
                go_on(driver, name, boundaries.run_id, "preflight", boundaries)
                if name == TO_KASHOO:
                    pay(box)
        while boundaries.children:
            boundaries.reap()
        assert end_state(driver) == EXPECTED[TO_SALESFORCE]  # the parent itself was not disturbed
    return boundaries


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """Files in memory where there is such a place: a crash image is copied hundreds of times."""
    shared = Path("/dev/shm")  # noqa: S108
    root = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else tmp_path))
    yield root
    shutil.rmtree(root)


def test_a_run_crashed_at_any_boundary_ends_as_if_it_had_not_been(memory: Path) -> None:
    boundaries = crash_all(memory, deals=15, new=True)
    assert boundaries.failed == []
    assert boundaries.count >= 800
    assert boundaries.crashed >= 200
    assert [each for each in boundaries.alike if WRITTEN.search(each)] == []


@pytest.mark.long
def test_what_is_left_twice_is_recovered_twice(memory: Path) -> None:
    boundaries = crash_all(memory, deals=15)
    assert boundaries.failed == []
    assert boundaries.crashed >= 800


@pytest.mark.long
def test_a_recovery_crashed_once_more_ends_as_if_nothing_had_been(memory: Path) -> None:
    boundaries = crash_all(memory, deals=9, every=2, twice=True)
    assert boundaries.failed == []
    assert boundaries.crashed_twice >= 300

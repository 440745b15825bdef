"""Whatever happens to the store, no sale is billed twice: new, restored, doubled, damaged, locked or gone in a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from driver import LOOK_UP_AFTER, OPEN_STATES, up_to_approval
from inprocess import InProcessDriver, in_process
from plans import rows, stage_plan
from postgres import Postgres
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of, invoices_of, writes
from sqlalchemy import URL

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.replay import replay

KINDS = ("customers", "items", "invoices")


class StoreDriver(InProcessDriver):
    """A driver that can say what its store holds."""

    def links(self) -> dict[str, dict[str, int]]:
        found = {target: self.store.links.of_target(target) for target in ("customer", "item", "invoice")}
        return {target: {link.source_id: link.kashoo_id for link in rows} for target, rows in found.items()}

    def open(self) -> list[tuple[str, str]]:
        return [(row["source_id"], row["state"]) for row in self.store.journal.unsettled(*OPEN_STATES)] + [
            (row["source_id"], row["error_class"]) for row in self.store.reviews.all_open()
        ]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with in_process() as box:
        yield box


def win(box: Sandbox, number: int) -> str:
    deal = add_deal(box, add_account(box, f"Customer {number}"), None)
    add_line(box, deal, f"{100 + number}.00")
    return deal


def counts(box: Sandbox) -> dict[str, int]:
    return {kind: len(books_rows(box, kind)) for kind in KINDS}


def move(box: Sandbox, deal: str, days: int) -> None:
    """Let the accountant date an invoice back."""
    row = invoice_of(box, deal)
    edit(box, "invoices", row, date=(date.fromisoformat(row["date"]) - timedelta(days=days)).isoformat())


# -- a store that knows less than the books


def test_a_new_store_adopts_what_carries_our_reference_and_creates_nothing_twice(box, tmp_path) -> None:
    deals = [win(box, number) for number in range(3)]
    first = StoreDriver(box, tmp_path / "first")
    first.run()
    move(box, deals[0], 200)
    before, sent = counts(box), writes(box)["kashoo"]
    second = StoreDriver(box, tmp_path / "second")
    assert second.run().outcome == {"linked": 7, "parked": 1}  # the one that was moved
    assert (counts(box), writes(box)["kashoo"]) == (before, sent)
    assert second.links() == first.links()
    assert set(second.links()["invoice"]) == set(deals)


def test_a_new_store_adopts_invoices_whose_deals_its_first_window_does_not_read(box, tmp_path) -> None:
    old = win(box, 1)
    first = StoreDriver(box, tmp_path / "first")
    first.run()
    box.clock.advance(40 * 86400)
    new = win(box, 2)
    second = StoreDriver(box, tmp_path / "second")
    second.run(first=box.clock.now() - timedelta(days=1))
    assert set(second.links()["invoice"]) == {old, new}
    box.org.update("Opportunity", old, {"Description": "touched"})
    second.run()
    assert {deal: len(invoices_of(box, deal)) for deal in (old, new)} == {old: 1, new: 1}
    assert len(books_rows(box, "customers")) == 2
    assert second.open() == []


def test_a_deal_that_changed_after_its_invoice_was_adopted_is_an_update(box, tmp_path) -> None:
    deal = add_deal(box, add_account(box))
    StoreDriver(box, tmp_path / "first").run()
    second = StoreDriver(box, tmp_path / "second")
    second.run()
    box.org.update("Opportunity", deal, {"Amount": "300.00"})
    assert second.run().outcome["updated"] == 1
    assert invoice_of(box, deal)["totalDue"] == 30000


@pytest.mark.parametrize("moved", [0, 20, 60], ids=lambda days: f"invoices moved by {days} days")
def test_a_restored_store_adopts_what_was_written_since_its_backup(box, tmp_path, moved) -> None:
    drive = StoreDriver(box, tmp_path / "now")
    early = win(box, 1)
    drive.run()
    drive.database.dispose()
    shutil.copytree(tmp_path / "now", tmp_path / "backup")
    later = [win(box, number) for number in (2, 3)]
    drive.run()
    known = drive.links()
    move(box, later[0], moved)
    before, sent = counts(box), writes(box)["kashoo"]
    restored = StoreDriver(box, tmp_path / "backup")
    restored.run()
    assert (counts(box), writes(box)["kashoo"]) == (before, sent)
    assert restored.links() == known
    assert {deal: len(invoices_of(box, deal)) for deal in [early, *later]} == dict.fromkeys([early, *later], 1)


def test_two_stores_on_one_business_used_in_turns_never_make_a_second_invoice(box, tmp_path) -> None:
    stores = [StoreDriver(box, tmp_path / name) for name in ("one", "two")]
    deals = []
    for number in range(6):
        deals.append(win(box, number))
        stores[number % 2].run()
        assert {deal: len(invoices_of(box, deal)) for deal in deals} == dict.fromkeys(deals, 1)
    for drive in stores:
        box.clock.advance(3600)
        drive.run()
    assert stores[0].links() == stores[1].links()
    assert counts(box) == {"customers": 6, "items": 1, "invoices": 6}
    assert [drive.open() for drive in stores] == [[], []]


# -- a store that cannot be used


def test_a_run_on_a_damaged_store_says_so_and_writes_nothing(box, tmp_path) -> None:
    win(box, 1)
    drive = StoreDriver(box, tmp_path / "a")
    drive.run()
    drive.database.dispose()
    win(box, 2)
    path = tmp_path / "a" / "store.db"
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40960)
    sent = writes(box)["kashoo"]
    with pytest.raises(ConfigurationError, match=r"store\.db is damaged.*Restore the last backup"):
        StoreDriver(box, tmp_path / "a").run()
    assert writes(box)["kashoo"] == sent


Switch = Callable[[], Any]


def sqlite_gone(path: Path) -> tuple[Switch, Switch]:
    away = path.parent / "away"

    def remove() -> None:
        away.mkdir()
        for each in path.parent.glob("store.db*"):
            each.rename(away / each.name)

    def put_back() -> None:
        assert not path.exists()  # nobody made an empty store where one is missing
        for each in away.iterdir():
            each.rename(path.parent / each.name)

    return remove, put_back


def sqlite_shut(drive: StoreDriver) -> tuple[Switch, Switch]:
    def say(value: str) -> None:
        drive.database.dispose()
        drive.database._read_only = value == "ON"  # type: ignore[attr-defined]

    from sqlalchemy import event

    @event.listens_for(drive.database.engine, "checkout")
    def _shut(connection: Any, *_: Any) -> None:  # what a mount or a file mode does, even to root
        connection.execute(f"PRAGMA query_only = {'ON' if getattr(drive.database, '_read_only', False) else 'OFF'}")

    return lambda: say("ON"), lambda: say("OFF")


def postgres_gone(postgres: Postgres, url: URL) -> tuple[Switch, Switch]:
    def rename(old: str | None, new: str | None) -> None:
        postgres.cut(url.set(database=old))
        postgres.execute(f"ALTER DATABASE {old} RENAME TO {new}")

    away = f"{url.database}_away"
    return lambda: rename(url.database, away), lambda: rename(away, url.database)


def postgres_shut(postgres: Postgres, url: URL) -> tuple[Switch, Switch]:
    def say(value: str) -> None:
        postgres.execute(f"ALTER DATABASE {url.database} SET default_transaction_read_only = {value}")
        postgres.cut(url)

    return lambda: say("on"), lambda: say("off")


@pytest.fixture(params=["sqlite gone", "sqlite read-only", "postgres gone", "postgres read-only"])
def broken(request: pytest.FixtureRequest, box: Sandbox, tmp_path: Path) -> tuple[StoreDriver, Switch, Switch, str]:
    kind, what = request.param.split()
    if kind == "sqlite":
        drive = StoreDriver(box, tmp_path / "a")
        switches = sqlite_gone(tmp_path / "a" / "store.db") if what == "gone" else sqlite_shut(drive)
    else:
        server, url = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_url")
        drive = StoreDriver(box, tmp_path / "a", url)
        switches = postgres_gone(server, url) if what == "gone" else postgres_shut(server, url)
    said = "is read-only" if what == "read-only" else "cannot be opened|does not exist"
    return drive, *switches, said


MOMENTS = {
    "as the plan reads the books": "received GET /api/businesses/",
    "as the first invoice arrives": "received POST ",
    "as the first invoice is made": "processed POST ",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_store_that_goes_in_a_run_stops_it_and_nothing_is_written_twice_afterwards(box, broken, moment) -> None:
    drive, go, come, said = broken
    deals = [win(box, 1)]
    drive.run()
    deals += [win(box, 2), win(box, 3)]
    faults, start, gone = box.faults["kashoo"], MOMENTS[moment], []

    def hook(reached: str) -> None:
        invoice = "records/invoices" in reached or "GET" in start
        if reached.startswith(start) and invoice and not gone:
            gone.append(reached)
            go()

    faults.hook = hook
    with pytest.raises(ConfigurationError, match=said) as caught:
        drive.run()
    assert gone
    assert caught.value.remedy
    faults.hook = None
    assert len(books_rows(box, "invoices")) == (2 if "POST" in start else 1)
    come()
    for _ in range(2):
        box.clock.advance(LOOK_UP_AFTER)
        drive.run()
    assert {deal: len(invoices_of(box, deal)) for deal in deals} == dict.fromkeys(deals, 1)
    assert counts(box) == {"customers": 3, "items": 1, "invoices": 3}
    assert drive.open() == []


def test_a_store_lost_for_good_in_a_run_is_made_anew_and_adopts_what_was_just_written(box, tmp_path) -> None:
    deals = [win(box, number) for number in range(3)]
    drive = StoreDriver(box, tmp_path / "a")
    lose, _ = sqlite_gone(tmp_path / "a" / "store.db")
    faults = box.faults["kashoo"]

    def hook(reached: str) -> None:
        if reached.startswith("processed POST") and "records/invoices" in reached:
            faults.hook = None
            lose()

    faults.hook = hook
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        drive.run()
    with pytest.raises(ConfigurationError, match=r"does not exist.*airflow kashoo init"):
        drive.database.check()
    drive.database.migrate()
    drive.run()
    assert {deal: len(invoices_of(box, deal)) for deal in deals} == dict.fromkeys(deals, 1)
    assert counts(box) == {"customers": 3, "items": 1, "invoices": 3}


# -- a plan that is not of this run, and a replay of nothing


@pytest.mark.parametrize("other", ["business", "org"])
def test_a_plan_made_for_another_business_or_org_is_refused_with_both_names(box, tmp_path, other) -> None:
    win(box, 1)
    drive = StoreDriver(box, tmp_path / "a")
    sync = drive.sync(run_id="run")
    up_to_approval(sync)
    mine, main = box.org.org_id, str(box.books.main())
    scope = (mine, "4711") if other == "business" else ("00D000000000009EAA", main)
    shutil.copytree(tmp_path / "a" / "staging", tmp_path / "b" / "staging")
    files = type(sync.files)(tmp_path / "b" / "staging", sync.name, f"{mine}-{main}", "run")
    elsewhere = replace(sync, store=SyncStore(drive.database, *scope), files=files)
    with pytest.raises(ConfigurationError) as caught:
        steps.apply(elsewhere)
    said = f"made for org {mine} and business {main}, not for org {scope[0]} and business {scope[1]}"
    assert said in str(caught.value)
    assert caught.value.remedy
    assert counts(box) == dict.fromkeys(KINDS, 0)
    assert steps.apply(sync) == {"created": 3}


def test_a_plan_whose_step_died_between_its_rows_and_its_summary_is_not_approved(box, tmp_path) -> None:
    win(box, 1)
    drive = StoreDriver(box, tmp_path / "a")
    sync = drive.run().sync
    stage_plan(sync, rows(sync)[:1])
    with pytest.raises(ConfigurationError, match=r"incomplete.*Clear the task plan"):
        steps.approve(sync)


def test_a_plan_that_was_applied_already_writes_nothing(box, tmp_path) -> None:
    for number in range(3):
        win(box, number)
    drive = StoreDriver(box, tmp_path / "a")
    done = drive.run()
    assert done.outcome == {"created": 7}
    before, sent = counts(box), writes(box)["kashoo"]
    steps.apply(done.sync)
    assert (counts(box), writes(box)["kashoo"]) == (before, sent)
    drive.run()
    assert (counts(box), writes(box)["kashoo"]) == (before, sent)
    assert drive.open() == []


def test_a_replay_of_an_unknown_id_says_so_and_leaves_the_others_alone(box, tmp_path) -> None:
    win(box, 1)
    deal = add_deal(box, None)
    drive = StoreDriver(box, tmp_path / "a")
    drive.run()
    (parked,) = drive.store.journal.unsettled(State.PARKED)
    done = next(row["id"] for row in drive.store.journal.unsettled(State.DONE))
    box.org.update("Opportunity", deal, {"AccountId": add_account(box, "Found Again")})
    sent = writes(box)
    for unknown in (4711, done):
        with pytest.raises(ConfigurationError, match=rf"No parked record has the id {unknown}.*kashoo status"):
            replay(drive.sync(), [parked["id"], unknown])
    assert drive.store.journal.unsettled(State.PARKED) == [parked]
    assert writes(box) == sent
    replay(drive.sync(), [parked["id"]])
    assert len(invoices_of(box, deal)) == 1
    assert drive.open() == []

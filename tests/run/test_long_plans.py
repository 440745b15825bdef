"""A plan that needs more requests than its budget gives at once goes on after each wait, and pays for nothing twice."""

from __future__ import annotations

import pytest
from driver import SOURCES
from records import add_account, add_deal, books_rows, edit
from rounds import Rounds

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

CUSTOMERS, HOURLY = 40, 30


def renamed(drive: Rounds) -> Sync:
    """Forty customers are renamed, each to be read once; the budget of an hour is thirty requests."""
    accounts = [add_account(drive.sandbox, f"Customer {n}", f"c{n}@customer.example") for n in range(CUSTOMERS)]
    for account in accounts:
        add_deal(drive.sandbox, account)
    drive.run()
    for _ in range(2):
        drive.sandbox.clock.advance(7200)
        drive.run()
    for number, account in enumerate(accounts):
        drive.sandbox.org.update("Account", account, {"Name": f"Renamed {number}"})
    drive.sandbox.clock.advance(7200)
    drive.metered, drive.limits = True, (Limit(HOURLY, 3600),)
    sync = drive.sync()
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)
    return sync


def wait(drive: Rounds, spent: BudgetSpent) -> None:
    drive.sandbox.clock.advance(max(1.0, spent.until - drive.sandbox.clock.time()))


def tries_of(drive: Rounds, sync: Sync, most: int) -> int:
    for number in range(1, most + 1):
        try:
            steps.plan(sync)
        except BudgetSpent as spent:
            wait(drive, spent)
        else:
            return number
    raise AssertionError("the plan was never made")


def test_it_is_made_and_pays_for_each_record_once(drive: Rounds) -> None:
    sync = renamed(drive)
    before = sync.kashoo.requests_sent
    assert tries_of(drive, sync, most=3) > 1
    assert sync.kashoo.requests_sent - before == CUSTOMERS
    assert not (sync.files.folder / "reads.json").exists()
    steps.approve(sync)
    drive.metered = False
    drive.finish(drive.sync(run_id=sync.run.run_id))
    names = {row["contactInformation"]["name"] for row in books_rows(drive.sandbox, "customers")}
    assert {f"Renamed {number}" for number in range(CUSTOMERS)} <= names


def test_what_changed_in_the_books_during_the_wait_is_not_written_over(drive: Rounds) -> None:
    sync = renamed(drive)
    with pytest.raises(BudgetSpent) as spent:
        steps.plan(sync)
    kept = sync.files.read_json("reads")
    assert kept is not None
    ident = int(next(iter(kept)).split("/")[1])
    books = drive.sandbox.books
    edit(drive.sandbox, "customers", books.read(books.main(), "customers", ident), notes="Calls back in May.")
    wait(drive, spent.value)
    tries_of(drive, sync, most=3)
    steps.approve(sync)
    drive.metered = False
    drive.finish(drive.sync(run_id=sync.run.run_id))
    assert books.read(books.main(), "customers", ident)["notes"] == "Calls back in May."


def test_one_that_never_gets_on_says_so(drive: Rounds) -> None:
    sync = renamed(drive)
    drive.metered, drive.limits = True, (Limit(1, 3600),)
    starved = drive.sync(run_id=sync.run.run_id)

    def wait_for_ever() -> None:
        while True:
            try:
                starved.budget.acquire(0)  # others are faster each time
                steps.plan(starved)
            except BudgetSpent as spent:
                wait(drive, spent)

    with pytest.raises(ConfigurationError, match="waited for its request budget 25 times and got no further"):
        wait_for_ever()

"""The readers alone: a client in, tables out, no run and nothing staged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from records import add_account, add_deal, add_line
from rounds import Rounds, win

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read.bulk import Job, Query, in_bulk, in_window, start
from airflow_provider_kashoo.sync.read.records import by_id, of_period, whole
from airflow_provider_kashoo.sync.read.shapes import Shape, shape_of
from airflow_provider_kashoo.sync.run.sync import Sync


@pytest.fixture
def sync(drive: Rounds) -> Sync:
    return drive.sync()


@pytest.fixture
def shape(sync: Sync) -> Shape:
    return shape_of(sync, "Opportunity")


@pytest.fixture
def today(drive: Rounds) -> Window:
    """From an hour before the test to an hour after it."""
    drive.sandbox.clock.advance(3600)
    now, hour = drive.sandbox.clock.now().replace(microsecond=0), timedelta(hours=1)
    return Window(now, now + hour, moves=False, note="")


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.clients.bulk.PAGE_RECORDS", 2)
    monkeypatch.setattr("time.sleep", lambda _: None)


def jobs(drive: Rounds) -> int:
    entries = drive.sandbox.logs["salesforce"].entries()
    return sum(row["method"] == "POST" and row["path"].endswith("/jobs/query") for row in entries)


def test_deals_of_a_period_come_with_their_lines_and_nothing_is_staged(
    drive: Rounds, sync: Sync, shape: Shape, today: Window
) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    line = add_line(drive.sandbox, deal, "250.10")
    gone = win(drive)
    drive.sandbox.org.delete("Opportunity", gone)
    parts = dict(of_period(sync.salesforce, "Opportunity", shape, today))
    (record,), (item,) = parts["records.Opportunity"].to_pylist(), parts["lines"].to_pylist()
    assert (record["Id"], record["Amount"]) == (deal, Decimal("250.1"))
    assert (item["Id"], item["parent"], item["TotalPrice"]) == (line, deal, Decimal("250.1"))
    assert not sync.files.folder.exists()


def test_what_is_not_found_is_left_out(sync: Sync, shape: Shape) -> None:
    parts = dict(whole(sync.salesforce, "Opportunity", shape, {"006000000000000AAA"}))
    assert [table.num_rows for table in parts.values()] == [0, 0]
    assert list(whole(sync.salesforce, "Opportunity", shape, set())) == []


def test_a_picked_child_comes_with_its_record(drive: Rounds, sync: Sync) -> None:
    account = add_account(drive.sandbox, "Picked", "first@picked.example")
    drive.sandbox.org.insert("Contact", {"AccountId": account, "LastName": "Second"})
    ((name, table),) = by_id(sync.salesforce, "Account", shape_of(sync, "Account"), {account})
    assert (name, table["Contacts.Email"].to_pylist()) == ("records.Account", ["first@picked.example"])


@pytest.mark.usefixtures("pages_of_two")
def test_a_window_in_bulk_shows_deleted_records_and_the_lines_of_the_others(
    drive: Rounds, sync: Sync, shape: Shape, today: Window
) -> None:
    deals = [add_deal(drive.sandbox, add_account(drive.sandbox), None) for _ in range(3)]
    for place, deal in enumerate(deals):
        line = add_line(drive.sandbox, deal, "250.00")
        drive.sandbox.org.update("OpportunityLineItem", line, {"SortOrder": place})
    drive.sandbox.org.delete("Opportunity", deals[0])
    records, lines = in_window(sync.salesforce, "Opportunity", shape, today)
    found = {row["Id"]: row["IsDeleted"] for _, table in in_bulk(sync.salesforce, records) for row in table.to_pylist()}
    assert found == {deals[0]: True, deals[1]: False, deals[2]: False}
    parts = [row for _, table in in_bulk(sync.salesforce, lines) for row in table.to_pylist()]
    assert sorted((row["parent"], row["SortOrder"]) for row in parts) == [(deals[1], 1), (deals[2], 2)]
    assert not sync.files.folder.exists()


@pytest.fixture
def accounts(drive: Rounds, today: Window) -> Query:
    for number in range(3):
        add_account(drive.sandbox, f"Account {number}")
    return Query("records.Account", "SELECT Id FROM Account", Shape().records)


@pytest.mark.usefixtures("pages_of_two")
def test_a_bulk_reader_goes_on_where_its_job_has_got_to(drive: Rounds, sync: Sync, accounts: Query) -> None:
    job = start(sync.salesforce, accounts)
    first = next(in_bulk(sync.salesforce, accounts, job))[1]
    kept = replace(job)
    assert (kept.parts, kept.records, kept.complete) == (1, 2, False)
    rest = [table for _, table in in_bulk(sync.salesforce, accounts, kept)]
    found = [ident for table in [first, *rest] for ident in table["Id"].to_pylist()]
    assert sorted(found) == sorted(row["Id"] for row in drive.sandbox.org.rows("Account"))
    assert (kept.complete, kept.records, jobs(drive)) == (True, len(found), 1)


@pytest.mark.usefixtures("pages_of_two")
def test_fewer_records_than_the_job_counted_are_never_given_as_all(sync: Sync, accounts: Query) -> None:
    job: Job = start(sync.salesforce, accounts)
    next(in_bulk(sync.salesforce, accounts, job))
    job.records -= 1
    with pytest.raises(UnreachableError, match="Salesforce counted"):
        list(in_bulk(sync.salesforce, accounts, job))
    assert job.complete

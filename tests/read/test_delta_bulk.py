"""Many changes are read by jobs of the Bulk API, and end as if they had been read by REST."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from records import add_account, add_deal, add_line, invoice_of
from rounds import Killed, Rounds, bearing, billed_once, change, quiet, reviews, states_of, win

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce import bulk
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.read import dirty
from airflow_provider_kashoo.sync.run.sync import Sync


@pytest.fixture
def in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirty, "BULK_FROM", 3)
    monkeypatch.setattr("airflow_provider_kashoo.clients.bulk.PAGE_RECORDS", 2)
    monkeypatch.setattr("time.sleep", lambda _: None)


def many(drive: Rounds, count: int = 7) -> list[str]:
    account = add_account(drive.sandbox, 'Many, with "quotes"\nand lines')
    deals = [add_deal(drive.sandbox, account, None, Name=f'Deal {n}, "so"\nnamed') for n in range(count)]
    for deal in deals:
        add_line(drive.sandbox, deal, "250.00")
    return deals


def jobs(drive: Rounds) -> int:
    return sum(
        row["method"] == "POST" and row["path"].endswith("/jobs/query")
        for row in drive.sandbox.logs["salesforce"].entries()
    )


def dies_between_pages(drive: Rounds) -> Sync:
    """Begin a run whose worker dies after the first page of deals."""
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    steps.extract(sync, "Account")
    steps.extract(sync, "Product2")
    pages = 0

    def die(stage: str) -> None:
        nonlocal pages
        pages += stage.startswith("received GET") and "/results" in stage
        if pages == 2:
            raise Killed

    drive.sandbox.faults["salesforce"].hook = die
    with pytest.raises(Killed):
        steps.extract(sync, "Opportunity")
    drive.sandbox.faults["salesforce"].hook = None
    return sync


def goes_on(drive: Rounds, sync: Sync) -> None:
    """Run the rest of a run whose deals were extracted."""
    steps.extract(sync, "Order")
    steps.plan(sync)
    steps.approve(sync)
    drive.finish(sync)


def between_deals_and_lines(drive: Rounds, edit: Callable[[], object]) -> None:
    """Let somebody edit when the deals were read in bulk, and their lines were not."""

    def hook(stage: str) -> None:
        if stage.startswith("processed DELETE") and "/jobs/query/" in stage:
            drive.sandbox.faults["salesforce"].hook = None
            edit()

    drive.sandbox.faults["salesforce"].hook = hook


@pytest.mark.usefixtures("in_bulk")
def test_many_changes_are_read_in_bulk_and_end_as_by_rest(drive: Rounds) -> None:
    deals = many(drive)
    gone = deals.pop()
    drive.sandbox.org.delete("Opportunity", gone)
    report = drive.run().report("Opportunity")
    assert (report["bulk"], report["records"], report["deleted"]) == (True, 7, [gone])
    for deal in deals:
        (invoice,) = bearing(drive, deal)
        assert invoice["totalDue"] == 25000
        assert invoice["memo"].startswith("Deal ")
        assert "\n" in drive.sandbox.org.get("Opportunity", deal)["Name"]
    quiet(drive)


@pytest.mark.usefixtures("in_bulk")
def test_a_worker_that_dies_between_two_pages_goes_on_without_a_second_job(drive: Rounds) -> None:
    deals = many(drive)
    sync = dies_between_pages(drive)
    late = win(drive, "400.00")  # the window is that of the first try
    report = steps.extract(sync, "Opportunity")
    assert jobs(drive) == 2  # one for deals, one for lines
    assert report.records == 7
    goes_on(drive, sync)
    assert all(len(bearing(drive, deal)) == 1 for deal in deals)
    drive.run_back()
    billed_once(drive, late, 40000)


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize("kind", ["cut_body", "drop_after", "unauthorized_before", "html_after", "error_after"])
def test_a_page_that_does_not_come_whole_is_read_again(drive: Rounds, kind: Any) -> None:
    deals = many(drive)
    drive.sandbox.faults["salesforce"].add(Fault(kind=kind, path="/results$", nth=2))
    with suppress(UnreachableError):
        drive.run()
    assert drive.sandbox.faults["salesforce"].fired.total() == 1
    drive.run()
    assert all(len(bearing(drive, deal)) == 1 for deal in deals)


@pytest.mark.usefixtures("in_bulk")
def test_a_job_that_fails_says_so_and_moves_no_watermark(drive: Rounds) -> None:
    deals = many(drive)
    before = drive.store.watermarks.get("salesforce.Opportunity")
    drive.sandbox.faults["salesforce"].add(Fault(kind="job_failed", method="POST", path="/jobs/query$"))
    with pytest.raises(ConfigurationError, match="job is failed"):
        drive.run()
    assert drive.store.watermarks.get("salesforce.Opportunity") == before
    drive.run()
    assert all(len(bearing(drive, deal)) == 1 for deal in deals)


@pytest.mark.usefixtures("in_bulk")
def test_a_deal_that_changes_while_it_is_read_in_bulk_is_left_to_the_next_window(drive: Rounds) -> None:
    deals = many(drive)

    between_deals_and_lines(drive, lambda: add_line(drive.sandbox, deals[0], "100.00", product="SV-200"))
    report = drive.run().report("Opportunity")
    assert report["later"] == [deals[0]]
    assert bearing(drive, deals[0]) == []
    assert all(len(bearing(drive, deal)) == 1 for deal in deals[1:])
    drive.run_back()
    billed_once(drive, deals[0], 35000)


def test_a_select_that_no_uri_can_hold_is_sent_as_a_job(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kashoo.clients.soql.MAX_QUERY", 100)
    monkeypatch.setattr("time.sleep", lambda _: None)
    deal = win(drive)
    billed_once(drive, deal)
    assert jobs(drive) > 0


@pytest.mark.usefixtures("in_bulk")
def test_a_staged_page_that_is_lost_is_read_again(drive: Rounds) -> None:
    deals = many(drive)
    sync = dies_between_pages(drive)
    sync.files.remove("records.Opportunity.Opportunity.bulk00001")
    assert steps.extract(sync, "Opportunity").records == 7
    goes_on(drive, sync)
    assert all(len(bearing(drive, deal)) == 1 for deal in deals)


@pytest.mark.usefixtures("in_bulk")
def test_a_job_that_cannot_be_deleted_is_no_failure(drive: Rounds) -> None:
    deals = many(drive)
    drive.sandbox.faults["salesforce"].add(Fault(kind="error_before", method="DELETE", path="/jobs/query/", times=9))
    drive.run()
    assert drive.sandbox.faults["salesforce"].fired.total() > 0
    assert all(len(bearing(drive, deal)) == 1 for deal in deals)


@pytest.mark.usefixtures("in_bulk")
def test_a_backfill_in_bulk_leaves_out_only_what_changed_while_it_was_read(drive: Rounds) -> None:
    day = timedelta(days=1)
    path = drive.mappings / "customer_from_account.yaml"
    path.write_text(path.read_text().replace("fields:\n", "when:\n  - Phone != 'none'\nfields:\n", 1))
    waiting = win(drive, "100.00")
    account = drive.sandbox.org.get("Opportunity", waiting)["AccountId"]
    drive.sandbox.org.update("Account", account, {"Phone": "none"})
    drive.run()
    assert states_of(drive, waiting) == ["parked"]
    begun = drive.sandbox.clock.now()
    deals = many(drive)
    drive.sandbox.clock.advance(3 * day.total_seconds())
    elsewhere = win(drive)
    drive.sandbox.clock.advance(2 * day.total_seconds())
    drive.sandbox.org.update("Account", account, {"Phone": "1"})
    change(drive, waiting, Name="Changed before it is read")
    between_deals_and_lines(drive, lambda: change(drive, deals[0], Name="Changed in between"))
    done = drive.run(run_type="backfill", interval_start=begun, interval_end=begun + day)
    report = done.report("Opportunity")
    assert report["bulk"]
    assert deals[0] in report["later"]
    assert elsewhere not in report["later"]
    assert bearing(drive, elsewhere) == []
    assert bearing(drive, deals[0]) == []
    assert all(len(bearing(drive, deal)) == 1 for deal in [*deals[1:], waiting])


def test_lines_read_in_bulk_and_by_rest_are_in_one_order(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirty, "BULK_FROM", 3)
    monkeypatch.setattr("time.sleep", lambda _: None)
    step = bulk._step

    def unordered(org: Any, job: Any) -> Any:
        """Salesforce splits the work of a query without ORDER BY: its rows come in any order."""
        done = step(org, job)
        return replace(done, rows=done.rows[::-1]) if done.state != job.state and done.rows else done

    monkeypatch.setattr(bulk, "_step", unordered)
    account = add_account(drive.sandbox)
    deals = [add_deal(drive.sandbox, account, None) for _ in range(5)]
    for deal in deals:
        add_line(drive.sandbox, deal, "250.00")
        add_line(drive.sandbox, deal, "95.00", product="SV-200")
    assert drive.run().report("Opportunity")["bulk"]
    monkeypatch.setattr(dirty, "BULK_FROM", 2000)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deals[0])["id"], 34500)
    drive.run_back()
    for deal in deals:
        change(drive, deal, Description="called")  # nothing that is mapped
    done = drive.run()
    assert (reviews(drive), done.outcome.get("updated", 0)) == ([], 0)

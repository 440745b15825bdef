"""What a test batch wrote is read back; the first full run shows how it came out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import edit, invoice_of
from rounds import Rounds, Start, change, remap, win

from airflow_provider_kashoo.core.rules.approval import Policy
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.reports.request import request_text
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.plan_file import PlanFile
from airflow_provider_kashoo.sync.run.report import report_of
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO
from airflow_provider_kashoo.sync.write.read_back import read_back


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = start.again(tmp_path)
    yield drive
    drive.end()


def shown_before_a_full_run(drive: Rounds) -> list[str]:
    """Give what a person is told before the first full run."""
    drive.settings = replace(drive.settings, approval=Policy(first_run=True))
    with drive.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in sync.sources:
        steps.extract(sync, source)
    summary: PlanSummary = steps.plan(sync)
    report = report_of(sync, summary, named=False)
    assert "**The test batch**" in request_text(report, "abc")
    return list(report.test_batch)


def test_each_field_of_each_record_is_read_back_and_kept(drive: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for amount in ("500.00", "700.00"):
        win(drive, amount)
    before = drive.sandbox.logs["kashoo"].total
    drive.run(limit=10)
    assert drive.sandbox.logs["kashoo"].total > before
    newest = drive.store.newest_read_back(TO_KASHOO)
    assert newest is not None
    _, result = newest
    assert result["records"]["invoice"] == 2
    assert result["differences"] == []
    assert result["fields"]["invoice lines.rate"] == [2, 2]
    assert result["fields"]["invoice total"] == [2, 2]
    assert result["fields"]["invoice our reference"] == [2, 2]
    assert "invoice lines.rate" in caplog.text
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
    win(drive, "600.00")
    (said,) = shown_before_a_full_run(drive)
    assert re.search(r"read back 2 customers, 2 invoices at .*: all 28 fields are as they were sent\.$", said)


def test_what_differs_is_counted_named_and_shown_before_the_first_full_run(
    drive: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    deal = win(drive, "500.00")
    sync = drive.prepare(limit=10)
    drive.apply(sync)
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, date="2026-01-01", lineItems=[{**invoice["lineItems"][0], "rate": 1}])
    result = read_back(sync, PlanFile(sync.files).rows())
    assert result["fields"]["invoice date"] == [1, 0]
    said = f"invoice {invoice['id']} (of {deal}): lines.rate sent 50000, shown 1"
    assert said in caplog.text
    win(drive, "600.00")
    assert said in shown_before_a_full_run(drive)


def test_an_invoice_that_is_gone_is_said(drive: Rounds) -> None:
    deal = win(drive, "500.00")
    sync = drive.prepare(limit=10)
    drive.apply(sync)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice_of(drive.sandbox, deal)["id"])
    (found,) = read_back(sync, PlanFile(sync.files).rows())["differences"]
    assert (found["field"], found["differs"]) == ("the record", "is not in Kashoo")


def test_without_a_test_batch_the_first_full_run_says_how_to_make_one(drive: Rounds) -> None:
    win(drive, "500.00")
    drive.run()
    win(drive, "600.00")
    assert shown_before_a_full_run(drive) == [
        "No test batch was written. To see ten invoices in the books first: trigger the DAG with limit 10."
    ]


def test_a_full_run_reads_nothing_back(drive: Rounds) -> None:
    win(drive, "500.00")
    drive.run()
    assert drive.store.newest_read_back(TO_KASHOO) is None


@pytest.fixture
def with_po(drive: Rounds) -> Rounds:
    currency = "  currency: {from: CurrencyIsoCode}"
    remap(drive, "invoice_from_opportunity", currency, f"{currency}\n  poNumber: {{from: Type}}")
    return drive


def differences(drive: Rounds) -> Any:
    done = drive.run(limit=10)
    run = drive.store.run("salesforce_to_kashoo", done.sync.run.run_id)
    assert run is not None
    return run["read_back"]["differences"]


def test_a_change_of_one_text_is_shown_as_it_was_sent(with_po: Rounds) -> None:
    drive = with_po
    deal = win(drive, Type="PO-1")
    drive.run()
    change(drive, deal, Type="PO-2")
    found = differences(drive)
    assert invoice_of(drive.sandbox, deal)["poNumber"] == "PO-2"
    assert found == []


def test_a_total_that_a_person_changed_in_kashoo_is_no_difference_of_what_was_sent(with_po: Rounds) -> None:
    drive = with_po
    deal = win(drive, Type="PO-1")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 20_000}])
    change(drive, deal, Type="PO-2")
    assert "total" not in {each["field"] for each in differences(drive)}

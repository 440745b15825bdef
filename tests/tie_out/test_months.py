"""Which months are closed, what is kept of differences, and what a tie-out asks and changes: nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from records import add_deal, edit, invoice_of, today, writes
from rounds import Rounds, Start, change, copy, lock, price, remap, remove, win
from sqlalchemy import select

from airflow_provider_kashoo.cli.tie_out import as_text, compared, show
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.reports.tie_out import TieOut
from airflow_provider_kashoo.store.tables import audit, budget_slots, metadata
from airflow_provider_kashoo.sync.tie_out.marks import mark
from airflow_provider_kashoo.sync.tie_out.nightly import compare_and_note
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import note, tie_out

SPLIT = """\
rules:
  - when: Type == "New Business"
    split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}
fields:
"""
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def drive(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = fixed_weeks.again(tmp_path)
    yield drive
    drive.end()


def tied(drive: Rounds, period: Period = MARCH) -> TieOut:
    return tie_out(drive.sync(), period)


def names(report: TieOut) -> list[str]:
    return sorted(str(each.name) for each in report.differences)


def store(drive: Rounds) -> dict[str, list[str]]:
    """All that the store holds, but for the requests that were counted."""
    tables = [table for table in metadata.sorted_tables if table is not budget_slots]
    with drive.database.begin() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in tables}


def test_it_writes_nothing_and_asks_kashoo_for_lists_only(drive: Rounds) -> None:
    gone = win(drive)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, gone))
    win(drive)
    drive.sandbox.logs["kashoo"].clear()
    before, sent = store(drive), writes(drive.sandbox)
    assert names(tied(drive)) == ["not synced yet", "removed in the books"]
    assert (store(drive), writes(drive.sandbox)) == (before, sent)
    asked = [each["path"].rpartition("/")[2] for each in drive.sandbox.logs["kashoo"].entries()]
    assert {*asked} <= {"authTokens", "businesses", "accounts", "taxes", "invoices", "invoicePayments"}
    assert asked.count("invoices") == 4  # a page and the empty one; before and after the month nothing is listed
    assert asked.count("invoicePayments") == 1
    assert list(drive.folder.glob("**/tie-out*")) == []


def test_a_month_is_closed_when_it_is_over_read_and_settled(drive: Rounds) -> None:
    win(drive)
    drive.run()
    (cell,) = tied(drive).cells
    assert cell.differences == []
    sources = [f"salesforce.{each}" for each in ("Account", "Opportunity", "Order", "Product2")]
    late = ", ".join([*sources, "kashoo.invoices", "kashoo.payments"])
    assert cell.why_open == [f"not read up to its end: {late}"]
    drive.sandbox.clock.advance(28 * 86_400)
    drive.run()
    drive.run_back()
    assert [cell.closed for cell in tied(drive).cells] == [True]
    (part,) = tied(drive, Period(date(2026, 3, 2), date(2026, 4, 1))).cells
    assert part.why_open == ["not all of the month is compared"]


def test_a_person_decides_about_a_difference_until_an_amount_changes(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    edit_total(drive, deal, 1)
    assert note_of(drive) == (1, 0)
    (found,) = tied(drive).differences
    with pytest.raises(ConfigurationError, match="A reason is needed"):
        mark(drive.database, found.id, "dismissed", by="ann", reason=" ")
    with pytest.raises(ConfigurationError, match=r"No open difference has the id 'zz'\..*kashoo_tie_out"):
        mark(drive.database, "zz", "dismissed", by="ann", reason="seen")
    for state, counts in (("investigating", True), ("dismissed", False), ("open", True), ("dismissed", False)):
        mark(drive.database, found.id, state, by="ann", reason="seen")
        (now,) = tied(drive).differences
        assert (now.id, now.state, now.is_open) == (found.id, state, counts)
    assert "1 differences are open" not in tied(drive).cells[0].why_open
    assert note_of(drive) == (0, 0)
    edit_total(drive, deal, 2)
    (other,) = tied(drive).differences
    assert (other.name, other.state, other.id == found.id) == (found.name, "open", False)
    assert note_of(drive) == (1, 1)
    edit_total(drive, deal, 0)
    assert note_of(drive) == (0, 1)
    edit_total(drive, deal, 1)  # it is back, and nobody decided about it since
    assert note_of(drive) == (0, 0)
    assert [each.state for each in tied(drive).differences] == ["open"]
    with drive.database.begin() as connection:
        said = connection.execute(select(audit.c.event, audit.c.reason).where(audit.c.run_id == "by hand")).all()
    assert [each.event for each in said] == ["investigating", "dismissed", "open", "dismissed"]
    assert "25000" not in repr(store(drive)["differences"])


def edit_total(drive: Rounds, deal: str, more: int) -> None:
    row = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", row, lineItems=[{**line, "rate": 25_000 + more} for line in row["lineItems"]])


def note_of(drive: Rounds) -> tuple[int, int]:
    sync = drive.sync()
    return note(sync, MARCH, tie_out(sync, MARCH))


def test_the_whole_object_is_read_where_only_the_mapping_can_tell_the_date(drive: Rounds) -> None:
    remap(drive, "invoice_from_opportunity", "date: {from: CloseDate}", "date: {from: CloseDate, add_days: 20}")
    deal = win(drive, CloseDate="2026-02-25")
    assert [(each.source_id, each.month) for each in tied(drive).differences] == [(deal, "2026-03")]


def test_a_deal_that_moved_to_another_month_is_still_compared(drive: Rounds) -> None:
    """By its invoice, whatever the date of the deal is now; in both months together nothing is missing."""
    deal = win(drive)
    drive.run()
    change(drive, deal, CloseDate="2026-04-02")
    (here,) = tied(drive).differences
    assert (here.name, here.month, here.deal_minor, here.books_minor) == ("not synced yet", "2026-03", 0, 25_000)
    both = tied(drive, Period(date(2026, 3, 1), date(2026, 4, 30)))
    assert sorted((each.month, each.deal_minor - each.books_minor) for each in both.differences) == [
        ("2026-03", -25_000),
        ("2026-04", 25_000),
    ]


def test_each_invoice_of_a_deal_in_parts_is_compared_by_itself(drive: Rounds) -> None:
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    deal = win(drive, "300.00", Type="New Business")
    for share in ("40", "60"):
        row = {"Opportunity__c": deal, "Due__c": today(drive.sandbox), "Percent__c": Decimal(share)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    drive.run()
    assert drive.store.links.parts_of("invoice", [deal])[deal].keys() == {1, 2}
    (cell,) = [each for each in tied(drive).cells if each.differences or each.counts["invoices"] > 1]
    assert (cell.counts["deals"], cell.counts["books"], cell.differences) == (3, 3, [])
    second = drive.store.links.parts_of("invoice", [deal])[deal][2]
    rows = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"].rows
    remove(drive, rows[second.kashoo_id])
    (found,) = tied(drive).differences
    assert (found.name, found.part, found.kashoo_id) == ("removed in the books", 2, second.kashoo_id)


def test_what_cannot_be_billed_counts_with_its_total(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "321.00")
    drive.run()
    (found,) = tied(drive).differences
    assert (found.name, found.source_id, found.deal_minor) == ("parked", deal, 32_100)
    assert found.next_step == "Fill AccountId in Salesforce, or add a default to the mapping."


def test_a_locked_change_has_the_words_of_the_question(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lock(drive, "2026-12-31")
    price(drive, deal, "300.00")
    drive.run()
    (found,) = tied(drive).differences
    assert (found.deal_minor, found.books_minor) == (30_000, 25_000)
    assert found.name in {"period locked", "parked"}


def test_nothing_is_compared_before_the_first_run(drive: Rounds) -> None:
    with drive.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")
    before = store(drive)
    drive.sandbox.logs["kashoo"].clear()
    with pytest.raises(ConfigurationError, match=r"Nothing was synced yet.*airflow kashoo adopt"):
        tied(drive)
    assert store(drive) == before
    assert drive.sandbox.logs["kashoo"].total == 0


def test_a_period_before_anything_was_billed_is_empty(drive: Rounds) -> None:
    assert tied(drive, Period(date(2019, 1, 1), date(2019, 12, 31))).cells == []


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="before it begins"):
        Period(date(2026, 2, 1), date(2026, 1, 1))


def test_the_report_says_the_same_in_every_form(drive: Rounds) -> None:
    win(drive, Name="<script>alert(1)</script>")
    report = compared(drive.sync(), None, None)
    assert (report.first, report.last) == ("2026-02-01", "2026-03-04")
    shown: dict[str, Any] = json.loads(as_text(report, "json"))
    (cell,) = shown["currencies"]
    (found,) = cell["differences"]
    assert {"currency", "month", "deals", "invoices", "books"} <= cell.keys()
    assert (found["name"], found["deal_minor"], found["books_minor"]) == ("not synced yet", 25_000, 0)
    assert shown["unexplained"] == 0
    for form in ("csv", "html", "table"):
        assert found["source_id"] in as_text(report, form)
        assert found["id"] in as_text(report, form)
    page = as_text(report, "html")
    assert "<script" not in page
    assert "http" not in page


def test_a_spent_budget_says_when_to_try_again(drive: Rounds) -> None:
    drive.metered, drive.limits = True, (Limit(1, 3600),)
    with pytest.raises(UnreachableError, match=r"The request limit is reached until 2026-03-04T.*Try again after that"):
        compared(drive.sync(), None, None)


def test_the_nightly_report_is_left_for_its_owner_alone(drive: Rounds) -> None:
    win(drive)
    sync = drive.sync()
    done = compare_and_note(sync, None, None, "kashoo_tie_out")
    assert done.result["open"] == {"not synced yet": 1}
    assert (done.result["unexplained"], done.result["new"]) == (0, 1)
    files = {path.name: path for path in Path(done.result["report"]).iterdir()}
    assert {*files} == {"addresses.json", "report.json", "report.csv", "report.html", "worked_on.json"}
    assert {path.stat().st_mode & 0o077 for path in files.values()} == {0}
    with pytest.raises(ConfigurationError, match="'soon' is not a day"):
        compare_and_note(sync, "soon", None)


def test_a_copy_of_an_invoice_of_another_month_is_twice_in_the_books(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    copy(drive, {**invoice_of(drive.sandbox, deal), "date": "2026-04-05"})
    april = tie_out(drive.sync(), Period(date(2026, 4, 1), date(2026, 4, 30)))
    assert [str(each.name) for each in april.differences] == ["twice in the books"]


def test_in_a_pipe_no_line_of_the_table_is_broken(
    drive: Rounds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    win(drive)
    report = tie_out(drive.sync(), MARCH)
    show(report, "table", None)
    (found,) = report.differences
    assert found.next_step in capsys.readouterr().out

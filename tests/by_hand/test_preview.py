"""What the next run would do: the same plan as the run then makes, with the money, and nothing written anywhere."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from records import add_deal, books_rows, today, writes
from rich.console import Console
from rounds import Rounds, Start, backup_of, change, in_doubt, price, remap, win
from sqlalchemy import select

from airflow_provider_kashoo.cli import plan as command
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.reports.page import plan_page
from airflow_provider_kashoo.reports.plan import PlanReport
from airflow_provider_kashoo.store.tables import budget_slots, metadata
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.preview import preview
from airflow_provider_kashoo.sync.run import report as report_module
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE


def looked_at(drive: Rounds, name: str = TO_KASHOO, **facts: Any) -> PlanReport:
    drive.sandbox.clock.advance(60)
    sync = drive.sync(name, **facts)
    return preview(sync, sync.run)


def store(drive: Rounds) -> dict[str, list[str]]:
    """All that the store holds, but for the requests that were counted."""
    tables = [table for table in metadata.sorted_tables if table is not budget_slots]
    with drive.database.begin() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in tables}


def printed(report: PlanReport) -> str:
    file = io.StringIO()
    command.print_report(report, Console(file=file, width=250))
    return file.getvalue()


def test_the_preview_shows_what_the_run_then_does(drive: Rounds, start: Start) -> None:
    old = win(drive)
    drive.run()
    in_doubt(drive, win(drive))
    new = win(drive)
    price(drive, old, "300.00")
    parked = add_deal(drive.sandbox, None, "250.00")
    before, sent = store(drive), writes(drive.sandbox)
    report = looked_at(drive)
    assert store(drive) == before
    assert writes(drive.sandbox) == sent
    assert list((drive.folder / "staging").rglob("plan__*")) == []
    assert "1 writes had no answer; the next run looks them up before it plans" in report.notes
    summary: Any = drive.run().summary
    assert (report.actions, report.requests) == (summary["actions"], summary["requests"])
    rows = {(row.action, row.source_id) for row in report.rows}
    assert {("create", new), ("update", old), ("park", parked)} < rows


def test_a_store_that_was_lost_is_planned_with_what_the_books_hold(drive: Rounds, start: Start) -> None:
    win(drive)
    drive.run()
    lost = drive.folder / "lost"
    lost.mkdir()
    again = Rounds(drive.sandbox, lost, drive.postgres)
    again.runs = 200
    before = store(again)
    report = looked_at(again)
    assert {table: rows for table, rows in store(again).items() if rows != before[table]}.keys() <= {
        "scopes",
        "settings",
    }
    summary: Any = again.run().summary
    assert report.actions == summary["actions"]
    assert [row.action for row in report.rows if row.source_id == start.deal] == ["link"]
    again.end()


def test_the_money_before_and_after_is_that_of_the_invoices(drive: Rounds) -> None:
    old = win(drive, "200.00")
    drive.run()
    win(drive, "250.00", Name="Lift, 2 floors")
    price(drive, old, "300.00")
    report = looked_at(drive)
    moved = {"create": 25_000, "update_before": 20_000, "update_after": 30_000, "void": 0}
    assert report.totals == {"USD": moved}
    (new,) = [row for row in report.rows if row.action == "create" and row.target == "invoice"]
    assert (new.name, new.customer, new.date) == ("Lift, 2 floors", "Northern Lights", today(drive.sandbox))
    assert new.odd == ("first invoice of this customer",)


def test_what_is_written_back_is_shown_too(drive: Rounds, start: Start) -> None:
    (invoice,) = books_rows(drive.sandbox, "invoices")
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 5_000)
    report = looked_at(drive, TO_SALESFORCE)
    assert [(row.action, row.target, row.source_id) for row in report.rows] == [
        ("write_back", "Opportunity", start.deal)
    ]
    assert (report.totals, report.requests) == ({}, 0)


def test_when_it_is_done_counts_the_requests_of_others(drive: Rounds) -> None:
    for _ in range(10):
        win(drive)
    drive.limits = (Limit(25, 3600),)
    drive.metered = True
    report = looked_at(drive)
    assert report.requests == 20
    assert report.free_now < 20
    assert report.made_at + 3000 < report.done_at < report.made_at + 3700


def test_a_limit_that_is_reached_says_when_to_plan_again(drive: Rounds) -> None:
    win(drive)
    drive.limits = (Limit(3, 3600),)
    drive.metered = True
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    with pytest.raises(UnreachableError, match=r"The request limit is reached until .* Plan again after that\."):
        command.plan(sync, sync.run)


def test_the_json_has_the_fields_that_others_rely_on(drive: Rounds, tmp_path: Path) -> None:
    win(drive)
    report = looked_at(drive)
    command.show(report, "json", str(tmp_path / "plan.json"), Console(file=io.StringIO()))
    said = json.loads((tmp_path / "plan.json").read_text())
    assert said["format_version"] == "1.0"
    assert said["digest"] == report.digest
    assert {"sync", "actions", "totals", "requests", "free_now", "done_at"} < said.keys()
    names = {"action", "target", "source_object", "source_id", "kashoo_id", "reason", "rules"}
    assert names | {"currency", "total_minor", "total_before_minor"} < said["rows"][0].keys()


def test_payments_are_shown_apart_from_invoices(drive: Rounds) -> None:
    rule = 'rules:\n  - {when: Prepaid__c, mark_paid: {account: "1000", date: {from: CloseDate}}}\nfields:\n'
    remap(drive, "invoice_from_opportunity", "fields:\n", rule)
    win(drive, Prepaid__c=True)
    billed = win(drive, "300.00")
    report = looked_at(drive)
    assert (report.totals["USD"]["create"], report.to_pay) == (55_000, {"USD": 25_000})
    drive.run()
    change(drive, billed, Prepaid__c=True)
    report = looked_at(drive)
    assert (report.totals, report.to_pay, report.as_json()["to_pay"]) == ({}, {"USD": 30_000}, {"USD": 30_000})
    assert "to be marked as paid: 300.00 USD" in printed(report)
    page = plan_page(report)
    assert "To be marked as paid: 300.00 USD" in page
    assert "moves no money" not in page


HOSTILE = "<script>alert('x')</script> [red] \u202eevil & Söhne"


def test_a_hostile_name_is_shown_and_never_run(drive: Rounds) -> None:
    win(drive, Name=HOSTILE)
    report = looked_at(drive)
    page = plan_page(report)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; [red] \u202eevil &amp; Söhne" in page
    assert HOSTILE in printed(report)


def test_each_printed_page_can_repeat_the_titles_of_the_columns(drive: Rounds) -> None:
    win(drive)
    page = plan_page(looked_at(drive))
    titles = re.findall(r'<th [^>]*data-title="(.+?)"[^>]*><button type="button">(.+?)</button>', page)
    assert len(titles) == page.count("<th ") > 0
    assert all(printed_as == shown for printed_as, shown in titles)


def test_nothing_to_do_is_said(drive: Rounds) -> None:
    drive.run()
    report = looked_at(drive)
    assert report.rows == []
    assert "Nothing is to be written, and nothing waits for a person." in printed(report)
    assert "Nothing is to be written" in plan_page(report)


def test_a_file_that_cannot_be_written_is_named(drive: Rounds, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"nowhere/plan.html cannot be written: No such file"):
        command.show(looked_at(drive), "html", str(tmp_path / "nowhere" / "plan.html"), Console(file=io.StringIO()))


def test_a_run_stages_the_same_report_and_its_head_names_nobody(drive: Rounds) -> None:
    win(drive, Name="Lift, 2 floors")
    shown = looked_at(drive)
    sync = drive.prepare()
    staged = sync.files.read_json("report") or {}
    rows = json.loads(json.dumps(shown.as_json()["rows"]))
    assert staged["rows"] == [row | {"odd": []} for row in rows]  # a run holds nothing against earlier invoices
    assert staged["digest"] == (sync.files.read_json("approved") or {})["digest"]
    head = steps.plan_head(sync)
    assert head["totals"] == {"USD": {"create": "250.00"}}
    assert head["actions"]["invoice"]["create"] == 1
    assert "Lift" not in json.dumps(head)


def test_a_restored_store_is_planned_as_the_run_then_plans(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    drive.run()
    old = backup_of(drive, tmp_path_factory.mktemp("backup"))
    lost = win(drive)
    drive.run()  # the backup does not know it
    old.runs = 300
    drive.sandbox.clock.advance(3600)
    since = drive.sandbox.clock.now()
    win(drive)
    report = looked_at(old, since=since)  # reads the new deal only; the books show a mark that the store does not know
    assert ("link", lost) in {(row.action, row.source_id) for row in report.rows}
    summary: Any = old.run(since=since).summary
    assert report.actions == summary["actions"]
    old.end()


def test_names_that_salesforce_refuses_stop_no_plan(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    win(drive)

    def refused(*_: Any) -> Any:
        raise ConfigurationError("Salesforce refused the question.")

    monkeypatch.setattr(report_module, "names_of", refused)
    report = looked_at(drive)
    assert [row.name for row in report.rows if row.action == "create"] == ["", ""]
    assert "no names are shown: Salesforce refused the question." in report.notes

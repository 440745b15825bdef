"""An edited mapping changes no invoice by itself: only a run that is asked to, after it was seen what it would do."""

from __future__ import annotations

from typing import Any

import pytest
from records import books_rows, edit
from rounds import Rounds, bearing, moved_on, open_items, quiet, remap, win

from airflow_provider_kashoo.sync.by_hand.preview import preview

NAME = "invoice_from_opportunity"


def edited(drive: Rounds) -> None:
    remap(drive, NAME, "  memo: {from: Name}\n", '  memo: {text: "{Name}, thank you"}\n')


def memo(drive: Rounds, deal: str) -> str:
    (invoice,) = bearing(drive, deal)
    return str(invoice["memo"]).partition(" [sf:")[0]


def would(drive: Rounds, **facts: Any) -> list[tuple[str, str, str]]:
    drive.sandbox.clock.advance(60)
    sync = drive.sync(**facts)
    return [(row.action, row.source_id, row.reason) for row in preview(sync, sync.run).rows]


def test_only_a_run_that_remaps_applies_an_edited_mapping(drive: Rounds) -> None:
    deal = win(drive, Name="Lift")
    drive.run()
    moved_on(drive)
    edited(drive)
    assert would(drive) == []
    drive.run()
    assert memo(drive, deal) == "Lift"
    shown = would(drive, remap=True)
    assert ("update", deal, "by the mapping as it is now: memo") in shown
    assert memo(drive, deal) == "Lift"
    done = drive.run(remap=True)
    assert done.moved == {}
    assert memo(drive, deal) == "Lift, thank you"
    assert would(drive, remap=True) == []
    quiet(drive)


def test_lines_are_made_anew_and_other_edits_in_the_books_stay(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    (invoice,) = bearing(drive, deal)
    edit(drive.sandbox, "invoices", invoice, poNumber="77")
    remap(drive, NAME, "single_line:\n", "rules:\n  - set: {lines.project: West}\nsingle_line:\n")
    drive.run(remap=True)
    (now,) = bearing(drive, deal)
    assert (now["poNumber"], [line["project"] for line in now["lineItems"]]) == ("77", ["West"])
    assert now["totalDue"] == invoice["totalDue"]


def test_a_paid_invoice_is_put_to_a_person(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    (invoice,) = bearing(drive, deal)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 25_000)
    drive.run_back()
    remap(drive, NAME, "date: {from: CloseDate}", 'date: "2026-03-01"')
    before = bearing(drive, deal)
    drive.run(remap=True)
    assert bearing(drive, deal) == before
    assert open_items(drive) == [(deal, "paid_invoice_changed")]


def test_customers_follow_too(drive: Rounds) -> None:
    win(drive)
    drive.run()
    moved_on(drive)
    remap(drive, "customer_from_account", "  name: {from: Name", "  notes: from Salesforce\n  name: {from: Name")
    drive.run()
    assert not any("from Salesforce" in row["notes"] for row in books_rows(drive.sandbox, "customers"))
    drive.run(remap=True)
    assert all("from Salesforce" in row["notes"] for row in books_rows(drive.sandbox, "customers"))


@pytest.mark.parametrize(("owners", "due"), [("", "2026-04-18"), ("owners: {dueDate: kashoo}\n", "2026-05-05")])
def test_an_edit_that_the_mapping_contradicts_is_decided_by_its_owner(drive: Rounds, owners: str, due: str) -> None:
    deal = win(drive)
    drive.run()
    (invoice,) = bearing(drive, deal)
    edit(drive.sandbox, "invoices", invoice, dueDate="2026-05-05")
    remap(drive, NAME, "default: 30", "default: 45")
    remap(drive, NAME, "fields:\n", f"{owners}fields:\n")
    drive.run(remap=True)
    (now,) = bearing(drive, deal)
    assert (now["dueDate"], open_items(drive)) == (due, [])


def test_a_test_batch_counts_linked_deals(drive: Rounds) -> None:
    deals = [win(drive, Name="Lift") for _ in range(3)]
    drive.run()
    edited(drive)
    drive.run(remap=True, limit=2)
    assert 0 < [memo(drive, deal) for deal in deals].count("Lift, thank you") <= 2

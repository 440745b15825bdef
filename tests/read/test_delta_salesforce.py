"""What a window shows, and what none shows: every deal that matters is read again, nothing is written for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, invoice_of, writes
from rounds import (
    Rounds,
    Start,
    bearing,
    billed_once,
    change,
    moved_on,
    open_items,
    states_of,
    win,
)

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.store import linked_records
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.read.salesforce import in_pages
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

A_WEEK = 7 * 86_400.0


def only_when(drive: Rounds, condition: str) -> None:
    """Add a condition to the mapping of deals."""
    path = drive.mappings / "invoice_from_opportunity.yaml"
    path.write_text(path.read_text().replace("  - IsWon\n", f"  - IsWon\n  - {condition}\n"))


# -- dirty for another record's sake


def test_d1_an_approval_on_the_account_releases_the_deal_of_yesterday(drive: Rounds) -> None:
    only_when(drive, "Account.Payment_Terms__c == 45")
    deal = win(drive)
    drive.run()
    assert bearing(drive, deal) == []
    moved_on(drive)
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    drive.sandbox.org.update("Account", account, {"Payment_Terms__c": 45})
    billed_once(drive, deal)


def test_d7_a_parked_deal_is_tried_again_when_only_its_account_was_repaired(drive: Rounds) -> None:
    path = drive.mappings / "customer_from_account.yaml"
    path.write_text(path.read_text().replace("fields:\n", "when:\n  - Payment_Terms__c == 45\nfields:\n", 1))
    deal = win(drive)
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    drive.run()
    assert states_of(drive, deal) == ["parked"]
    moved_on(drive)
    drive.sandbox.org.update("Account", account, {"Payment_Terms__c": 45})
    billed_once(drive, deal)


def test_d8_a_deal_that_is_opened_again_is_seen_though_it_matches_no_more(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    moved_on(drive)
    change(drive, deal, StageName="Negotiation/Review")
    drive.run()
    assert (deal, "no_longer_billable") in open_items(drive)
    change(drive, deal, StageName="Closed Won")
    billed_once(drive, deal)


def test_a_line_that_changes_makes_its_deal_dirty_even_when_its_header_does_not_move(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    line = add_line(drive.sandbox, deal, "250.00")
    drive.run()
    moved_on(drive)
    before = drive.sandbox.org.get("Opportunity", deal)["SystemModstamp"]
    drive.sandbox.org.update("OpportunityLineItem", line, {"Description": "as agreed on the phone"})
    assert drive.sandbox.org.get("Opportunity", deal)["SystemModstamp"] == before
    invoice = billed_once(drive, deal)
    assert invoice["lineItems"][0]["description"] == "as agreed on the phone"


@pytest.mark.parametrize("logged", [True, False])
def test_a_synced_quote_that_deletes_lines_for_good_is_seen(drive: Rounds, logged: bool) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    line = add_line(drive.sandbox, deal, "250.00")
    drive.run()
    moved_on(drive)
    entry = drive.sandbox.org.get("OpportunityLineItem", line)["PricebookEntryId"]
    halves = [{"PricebookEntryId": entry, "Quantity": 1, "UnitPrice": Decimal(125)} for _ in range(2)]
    before = drive.sandbox.org.get("Opportunity", deal)["SystemModstamp"]
    drive.sandbox.org.sync_quote(deal, halves, logged=logged)
    assert drive.sandbox.org.get("Opportunity", deal)["SystemModstamp"] == before
    invoice = billed_once(drive, deal)
    assert [line["rate"] for line in invoice["lineItems"]] == [12500, 12500]


def test_a_line_that_is_deleted_for_good_is_seen_by_the_roll_up(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "250.00")
    gone = add_line(drive.sandbox, deal, "100.00", product="SV-200")
    drive.run()
    moved_on(drive)
    drive.sandbox.org.purge("OpportunityLineItem", gone)
    billed_once(drive, deal)


# -- deleted, undeleted


@pytest.mark.parametrize("how", ["bin", "purged", "emptied"])
def test_a_deleted_deal_is_never_silent_and_an_undeleted_one_is_as_before(drive: Rounds, how: str) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    moved_on(drive)
    if how == "purged":
        org.purge("Opportunity", deal)
    else:
        org.delete("Opportunity", deal)
    if how == "emptied":
        org.empty_recycle_bin()
    drive.run()
    assert (deal, "no_longer_billable") in open_items(drive)
    assert len(bearing(drive, deal)) == 1
    if how == "bin":
        org.undelete("Opportunity", deal)
        billed_once(drive, deal)


def test_a_deal_that_was_deleted_before_it_was_billed_is_forgotten_without_a_trace(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "250.00")
    drive.run()
    assert states_of(drive, deal) == ["parked"]
    drive.sandbox.org.purge("Opportunity", deal)
    moved_on(drive)
    assert states_of(drive, deal) == ["closed"]
    assert open_items(drive) == []


# -- echoes, and the week's sweep


def test_touches_and_our_own_write_back_are_dropped_by_hash_and_counted(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    change(drive, deal, Probability=90)
    before = writes(drive.sandbox)
    done = drive.run()
    assert done.summary["actions"]["invoice"] == {"unchanged": 1}
    assert writes(drive.sandbox) == before


def test_the_weeks_sweep_finds_what_no_window_showed(drive: Rounds, start: Start) -> None:
    deal = win(drive)
    drive.run()
    moved_on(drive)
    table = drive.sandbox.org.table("Opportunity")
    lost = add_deal(drive.sandbox, start.account, "400.00")
    for ident, fields in ((deal, {"Description": "x", "Amount": Decimal("275.00")}), (lost, {})):
        row = table.rows[ident]
        earlier = parse_instant(row["SystemModstamp"]) - timedelta(days=2)
        table.put(ident, {**row, **fields, "SystemModstamp": f"{earlier:%Y-%m-%dT%H:%M:%S}.000+0000"})
    moved_on(drive)
    assert (invoice_of(drive.sandbox, deal)["totalDue"], bearing(drive, lost)) == (25000, [])
    drive.sandbox.clock.advance(A_WEEK)
    assert "sweep" in drive.run().report("Opportunity")["note"]
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 27500
    billed_once(drive, lost, 40000)
    assert "sweep" not in drive.run().report("Opportunity")["note"]


def test_the_weeks_sweep_reads_page_by_page_what_it_would_read_at_once(
    drive: Rounds, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deals = sorted([start.deal, *(win(drive) for _ in range(5))])
    drive.run()
    moved_on(drive)
    drive.sandbox.org.delete("Opportunity", deals[2])
    drive.sandbox.org.purge("Opportunity", deals[4])
    change(drive, deals[1], Description="changed this week")
    new = add_deal(drive.sandbox, start.account, "400.00")
    drive.sandbox.clock.advance(A_WEEK)
    monkeypatch.setattr(linked_records, "PAGE", 2)
    sync = drive.prepare()
    report = sync.files.read_json("delta.Opportunity") or {}
    assert "sweep" in report["note"]
    (part,) = parts_of(sync, "Opportunity")
    assert part.records()["Id"].to_pylist() == [*deals[:2], deals[3], deals[5], new]
    assert (report["deleted"], report["missing"]) == ([deals[2], deals[4]], [])
    assert len(report["parts"]) > 3
    drive.finish(sync)
    assert invoice_of(drive.sandbox, new)["totalDue"] == 40000


def test_pages_of_ids_hold_each_once_whatever_order_the_store_has() -> None:
    pages = [["b", "d"], ["C", "f"], ["h", "e"]]  # as a database may sort that tells no case
    found = [sorted(page) for page in in_pages({"a", "d", "e", "z"}, pages, {"f"})]
    assert found == [["a", "b", "d"], ["C", "e"], ["h"], ["z"]]
    assert [sorted(page) for page in in_pages({"b", "a"}, (), set())] == [["a", "b"]]


def test_a_delta_without_changes_costs_two_requests_an_object(drive: Rounds) -> None:
    moved_on(drive)
    sync, log = drive.prepare(), drive.sandbox.logs["salesforce"]
    for sobject, objects in (("Account", 2), ("Product2", 1), ("Opportunity", 2), ("Order", 2)):
        sync.files.remove(f"delta.{sobject}")
        sync.files.remove(f"window.{sobject}")
        log.clear()
        assert steps.extract(sync, sobject).records == 0
        assert log.total <= 2 * objects, sobject  # lines and contacts are objects too


def test_a_deal_that_went_without_any_trace_is_missed_by_the_weeks_sweep(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    moved_on(drive)
    drive.sandbox.org.purge("Opportunity", deal)
    drive.sandbox.clock.advance(16 * 86_400)  # Salesforce lists what was deleted for 15 days
    drive.run()
    assert (deal, "no_longer_billable") in open_items(drive)


# -- bad input: a clear message, and the watermark untouched


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda box: box.org.remove_field("Opportunity", "CloseDate"), "Opportunity has no field 'CloseDate'"),
        (lambda box: box.org.revoke("Order"), "no object Order, or .* may not see it"),
        (lambda box: box.org.remove_field("Opportunity", "SystemModstamp"), "no SystemModstamp"),
    ],
)
def test_what_the_user_may_not_see_any_more_is_said_first(drive: Rounds, spoil: Any, says: str) -> None:
    deal = win(drive)
    marks = [drive.store.watermarks.get(f"salesforce.{name}") for name in ("Opportunity", "Order")]
    spoil(drive.sandbox)
    with pytest.raises(ConfigurationError, match=says):
        drive.run()
    assert [drive.store.watermarks.get(f"salesforce.{name}") for name in ("Opportunity", "Order")] == marks
    drive._org_client = None  # its describes are those of a process that is over
    for name in ("CloseDate", "SystemModstamp"):
        drive.sandbox.org.grant("Opportunity", name)
    drive.sandbox.org.grant("Order")
    billed_once(drive, deal)


@pytest.mark.parametrize(
    ("name", "sources", "missing"),
    [
        (TO_KASHOO, ["Account", "Opportunity"], "No delta of Order, Product2 was staged"),
        (TO_SALESFORCE, ["payments"], "No delta of invoices was staged"),
    ],
)
def test_a_delta_that_is_not_there_is_never_taken_for_nothing_changed(
    drive: Rounds, name: str, sources: list[str], missing: str
) -> None:
    deal = win(drive)
    sync = drive.sync(name)
    steps.preflight(sync)
    for source in sources:
        steps.extract(sync, source)
    with pytest.raises(ConfigurationError, match=missing):
        steps.plan(sync)
    billed_once(drive, deal)


def test_a_formula_field_in_when_is_refused_by_file_and_line(drive: Rounds) -> None:
    only_when(drive, "Days_Since_Close__c >= 0")
    with pytest.raises(
        ConfigurationError, match=r"invoice_from_opportunity.yaml:9:5: Days_Since_Close__c is a formula"
    ):
        drive.run()


def test_a_query_that_salesforce_ends_is_said_and_made_up_for(drive: Rounds) -> None:
    deal = win(drive)
    mark = drive.store.watermarks.get("salesforce.Opportunity")
    drive.sandbox.faults["salesforce"].add(Fault(kind="query_timeout", path="/composite$", nth=3))
    with pytest.raises(UnreachableError, match="A query took too long"):
        drive.run()
    assert drive.store.watermarks.get("salesforce.Opportunity") == mark
    billed_once(drive, deal)


def test_a_transaction_that_is_open_holds_the_window_back_and_its_deal_is_billed(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    held = drive.sandbox.org.hold()
    deal = held.run(lambda: add_deal(drive.sandbox, account, "250.00"))
    for _ in range(3):  # far longer than overlap and margin
        drive.sandbox.clock.advance(1800)
        note = drive.run().report("Opportunity")["note"]
    assert "Salesforce has confirmed nothing newer yet" in note
    other = win(drive, "300.00")
    drive.run()
    assert bearing(drive, other) == []
    held.commit()
    billed_once(drive, deal)
    billed_once(drive, other, 30000)


def test_what_is_younger_than_the_margin_is_counted_and_left_to_the_next_run(
    drive: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    drive.settings = replace(drive.settings, margin=timedelta(minutes=5))
    moved_on(drive)
    deal = win(drive)
    drive.sandbox.clock.advance(60)
    said = "1 changes are younger than the margin"
    summary: Any = drive.run().summary
    assert any(said in note for note in summary["notes"])
    assert f"Opportunity: {said}" in caplog.text
    assert bearing(drive, deal) == []
    drive.sandbox.clock.advance(3600)
    summary = drive.run().summary
    assert not any(said in note for note in summary["notes"])
    assert len(bearing(drive, deal)) == 1

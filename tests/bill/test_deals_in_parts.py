"""One deal, several invoices: from Salesforce to the books, over many runs, and what happens when the parts change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from records import add_account, add_deal, add_line, add_order, invoices_of, today, writes
from rounds import (
    Rounds,
    bearing,
    change,
    crash,
    fault,
    moved_by,
    moved_on,
    open_items,
    operations,
    quiet,
    remap,
    remove,
    reviews,
)

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.run.plan_file import decisions_about

SPLIT = """\
rules:
  - when: Type == "New Business"
    split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}
fields:
"""
VOIDING = "on_leave: void_unpaid\n"


@pytest.fixture
def split(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    return drive


def milestones(drive: Rounds, deal: str, *shares: str, day: str | None = None) -> list[str]:
    box = drive.sandbox
    row = {"Opportunity__c": deal, "Due__c": day or today(box)}
    return [box.org.insert("Billing_Milestone__c", row | {"Percent__c": Decimal(share)}) for share in shares]


def share(drive: Rounds, milestone: str, percent: str) -> None:
    drive.sandbox.org.update("Billing_Milestone__c", milestone, {"Percent__c": Decimal(percent)})


def deal_of(drive: Rounds, *shares: str, amount: str = "200.00", **fields: Any) -> tuple[str, list[str]]:
    """A won deal with one product, and with milestones."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None, Type="New Business", **fields)
    add_line(drive.sandbox, deal, amount)
    return deal, milestones(drive, deal, *shares)


def totals(drive: Rounds, deal: str) -> dict[int, int]:
    """Part -> total of its invoice in the books."""
    found = {part: [row for row in bearing(drive, deal) if f":{part}:" in row["memo"]] for part in range(1, 9)}
    assert all(len(rows) < 2 for rows in found.values())
    return {part: rows[0]["totalDue"] for part, rows in found.items() if rows}


def invoice(drive: Rounds, deal: str, part: int) -> dict[str, Any]:
    (row,) = (row for row in bearing(drive, deal) if f"[sf:{deal}:{part}:" in row["memo"])
    return row


def pay(drive: Rounds, row: dict[str, Any], amount: int | None = None) -> None:
    box = drive.sandbox
    box.books.pay(box.books.main(), row["id"], amount or row["totalDue"], today(box))


def test_each_milestone_is_billed_once_and_then_nothing_more(split: Rounds) -> None:
    deal, (_, second, _) = deal_of(split, "30", "30", "40", amount="100.01")
    later = moved_by(split, 30)
    split.sandbox.org.update("Billing_Milestone__c", second, {"Due__c": later})
    done = split.run()
    assert totals(split, deal) == {1: 3_000, 2: 3_000, 3: 4_001}
    assert (invoice(split, deal, 2)["date"], invoice(split, deal, 1)["date"]) == (later, today(split.sandbox))
    assert invoice(split, deal, 3)["lineItems"][0]["description"].endswith("(40 %)")
    assert done.summary["totals"] == {"USD": 10_001}
    said = [each.reason for each in decisions_about(done.sync.files, deal)]
    rule = "rules: split into invoices by Billing_Milestones__r"
    assert sorted(said) == sorted(
        f"won and not billed yet; part {part} of 3, {percent} %; {rule}"
        for part, percent in ((1, 30), (2, 30), (3, 40))
    )
    moved_on(split)
    change(split, deal, Description="touched")
    split.run()
    assert open_items(split) == []
    quiet(split)
    assert totals(split, deal) == {1: 3_000, 2: 3_000, 3: 4_001}


def test_a_deal_without_the_rule_stays_one_invoice(split: Rounds) -> None:
    deal = add_deal(split.sandbox, add_account(split.sandbox), "200.00")
    milestones(split, deal, "50", "50")
    split.run()
    assert totals(split, deal) == {1: 20_000}
    quiet(split)


def test_shares_that_are_not_100_park_the_deal_until_they_are(split: Rounds) -> None:
    deal, (_, second) = deal_of(split, "30", "60")
    split.run()
    assert (bearing(split, deal), open_items(split)) == ([], [(deal, "shares_do_not_add_up")])
    share(split, second, "70")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])


def test_a_deal_that_gets_its_milestones_later_waits_for_them(split: Rounds) -> None:
    deal, _ = deal_of(split)
    split.run()
    assert (bearing(split, deal), open_items(split)) == ([], [(deal, "no_parts")])
    milestones(split, deal, "50", "50")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 10_000, 2: 10_000}, [])


def test_a_share_moved_between_unpaid_parts_changes_both(split: Rounds) -> None:
    deal, (first, second, _) = deal_of(split, "30", "30", "40")
    split.run()
    moved_on(split)
    share(split, first, "20")
    share(split, second, "40")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 4_000, 2: 8_000, 3: 8_000}, [])
    assert invoice(split, deal, 2)["lineItems"][0]["description"].endswith("(40 %)")
    quiet(split)


def test_lines_of_the_deal_change_every_part(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    split.run()
    add_line(split.sandbox, deal, "100.00")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 9_000, 2: 21_000}, [])
    quiet(split)


def test_a_paid_part_is_put_to_a_person_and_the_other_one_is_written(split: Rounds) -> None:
    deal, (first, second) = deal_of(split, "30", "70")
    split.run()
    pay(split, invoice(split, deal, 1))
    moved_on(split)
    share(split, first, "40")
    share(split, second, "60")
    split.run()
    assert totals(split, deal) == {1: 6_000, 2: 12_000}
    (item,) = split.store.reviews.all_open()
    assert (item["error_class"], item["part"]) == ("paid_invoice_changed", 1)
    assert "total 60.00 USD -> 80.00 USD" in item["cause"]
    share(split, first, "30")
    share(split, second, "70")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])


def test_each_part_has_its_own_question(split: Rounds) -> None:
    deal, _ = deal_of(split, "50", "50")
    split.run()
    for part in (1, 2):
        pay(split, invoice(split, deal, part))
    add_line(split.sandbox, deal, "100.00")
    split.run()
    assert reviews(split) == [(deal, "paid_invoice_changed")] * 2
    assert [item["part"] for item in split.store.reviews.all_open()] == [1, 2]


def test_a_new_milestone_becomes_a_new_invoice(split: Rounds) -> None:
    deal, (_, second) = deal_of(split, "30", "70")
    split.run()
    share(split, second, "50")
    milestones(split, deal, "20")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 10_000, 3: 4_000}, [])
    quiet(split)


def test_a_milestone_deleted_in_the_middle_asks_a_person_once_and_nothing_is_written(split: Rounds) -> None:
    deal, (first, second, _) = deal_of(split, "30", "30", "40")
    split.run()
    moved_on(split)
    split.sandbox.org.delete("Billing_Milestone__c", second)
    share(split, first, "60")
    before = writes(split.sandbox)["kashoo"]
    for _ in range(2):
        split.run()
        (item,) = split.store.reviews.all_open()
        said = "its Billing_Milestones__r changed after it was billed: part 2 is now another record"
        assert (item["error_class"], item["cause"], item["part"]) == ("parts_changed", said, 1)
    assert totals(split, deal) == {1: 6_000, 2: 6_000, 3: 8_000}
    split.sandbox.org.undelete("Billing_Milestone__c", second)
    share(split, first, "30")
    assert writes(split.sandbox)["kashoo"] == before
    split.run()
    assert open_items(split) == []
    quiet(split)


def test_the_last_milestone_that_is_deleted_is_put_to_a_person(split: Rounds) -> None:
    deal, (_, second, third) = deal_of(split, "30", "30", "40")
    split.run()
    split.sandbox.org.delete("Billing_Milestone__c", third)
    share(split, second, "70")
    split.run()
    (item,) = split.store.reviews.all_open()
    assert (item["error_class"], item["part"]) == ("no_longer_billable", 3)
    assert item["cause"] == "the deal has no part 3 any more, but its invoice still exists"
    assert totals(split, deal) == {1: 6_000, 2: 6_000, 3: 8_000}  # together no more than the deal
    assert {(row["part"], row["error_class"]) for row in operations(split, State.PARKED)} >= {(2, "parts_leaving")}
    remove(split, invoice(split, deal, 3))
    split.run_back()
    split.run()
    quiet(split)
    assert [(item["part"], item["dismissed_by"]) for item in split.store.reviews.all_open()] == [(3, "the sync")]
    assert totals(split, deal) == {1: 6_000, 2: 14_000}


def test_the_last_milestone_that_is_deleted_is_voided_where_the_mapping_says_so(split: Rounds) -> None:
    remap(split, "invoice_from_opportunity", "rules:\n", VOIDING + "rules:\n")
    deal, (_, second, third) = deal_of(split, "30", "30", "40")
    split.run()
    split.sandbox.org.delete("Billing_Milestone__c", third)
    share(split, second, "70")
    split.run()
    assert totals(split, deal) == {1: 6_000, 2: 6_000}
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])
    quiet(split)
    share(split, second, "50")
    milestones(split, deal, "20")
    split.run()
    assert totals(split, deal) == {1: 6_000, 2: 10_000, 3: 4_000}
    assert f"[sf:{deal}:3:2]" in invoice(split, deal, 3)["memo"]
    quiet(split)


def test_all_parts_of_a_lost_deal_are_voided_or_asked_about(split: Rounds) -> None:
    remap(split, "invoice_from_opportunity", "rules:\n", VOIDING + "rules:\n")
    deal, _ = deal_of(split, "30", "30", "40")
    split.run()
    pay(split, invoice(split, deal, 2))
    split.run_back()
    change(split, deal, StageName="Closed Lost")
    split.run()
    assert totals(split, deal) == {2: 6_000}
    (item,) = split.store.reviews.all_open()
    assert (item["part"], item["error_class"]) == (2, "no_longer_billable")
    quiet(split)
    change(split, deal, StageName="Closed Won")
    split.run()
    assert totals(split, deal) == {1: 6_000, 2: 6_000, 3: 8_000}
    assert [f"[sf:{deal}:{part}:{2 if part != 2 else 1}]" in invoice(split, deal, part)["memo"] for part in (1, 2, 3)]
    assert open_items(split) == []
    quiet(split)


def test_all_parts_of_a_deleted_deal_are_asked_about(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    split.run()
    split.run_back()
    split.sandbox.org.delete("Opportunity", deal)
    split.run()
    asked = [(item["part"], item["error_class"]) for item in split.store.reviews.all_open()]
    assert asked == [(1, "no_longer_billable"), (2, "no_longer_billable")]
    quiet(split)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("stage", ["received POST /invoices", "answered POST /invoices"])
def test_after_a_crash_between_parts_the_rest_is_made_once(split: Rounds, stage: str, nth: int) -> None:
    deal, _ = deal_of(split, "30", "30", "40")
    crash(split, stage, split.run, nth=nth)
    split.look_up()
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 6_000, 3: 8_000}, [])
    quiet(split)


def test_while_one_part_is_in_doubt_the_deal_waits(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    fault(split, "drop_after")
    split.run()
    assert len(operations(split, State.IN_DOUBT)) == 1
    split.run()
    assert len(totals(split, deal)) == 2
    split.look_up()
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])
    quiet(split)


def test_a_part_that_kashoo_refuses_holds_up_no_other(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    fault(split, "error_before", status=400)
    split.run()
    assert (len(totals(split, deal)), len(open_items(split))) == (1, 1)
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])
    quiet(split)


def test_what_is_parked_for_a_part_ends_with_it(split: Rounds) -> None:
    deal, (first, second) = deal_of(split, "70", "30")
    fault(split, "error_before", status=400, nth=2)
    split.run()
    ((parked),) = operations(split, State.PARKED)
    assert parked["part"] == 2
    split.sandbox.org.delete("Billing_Milestone__c", second)
    share(split, first, "100")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 20_000}, [])
    quiet(split)


def test_an_order_of_the_same_sale_is_not_billed_besides(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    order = add_order(split.sandbox, add_account(split.sandbox), deal)
    split.run()
    assert (totals(split, deal), invoices_of(split.sandbox, order)) == ({1: 6_000, 2: 14_000}, [])
    moved_on(split)
    split.sandbox.org.update("Order", order, {"Description": "touched"})
    split.run()
    assert (invoices_of(split.sandbox, order), open_items(split)) == ([], [])
    quiet(split)


def test_with_one_part_removed_in_the_books_an_order_is_not_billed_either(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    order = add_order(split.sandbox, add_account(split.sandbox), deal)
    split.run()
    remove(split, invoice(split, deal, 2))
    split.run_back()
    change(split, deal, Description="touched")
    split.sandbox.org.update("Order", order, {"Description": "touched"})
    split.run()
    assert (totals(split, deal), invoices_of(split.sandbox, order)) == ({1: 6_000}, [])
    assert [(item["part"], item["error_class"]) for item in split.store.reviews.all_open()] == [(2, "removed_in_books")]


def test_a_deal_that_was_billed_whole_stays_whole(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), "200.00", Type="New Business")
    drive.run()
    moved_on(drive)
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    change(drive, deal, Description="touched")  # it has no milestones, and needs none
    drive.run()
    assert (totals(drive, deal), open_items(drive)) == ({1: 20_000}, [])
    change(drive, deal, Amount="250.00")
    drive.run()
    assert (totals(drive, deal), open_items(drive)) == ({1: 25_000}, [])
    milestones(drive, deal, "30", "70")
    drive.run()
    assert (totals(drive, deal), open_items(drive)) == ({1: 25_000}, [])
    change(drive, deal, Amount="300.00")
    drive.run()
    assert (totals(drive, deal), open_items(drive)) == ({1: 30_000}, [])
    quiet(drive)


def test_a_deal_that_was_billed_in_parts_is_never_billed_whole(split: Rounds) -> None:
    deal, _ = deal_of(split, "30", "70")
    split.run()
    moved_on(split)
    change(split, deal, Type="Existing Business")
    split.run()
    (item,) = split.store.reviews.all_open()
    assert (item["error_class"], item["cause"]) == (
        "parts_changed",
        "it was billed in parts, and no rule of the mapping divides it now",
    )
    assert totals(split, deal) == {1: 6_000, 2: 14_000}
    change(split, deal, Type="New Business")
    split.run()
    assert open_items(split) == []
    quiet(split)


def test_a_new_store_adopts_every_part_by_its_reference(split: Rounds, tmp_path: Path) -> None:
    deal, _ = deal_of(split, "30", "70")
    split.run()
    fresh = another_store(split, tmp_path)
    fresh.run()
    fresh.run()
    assert (totals(fresh, deal), open_items(fresh)) == ({1: 6_000, 2: 14_000}, [])
    assert {link.part for link in fresh.store.links.of_target("invoice")} == {1, 2}
    quiet(fresh)


def test_a_new_store_makes_the_parts_that_are_missing(split: Rounds, tmp_path: Path) -> None:
    deal, _ = deal_of(split, "30", "70")
    crash(split, "answered POST /invoices", split.run)
    assert len(totals(split, deal)) == 1
    fresh = another_store(split, tmp_path)
    fresh.run()
    fresh.run()
    assert (totals(fresh, deal), open_items(fresh)) == ({1: 6_000, 2: 14_000}, [])
    quiet(fresh)


def test_a_new_store_does_not_bill_parts_beside_an_invoice_of_the_whole(drive: Rounds, tmp_path: Path) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), "200.00", Type="New Business")
    milestones(drive, deal, "30", "70")
    drive.run()
    pay(drive, invoice(drive, deal, 1))
    fresh = another_store(drive, tmp_path)
    remap(fresh, "invoice_from_opportunity", "fields:\n", SPLIT)
    for _ in range(3):
        fresh.run()
    assert totals(fresh, deal) == {1: 20_000}
    asked = [item for item in fresh.store.reviews.all_open() if item["source_id"] == deal]
    assert [item["error_class"] for item in asked] == ["parts_unknown"]
    dismiss(fresh.database, f"R{asked[0]['id']}", by="ann", reason="it bills all of it")
    change(fresh, deal, Description="touched")
    quiet(fresh)
    assert [item["dismissed_by"] for item in fresh.store.reviews.all_open()] == ["ann"]
    assert totals(fresh, deal) == {1: 20_000}


def test_two_rules_that_catch_one_deal_park_it_until_one_does(split: Rounds) -> None:
    twice = "  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}\n"
    remap(split, "invoice_from_opportunity", "rules:\n", "rules:\n" + twice)
    deal, _ = deal_of(split, "30", "70")
    split.run()
    assert (bearing(split, deal), open_items(split)) == ([], [(deal, "split_twice")])
    remap(split, "invoice_from_opportunity", twice, "")
    split.run()
    assert (totals(split, deal), open_items(split)) == ({1: 6_000, 2: 14_000}, [])


def another_store(drive: Rounds, folder: Path) -> Rounds:
    """Begin with an empty store at the same two sides."""
    drive.database.dispose()
    fresh = Rounds(drive.sandbox, folder / "fresh")
    if "split: {invoices" in (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8"):
        remap(fresh, "invoice_from_opportunity", "fields:\n", SPLIT)
    return fresh


def test_a_test_batch_counts_deals(split: Rounds) -> None:
    first, _ = deal_of(split, "30", "70")
    second, _ = deal_of(split, "50", "50")
    split.run(limit=1)
    assert sorted([len(bearing(split, first)), len(bearing(split, second))]) == [0, 2]
    split.run()
    assert [len(bearing(split, deal)) for deal in (first, second)] == [2, 2]
    quiet(split)


def test_a_deal_in_parts_that_is_marked_as_paid_is_put_to_a_person(drive: Rounds) -> None:
    paid = '  - {when: Prepaid__c, mark_paid: {account: "1000", date: {from: CloseDate}}}\nfields:\n'
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT.replace("fields:\n", paid))
    deal, _ = deal_of(drive, "40", "60", Prepaid__c=True)
    drive.run()
    assert (bearing(drive, deal), bearing(drive, deal, "invoicePayments")) == ([], [])
    assert [row["error_class"] for row in operations(drive, State.PARKED)] == ["paid_in_parts"]
    change(drive, deal, Prepaid__c=False)
    drive.run()
    assert len(bearing(drive, deal)) == 2
    assert operations(drive, State.PARKED) == []

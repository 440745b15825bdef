"""Invoices that were made by hand for the parts of a deal."""

from __future__ import annotations

from decimal import Decimal

from adoption import adopt, bill, north, silent_run
from records import add_deal, books_rows, today
from rounds import Rounds, open_items, remap

RULE = "rules:\n  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}\nfields:\n"


def in_parts(drive: Rounds, account: str, *shares: int) -> str:
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    deal = add_deal(drive.sandbox, account, "200.00")
    for share in shares:
        row = {"Opportunity__c": deal, "Percent__c": Decimal(share), "Due__c": today(drive.sandbox)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    return deal


def found(drive: Rounds, deal: str) -> list[tuple[int, str]]:
    findings = [each for each in adopt(drive).findings if each.intent.record.id == deal]
    return sorted((each.intent.record.part, each.result.value) for each in findings)


def test_each_part_is_linked_to_its_own_invoice(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = in_parts(drive, account, 30, 70)
    ids = [bill(drive, contact, amount)["id"] for amount in ("60.00", "140.00")]
    assert found(drive, deal) == [(1, "match"), (2, "match")]
    assert [link.kashoo_id for _, link in sorted(drive.store.links.parts_of("invoice", [deal])[deal].items())] == ids
    silent_run(drive)
    assert open_items(drive) == []


def test_two_parts_that_look_the_same_are_not_linked_by_chance(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = in_parts(drive, account, 50, 50)
    bill(drive, contact, "100.00")
    assert found(drive, deal) == [(1, "ambiguous"), (2, "ambiguous")]


def test_the_part_that_was_not_billed_by_hand_is_billed_by_the_next_run(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = in_parts(drive, account, 30, 70)
    first = bill(drive, contact, "60.00")
    assert found(drive, deal) == [(1, "match"), (2, "no match")]
    drive.run()
    own = [row for row in books_rows(drive.sandbox, "invoices") if row["contact"] == contact]
    assert sorted(row["totalDue"] for row in own) == [6_000, 14_000]
    assert first["id"] in {row["id"] for row in own}
    assert open_items(drive) == []


def test_beside_an_invoice_of_the_whole_that_a_person_marked_no_part_is_billed(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = in_parts(drive, account, 30, 70)
    bill(drive, contact, "200.00", memo=f"all of it [sf:{deal}:1:1]")
    assert found(drive, deal) == [(1, "match"), (2, "no match")]
    for _ in range(2):
        drive.run()
    own = [row for row in books_rows(drive.sandbox, "invoices") if row["contact"] == contact]
    assert [row["totalDue"] for row in own] == [20_000]
    assert open_items(drive) == [(deal, "parts_unknown")]

"""Undo a run that billed a deal in parts: by part in the books, by deal afterwards."""

from __future__ import annotations

from decimal import Decimal

from records import add_account, add_deal, add_line, today
from rounds import Rounds, bearing, open_items, quiet, remap, weeks
from undoing import approved

from airflow_provider_kashoo.sync.by_hand.replay import replay

SPLIT = """\
rules:
  - when: Type == "New Business"
    split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}
fields:
"""


def marks(drive: Rounds, deal: str) -> list[str]:
    """List part and generation of each invoice that stands for a deal."""
    return sorted(row["memo"].partition(f"[sf:{deal}:")[2].rstrip("]") for row in bearing(drive, deal))


def billed_in_parts(drive: Rounds) -> tuple[str, str]:
    """A run bills a deal by two milestones."""
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None, Type="New Business")
    add_line(drive.sandbox, deal, "200.00")
    for share in ("40", "60"):
        row = {"Opportunity__c": deal, "Due__c": today(drive.sandbox), "Percent__c": Decimal(share)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    return deal, drive.run().sync.run.run_id


def test_parts_are_undone_together_and_billed_again_together(drive: Rounds) -> None:
    deal, run_id = billed_in_parts(drive)
    assert marks(drive, deal) == ["1:1", "2:1"]
    assert approved(drive, run_id).outcome == {"voided": 2}
    weeks(drive, 1)
    assert marks(drive, deal) == []
    assert open_items(drive) == [(deal, "undone")] * 2
    replay(drive.sync(), [deal])
    quiet(drive)
    assert marks(drive, deal) == ["1:2", "2:2"]
    assert open_items(drive) == []


def test_a_paid_part_stays_and_the_other_one_is_not_billed_again(drive: Rounds) -> None:
    deal, run_id = billed_in_parts(drive)
    paid = next(row for row in bearing(drive, deal) if f"{deal}:2:" in row["memo"])
    drive.sandbox.books.pay(drive.sandbox.books.main(), paid["id"], 1_000)
    assert approved(drive, run_id).left[0][0].part == 2
    weeks(drive, 1)
    assert marks(drive, deal) == ["2:1"]
    assert (deal, "undone") in open_items(drive)

"""A mapping that is edited voids nothing by itself: only a deal that changed, or a run that is asked to."""

from __future__ import annotations

import pytest
from records import add_account, add_deal
from rounds import Rounds, bearing, change, moved_on, open_items, price, remap, weeks, win
from voids import causes, lose

NAME = "invoice_from_opportunity"
EDITS = [
    ("  - Amount >= 100\n", "  - Amount >= 300\n"),
    ("fields:\n", "rules:\n  - {when: Amount < 300, skip: a small deal}\nfields:\n"),
    ("fields:\n", "rules:\n  - {when: Type == None, skip: a deal without a type}\nfields:\n"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edited_mapping_leaves_out_is_put_to_a_person_and_not_voided(
    drive: Rounds, edit: tuple[str, str]
) -> None:
    deal, touched = win(drive), win(drive)
    drive.run()
    moved_on(drive)
    remap(drive, NAME, *edit)
    change(drive, touched, Description="touched")
    drive.run()
    weeks(drive, 1)
    assert [len(bearing(drive, each)) for each in (deal, touched)] == [1, 1]
    (cause,) = causes(drive, deal)
    assert cause.endswith("it was not voided: only its mapping changed; a run that remaps voids it")
    remap(drive, NAME, edit[1], edit[0])
    weeks(drive, 1)
    assert open_items(drive) == []


def test_a_deal_that_changed_too_is_voided(drive: Rounds) -> None:
    deal, lost = win(drive), win(drive, "400.00")
    drive.run()
    remap(drive, NAME, *EDITS[0])
    price(drive, deal, "200.00")
    lose(drive, lost)
    drive.run()
    assert (bearing(drive, deal), bearing(drive, lost), open_items(drive)) == ([], [], [])


def test_a_deal_that_leaves_because_its_customer_changed_is_voided(drive: Rounds) -> None:
    remap(drive, NAME, *("fields:\n", 'rules:\n  - {when: Account.BillingCity == "Bonn", skip: a cold one}\nfields:\n'))
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, "250.00")
    drive.run()
    drive.sandbox.org.update("Account", account, {"BillingCity": "Bonn"})
    drive.run()
    assert (bearing(drive, deal), open_items(drive)) == ([], [])


def test_a_run_that_remaps_voids_what_the_mapping_leaves_out_now(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    remap(drive, NAME, *EDITS[0])
    drive.run(remap=True)
    assert (bearing(drive, deal), open_items(drive)) == ([], [])

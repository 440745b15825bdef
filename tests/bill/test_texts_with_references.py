"""A reference that stands in a text of Salesforce was typed by a person: it marks nothing in the books."""

from __future__ import annotations

import pytest
from records import edit, invoice_of, writes
from rounds import Rounds, bearing, billed_once, change, fault, moved_on, open_items, win

from airflow_provider_kashoo.clients.entries import to_json
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.values.ids import Reference

OURS, OTHER = Reference("006000000000001AAA"), Reference("006000000000002AAA")


@pytest.mark.parametrize("answer", ["heard", "lost"])
def test_a_deal_whose_name_holds_the_reference_of_another_one_hides_it_from_nobody(drive: Rounds, answer: str) -> None:
    other = win(drive, "400.00", StageName="Prospecting")
    deal = win(drive, Name=f"Renewal, see [sf:{other}:1:1]")
    if answer == "lost":
        fault(drive, "drop_after")
    drive.run()
    change(drive, other, StageName="Closed Won")
    drive.run()
    assert billed_once(drive, deal)["memo"] == f"Renewal, see {Reference(deal)}"
    billed_once(drive, other, 40000)


@pytest.mark.parametrize("answer", ["heard", "lost"])
def test_a_change_of_such_a_text_is_written_once_and_seen_no_more(drive: Rounds, answer: str) -> None:
    deal, other = win(drive), win(drive, "400.00")
    drive.run()
    change(drive, deal, Name=f"As {Reference(other)} was")
    if answer == "lost":
        fault(drive, "drop_after", path=r"invoices/\d+$", method="PUT")
    drive.run()
    moved_on(drive)
    assert billed_once(drive, deal)["memo"] == f"As  was {Reference(deal)}"
    before = writes(drive.sandbox)
    change(drive, deal, Description="a touch")
    drive.run()
    assert writes(drive.sandbox) == before
    assert [len(bearing(drive, each)) for each in (deal, other)] == [1, 1]


def test_a_reference_that_the_books_hold_stays_when_the_text_around_it_changes(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, memo=f"{invoice['memo']} {OTHER}")
    change(drive, deal, Name="Another name")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["memo"] == f"Another name {Reference(deal)} {OTHER}"
    assert open_items(drive) == []


@pytest.mark.parametrize(
    ("text", "memo"),
    [
        (f"see {OTHER}", f"see {OURS}"),
        (str(OTHER), str(OURS)),
        (f"[sf:0060000000{OTHER}00002AAA:1:1] deep", f"deep {OURS}"),
        (None, str(OURS)),
    ],
)
def test_no_reference_but_ours_leaves_with_a_text(text: str | None, memo: str) -> None:
    assert to_json("invoice", {"memo": text}, OURS, Profile())["memo"] == memo

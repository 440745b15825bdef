"""A deal that is lost after it was billed: what is voided, what is not, and what winning it again makes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from records import edit, invoice_of
from rounds import Rounds, Start, bearing, open_items, operations, price, quiet, remove, reviews, win
from voids import (
    all_invoices,
    billed_and_lost,
    causes,
    lose,
    rebilled,
    rewin,
    sent,
    told,
    undelete,
    void_unpaid,
    voided,
)

from airflow_provider_kashoo.core.errors import ConfigurationError, SyncError
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sync.bill import leaving

# -- what is voided, and what is not


def test_the_invoice_of_a_deal_that_is_lost_is_voided_once_and_salesforce_is_told_once(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    number = invoice_of(drive.sandbox, deal)["number"]
    assert told(drive, deal) == ("Open", 0, 250, number)
    lose(drive, deal)
    done = drive.run()
    assert done.outcome == {"voided": 1, "unchanged": 1}
    assert done.summary["actions"]["invoice"] == {"void": 1}  # type: ignore[index]
    assert drive.run_back().outcome["written_back"] == 1
    assert told(drive, deal) == ("Void", 0, 0, number)
    voided(drive, deal)
    assert sent(drive, "DELETE") == 1
    with drive.database.begin() as connection:
        reasons = connection.exec_driver_sql("SELECT reason FROM audit WHERE event = 'void'").scalars().all()
    assert reasons == ["the deal no longer meets `IsWon`; its invoice is unpaid and unchanged"]


def test_by_default_nothing_is_voided(drive: Rounds, start: Start, tmp_path_factory: Any) -> None:
    plain = start.again(tmp_path_factory.mktemp("plain"))
    deal = win(plain)
    plain.run()
    lose(plain, deal)
    quiet(plain)
    assert len(bearing(plain, deal)) == 1
    assert causes(plain, deal) == ["the deal no longer meets `IsWon`, but its invoice still exists"]
    plain.database.dispose()


@pytest.mark.parametrize(
    ("hand", "why"),
    [
        ("paid in part", "a payment was received"),
        ("paid and refunded", "a payment was received"),
        ("another amount", "lines changed in Kashoo"),
        ("another date", "date changed in Kashoo"),
        ("another text", "memo changed in Kashoo"),
        ("closed period", "cannot be changed"),
    ],
)
def test_what_somebody_touched_is_for_a_person_and_says_why(drive: Rounds, hand: str, why: str) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    drive.run_back()
    drive.run()  # our own write-back touched the deal
    invoice, main = invoice_of(drive.sandbox, deal), books.main()
    match hand:
        case "paid in part":
            books.pay(main, invoice["id"], 1)
        case "paid and refunded":
            books.pay(main, invoice["id"], 25000)
            books.pay(main, invoice["id"], -25000)
            drive.run_back()
        case "another amount":
            edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 24000}])
        case "another date":
            edit(drive.sandbox, "invoices", invoice, date="2026-01-02")
        case "another text":
            edit(drive.sandbox, "invoices", invoice, memo=f"keep this {invoice['memo']}")
        case "closed period":
            books.lock_until(main, invoice["date"])
    lose(drive, deal)
    drive.run()
    removals = sent(drive, "DELETE")
    assert removals == (hand == "closed period")
    quiet(drive)
    assert len(bearing(drive, deal)) == 1
    (cause,) = causes(drive, deal)
    assert "no longer meets `IsWon`" in cause
    assert "it was not voided: " in cause
    assert cause.endswith(why)
    assert operations(drive, State.SENT, State.IN_DOUBT, State.PARKED, State.RETRY) == []
    books.lock_until(main, None)
    if hand != "another amount":
        rewin(drive, deal)
        drive.run()
        assert causes(drive, deal) == []  # it closes by itself: the invoice is wanted again
        assert len(all_invoices(drive, deal)) == 1


def test_an_adopted_invoice_of_which_nothing_is_known_is_for_a_person(drive: Rounds, tmp_path_factory: Any) -> None:
    deal = billed_and_lost(drive)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    void_unpaid(second)
    for _ in range(3):  # until no window holds the deal any more
        second.run()
        second.sandbox.clock.advance(3600)
    win(second, "275.00")  # something to create, so that the books are searched
    second.run()
    price(second, deal, "255.00")
    second.run()
    assert len(bearing(drive, deal)) == 1
    assert causes(second, deal)[0].endswith("it was not voided: the sync store does not know what was written")
    second.database.dispose()


def test_an_invoice_removed_by_hand_stays_for_a_person_and_is_never_made_again(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    quiet(drive)
    assert reviews(drive) == [(deal, "removed_in_books")]
    rewin(drive, deal)
    quiet(drive)
    assert bearing(drive, deal) == []
    assert sent(drive, "DELETE") == 0
    assert (deal, "removed_in_books") in open_items(drive)


def test_a_test_batch_voids_nothing(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    drive.run(limit=1)
    assert len(bearing(drive, deal)) == 1
    drive.run()
    voided(drive, deal)


def test_a_deal_that_another_mapping_bills_does_not_leave(drive: Rounds) -> None:
    text = (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8")
    text = text.replace("name: invoice_from_opportunity", "name: small_deals").replace("Amount >= 100", "Amount < 100")
    (drive.mappings / "a_small_deals.yaml").write_text(text, "utf-8")
    void_unpaid(drive, "customer_from_account")  # forgets what was read
    deal = win(drive)
    drive.run()
    price(drive, deal, "260.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 26000
    assert open_items(drive) == []
    price(drive, deal, "50.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 5000
    lose(drive, deal)
    drive.run()
    voided(drive, deal)


# -- W3


def test_w3_win_void_win_void_win_makes_three_invoices_and_two_are_removed(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    for _ in range(2):
        lose(drive, deal)
        drive.run()
        drive.run_back()
        assert told(drive, deal)[:3] == ("Void", 0, 0)
        rewin(drive, deal)
        drive.run()
        drive.run_back()
    rebilled(drive, deal, 3)
    assert sent(drive, "POST") == 3
    assert sent(drive, "DELETE") == 2


def test_w3_without_a_write_back_in_between_salesforce_is_told_of_the_newest_only(drive: Rounds) -> None:
    deal = win(drive)
    for _ in range(3):
        drive.run()
        lose(drive, deal)
        drive.run()
        rewin(drive, deal)
    drive.run()
    done = drive.run_back()
    assert (done.outcome["written_back"], done.outcome.get("stale", 0)) == (1, 0)
    rebilled(drive, deal, 4)


def test_a_change_after_the_second_win_keeps_the_reference_of_its_generation(drive: Rounds) -> None:
    deal = billed_and_lost(drive)
    drive.run()
    rewin(drive, deal)
    drive.run()
    price(drive, deal, "310.00")
    drive.run()
    (invoice,) = bearing(drive, deal)
    assert (invoice["totalDue"], invoice["memo"].count("[sf:")) == (31000, 1)
    rebilled(drive, deal, 2)


def test_a_void_that_salesforce_was_to_be_told_is_not_told_over_a_newer_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    lose(drive, deal)
    drive.run()
    slow = drive.prepare("kashoo_to_salesforce")
    rewin(drive, deal)
    drive.run()
    assert drive.finish(slow).get("stale") == 1
    rebilled(drive, deal, 2)


def test_a_write_back_without_an_answer_does_not_hold_up_the_next_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.faults["salesforce"].add(Fault(kind="drop_after", method="PATCH", path="composite/sobjects$"))
    with suppress(SyncError):
        drive.run_back()
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    rebilled(drive, deal, 2)


def test_an_invoice_that_the_books_forget_when_it_is_removed_is_told_without_its_number(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    drive.run_back()
    number = told(drive, deal)[3]
    original = books.read

    def read(business: int, kind: str, ident: int) -> Any:
        row = original(business, kind, ident)
        if row["removed"]:
            books._present(books.business(business), kind, ident)  # raises 404
        return row

    monkeypatch.setattr(books, "read", read)
    lose(drive, deal)
    drive.run()
    drive.run_back()
    assert told(drive, deal) == ("Void", 0, 0, number)
    voided(drive, deal)


# -- deleted, undeleted, vanished


def test_a_deleted_deal_is_voided_and_an_undeleted_one_is_billed_anew(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    voided(drive, deal)
    undelete(drive, deal)
    drive.run()
    rebilled(drive, deal, 2)


def test_a_deal_deleted_and_undeleted_before_the_run_is_left_alone(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.org.delete("Opportunity", deal)
    undelete(drive, deal)
    drive.run()
    rebilled(drive, deal, 1)
    assert sent(drive, "DELETE") == 0


def test_a_deal_undeleted_between_plan_and_void_is_billed_anew_by_the_next_run(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.org.delete("Opportunity", deal)
    slow = drive.prepare()
    undelete(drive, deal)
    drive.finish(slow)
    drive.run()
    rebilled(drive, deal, 2)


def test_a_deal_that_comes_back_lost_learns_of_its_void_within_a_week(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    drive.run_back()
    assert drive.run_back().outcome.get("skip", 0) == 0  # it is not tried every hour
    undelete(drive, deal)
    lose(drive, deal)
    drive.run()
    drive.sandbox.clock.advance(7 * 86400)
    drive.run_back()
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    voided(drive, deal)


def vanish(drive: Rounds, deals: list[str]) -> None:
    """Let deals be read once more, and then not be found at all."""
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), "2030-01-01")
    for deal in deals:
        price(drive, deal, "300.00")
    drive.run()  # parked: read in every run
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), None)
    for deal in deals:
        del drive.sandbox.org.table("Opportunity").rows[deal]


def test_a_deal_that_vanished_is_voided(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    vanish(drive, [deal])
    drive.run()
    voided(drive, deal)


def test_many_that_vanish_at_once_are_for_a_person(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "MANY", 1)
    deals = [win(drive), win(drive)]
    drive.run()
    vanish(drive, deals)
    drive.run()
    for deal in deals:
        assert len(bearing(drive, deal)) == 1
        assert causes(drive, deal)[0].endswith("so many records vanished at once that the user may have lost access")


# -- the mapping


def test_a_wrong_word_for_on_leave_is_named_with_file_and_line(drive: Rounds) -> None:
    text = (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8")
    line = text[: text.index("on_leave")].count("\n") + 1
    with pytest.raises(ConfigurationError, match=rf"deals.yaml:{line}:1: on_leave: .*'review' or 'void_unpaid'"):
        load_mapping(text.replace("void_unpaid", "delete"), "deals.yaml")


@pytest.mark.parametrize("name", ["customer_from_account", "payment_to_order"])
def test_only_invoices_have_an_on_leave(drive: Rounds, name: str) -> None:
    text = (drive.mappings / f"{name}.yaml").read_text("utf-8") + "on_leave: review\n"
    with pytest.raises(ConfigurationError, match=rf"x.yaml:{text.count(chr(10))}:1: .* has no on_leave"):
        load_mapping(text, "x.yaml")

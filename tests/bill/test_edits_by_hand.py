"""What the accountant edits in Kashoo stays, or is put to a person, whatever we write beside it or meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from records import add_account, add_deal, add_line, add_order, books_rows, edit, invoice_of
from rounds import (
    Rounds,
    Start,
    at,
    bearing,
    change,
    fault,
    links,
    moved_by,
    open_items,
    order_with,
    price,
    quiet,
    reviews,
    sold,
    weeks,
    win,
)
from voids import causes, lose, standing, void_unpaid

from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.journal import Journal

ONE_INVOICE = r"records/invoices/\d+$"


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def split_by_hand(drive: Rounds, deal: str) -> None:
    """The accountant splits the line of an invoice; the total stays."""
    made = invoice_of(drive.sandbox, deal)
    line = made["lineItems"][0]
    split = [{**line, "rate": 20000}, {**line, "rate": 5000, "description": "by hand"}]
    edit(drive.sandbox, "invoices", made, lineItems=split)


def reprice_in_kashoo(drive: Rounds, deal: str) -> None:
    """The accountant corrects the invoice to 240.00 and adds a field of her own."""
    invoice = invoice_of(drive.sandbox, deal)
    lines = [{**invoice["lineItems"][0], "rate": 24000}]
    edit(drive.sandbox, "invoices", invoice, terms="by the accountant", lineItems=lines)


def test_lines_edited_by_hand_stay_so_after_an_update_of_the_memo(drive: Rounds) -> None:
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    change(drive, deal, Name="Renamed")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["lineItems"][1]["description"] == "by hand"
    add_line(drive.sandbox, deal, "10.00")
    drive.run()
    assert reviews(drive) == [(deal, "changed_on_both_sides")]
    assert invoice_of(drive.sandbox, deal)["lineItems"][1]["description"] == "by hand"


def test_lines_edited_by_hand_stay_so_after_the_same_was_typed_on_both_sides(drive: Rounds) -> None:
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    made = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", made, memo=made["memo"].replace("Deal", "Renamed"))
    change(drive, deal, Name="Renamed")
    assert drive.run().outcome["linked"] == 1
    add_line(drive.sandbox, deal, "10.00")
    drive.run()
    assert reviews(drive) == [(deal, "changed_on_both_sides")]
    assert invoice_of(drive.sandbox, deal)["lineItems"][1]["description"] == "by hand"


def test_an_invoice_edited_by_hand_is_not_voided_after_an_update_of_the_memo(drive: Rounds) -> None:
    void_unpaid(drive)
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    change(drive, deal, Name="Renamed")
    drive.run()
    lose(drive, deal)
    drive.run()
    assert standing(drive, deal) == [f"[sf:{deal}:1:1]"]
    cause = "the deal no longer meets `IsWon`, but its invoice still exists; it was not voided: lines changed in Kashoo"
    assert causes(drive, deal) == [cause]


def test_a_text_beside_our_reference_stays_after_an_update_of_the_lines(drive: Rounds) -> None:
    deal = sold(drive, Name="Big sale")
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", made, memo=f"Call Bob first. {made['memo']}")
    add_line(drive.sandbox, deal, "10.00")
    drive.run()
    change(drive, deal, Name="Bigger sale")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Call Bob first.")


def test_the_question_about_the_lines_is_asked_when_another_field_is_written(drive: Rounds) -> None:
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    (line,) = [row for row in drive.sandbox.org.rows("OpportunityLineItem") if row["OpportunityId"] == deal]
    drive.sandbox.org.update("OpportunityLineItem", line["Id"], {"Description": "Lamp, red"})
    change(drive, deal, Name="Renamed")  # without this line the test passes
    drive.run()
    assert open_items(drive) == [(deal, "changed_on_both_sides")]
    quiet(drive)
    assert open_items(drive) == [(deal, "changed_on_both_sides")]


def test_a_po_number_typed_by_hand_where_salesforce_had_one_once_stays(drive: Rounds) -> None:
    order = add_order(drive.sandbox, add_account(drive.sandbox), None)
    drive.sandbox.org.update("Order", order, {"PoNumber": "A-1"})
    drive.run()
    drive.sandbox.org.update("Order", order, {"PoNumber": None})
    drive.run()
    made = invoice_of(drive.sandbox, order)
    assert not made.get("poNumber")
    edit(drive.sandbox, "invoices", made, poNumber="B-2")
    weeks(drive, 1)
    assert invoice_of(drive.sandbox, order).get("poNumber") == "B-2"


def test_a_phone_typed_by_hand_where_salesforce_had_one_once_stays(drive: Rounds) -> None:
    account = add_account(drive.sandbox, Phone="+1 555 0100")
    add_deal(drive.sandbox, account)
    drive.run()
    drive.sandbox.org.update("Account", account, {"Phone": None})
    drive.run()

    def own() -> dict[str, Any]:
        return next(row for row in books_rows(drive.sandbox, "customers") if account in (row["notes"] or ""))

    info = own()["contactInformation"]
    assert not info.get("phone")
    edit(drive.sandbox, "customers", own(), contactInformation={**info, "phone": "+1 555 0199"})
    weeks(drive, 1)
    assert own()["contactInformation"].get("phone") == "+1 555 0199"


@pytest.mark.parametrize("how", ["429", "paused"])
def test_an_edit_between_two_tries_of_an_update_stays(drive: Rounds, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, Name="Another name")
    sync = drive.prepare()
    if how == "429":
        fault(drive, "too_many", ONE_INVOICE, "PUT", retry_after=20)
        at(drive, f"received PUT invoices/{links(drive)[deal]}", lambda: reprice_in_kashoo(drive, deal))
    else:
        real = Journal.send

        def paused(self: Journal, *args: Any, **more: Any) -> Any:
            sent = real(self, *args, **more)
            monkeypatch.setattr(Journal, "send", real)
            drive.sandbox.clock.advance(4 * 3600)  # the worker's host sleeps
            reprice_in_kashoo(drive, deal)
            return sent

        monkeypatch.setattr(Journal, "send", paused)
    drive.finish(sync)
    drive.sandbox.faults["kashoo"].hook = None
    quiet(drive)
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["totalDue"], invoice.get("terms")) == (24000, "by the accountant")


def test_an_edit_while_an_update_waits_for_its_slot_stays(drive: Rounds) -> None:
    """The two requests of an update take their slots together, so that nothing is waited for between them."""
    deal = win(drive)
    drive.run()
    change(drive, deal, Name="Another name")
    sync, edited = drive.prepare(), []

    def sleep(seconds: float) -> None:
        drive.sandbox.clock.advance(seconds)
        if not edited:
            edited.append(seconds)
            reprice_in_kashoo(drive, deal)

    budget = Budget(drive.database, "books", (Limit(3, 25),), sleep=sleep)
    budget.release(*budget.acquire(1))  # a token and a read have room, and no write beside them
    drive.finish(replace(sync, budget=budget, kashoo=drive.kashoo(budget)))
    assert edited
    quiet(drive)
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["totalDue"], invoice.get("terms")) == (24000, "by the accountant")


def test_an_update_gets_through_a_budget_that_never_has_room_for_two(drive: Rounds) -> None:
    """There, the read and the write take their slots one by one."""
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    sync = drive.prepare()
    drive.sandbox.clock.advance(60)
    budget = Budget(drive.database, "books", (Limit(1, 1),), sleep=drive.sandbox.clock.advance)
    drive.finish(replace(sync, budget=budget, kashoo=drive.kashoo(budget)))
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 30000


def test_an_invoice_that_is_edited_between_two_tries_of_its_void_stands(drive: Rounds) -> None:
    void_unpaid(drive)
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    fault(drive, "too_many", ONE_INVOICE, "DELETE", retry_after=20)
    at(drive, f"received DELETE invoices/{links(drive)[deal]}", lambda: reprice_in_kashoo(drive, deal))
    drive.run()
    drive.sandbox.faults["kashoo"].hook = None
    assert bearing(drive, deal)


def po(drive: Rounds, order: str, number: str | None) -> None:
    drive.sandbox.org.update("Order", order, {"PoNumber": number})


def test_a_field_that_converged_beside_an_update_and_was_edited_since_stays(drive: Rounds) -> None:
    order = order_with(drive, PoNumber="A-1")
    drive.run()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, order), poNumber="B-2")  # the customer called ...
    po(drive, order, "B-2")  # ... and Salesforce was told, too
    drive.sandbox.org.update("Order", order, {"EffectiveDate": moved_by(drive, 1)})
    drive.run()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, order), poNumber="C-3")
    weeks(drive, 1)
    assert invoice_of(drive.sandbox, order)["poNumber"] == "C-3"


def test_a_field_that_an_adopted_invoice_lacks_is_written(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = order_with(drive)
    drive.run()
    po(drive, order, "A-1")
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    drive.sandbox.clock.advance(3600)
    second.runs = 300
    second.run()
    second.run()
    weeks(second, 2)
    assert invoice_of(drive.sandbox, order).get("poNumber") == "A-1"


def renamed_late(drive: Rounds, deal: str) -> None:
    """The network holds an update of the memo back, until another run wrote a newer one."""
    change(drive, deal, Name="Renamed")

    def happens() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        change(drive, deal, Name="Renamed again")
        drive.look_up()

    at(drive, f"received PUT invoices/{links(drive)[deal]}", happens)
    drive.run()
    assert (deal, "late_update") in open_items(drive)
    quiet(drive)


def test_lines_edited_by_hand_stay_so_after_a_late_update_of_the_memo(drive: Rounds) -> None:
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    renamed_late(drive, deal)
    assert invoice_of(drive.sandbox, deal)["lineItems"][1]["description"] == "by hand"
    add_line(drive.sandbox, deal, "10.00")
    drive.run()
    quiet(drive)
    lines = invoice_of(drive.sandbox, deal)["lineItems"]
    assert lines[1]["description"] == "by hand"
    assert (deal, "changed_on_both_sides") in reviews(drive)


def test_an_invoice_edited_by_hand_is_not_voided_after_a_late_update(drive: Rounds) -> None:
    void_unpaid(drive)
    deal = sold(drive)
    drive.run()
    split_by_hand(drive, deal)
    renamed_late(drive, deal)
    lose(drive, deal)
    drive.run()
    assert standing(drive, deal) == [f"[sf:{deal}:1:1]"]

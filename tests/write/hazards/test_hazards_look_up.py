"""W4 to W11, W17 and W18: sent, and no answer that one can trust. Played as those in ``test_hazards_writes``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from inprocess import in_process
from records import add_deal, add_line, books_rows, edit, invoice_of, today
from rounds import (
    CUSTOMERS,
    ITEMS,
    Late,
    Rounds,
    Start,
    bearing,
    billed_once,
    change,
    crash,
    fault,
    in_doubt,
    links,
    moved_by,
    new_rows,
    open_items,
    operations,
    price,
    quiet,
    remap,
    states_of,
    win,
)

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.resolve import resolve

CREATE_INVOICE = "received POST records/invoices"


# -- W4 to W11, W17, W18: sent, and no answer that one can trust


def test_w4_a_write_that_the_server_commits_after_our_timeout_is_found(drive: Rounds) -> None:
    deal = win(drive)
    server = Late(drive)
    drive.run()
    assert len(server.taken) == 1
    for _ in range(2):  # a look now would show nothing
        drive.run()
    assert states_of(drive, deal) == ["in_doubt"]
    server.commit()
    billed_once(drive, deal)


@pytest.mark.parametrize("days", [-800, 800])
def test_w5_a_close_date_edited_between_crash_and_look_up_does_not_hide_the_invoice(drive: Rounds, days: int) -> None:
    deal = win(drive)
    crash(drive, "processed POST records/invoices", drive.run)
    assert states_of(drive, deal) == ["sent"]
    moved = moved_by(drive, days)
    change(drive, deal, CloseDate=moved)
    assert billed_once(drive, deal)["date"] == moved


@pytest.mark.parametrize("days", [-390, 390])
def test_w6_an_invoice_whose_date_the_accountant_moved_before_the_look_up_is_found(drive: Rounds, days: int) -> None:
    deal = win(drive)
    in_doubt(drive, deal)
    moved = moved_by(drive, days)
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date=moved)
    assert billed_once(drive, deal)["date"] == moved


def test_w7_an_invoice_whose_reference_was_cleared_before_the_look_up_stays_in_doubt(drive: Rounds) -> None:
    before = books_rows(drive.sandbox, "invoices")
    deal = win(drive)
    in_doubt(drive, deal)
    cleared = edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), memo="paid by cheque")
    quiet(drive)
    assert [row["id"] for row in new_rows(drive, before)] == [cleared["id"]]
    assert open_items(drive) == [(deal, "in_doubt")]
    (operation,) = operations(drive, State.IN_DOUBT)
    assert resolve(drive.sync(), operation["id"], cleared["id"]) == "done"
    drive.run()
    quiet(drive)
    assert [row["id"] for row in new_rows(drive, before)] == [cleared["id"]]
    assert links(drive)[deal] == cleared["id"]
    assert open_items(drive) == [(deal, "mark_missing")]


def full_page_and_more(drive: Rounds, rows: int = 99) -> list[int]:
    """Fill the first page of the list: what is written now comes on the second, and moves when one of these goes."""
    box = drive.sandbox
    (known, *_) = books_rows(box, "invoices")
    main = box.books.main()
    body = {"contact": known["contact"], "currency": "USD", "lineItems": known["lineItems"], "date": known["date"]}
    return [box.books.create(main, "invoices", {**body, "memo": f"by hand {number}"})["id"] for number in range(rows)]


@pytest.mark.parametrize(("gone", "sweeps"), [(10, 2), (11, 1)])
def test_w8_a_row_that_slides_over_a_page_edge_while_the_sweep_reads_is_found(
    drive: Rounds, gone: int, sweeps: int
) -> None:
    deal = win(drive)
    typed = full_page_and_more(drive)
    in_doubt(drive, deal)
    assert books_rows(drive.sandbox, "invoices")[100:] == [invoice_of(drive.sandbox, deal)]
    pages = 0

    def between_pages(reached: str) -> None:
        nonlocal pages
        if reached.startswith("processed GET") and reached.endswith("records/invoices"):
            pages += 1
            if pages in (1, 3)[:sweeps]:
                for _ in range(gone):
                    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", typed.pop())

    drive.sandbox.faults["kashoo"].hook = between_pages
    drive.look_up()
    drive.sandbox.faults["kashoo"].hook = None
    assert states_of(drive, deal) == ["done"]
    billed_once(drive, deal)


def test_w8_a_row_that_slides_over_a_page_edge_in_both_sweeps_is_found(drive: Rounds) -> None:
    deal = win(drive)
    typed = full_page_and_more(drive, 199)
    in_doubt(drive, deal)
    assert books_rows(drive.sandbox, "invoices")[200:] == [invoice_of(drive.sandbox, deal)]
    gone, pages = {2: 10, 4: 91}, 0  # by the page before: the third of the first sweep, the second of another one

    def between_pages(reached: str) -> None:
        nonlocal pages
        if reached.startswith("processed GET") and reached.endswith("records/invoices"):
            pages += 1
            for _ in range(gone.get(pages, 0)):
                drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", typed.pop())

    drive.sandbox.faults["kashoo"].hook = between_pages
    drive.look_up()
    drive.sandbox.faults["kashoo"].hook = None
    assert states_of(drive, deal) == ["done"]
    billed_once(drive, deal)


@pytest.mark.parametrize("days", [-900, 900])
def test_one_sweep_finds_invoices_whose_dates_lie_far_apart(drive: Rounds, days: int) -> None:
    deals = [win(drive), win(drive, CloseDate=moved_by(drive, days))]
    fault(drive, "drop_after", times=2)
    drive.run()
    drive.look_up()
    assert [states_of(drive, deal) for deal in deals] == [["done"], ["done"]]
    for deal in deals:
        billed_once(drive, deal)


@pytest.mark.parametrize(
    ("target", "path", "place"), [("customer", CUSTOMERS, "notes"), ("item", ITEMS, "description")]
)
def test_a_customer_or_item_whose_reference_was_cleared_before_the_look_up_stays_in_doubt(
    drive: Rounds, start: Start, target: str, path: str, place: str
) -> None:
    before = books_rows(drive.sandbox, f"{target}s")
    if target == "customer":
        deal = win(drive)
    else:
        deal = add_deal(drive.sandbox, start.account, None)
        add_line(drive.sandbox, deal, "250.00", product="HW-110")
    fault(drive, "drop_after", path)
    drive.run()
    (made,) = new_rows(drive, before, f"{target}s")
    edit(drive.sandbox, f"{target}s", made, **{place: "by hand"})
    quiet(drive)
    (operation,) = operations(drive, State.IN_DOUBT)
    assert operation["cause"] == "a record without our reference looks like it"
    assert [row["id"] for row in new_rows(drive, before, f"{target}s")] == [made["id"]]
    assert resolve(drive.sync(), operation["id"], made["id"]) == "done"
    quiet(drive, writes_nothing=False)
    assert len(bearing(drive, deal)) == 1
    assert [why for _, why in open_items(drive)] == ["mark_missing"]
    assert [row["id"] for row in new_rows(drive, before, f"{target}s")] == [made["id"]]


def without_reference(drive: Rounds, deal: str, **fields: Any) -> int:
    """An invoice was written without an answer; a person clears its reference, and the server's fields change too."""
    in_doubt(drive, deal)
    made = edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), memo="by hand")
    main = drive.sandbox.books.main()
    drive.sandbox.books.business(main).tables["invoices"].rows[made["id"]].update(fields)
    return int(made["id"])


def test_a_twin_counts_when_the_clock_of_the_books_is_behind_ours(drive: Rounds) -> None:
    deal = win(drive)
    without_reference(drive, deal, creation=int((drive.sandbox.clock.time() - 150) * 1000))  # it is sent in a minute
    drive.look_up()
    assert open_items(drive) == [(deal, "in_doubt")]


def test_a_twin_counts_when_the_books_do_not_say_when_it_was_made(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    without_reference(drive, deal)
    view = drive.sandbox.books._view
    monkeypatch.setattr(drive.sandbox.books, "_view", lambda *row: {**view(*row), "creation": None})
    drive.look_up()
    assert open_items(drive) == [(deal, "in_doubt")]


@pytest.mark.parametrize("other", ["contact", "total", "older"])
def test_an_invoice_of_another_customer_total_or_time_is_no_twin(drive: Rounds, start: Start, other: str) -> None:
    deal = win(drive)
    typed = invoice_of(drive.sandbox, start.deal)
    fields: dict[str, Any] = {
        "contact": {"contact": typed["contact"]},
        "total": {"totalDue": 24999},
        "older": {"creation": int((drive.sandbox.clock.time() - 3600) * 1000)},
    }[other]
    without_reference(drive, deal, **fields)
    drive.look_up()
    assert states_of(drive, deal)[0] == "not_written"
    billed_once(drive, deal)


def test_w9_a_row_that_the_list_shows_only_later_is_found(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.books.list_delay_seconds = 600.0
    in_doubt(drive, deal)
    drive.sandbox.clock.advance(400)
    drive.run()
    assert states_of(drive, deal) == ["in_doubt"]
    drive.look_up()
    assert states_of(drive, deal)[0] == "done"
    drive.sandbox.books.list_delay_seconds = 0.0
    billed_once(drive, deal)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_w10_without_a_stored_reference_nothing_is_ever_taken_for_absent(tmp_path: Path, kind: str) -> None:
    with in_process() as box:
        box.books.stores_reference = False
        drive = Rounds(box, tmp_path)
        first = win(drive)
        drive.run()
        assert states_of(drive, first) == ["done"]
        unmarked = open_items(drive)
        assert {error_class for _, error_class in unmarked} == {"mark_missing"}
        deal, before = win(drive), books_rows(box, "invoices")
        fault(drive, kind)
        for _ in range(4):
            drive.look_up()
        written = new_rows(drive, before)
        assert len(written) == (kind == "drop_after")
        assert (deal, "in_doubt") in open_items(drive)
        (operation,) = operations(drive, State.IN_DOUBT)
        resolve(drive.sync(), operation["id"], written[0]["id"] if written else None)
        change(drive, deal, Description="looked at")
        for _ in range(3):
            drive.look_up()
        assert [row["totalDue"] for row in new_rows(drive, before)] == [25000]
        assert {error_class for _, error_class in open_items(drive)} == {"mark_missing"}
        drive.database.dispose()


def test_w11_the_look_up_of_part_2_does_not_take_the_invoice_of_part_1(drive: Rounds) -> None:
    rule = "rules:\n  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}\nfields:\n"
    remap(drive, "invoice_from_opportunity", "fields:\n", rule)
    deal = win(drive)
    for share in (60, 40):
        row = {"Opportunity__c": deal, "Percent__c": Decimal(share), "Due__c": today(drive.sandbox)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    fault(drive, "drop_before", nth=2)
    drive.run()
    assert [row["memo"] for row in bearing(drive, deal)] == [f"Deal [sf:{deal}:1:1]"]
    assert states_of(drive, deal) == ["done", "in_doubt"]
    drive.look_up()
    assert states_of(drive, deal)[:2] == ["done", "not_written"]
    drive.run()
    memos = [f"Deal [sf:{deal}:1:1]", f"Deal [sf:{deal}:2:1]"]
    assert [row["memo"] for row in bearing(drive, deal)] == memos
    assert open_items(drive) == []


# -- W17, W18


def test_w17_a_401_after_a_write_was_taken_is_looked_up_and_not_sent_again(drive: Rounds) -> None:
    deal = win(drive)
    fault(drive, "unauthorized_after")
    drive.run()
    assert len(bearing(drive, deal)) == 1
    assert states_of(drive, deal) == ["in_doubt"]
    billed_once(drive, deal)


def test_w18_of_two_rows_with_one_reference_neither_is_adopted_until_one_loses_it(drive: Rounds) -> None:
    deal = win(drive)
    in_doubt(drive, deal)
    made = invoice_of(drive.sandbox, deal)
    copy = drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**made, "number": None})
    quiet(drive)
    assert sorted(row["id"] for row in bearing(drive, deal)) == [made["id"], copy["id"]]
    assert open_items(drive) == [(deal, "in_doubt")]
    assert deal not in links(drive)
    edit(drive.sandbox, "invoices", copy, memo="copied for the next quarter")
    drive.run()
    assert billed_once(drive, deal)["id"] == made["id"]


def test_w18_a_copy_of_a_linked_invoice_is_never_updated(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    copy = drive.sandbox.books.create(
        drive.sandbox.books.main(), "invoices", {**made, "number": None, "date": moved_by(drive, -1)}
    )
    price(drive, deal, "310.00")
    drive.run()
    assert {row["id"]: row["totalDue"] for row in bearing(drive, deal)} == {made["id"]: 31000, copy["id"]: 25000}


@pytest.mark.parametrize("in_the_window", [True, False])
def test_w18_a_new_store_adopts_neither_of_two_rows_with_one_reference(
    drive: Rounds, tmp_path_factory: Any, in_the_window: bool
) -> None:
    deal = win(drive)
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**made, "number": None})
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    drive.sandbox.clock.advance(3600)
    second.run(**{} if in_the_window else {"first": drive.sandbox.clock.now()})
    assert deal not in links(second)
    assert open_items(second) == [(deal, "ambiguous_match")]
    assert len(bearing(drive, deal)) == 2
    second.database.dispose()

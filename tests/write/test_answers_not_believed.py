"""A yes of Kashoo is believed only when the record it names is the one that was sent, and says what was sent.

Its 200 may carry an error, another record, or an id that is nobody's; what is not believed is looked up.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from answers import says
from plans import rows
from records import add_deal, add_line, books_rows, invoice_of
from rounds import (
    CUSTOMERS,
    INVOICES,
    ITEMS,
    Rounds,
    Start,
    at,
    bearing,
    billed_once,
    change,
    fault,
    links,
    open_items,
    operations,
    quiet,
    remove,
    reviews,
    states_of,
    win,
)

from airflow_provider_kashoo.core.rules.operations import State

ONE_INVOICE = r"records/invoices/\d+$"


def reads_of(drive: Rounds, path: str) -> int:
    entries = drive.sandbox.logs["kashoo"].entries()
    return sum(row["method"] == "GET" and bool(re.search(path, row["path"])) for row in entries)


# -- creates


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"error": "a rule was broken", "help": "https://help.kashoo.example/articles/{other}"}, ""),
        ({"error": "a rule was broken", "help": "{address}"}, ""),
        ({"help": "https://help.kashoo.example/articles/{other}"}, ""),
        ("https://help.kashoo.example/articles/{other}", ""),
        (["{address}"], ""),
        ({"id": 0, "error": "a rule was broken", "code": 1}, ""),
        ({"id": True, "error": "a rule was broken", "code": 1}, ""),
        ({"id": -1, "error": "a rule was broken", "code": 1}, ""),
        ({"id": "abc", "contact": {"href": "{address}"}}, ""),
        ({"id": 42, "error": "a rule was broken", "code": 1}, ""),
        ({"id": "{other}", "error": "it exists already", "code": 1}, ""),
        (None, "{address}"),
        (None, "https://kashoo.example/api/businesses/1/records/invoices/{other}"),
        (None, "https://kashoo.example/api/businesses/{business}/contacts/customers/{other}"),
    ],
)
def test_a_create_that_is_answered_with_what_is_not_its_record_is_looked_up(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, start: Start, body: Any, location: str
) -> None:
    other, business = invoice_of(drive.sandbox, start.deal)["id"], drive.sandbox.books.main()
    address = f"https://kashoo.example/api/businesses/{business}/records/invoices/{other}"

    def filled(text: str) -> str:
        text = text.replace('"{other}"', str(other)).replace("{other}", str(other))
        return text.replace("{business}", str(business)).replace("{address}", address)

    deal = win(drive, "200.00")
    says(monkeypatch, "POST", INVOICES, json.loads(filled(json.dumps(body))), location=filled(location))
    drive.run()
    assert states_of(drive, deal) == ["in_doubt"]
    billed_once(drive, deal, 20000)


def test_an_invoice_made_by_hand_is_not_taken_for_the_one_that_was_sent(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    books = drive.sandbox.books
    typed = {**invoice_of(drive.sandbox, start.deal), "number": None, "memo": "typed by hand"}
    by_hand = books.create(books.main(), "invoices", typed)
    deal = win(drive, "200.00")
    says(monkeypatch, "POST", INVOICES, by_hand)
    drive.run()
    assert states_of(drive, deal) == ["in_doubt"]
    billed_once(drive, deal, 20000)


@pytest.mark.parametrize("shape", ["entity", "url-body", "location"])
def test_books_that_keep_no_reference_are_believed_when_the_record_says_what_was_sent(
    drive: Rounds, shape: Any
) -> None:
    drive.sandbox.books.stores_reference, drive.sandbox.books.create_answer = False, shape
    before = {row["id"] for row in books_rows(drive.sandbox, "invoices")}
    deal = win(drive)
    drive.run()
    drive.sandbox.books.stores_reference, drive.sandbox.books.create_answer = True, "entity"
    (made,) = {row["id"] for row in books_rows(drive.sandbox, "invoices")} - before
    assert links(drive)[deal] == made
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    assert open_items(drive) == [(account, "mark_missing"), (deal, "mark_missing")]


def test_a_customer_is_not_taken_for_one_that_an_error_names(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    other = links(drive, "customer")[start.account]
    deal = win(drive)
    says(monkeypatch, "POST", CUSTOMERS, {"error": "limit", "help": f"https://help.kashoo.example/a/{other}"})
    drive.run()
    assert billed_once(drive, deal)["contact"] != other


def test_an_item_that_no_list_shows_is_looked_up(drive: Rounds, monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    deal = add_deal(drive.sandbox, start.account, None)
    add_line(drive.sandbox, deal, "109.00", product="HW-110")
    says(monkeypatch, "POST", ITEMS, {"id": 42, "error": "a rule was broken", "code": 1})
    drive.run()
    assert [row["state"] for row in operations(drive, target="item")] == ["done", "in_doubt"]
    billed_once(drive, deal, 10900)


@pytest.mark.parametrize(("shape", "reads"), [("entity", 0), ("url-body", 1), ("location", 1)])
def test_a_create_is_read_back_only_when_the_answer_was_no_entity(drive: Rounds, shape: Any, reads: int) -> None:
    drive.sandbox.books.create_answer = shape
    deal = win(drive)
    sync = drive.prepare()
    before = reads_of(drive, ONE_INVOICE)
    drive.finish(sync)
    drive.sandbox.books.create_answer = "entity"
    assert reads_of(drive, ONE_INVOICE) - before == reads
    billed_once(drive, deal)


def test_the_id_of_a_record_that_cannot_be_read_back_is_told(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.books.create_answer = "location"
    fault(drive, "error_before", path=ONE_INVOICE, method="GET", status=503, times=4)
    assert drive.run().outcome["in_doubt"] == 1
    drive.sandbox.books.create_answer = "entity"
    (invoice,) = bearing(drive, deal)
    (operation,) = operations(drive, State.IN_DOUBT)
    assert operation["cause"] == f"Kashoo answered with id {invoice['id']}, but that record could not be read"
    billed_once(drive, deal)


def test_what_was_made_again_meanwhile_is_seen_even_when_it_cannot_be_read_back(drive: Rounds) -> None:
    deal = win(drive)
    drive.sandbox.books.create_answer = "location"

    def retry_runs_meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        drive.look_up()
        fault(drive, "error_before", path=ONE_INVOICE, method="GET", status=503, times=4)

    at(drive, "received POST records/invoices", retry_runs_meanwhile)
    drive.run()
    drive.sandbox.books.create_answer = "entity"
    assert len(bearing(drive, deal)) == 2
    assert reviews(drive) == [(deal, "possible_duplicate")]


# -- updates


@pytest.mark.parametrize("answer", ["error", "error with its id", "nothing", "the record as it was"])
def test_an_update_that_was_answered_and_not_written_is_named_and_written_later(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, Name="Another name")
    before = drive.sync().kashoo.read("invoice", links(drive)[deal])
    body: Any = {
        "error": {"error": "not now"},
        "error with its id": {"id": links(drive)[deal], "error": "not now", "code": 7},
        "nothing": None,
        "the record as it was": before and before.raw,
    }[answer]
    says(monkeypatch, "PUT", ONE_INVOICE, body)
    drive.run()
    assert open_items(drive) == [(deal, "not_changed")]
    assert billed_once(drive, deal)["memo"].startswith("Another name")


@pytest.mark.parametrize("does_it", [True, False])
def test_an_update_that_is_answered_with_another_record_moves_no_link(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, start: Start, does_it: bool
) -> None:
    deal = win(drive)
    drive.run()
    own = links(drive)[deal]
    change(drive, deal, Name="Another name")
    says(monkeypatch, "PUT", ONE_INVOICE, invoice_of(drive.sandbox, start.deal), does_it=does_it)
    drive.run()
    assert open_items(drive) == [(deal, "no_answer")]
    assert links(drive)[deal] == own
    assert billed_once(drive, deal)["memo"].startswith("Another name")


@pytest.mark.parametrize("answer", ["entity", "nothing"])
def test_an_update_is_read_back_only_when_the_answer_was_no_entity(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, Name="Another name")
    sync = drive.prepare()
    if answer == "nothing":
        says(monkeypatch, "PUT", ONE_INVOICE, None, does_it=True)
    before = reads_of(drive, ONE_INVOICE)
    assert drive.finish(sync)["updated"] == 1
    assert reads_of(drive, ONE_INVOICE) - before == (1 if answer == "entity" else 2)
    (planned,) = [row for row in rows(sync) if row.requests]
    assert planned.requests == 2
    quiet(drive)


def test_an_invoice_that_is_removed_while_it_is_changed_is_put_to_a_person(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    drive.run()
    own = links(drive)[deal]
    change(drive, deal, Name="Another name")
    sync = drive.prepare()
    says(monkeypatch, "PUT", ONE_INVOICE, None, does_it=True)
    at(drive, f"received GET records/invoices/{own}", lambda: remove(drive, {"id": own}), nth=2)
    assert drive.finish(sync)["in_doubt"] == 1
    change(drive, deal, Name="A third name")
    quiet(drive)
    assert reviews(drive) == [(deal, "removed_in_books")]
    assert bearing(drive, deal) == []

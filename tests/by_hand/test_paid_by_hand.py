"""A person settles payments of prepaid deals that a run may not settle itself."""

from __future__ import annotations

import pytest
from records import books_rows, edit, invoice_of
from rounds import Rounds, bearing, fault, links, lock, open_items, operations, quiet, remap, replay_all, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.by_hand.resolve import resolve

RULE = 'rules:\n  - {when: Prepaid__c, mark_paid: {account: Bank, date: "2026-02-01"}}\nfields:\n'
PAYMENTS = "records/invoicePayments$"


@pytest.fixture
def prepaid(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", RULE)
    return drive


def doubtful(drive: Rounds) -> tuple[str, int]:
    """A deal whose payment lost its reference before the look-up; give the deal, and the operation."""
    deal = win(drive, Prepaid__c=True)
    fault(drive, "drop_after", PAYMENTS)
    drive.run()
    (payment,) = bearing(drive, deal, "invoicePayments")
    edit(drive.sandbox, "invoicePayments", payment, memo="")
    win(drive, Prepaid__c=True)  # so that a list shows a reference of ours
    drive.look_up()
    drive.look_up()
    (operation,) = operations(drive, State.IN_DOUBT)
    assert operation["cause"] == "a record without our reference looks like it"
    return deal, operation["id"]


def paid(drive: Rounds, deal: str) -> tuple[int, list[int]]:
    invoice = invoice_of(drive.sandbox, deal)
    amounts = [
        part["amount"]
        for row in books_rows(drive.sandbox, "invoicePayments")
        for part in row["allocations"]
        if part["record"] == invoice["id"]
    ]
    return invoice["balanceDue"], amounts


def test_a_payment_in_doubt_is_resolved_with_the_one_that_was_made(prepaid: Rounds) -> None:
    deal, ident = doubtful(prepaid)
    others = [row["id"] for row in books_rows(prepaid.sandbox, "invoicePayments") if row["memo"]]
    with pytest.raises(ConfigurationError, match="belongs to Opportunity"):
        resolve(prepaid.sync(), ident, others[0])
    (cleared,) = (row for row in books_rows(prepaid.sandbox, "invoicePayments") if row["memo"] == "")
    assert resolve(prepaid.sync(), ident, cleared["id"]) == "done"
    assert links(prepaid, "payment")[deal] == cleared["id"]
    (item,) = prepaid.store.reviews.all_open()
    assert item["error_class"] == "mark_missing"
    dismiss(prepaid.database, f"R{item['id']}", by="ann", reason="it is the one")
    quiet(prepaid)
    assert (paid(prepaid, deal), open_items(prepaid)) == ((0, [25_000]), [(deal, "mark_missing")])


def test_a_payment_in_doubt_that_was_not_made_is_made_again(prepaid: Rounds) -> None:
    deal, ident = doubtful(prepaid)
    (cleared,) = (row for row in books_rows(prepaid.sandbox, "invoicePayments") if row["memo"] == "")
    prepaid.sandbox.books.remove(prepaid.sandbox.books.main(), "invoicePayments", cleared["id"])
    assert resolve(prepaid.sync(), ident, None) == "not_written"
    quiet(prepaid)
    assert paid(prepaid, deal) == (0, [25_000])
    assert open_items(prepaid) == []


def test_a_payment_that_a_person_says_was_not_made_is_not_made_if_the_invoice_is_paid(prepaid: Rounds) -> None:
    deal, ident = doubtful(prepaid)
    assert resolve(prepaid.sync(), ident, None) == "not_written"
    quiet(prepaid)
    assert paid(prepaid, deal) == (0, [25_000])
    assert open_items(prepaid) == []


def test_a_payment_that_kashoo_refused_is_replayed(prepaid: Rounds) -> None:
    lock(prepaid, "2026-02-15")
    deal = win(prepaid, Prepaid__c=True)
    prepaid.run()
    assert paid(prepaid, deal) == (25_000, [])
    replay_all(prepaid)
    assert open_items(prepaid) == [(deal, "refused")]
    lock(prepaid, None)
    replay_all(prepaid)
    assert open_items(prepaid) == []
    quiet(prepaid)
    assert paid(prepaid, deal) == (0, [25_000])


def test_books_that_drop_the_reference_of_a_payment_are_named(prepaid: Rounds) -> None:
    deal = win(prepaid)
    prepaid.run()
    prepaid.sandbox.org.update("Opportunity", deal, {"Prepaid__c": True})
    prepaid.sandbox.books.stores_reference = False
    prepaid.run()
    prepaid.sandbox.books.stores_reference = True
    assert open_items(prepaid) == [(deal, "mark_missing")]
    quiet(prepaid)
    assert paid(prepaid, deal) == (0, [25_000])

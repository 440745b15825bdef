"""Accounts that are merged in Salesforce: the customer of the loser becomes the survivor's, whatever else happens."""

from __future__ import annotations

from typing import Any

import pytest
from records import add_account, add_deal, books_rows, invoice_of
from rounds import (
    CUSTOMERS,
    Rounds,
    bearing,
    billed_once,
    fault,
    links,
    moved_on,
    open_items,
    quiet,
    reviews,
    win,
)

from airflow_provider_kashoo.sync import steps


def test_the_customer_of_an_account_that_was_merged_becomes_the_survivors(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    moved_on(drive)
    loser = org.get("Opportunity", deal)["AccountId"]
    before = links(drive, "customer")[loser]
    survivor = add_account(drive.sandbox, "Survivor", "new@survivor.example")
    org.merge("Account", survivor, [loser])
    second = add_deal(drive.sandbox, survivor, "300.00")
    drive.run()
    assert links(drive, "customer") == {**links(drive, "customer"), survivor: before}
    assert loser not in links(drive, "customer")
    assert invoice_of(drive.sandbox, second)["contact"] == before
    assert invoice_of(drive.sandbox, deal)["contact"] == before
    billed_once(drive, deal)
    customer = drive.sandbox.books.read(drive.sandbox.books.main(), "customers", before)
    assert customer["contactInformation"]["name"] == "Survivor"


def test_a_merged_customer_bears_two_references_and_is_no_stranger(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    loser = org.get("Opportunity", deal)["AccountId"]
    survivor = add_account(drive.sandbox, "Survivor")
    org.merge("Account", survivor, [loser])
    drive.run()
    win(drive)  # to a new customer, so that the books are searched
    drive.run()
    assert loser not in links(drive, "customer")
    assert drive.store.knows_books


def test_the_survivor_of_a_merge_is_read_even_when_no_deal_moved_with_it(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    loser = org.get("Opportunity", deal)["AccountId"]
    before = links(drive, "customer")[loser]
    survivor = add_account(drive.sandbox, "Survivor")
    org.delete("Opportunity", deal)
    moved_on(drive)
    org.merge("Account", survivor, [loser])
    drive.run()
    customer = drive.sandbox.books.read(drive.sandbox.books.main(), "customers", before)
    assert customer["contactInformation"]["name"] == "Survivor"


def test_a_merge_goes_on_along_a_chain(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    first = org.get("Opportunity", deal)["AccountId"]
    second, third = (add_account(drive.sandbox, name) for name in ("Second", "Third"))
    org.merge("Account", second, [first])
    org.merge("Account", third, [second])
    before = links(drive, "customer")[first]
    billed_once(drive, deal)
    assert links(drive, "customer")[third] == before


def test_two_customers_of_merged_accounts_wait_for_a_person(drive: Rounds) -> None:
    org, deals = drive.sandbox.org, [win(drive), win(drive)]
    drive.run()
    moved_on(drive)
    loser, survivor = (org.get("Opportunity", deal)["AccountId"] for deal in deals)
    contacts = [invoice_of(drive.sandbox, deal)["contact"] for deal in deals]
    org.merge("Account", survivor, [loser])
    drive.run()
    assert (loser, "merged_apart") in reviews(drive)
    assert (deals[0], "identity_changed") in reviews(drive)  # nobody moves an invoice to another customer by itself
    assert [invoice_of(drive.sandbox, deal)["contact"] for deal in deals] == contacts
    quiet(drive)


def test_a_customer_that_was_not_written_is_forgotten_when_its_account_is_merged(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    fault(drive, "drop_before", CUSTOMERS)
    drive.run()
    loser = org.get("Opportunity", deal)["AccountId"]
    survivor = add_account(drive.sandbox, "Survivor")
    org.merge("Account", survivor, [loser])
    drive.look_up()
    assert (loser, "not_written") not in open_items(drive)
    billed_once(drive, deal)
    assert set(links(drive, "customer")) & {loser, survivor} == {survivor}
    assert open_items(drive) == []


def test_a_merge_is_followed_only_when_it_is_known_what_was_written(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    loser = org.get("Opportunity", deal)["AccountId"]
    before = links(drive, "customer")[loser]
    org.update("Account", loser, {"Phone": "12345"})
    fault(drive, "drop_after", rf"{CUSTOMERS[:-1]}/{before}$", "PUT")
    drive.run()
    survivor = add_account(drive.sandbox, "Survivor")
    org.merge("Account", survivor, [loser])
    drive.run()
    assert loser in links(drive, "customer")
    assert (loser, "waiting_for_merge") in open_items(drive)
    drive.look_up()
    assert (links(drive, "customer").get(loser), links(drive, "customer")[survivor]) == (None, before)
    billed_once(drive, deal)
    assert open_items(drive) == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_merge_waits_for_the_customer_of_the_loser_to_be_looked_up(drive: Rounds, kind: Any) -> None:
    org, deal = drive.sandbox.org, win(drive)
    loser = org.get("Opportunity", deal)["AccountId"]
    fault(drive, kind, CUSTOMERS)
    drive.run()
    survivor = add_account(drive.sandbox, "Survivor")
    org.merge("Account", survivor, [loser])
    drive.run()
    assert bearing(drive, deal) == []
    drive.look_up()
    billed_once(drive, deal)
    customers = links(drive, "customer")
    assert loser not in customers
    assert sorted(customers.values()) == sorted(row["id"] for row in books_rows(drive.sandbox, "customers"))
    assert open_items(drive) == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_merge_waits_for_the_customer_of_the_survivor_to_be_looked_up(drive: Rounds, kind: Any) -> None:
    org, first = drive.sandbox.org, win(drive)
    drive.run()
    loser = org.get("Opportunity", first)["AccountId"]
    second = win(drive)
    survivor = org.get("Opportunity", second)["AccountId"]
    fault(drive, kind, CUSTOMERS)
    drive.run()
    org.merge("Account", survivor, [loser])
    drive.run()
    drive.look_up()
    drive.run()
    assert sorted(links(drive, "customer").values()) == sorted(
        row["id"] for row in books_rows(drive.sandbox, "customers")
    )
    for deal in (first, second):
        assert len(bearing(drive, deal)) == 1
    told = {why for _, why in open_items(drive)}
    assert told == ({"merged_apart", "identity_changed"} if kind == "drop_after" else set())


def test_a_run_that_dies_while_it_follows_a_merge_ends_alike(drive: Rounds) -> None:
    org, deal = drive.sandbox.org, win(drive)
    drive.run()
    loser = org.get("Opportunity", deal)["AccountId"]
    before = links(drive, "customer")[loser]
    survivor = add_account(drive.sandbox, "Survivor")
    org.merge("Account", survivor, [loser])
    sync = drive.prepare()
    drive.apply(sync)
    assert drive.apply(sync).get("followed", 0) == 0  # the task is tried again
    steps.commit(sync)
    billed_once(drive, deal)
    assert links(drive, "customer")[survivor] == before

"""Whoever looks alike is not the same, when somebody else's reference or another name says so."""

from __future__ import annotations

from typing import Any

import pytest
from adoption import adopt, said
from records import (
    Row,
    add_account,
    add_customer,
    add_deal,
    add_item,
    add_line_of,
    add_product,
    books_rows,
    edit,
    invoice_of,
    invoices_of,
)
from rounds import Rounds, Start, open_items, operations, quiet

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.relink import relink


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def two_of_one_address(drive: Rounds) -> tuple[str, str, str]:
    one = add_account(drive.sandbox, "Acme Corp", "billing@holding.example", BillingCity="Reno")
    first = add_deal(drive.sandbox, one)
    drive.run()
    two = add_account(drive.sandbox, "Beta Inc", "billing@holding.example", BillingCity="Boston")
    second = add_deal(drive.sandbox, two)
    drive.run()
    return first, two, second


def test_a_deal_is_not_billed_to_the_customer_of_another_account_with_its_e_mail(drive: Rounds) -> None:
    _, _, second = two_of_one_address(drive)
    names = [row["contactName"] for row in invoices_of(drive.sandbox, second)]
    assert names == ["Beta Inc"]


def test_another_account_with_its_e_mail_does_not_rename_a_customer(drive: Rounds) -> None:
    first, two, _ = two_of_one_address(drive)
    drive.sandbox.org.update("Account", two, {"Name": "Beta LLC"})
    drive.run()
    assert invoice_of(drive.sandbox, first)["contactName"] == "Acme Corp"


def test_products_of_one_name_and_two_codes_are_two_items(drive: Rounds) -> None:
    assert [item["code"] for item in sold_items(drive, ("Lamp", "HW-1"), ("Lamp", "HW-2"))] == ["HW-1", "HW-2"]


@pytest.mark.parametrize(("one", "two"), [("M-1.5", "M-15"), ("C++", "C#")])
def test_two_codes_that_differ_in_punctuation_are_two_items(drive: Rounds, one: str, two: str) -> None:
    assert [item["code"] for item in sold_items(drive, ("Lamp", one), ("Lamp", two))] == [one, two]


@pytest.mark.parametrize("nights", [True, False])
def test_products_of_one_code_are_as_many_items(drive: Rounds, nights: bool) -> None:
    products = [("Support monthly", "SUP"), ("Support yearly", "SUP"), ("Support yearly", "SUP")]
    items = sold_items(drive, *products, nights=nights)
    assert [item["name"] for item in items] == [name for name, _ in products]
    assert len({item["id"] for item in items}) == 3
    assert open_items(drive) == []


def sold_items(drive: Rounds, *products: tuple[str, str], nights: bool = True) -> list[Row]:
    """Sell Products, each in a night of its own or all in one; give the items of the invoices."""
    deals = []
    for name, code in products:
        deals.append(add_deal(drive.sandbox, add_account(drive.sandbox), None))
        add_line_of(drive.sandbox, deals[-1], add_product(drive.sandbox, name, code), "250.00")
        if nights:
            drive.run()
    drive.run()
    items = {row["id"]: row for row in books_rows(drive.sandbox, "items")}
    return [items[invoice_of(drive.sandbox, deal)["lineItems"][0]["item"]] for deal in deals]


EQUAL: Row = {"email": "office@one.example", "street": "Torstr. 1"}
DIFFERENT: Row = {"email": "hello@two.example", "street": "Torstr. 2"}


@pytest.mark.parametrize("two", [DIFFERENT, EQUAL], ids=["different", "equal"])
def test_two_accounts_are_two_customers_however_alike(drive: Rounds, two: Row) -> None:
    """The first one's customer stays as it is, too."""
    first = garcia(drive, "500.00", **EQUAL)
    drive.run()
    before = customer_of(drive, first)
    second = garcia(drive, "600.00", **two)
    drive.run()
    drive.run()
    assert customer_of(drive, first) == before
    info = customer_of(drive, second)["contactInformation"]
    assert (info.get("email"), info["address"].get("street")) == (two.get("email"), two.get("street"))
    assert customer_of(drive, second)["id"] != before["id"]
    assert open_items(drive) == []


def garcia(drive: Rounds, amount: str = "500.00", name: str = "Garcia Consulting", **fields: str) -> str:
    """A deal of a new Account of this name and postal code."""
    street, email = fields.get("street"), fields.get("email")
    account = add_account(drive.sandbox, name, email, BillingPostalCode="10115", BillingStreet=street)
    return add_deal(drive.sandbox, account, amount)


def customer_of(drive: Rounds, deal: str) -> Row:
    contact = invoice_of(drive.sandbox, deal)["contact"]
    return next(row for row in books_rows(drive.sandbox, "customers") if row["id"] == contact)


def parked_customer(drive: Rounds) -> Row:
    """Give the one customer that waits for a person, beside its deal."""
    parked = operations(drive, State.PARKED)
    (found,) = [row for row in parked if row["target"] == "customer"]
    assert [row["error_class"] for row in parked if row["target"] == "invoice"] == ["waiting_for_parent"]
    return found


BY_HAND = {"name": "Garcia Consulting", "postalCode": "10115"}
ADDRESS = {"email": "office@one.example"}


def test_a_doubtful_customer_is_asked_about_and_stays_as_it_is(drive: Rounds) -> None:
    ident = add_customer(drive.sandbox, **BY_HAND, phone="030 1234567", street="Torstr. 1")
    before = books_rows(drive.sandbox, "customers")
    deal = garcia(drive, street="Torstr. 2")
    drive.run()
    asked = parked_customer(drive)
    alike = f"customer {ident} in Kashoo has the same name and postal code, but another street"
    names = "'Garcia Consulting' in Kashoo, 'Garcia Consulting' in Salesforce"
    assert (asked["error_class"], asked["cause"]) == ("doubtful_match", f"{alike}: {names}")
    with drive.database.begin() as connection:  # the names go when the record is settled
        audited = connection.exec_driver_sql("SELECT reason FROM audit WHERE target = 'customer'").scalars().all()
    assert audited[-1] == alike
    assert books_rows(drive.sandbox, "customers") == before
    assert invoices_of(drive.sandbox, deal) == []


def info_of(row: Row, **changes: str) -> Row:
    return {"contactInformation": row["contactInformation"] | changes}


ANSWERS: dict[str, tuple[Any, bool]] = {
    "the same name in Kashoo": (
        lambda drive, _, row: edit(drive.sandbox, "customers", row, **info_of(row, name="Garcia Consulting")),
        True,
    ),
    "the same name in Salesforce": (
        lambda drive, account, _: drive.sandbox.org.update("Account", account, {"Name": "Garcia Holding"}),
        True,
    ),
    "--to": (lambda drive, account, row: relink(drive.sync(), account, row["id"], by="ann"), True),
    "--new": (lambda drive, account, _: relink(drive.sync(), account, None, by="ann"), False),
}


@pytest.mark.parametrize(("answer", "same"), ANSWERS.values(), ids=ANSWERS)
def test_the_advice_for_a_doubtful_customer_gets_the_deal_billed(drive: Rounds, answer: Any, same: bool) -> None:
    ident = add_customer(drive.sandbox, "Garcia Holding", **ADDRESS)
    deal = garcia(drive, **ADDRESS)
    drive.run()
    asked = parked_customer(drive)
    run = f"run airflow kashoo relink {asked['source_id']}"
    assert asked["fix"] == (
        f"If it is the same customer, give both the same name, or {run} --to {ident}. If not, {run} --new."
    )
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident]
    answer(drive, asked["source_id"], row)
    drive.run()
    assert (customer_of(drive, deal)["id"] == ident) is same
    assert open_items(drive) == []
    quiet(drive)


def test_a_record_that_is_new_is_not_adopted_by_likeness(drive: Rounds) -> None:
    add_customer(drive.sandbox, "Garcia Consulting", **ADDRESS)
    deal = garcia(drive, **ADDRESS)
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    relink(drive.sync(), account, None, by="ann")
    assert said(adopt(drive), account)[:2] == ("no match", "a person said that it is a new customer")
    drive.run()
    assert len(books_rows(drive.sandbox, "customers")) == 3
    assert f"[sf:{account}:1:2]" in customer_of(drive, deal)["notes"]


@pytest.mark.parametrize("answer", ["merge", "correct"])
def test_the_advice_for_two_like_customers_gets_the_deal_billed(drive: Rounds, answer: str) -> None:
    wrong, right = (add_customer(drive.sandbox, "Garcia Consulting", **ADDRESS) for _ in range(2))
    deal = garcia(drive, **ADDRESS)
    drive.run()
    assert "Merge them in Kashoo, correct the one that is wrong, or run" in parked_customer(drive)["fix"]
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == wrong]
    if answer == "merge":
        drive.sandbox.books.remove(drive.sandbox.books.main(), "customers", wrong)
    else:
        edit(drive.sandbox, "customers", row, **info_of(row, name="Garcia Holding"))
    drive.run()
    assert customer_of(drive, deal)["id"] == right
    assert open_items(drive) == []


def test_a_hand_made_item_of_the_same_code_and_another_name_is_asked_about(drive: Rounds) -> None:
    ident = add_item(drive.sandbox, "Support", "SUP")
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line_of(drive.sandbox, deal, add_product(drive.sandbox, "Support yearly", "SUP"), "250.00")
    drive.run()
    (asked,) = operations(drive, State.PARKED, target="item")
    alike = f"item {ident} in Kashoo has the same code, but another name"
    assert asked["cause"] == f"{alike}: 'Support' in Kashoo, 'Support yearly' in Salesforce"
    relink(drive.sync(), asked["source_id"], None, by="ann")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["item"] != ident
    assert open_items(drive) == []


def test_of_two_like_accounts_in_one_night_the_first_gets_the_hand_made_customer(drive: Rounds) -> None:
    ident = add_customer(drive.sandbox, **BY_HAND)
    deals = [garcia(drive), garcia(drive)]
    drive.run()
    one, two = (customer_of(drive, deal)["id"] for deal in deals)
    assert one == ident != two
    assert open_items(drive) == []


def test_two_plans_made_at_once_link_a_hand_made_customer_once(drive: Rounds) -> None:
    ident = add_customer(drive.sandbox, **BY_HAND)
    first = garcia(drive)
    one = drive.prepare()
    drive.sandbox.clock.advance(60)
    begun = drive.sandbox.clock.now()
    second = garcia(drive)
    two = drive.prepare(since=begun)  # it does not see the first one
    drive.finish(one)
    assert drive.finish(two)["stale"] == 1
    drive.run()
    owners = [link.source_id for link in drive.store.links.of_target("customer") if link.kashoo_id == ident]
    assert len(owners) == 1
    assert customer_of(drive, first)["id"] == ident != customer_of(drive, second)["id"]
    assert open_items(drive) == []

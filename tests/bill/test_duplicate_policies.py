"""What `on_duplicate` makes of a customer or an item that is like one in the books."""

from __future__ import annotations

import json
from typing import Any

import pytest
from records import (
    Row,
    add_account,
    add_customer,
    add_deal,
    add_item,
    add_line_of,
    add_product,
    books_rows,
    invoice_of,
    invoices_of,
)
from records import edit as edit_in_books
from rounds import Rounds, Start, crash, fault, links, open_items, operations, quiet, remap, reviews, weeks

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.history import history_of
from airflow_provider_kashoo.sync.by_hand.relink import relink
from airflow_provider_kashoo.sync.by_hand.story import story_of

POLICIES = ("link", "update", "merge", "skip", "review")
BY_HAND = {"email": "pay@acme.example", "phone": "030 111", "street": "Old Street 1"}


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def says(drive: Rounds, policy: str, more: str = "", kind: str = "customer") -> None:
    name = {"customer": "customer_from_account", "item": "item_from_product"}[kind]
    remap(drive, name, f"to: {kind}\n", f"to: {kind}\non_duplicate: {policy}\n{more}")


def alike(drive: Rounds, **more: Any) -> tuple[int, str, str]:
    """A customer made by hand, and a deal of an Account with its e-mail, another phone, and a city."""
    ident = add_customer(drive.sandbox, "Acme", **BY_HAND, **more)
    account = add_account(drive.sandbox, "Acme", BY_HAND["email"], Phone="030 222", BillingCity="Berlin")
    return ident, account, add_deal(drive.sandbox, account)


def customer(drive: Rounds, ident: int) -> Row:
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident]
    info = row["contactInformation"]
    return {"phone": info.get("phone"), "city": info["address"].get("city"), "street": info["address"].get("street")}


def story(drive: Rounds, ident: str) -> list[str]:
    """What `explain` says was done with a record."""
    told = story_of(ident, history_of(drive.database, ident), [])
    return [entry["reason"] for entry in json.loads(json.dumps(told))["done"]]


ONE_CUSTOMER = r"contacts/customers/\d+$"
OLD = {"phone": "030 111", "city": None, "street": "Old Street 1"}
ENDS = {
    "link": (OLD, ["in the books already: same e-mail"]),
    "update": (
        OLD | {"phone": "030 222", "city": "Berlin"},
        [
            "in the books already: same e-mail; its fields follow Salesforce",
            "city, lastName, phone follow Salesforce",
        ],
    ),
    "merge": (
        OLD | {"city": "Berlin"},
        [
            "in the books already: same e-mail; its empty fields are filled from Salesforce",
            "city, lastName were empty in Kashoo",
        ],
    ),
}


@pytest.mark.parametrize("policy", ENDS)
def test_what_is_alike_is_linked_and_says_what_the_policy_wants_and_explain_shows_why(
    drive: Rounds, policy: str
) -> None:
    says(drive, policy)
    ident, account, deal = alike(drive)
    drive.run()
    end, reasons = ENDS[policy]
    assert customer(drive, ident) == end
    assert links(drive, "customer")[account] == ident == invoice_of(drive.sandbox, deal)["contact"]
    assert story(drive, account) == reasons
    assert open_items(drive) == []
    quiet(drive)
    assert customer(drive, ident) == end


@pytest.mark.parametrize("policy", ENDS)
def test_afterwards_it_follows_what_changes_in_salesforce_under_every_policy(drive: Rounds, policy: str) -> None:
    says(drive, policy)
    ident, account, _ = alike(drive)
    drive.run()
    drive.sandbox.org.update("Account", account, {"BillingStreet": "New Street 2"})
    drive.run()
    assert customer(drive, ident)["street"] == "New Street 2"
    drive.sandbox.org.update("Account", account, {"Phone": "030 333"})
    weeks(drive, 1)
    assert customer(drive, ident)["phone"] == "030 333"


def test_nothing_is_written_to_salesforce(drive: Rounds) -> None:
    says(drive, "merge")
    _, account, _ = alike(drive)
    before = drive.sandbox.org.get("Account", account)
    drive.run()
    assert drive.sandbox.org.get("Account", account) == before


@pytest.mark.parametrize("policy", ["update", "merge"])
def test_a_follow_up_that_kashoo_refuses_is_made_by_the_next_run(drive: Rounds, policy: str) -> None:
    says(drive, policy)
    ident, account, deal = alike(drive)
    fault(drive, "error_before", ONE_CUSTOMER, "PUT", status=400)
    drive.run()
    assert (customer(drive, ident), links(drive, "customer")[account]) == (OLD, ident)
    assert invoices_of(drive.sandbox, deal)
    drive.run()
    assert customer(drive, ident) == ENDS[policy][0]
    assert open_items(drive) == []
    quiet(drive)


@pytest.mark.parametrize("stage", ["received", "processed", "answered"])
def test_a_follow_up_during_which_the_process_dies_is_made_once(drive: Rounds, stage: str) -> None:
    says(drive, "update")
    ident, account, deal = alike(drive)
    sync = drive.prepare()
    crash(drive, f"{stage} PUT customers/{ident}", lambda: drive.apply(sync))
    drive.finish(sync)
    quiet(drive)
    assert customer(drive, ident) == ENDS["update"][0]
    assert invoice_of(drive.sandbox, deal)["contact"] == links(drive, "customer")[account] == ident
    assert open_items(drive) == []


def test_a_follow_up_without_an_answer_is_looked_up(drive: Rounds) -> None:
    says(drive, "update")
    ident, _, deal = alike(drive)
    fault(drive, "drop_before", ONE_CUSTOMER, "PUT")
    drive.run()
    assert customer(drive, ident) == OLD
    quiet(drive, writes_nothing=False)
    assert customer(drive, ident) == ENDS["update"][0]
    assert invoice_of(drive.sandbox, deal)["contact"] == ident
    assert open_items(drive) == []


def test_a_follow_up_of_a_link_that_another_plan_made_to_another_record_is_not_made(drive: Rounds) -> None:
    says(drive, "update")
    ident, account, deal = alike(drive)
    one = drive.prepare()
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident]
    info = row["contactInformation"]
    edit_in_books(drive.sandbox, "customers", row, contactInformation=info | {"email": "other@acme.example"})
    second = add_customer(drive.sandbox, "Acme", **BY_HAND)
    two = drive.prepare()
    drive.finish(one)
    drive.finish(two)
    assert links(drive, "customer")[account] == ident == invoice_of(drive.sandbox, deal)["contact"]
    assert customer(drive, second) == OLD
    quiet(drive, writes_nothing=False)
    assert (links(drive, "customer")[account], customer(drive, second)) == (ident, OLD)
    assert open_items(drive) == []


def test_an_edit_between_plan_and_follow_up_stays_where_salesforce_has_nothing_else(drive: Rounds) -> None:
    says(drive, "merge")
    ident, _, _ = alike(drive)
    sync = drive.prepare()
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident]
    info = row["contactInformation"]
    edit_in_books(drive.sandbox, "customers", row, contactInformation={**info, "website": "acme.example"})
    drive.finish(sync)
    quiet(drive)
    (row,) = [each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident]
    assert row["contactInformation"]["website"] == "acme.example"
    assert customer(drive, ident) == ENDS["merge"][0]


def test_a_field_that_kashoo_owns_stays_when_the_rest_follows(drive: Rounds) -> None:
    says(drive, "update", "owners: {phone: kashoo}\n")
    ident, _, _ = alike(drive)
    drive.run()
    assert customer(drive, ident) == OLD | {"city": "Berlin"}
    weeks(drive, 1)
    assert customer(drive, ident)["phone"] == "030 111"
    assert open_items(drive) == []


def test_a_field_whose_owner_is_review_is_asked_about_until_both_are_the_same(drive: Rounds) -> None:
    says(drive, "update", "owners: {phone: review}\n")
    ident, account, _ = alike(drive)
    drive.run()
    assert (customer(drive, ident), reviews(drive)) == (
        OLD | {"city": "Berlin"},
        [(account, "changed_on_both_sides")],
    )
    weeks(drive, 1)
    assert reviews(drive) == [(account, "changed_on_both_sides")]
    drive.sandbox.org.update("Account", account, {"Phone": "030 111"})
    drive.run()
    assert open_items(drive) == []


FIX = {
    "skip": "Bill its deals by hand. To bill them here, {run} --to {ident}. If it is another customer, {run} --new.",
    "review": "If it is the same customer, {run} --to {ident}. If not, {run} --new.",
}
SAID = {"skip": "left_as_duplicate", "review": "unconfirmed_match"}


@pytest.mark.parametrize("answer", ["--to", "--new"])
@pytest.mark.parametrize("policy", SAID)
def test_what_is_left_to_a_person_is_parked_with_its_deal_until_the_advice_is_followed(
    drive: Rounds, policy: str, answer: str
) -> None:
    says(drive, policy)
    ident, account, deal = alike(drive)
    for _ in range(2):
        drive.run()
        parked = {row["target"]: row for row in operations(drive, State.PARKED)}
        asked = parked["customer"]
        said = f"customer {ident} in Kashoo has the same e-mail"
        assert (asked["error_class"], asked["cause"]) == (
            SAID[policy],
            f"{said}: 'Acme' in Kashoo, 'Acme' in Salesforce",
        )
        assert f"run airflow kashoo relink {account} --to {ident}" in asked["fix"]
        assert f"relink {account} --new." in asked["fix"] or "run" in asked["fix"]
        assert parked["invoice"]["error_class"] == "waiting_for_parent"
        if policy == "skip":
            assert parked["invoice"]["cause"] == f"its customer is left out: {said}"
        assert (customer(drive, ident), invoices_of(drive.sandbox, deal)) == (OLD, [])
        weeks(drive, 1)
    relink(drive.sync(), account, ident if answer == "--to" else None, by="ann")
    drive.run()
    assert (invoice_of(drive.sandbox, deal)["contact"] == ident) is (answer == "--to")
    assert open_items(drive) == []
    quiet(drive)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("why", ["two", "another name"])
def test_what_is_not_certain_stays_parked_under_every_policy(drive: Rounds, policy: str, why: str) -> None:
    says(drive, policy)
    names = ["Acme", "Acme"] if why == "two" else ["Beta"]
    before = [add_customer(drive.sandbox, name, email=BY_HAND["email"]) for name in names]
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Acme", BY_HAND["email"]))
    drive.run()
    (parked,) = operations(drive, State.PARKED, target="customer")
    unsure = "ambiguous_match" if why == "two" else "doubtful_match"
    assert parked["error_class"] == ("left_as_duplicate" if policy == "skip" else unsure)
    assert all(str(each) in parked["cause"] for each in before)
    assert invoices_of(drive.sandbox, deal) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_our_reference_links_under_every_policy(
    drive: Rounds, tmp_path_factory: pytest.TempPathFactory, policy: str
) -> None:
    says(drive, "link")
    account = add_account(drive.sandbox, "Ours", "ours@x.example")
    add_deal(drive.sandbox, account)
    drive.run()
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    says(second, policy)
    second.runs = 300
    drive.sandbox.clock.advance(3600)
    second.run()
    assert links(second, "customer")[account] == links(drive, "customer")[account]
    assert "in the books already: our reference" in story(second, account)


def test_an_item_follows_too(drive: Rounds) -> None:
    says(drive, "merge", kind="item")
    ident = add_item(drive.sandbox, "Support yearly", None)
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line_of(drive.sandbox, deal, add_product(drive.sandbox, "Support yearly", "SUP"), "250.00")
    drive.run()
    (item,) = [row for row in books_rows(drive.sandbox, "items") if row["id"] == ident]
    assert item["code"] == "SUP"
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["item"] == ident
    quiet(drive)

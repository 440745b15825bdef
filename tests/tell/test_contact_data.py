"""Contact data that was changed in Kashoo: it stays there, unless the mapping gives the field to Kashoo."""

from __future__ import annotations

from typing import Any

import pytest
from records import add_account, add_deal, books_rows, edit
from rounds import Rounds, links, open_items, remap, writes

WEEK = 8 * 86_400
OWNERS = "to: customer\nowners: {phone: kashoo, city: latest}\n"


@pytest.fixture
def owned(drive: Rounds) -> Rounds:
    remap(drive, "customer_from_account", "to: customer\n", OWNERS)
    return drive


def known(drive: Rounds) -> str:
    account = add_account(drive.sandbox, "Blue Harbor", Phone="1", BillingCity="Graz")
    add_deal(drive.sandbox, account)
    drive.run()
    drive.run_back()
    return account


def in_kashoo(drive: Rounds, account: str, **contact: Any) -> None:
    ident = links(drive, "customer")[account]
    row = next(each for each in books_rows(drive.sandbox, "customers") if each["id"] == ident)
    edit(drive.sandbox, "customers", row, contactInformation={**row["contactInformation"], **contact})


def week(drive: Rounds) -> None:
    drive.sandbox.clock.advance(WEEK)
    drive.run_back()
    drive.run()
    drive.run_back()


def salesforce(drive: Rounds, account: str) -> tuple[Any, Any]:
    row = drive.sandbox.org.get("Account", account)
    return row["Phone"], row["BillingCity"]


def test_it_is_not_pushed_by_default(drive: Rounds) -> None:
    account = known(drive)
    in_kashoo(drive, account, phone="2")
    week(drive)
    assert salesforce(drive, account) == ("1", "Graz")


def test_a_field_of_kashoo_goes_back_and_then_rests(owned: Rounds) -> None:
    account = known(owned)
    in_kashoo(owned, account, phone="2")
    week(owned)
    assert salesforce(owned, account) == ("2", "Graz")
    before = writes(owned.sandbox)
    week(owned)
    assert (writes(owned.sandbox), open_items(owned)) == (before, [])


def test_what_both_sides_changed_follows_its_owner(owned: Rounds) -> None:
    account = known(owned)
    in_kashoo(owned, account, phone="2")
    owned.sandbox.org.update("Account", account, {"Phone": "3"})
    week(owned)
    assert salesforce(owned, account)[0] == "2"
    assert open_items(owned) == []


def test_what_salesforce_refuses_waits_and_closes_when_both_say_the_same(owned: Rounds) -> None:
    account = known(owned)
    in_kashoo(owned, account, phone="2" * 60)
    week(owned)
    assert open_items(owned) == [(account, "does_not_fit")]
    in_kashoo(owned, account, phone="1")
    week(owned)
    assert (salesforce(owned, account)[0], open_items(owned)) == ("1", [])

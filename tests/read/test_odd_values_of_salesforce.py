"""Any JSON value in any field of any row of Salesforce parks at most its own record; the others are billed and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import in_process
from odd import Odd, some, spoiled
from records import add_account, add_deal, add_line
from rounds import WRITTEN_BACK, Rounds, bearing, open_items

DAILY = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.long)]

OF_DEALS = [
    "Id", "IsDeleted", "SystemModstamp", "IsWon", "Amount", "CloseDate", "Name", "AccountId", "CurrencyIsoCode",
    "Account", "Account.Payment_Terms__c", "attributes",
]  # fmt: skip
OF_LINES = [
    "Id", "OpportunityId", "Product2Id", "Quantity", "TotalPrice", "Description", "Product2", "Product2.Name",
]  # fmt: skip
OF_ACCOUNTS = [
    "Id", "IsDeleted", "SystemModstamp", "MasterRecordId", "Name", "Phone", "BillingStreet", "BillingPostalCode",
]  # fmt: skip
OF_CONTACTS = ["Id", "AccountId", "FirstName", "LastName", "Email", "Phone"]


@pytest.fixture
def drive(tmp_path: Path) -> Any:
    with in_process() as box:
        drive = Rounds(box, tmp_path)
        yield drive
        drive.database.dispose()


NOT_TO_BILL = {
    *(f"Amount is {name}" for name in ("null", "zero", "negative", "fraction")),
    "IsWon is null",
    "IsDeleted is true",
}
"""Values that these fields may well have: such a deal is left out."""

Made = Callable[[Rounds, int], tuple[str, str]]


def deal_with_line(drive: Rounds, at: int) -> tuple[str, str]:
    """Give a deal, and the record whose values are odd."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, f"Customer {at}"), None)
    return deal, add_line(drive.sandbox, deal, "250.00")


def deal_alone(drive: Rounds, at: int) -> tuple[str, str]:
    deal, _ = deal_with_line(drive, at)
    return deal, deal


def deal_of_account(drive: Rounds, at: int) -> tuple[str, str]:
    deal, _ = deal_with_line(drive, at)
    return deal, drive.sandbox.org.get("Opportunity", deal)["AccountId"]


def deal_of_contact(drive: Rounds, at: int) -> tuple[str, str]:
    account = add_account(drive.sandbox, f"Customer {at}", f"pay{at}@it.example")
    (contact,) = [row["Id"] for row in drive.sandbox.org.rows("Contact") if row["AccountId"] == account]
    return add_deal(drive.sandbox, account), contact


def billed(drive: Rounds, deals: list[str]) -> set[str]:
    found = {deal: bearing(drive, deal) for deal in deals}
    assert all(len(each) <= 1 and all(row["totalDue"] == 25_000 for row in each) for each in found.values())
    return {deal for deal, each in found.items() if each}


@pytest.mark.parametrize("whole", DAILY)
@pytest.mark.parametrize(
    ("make", "paths"),
    [
        pytest.param(deal_alone, OF_DEALS, id="deals"),
        pytest.param(deal_with_line, OF_LINES, id="lines"),
        pytest.param(deal_of_account, OF_ACCOUNTS, id="accounts"),
        pytest.param(deal_of_contact, OF_CONTACTS, id="contacts"),
    ],
)
def test_an_odd_value_stops_no_other_record(drive: Rounds, make: Made, paths: list[str], whole: bool) -> None:
    pairs = some(paths, whole=whole)
    made = [make(drive, at) for at in range(len(pairs) + 3)]
    odd = [Odd(ident, *pair) for (_, ident), pair in zip(made, pairs, strict=False)]
    deals = [deal for deal, _ in made]
    with spoiled(drive.sandbox, "salesforce", *odd) as spoiling:
        drive.run()
    assert {each.path for each in spoiling.hit} >= {path for path, _ in pairs} - {"MasterRecordId"}
    good = deals[len(pairs) :]
    assert billed(drive, good) == set(good)
    named = {ident for ident, _ in open_items(drive)}
    assert not named & set(good)
    settled = billed(drive, deals) | named
    lost = {str(each) for deal, each in zip(deals, odd, strict=False) if deal not in settled and each.path != "Id"}
    assert lost <= NOT_TO_BILL
    drive.run()  # Salesforce shows what it should again
    drive.look_up()
    assert billed(drive, deals) == set(deals)
    assert open_items(drive) == []


OF_WRITE_BACKS = ["Id", *(f"Kashoo_{name}__c" for name in WRITTEN_BACK)]


@pytest.mark.parametrize("whole", DAILY)
def test_an_odd_value_in_a_field_that_is_written_back_is_written_again(drive: Rounds, whole: bool) -> None:
    pairs = some(OF_WRITE_BACKS, whole=whole)
    made = [deal_alone(drive, at)[0] for at in range(len(pairs) + 1)]
    drive.run()
    drive.run_back()
    drive.sandbox.clock.advance(7 * 86_400)
    drive._org_client = None  # it would go on talking to the system as it was
    with spoiled(drive.sandbox, "salesforce", *(Odd(deal, *pair) for deal, pair in zip(made, pairs, strict=False))):
        assert drive.run_back().outcome["written_back"] >= len(pairs) // 2
    assert {drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] for deal in made} == {"Open"}
    assert open_items(drive) == []

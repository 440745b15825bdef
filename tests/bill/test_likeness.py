"""Whoever looks alike is not the same, when somebody else's reference or another name says so."""

from __future__ import annotations

from decimal import Decimal

import pytest
from records import add_account, add_deal, add_line, books_rows, invoice_of, invoices_of
from rounds import (
    Rounds,
    Start,
)


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
    box = drive.sandbox
    rows = [row for row in box.org.rows("PricebookEntry") if row["CurrencyIsoCode"] == "USD"]
    entry = next(row for row in rows if row["ProductCode"] == "HW-100")
    name = box.org.get("Product2", entry["Product2Id"])["Name"]
    twin = box.org.insert("Product2", {"Name": name, "ProductCode": "HW-999", "IsActive": True})
    given = {"Pricebook2Id": entry["Pricebook2Id"], "Product2Id": twin, "UnitPrice": Decimal(1), "IsActive": True}
    box.org.insert("PricebookEntry", given | {"CurrencyIsoCode": "USD"})
    deal = add_deal(box, add_account(box), None)
    add_line(box, deal, "250.00", product="HW-999")
    drive.run()
    codes = {row["id"]: row.get("code") for row in books_rows(box, "items")}
    assert codes[invoice_of(box, deal)["lineItems"][0]["item"]] == "HW-999"


@pytest.mark.parametrize(("one", "two"), [("M-1.5", "M-15"), ("C++", "C#")])
def test_two_codes_that_differ_in_punctuation_are_two_items(drive: Rounds, one: str, two: str) -> None:
    box = drive.sandbox
    book = next(row["Id"] for row in box.org.rows("Pricebook2") if row["IsStandard"])

    def sell(code: str) -> str:
        item = box.org.insert("Product2", {"Name": "Lamp of both", "ProductCode": code, "IsActive": True})
        given = {"Pricebook2Id": book, "Product2Id": item, "UnitPrice": Decimal(1), "IsActive": True}
        box.org.insert("PricebookEntry", given | {"CurrencyIsoCode": "USD"})
        deal = add_deal(box, add_account(box), None)
        add_line(box, deal, "250.00", product=code)
        drive.run()
        return deal

    sell(one)
    deal = sell(two)
    codes = {row["id"]: row.get("code") for row in books_rows(box, "items")}
    assert codes[invoice_of(box, deal)["lineItems"][0]["item"]] == two

"""Several mappings: of one target, of one record, and of what is told."""

from __future__ import annotations

import driver as driver_module
import pytest
import rounds
from records import add_account, add_deal, invoice_of, invoices_of
from rounds import (
    Rounds,
    Start,
    billed_once,
    links,
    lock,
    moved_by,
    open_items,
    quiet,
    remap,
    weeks,
    win,
)

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

CONTACT = """
version: 1
name: a_customer_from_contact
from: {object: Contact}
to: customer
fields:
  name: {from: Name}
  email: {from: Email}
"""


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def test_customers_come_from_accounts_and_from_contacts(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = ("Account", "Contact", "Product2", "Opportunity", "Order")
    monkeypatch.setitem(driver_module.SOURCES, TO_KASHOO, sources)
    (drive.mappings / "a_customer_from_contact.yaml").write_text(CONTACT, "utf-8")
    remap(
        drive, "invoice_from_order",
        "link: AccountId, mapping: customer_from_account", "link: BillToContactId, mapping: a_customer_from_contact",
    )  # fmt: skip
    billed_once(drive, win(drive))


def test_two_mappings_of_accounts_that_exclude_each_other_make_all_customers(drive: Rounds) -> None:
    text = (drive.mappings / "customer_from_account.yaml").read_text("utf-8")
    other = text.replace("name: customer_from_account", "name: a_customer_from_abroad")
    other = other.replace("to: customer\n", 'to: customer\nwhen:\n  - BillingCountry == "FR"\n')
    (drive.mappings / "a_customer_from_abroad.yaml").write_text(other, "utf-8")
    rounds._mappings.cache_clear()
    billed_once(drive, win(drive))


def test_of_two_mappings_that_fit_an_account_the_first_makes_its_customer(drive: Rounds) -> None:
    text = (drive.mappings / "customer_from_account.yaml").read_text("utf-8")
    other = text.replace("name: customer_from_account", "name: second").replace(
        "{from: Name}", '{text: "Second {Name}"}'
    )
    (drive.mappings / "second.yaml").write_text(other, "utf-8")
    rounds._mappings.cache_clear()
    deal = win(drive)
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    drive.run()
    for city in ("Bonn", "Linz"):
        drive.sandbox.org.update("Account", account, {"BillingCity": city})
        drive.run()
        invoice = invoice_of(drive.sandbox, deal)
        assert invoice["contactName"] == drive.sandbox.org.get("Account", account)["Name"]
    quiet(drive)


def test_two_mappings_that_would_bill_one_deal_bill_it_not_at_all(drive: Rounds) -> None:
    """Each would rewrite the invoice of the other, in turns."""
    text = (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8")
    text = text.replace("name: invoice_from_opportunity", "name: invoice_second")
    (drive.mappings / "invoice_second.yaml").write_text(text.replace("{from: Name}", '"second"', 1), "utf-8")
    rounds._mappings.cache_clear()
    deal = win(drive)
    drive.run()
    assert invoices_of(drive.sandbox, deal) == []
    assert open_items(drive) == [(deal, "billed_by_two_mappings")]
    (drive.mappings / "invoice_second.yaml").unlink()
    rounds._mappings.cache_clear()
    drive.run()
    quiet(drive)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000


def test_the_first_income_account_has_the_lowest_number_not_the_first_in_the_alphabet(drive: Rounds) -> None:
    box = drive.sandbox
    accounts = box.books.business(box.books.main()).tables["accounts"].rows.values()
    next(row for row in accounts if row["number"] == "4200")["number"] = "10000"
    lowest = next(row["id"] for row in accounts if row["number"] == "4000")
    deal = win(drive)
    drive.run()
    assert invoice_of(box, deal)["lineItems"][0]["account"] == lowest


def test_amounts_in_a_text_are_told_in_major_units(drive: Rounds) -> None:
    text = 'Kashoo_Invoice__c: {text: "{number}: {paid} of {total}"}'
    remap(drive, "payment_to_opportunity", "Kashoo_Invoice__c: {from: number}", text)
    deal = win(drive)
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 10000)
    drive.run_back()
    said = drive.sandbox.org.get("Opportunity", deal)["Kashoo_Invoice__c"]
    assert said == f"{invoice['number']}: 100 of 250"


def test_an_amount_may_be_mapped_to_a_word(drive: Rounds) -> None:
    spec = 'Kashoo_Status__c: {from: balance, map: {"0": "Paid"}, default: "Open"}'
    remap(drive, "payment_to_opportunity", "Kashoo_Status__c: {from: status}", spec)
    deal = win(drive)
    drive.run()
    drive.run_back()
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Open"


def test_two_write_backs_to_one_object_are_refused_by_file_and_line(drive: Rounds) -> None:
    text = (drive.mappings / "payment_to_opportunity.yaml").read_text("utf-8")
    other = text.replace("name: payment_to_opportunity", "name: payment_too")
    (drive.mappings / "payment_too.yaml").write_text(other, "utf-8")
    fault = "payment_to_opportunity also writes back to Opportunity, and each would overwrite the other"
    with pytest.raises(ConfigurationError, match=f"payment_too.yaml:[0-9]+:1: {fault}"):
        load_mappings(drive.mappings)


def split_mappings(drive: Rounds, first: str = "IsWon and", *, name: str = "invoice_a_small") -> None:
    path = drive.mappings / "invoice_from_opportunity.yaml"
    text = path.read_text("utf-8")
    small = text.replace("name: invoice_from_opportunity", f"name: {name}").replace("Amount >= 100", "Amount < 100")
    (drive.mappings / f"{name}.yaml").write_text(small, "utf-8")
    rounds._mappings.cache_clear()


@pytest.mark.parametrize("name", [None, "invoice_a_small", "invoice_z_small"])  # None: a control, it passes
def test_a_refused_deal_is_billed_in_the_end_beside_a_mapping_that_leaves_it_out(
    drive: Rounds, name: str | None
) -> None:
    if name:
        split_mappings(drive, name=name)
    lock(drive, moved_by(drive, 1))
    deal = win(drive)
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run()
    weeks(drive, 7)
    waiting = open_items(drive)
    lock(drive, None)
    weeks(drive, 3)
    assert [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] == [25000], waiting


@pytest.mark.parametrize("name", ["invoice_a_small", "invoice_z_small"])
def test_an_unfit_deal_goes_on_waiting_beside_a_mapping_that_leaves_it_out(drive: Rounds, name: str) -> None:
    split_mappings(drive, name=name)
    account = add_account(drive.sandbox)
    add_deal(drive.sandbox, account, CurrencyIsoCode="JPY")
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run()
    assert open_items(drive) != []


def test_a_merge_with_two_mappings_of_accounts(drive: Rounds) -> None:
    text = (drive.mappings / "customer_from_account.yaml").read_text("utf-8")
    other = text.replace("name: customer_from_account", "name: a_customer_from_abroad")
    other = other.replace("to: customer\n", 'to: customer\nwhen:\n  - BillingCountry == "FR"\n')
    (drive.mappings / "a_customer_from_abroad.yaml").write_text(other, "utf-8")
    rounds._mappings.cache_clear()
    deal = win(drive)
    drive.run()
    org = drive.sandbox.org
    loser = org.get("Opportunity", deal)["AccountId"]
    survivor = add_account(drive.sandbox, "Survivor", "new@survivor.example")
    org.merge("Account", survivor, [loser])
    drive.run()
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run()
    assert open_items(drive) == []
    assert survivor in links(drive, "customer")

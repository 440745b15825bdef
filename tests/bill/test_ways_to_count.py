"""Books that count otherwise than assumed: where the profile says so, their total is the one that was computed."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP
from typing import Any

import pytest
from records import add_account, add_deal, add_line, invoice_of
from rounds import Rounds, knows, open_items, remap, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sandbox.kashoo.rules import Business

DEALS = "invoice_from_opportunity"


@pytest.fixture
def business(drive: Rounds) -> Business:
    """The simulated books, whose way to count a test may change."""
    books = drive.sandbox.books
    return books.business(books.main())


def taxed(drive: Rounds, code: str) -> None:
    remap(drive, DEALS, "taxCode: none", f'taxCode: "{code}"')


def sold(drive: Rounds, *prices: str, **fields: Any) -> str:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None, **fields)
    for price in prices:
        add_line(drive.sandbox, deal, price)
    return deal


THREE = ("100.10", "100.10", "100.10")
"""5 % of each is 5.005, of the three together 15.015."""


@pytest.mark.parametrize(
    ("rounding", "by_line", "profile", "total"),
    [
        (ROUND_HALF_UP, False, {}, 31532),
        (ROUND_HALF_UP, True, {"tax_rounding": "line"}, 31533),
        (ROUND_HALF_EVEN, False, {"rounding": "half_even"}, 31532),
        (ROUND_HALF_EVEN, True, {"rounding": "half_even", "tax_rounding": "line"}, 31530),
    ],
)
def test_the_total_is_the_expected_one_where_the_profile_says_how_the_books_count(
    drive: Rounds, business: Business, rounding: str, by_line: bool, profile: dict[str, Any], total: int
) -> None:
    business.rounding, business.taxed_by_line = rounding, by_line
    knows(drive, **profile)
    taxed(drive, "G")
    deal = sold(drive, *THREE)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == total
    assert open_items(drive) == []


def test_books_that_count_otherwise_than_the_profile_says_are_put_to_a_person(
    drive: Rounds, business: Business
) -> None:
    business.taxed_by_line = True
    taxed(drive, "G")
    deal = sold(drive, *THREE)
    drive.run()
    assert open_items(drive) == [(deal, "total_differs")]


def test_several_taxes_are_each_rounded_by_themselves(drive: Rounds) -> None:
    taxed(drive, "G,H")
    deal = sold(drive, *THREE)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 30030 + 1502 + 3904
    assert open_items(drive) == []


def test_an_amount_that_includes_its_taxes_is_what_the_customer_pays(drive: Rounds, business: Business) -> None:
    business.takes_included = True
    knows(drive, taxes_included=True)
    taxed(drive, "-G")
    deal = sold(drive, "100.10", "0.10", "33.33")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["totalDue"], invoice["amount"], invoice["taxes"][0]["amount"]) == (13353, 12717, 636)
    assert open_items(drive) == []


def test_a_tax_that_is_included_is_refused_before_anything_is_sent_unless_kashoo_is_known_to_take_it(
    drive: Rounds,
) -> None:
    taxed(drive, "-G")
    win(drive)
    with pytest.raises(ConfigurationError, match=r"invoice_from_opportunity.yaml:25:.*amount includes the tax"):
        drive.run()


def test_yen_are_billed_whole_and_their_payment_is_written_back_whole(drive: Rounds, business: Business) -> None:
    business.currencies |= {"JPY"}
    knows(drive, iso_minor_units=["JPY"])
    deal = win(drive, "1250.50", CurrencyIsoCode="JPY")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    assert (invoice["totalDue"], invoice["currency"]) == (1251, "JPY")
    drive.sandbox.books.pay(business.id, invoice["id"], 251)
    drive.run_back()
    row = drive.sandbox.org.get("Opportunity", deal)
    assert (row["Kashoo_Paid__c"], row["Kashoo_Balance__c"]) == (251, 1000)
    assert open_items(drive) == []


def test_yen_are_parked_unless_the_books_are_known_to_count_them(drive: Rounds) -> None:
    deal = win(drive, "1250.00", CurrencyIsoCode="JPY")
    drive.run()
    assert open_items(drive) == [(deal, "currency")]


def test_a_currency_that_the_mapping_names_is_refused_with_its_line_unless_it_is_known(
    drive: Rounds, business: Business
) -> None:
    business.currencies |= {"JPY"}
    remap(drive, DEALS, "currency: {from: CurrencyIsoCode}", "currency: JPY")
    deal = win(drive, "1250.00")
    with pytest.raises(ConfigurationError, match=r"invoice_from_opportunity.yaml:17:.*JPY does not have two decimals"):
        drive.run()
    knows(drive, iso_minor_units=["JPY"])
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 1250

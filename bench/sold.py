"""Won deals and their lines as columns, as many as wanted: what a large Salesforce org may hold.

Ids, names, customers, products, dates, quantities and prices vary. Some deals are not to be billed, and some are worth
a fraction of a cent. The same call gives the same records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.sandbox.salesforce.ids import IdBlock
from airflow_provider_kashoo.sync.read.columns import NUMBER, STAMP

CUSTOMERS, PRODUCTS, NAMES, DAYS = 2_000, 500, 20_000, 300
FIRST_DAY = (date(2025, 1, 1) - date(1970, 1, 1)).days
CREATED = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
EACH = 100
"""Of so many deals, one is not won and one is worth too little."""

LOST, SMALL = 50, 75
FRACTION_EACH = 1_000
"""One deal of so many is worth half a cent more than whole cents."""

QUANTITIES = (1_000, 1_000, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000, 12_000, 24_000, 500, 1_500)
DISCOUNTS = (0,) * 17 + (5, 10, 15)
TERMS = (14_000, 30_000, 60_000)
APART = 200
"""The lines of a deal may stand among those of as many other deals."""

Columns = dict[str, Any]


def deals_and_lines(deals: int, lines_each: Sequence[int]) -> tuple[Columns, Columns]:
    """Make deals, and their lines in no particular order.

    :param lines_each: how many lines the deals have, over and over.
    """
    rng, number = np.random.default_rng(1), np.arange(deals)
    counts = np.resize(np.array(lines_each), deals)
    owner = np.repeat(number, counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    quantity = rng.choice(QUANTITIES, len(owner))
    price = _prices(rng, quantity)
    price[(place == 0) & (owner % FRACTION_EACH == FRACTION_EACH - 1)] += 5
    of_lines = np.bincount(owner, price, deals).astype(np.int64)
    amount = np.where(counts > 0, of_lines, _prices(rng, np.full(deals, 1_000)))
    amount[number % EACH == SMALL] = 50_000
    idents = ids("006", deals)
    order = np.argsort(owner + rng.integers(0, APART, len(owner)), kind="stable")
    product = ((owner // 2 + place) % PRODUCTS)[order]
    return {
        "Id": idents,
        "SystemModstamp": _stamps(number),
        "IsWon": pa.array(number % EACH != LOST),
        "Amount": _numbers(amount),
        "AccountId": ids("001", CUSTOMERS).take(number // 2 % CUSTOMERS),
        "Account.Payment_Terms__c": _terms(number // 2 % CUSTOMERS),
        "CloseDate": pa.array(FIRST_DAY + number * 7 % DAYS, pa.int32()).cast(pa.date32()),
        "CurrencyIsoCode": pa.array(["USD"]).take(number * 0),
        "Name": _named("Deal", NAMES).take(number * 13 % NAMES),
    }, {
        "Id": ids("00k", len(owner)).take(order),
        "OpportunityId": idents.take(owner[order]),
        "CreatedDate": _stamps(owner[order]),
        "SortOrder": _numbers(place[order] * 1_000),
        "Quantity": _numbers(quantity[order]),
        "TotalPrice": _numbers(price[order]),
        "Description": pa.array(["as agreed", None]).take((order % 10 > 0).astype(int)),
        "Product2Id": ids("01t", PRODUCTS).take(product),
        "Product2.Name": _named("Product", PRODUCTS).take(product),
    }


def customers() -> Columns:
    """Make the Accounts that the deals name, each with a Contact."""
    number = np.arange(CUSTOMERS)
    return {
        "Id": ids("001", CUSTOMERS),
        "SystemModstamp": _stamps(number),
        "Name": _named("Customer", CUSTOMERS),
        "BillingStreet": _named("Harbor Street", CUSTOMERS),
        "BillingCity": _named("Springfield", 50).take(number % 50),
        "BillingPostalCode": _named("", CUSTOMERS),
        "Contacts.LastName": _named("Miller", CUSTOMERS),
        "Contacts.Email": pa.array([f"billing@firm{each}.example" for each in number]),
    }


def products() -> Columns:
    """Make the Products that the lines name."""
    return {
        "Id": ids("01t", PRODUCTS),
        "SystemModstamp": _stamps(np.arange(PRODUCTS)),
        "Name": _named("Product", PRODUCTS),
        "ProductCode": _named("HW", PRODUCTS),
        "Description": _named("As shown on page", PRODUCTS),
    }


def ids(prefix: str, count: int) -> Any:
    """Give record ids of 18 characters."""
    return pa.array(IdBlock(f"{prefix}Bx0", count), pa.string())


def _prices(rng: np.random.Generator, quantity: Any) -> Any:
    """Give the price of each line, thousandths; discounts leave whole cents, but not always of one piece."""
    cents = rng.integers(25_000, 500_000, len(quantity)) * quantity // 1_000
    return cents * (100 - rng.choice(DISCOUNTS, len(quantity))) // 100 * 10


def _numbers(thousandths: Any) -> Any:
    """Give numbers as an extract types them."""
    words = np.zeros((len(thousandths), 2), np.int64)
    words[:, 0] = thousandths  # the lower half of each decimal
    made = pa.Array.from_buffers(pa.decimal128(18, 3), len(words), [None, pa.py_buffer(words.tobytes())])
    return made.cast(NUMBER)


def _terms(customer: Any) -> Any:
    """Let one customer of four have no terms of payment."""
    terms = _numbers(np.array(TERMS)).take(customer % len(TERMS))
    return pc.if_else(pa.array(customer % 4 == 0), pa.scalar(None, NUMBER), terms)


def _stamps(number: Any) -> Any:
    return pa.array((CREATED + number) * 1_000_000, pa.int64()).cast(STAMP)


def _named(stem: str, count: int) -> Any:
    return pa.array([f"{stem} {number:05}".strip() for number in range(count)])

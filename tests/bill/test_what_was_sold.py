"""What a person reads on an invoice: what was sold, in whole cents that add up."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, invoice_of, set_amount
from rounds import Rounds, billed_once, open_items, remap

from airflow_provider_kashoo.core.errors import ConfigurationError

DEALS = "invoice_from_opportunity"


def sale(drive: Rounds, *lines: tuple[str, str]) -> tuple[str, list[str]]:
    """Win a deal of lines, each with quantity and unit price."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    return deal, [add_line(drive.sandbox, deal, price, quantity=quantity) for quantity, price in lines]


def set_price(drive: Rounds, line: str, total: str) -> None:
    """Let Salesforce hold a TotalPrice finer than a cent, as it does after some discounts."""
    table = drive.sandbox.org.table("OpportunityLineItem")
    row = table.rows[line]
    drive.sandbox.org._save(table, row | {"TotalPrice": Decimal(total)}, row)


def said(invoice: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(line["description"], line["quantity"], line["rate"]) for line in invoice["lineItems"]]


def reasons(drive: Rounds) -> list[str]:
    """List why invoices were created, the newest last."""
    sql = "SELECT reason FROM audit WHERE target = 'invoice' AND event = 'create' ORDER BY id"
    with drive.database.engine.connect() as connection:
        return list(connection.exec_driver_sql(sql).scalars())


def test_a_rate_that_cents_cannot_hold_leaves_what_was_sold_to_read(drive: Rounds) -> None:
    deal, _ = sale(drive, ("7000", "0.1648"), ("3", "10.00"))
    drive.run()
    assert said(billed_once(drive, deal, 118360)) == [
        ("Desk Lamp (7,000 x 0.1648)", 1, 115360),
        ("Desk Lamp", 3, 1000),
    ]


def test_a_long_description_is_shortened_and_what_was_sold_is_not(drive: Rounds) -> None:
    deal, [line] = sale(drive, ("7000", "0.1648"))
    drive.sandbox.org.update("OpportunityLineItem", line, {"Description": "x" * 255})
    drive.run()
    assert said(billed_once(drive, deal, 115360))[0][0] == "x" * 238 + " (7,000 x 0.1648)"


def test_cents_that_nobody_can_correct_are_billed_and_named(drive: Rounds) -> None:
    deal, lines = sale(drive, *[("1", "66.67")] * 3)
    for line in lines:
        set_price(drive, line, "33.335")
    set_amount(drive.sandbox, deal, "100.005")
    drive.run()
    assert [rate for _, _, rate in said(billed_once(drive, deal, 10001))] == [3334, 3334, 3333]
    assert reasons(drive)[-1] == "won and not billed yet; 100.005 rounded to 100.01"


def test_a_cent_more_than_the_lines_is_a_persons_to_correct(drive: Rounds) -> None:
    deal, [line] = sale(drive, ("1", "250.00"))
    set_amount(drive.sandbox, deal, "250.01")
    drive.run()
    assert open_items(drive) == [(deal, "lines_do_not_add_up")]
    set_price(drive, line, "250.005")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25001
    assert open_items(drive) == []


# -- the order of the lines


def arrange(drive: Rounds, lines: list[str], *places: int | None) -> None:
    """Let a person sort the products of a deal."""
    for line, place in zip(lines, places, strict=True):
        drive.sandbox.org.update("OpportunityLineItem", line, {"SortOrder": place})


def rates(drive: Rounds, deal: str) -> list[int]:
    return [rate // 100 for _, _, rate in said(invoice_of(drive.sandbox, deal))]


def test_lines_are_billed_in_the_order_of_the_deal(drive: Rounds) -> None:
    deals = [sale(drive, ("1", "100.00"), ("1", "200.00"), ("1", "300.00")) for _ in range(3)]
    arrange(drive, deals[0][1], 3, 1, 2)
    arrange(drive, deals[1][1], None, 1, None)
    drive.run()
    orders = [[200, 300, 100], [100, 300, 200], [100, 200, 300]]
    assert [rates(drive, deal) for deal, _ in deals] == orders
    arrange(drive, deals[0][1], 1, 2, 3)
    drive.run()
    assert [rates(drive, deal) for deal, _ in deals] == orders


def test_a_mapping_has_an_order_of_its_own(drive: Rounds) -> None:
    order = "Product2.Name, SortOrder DESC NULLS LAST, TotalPrice DESC"
    remap(drive, DEALS, "lines: OpportunityLineItems", f'lines: OpportunityLineItems, order: "{order}"')
    deal, lines = sale(drive, ("1", "100.00"), ("1", "200.00"), ("1", "300.00"), ("1", "400.00"))
    arrange(drive, lines, 1, None, 2, None)
    drive.run()
    assert rates(drive, deal) == [300, 100, 400, 200]


def test_an_object_without_sort_order_is_billed_as_it_was_entered(drive: Rounds) -> None:
    drive.sandbox.org.schema.hide("OpportunityLineItem", "SortOrder")
    deal, lines = sale(drive, ("1", "100.00"), ("1", "200.00"))
    table = drive.sandbox.org.table("OpportunityLineItem")
    table.rows[lines[0]]["CreatedDate"] = "2999-01-01T00:00:00.000+0000"
    drive.run()
    assert rates(drive, deal) == [200, 100]


@pytest.mark.parametrize(
    ("mapping", "line", "old", "new", "fault"),
    [
        (DEALS, 5, "LineItems}", "LineItems, order: SortOder}", "OpportunityLineItem has no field 'SortOder'"),
        (DEALS, 5, "LineItems}", "LineItems, order: Product2.Nam}", "has no field 'Product2.Nam'"),
        ("customer_from_account", 7, "CreatedDate", "CreateDate", "Contact has no field 'CreateDate'"),
    ],
)
def test_an_order_by_an_unknown_field_is_refused(
    drive: Rounds, mapping: str, line: int, old: str, new: str, fault: str
) -> None:
    remap(drive, mapping, old, new)
    with pytest.raises(ConfigurationError, match=re.escape(fault)) as caught:
        drive.run()
    assert f"{mapping}.yaml:{line}:" in str(caught.value)
    assert "Did you mean" in str(caught.value)

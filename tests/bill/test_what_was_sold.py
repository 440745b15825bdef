"""What a person reads on an invoice: what was sold, in whole cents that add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from records import add_account, add_deal, add_line, invoice_of, set_amount
from rounds import Rounds, billed_once, open_items


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

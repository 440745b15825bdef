"""A record with a negative total is a credit: a person is asked to give it, until it is given or not due any more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from records import add_account, add_deal, add_order, invoice_of, today, writes
from rounds import Rounds, change, fault, moved_on, open_items, price, remap, remove, reviews, win

from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.read.dirty import find_dirty
from airflow_provider_kashoo.sync.read.shapes import Shape

DISMISS = 'Give the credit in Kashoo by hand, then dismiss this item: airflow kashoo dismiss ITEM --why "..."'


def reduction(drive: Rounds, original: str | None = None, account: str | None = None, deal: str | None = None) -> str:
    """Activate an order of -400, which reduces another one."""
    org = drive.sandbox.org
    account = account or add_account(drive.sandbox)
    entry = next(row["Id"] for row in org.rows("PricebookEntry") if row["CurrencyIsoCode"] == "USD")
    fields = {"AccountId": account, "OpportunityId": deal, "Status": "Draft", "EffectiveDate": today(drive.sandbox)}
    order = org.insert("Order", fields | {"IsReductionOrder": True, "OriginalOrderId": original})
    line = {"OrderId": order, "PricebookEntryId": entry, "Quantity": Decimal(-4), "UnitPrice": Decimal("100.00")}
    org.insert("OrderItem", line)
    org.update("Order", order, {"Status": "Activated"})
    return order


def asked(drive: Rounds) -> list[tuple[str, str, str]]:
    """List what a person is asked: record, error class, cause."""
    items = drive.store.reviews.all_open()
    return [(item["source_id"], item["error_class"], item["cause"]) for item in items]


def said(order: str, rest: str) -> list[tuple[str, str, str]]:
    return [(order, "credit_due", f"a credit of 400.00 USD is to be given{rest}")]


def test_a_reduction_of_what_is_billed_is_asked_about_once_with_the_invoice(drive: Rounds) -> None:
    original = add_order(drive.sandbox, add_account(drive.sandbox), None, "500.00")
    drive.run()
    order = reduction(drive, original)
    done = drive.run()
    number = invoice_of(drive.sandbox, original)["number"]
    assert asked(drive) == said(order, f" on invoice {number}")
    (item,) = drive.store.reviews.all_open()
    assert (item["fix"], item["kashoo_id"]) == (DISMISS, invoice_of(drive.sandbox, original)["id"])
    assert f"review: {item['cause']}" in done.summary["reasons"]
    before = writes(drive.sandbox)
    moved_on(drive)
    assert [row["id"] for row in drive.store.reviews.all_open()] == [item["id"]]
    dismiss(drive.database, f"R{item['id']}", by="ann", reason="credit note 7")
    drive.sandbox.org.update("Order", order, {"PoNumber": "7"})
    moved_on(drive)
    assert [(row["id"], row["dismissed_by"]) for row in drive.store.reviews.all_open()] == [(item["id"], "ann")]
    assert writes(drive.sandbox) == before
    assert invoice_of(drive.sandbox, original)["totalDue"] == 50000


def dismissed(drive: Rounds) -> tuple[str, str]:
    """Have a credit on an order's invoice dismissed; gives the order, and the one that reduces it."""
    original = add_order(drive.sandbox, add_account(drive.sandbox), None, "500.00")
    drive.run()
    order = reduction(drive, original)
    moved_on(drive)
    (item,) = drive.store.reviews.all_open()
    dismiss(drive.database, f"R{item['id']}", by="ann", reason="credit note 7")
    return original, order


def shown(drive: Rounds) -> list[str]:
    return [item["cause"] for item in drive.store.reviews.all_open() if item["dismissed_at"] is None]


def test_a_dismissed_credit_costs_no_request(drive: Rounds) -> None:
    _, order = dismissed(drive)
    now = drive.sandbox.clock.now()
    assert order not in find_dirty(drive.sync(), "Order", Shape(), Window(now, now, moves=False, note="")).ids


@pytest.mark.parametrize("now", ["renumbered", "unreadable", "removed"])
def test_a_dismissed_credit_is_not_asked_again_whatever_became_of_the_invoice(drive: Rounds, now: str) -> None:
    original, order = dismissed(drive)
    invoice = invoice_of(drive.sandbox, original)
    if now == "removed":
        remove(drive, invoice)
    elif now == "unreadable":
        fault(drive, "error_before", f"records/invoices/{invoice['id']}$", "GET", status=500, times=None)
    else:
        books = drive.sandbox.books
        books.business(books.main()).tables["invoices"].put({**invoice, "number": 9001})
    drive.sandbox.org.update("Order", order, {"PoNumber": "7"})
    drive.run()
    assert asked(drive)[0] == said(order, f" on invoice {invoice['number']}")[0]
    assert shown(drive) == []


def test_a_dismissed_credit_of_another_amount_is_asked_again(drive: Rounds) -> None:
    deal = win(drive, "-400.00")
    drive.run()
    (item,) = drive.store.reviews.all_open()
    dismiss(drive.database, f"R{item['id']}", by="ann", reason="credit note 7")
    price(drive, deal, "-40.00")
    drive.run()
    assert shown(drive) == ["a credit of 40.00 USD is to be given; there is no invoice yet"]


def test_the_invoice_is_named_as_soon_as_there_is_one(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    original = add_order(drive.sandbox, account, None, "500.00")
    drive.sandbox.org.update("Order", original, {"Status": "Draft"})
    order = reduction(drive, original)
    drive.run()
    assert asked(drive) == said(order, "; there is no invoice yet")
    moved_on(drive)
    drive.sandbox.org.update("Order", original, {"Status": "Activated"})
    for _ in range(2):
        drive.run()
    assert asked(drive) == said(order, f" on invoice {invoice_of(drive.sandbox, original)['number']}")


def test_the_invoice_of_the_sale_is_named_where_no_original_is_known(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    drive.run()
    order = reduction(drive, account=account, deal=deal)
    drive.run()
    assert asked(drive) == said(order, f" on invoice {invoice_of(drive.sandbox, deal)['number']}")


def test_the_question_closes_itself_when_no_credit_is_due_any_more(drive: Rounds) -> None:
    cancelled, deleted, positive, other = [win(drive, "-400.00") for _ in range(4)]
    drive.run()
    assert reviews(drive) == [(deal, "credit_due") for deal in (cancelled, deleted, positive, other)]
    drive.sandbox.clock.advance(3600)
    change(drive, cancelled, StageName="Closed Lost")
    drive.sandbox.org.delete("Opportunity", deleted)
    price(drive, positive, "250.00")
    drive.run()
    assert reviews(drive) == [(other, "credit_due")]
    assert invoice_of(drive.sandbox, positive)["totalDue"] == 25000


def test_a_deal_that_has_an_invoice_itself_is_no_longer_to_be_billed(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "-400.00")
    drive.run()
    assert asked(drive)[0][:2] == (deal, "no_longer_billable")
    assert len(asked(drive)) == 1


def test_without_a_condition_on_the_total_nothing_negative_is_billed_either(drive: Rounds) -> None:
    remap(drive, "invoice_from_opportunity", "  - Amount >= 100\n", "")
    deal, billed = win(drive, "-400.00"), win(drive)
    win(drive, "-400.00", StageName="Closed Lost")
    drive.run()
    assert open_items(drive) == [(deal, "credit_due")]
    price(drive, billed, "-1.00")
    drive.run()
    assert ("no_longer_billable", "the deal no longer meets `Amount >= 0`, but its invoice still exists") in [
        each[1:] for each in asked(drive)
    ]

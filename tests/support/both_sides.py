"""A deal that both sides changed, and what a person says of it."""

from __future__ import annotations

from records import edit, invoice_of
from rounds import Rounds, price, reviews, win

from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync.by_hand.settle import settle

BOTH = "changed_on_both_sides"


def total(drive: Rounds, deal: str) -> int:
    return int(invoice_of(drive.sandbox, deal)["totalDue"])


def priced_by_hand(drive: Rounds, deal: str, dollars: int) -> None:
    invoice = invoice_of(drive.sandbox, deal)
    line = {**invoice["lineItems"][0], "rate": dollars * 100, "amount": dollars * 100}
    edit(drive.sandbox, "invoices", invoice, lineItems=[line])


def say(drive: Rounds, deal: str, side: Side) -> None:
    settle(drive.database, deal, side, by="ann", reason="agreed by phone")


def both_changed(drive: Rounds, **fields: str) -> str:
    """A deal of 250 became 300 in Salesforce and 200 in Kashoo; a person is asked."""
    deal = win(drive, **fields)
    drive.run()
    price(drive, deal, "300.00")
    priced_by_hand(drive, deal, 200)
    drive.run()
    assert reviews(drive) == [(deal, BOTH)]
    return deal

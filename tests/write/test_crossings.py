"""Whatever happens to a deal while the outcome of a write for it is not known: one invoice at most, and no silence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from records import add_account, add_order, books_rows, edit, invoice_of
from rounds import (
    CUSTOMERS,
    Rounds,
    change,
    crash,
    fault,
    links,
    moved_by,
    moved_on,
    new_rows,
    open_items,
    price,
    quiet,
    remove,
    states_of,
    win,
)

from airflow_provider_kashoo.core.errors import SyncError

A_WEEK = 8 * 86_400.0
AN_INVOICE = r"invoices/\d+$"


def merge_account(drive: Rounds, deal: str) -> None:
    loser = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    drive.sandbox.org.merge("Account", add_account(drive.sandbox, "Survivor", "s@s.example"), [loser])


def order(drive: Rounds, deal: str, *, stage: str) -> None:
    change(drive, deal, StageName=stage)
    add_order(drive.sandbox, drive.sandbox.org.get("Opportunity", deal)["AccountId"], deal)


def reopen_and_win(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Prospecting")
    drive.run()
    change(drive, deal, StageName="Closed Won")


SALES: dict[str, Callable[[Rounds, str], Any]] = {
    "nothing": lambda *_: None,
    "another price": lambda drive, deal: price(drive, deal, "410.00"),
    "reopened": lambda drive, deal: change(drive, deal, StageName="Prospecting"),
    "reopened and won": reopen_and_win,
    "deleted": lambda drive, deal: drive.sandbox.org.delete("Opportunity", deal),
    "account merged": merge_account,
    "ordered instead": lambda drive, deal: order(drive, deal, stage="Closed Lost"),
    "ordered too": lambda drive, deal: order(drive, deal, stage="Closed Won"),
    "date moved": lambda drive, deal: change(drive, deal, CloseDate=moved_by(drive, -45)),
}
CREATES: dict[str, Callable[[Rounds], Any]] = {
    "turned away": lambda drive: run_into(drive, "error_before", status=403),
    "silent before": lambda drive: run_into(drive, "drop_before"),
    "silent after": lambda drive: run_into(drive, "drop_after"),
    "dead before": lambda drive: crash(drive, "received POST records/invoices", drive.run),
    "dead after": lambda drive: crash(drive, "processed POST records/invoices", drive.run),
    "customer silent": lambda drive: run_into(drive, "drop_after", path=CUSTOMERS),
    "customer dead": lambda drive: crash(drive, "processed POST contacts/customers", drive.run),
}
HANDS: dict[str, Callable[[Rounds, Any], Any]] = {
    "nothing": lambda *_: None,
    "memo edited": lambda drive, invoice: edit(drive.sandbox, "invoices", invoice, memo=f"Mine {invoice['memo']}"),
    "lines edited": lambda drive, invoice: edit(
        drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 24000}]
    ),
    "paid": lambda drive, invoice: drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 1000),
    "removed": remove,
}


def run_into(drive: Rounds, kind: Any, **more: Any) -> None:
    fault(drive, kind, **more)
    with suppress(SyncError):
        drive.run()
    drive.sandbox.faults["kashoo"].clear()


def some(*axes: Any) -> list[Any]:
    """Cross all axes; every fortieth is for every day, the others are long."""
    pairs = enumerate(product(*axes))
    return [pytest.param(*each, marks=[] if number % 40 == 0 else pytest.mark.long) for number, each in pairs]


def judge(drive: Rounds, deal: str, before: list[Any]) -> None:
    """Weeks later: the sale is billed once at the right total, or a person is told of it."""
    for wait in (0.0, A_WEEK):
        drive.sandbox.clock.advance(wait)
        quiet(drive, writes_nothing=False)
        moved_on(drive)
    made = new_rows(drive, before)
    assert len(made) <= 1
    row, orders = drive.sandbox.org.table("Opportunity").rows[deal], drive.sandbox.org.rows("Order")
    sold = row["StageName"] == "Closed Won" and not row["IsDeleted"]
    named = {ident for ident, _ in open_items(drive)} & {deal, *(each["Id"] for each in orders)}
    if (sold or orders) and not named:
        (invoice,) = made
        linked = next(source for source, ident in links(drive).items() if ident == invoice["id"])
        total = row["Amount"] if linked == deal else drive.sandbox.org.get("Order", linked)["TotalAmount"]
        assert invoice["totalDue"] == total * 100
    assert sold or orders or named or not made


@pytest.mark.parametrize(("outcome", "happens"), some(CREATES, SALES))
def test_a_deal_whose_invoice_has_no_known_outcome(drive: Rounds, outcome: str, happens: str) -> None:
    before = {kind: books_rows(drive.sandbox, kind) for kind in ("invoices", "customers")}
    deal = win(drive)
    CREATES[outcome](drive)
    SALES[happens](drive, deal)
    judge(drive, deal, before["invoices"])
    assert len(new_rows(drive, before["customers"], "customers")) <= 1 + (happens == "account merged")


@pytest.mark.parametrize(("outcome", "hand", "happens"), some(["drop_before", "drop_after"], HANDS, SALES))
def test_a_deal_whose_update_has_no_known_outcome(drive: Rounds, outcome: str, hand: str, happens: str) -> None:
    before = books_rows(drive.sandbox, "invoices")
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    run_into(drive, outcome, path=AN_INVOICE, method="PUT")
    assert states_of(drive, deal)[-1] == "in_doubt"
    HANDS[hand](drive, invoice_of(drive.sandbox, deal))
    SALES[happens](drive, deal)
    judge(drive, deal, before)

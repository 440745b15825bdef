"""How far an invoice is settled: a pure function of what the books hold now.

It never adds up events, so any order of payments, refunds and reversals ends in the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OPEN, PARTLY_PAID, PAID, OVERPAID, REFUNDED, VOID = "Open", "Partly Paid", "Paid", "Overpaid", "Refunded", "Void"
"""The statuses of an invoice."""


@dataclass(frozen=True)
class Allocation:
    """A part of a payment that counts towards one invoice.

    :param amount: minor units; negative for a refund (assumed to be booked so in Kashoo).
    :param credit: what is left of the whole payment for other invoices, minor units.
    """

    payment_id: int
    invoice_id: int
    date: str
    amount: int
    credit: int = 0


def allocations(payments: Iterable[Mapping[str, Any]]) -> Iterable[Allocation]:
    """Split payments, as the books list them, into their allocations; removed payments count for nothing."""
    for payment in payments:
        if payment.get("removed"):
            continue
        for part in payment.get("allocations") or []:
            yield Allocation(
                payment["id"], part["record"], payment["date"], part["amount"], payment.get("unallocatedAmount") or 0
            )


def is_complete(invoice: Mapping[str, Any], parts: Iterable[Allocation]) -> bool:
    """Say whether the payments we saw explain the invoice's balance to the cent."""
    return sum(part.amount for part in parts) == int(invoice["totalDue"] - invoice["balanceDue"])


def settlement_of(invoice: Mapping[str, Any], parts: Iterable[Allocation]) -> dict[str, Any]:
    """Describe an invoice with its payments in the words of ``SETTLEMENT_SOURCE``; what nobody knows is left out.

    :param invoice: as read from the books, amounts in minor units.
    :param parts: every allocation to it.
    """
    own = sorted(parts, key=lambda part: (part.date, part.payment_id))
    received = [part for part in own if part.amount > 0]
    # What a removed invoice still says of its balance is not known: only payments that stand were paid.
    seen = sum(part.amount for part in own)
    paid = seen if invoice.get("removed") else invoice["totalDue"] - invoice["balanceDue"]
    kept = {"number": invoice["number"], "due_date": invoice.get("dueDate")} if "number" in invoice else {}
    return {
        "invoice_id": str(invoice["id"]),
        "status": _status(invoice, own, paid),
        "currency": invoice["currency"],
        "total": invoice["totalDue"],
        "paid": paid,
        "balance": invoice["balanceDue"],
        "last_payment_date": received[-1].date if received else None,
    } | kept


def _status(invoice: Mapping[str, Any], parts: list[Allocation], paid: int) -> str:
    if invoice.get("removed"):
        return VOID
    if invoice["balanceDue"] < 0 or (invoice["balanceDue"] == 0 and any(part.credit > 0 for part in parts)):
        return OVERPAID
    if invoice["balanceDue"] == 0 and (paid or not invoice["totalDue"]):
        return PAID
    if paid > 0:
        return PARTLY_PAID
    return REFUNDED if any(part.amount < 0 for part in parts) else OPEN

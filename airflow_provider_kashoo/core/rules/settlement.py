"""The payment status of an invoice: a pure function of what the books hold now.

It never adds up events, so any order of payments, refunds and reversals gives the same result.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

OPEN, PARTLY_PAID, PAID, OVERPAID, REFUNDED, VOID = "Open", "Partly Paid", "Paid", "Overpaid", "Refunded", "Void"
STATUSES = (OPEN, PARTLY_PAID, PAID, OVERPAID, REFUNDED, VOID)
"""The statuses of an invoice."""

RECEIVED, PAID_BACK, DELETED = "Payment", "Refund", "Deleted"
PAYMENT_KINDS = (RECEIVED, PAID_BACK, DELETED)
"""What a payment of an invoice is."""

OUT_OF_REACH = "Unreachable"
"""Settlement of a voided invoice whose Salesforce record is deleted; written back weekly, in case it was restored."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice and its balance, as the books hold them.

    :param id: in Kashoo.
    :param total: minor units, taxes included.
    :param balance: what is still owed, minor units; negative when too much was paid.
    :param contact: Kashoo id of its customer, if the books show it.
    :param shown: False when the books no longer show it; its number and due date are then unknown.
    """

    id: int
    total: int
    balance: int
    currency: str | None = None
    number: str | None = None
    date: str | None = None
    due_date: str | None = None
    removed: bool = False
    shown: bool = True
    contact: int | None = None

    @property
    def paid(self) -> int:
        """What was paid so far less refunds, minor units."""
        return self.total - self.balance

    def days_overdue(self, today: dt.date) -> int | None:
        """Count the days since it was due; None if it is not late, or if nothing is owed."""
        if self.removed or self.balance <= 0 or not self.due_date:
            return None
        days = (today - dt.date.fromisoformat(self.due_date)).days
        return days if days > 0 else None


@dataclass(frozen=True)
class Payment:
    """A payment as the books list it.

    :param shares: invoice id and the amount allocated to it, minor units.
    :param unallocated: the amount not yet allocated to an invoice, minor units.
    :param odd: the field that Kashoo shows with a value that it cannot have; empty if there is none.
    :param contact: Kashoo id of its customer, if the books show it (assumed that they do).
    """

    id: int
    date: str
    shares: tuple[tuple[int, int], ...] = ()
    unallocated: int = 0
    removed: bool = False
    odd: str = ""
    contact: int | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Allocation:
    """The part of a payment that is allocated to one invoice.

    :param amount: minor units; negative for a refund (assumed to be how Kashoo records it).
    :param credit: the unallocated amount of the whole payment, minor units.
    :param odd: as in :class:`Payment`.
    """

    payment_id: int
    invoice_id: int
    date: str
    amount: int
    credit: int = 0
    odd: str = ""


def allocations(payments: Iterable[Payment]) -> Iterable[Allocation]:
    """Split payments into their allocations; removed payments are ignored.

    An odd one that shows no allocation is given with the invoice 0: it is not known what it pays, but it is there.
    """
    for each in payments:
        shares = each.shares or (((0, 0),) if each.odd else ())
        for invoice_id, amount in () if each.removed else shares:
            yield Allocation(each.id, invoice_id, each.date, amount, each.unallocated, each.odd)


def is_complete(invoice: Invoice, parts: Iterable[Allocation]) -> bool:
    """Return whether the known payments add up to what the invoice says was paid."""
    return sum(part.amount for part in parts) == invoice.paid


def settlement_of(invoice: Invoice, parts: Iterable[Allocation], today: dt.date) -> dict[str, Any]:
    """Describe an invoice and its payments by the fields of ``SETTLEMENT_SOURCE``; unknown fields are left out.

    :param parts: all allocations to it.
    :param today: by the zone of the business.
    """
    own = sorted(parts, key=lambda part: (part.date, part.payment_id))
    received = [part for part in own if part.amount > 0]
    return {
        "invoice_id": str(invoice.id),
        "status": status_of(invoice, own),
        "currency": invoice.currency,
        "total": invoice.total,
        "paid": _paid(invoice, own),
        "balance": invoice.balance,
        "last_payment_date": received[-1].date if received else None,
        "days_overdue": invoice.days_overdue(today),
    } | ({"number": invoice.number, "date": invoice.date, "due_date": invoice.due_date} if invoice.shown else {})


def status_of(invoice: Invoice, parts: Collection[Allocation]) -> str:
    """Give the status of an invoice.

    :param parts: all allocations to it.
    """
    paid = _paid(invoice, parts)
    if invoice.removed:
        return VOID
    if invoice.balance < 0 or (invoice.balance == 0 and any(part.credit > 0 for part in parts)):
        return OVERPAID
    if invoice.balance == 0 and (paid or not invoice.total):
        return PAID
    if paid > 0:
        return PARTLY_PAID
    return REFUNDED if any(part.amount < 0 for part in parts) else OPEN


def _paid(invoice: Invoice, parts: Iterable[Allocation]) -> int:
    """Count what was paid; the balance of a removed invoice cannot be trusted: of it, payments that still exist."""
    return sum(part.amount for part in parts) if invoice.removed else invoice.paid

"""What customers owe by the books, and why payments or an Account in Salesforce say something else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BalanceName(StrEnum):
    """What a difference between balances is called, as people and programs read it."""

    PAYMENTS = "payments do not add up"
    ODD_PAYMENT = "unreadable payment"
    NOT_WRITTEN_BACK = "not written back yet"
    CHANGED_IN_SALESFORCE = "changed in Salesforce"
    PARKED = "balance parked"
    NOT_READABLE = "Account not readable"


BALANCE_STEP = {
    BalanceName.PAYMENTS: "Open the invoice in Kashoo: what it says is paid is not what its payments say.",
    BalanceName.ODD_PAYMENT: "Open the payments of the invoice in Kashoo, and correct the one with an odd value.",
    BalanceName.NOT_WRITTEN_BACK: "Nothing to do: the next run of kashoo_to_salesforce writes it.",
    BalanceName.CHANGED_IN_SALESFORCE: "Ask who changed the Account. It is written again when the balance changes.",
    BalanceName.PARKED: "See its cause: airflow kashoo status. Correct it; every run tries it again.",
    BalanceName.NOT_READABLE: "Give the Salesforce user access to the Account, or dismiss it if it was deleted.",
}
"""What a person does about a difference, unless what is parked says more."""

OF_INVOICES = frozenset({BalanceName.PAYMENTS, BalanceName.ODD_PAYMENT})
"""Names of a difference about an invoice."""

OF_ACCOUNTS = frozenset({*BalanceName} - OF_INVOICES)
"""Names of a difference about an Account."""


@dataclass(slots=True)
class Customer:
    """What one customer owes in one currency, as the books list it; minor units.

    :ivar kashoo_id: 0 for invoices and payments that show no customer.
    :ivar open: what is still to be paid of its invoices.
    :ivar credits: what it paid too much, or for no invoice yet.
    :ivar ours: what is still to be paid of the invoices that this sync made, less what was paid too much on them.
    :ivar source_id: the Salesforce record that it was made from; empty if there is none.
    :ivar says: what Salesforce says of :attr:`ours`; None if no field of it does.
    :ivar name: as Salesforce says; empty unless it was asked.
    """

    currency: str
    kashoo_id: int
    open: int = 0
    credits: int = 0
    ours: int = 0
    source_id: str = ""
    says: int | None = None
    name: str = ""

    @property
    def balance(self) -> int:
        """Open invoices less credits."""
        return self.open - self.credits

    @property
    def label(self) -> str:
        """What people know it by."""
        record = self.source_id or (f"Kashoo {self.kashoo_id}" if self.kashoo_id else "no customer")
        return f"{self.name} ({record})" if self.name else record

    def owes(self, balance: int, *, ours: bool) -> None:
        """Count one invoice.

        :param balance: what is still to be paid; negative when too much was paid.
        """
        self.open += max(balance, 0)
        self.credits += max(-balance, 0)
        self.ours += balance if ours else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What an Account says that its customer owes, and what it should say; minor units.

    :param says: None if Salesforce does not show the Account.
    :param owes: by the invoices that this sync made.
    :param untouched: it says what was written last, or it is not known that anything was.
    :param parked: its write-back waits for a person.
    """

    says: int | None
    owes: int
    untouched: bool = False
    parked: bool = False


def name_of_account(each: Account) -> BalanceName | None:
    """Name why an Account does not say what its customer owes; None if it does."""
    if each.says == each.owes:
        return None
    if each.parked:
        return BalanceName.PARKED
    if each.says is None:
        return BalanceName.NOT_READABLE if each.owes else None
    return BalanceName.NOT_WRITTEN_BACK if each.untouched else BalanceName.CHANGED_IN_SALESFORCE


def name_of_payments(paid: int, by_payments: int, *, odd: bool) -> BalanceName | None:
    """Name why an invoice and its payments do not agree about what was paid; None if they do.

    :param paid: total less what is still to be paid, minor units.
    :param by_payments: what its payments say together (that both are equal is assumed of Kashoo).
    :param odd: a payment that is or may be one of it cannot be read.
    """
    if paid == by_payments:
        return None
    return BalanceName.ODD_PAYMENT if odd else BalanceName.PAYMENTS

"""What customers owe on the day of a tie-out, and where payments or Accounts in Salesforce say something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kashoo.core.rules.receivables import Customer
from airflow_provider_kashoo.core.values.money import format_in
from airflow_provider_kashoo.reports.difference import Difference


@dataclass
class Total:
    """What all customers owe in one currency, minor units.

    :ivar open: what is still to be paid of invoices.
    :ivar credits: what was paid too much, or for no invoice yet.
    """

    currency: str
    customers: int = 0
    open: int = 0
    credits: int = 0

    @property
    def balance(self) -> int:
        """Open invoices less credits."""
        return self.open - self.credits


@dataclass
class Receivables:
    """What customers owe.

    :param since: first day of the invoices and payments that count, ``YYYY-MM-DD``.
    :param customers: that owe something or have a credit, the largest balance of each currency first.
    :param notes: what is not compared, and why.
    :param unseen: keys of differences that were noted before, and not looked at now.
    """

    since: str
    customers: list[Customer]
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: frozenset[str] = frozenset()

    @property
    def totals(self) -> list[Total]:
        """Add up each currency."""
        found: dict[str, Total] = {}
        for each in self.customers:
            total = found.setdefault(each.currency, Total(each.currency))
            total.customers += 1
            total.open += each.open
            total.credits += each.credits
        return [found[currency] for currency in sorted(found)]

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON, without differences: amounts in minor units."""
        totals = ("currency", "customers", "open", "credits", "balance")
        names = ("currency", "kashoo_id", "source_id", "name", "open", "credits", "balance", "ours", "says")
        return {
            "since": self.since,
            "totals": [{name: getattr(each, name) for name in totals} for each in self.totals],
            "customers": [{name: getattr(each, name) for name in names} for each in self.customers],
            "notes": self.notes,
        }


def balance_text(total: Total) -> str:
    """Write what all customers owe in a line, for the log."""
    open_, credits_, balance = (format_in(total.currency, each) for each in (total.open, total.credits, total.balance))
    return f"owed today {total.currency}: open invoices {open_} - credits {credits_} = {balance}"

"""Differences between what customers owe, what payments say and what Accounts say: for a test and the benchmark."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

from receivables import pay
from records import add_account, add_deal
from rounds import Rounds

from airflow_provider_kashoo.reports.difference import TODAY
from airflow_provider_kashoo.reports.tie_out import TieOut

BALANCE = "Kashoo_Open_Balance__c"


def plant_balances(drive: Rounds, *, seed: int = 1, each: int = 1) -> dict[str, set[str]]:
    """Bill deals whose Accounts are told, and let their balances differ.

    :param drive: whose mappings tell Accounts.
    :param each: how many of every name.
    :returns: name -> ids of deals or Accounts, as the report names their record.
    """
    random, box = Random(seed), drive.sandbox  # noqa: S311  the same on every run
    wanted: dict[str, set[str]] = defaultdict(set)
    made: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in (*_PLANTED, "in step"):
        for _ in range(each):
            account = add_account(box)
            deal = add_deal(box, account, _amount(random))
            if name == "balance parked":
                add_deal(box, account, _amount(random), CurrencyIsoCode="CAD")
            made[name].append((account, deal))
    drive.run()
    drive.run_back()
    books = box.books.business(box.books.main())
    for name, plant in _PLANTED.items():
        for account, deal in made[name]:
            wanted[name].add(plant(drive, books, account, deal))
    return wanted


def said_of(report: TieOut) -> dict[str, set[str]]:
    """Name -> the records of the differences of balances."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in report.differences:
        if each.month == TODAY:
            found[str(each.name)].add(str(each.source_id))
    return found


def _amount(random: Random) -> str:
    return f"{random.randrange(20_000, 900_000) / 100:.2f}"


def _moved(drive: Rounds, books: Any, _: str, deal: str) -> str:
    """A payment is gone, and the balance of its invoice did not move; the Account is told that balance."""
    books.tables["invoicePayments"].rows[pay(drive, deal, 700)]["removed"] = True
    drive.run_back()
    return deal


def _odd(drive: Rounds, books: Any, _: str, deal: str) -> str:
    payment = pay(drive, deal, 800)
    drive.run_back()
    books.tables["invoicePayments"].rows[payment]["allocations"][0]["amount"] = "8.00"
    return deal


def _late(drive: Rounds, _: Any, account: str, deal: str) -> str:
    pay(drive, deal, 900)
    return account


def _changed(drive: Rounds, _: Any, account: str, __: str) -> str:
    drive.sandbox.org.update("Account", account, {BALANCE: 1})
    return account


def _parked(_: Rounds, __: Any, account: str, ___: str) -> str:
    return account


def _gone(drive: Rounds, _: Any, account: str, __: str) -> str:
    drive.sandbox.org.table("Account").rows.pop(account)
    return account


_PLANTED = {
    "payments do not add up": _moved,
    "unreadable payment": _odd,
    "changed in Salesforce": _changed,
    "balance parked": _parked,
    "Account not readable": _gone,
    "not written back yet": _late,
}
"""Name -> what is done with a billed deal whose Account was told, in this order."""

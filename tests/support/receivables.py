"""Records of our own in Salesforce: the example mappings, and what people do and see."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from records import invoice_of
from rounds import Rounds, _mappings, win

EXAMPLES = Path(__file__).parents[2] / "include" / "mappings" / "examples" / "receivables"
DAY = 86_400


def with_receivables(drive: Rounds) -> Rounds:
    """Add all mappings of the examples to those that bill."""
    for path in EXAMPLES.glob("*.yaml"):
        shutil.copy(path, drive.mappings / path.name)
    _mappings.cache_clear()
    return drive


def write_mapping(drive: Rounds, name: str, text: str) -> None:
    (drive.mappings / f"{name}.yaml").write_text(text, "utf-8")
    _mappings.cache_clear()


def made(drive: Rounds, sobject: str, **having: Any) -> list[dict[str, Any]]:
    """List the records of an object in Salesforce that have some values."""
    rows = drive.sandbox.org.rows(sobject)
    return [row for row in rows if having.items() <= row.items() and not row.get("IsDeleted")]


def pay(drive: Rounds, deal: str, cents: int) -> int:
    books = drive.sandbox.books
    return int(books.pay(books.main(), invoice_of(drive.sandbox, deal)["id"], cents)["id"])


def billed(drive: Rounds, **fields: Any) -> str:
    """A deal that is billed, and told to Salesforce."""
    deal = win(drive, **fields)
    drive.run()
    drive.run_back()
    return deal


def back(drive: Rounds, days: float = 1) -> None:
    """Let days pass, and write back."""
    drive.sandbox.clock.advance(int(days * DAY))
    drive.run_back()


def balance(drive: Rounds, account: str) -> tuple[Any, Any, Any]:
    row = drive.sandbox.org.get("Account", account)
    return row["Kashoo_Open_Balance__c"], row["Kashoo_Overdue_Since__c"], row["Kashoo_Last_Payment__c"]

"""A driver whose mappings void what is not sold any more, and questions about what stands in the books then."""

from __future__ import annotations

from typing import Any

import rounds
from rounds import Rounds, bearing, change, links, open_items, quiet, win

ONE_INVOICE = r"records/invoices/\d+$"


def void_unpaid(drive: Rounds, *names: str) -> None:
    for name in names or ("invoice_from_opportunity", "invoice_from_order"):
        path = drive.mappings / f"{name}.yaml"
        text = path.read_text("utf-8").replace("to: invoice\n", "to: invoice\non_leave: void_unpaid\n")
        path.write_text(text, "utf-8")
    rounds._mappings.cache_clear()  # the driver keeps what it read of a folder once


def lose(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Negotiation/Review")


def billed_and_lost(drive: Rounds) -> str:
    """A deal was billed, and is lost after that."""
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    return deal


def rewin(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Closed Won")


def undelete(drive: Rounds, deal: str) -> None:
    """Take a deal out of the recycle bin, which moves its stamp."""
    table = drive.sandbox.org.table("Opportunity")
    row = table.rows[deal]
    drive.sandbox.org._save(table, row | {"IsDeleted": False}, row)


def sent(drive: Rounds, method: str) -> int:
    entries = drive.sandbox.logs["kashoo"].entries()
    return sum(seen["method"] == method and "records/invoices" in seen["path"] for seen in entries)


def all_invoices(drive: Rounds, source: str) -> list[dict[str, Any]]:
    """List every invoice a record ever had, removed ones too."""
    rows = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"].rows.values()
    return [row for row in rows if f"[sf:{source}:" in (row["memo"] or "")]


def standing(drive: Rounds, source: str) -> list[str]:
    """List the references that stand in the books for a record."""
    return [f"[sf:{row['memo'].partition('[sf:')[2]}" for row in bearing(drive, source)]


def told(drive: Rounds, ident: str, sobject: str = "Opportunity") -> tuple[Any, ...]:
    row = drive.sandbox.org.table(sobject).rows[ident]
    return tuple(row[f"Kashoo_{name}__c"] for name in ("Status", "Paid", "Balance", "Invoice"))


def causes(drive: Rounds, deal: str) -> list[str]:
    return [row["cause"] for row in drive.store.reviews.all_open() if row["source_id"] == deal]


def voided(drive: Rounds, deal: str) -> None:
    """Nothing stands, nothing waits, and nothing is written any more."""
    quiet(drive)
    assert standing(drive, deal) == []
    assert deal not in links(drive)
    assert open_items(drive) == []


def rebilled(drive: Rounds, deal: str, generation: int) -> None:
    """One invoice of this generation stands and is linked, all earlier ones are removed, nothing waits."""
    quiet(drive)
    assert standing(drive, deal) == [f"[sf:{deal}:1:{generation}]"]
    every = all_invoices(drive, deal)
    assert [row["removed"] for row in every] == [True] * (generation - 1) + [False]
    assert links(drive)[deal] == every[-1]["id"]
    assert told(drive, deal)[0] == "Open"
    assert told(drive, deal)[3] == every[-1]["number"]
    assert open_items(drive) == []

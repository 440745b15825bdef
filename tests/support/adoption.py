"""A customer and invoices as the accountant made them by hand, and what adopting them finds."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from records import Row, add_account, books_rows, today, writes
from rich.console import Console
from rounds import Rounds

from airflow_provider_kashoo.cli import adopt as by_hand
from airflow_provider_kashoo.cli.adopt import Choice
from airflow_provider_kashoo.sync.by_hand.adopt import Adoption, Finding, Report

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def customer(drive: Rounds, email: str = "ap@north.example", name: str = "Northern Lights") -> int:
    """Add a customer to the books, as the accountant did."""
    body = {"contactInformation": {"name": name, "email": email}}
    return int(drive.sandbox.books.create(drive.sandbox.books.main(), "customers", body)["id"])


def bill(drive: Rounds, contact: int, amount: str = "250.00", **fields: Any) -> Row:
    """Add an invoice to the books, as the accountant did."""
    account = next(row["id"] for row in books_rows(drive.sandbox, "accounts") if row["type"] == "INCOME")
    line = {"account": account, "quantity": 1, "rate": int(Decimal(amount) * 100), "taxCode": ""}
    body = {"contact": contact, "currency": "USD", "date": today(drive.sandbox), "memo": "by hand", "lineItems": [line]}
    return drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**body, **fields})


def north(drive: Rounds) -> tuple[str, int]:
    """One customer on both sides, known by its e-mail."""
    return add_account(drive.sandbox, "Northern Lights", "ap@north.example"), customer(drive)


def adopt(drive: Rounds, since: datetime | None = BEGINNING, sync: Any = None, **choice: Any) -> Report:
    """Adopt without a question; neither side is written to."""
    before = writes(drive.sandbox)
    try:
        return converse(drive, since, sync, **{"yes": True} | choice)[0]
    finally:
        assert writes(drive.sandbox) == before


def converse(
    drive: Rounds, since: datetime | None = BEGINNING, sync: Any = None, ask: Any = None, **choice: Any
) -> tuple[Report, str]:
    """Adopt, a minute after whatever happened before; give the report and all that was printed."""
    drive.sandbox.clock.advance(60)
    console = Console(file=io.StringIO(), width=200)
    report = by_hand.adopt(sync or drive.sync(), since, Choice(**choice), console, ask)
    return report, console.file.getvalue()  # type: ignore[attr-defined]


def compared(drive: Rounds) -> tuple[Adoption, Report]:
    """Read and compare, but link nothing yet: whatever is linked then comes in between."""
    drive.sandbox.clock.advance(60)
    late = Adoption(drive.sync(), BEGINNING)
    late.read_salesforce()
    return late, late.compare()


def found(report: Report, ident: str) -> Finding:
    (finding,) = [each for each in report.findings if each.intent.record.id == ident]
    return finding


def said(report: Report, ident: str) -> tuple[str, str, tuple[int, ...]]:
    finding = found(report, ident)
    return finding.result.value, finding.why, finding.candidates


def silent_run(drive: Rounds) -> None:
    """The nightly run finds nothing to write."""
    before = writes(drive.sandbox)
    drive.run()
    assert writes(drive.sandbox) == before


def other_product(drive: Rounds) -> str:
    return next(
        row["ProductCode"] for row in drive.sandbox.org.rows("PricebookEntry") if row["ProductCode"] != "HW-100"
    )

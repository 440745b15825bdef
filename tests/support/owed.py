"""What a tie-out says that customers owe, and what people do in the books."""

from __future__ import annotations

from datetime import date
from typing import Any

from records import edit, invoice_of
from rounds import Rounds, links

from airflow_provider_kashoo.core.rules.receivables import Customer
from airflow_provider_kashoo.reports.receivables import Receivables
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import note, tie_out

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
BALANCE = "Kashoo_Open_Balance__c"


def owed(drive: Rounds) -> Receivables:
    found = tie_out(drive.sync(), MARCH).receivables
    assert found
    return found


def owing(drive: Rounds, account: str, currency: str = "USD") -> Customer:
    mine = (each for each in owed(drive).customers if (each.source_id, each.currency) == (account, currency))
    (found,) = mine
    return found


def named(drive: Rounds) -> list[tuple[str, str | None, int, int]]:
    return [(str(each.name), each.source_id, each.deal_minor, each.books_minor) for each in owed(drive).differences]


def credit(drive: Rounds, deal: str, cents: int, day: str = "2026-03-04", **fields: Any) -> int:
    """Let the customer of a deal pay for no invoice yet; gives the payment."""
    invoice = invoice_of(drive.sandbox, deal)
    body = {name: invoice[name] for name in ("contact", "currency")}
    body |= {"date": day, "amount": cents, "allocations": [], "unallocatedAmount": cents, **fields}
    return int(drive.sandbox.books.create(drive.sandbox.books.main(), "invoicePayments", body)["id"])


def books_of(drive: Rounds) -> Any:
    return drive.sandbox.books.business(drive.sandbox.books.main())


def raw_payment(drive: Rounds, ident: int) -> dict[str, Any]:
    row: dict[str, Any] = books_of(drive).tables["invoicePayments"].rows[ident]
    return row


def raw_invoice(drive: Rounds, deal: str) -> dict[str, Any]:
    row: dict[str, Any] = books_of(drive).tables["invoices"].rows[links(drive)[deal]]
    return row


def pays(drive: Rounds, deal: str, cents: int) -> None:
    """Let the balance of an invoice move without a payment."""
    books_of(drive).allocated[links(drive)[deal]] += cents


def by_hand(drive: Rounds, deal: str, cents: int) -> None:
    """Let the accountant write an invoice for the customer of a deal."""
    row = {**invoice_of(drive.sandbox, deal), "memo": "by hand", "number": None}
    row["lineItems"] = [{**row["lineItems"][0], "quantity": 1, "rate": cents}]
    drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", row)


def move(drive: Rounds, deal: str, day: str) -> None:
    """Let the accountant give an invoice another date."""
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date=day, dueDate=day)


def noted(drive: Rounds, first: date | None = None, last: date | None = None) -> Receivables:
    """Compare as the DAG does, and note what is found."""
    period = Period(first or MARCH.first, last or max(MARCH.last, drive.sandbox.clock.now().date()))
    report = tie_out(drive.sync(), period)
    note(drive.sync(), period, report)
    assert report.receivables
    return report.receivables

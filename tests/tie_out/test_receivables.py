"""What customers owe today: open invoices less credits, held against payments and against Accounts in Salesforce."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from planted_balances import plant_balances, said_of
from receivables import pay, with_receivables
from records import add_account, add_deal, invoice_of
from rounds import Rounds, Start, links, win

from airflow_provider_kashoo.cli.tie_out import as_text, compared
from airflow_provider_kashoo.core.rules.receivables import BalanceName, Customer
from airflow_provider_kashoo.reports.receivables import Receivables
from airflow_provider_kashoo.sync.tie_out.marks import mark
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import NOT_TODAY, NOT_TOLD, note, tie_out

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
BALANCE = "Kashoo_Open_Balance__c"


@pytest.fixture
def drive(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = fixed_weeks.again(tmp_path)
    yield drive
    drive.end()


@pytest.fixture
def told(drive: Rounds) -> Rounds:
    """Accounts are told what their customers owe."""
    with_receivables(drive).run_back()
    return drive


def owed(drive: Rounds) -> Receivables:
    found = tie_out(drive.sync(), MARCH).receivables
    assert found
    return found


def owing(drive: Rounds, account: str) -> Customer:
    (found,) = (each for each in owed(drive).customers if each.source_id == account)
    return found


def named(drive: Rounds) -> list[tuple[str, str | None, int, int]]:
    return [(str(each.name), each.source_id, each.deal_minor, each.books_minor) for each in owed(drive).differences]


def credit(drive: Rounds, deal: str, cents: int, day: str = "2026-03-04") -> None:
    """Let the customer of a deal pay for no invoice yet."""
    invoice = invoice_of(drive.sandbox, deal)
    body = {name: invoice[name] for name in ("contact", "currency")}
    body |= {"date": day, "amount": cents, "allocations": [], "unallocatedAmount": cents}
    drive.sandbox.books.create(drive.sandbox.books.main(), "invoicePayments", body)


def books_of(drive: Rounds) -> Any:
    return drive.sandbox.books.business(drive.sandbox.books.main())


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


def test_a_customer_owes_its_open_invoices_less_its_credits(drive: Rounds) -> None:
    """Also one of before the period, and one that is not ours; what is paid whole counts no more."""
    account = add_account(drive.sandbox)
    amounts = "250.00", "100.00", "700.00", "900.00"
    first, second, old, paid = (add_deal(drive.sandbox, account, each) for each in amounts)
    drive.sandbox.org.update("Opportunity", old, {"CloseDate": "2026-01-20"})
    drive.run()
    pay(drive, first, 5_000)
    pay(drive, second, 12_000)  # 20.00 too much
    pay(drive, paid, 90_000)
    credit(drive, first, 3_000)
    by_hand(drive, first, 4_400)
    found = owing(drive, account)
    assert (found.open, found.credits, found.balance) == (20_000 + 70_000 + 4_400, 2_000 + 3_000, 89_400)
    assert (found.ours, found.says) == (90_000, None)
    assert named(drive) == []
    (total,) = owed(drive).totals
    assert total.balance == sum(each.balance for each in owed(drive).customers)
    assert owed(drive).notes == [NOT_TOLD]


def test_an_invoice_that_says_something_else_is_paid_than_its_payments(drive: Rounds) -> None:
    deal, other = win(drive), win(drive)
    drive.run()
    pay(drive, deal, 10_000)
    payment = pay(drive, other, 10_000)
    books_of(drive).tables["invoicePayments"].rows[payment]["removed"] = (
        True  # and the balance of its invoice did not move
    )
    assert named(drive) == [("payments do not add up", other, 0, 10_000)]
    pays(drive, deal, 1)
    assert named(drive) == [
        ("payments do not add up", deal, 10_000, 10_001),
        ("payments do not add up", other, 0, 10_000),
    ]


def test_a_payment_that_is_older_than_every_invoice_is_found(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 7_000, "2025-06-01")
    assert named(drive) == []
    assert owed(drive).since < "2025-06-01"


def test_what_cannot_be_read_is_named_and_left_out(drive: Rounds) -> None:
    deal, other = win(drive), win(drive)
    drive.run()
    payment = books_of(drive).tables["invoicePayments"].rows[pay(drive, deal, 7_000)]
    payment["allocations"][0]["amount"] = "70.00"
    raw_invoice(drive, other)["totalDue"] = Decimal("12.5")
    assert named(drive) == [("unreadable payment", deal, 0, 7_000)]
    unread = ["1 invoices cannot be read: balances are without them", "1 payments cannot be read"]
    assert [said.partition(":")[0] for said in owed(drive).notes[:2]] == [said.partition(":")[0] for said in unread]


def test_an_account_says_what_its_customer_owes_once_it_is_written_back(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    assert named(told) == [("not written back yet", account, 0, 25_000)]
    told.run_back()
    assert named(told) == []
    assert owing(told, account).says == 25_000
    pay(told, deal, 10_000)
    assert named(told) == [("not written back yet", account, 25_000, 15_000)]
    pay(told, deal, 15_000)
    assert named(told) == [("not written back yet", account, 25_000, 0)]
    told.run_back()
    assert named(told) == []
    assert owed(told).notes == []


def test_a_balance_that_a_person_changed_in_salesforce_is_told_from_a_late_one(told: Rounds) -> None:
    account = add_account(told.sandbox)
    add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    told.sandbox.org.update("Account", account, {BALANCE: Decimal("1.50")})
    assert named(told) == [("changed in Salesforce", account, 150, 25_000)]
    told.sandbox.org.update("Account", account, {BALANCE: None})
    assert named(told) == [("changed in Salesforce", account, 0, 25_000)]


def test_an_account_in_two_currencies_is_parked_and_one_that_is_gone_is_not_readable(told: Rounds) -> None:
    two, gone = add_account(told.sandbox), add_account(told.sandbox)
    for account, currency in ((two, "USD"), (two, "CAD"), (gone, "USD")):
        add_deal(told.sandbox, account, "250.00", CurrencyIsoCode=currency)
    told.run()
    told.run_back()
    told.sandbox.org.table("Account").rows.pop(gone)
    assert named(told) == [
        ("balance parked", two, 0, 25_000),
        ("balance parked", two, 0, 25_000),
        ("Account not readable", gone, 0, 25_000),
    ]
    assert {each.currency for each in owed(told).differences[:2]} == {"CAD", "USD"}


def test_while_something_cannot_be_read_no_balance_is_said_to_be_written_by_the_next_run(told: Rounds) -> None:
    deal = win(told)
    odd = win(told)
    told.run()
    told.run_back()
    pay(told, deal, 100)
    raw_invoice(told, odd)["totalDue"] = Decimal("12.5")
    late = [each for each in owed(told).differences if each.deal_minor == 25_000 and each.books_minor == 24_900]
    assert [each.next_step for each in late] == [
        "Correct in Kashoo what cannot be read: until then no balance is written back."
    ]


def test_a_period_that_ended_before_today_asks_for_no_payments(drive: Rounds) -> None:
    win(drive)
    drive.run()
    drive.sandbox.logs["kashoo"].clear()
    report = tie_out(drive.sync(), FEBRUARY)
    assert (report.receivables, report.notes) == (None, [NOT_TODAY])
    assert not [each for each in drive.sandbox.logs["kashoo"].entries() if "invoicePayments" in each["path"]]
    assert report.as_json()["receivables"] is None


def test_a_person_decides_about_a_balance_and_it_keeps_no_month_open(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    pays(drive, deal, 1)
    report = tie_out(drive.sync(), MARCH)
    assert note(drive.sync(), MARCH, report) == (2, 0)  # also paid differently, in its month
    (found,) = report.receivables.differences if report.receivables else ()
    mark(drive.database, found.id, "dismissed", by="ann", reason="a cent of Kashoo's")
    (now,) = owed(drive).differences
    assert (now.state, now.why) == ("dismissed", "a cent of Kashoo's")
    pays(drive, deal, -1)
    assert note(drive.sync(), MARCH, tie_out(drive.sync(), MARCH)) == (0, 2)
    past = tie_out(drive.sync(), FEBRUARY)
    pays(drive, deal, 1)
    note(drive.sync(), MARCH, tie_out(drive.sync(), MARCH))
    assert note(drive.sync(), FEBRUARY, past) == (0, 0)  # it did not look at balances: none is resolved


def test_the_report_says_the_same_of_balances_in_every_form(told: Rounds) -> None:
    account = add_account(told.sandbox, "Ada & Söhne <GmbH>")
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    credit(told, deal, 1_000)
    report = compared(told.sync(), MARCH.first, MARCH.last)
    shown = json.loads(as_text(report, "json"))["receivables"]
    (row,) = (each for each in shown["customers"] if each["source_id"] == account)
    assert (row["open"], row["credits"], row["balance"], row["says"]) == (25_000, 1_000, 24_000, 0)
    assert row["name"] == "Ada & Söhne <GmbH>"
    (difference,) = shown["differences"]
    assert (difference["name"], difference["deal_minor"], difference["books_minor"]) == (
        "not written back yet",
        0,
        25_000,
    )
    page, table = as_text(report, "html"), as_text(report, "table")
    assert "Ada &amp; Söhne &lt;GmbH&gt;" in page
    for text in (page, table):
        assert "240.00" in text
        assert "not written back yet" in text
    rows = list(csv.DictReader(io.StringIO(as_text(report, "csv"))))
    (balance,) = (each for each in rows if each["name"] == "balance" and each["source_id"] == account)
    assert (balance["deal_minor"], balance["books_minor"], balance["why"]) == (
        "0",
        "24000",
        "open invoices 25000, credits 1000",
    )


def test_an_invoice_that_shows_no_customer_counts_apart(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    raw_invoice(drive, deal).pop("contact")
    (found,) = (each for each in owed(drive).customers if not each.kashoo_id)
    assert (found.label, found.balance) == ("no customer", 25_000)


def test_every_planted_difference_of_balances_is_found_and_named_right(told: Rounds) -> None:
    wanted = plant_balances(told)
    assert said_of(tie_out(told.sync(), MARCH)) == wanted
    assert {*wanted} == {*map(str, BalanceName)}

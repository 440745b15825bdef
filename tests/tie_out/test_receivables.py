"""What customers owe today: open invoices less credits, held against payments and against Accounts in Salesforce."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from owed import (
    FEBRUARY,
    MARCH,
    books_of,
    by_hand,
    credit,
    move,
    named,
    noted,
    owed,
    owing,
    pays,
    raw_invoice,
    raw_payment,
)
from receivables import pay, with_receivables
from records import add_account, add_deal, books_rows, invoice_of
from rounds import Rounds, Start, knows, price, reviews, win

from airflow_provider_kashoo.cli.tie_out import as_text, compared
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.tie_out.accounts import NOT_TOLD
from airflow_provider_kashoo.sync.tie_out.marks import mark
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import NOT_TODAY, note, tie_out

TODAY = date(2026, 3, 4)


@pytest.fixture
def drive(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = fixed_weeks.again(tmp_path)
    yield drive
    drive.end()


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
    by_hand(drive, old, 100)
    found = owing(drive, account)
    assert (found.open, found.credits, found.balance) == (20_000 + 70_000 + 4_400 + 100, 2_000 + 3_000, 89_500)
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


def test_what_cannot_be_read_is_named_and_left_out(drive: Rounds) -> None:
    deal, other = win(drive), win(drive)
    drive.run()
    raw_payment(drive, pay(drive, deal, 7_000))["allocations"][0]["amount"] = "70.00"
    raw_invoice(drive, other)["totalDue"] = Decimal("12.5")
    assert named(drive) == [("unreadable payment", deal, 0, 7_000)]
    assert owed(drive).notes[:2] == [
        "1 invoices cannot be read: balances are without them.",
        "1 payments cannot be read as a whole: balances may be without them.",
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


def test_the_report_says_the_same_of_balances_in_every_form(drive: Rounds) -> None:
    told = drive
    with_receivables(told).run_back()
    account = add_account(told.sandbox, "Ada & Söhne <GmbH>")
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    credit(told, deal, 1_000)
    report = compared(told.sync(), MARCH.first, MARCH.last)
    shown = json.loads(as_text(report, "json"))["receivables"]
    (row,) = (each for each in shown["customers"] if each["source_id"] == account)
    assert (row["open"], row["credits"], row["balance"], row["says"]) == (25_000, 1_000, 24_000, None)
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
    assert (balance["deal_minor"], balance["books_minor"]) == ("", "24000")
    assert (balance["open_minor"], balance["credits_minor"], balance["of_this_sync_minor"]) == (
        "25000",
        "1000",
        "25000",
    )
    assert balance["customer"] == "Ada & Söhne <GmbH>"


def test_an_invoice_that_shows_no_customer_counts_apart(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    raw_invoice(drive, deal).pop("contact")
    (found,) = (each for each in owed(drive).customers if not each.kashoo_id)
    assert (found.label, found.balance) == ("no customer", 25_000)


def test_credits_and_balances_below_zero_count_as_they_are(drive: Rounds) -> None:
    """Money given back without an invoice uses up a credit; a negative balance is one."""
    account = add_account(drive.sandbox)
    first, second = (add_deal(drive.sandbox, account, each) for each in ("250.00", "150.00"))
    drive.run()
    credit(drive, first, 3_000)
    credit(drive, first, -1_000)
    pays(drive, second, 16_000)  # 10.00 too much, which its payments do not say
    credit(drive, first, -700, currency="EUR")
    found = owing(drive, account)
    assert (found.open, found.credits, found.ours, found.balance) == (25_000, 3_000, 24_000, 22_000)
    euros = owing(drive, account, "EUR")
    assert (euros.open, euros.credits, euros.balance) == (0, -700, 700)
    assert (owed(drive).totals[0].currency, owed(drive).totals[0].customers) == ("EUR", 1)
    pays(drive, second, -16_000)
    pay(drive, second, 5_000)
    pays(drive, second, -1)
    assert named(drive) == [("payments do not add up", second, 5_000, 4_999)]


def test_customers_are_listed_by_currency_the_largest_balance_first(drive: Rounds) -> None:
    for amount in ("200.00", "900.00", "300.00"):
        win(drive, amount)
    win(drive, "150.00", CurrencyIsoCode="CAD")
    drive.run()
    listed = [(each.currency, each.balance) for each in owed(drive).customers]
    assert listed == sorted(listed, key=lambda each: (each[0], -each[1]))
    assert [each.customers for each in owed(drive).totals] == [1, len(listed) - 1]


@pytest.mark.parametrize("day", ["2025-11-01", "2024-06-01", "2027-06-01"])
def test_an_invoice_whose_date_was_moved_still_counts(drive: Rounds, day: str) -> None:
    deal = win(drive)
    drive.run()
    move(drive, deal, day)
    found = owed(drive)
    if day == "2024-06-01":  # more than 400 days away
        assert found.notes[0] == "1 invoices that are not paid are in no list: balances are without them."
    else:
        assert 25_000 in [each.ours for each in found.customers]
        assert found.notes == [NOT_TOLD]


def test_an_invoice_of_which_a_person_is_asked_because_it_was_removed_is_not_searched(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", raw_invoice(drive, deal)["id"])
    price(drive, deal, "300.00")
    drive.run()
    assert reviews(drive) == [(deal, "removed_in_books")]
    drive.sandbox.logs["kashoo"].clear()
    assert owed(drive).notes == [NOT_TOLD]
    asked = [each for each in drive.sandbox.logs["kashoo"].entries() if each["path"].endswith("/invoices")]
    assert len(asked) == 2  # a page, and the empty one


def test_what_is_owed_does_not_depend_on_the_days_that_are_compared(drive: Rounds) -> None:
    """Nor on whether some other invoice disagrees with its payments."""
    deal, other = win(drive), win(drive)
    drive.run()
    by_hand(drive, deal, 4_400)
    credit(drive, deal, 900, "2026-01-20")  # before the days that are looked at
    credit(drive, deal, 500, "2026-02-20")

    def said(first: date, last: date) -> list[tuple[str, int, int]]:
        report = tie_out(drive.sync(), Period(first, last))
        assert report.receivables
        return [(each.label, each.open, each.credits) for each in report.receivables.customers]

    before = said(MARCH.first, MARCH.last)
    assert (25_000 + 4_400, 500) in [each[1:] for each in before]
    pays(drive, other, 1)
    pays(drive, other, -1)
    for first, last in ((TODAY, TODAY), (date(2025, 1, 1), TODAY), (date(2027, 1, 1), date(2027, 2, 1))):
        assert said(first, last) == before
    raw_payment(drive, pay(drive, other, 100))["removed"] = True
    assert [each for each in said(TODAY, TODAY) if each[2]] == [each for each in before if each[2]]


@pytest.mark.parametrize(("first", "last"), [("0001-01-01", "2026-03-04"), ("2026-03-01", "9999-12-31")])
def test_a_year_in_which_no_books_were_kept_is_refused(first: str, last: str) -> None:
    with pytest.raises(ConfigurationError, match=r"not within the years 1900 to 2200\..*Correct --from or --to"):
        Period(date.fromisoformat(first), date.fromisoformat(last))


def test_a_payment_that_shows_no_invoice_may_be_the_one_that_is_missed(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    raw_payment(drive, pay(drive, deal, 7_000))["allocations"] = {"record": 1}
    assert named(drive) == [("unreadable payment", deal, 0, 7_000)]


def test_a_difference_stays_until_its_invoice_is_looked_at_again(drive: Rounds) -> None:
    """Of a paid invoice, two months later: it is in no list of today's, and what a person said stays."""
    deal = win(drive)
    drive.run()
    payment = pay(drive, deal, 25_000)
    for row in books_rows(drive.sandbox, "invoices"):
        if row["balanceDue"]:
            drive.sandbox.books.pay(drive.sandbox.books.main(), row["id"], row["balanceDue"])
    drive.run_back()
    raw_payment(drive, payment)["removed"] = True
    (found,) = noted(drive).differences
    mark(drive.database, found.id, "dismissed", by="ann", reason="known")
    drive.sandbox.clock.advance(70 * 86_400)
    drive.run()
    later = noted(drive, date(2026, 5, 13), date(2026, 5, 13))
    assert later.differences == []
    with drive.database.begin() as connection:
        states = connection.exec_driver_sql("SELECT state, reason FROM differences WHERE month = 'today'").all()
        (told,) = connection.exec_driver_sql("SELECT target, reason FROM audit WHERE event = 'dismissed'").all()
    assert [tuple(each) for each in states] == [("dismissed", "known")]
    assert tuple(told) == ("invoice", "difference payments do not add up of today dismissed by ann: known")


def test_a_currency_without_cents_is_written_without_them(drive: Rounds) -> None:
    books_of(drive).currencies |= {"JPY"}
    knows(drive, iso_minor_units=["JPY"])
    deal = win(drive, "1250", CurrencyIsoCode="JPY")
    drive.run()
    pays(drive, deal, 1)
    report = compared(drive.sync(), MARCH.first, MARCH.last)
    for form in ("table", "html"):
        text = as_text(report, form)
        assert "1,249" in text
        assert "12.49" not in text
        assert "12.50" not in text

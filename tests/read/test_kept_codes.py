"""Accounts and taxes are read once a day, and whenever what was kept of them may be out of date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of, invoices_of
from rounds import Rounds, Start, open_items, operations, remap, reviews, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.preflight import check_both_sides

INVOICES = "invoice_from_opportunity"
ACCOUNT = 'account: "type:INCOME"'


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


@pytest.fixture
def lists_read(drive: Rounds) -> Callable[[], list[str]]:
    """Name the lists of codes that were read since the last call, each once."""
    log = drive.sandbox.logs["kashoo"]
    drive.run()  # whatever `start` left is a day old or not: from here on it is known

    def since() -> list[str]:
        paths = [each["path"].rpartition("/")[2] for each in log.entries()]
        log.clear()
        return sorted({"accounts", "taxes"} & set(paths))

    since()
    return since


def add_income(drive: Rounds, name: str, number: str) -> dict[str, Any]:
    account = {"name": name, "number": number, "type": "INCOME"}
    return drive.sandbox.books.create(drive.sandbox.books.main(), "accounts", account)


def described(drive: Rounds, text: str) -> str:
    """Add a deal whose line says which account it goes to."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "250.00")
    (line,) = [row for row in drive.sandbox.org.rows("OpportunityLineItem") if row["OpportunityId"] == deal]
    drive.sandbox.org.update("OpportunityLineItem", line["Id"], {"Description": text})
    return deal


def by_description(drive: Rounds) -> None:
    remap(drive, INVOICES, ACCOUNT, "account: {from: Description, default: '4000'}")


def test_they_are_read_once_a_day_and_never_for_the_way_back(drive: Rounds, lists_read: Any) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    assert invoice_of(drive.sandbox, deal)
    assert lists_read() == []
    drive.sandbox.clock.advance(86_400)
    drive.run_back()
    assert lists_read() == []
    drive.run()
    assert lists_read() == ["accounts", "taxes"]


def test_a_mapping_that_names_a_new_account_lets_them_be_read_again(drive: Rounds, lists_read: Any) -> None:
    made = add_income(drive, "Consulting", "7000")
    remap(drive, INVOICES, ACCOUNT, 'account: "7000"')
    deal = win(drive)
    drive.run()
    assert lists_read() == ["accounts", "taxes"]
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["account"] == made["id"]


def test_a_mapping_that_names_nothing_is_refused_after_they_were_read_again(drive: Rounds, lists_read: Any) -> None:
    remap(drive, INVOICES, ACCOUNT, 'account: "7000"')
    with pytest.raises(ConfigurationError, match="Kashoo has no account '7000'"):
        drive.run()
    assert lists_read() == ["accounts", "taxes"]


def test_a_deal_that_names_a_new_account_is_billed_to_it_in_the_same_run(drive: Rounds, lists_read: Any) -> None:
    by_description(drive)
    made = add_income(drive, "Consulting", "7000")
    deals = [described(drive, "Consulting"), described(drive, "Consulting")]
    drive.run()
    assert lists_read() == ["accounts", "taxes"]
    booked = {invoice_of(drive.sandbox, deal)["lineItems"][0]["account"] for deal in deals}
    assert booked == {made["id"]}
    assert open_items(drive) == []


def test_a_run_reads_them_again_once_however_many_deals_name_nothing(drive: Rounds, lists_read: Any) -> None:
    by_description(drive)
    for _ in range(2):
        described(drive, "Sails")
    drive.run()
    paths = [each["path"].rpartition("/")[2] for each in drive.sandbox.logs["kashoo"].entries()]
    assert (paths.count("accounts"), paths.count("taxes")) == (2, 2)  # a page, and the empty one
    causes = {row["cause"] for row in operations(drive, State.PARKED)}
    assert causes == {"Kashoo has no account 'Sails'"}


def test_a_plan_that_is_made_again_takes_what_its_first_try_read(
    drive: Rounds, lists_read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_description(drive)
    described(drive, "Sails")
    sync = drive.prepare()
    assert lists_read() == ["accounts", "taxes"]
    steps.plan(sync)
    assert lists_read() == []


def test_a_write_that_is_refused_lets_the_next_run_read_them_again(drive: Rounds, lists_read: Any) -> None:
    first = add_income(drive, "Consulting", "7000")
    remap(drive, INVOICES, ACCOUNT, 'account: "7000"')
    drive.run()
    edit(drive.sandbox, "accounts", first, number="7001", type="CASH")
    second = add_income(drive, "Advice", "7000")
    lists_read()
    deal = win(drive)
    drive.run()
    assert (invoices_of(drive.sandbox, deal), lists_read()) == ([], [])
    drive.run()
    assert lists_read() == ["accounts", "taxes"]
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["account"] == second["id"]
    assert open_items(drive) == []


def test_an_unexpected_total_lets_the_next_run_read_them_again(drive: Rounds, lists_read: Any) -> None:
    books = drive.sandbox.books
    (tax, *_) = books_rows(drive.sandbox, "taxes") or [None]
    assert tax
    remap(drive, INVOICES, "taxCode: none", f"taxCode: {tax['abbreviation']}")
    business = books.business(books.main())
    business.tables["taxes"].put({**tax, "rate": "50"})
    first = win(drive)
    drive.run()
    assert lists_read() == []
    assert reviews(drive) == [(first, "total_differs")]
    second = win(drive)
    drive.run()
    assert lists_read() == ["accounts", "taxes"]
    assert invoice_of(drive.sandbox, second)["totalDue"] == 37_500
    assert reviews(drive) == [(first, "total_differs")]


def test_a_person_who_checks_gets_them_as_they_are_now(drive: Rounds, lists_read: Any) -> None:
    check_both_sides(drive.sync())
    assert lists_read() == ["accounts", "taxes"]
    drive.run()
    assert lists_read() == []

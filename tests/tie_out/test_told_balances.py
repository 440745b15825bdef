"""What Accounts in Salesforce say that their customers owe, held against the books."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from owed import BALANCE, MARCH, credit, move, named, noted, owed, owing, raw_invoice, raw_payment
from planted_balances import plant_balances, said_of
from receivables import DAY, pay, with_receivables
from records import add_account, add_deal, invoice_of
from rounds import Rounds, Start, links, win
from sqlalchemy import update

from airflow_provider_kashoo.core.rules.receivables import BalanceName
from airflow_provider_kashoo.store.tables import links as rows
from airflow_provider_kashoo.sync.tell.balances import ONE_CURRENCY
from airflow_provider_kashoo.sync.tie_out.accounts import HIDDEN, NOT_TOLD, WAITS, WEEKLY
from airflow_provider_kashoo.sync.tie_out.marks import mark
from airflow_provider_kashoo.sync.tie_out.tie_out import tie_out


@pytest.fixture
def told(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    """Accounts are told what their customers owe."""
    drive = with_receivables(fixed_weeks.again(tmp_path))
    drive.run_back()
    yield drive
    drive.end()


def steps(drive: Rounds) -> dict[str | None, str]:
    return {each.source_id: each.next_step for each in owed(drive).differences}


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


def test_while_an_invoice_of_ours_cannot_be_read_no_balance_is_said_to_be_written_by_the_next_run(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal, odd = add_deal(told.sandbox, account, "250.00"), win(told)
    told.run()
    told.run_back()
    pay(told, deal, 100)
    kept = dict(raw_invoice(told, odd))
    for spoiled in ({"totalDue": Decimal("12.5")}, {"contact": None}):
        raw_invoice(told, odd).update(spoiled)
        assert steps(told)[account] == WAITS
        told.run_back()
        assert steps(told)[account] == WAITS
        raw_invoice(told, odd).update(kept)


def test_what_is_not_ours_or_a_payment_keeps_no_balance_from_being_written(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    copy = {**invoice_of(told.sandbox, deal), "memo": "by hand", "number": None}
    made = told.sandbox.books.create(told.sandbox.books.main(), "invoices", copy)
    rows_of = told.sandbox.books.business(told.sandbox.books.main()).tables["invoices"].rows
    rows_of[made["id"]]["totalDue"] = Decimal("12.5")
    raw_payment(told, credit(told, deal, 500))["unallocatedAmount"] = "5.00"
    pay(told, deal, 100)
    assert steps(told)[account] == "Nothing to do: the next run of kashoo_to_salesforce writes it."
    told.run_back()
    assert account not in steps(told)


def test_a_field_that_began_with_zero_accuses_nobody(told: Rounds) -> None:
    account = add_account(told.sandbox)
    told.sandbox.org.update("Account", account, {BALANCE: 0})
    add_deal(told.sandbox, account, "250.00")
    told.run()
    assert named(told) == [("not written back yet", account, 0, 25_000)]
    told.run_back()
    assert named(told) == []


def test_an_account_that_was_gone_is_written_by_the_weeks_first_run(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    told.sandbox.org.delete("Account", account)
    pay(told, deal, 100)
    told.run_back()
    told.sandbox.org.undelete("Account", account)
    assert steps(told) == {account: WEEKLY}
    told.sandbox.clock.advance(7 * DAY)
    told.run_back()
    assert named(told) == []


def test_a_second_currency_is_parked_before_the_write_back_says_so(told: Rounds) -> None:
    account = add_account(told.sandbox)
    add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    add_deal(told.sandbox, account, "150.00", CurrencyIsoCode="CAD")
    told.run()
    for _ in range(2):
        assert named(told) == [("balance parked", account, 25_000, 15_000)]
        assert steps(told) == {account: ONE_CURRENCY}
        told.run_back()


def test_a_credit_in_another_currency_does_not_become_that_of_the_account(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    credit(told, deal, 500, currency="CAD")
    pay(told, deal, 25_000)
    (found,) = owed(told).differences
    assert (found.currency, found.deal_minor, found.books_minor, found.kind) == ("USD", 25_000, 0, "customer")


def test_refunded_and_moved_invoices_keep_their_account_right(told: Rounds) -> None:
    account, moved = add_account(told.sandbox), add_account(told.sandbox)
    deal, other = add_deal(told.sandbox, account, "250.00"), add_deal(told.sandbox, moved, "250.00")
    told.run()
    pay(told, deal, 25_000)
    told.run_back()
    pay(told, deal, -25_000)
    move(told, other, "2025-11-01")
    told.run_back()
    told.sandbox.clock.advance(70 * DAY)
    told.run()
    told.run_back()
    report = noted(told)
    assert report.differences == []
    assert {each.source_id for each in report.customers} >= {account, moved}


def test_an_account_that_is_gone_and_owed_nothing_is_no_difference(told: Rounds) -> None:
    account = add_account(told.sandbox)
    deal = add_deal(told.sandbox, account, "250.00")
    told.run()
    pay(told, deal, 25_000)
    told.run_back()
    told.sandbox.org.table("Account").rows.pop(account)
    assert named(told) == []


def test_a_field_that_the_user_does_not_see_is_named(told: Rounds) -> None:
    win(told)
    told.run()
    told.run_back()
    told.sandbox.org.schema.hide("Account", BALANCE)
    told._org_client = None  # what it described is out of date
    assert owed(told).notes == [HIDDEN.format(field=BALANCE)]


def test_without_a_number_field_only_the_books_say_it(told: Rounds) -> None:
    path = told.mappings / "balance_to_account.yaml"
    path.write_text(path.read_text("utf-8").replace(BALANCE, "Description"), "utf-8")
    from rounds import _mappings

    _mappings.cache_clear()
    assert owed(told).notes == [NOT_TOLD]


def test_each_account_of_one_customer_says_what_it_owes(told: Rounds) -> None:
    first, second = add_account(told.sandbox), add_account(told.sandbox)
    deals = [add_deal(told.sandbox, account, "250.00") for account in (first, second)]
    told.run()
    ident = links(told, "customer")[first]
    with told.database.begin() as connection:
        connection.execute(update(rows).where(rows.c.source_id == second).values(kashoo_id=ident))
    raw_invoice(told, deals[1])["contact"] = ident
    told.run_back()
    assert named(told) == []
    assert (owing(told, first).ours, owing(told, first).says) == (50_000, 50_000)
    told.sandbox.org.update("Account", second, {BALANCE: 1})
    assert named(told) == [("changed in Salesforce", second, 100, 50_000)]


def test_what_a_person_says_of_an_account_is_about_a_customer(told: Rounds) -> None:
    account = add_account(told.sandbox)
    add_deal(told.sandbox, account, "250.00")
    told.run()
    told.run_back()
    told.sandbox.org.update("Account", account, {BALANCE: 1})
    (found,) = noted(told).differences
    mark(told.database, found.id, "investigating", by="ann", reason="asked Bob")
    with told.database.begin() as connection:
        (said,) = connection.exec_driver_sql("SELECT target, source_id FROM audit WHERE event = 'investigating'").all()
    assert tuple(said) == ("customer", account)


def test_every_planted_difference_of_balances_is_found_and_named_right(told: Rounds) -> None:
    wanted = plant_balances(told)
    assert said_of(tie_out(told.sync(), MARCH)) == wanted
    assert {*wanted} == {*map(str, BalanceName)}

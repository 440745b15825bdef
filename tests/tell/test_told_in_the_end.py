"""Whatever happened in between, Salesforce is told in the end what the books say, or a person is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from records import edit, invoice_of, today
from rounds import (
    COLLECTION,
    Rounds,
    Start,
    bearing,
    fault,
    moved_by,
    open_items,
    price,
    quiet,
    remap,
    remove,
    reviews,
    weeks,
    win,
)
from voids import all_invoices, billed_and_lost, lose, rewin, told, void_unpaid

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.sandbox.salesforce.objects import INVOICE_STATUSES
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def billed(drive: Rounds, amount: str = "250.00") -> str:
    deal = win(drive, amount)
    drive.run()
    drive.run_back()
    return deal


def pay(drive: Rounds, deal: str, cents: int) -> dict[str, Any]:
    books = drive.sandbox.books
    paid: dict[str, Any] = books.pay(books.main(), bearing(drive, deal)[0]["id"], cents)
    return paid


def table(drive: Rounds) -> Any:
    return drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]


def restore(drive: Rounds, ident: int) -> None:
    table(drive).put({**table(drive).rows[ident], "removed": False})


def last_payment(drive: Rounds, deal: str) -> str | None:
    day: str | None = drive.sandbox.org.table("Opportunity").rows[deal]["Kashoo_Last_Payment__c"]
    return day


def during_an_update(drive: Rounds, call: Callable[[], object]) -> None:
    """Call something once, while an update of Salesforce is on its way."""

    def hook(reached: str) -> None:
        if reached.startswith("received PATCH") and "composite/sobjects" in reached:
            drive.sandbox.faults["salesforce"].hook = None
            call()

    drive.sandbox.faults["salesforce"].hook = hook


def test_a_late_void_of_an_older_invoice_does_not_stay_over_the_newer_one(drive: Rounds) -> None:
    void_unpaid(drive)
    deal = billed(drive)
    lose(drive, deal)
    drive.run()

    def another_process() -> None:
        drive.sandbox.clock.advance(120)
        drive._org_client = None
        rewin(drive, deal)
        drive.run()
        drive.run_back()
        assert told(drive, deal)[0] == "Open"

    during_an_update(drive, another_process)
    drive.run_back()
    weeks(drive, 3)
    quiet(drive)
    assert told(drive, deal)[:3] == ("Open", 0, 250)


@pytest.mark.parametrize("moved", [False, True])
def test_an_invoice_dated_far_ahead_takes_no_payments_from_another(drive: Rounds, moved: bool) -> None:
    ahead = moved_by(drive, 500)
    far, deal = win(drive, CloseDate=today(drive.sandbox) if moved else ahead), win(drive, "300.00")
    drive.run()
    drive.run_back()
    pay(drive, far, 5000)
    drive.run_back()
    if moved:
        edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, far), date=ahead)
    weeks(drive, 2)
    day = today(drive.sandbox)
    pay(drive, deal, 30000)
    pay(drive, deal, -30000)
    drive.run_back()
    weeks(drive, 4)
    assert (told(drive, deal)[0], last_payment(drive, deal)) == ("Refunded", day)


@pytest.mark.parametrize("days", [-500, 0, 500])
def test_what_is_removed_and_stands_again_is_told_so(drive: Rounds, days: int) -> None:
    deal = billed(drive)
    invoice = invoice_of(drive.sandbox, deal)
    if days:
        edit(drive.sandbox, "invoices", invoice, date=moved_by(drive, days))
    remove(drive, invoice)
    weeks(drive, 1)
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    restore(drive, invoice["id"])
    weeks(drive, 4)
    assert told(drive, deal)[:3] == ("Open", 0, 250)
    assert open_items(drive) == []


def test_an_invoice_that_is_not_there_any_more_is_void_and_asked_for_no_more(drive: Rounds) -> None:
    deal = billed(drive)
    invoice = invoice_of(drive.sandbox, deal)
    remove(drive, invoice)
    del table(drive).rows[invoice["id"]]
    weeks(drive, 3)
    drive.sandbox.logs["kashoo"].clear()
    for _ in range(5):
        drive.sandbox.clock.advance(3600)
        drive.run_back()
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    assert open_items(drive) == [(deal, "removed_in_books")]
    assert not [seen for seen in drive.sandbox.logs["kashoo"].entries() if seen["path"].endswith(str(invoice["id"]))]


@pytest.mark.parametrize("again", [False, True])
def test_a_voided_invoice_that_stands_again_is_named_until_it_is_gone(drive: Rounds, again: bool) -> None:
    void_unpaid(drive)
    deal = billed_and_lost(drive)
    drive.run()
    drive.run_back()
    assert told(drive, deal)[0] == "Void"
    if again:
        rewin(drive, deal)
        drive.run()
        drive.run_back()
    invoice = all_invoices(drive, deal)[0]
    restore(drive, invoice["id"])
    weeks(drive, 2)
    assert (deal, "stands_again") in open_items(drive)
    remove(drive, invoice)
    weeks(drive, 2)
    assert open_items(drive) == []


def test_what_was_taken_over_and_got_no_answer_is_told_anew(drive: Rounds) -> None:
    deal = billed(drive)
    pay(drive, deal, 5000)

    def another_process() -> None:
        drive.sandbox.clock.advance(120)
        drive._org_client = None
        pay(drive, deal, 20000)
        drive.run_back()
        assert told(drive, deal)[0] == "Paid"
        fault(drive, "drop_after", COLLECTION, "PATCH", system="salesforce")

    during_an_update(drive, another_process)
    with pytest.raises(UnreachableError):
        drive.run_back()
    weeks(drive, 3)
    quiet(drive)
    assert told(drive, deal)[0] == "Paid"


def test_what_was_on_its_way_while_a_newer_run_found_nothing_to_tell_is_told_anew(drive: Rounds, start: Start) -> None:
    deal = billed(drive)
    pay(drive, start.deal, invoice_of(drive.sandbox, start.deal)["balanceDue"])
    drive.run_back()
    drive.sandbox.clock.advance(10 * 86_400)
    drive.run_back()
    payment = pay(drive, deal, 25000)
    older = drive.prepare(TO_SALESFORCE)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", payment["id"])
    newer = drive.prepare(TO_SALESFORCE)

    def newer_ends() -> None:
        client, drive._org_client = drive._org_client, None
        drive.finish(newer)
        drive._org_client = client

    during_an_update(drive, newer_ends)
    drive.finish(older)
    drive.sandbox.clock.advance(3600)
    drive.run_back()
    assert told(drive, deal)[0] == "Open"


def test_an_extract_that_needs_more_than_the_budget_gives_says_so(drive: Rounds) -> None:
    for _ in range(100):
        win(drive)
    drive.run()
    drive.metered, drive.limits = True, (Limit(2, 3600),)
    sync = drive.sync(TO_SALESFORCE)

    def wait_for_ever() -> None:
        while True:
            try:
                steps.extract(sync, "invoices")
            except BudgetSpent as spent:
                drive.sandbox.clock.advance(max(1.0, spent.until - drive.sandbox.clock.time()))

    with pytest.raises(ConfigurationError, match=r"The step invoices waited .* 25 times and got no further"):
        wait_for_ever()


def test_a_part_payment_older_than_a_week_costs_nothing_more(drive: Rounds) -> None:
    deal, other = win(drive), win(drive, "100000.00")
    drive.run()
    pay(drive, deal, 5000)
    for _ in range(450):
        pay(drive, other, 100)
    drive.run_back()
    drive.sandbox.clock.advance(10 * 86_400)
    drive.run_back()
    drive.run_back()
    counts = []
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.sandbox.logs["kashoo"].clear()
        assert set(drive.run_back().outcome) == {"unchanged"}
        counts.append(sum("invoicePayments" in seen["path"] for seen in drive.sandbox.logs["kashoo"].entries()))
    assert counts[-1] <= 2, counts


def patches(drive: Rounds) -> int:
    return sum(seen["method"] == "PATCH" for seen in drive.sandbox.logs["salesforce"].entries())


def test_a_value_that_does_not_fit_does_not_list_all_payments_in_every_run(drive: Rounds) -> None:
    deal, other = win(drive), win(drive, "100000.00")
    drive.run()
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    table.put({**invoice_of(drive.sandbox, deal), "number": "1001-A" * 7})
    books = drive.sandbox.books
    for _ in range(450):
        books.pay(books.main(), bearing(drive, other)[0]["id"], 100)
    drive.run_back()
    drive.sandbox.clock.advance(10 * 86_400)
    drive.run_back()
    drive.run_back()
    counts = []
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.sandbox.logs["kashoo"].clear()
        drive.run_back()
        counts.append(sum("invoicePayments" in seen["path"] for seen in drive.sandbox.logs["kashoo"].entries()))
    assert open_items(drive) == [(deal, "does_not_fit")]
    assert counts[-1] <= 2, counts


def test_an_invoice_of_nothing_that_was_removed_and_stands_again_is_told_so(drive: Rounds) -> None:
    remap(drive, "invoice_from_opportunity", "Amount >= 100", "Amount >= 0")
    deal = win(drive, "0.00")
    drive.run()
    drive.run_back()
    assert told(drive, deal)[:3] == ("Paid", 0, 0)
    invoice = bearing(drive, deal)[0]
    remove(drive, invoice)
    weeks(drive, 2)
    assert told(drive, deal)[0] == "Void"
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    table.put({**table.rows[invoice["id"]], "removed": False})
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run_back()
    assert told(drive, deal)[0] == "Paid" or reviews(drive) != []


def test_a_checkbox_is_held_as_it_is_told() -> None:
    from airflow_provider_kashoo.core.mapping.stages.write_back import as_told

    assert as_told(True) == "true"


def test_the_question_about_a_lost_deal_ends_when_it_is_won_again_though_money_came_in(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    books = drive.sandbox.books
    books.pay(books.main(), bearing(drive, deal)[0]["id"], 5000)
    lose(drive, deal)
    drive.run()
    assert reviews(drive) == [(deal, "no_longer_billable")]
    rewin(drive, deal)
    price(drive, deal, "300.00")
    drive.run()
    weeks(drive, 2)
    assert reviews(drive) == [(deal, "paid_invoice_changed")]


@pytest.mark.parametrize(("said", "kept"), [(" open ", "open"), ("open\\r\\n", "open"), ("  ", None)])
def test_white_space_that_salesforce_cuts_off_is_not_written_back_each_week(
    drive: Rounds, said: str, kept: str | None
) -> None:
    table = ", ".join(f'{status}: "{said}"' for status in INVOICE_STATUSES)
    shown = f"Kashoo_Invoice__c: {{from: status, map: {{{table}}}}}"
    remap(drive, "payment_to_opportunity", "Kashoo_Invoice__c: {from: number}", shown)
    deal = billed(drive)
    before = drive.sandbox.org.get("Opportunity", deal)
    assert before["Kashoo_Invoice__c"] == kept
    weeks(drive, 2)
    assert drive.sandbox.org.get("Opportunity", deal)["SystemModstamp"] == before["SystemModstamp"]

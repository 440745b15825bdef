"""Every piece of advice that is printed works: somebody follows it, and nothing waits any more.

One world, in which everything is billed first, then spoiled, then mended as the advice says.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from records import (
    add_account,
    add_deal,
    add_line,
    add_order,
    edit,
    invoice_of,
    invoices_of,
    remove_a_twin,
    sell_as,
    set_amount,
    set_currencies,
    twins,
)
from rounds import Rounds, in_step, links, lock, weeks, win
from voids import all_invoices, billed_and_lost, lose, rewin, void_unpaid

from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.by_hand.relink import relink

PACKAGE = Path(__file__).parents[2] / "airflow_provider_kashoo"
Step = Callable[[Rounds, str], object]


def nothing(drive: Rounds, ident: str) -> None:
    """Spoil nothing: it was made so."""


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong.

    :param error_class: of the question or the parked record.
    :param begin: makes the deal; if it is spoiled later, it is billed in between.
    :param mend: does what the fix says.
    :param about: gives the record that the question is about, if that is not the deal.
    :param invoices: that the deal has in the end.
    """

    error_class: str
    begin: Callable[[Rounds], str]
    spoil: Step = nothing
    mend: Step = nothing
    about: Callable[[Rounds, str], str] = lambda _, deal: deal
    invoices: int = 1


def deal_of(name: str, **fields: Any) -> Callable[[Rounds], str]:
    """Make a won deal of a customer of its own."""
    return lambda drive: add_deal(
        drive.sandbox, add_account(drive.sandbox, name, f"{name}@x.example".lower()), **fields
    )


def with_line(name: str) -> Callable[[Rounds], str]:
    def begin(drive: Rounds) -> str:
        deal = add_deal(drive.sandbox, add_account(drive.sandbox, name, f"{name}@x.example".lower()), None)
        add_line(drive.sandbox, deal, "250.00")
        return deal

    return begin


def update(**fields: Any) -> Step:
    return lambda drive, deal: drive.sandbox.org.update("Opportunity", deal, fields)


def account_of(drive: Rounds, deal: str) -> str:
    return str(drive.sandbox.org.get("Opportunity", deal)["AccountId"])


def pay(drive: Rounds, deal: str) -> None:
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 10_000)


def in_books(**changes: Any) -> Step:
    """Correct the invoice in Kashoo, as a person would."""
    return lambda drive, deal: edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), **changes)


def remove(drive: Rounds, deal: str) -> None:
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice_of(drive.sandbox, deal)["id"])


def put_down(drive: Rounds, deal: str) -> None:
    """Dismiss what is asked about a deal."""
    for item in drive.store.reviews.all_open():
        if item["source_id"] == deal:
            dismiss(drive.database, f"R{item['id']}", by="ann", reason="right as it is")


def both(*steps: Step) -> Step:
    def together(drive: Rounds, deal: str) -> None:
        for step in steps:
            step(drive, deal)

    return together


def dearer_on_both_sides(drive: Rounds, deal: str) -> None:
    update(Amount=Decimal("300.00"))(drive, deal)
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 20_000}])


def say_the_same(drive: Rounds, deal: str) -> None:
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 30_000}])


def another_account(drive: Rounds, deal: str) -> None:
    update(AccountId=add_account(drive.sandbox, f"Buyer of {deal}", f"{deal}@buyer.example"))(drive, deal)
    deals_of = add_deal(drive.sandbox, account_of(drive, deal), Name="so that the customer exists")
    assert deals_of


def take_the_new_customer(drive: Rounds, deal: str) -> None:
    in_books(contact=links(drive, "customer")[account_of(drive, deal)])(drive, deal)


def two_orders(drive: Rounds) -> str:
    """A deal that is sold through two Orders; the second one is asked about."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Orders", "o@x.example"), StageName="Prospecting")
    add_order(drive.sandbox, account_of(drive, deal), deal)
    return add_order(drive.sandbox, account_of(drive, deal), deal)


def two_billed(drive: Rounds) -> str:
    """An Order and a deal, both billed by themselves."""
    account = add_account(drive.sandbox, "Twice", "twice@x.example")
    add_deal(drive.sandbox, account, Name="billed twice")
    return add_order(drive.sandbox, account, None)


def join(drive: Rounds, order: str) -> None:
    deal = next(row["Id"] for row in drive.sandbox.org.rows("Opportunity") if row["Name"] == "billed twice")
    sell_as(drive.sandbox, order, deal)


def merge_accounts(drive: Rounds, deal: str) -> None:
    other = next(row["Id"] for row in drive.sandbox.org.rows("Account") if row["Name"] == "Survivor")
    drive.sandbox.org.merge("Account", other, [account_of(drive, deal)])


def merging(drive: Rounds) -> str:
    deal_of("Survivor")(drive)
    return deal_of("Loser")(drive)


def loser_of(drive: Rounds, _: str) -> str:
    return next(row["Id"] for row in drive.sandbox.org.table("Account").rows.values() if row["Name"] == "Loser")


def merge_customers(drive: Rounds, deal: str) -> None:
    box, loser = drive.sandbox, loser_of(drive, deal)
    linked = links(drive, "customer")
    into = linked[account_of(drive, deal)]
    edit(box, "invoices", invoice_of(box, deal), contact=into)
    box.books.remove(box.books.main(), "customers", linked[loser])
    relink(drive.sync(), loser, into, by="ann")


def total_by_hand(drive: Rounds, deal: str) -> None:
    in_books(lineItems=[{**invoice_of(drive.sandbox, deal)["lineItems"][0], "rate": 26_000}])(drive, deal)


def copied(drive: Rounds, deal: str) -> None:
    box = drive.sandbox
    own = invoice_of(box, deal)
    kept = {name: own[name] for name in ("date", "contact", "currency", "memo", "lineItems")}
    box.books.create(box.books.main(), "invoices", kept)
    win(drive)  # only a plan that creates invoices looks


def remove_the_copy(drive: Rounds, deal: str) -> None:
    linked = links(drive)[deal]
    for row in invoices_of(drive.sandbox, deal):
        if row["id"] != linked:
            drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", row["id"])


CASES = {
    "lost, and won again": Case("no_longer_billable", deal_of("Regained"), lose, rewin),
    "lost, and removed in Kashoo": Case("no_longer_billable", deal_of("Given-up"), lose, remove, invoices=0),
    "changed on both sides": Case("changed_on_both_sides", deal_of("Both"), dearer_on_both_sides, say_the_same),
    "another customer, undone": Case(
        "identity_changed", deal_of("Undone"), update(CurrencyIsoCode="CAD"), update(CurrencyIsoCode="USD")
    ),
    "another customer, corrected": Case("identity_changed", deal_of("Moved"), another_account, take_the_new_customer),
    "paid and changed, undone": Case(
        "paid_invoice_changed",
        deal_of("Paid-1"),
        both(pay, update(Amount=Decimal("300.00"))),
        update(Amount=Decimal("250.00")),
    ),
    "paid and changed, corrected": Case(
        "paid_invoice_changed",
        deal_of("Paid-2"),
        both(pay, update(CloseDate="2026-03-02")),
        in_books(date="2026-03-02"),
    ),
    "two orders": Case("second_of_sale", two_orders, mend=lambda drive, order: sell_as(drive.sandbox, order, None)),
    "billed twice": Case("sale_billed_twice", two_billed, join, remove, invoices=0),
    "merged": Case("merged_apart", merging, merge_accounts, merge_customers, about=loser_of),
    "a credit": Case("credit_due", deal_of("Credit", Amount=Decimal("-400.00")), mend=put_down, invoices=0),
    "removed, and left so": Case("removed_in_books", deal_of("Left-so"), remove, put_down, invoices=0),
    "a copy": Case("possible_duplicate", deal_of("Copied"), copied, remove_the_copy),
    "no account": Case(
        "missing_value",
        lambda drive: add_deal(drive.sandbox, None),
        mend=lambda drive, deal: update(AccountId=add_account(drive.sandbox, "Found"))(drive, deal),
    ),
    "sums that differ": Case(
        "lines_do_not_add_up",
        with_line("Sums"),
        lambda drive, deal: set_amount(drive.sandbox, deal, "240.00"),
        lambda drive, deal: set_amount(drive.sandbox, deal, "250.00"),
    ),
    "two customers alike": Case(
        "waiting_for_parent",
        lambda drive: twins(drive.sandbox),
        mend=lambda drive, deal: remove_a_twin(drive.sandbox, deal),
    ),
    "a currency without cents": Case(
        "currency", deal_of("Tokyo", CurrencyIsoCode="JPY"), mend=update(CurrencyIsoCode="USD")
    ),
    "a locked period": Case(
        "refused", deal_of("Late", CloseDate="2025-03-01"), mend=lambda drive, _: lock(drive, None)
    ),
}


@dataclass
class Told:
    """What was said of each case when it was spoiled, and of its record in the end."""

    said: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    invoices: dict[str, int] = field(default_factory=dict)


def waiting(drive: Rounds) -> list[tuple[str, str]]:
    """List (record, error class) of everything that a person is shown."""
    from airflow_provider_kashoo.store.overview import overviews

    (shown,) = overviews(drive.database)
    return [(row["source_id"], row["error_class"] or "in_doubt") for row in [*shown.waiting, *shown.asked]]


def rounds_of(drive: Rounds) -> None:
    for days in (1, 7, 1):
        drive.sandbox.clock.advance(days * 86_400)
        drive.run()
        drive.run_back()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with in_step(tmp_path_factory.mktemp("advice")) as start:
        drive, result = start.again(tmp_path_factory.mktemp("run")), Told()
        set_currencies(drive.sandbox, "USD", "CAD", "EUR")
        lock(drive, "2025-12-31")
        deals = {name: case.begin(drive) for name, case in CASES.items()}
        drive.run()
        drive.run_back()
        for name, case in CASES.items():
            case.spoil(drive, deals[name])
        rounds_of(drive)
        abouts = {name: case.about(drive, deals[name]) for name, case in CASES.items()}
        shown = waiting(drive)
        result.said = {name: [why for ident, why in shown if ident == about] for name, about in abouts.items()}
        for name, case in CASES.items():
            case.mend(drive, deals[name])
        rounds_of(drive)
        shown = waiting(drive)
        result.left = {name: [why for ident, why in shown if ident == about] for name, about in abouts.items()}
        result.invoices = {name: len(invoices_of(drive.sandbox, deal)) for name, deal in deals.items()}
        yield result


@pytest.mark.parametrize("name", CASES)
def test_who_follows_the_advice_is_done(told: Told, name: str) -> None:
    assert CASES[name].error_class in told.said[name]
    assert told.left[name] == []
    assert told.invoices[name] == CASES[name].invoices


FOLLOWED_ELSEWHERE = {
    "approved_invoice_changed": "run/test_approved_invoices.py",
    "billed_by_two_mappings": "bill/test_mappings_together.py",
    "closed_period": "bill/test_what_changes_an_invoice.py",
    "logo_unreadable": "tell/test_attached_pdfs.py",
    "missing_glyph": "tell/test_attached_pdfs.py",
    "no_e_invoice": "tell/test_attached_pdfs.py",
    "not_printable": "tell/test_own_records_in_trouble.py",
    "pdf_not_there": "tell/test_attached_pdfs.py",
    "pdf_not_set_up": "tell/test_attached_pdfs.py",
    "several_currencies": "tell/test_own_records.py",
    "template_failed": "tell/test_attached_pdfs.py",
    "totals_differ": "tell/test_attached_pdfs.py",
    "locked_invoice_changed": "bill/test_what_changes_an_invoice.py",
    "names_removed": "by_hand/test_relink.py",
    "no_parts": "bill/test_deals_in_parts.py",
    "not_readable": "bill/test_poison.py",
    "paid_in_parts": "bill/test_deals_in_parts.py",
    "parts_changed": "bill/test_deals_in_parts.py",
    "parts_leaving": "bill/test_deals_in_parts.py",
    "parts_unknown": "bill/test_deals_in_parts.py",
    "permission": "run/test_sync_bad_input.py",
    "removed_in_books": "by_hand/test_relink.py",
    "mark_missing": "write/test_marks.py",
    "other_total": "bill/test_paid.py",
    "prepaid_partly_paid": "bill/test_paid.py",
    "waiting_for_invoice": "bill/test_paid.py",
    "odd_value": "read/test_odd_values_of_salesforce.py",
    "shares_do_not_add_up": "bill/test_deals_in_parts.py",
    "split_twice": "bill/test_deals_in_parts.py",
    "stands_again": "by_hand/test_advice.py",
    "subscription": "run/test_sync_bad_input.py",
    "too_exact": "read/test_odd_values_of_kashoo.py",
    "total_differs": "write/test_differences.py",
    "undone": "by_hand/test_undo.py",
    "unreadable": "read/test_odd_values_of_kashoo.py",
}
CORRECTED_LIKE = {
    "missing_value": {"function_failed", "no_lines", "not_computed", "not_money", "unmapped_value", "wrong_type"},
    "refused": {"account", "contact", "date", "not_allowed", "not_found", "tax", "too_large"},
}
"""A case above -> other causes whose advice is the same: correct it, and the next run reads it again."""


def advised() -> dict[str, str]:
    """Error class -> its advice, wherever the package says it; not where there is nothing to do."""
    found: dict[str, str] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))) if "sandbox" not in path.parts else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem" and len(node.args) == 3:
                kind, _, fix = map(ast.unparse, node.args)
                if kind.startswith("'") and not fix.startswith(("'Nothing to do", "PLANNED_AGAIN", "''")):
                    found[kind.strip("'")] = fix
    return found


def test_no_advice_is_forgotten() -> None:
    cases = {case.error_class for case in CASES.values()}
    followed = cases | FOLLOWED_ELSEWHERE.keys() | set().union(*CORRECTED_LIKE.values())
    assert sorted(advised().keys() - followed) == []
    assert cases >= CORRECTED_LIKE.keys()
    for place in FOLLOWED_ELSEWHERE.values():
        assert (Path(__file__).parents[1] / place).exists()


def test_a_voided_invoice_that_exists_again_is_removed_again(drive: Rounds) -> None:
    void_unpaid(drive)
    deal = billed_and_lost(drive)
    drive.run()
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"]
    (voided,) = all_invoices(drive, deal)
    table.put({**table.rows[voided["id"]], "removed": False})
    weeks(drive, 1)
    assert waiting(drive) == [(deal, "stands_again")]
    remove(drive, deal)
    weeks(drive, 1)
    assert waiting(drive) == []

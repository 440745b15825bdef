"""People on both sides, crashes and syncs in any order; whenever it becomes quiet, both systems must agree."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, ReadOnlyDatabase
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from postgres import Postgres
from records import add_account, add_deal, add_line, add_order, books_rows, edit, writes
from rounds import (
    CUSTOMERS,
    INVOICES,
    ITEMS,
    LOOK_UP_AFTER,
    WRITTEN_BACK,
    Killed,
    Start,
    fault,
    in_step,
    links,
    open_items,
    operations,
)

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.kashoo.rules import KashooError
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

A_WEEK = 8 * 86_400.0
FOUND = Path(__file__).with_name("found")
"""Seeds of what the long test found, as Hypothesis keeps them; those that do not fail any more go when it runs."""

LONG_STEPS = 100
LONG_PARTS = 10
"""So that what one of them finds, and how far it got, is known before all are done."""
ACCOUNTS = 3
TWICE = {"sale_billed_twice", "no_longer_billable", "possible_duplicate", "in_doubt", "no_answer"}
"""What names a second invoice of one sale."""

LOST = ["drop_before", "drop_after", "cut_body", "error_before", "error_after", "unauthorized_after", "html_after"]
Row = dict[str, Any]
pick = st.integers(0, 5)
amounts = st.sampled_from(["100.00", "250.01", "99.99", "1234.56"])


class Trade(RuleBasedStateMachine):
    """One org, one business, one store; ``start`` is set by the test."""

    start: Start

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=self.start.folder.parent)
        self.drive = self.start.again(Path(self.folder.name))
        self.box = self.drive.sandbox
        self.main = self.box.books.main()
        self.accounts = [self.start.account, *(add_account(self.box, f"Firm {n}") for n in range(1, ACCOUNTS))]
        self.deals: list[str] = [self.start.deal]
        self.orders: dict[str, str | None] = {}  # order -> deal
        self.moved: set[str] = set()  # sales that an order left or joined
        self.voided: set[str] = set()  # sales
        self.sources: dict[int, str] = {}  # invoice -> the record whose reference it was born with
        self.edits = 0
        self.note_new_invoices()

    def teardown(self) -> None:
        if not hasattr(self, "drive"):
            return
        try:
            self.becomes_quiet()
        finally:
            self.drive.end()
            self.folder.cleanup()

    # -- sales

    @rule(account=st.integers(0, ACCOUNTS - 1), amount=amounts, lines=st.integers(0, 2), won=st.booleans())
    def a_deal_is_made(self, account: int, amount: str, lines: int, won: bool) -> None:
        stage = "Closed Won" if won else "Prospecting"
        deal = add_deal(self.box, self.accounts[account], None if lines else amount, StageName=stage)
        for number in range(lines):
            add_line(self.box, deal, amount, quantity="1.5", product=("HW-100", "SV-200")[number])
        self.deals.append(deal)

    @rule(at=pick, amount=amounts)
    def a_deal_gets_another_price(self, at: int, amount: str) -> None:
        if (deal := self.deal(at)) and not self.record(deal)["HasOpportunityLineItem"]:
            self.box.org.update("Opportunity", deal, {"Amount": Decimal(amount)})
        elif deal:
            add_line(self.box, deal, amount)

    @rule(at=pick, stage=st.sampled_from(["Closed Won", "Closed Won", "Negotiation/Review", "Closed Lost"]))
    def a_deal_is_won_or_opened_again(self, at: int, stage: str) -> None:
        if deal := self.deal(at):
            self.box.org.update("Opportunity", deal, {"StageName": stage})

    @rule(at=pick)
    def a_deal_is_deleted(self, at: int) -> None:
        deal = self.deal(at)
        if deal and deal not in self.orders.values():  # Salesforce would forget whose sale its order is
            self.box.org.delete("Opportunity", deal)

    @rule(at=pick, price=amounts)
    def a_deal_gets_an_order(self, at: int, price: str) -> None:
        if deal := self.deal(at):
            self.orders[add_order(self.box, self.record(deal)["AccountId"], deal, price)] = deal

    @rule(at=pick, to=pick, alone=st.booleans())
    @precondition(lambda self: self.orders)
    def an_order_is_sold_as_something_else(self, at: int, to: int, alone: bool) -> None:
        order = list(self.orders)[at % len(self.orders)]
        deal = None if alone else self.deal(to)
        self.moved |= {self.orders[order] or order, deal or order}
        self.orders[order] = deal
        self.box.org.update("Order", order, {"OpportunityId": deal})

    @rule(account=st.integers(0, ACCOUNTS - 1), field=st.sampled_from(["Name", "Phone", "BillingCity"]))
    def an_account_is_edited(self, account: int, field: str) -> None:
        self.edits += 1
        self.box.org.update("Account", self.accounts[account], {field: f"Edited {self.edits}"})

    @rule(master=st.integers(0, ACCOUNTS - 1), loser=st.integers(0, ACCOUNTS - 1))
    def accounts_are_merged(self, master: int, loser: int) -> None:
        if master != loser:
            self.box.org.merge("Account", self.accounts[master], [self.accounts[loser]])
            self.edits += 1
            self.accounts[loser] = add_account(self.box, f"New firm {self.edits}")

    # -- the accountant

    @rule(at=pick, share=st.sampled_from(["part", "all", "over", "refund"]))
    def money_comes_or_goes(self, at: int, share: str) -> None:
        if invoice := self.invoice(at):
            balance, paid = invoice["balanceDue"], invoice["totalDue"] - invoice["balanceDue"]
            cents = {"part": balance // 3, "all": balance, "over": balance + 700, "refund": -paid}[share]
            with suppress(KashooError):
                self.box.books.pay(self.main, invoice["id"], cents)

    @rule(at=pick)
    def a_payment_is_reversed(self, at: int) -> None:
        if payments := books_rows(self.box, "invoicePayments"):
            with suppress(KashooError):
                self.box.books.remove(self.main, "invoicePayments", payments[at % len(payments)]["id"])

    @rule(at=pick)
    def an_invoice_is_voided_by_hand(self, at: int) -> None:
        if invoice := self.invoice(at):
            with suppress(KashooError):
                self.box.books.remove(self.main, "invoices", invoice["id"])
                self.voided.add(self.sale_of(invoice))

    @rule(at=pick, keep=st.booleans())
    def a_memo_is_edited(self, at: int, keep: bool) -> None:
        if invoice := self.invoice(at):
            edit(self.box, "invoices", invoice, memo=f"Thanks! {invoice['memo']}" if keep else "Thanks!")

    # -- the machinery

    @rule(minutes=st.sampled_from([1, 12, 600]))
    def time_passes(self, minutes: int) -> None:
        self.box.clock.advance(minutes * 60)

    @rule(name=st.sampled_from([TO_KASHOO, TO_KASHOO, TO_SALESFORCE]))
    def a_sync_runs(self, name: str) -> None:
        self.drive.run(name)
        self.note_new_invoices()

    @rule(name=st.sampled_from([TO_KASHOO, TO_KASHOO, TO_SALESFORCE]), boundary=st.integers(0, 90))
    @precondition(lambda self: len(self.deals) > 1)
    def a_sync_dies(self, name: str, boundary: int) -> None:
        left = boundary

        def hook(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        for faults in self.box.faults.values():
            faults.hook = hook
        with suppress(Killed):
            self.drive.run(name)
        for faults in self.box.faults.values():
            faults.hook = None
        self.note_new_invoices()

    @rule(kind=st.sampled_from(LOST), path=st.sampled_from([INVOICES, CUSTOMERS, ITEMS]))
    @precondition(lambda self: len(self.deals) > 1)
    def an_answer_is_lost(self, kind: Any, path: str) -> None:
        fault(self.drive, kind, path)
        self.drive.run()
        self.box.faults["kashoo"].clear()
        self.note_new_invoices()

    # -- what must hold

    def becomes_quiet(self) -> None:
        for wait in (LOOK_UP_AFTER, A_WEEK):
            self.box.clock.advance(wait)
            self.drive.run()
            self.drive.run_back()
        self.note_new_invoices()
        self.check_sales()
        self.check_customers()
        self.check_settlements()
        assert operations(self.drive, State.SENT) == []
        before, parked = writes(self.box), self.refused()
        self.drive.run()
        self.drive.run_back()
        assert {row["error_class"] for row in parked} <= {"entity_is_deleted"}
        again = self.sent_again(parked)
        assert writes(self.box) == before | {"salesforce": before["salesforce"] + again}

    def sent_again(self, parked: list[Row]) -> int:
        """Count the requests by which every run tries again what Salesforce refused."""
        return bool(parked)

    def refused(self) -> list[Row]:
        """List what is parked, but for the records whose sale may be billed by a write that is in doubt."""
        rows = operations(self.drive, State.IN_DOUBT)
        doubtful = {row["sale_id"] for row in rows} | {self.orders.get(row["source_id"]) for row in rows}
        parked = operations(self.drive, State.PARKED)
        return [row for row in parked if row["error_class"] != "waiting_for_sale" or row["sale_id"] not in doubtful]

    def check_sales(self) -> None:
        standing: dict[str, list[Row]] = {}
        for row in books_rows(self.box, "invoices"):
            standing.setdefault(self.sale_of(row), []).append(row)
        items = open_items(self.drive)
        named, twice = {ident for ident, _ in items}, {ident for ident, why in items if why in TWICE}
        sales = {deal: [("Opportunity", deal)] for deal in self.deals}
        for order, deal in self.orders.items():
            sales.setdefault(deal or order, []).append(("Order", order))
        for sale, faces in sales.items():
            found, billable = standing.get(sale, []), [face for face in faces if self.billable(*face)]
            idents = {ident for _, ident in faces}
            open_item = named & idents
            assert len(found) <= 1 or (sale in self.moved and twice & idents), f"{sale} is billed {len(found)} times"
            if billable and sale not in self.voided:
                assert found or open_item, f"{sale} is not billed, and nobody is told"
            if found and not billable:
                assert open_item, f"{sale} is billed although it is not sold, and nobody is told"
            if found and not open_item:
                linked = [face for face in faces if links(self.drive).get(face[1]) == found[0]["id"]]
                assert len(linked) == 1
                assert found[0]["totalDue"] == self.total(*linked[0])

    def check_customers(self) -> None:
        customers = {row["id"]: row["contactInformation"] for row in books_rows(self.box, "customers")}
        linked = links(self.drive, "customer")
        assert sorted(customers) == sorted(linked.values())
        named = {ident for ident, _ in open_items(self.drive)}
        for account, ident in linked.items():
            now = self.box.org.table("Account").rows[account]
            if now["IsDeleted"]:
                assert account in named, f"{account} was merged into another customer's account, and nobody is told"
                continue
            assert (customers[ident]["name"], customers[ident].get("phone")) == (now["Name"], now["Phone"])

    def check_settlements(self) -> None:
        named = {ident for ident, _ in open_items(self.drive)}
        for source, ident in links(self.drive).items():
            sobject = "Order" if source in self.orders else "Opportunity"
            if self.box.org.table(sobject).rows[source]["IsDeleted"]:
                continue
            row, invoice = self.box.org.get(sobject, source), self.box.books.read(self.main, "invoices", ident)
            paid = invoice["totalDue"] - invoice["balanceDue"]
            told = tuple(row[f"Kashoo_{name}__c"] for name in WRITTEN_BACK[:-1])
            status = self.status(invoice, paid)
            assert status != "Void" or source in named
            owed = 0 if status == "Void" else invoice["balanceDue"]
            assert told == (invoice["number"], status, Decimal(paid) / 100, Decimal(owed) / 100), source

    def status(self, invoice: Row, paid: int) -> str:
        if invoice["removed"]:
            return "Void"
        parts = [
            (part["amount"], payment["unallocatedAmount"])
            for payment in books_rows(self.box, "invoicePayments")
            for part in payment["allocations"]
            if part["record"] == invoice["id"]
        ]
        if paid == invoice["totalDue"]:
            return "Overpaid" if any(credit > 0 for _, credit in parts) else "Paid"
        if paid:
            return "Partly Paid"
        return "Refunded" if any(amount < 0 for amount, _ in parts) else "Open"

    # -- helpers

    def deal(self, at: int) -> str | None:
        living = [deal for deal in self.deals[-6:] if not self.record(deal)["IsDeleted"]]
        return living[at % len(living)] if living else None

    def invoice(self, at: int) -> Row | None:
        rows = books_rows(self.box, "invoices")
        return rows[-1 - at % len(rows)] if rows else None

    def record(self, deal: str) -> Row:
        return self.box.org.table("Opportunity").rows[deal]

    def billable(self, sobject: str, ident: str) -> bool:
        row = self.box.org.table(sobject).rows[ident]
        sold = row["IsWon"] if sobject == "Opportunity" else row["StatusCode"] == "Activated"
        return sold and not row["IsDeleted"] and self.total(sobject, ident) >= 10_000

    def total(self, sobject: str, ident: str) -> int:
        row = self.box.org.table(sobject).rows[ident]
        return int((row["Amount"] if sobject == "Opportunity" else row["TotalAmount"]) * 100)

    def note_new_invoices(self) -> None:
        for row in books_rows(self.box, "invoices"):
            if row["id"] not in self.sources:
                self.sources[row["id"]] = row["memo"].partition("[sf:")[2][:18]

    def sale_of(self, invoice: Row) -> str:
        source = self.sources[invoice["id"]]
        return self.orders.get(source) or source


@pytest.fixture(scope="module")
def machine(start: Start) -> type[Trade]:
    return type("Machine", (Trade,), {"start": start})


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """On SQLite, where most orders are tried; :func:`test_the_same_orders_on_postgresql` tries some on the other."""
    with in_step(tmp_path_factory.mktemp("start")) as start:
        yield start


def profile(examples: int, steps: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        **more,
    )


def test_any_order_of_people_syncs_and_crashes_ends_in_agreement(machine: type[Trade]) -> None:
    """The same examples everywhere; more of them in the long tests."""
    run_state_machine_as_test(seed(0)(machine), settings=profile(40, 50, database=None))


def test_what_was_ever_found_stays_mended(machine: type[Trade]) -> None:
    """What the long test wrote to FOUND, as it was played there: with other numbers of steps it is another order."""
    again = type("Machine", (machine,), {})
    only = {"phases": [Phase.reuse], "database": ReadOnlyDatabase(DirectoryBasedExampleDatabase(FOUND))}
    run_state_machine_as_test(again, settings=profile(100, LONG_STEPS, **only))


@pytest.mark.long
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_two_thousand_orders_of_a_hundred_steps_end_in_agreement(machine: type[Trade], part: int) -> None:
    """What it finds is written to FOUND, for a commit; a test with a name outlives changes of the rules here."""
    another = seed(time.time_ns() + part)(type("Machine", (machine,), {}))
    run_state_machine_as_test(
        another, settings=profile(2_000 // LONG_PARTS, LONG_STEPS, database=DirectoryBasedExampleDatabase(FOUND))
    )


@pytest.mark.long
def test_the_same_orders_on_postgresql(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    with in_step(tmp_path_factory.mktemp("start"), postgres=postgres) as start:
        always = seed(0)(type("Machine", (Trade,), {"start": start}))
        run_state_machine_as_test(always, settings=profile(100, 50, database=None))

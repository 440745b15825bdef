"""The same people, crashes and syncs, with records of our own in Salesforce: in the end they say what the books say."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from records import books_rows, edit
from rounds import Start, _mappings, in_step, links
from test_machine import Row, Trade, pick, profile

EXAMPLES = Path(__file__).parents[2] / "include" / "mappings" / "examples" / "receivables"
LATE = 14


class Told(Trade):
    """As :class:`Trade`, with the mappings of the example for receivables."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.gone: set[str | None] = set()  # keys of records that a person deleted: made again if something changes
        for path in EXAMPLES.glob("*.yaml"):
            shutil.copy(path, self.drive.mappings / path.name)
        _mappings.cache_clear()

    def a_deal_is_deleted(self, at: int) -> None:
        """No rule here: what refers to a deleted deal is refused, and waits for a person."""

    @rule(at=pick)
    def a_person_closes_a_case(self, at: int) -> None:
        if cases := self.rows("Case"):
            self.box.org.update("Case", cases[at % len(cases)]["Id"], {"Status": "Closed"})

    @rule(at=pick, kind=st.sampled_from(["Case", "Kashoo_Invoice__c", "Kashoo_Payment__c"]))
    def a_record_is_deleted(self, at: int, kind: str) -> None:
        if rows := self.rows(kind):
            row = rows[at % len(rows)]
            self.gone.add(row.get("Kashoo_Id__c"))
            self.box.org.delete(kind, row["Id"])

    @rule(at=pick, days=st.sampled_from([-60, 60]))
    def an_invoice_is_due_another_day(self, at: int, days: int) -> None:
        if invoice := self.invoice(at):
            day = self.box.clock.now().date().toordinal() + days
            edit(self.box, "invoices", invoice, dueDate=type(self.box.clock.now().date()).fromordinal(day).isoformat())

    def becomes_quiet(self) -> None:
        for _ in range(2):  # that a record was deleted shows when it is changed; the next run makes it again
            self.box.clock.advance(3600)
            self.drive.run_back()
        super().becomes_quiet()
        self.box.clock.advance(8 * 86_400)  # a week's look at all that is linked
        self.drive.run()
        self.drive.run_back()
        self.drive.run_back()
        self.check_invoices()
        self.check_payments()
        self.check_balances()
        self.check_cases()

    def sent_again(self, parked: list[Row]) -> int:
        """Records that were made are updated together with the deals; those of each object that are not, apart."""
        unmade = {row["target"] for row in parked} - {"Opportunity", "Order"}
        return len(unmade) + any(row["target"] in {"Opportunity", "Order"} for row in parked)

    def check_invoices(self) -> None:
        records = {row["Kashoo_Id__c"]: row for row in self.rows("Kashoo_Invoice__c")}
        assert len(records) == len(self.rows("Kashoo_Invoice__c"))
        for source, ident in self.told():
            invoice = self.box.books.read(self.main, "invoices", ident)
            paid = invoice["totalDue"] - invoice["balanceDue"]
            if (key := f"{self.main}:{ident}") in self.gone - records.keys():
                continue
            row = records[key]
            owed = 0 if invoice["removed"] else invoice["balanceDue"]
            said = (row["Status__c"], row["Paid__c"], row["Balance__c"])
            assert said == (self.status(invoice, paid), Decimal(paid) / 100, Decimal(owed) / 100), source

    def check_payments(self) -> None:
        records = {row["Kashoo_Id__c"]: row for row in self.rows("Kashoo_Payment__c")}
        assert len(records) == len(self.rows("Kashoo_Payment__c"))
        told = {ident for _, ident in self.told()}
        allocated = {
            f"{self.main}:{payment['id']}:{part['record']}": part["amount"]
            for payment in books_rows(self.box, "invoicePayments")
            for part in payment["allocations"]
            if part["record"] in told
        }
        for key, amount in allocated.items():
            if key in self.gone - records.keys():
                continue
            assert records[key]["Amount__c"] == Decimal(amount) / 100, key
        gone = [row for key, row in records.items() if key not in allocated and int(key.split(":")[2]) in told]
        assert {(row["Kind__c"], row["Amount__c"]) for row in gone} <= {("Deleted", Decimal(0))}

    def check_balances(self) -> None:
        open_: Counter[int] = Counter()
        told = {ident for _, ident in self.told(deleted=True)}
        for invoice in books_rows(self.box, "invoices"):
            if invoice["id"] in told:
                open_[invoice["contact"]] += invoice["balanceDue"]
        for account, contact in links(self.drive, "customer").items():
            row = self.box.org.table("Account").rows[account]
            if not row["IsDeleted"]:
                assert (row["Kashoo_Open_Balance__c"] or 0) == Decimal(open_[contact]) / 100, account

    def check_cases(self) -> None:
        today = self.box.clock.now().date()
        for source, ident in self.told():
            invoice = self.box.books.read(self.main, "invoices", ident)
            cases = [row for row in self.rows("Case") if row["Kashoo_Key__c"].partition("#")[0].endswith(f":{ident}")]
            open_ = [row for row in cases if row["Status"] != "Closed"]
            due = type(today).fromisoformat(invoice["dueDate"])
            late = not invoice["removed"] and invoice["balanceDue"] > 0 and (today - due).days >= LATE
            assert len(open_) <= 1, source
            assert late or not open_, source

    def told(self, *, deleted: bool = False) -> list[tuple[str, int]]:
        """List the linked invoices; those of deleted deals only if asked for."""
        found = []
        for source, ident in links(self.drive).items():
            sobject = "Order" if source in self.orders else "Opportunity"
            if deleted or not self.box.org.table(sobject).rows[source]["IsDeleted"]:
                found.append((source, ident))
        return found

    def rows(self, kind: str) -> list[Row]:
        return self.box.org.rows(kind)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Told]]:
    with in_step(tmp_path_factory.mktemp("start")) as start:
        yield machine_of(start)


def machine_of(start: Start) -> type[Told]:
    return type("Machine", (Told,), {"start": start})


def test_any_order_of_people_syncs_and_crashes_is_told_as_the_books_have_it(machine: type[Told]) -> None:
    run_state_machine_as_test(seed(0)(machine), settings=profile(10, 40, database=None))


@pytest.mark.long
def test_many_more_orders_are_told_as_the_books_have_them(machine: type[Told]) -> None:
    run_state_machine_as_test(seed(1)(machine), settings=profile(300, 60, database=None))

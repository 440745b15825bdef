"""Differences of every name that a tie-out gives, planted in books that were in step: for its test and its benchmark.

What is planted says what it is called by itself, in words of its own: no rule of the tie-out is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

from records import add_account, add_deal, add_line, add_order, edit, sell_as
from rounds import INVOICES, Rounds, change, copy, fault, moved_on, price, remap, remove
from sqlalchemy import delete
from voids import lose

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.reports.difference import Difference
from airflow_provider_kashoo.reports.tie_out import TieOut
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.tables import links, operations
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.settle import settle
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.tie_out import Period, tie_out

YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
LOCKED = "2026-01-31"
BEGAN = datetime(2026, 2, 1, tzinfo=UTC)
LATE_FEE = (
    '  - {when: Description == "fee", add_line: {description: Fee, amount: 5, account: "type:INCOME", taxCode: none}}\n'
)
RULES = """rules:
  - {when: Description == "internal", skip: "internal deal"}
  - {when: Description == "approve", require: approval}
  - {when: Description == "taxed", set: {lines.taxCode: G}}
"""


class Locked(Rounds):
    """A driver whose connection says that January is locked."""

    def kashoo(self, budget: Budget | None = None) -> KashooClient:
        client = super().kashoo(budget)
        client.profile = Profile().overridden({"locked_until": LOCKED})
        return client


@dataclass
class Planted:
    """Plants differences.

    :param each: how many of every name.
    :ivar wanted: name -> ids of deals, or of invoices that no deal made.
    :ivar in_step: deals of which nothing is wrong.
    """

    drive: Rounds
    seed: int = 1
    each: int = 1
    wanted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    in_step: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  the same on every run
        self._box = self.drive.sandbox
        self._account = add_account(self._box, "A customer of the tie-out")
        self._asking: Sync | None = None

    def plant(self) -> None:
        """Plant all but what a rejected plan leaves."""
        drive = self.drive
        remap(drive, "invoice_from_opportunity", "single_line:", f"{RULES}single_line:")
        billed = {name: self._deals(name) for name in (*_AFTER, "taxed")}
        self.in_step |= {*billed.pop("taxed")}
        self.wanted["parked"] |= {add_deal(self._box, None, self._amount()) for _ in range(self.each)}
        locked = [self._deal(CloseDate="2026-01-15") for _ in range(self.each)]
        self.wanted["period locked"] |= {*locked}
        drive.run()
        drive.run_back()
        moved_on(drive)
        for name, deals in billed.items():
            for deal in deals:
                found = _AFTER[name](self, deal) or deal
                self.wanted[name] |= set() if name in _MADE else {found}
        drive.run()  # asks about what changed after a payment
        for deal in billed["settled for the books"]:
            settle(drive.database, deal, Side.BOOKS, by="ann", reason="agreed by phone")
        moved_on(drive)
        doubtful = min(self.each, 2)  # a run stops at the third one in a row
        self.wanted["in doubt"] |= {self._deal() for _ in range(doubtful)}
        fault(drive, "drop_after", times=doubtful)
        drive.run()
        for name, deals in billed.items():
            for deal in deals if name in _AT_LAST else ():
                _AT_LAST[name](self, deal)
        for name, make in _MADE.items():
            self.wanted[name] |= {make(self, deal) for deal in billed[name]}
        remap(drive, "invoice_from_opportunity", RULES, RULES + LATE_FEE)
        self._ask()
        self.wanted["not synced yet"] |= {self._deal() for _ in range(self.each)}

    def reject(self) -> None:
        """Reject the plan that waits."""
        from airflow_provider_kashoo.core.rules.approval import Decision
        from airflow_provider_kashoo.sync.run.approval import decide

        assert self._asking
        decide(self._asking, steps._summary(self._asking), Decision.REJECT, by="ann", reason="too much")
        self.wanted["rejected"] = self.wanted.pop("waiting for approval")

    def tie_out(self) -> TieOut:
        return tie_out(self.drive.sync(first=BEGAN), YEAR)

    def _ask(self) -> None:
        self.wanted["waiting for approval"] |= {self._deal(Description="approve") for _ in range(self.each)}
        self._box.clock.advance(60)
        self._asking = self.drive.sync()
        steps.preflight(self._asking)
        for source in ("Account", "Product2", "Opportunity", "Order"):
            steps.extract(self._asking, source)
        steps.plan(self._asking)

    def _amount(self) -> str:
        return f"{self._random.randrange(10_000, 900_000) / 100:.2f}"

    def _deal(self, **fields: Any) -> str:
        return add_deal(self._box, self._account, self._amount(), **fields)

    def _deals(self, name: str) -> list[str]:
        more = {"Description": _MARKS[name]} if name in _MARKS else {}
        made = [self._deal(**more) for _ in range(self.each)]
        for deal in made:
            if self._random.random() < 0.3 and name not in _PRICED:
                for _ in range(self._random.randrange(1, 4)):
                    add_line(self._box, deal, self._amount())
        return made

    def row(self, deal: str) -> dict[str, Any]:
        """Give the invoice of a deal as the books keep it."""
        link = self.drive.store.links.of_sources("invoice", [deal])[deal]
        found: dict[str, Any] = self._rows()[link.kashoo_id]
        return found

    def _rows(self) -> Any:
        return self._box.books.business(self._box.books.main()).tables["invoices"].rows

    def forget(self, deal: str) -> None:
        """Let the store lose an invoice: its link and how it came about."""
        with self.drive.database.begin() as connection:
            connection.execute(delete(links).where(links.c.source_id == deal))
            connection.execute(delete(operations).where(operations.c.source_id == deal))

    def relined(self, deal: str, **changes: Any) -> None:
        """Let a person change every line of an invoice."""
        row = self.row(deal)
        edit(self._box, "invoices", row, lineItems=[{**line, **changes} for line in row["lineItems"]])


def _missed(planted: Planted, deal: str) -> None:
    remove(planted.drive, planted.row(deal))
    planted.forget(deal)


def _long_ago(planted: Planted, deal: str) -> None:
    _missed(planted, deal)
    table = planted.drive.sandbox.org.table("Opportunity")
    table.rows[deal]["SystemModstamp"] = "2026-01-05T00:00:00.000+0000"


def _copied(planted: Planted, deal: str) -> str:
    return str(copy(planted.drive, planted.row(deal))["id"])


def _by_hand(planted: Planted, deal: str) -> str:
    row = {**planted.row(deal), "memo": "by hand", "number": None}
    box = planted.drive.sandbox
    return str(box.books.create(box.books.main(), "invoices", row)["id"])


def _paid_and_changed(planted: Planted, deal: str) -> None:
    box = planted.drive.sandbox
    box.books.pay(box.books.main(), planted.row(deal)["id"], 100)
    planted.drive.run_back()
    price(planted.drive, deal, "10001.00")


def _pay(planted: Planted, deal: str) -> None:
    box = planted.drive.sandbox
    box.books.pay(box.books.main(), planted.row(deal)["id"], 100)


def _on_both_sides(planted: Planted, deal: str) -> None:
    planted.relined(deal, rate=777)
    price(planted.drive, deal, "10002.00")


def _joined(planted: Planted, deal: str) -> str:
    order = add_order(planted.drive.sandbox, planted._account, None, "300.00")
    planted.drive.run()
    sell_as(planted.drive.sandbox, order, deal)
    return order


def _nothing(planted: Planted, deal: str) -> None:
    return


_AFTER: dict[str, Callable[[Planted, str], str | None]] = {
    "a person is asked": _paid_and_changed,
    "billed through another record": _joined,
    "unexplained": _nothing,
    "before the sync began": _nothing,
    "excluded by rule": lambda planted, deal: change(planted.drive, deal, Description="internal"),
    "no longer won": lambda planted, deal: lose(planted.drive, deal),
    "deleted in Salesforce": lambda planted, deal: planted.drive.sandbox.org.delete("Opportunity", deal),
    "not readable in Salesforce": _nothing,
    "changed in the books": _nothing,
    "changed on both sides": _nothing,
    "settled for the books": _on_both_sides,
    "billed by an earlier mapping": _nothing,
    "removed in the books": _nothing,
    "unreadable in the books": _nothing,
    "twice in the books": _nothing,
    "not linked": _nothing,
    "dated otherwise in the books": _nothing,
    "currency": _nothing,
    "tax": _nothing,
    "rounding": _nothing,
    "paid differently": _nothing,
    "not ours": _nothing,
}
"""Name -> what is done with a billed deal; a run follows."""

_AT_LAST: dict[str, Callable[[Planted, str], Any]] = {
    "unexplained": _missed,
    "before the sync began": _long_ago,
    "not readable in Salesforce": lambda p, deal: p.drive.sandbox.org.table("Opportunity").rows.pop(deal),
    "changed in the books": lambda p, deal: p.relined(deal, rate=4_321),
    "changed on both sides": _on_both_sides,
    "removed in the books": lambda p, deal: remove(p.drive, p.row(deal)),
    "unreadable in the books": lambda p, deal: p.row(deal).update(totalDue=Decimal("12.5")),
    "not linked": lambda p, deal: p.forget(deal),
    "dated otherwise in the books": lambda p, deal: edit(p.drive.sandbox, "invoices", p.row(deal), date="2026-02-11"),
    "currency": lambda p, deal: edit(p.drive.sandbox, "invoices", p.row(deal), currency="CAD"),
    "tax": lambda p, deal: p.relined(deal, taxCode="G"),
    "rounding": lambda p, deal: p.row(deal).update(totalDue=p.row(deal)["totalDue"] + 1),
    "paid differently": _pay,
}
"""Name -> what is done with it after that run."""

_PRICED = {"a person is asked", "changed on both sides", "settled for the books"}
"""Their deals get another amount, which Salesforce keeps only of a deal without lines."""

_MADE = {"twice in the books": _copied, "not ours": _by_hand}
"""Name -> what makes another invoice then."""

_MARKS = {"billed by an earlier mapping": "fee", "taxed": "taxed"}
"""Name -> description of the deal, which a rule looks at."""


def found_by(report: TieOut, each: Difference) -> str:
    """Give the id by which a planted difference is known."""
    alone = each.name in {"not ours", "twice in the books"}
    return str(each.kashoo_id) if alone else str(each.source_id)


__all__ = ["BEGAN", "INVOICES", "YEAR", "Locked", "Planted", "found_by"]

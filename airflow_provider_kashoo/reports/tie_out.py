"""The tie-out as people read and sign it: totals by currency and month, and every difference with its name."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_kashoo.core.rules.receivables import Customer
from airflow_provider_kashoo.core.rules.tie_out import (
    NEXT_STEP,
    SAID_BY_RECORD,
    Billed,
    Name,
    View,
    name_of,
    owed_by,
    paid_differently,
)
from airflow_provider_kashoo.core.values.money import format_in
from airflow_provider_kashoo.reports.difference import SETTLED, TODAY, Difference
from airflow_provider_kashoo.reports.receivables import Receivables

FORMAT = "1.1"

ALL_TAXES = "Nothing to do: deals are compared before tax, and these are the taxes on them."


@dataclass
class Cell:
    """The totals of one currency and month, minor units.

    :ivar deals: won deals after the rules, before tax.
    :ivar taxes: the taxes on them.
    :ivar invoices: what this sync expects, with taxes.
    :ivar books: what Kashoo lists of that, with taxes.
    :ivar owed: what of that is still to be paid.
    :ivar counts: of deals, invoices, invoices in the books, and those in the books that are not ours.
    :ivar not_ours: total of the latter.
    :ivar closed: whether all of it is read, and nothing is open.
    :ivar why_open: why it is not.
    """

    currency: str
    month: str
    deals: int = 0
    taxes: int = 0
    invoices: int = 0
    books: int = 0
    owed: int = 0
    not_ours: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"deals": 0, "invoices": 0, "books": 0, "not_ours": 0})
    differences: list[Difference] = field(default_factory=list)
    closed: bool = False
    why_open: list[str] = field(default_factory=list)

    @property
    def difference(self) -> int:
        """Deals with their taxes, less the books."""
        return self.deals + self.taxes - self.books

    @property
    def named(self) -> dict[str, tuple[int, int]]:
        """Name -> how many differences, and their sum (deals less books)."""
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for each in self.differences:
            found[each.name][0] += 1
            found[each.name][1] += each.deal_minor - each.books_minor
        return {name: (count, total) for name, (count, total) in sorted(found.items())}


@dataclass
class TieOut:
    """One tie-out.

    :param first: first day that is compared, ``YYYY-MM-DD``.
    :param last: last day.
    :param made_at: epoch seconds UTC.
    :param notes: what was not compared, and why.
    :param receivables: what customers owe; None if the days end before today.
    """

    business: str
    first: str
    last: str
    made_at: float
    cells: list[Cell]
    notes: list[str] = field(default_factory=list)
    receivables: Receivables | None = None

    @property
    def parts(self) -> list[Cell | Receivables]:
        """The months, and what customers owe."""
        return [*self.cells, *([self.receivables] if self.receivables else [])]

    @property
    def differences(self) -> list[Difference]:
        """All differences."""
        return [each for part in self.parts for each in part.differences]

    @property
    def unexplained(self) -> int:
        """How many have no name, and were not dismissed."""
        return sum(each.is_unexplained for each in self.differences)

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON: amounts in minor units."""
        return {
            "format_version": FORMAT,
            "business": self.business,
            "from": self.first,
            "to": self.last,
            "currencies": [_cell_json(each) for each in self.cells],
            "receivables": _receivables_json(self.receivables) if self.receivables else None,
            "unexplained": self.unexplained,
            "notes": self.notes,
        }

    def as_csv(self) -> str:
        """Write it as CSV, amounts in minor units: a row for each difference.

        The totals are rows named *total*, and what a customer owes is one named *balance*: what its Account says, and
        what the books say.
        """
        file = io.StringIO()
        writer = csv.DictWriter(file, (*_OF_ALL, *_OF_BALANCES), lineterminator="\n")
        writer.writeheader()
        for cell in self.cells:
            writer.writerow(_total_row(cell))
            writer.writerows(map(_csv_row, cell.differences))
        if self.receivables:
            writer.writerows(map(_balance_row, self.receivables.customers))
            writer.writerows(map(_csv_row, self.receivables.differences))
        return file.getvalue()


_OF_ALL = (
    *("name", "currency", "month", "source_id", "part", "kashoo_id", "deal_minor", "books_minor", "next_step"),
    *("id", "state", "why"),
)
_OF_BALANCES = ("customer", "open_minor", "credits_minor", "of_this_sync_minor")


def _cell_text(value: Any) -> Any:
    """Keep a spreadsheet from taking what a person wrote for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value


def _csv_row(each: Difference) -> dict[str, Any]:
    values = asdict(each) | ({} if each.id else {"state": ""})
    return {name: _cell_text(values[name]) for name in _OF_ALL}


def _total_row(cell: Cell) -> dict[str, Any]:
    state = {"state": "closed" if cell.closed else "open", "why": "; ".join(cell.why_open)}
    amounts = {"deal_minor": cell.deals, "books_minor": cell.books}
    return {"name": "total", "currency": cell.currency, "month": cell.month} | amounts | state


def _balance_row(each: Customer) -> dict[str, Any]:
    values = {
        "name": "balance",
        "currency": each.currency,
        "month": TODAY,
        "source_id": each.source_id,
        "kashoo_id": each.kashoo_id or "",
        "deal_minor": each.says,
        "books_minor": each.balance,
        "customer": each.name,
        "open_minor": each.open,
        "credits_minor": each.credits,
        "of_this_sync_minor": each.ours,
    }
    return {name: _cell_text(value) for name, value in values.items()}


def _cell_json(cell: Cell) -> dict[str, Any]:
    totals = ("currency", "month", "deals", "taxes", "invoices", "books", "owed", "not_ours", "counts", "closed")
    differences = [_difference_json(each) for each in cell.differences]
    return {name: getattr(cell, name) for name in totals} | {"why_open": cell.why_open, "differences": differences}


def _receivables_json(owed: Receivables) -> dict[str, Any]:
    differences = [{"currency": each.currency, **_difference_json(each)} for each in owed.differences]
    return owed.as_json() | {"differences": differences}


def _difference_json(each: Difference) -> dict[str, Any]:
    names = ("name", "source_id", "part", "kashoo_id", "deal_minor", "books_minor", "next_step", "id", "state", "why")
    return {name: getattr(each, name) for name in (*names, "kind")}


class Tie:
    """Adds up what the three sides say, and lists what differs.

    :param first: first day that counts, ``YYYY-MM-DD``.
    :param last: last day.
    :param ident: gives the id of a difference.
    """

    def __init__(self, first: str, last: str, ident: Callable[[Difference], str] = lambda _: "") -> None:
        self._first, self._last, self._ident = first, last, ident
        self._cells: dict[tuple[str, str], Cell] = {}

    def add_all(self, billed: Iterable[Billed]) -> None:
        """Count invoices."""
        for each in billed:
            self.add(each)

    def add(self, each: Billed) -> None:
        """Count one invoice in the months in which a side has it."""
        deal, invoice, books = (
            view if view and self._first <= view.day <= self._last else None
            for view in (each.deal, each.invoice, each.books)
        )
        if not each.source_id:
            self._add_not_ours(each, books)
            return
        self._count(deal, invoice, books, each)
        if name := name_of(each):
            for cell in sorted({view.cell for view in (deal, invoice, books) if view}):
                here = [view.minor if view and view.cell == cell else 0 for view in (deal, invoice, books)]
                if len(set(here)) > 1 or name in {Name.ODD, Name.TWICE}:
                    self._note(cell, name, each, here[0], here[2])
        if books and not each.copy and paid_differently(each):
            self._note(books.cell, Name.PAID_DIFFERENTLY, each, owed_by(each), each.owed or 0)

    def cells(self) -> list[Cell]:
        """Give the totals, by currency and month, each with the sum of all its taxes as a difference of its own."""
        found = [self._cells[cell] for cell in sorted(self._cells)]
        for cell in found:
            if cell.taxes:
                taxes = Difference(Name.TAX, cell.currency, cell.month, None, None, 0, cell.taxes, ALL_TAXES)
                cell.differences.insert(0, taxes)
        return found

    def _count(self, deal: View | None, invoice: View | None, books: View | None, each: Billed) -> None:
        if deal:
            cell = self._cell(deal.cell)
            cell.deals += deal.minor - deal.tax
            cell.taxes += deal.tax
            cell.counts["deals"] += 1
        if invoice:
            cell = self._cell(invoice.cell)
            cell.invoices += invoice.minor
            cell.counts["invoices"] += 1
        if books:
            cell = self._cell(books.cell)
            cell.books += books.minor
            cell.owed += each.owed or 0
            cell.counts["books"] += 1

    def _add_not_ours(self, each: Billed, books: View | None) -> None:
        if books:
            cell = self._cell(books.cell)
            cell.not_ours += books.minor
            cell.counts["not_ours"] += 1
            self._note(books.cell, Name.NOT_OURS, each, 0, books.minor)

    def _note(self, cell: tuple[str, str], name: Name, each: Billed, deal: int, books: int) -> None:
        step = each.fix if each.fix and name in SAID_BY_RECORD else NEXT_STEP[name]
        found = Difference(name, *cell, each.source_id or None, each.kashoo_id, deal, books, step, part=each.part)
        found = replace(found, id="" if name is Name.NOT_OURS else self._ident(found))
        if name is Name.SETTLED and each.settled:
            found = replace(found, state=SETTLED, why=each.settled.reason)
        self._cell(cell).differences.append(found)

    def _cell(self, cell: tuple[str, str]) -> Cell:
        return self._cells.setdefault(cell, Cell(*cell))


def headline(report: TieOut) -> str:
    """Say in a sentence how it went, for the log."""
    named = Counter(each.name for each in report.differences if each.is_open)
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(named.items())) or "no open difference"
    closed = sum(cell.closed for cell in report.cells)
    return f"{len(report.cells)} currencies and months, {closed} of them closed: {said}."


def totals_text(cell: Cell) -> str:
    """Write the totals of a month in a line, for the log and an alert."""
    amounts = (cell.deals, cell.taxes, cell.invoices, cell.books)
    deals, taxes, invoices, books = (format_in(cell.currency, each) for each in amounts)
    return f"{cell.month} {cell.currency}: deals {deals} + taxes {taxes}, invoices {invoices}, books {books}"

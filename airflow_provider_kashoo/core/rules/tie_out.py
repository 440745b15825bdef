"""Why a deal, the invoice that this sync expects and the invoice in the books differ: one name for each record.

Names are given in a fixed order, from what is surely known to what only the amounts suggest. What no rule fits is
*unexplained*: it is never given a name that only might be right.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from sys import intern

from airflow_provider_kashoo.core.rules.approval import REJECTED
from airflow_provider_kashoo.core.rules.questions import (
    APPROVED_INVOICE_CHANGED,
    CHANGED_ON_BOTH_SIDES,
    IDENTITY_CHANGED,
    LOCKED_INVOICE_CHANGED,
    PAID_INVOICE_CHANGED,
    PARTS_CHANGED,
    PARTS_UNKNOWN,
    REMOVED_IN_BOOKS,
    STANDS_AGAIN,
)
from airflow_provider_kashoo.core.rules.settled import Settled
from airflow_provider_kashoo.core.rules.settlement import OPEN, OVERPAID, PAID, PARTLY_PAID, REFUNDED
from airflow_provider_kashoo.core.values.money import format_minor

CLOSED_PERIOD, NO_CURRENCY = "closed_period", "currency"
"""Error classes of records that are parked for this."""


class Name(StrEnum):
    """What a difference is called, as people and programs read it."""

    NOT_SYNCED = "not synced yet"
    BEFORE_SYNC = "before the sync began"
    WAITING = "waiting for approval"
    REJECTED = "rejected"
    PARKED = "parked"
    IN_DOUBT = "in doubt"
    ASKED = "a person is asked"
    PERIOD_LOCKED = "period locked"
    EXCLUDED = "excluded by rule"
    NOT_WON = "no longer won"
    DELETED = "deleted in Salesforce"
    NOT_READABLE = "not readable in Salesforce"
    ELSEWHERE = "billed through another record"
    CHANGED_IN_BOOKS = "changed in the books"
    CHANGED_ON_BOTH = "changed on both sides"
    SETTLED = "settled for the books"
    OLDER_MAPPING = "billed by an earlier mapping"
    REMOVED = "removed in the books"
    ODD = "unreadable in the books"
    TWICE = "twice in the books"
    NOT_LINKED = "not linked"
    DATE = "dated otherwise in the books"
    CURRENCY = "currency"
    TAX = "tax"
    ROUNDING = "rounding"
    PAID_DIFFERENTLY = "paid differently"
    NOT_OURS = "not ours"
    UNEXPLAINED = "unexplained"


APART = frozenset({Name.NOT_OURS, Name.PAID_DIFFERENTLY})
"""Names of what does not move the totals of deals and invoices: it is listed beside them."""

NEXT_STEP = {
    Name.NOT_SYNCED: "Nothing to do: the next run of salesforce_to_kashoo writes it, or asks a person.",
    Name.BEFORE_SYNC: "Run a backfill of that time, or dismiss it if it was billed by hand.",
    Name.WAITING: "Approve the plan in Airflow, or run: airflow kashoo approve.",
    Name.REJECTED: "Correct what it was rejected for; the next run plans it then, and asks again.",
    Name.PARKED: "See its cause: airflow kashoo status. Correct it; every run tries it again.",
    Name.IN_DOUBT: "Wait for the next run, which looks it up. If it stays so: airflow kashoo resolve.",
    Name.ASKED: "Answer the question: airflow kashoo status.",
    Name.PERIOD_LOCKED: "Undo the change in Salesforce, or unlock the period in Kashoo and correct the invoice.",
    Name.EXCLUDED: "Void the invoice in Kashoo, or change the rule that leaves the deal out.",
    Name.NOT_WON: "Void the invoice in Kashoo, or reopen and win the deal.",
    Name.DELETED: "Void the invoice in Kashoo, or restore the deal in Salesforce.",
    Name.NOT_READABLE: "Give the Salesforce user access to the deal. If it was deleted for good, void the invoice.",
    Name.ELSEWHERE: "Void one of the two invoices of this sale in Kashoo.",
    Name.CHANGED_IN_BOOKS: "Ask who changed the invoice. Correct it in Kashoo, or dismiss it with the reason.",
    Name.CHANGED_ON_BOTH: "Compare deal and invoice, and correct one of them.",
    Name.SETTLED: "Nothing to do: a person said that the books are right. If that is wrong, correct the deal.",
    Name.OLDER_MAPPING: "Dismiss it, or see what would change: airflow kashoo plan --remap.",
    Name.REMOVED: "Restore the invoice in Kashoo, or dismiss it with the reason.",
    Name.ODD: "Open the invoice in Kashoo and correct its total.",
    Name.TWICE: "Remove the second invoice in Kashoo.",
    Name.NOT_LINKED: "Nothing to do: the next run of salesforce_to_kashoo searches the books and links it.",
    Name.DATE: "Correct the date in Kashoo, or dismiss it with the reason.",
    Name.CURRENCY: "Void the invoice in Kashoo and bill it in the right currency, or correct the deal.",
    Name.TAX: "Compare the tax codes of the invoice in Kashoo with the mapping.",
    Name.ROUNDING: "Dismiss it: Kashoo rounds otherwise than is assumed. If it comes often, tell us.",
    Name.PAID_DIFFERENTLY: "Nothing to do: the next run of kashoo_to_salesforce writes what was paid.",
    Name.NOT_OURS: "Nothing to do: this sync did not make it.",
    Name.UNEXPLAINED: "Look at it now: airflow kashoo explain. Nothing that the sync knows explains it.",
}
"""What a person does about a difference, unless its record says more."""


SAID_BY_RECORD = frozenset({Name.PARKED, Name.ASKED, Name.PERIOD_LOCKED, Name.CURRENCY})
"""Names whose next step is that of the parked record, or of the question about it."""


class Leaves(StrEnum):
    """Why a record that has an invoice is not to be billed now."""

    BY_RULE = Name.EXCLUDED
    NOT_WON = Name.NOT_WON
    DELETED = Name.DELETED
    VANISHED = Name.NOT_READABLE
    ELSEWHERE = Name.ELSEWHERE


@dataclass(frozen=True, slots=True)
class View:
    """An invoice as one side sees it.

    :param day: its date, ``YYYY-MM-DD``.
    :param minor: its total with taxes, minor units.
    :param tax: what of that are taxes, minor units; 0 if that is not known.
    """

    currency: str
    day: str
    minor: int
    tax: int = 0

    @classmethod
    def of(cls, currency: str, day: str, minor: int, tax: int = 0) -> View:
        """Make one of very many: equal texts are one text in memory."""
        return cls(intern(currency), intern(day), minor, tax)

    @property
    def cell(self) -> tuple[str, str]:
        """Its currency and month, ``YYYY-MM``: where it counts."""
        return self.currency, self.day[:7]

    @property
    def compared(self) -> tuple[str, str, int]:
        """What has to agree."""
        return *self.cell, self.minor


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of an invoice.

    :param net: their total before tax, minor units.
    :param codes: their tax codes, sorted.
    """

    net: int
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """One invoice as all three sides see it, and what the sync knows of it.

    :param source_id: Salesforce id; empty for an invoice that is not ours.
    :param deal: what the mappings make of the record now; None if it is not to be billed.
    :param invoice: what is expected, because it was written so; None if nothing is linked.
    :param books: what Kashoo lists; None if it lists none.
    :param odd: Kashoo lists it without a total, date or currency.
    :param copy: another invoice is linked, and this one bears the same reference.
    :param voided: it was written back as void.
    :param leaves: why it is not to be billed.
    :param doubtful: it was sent and the outcome is not known.
    :param parked: error class for which it is parked; empty if it is not.
    :param asked: error classes of what a person is asked about it.
    :param approval: ``WAITING`` or ``REJECTED`` for what a plan holds that was not applied.
    :param due: the next run reads the record, because it changed since the last one.
    :param before: it last changed before the first run's window.
    :param unchanged: what its fields are made from is as it was when the invoice was written.
    :param lines_of_deal: as the mappings make them.
    :param lines_of_books: as Kashoo lists them; None if it lists none.
    :param settlement: status that was last written back; None if there is none.
    :param settled: what a person last settled for the books about it.
    :param owed: what Kashoo lists as still owed, minor units.
    :param fix: what to do, in the words of what is parked or asked.
    """

    source_id: str = ""
    part: int = 1
    kashoo_id: int | None = None
    deal: View | None = None
    invoice: View | None = None
    books: View | None = None
    odd: bool = False
    copy: bool = False
    voided: bool = False
    leaves: Leaves | None = None
    doubtful: bool = False
    parked: str = ""
    asked: Set[str] = frozenset()
    approval: Name | None = None
    due: bool = False
    before: bool = False
    unchanged: bool = False
    lines_of_deal: Lines | None = None
    lines_of_books: Lines | None = None
    settlement: str | None = None
    settled: Settled | None = None
    owed: int | None = None
    fix: str = ""

    @property
    def agrees(self) -> bool:
        """Whether all three sides say the same, or none of them has it any more."""
        if self.voided and self.deal is None and self.books is None:
            return True
        sides = [None if each is None else each.compared for each in (self.deal, self.invoice, self.books)]
        return not self.copy and not self.odd and sides[0] == sides[1] == sides[2]


def name_of(each: Billed) -> Name | None:
    """Name why the three sides differ; None if they do not."""
    if not each.source_id:
        return Name.NOT_OURS
    if each.agrees:
        return None
    if each.copy:
        return Name.TWICE
    if each.doubtful:
        return Name.IN_DOUBT
    if each.odd:
        return Name.ODD
    if each.invoice is None:
        return _unlinked(each)
    if each.books is None:
        return Name.REMOVED
    if each.deal is None:
        return Name(each.leaves.value) if each.leaves else _asked(each) or _held(each) or Name.UNEXPLAINED
    return _changed(each, each.deal, each.invoice, each.books)


def paid_differently(each: Billed) -> bool:
    """Say whether what is still owed is not what the last write-back said."""
    if each.books is None or each.owed is None or each.settlement is None:
        return False
    total, owed = each.books.minor, each.owed
    fits = {
        OPEN: owed == total,
        PARTLY_PAID: 0 < owed < total,
        PAID: owed == 0,
        OVERPAID: owed <= 0,
        REFUNDED: owed >= total,
    }
    return not fits.get(each.settlement, True)


def owed_by(each: Billed) -> int:
    """Give what is owed by the last write-back, minor units: all, or nothing; of a partly paid invoice the total."""
    return 0 if each.settlement in {PAID, OVERPAID} or each.books is None else each.books.minor


def _unlinked(each: Billed) -> Name:
    """Name why a deal has no invoice of ours."""
    if each.books is not None:
        return Name.NOT_LINKED
    if each.approval:
        return each.approval
    if named := _held(each):
        return named
    if each.asked:
        return Name.ASKED
    if each.before:
        return Name.BEFORE_SYNC
    return Name.NOT_SYNCED if each.due else Name.UNEXPLAINED


def _changed(each: Billed, deal: View, invoice: View, books: View) -> Name:
    """Name why deal, expected invoice and books, which all exist, do not agree."""
    if len({deal.currency, invoice.currency, books.currency}) > 1:
        return Name.CURRENCY
    if invoice.compared == books.compared:
        return _changed_in_salesforce(each, deal, invoice)
    if deal.compared == invoice.compared:
        if invoice.cell != books.cell:
            return Name.DATE
        return _changed_total(each, books.minor - invoice.minor)
    if deal.compared == books.compared:
        return Name.NOT_SYNCED if each.due else Name.CHANGED_ON_BOTH
    return _asked(each) or Name.CHANGED_ON_BOTH


def _changed_in_salesforce(each: Billed, deal: View, invoice: View) -> Name:
    """Name why the books still say what was written, and the deal says something else."""
    if each.approval:
        return each.approval
    if named := _asked(each) or _held(each):
        return named
    if each.settled and all(map(each.settled.names, _apart(deal, invoice))):
        return Name.SETTLED
    if each.due:
        return Name.NOT_SYNCED
    ours, theirs = each.lines_of_deal, each.lines_of_books
    if ours and theirs and ours.net == theirs.net:
        return Name.TAX  # the rate of a tax changed since
    return Name.OLDER_MAPPING if each.unchanged else Name.UNEXPLAINED


def _apart(deal: View, invoice: View) -> list[str]:
    """Write what of a deal differs from the expected invoice as a question names it."""
    day = [deal.day] if deal.cell != invoice.cell else []
    return day + ([format_minor(deal.minor, deal.currency)] if deal.minor != invoice.minor else [])


def _changed_total(each: Billed, more: int) -> Name:
    """Name why the total in the books is not the one that was written."""
    deal, books = each.lines_of_deal, each.lines_of_books
    if deal is None or books is None or deal.net != books.net:
        return Name.CHANGED_IN_BOOKS
    if deal.codes != books.codes:
        return Name.TAX
    return Name.ROUNDING if abs(more) <= max(1, len(deal.codes)) else Name.TAX


_PARKED = {CLOSED_PERIOD: Name.PERIOD_LOCKED, NO_CURRENCY: Name.CURRENCY, REJECTED: Name.REJECTED}


def _held(each: Billed) -> Name | None:
    """Name why it is parked; None if it is not."""
    return _PARKED.get(each.parked, Name.PARKED) if each.parked else None


def _asked(each: Billed) -> Name | None:
    """Name what a person is asked; None if that explains nothing."""
    named = {
        LOCKED_INVOICE_CHANGED.error_class: Name.PERIOD_LOCKED,
        CHANGED_ON_BOTH_SIDES.error_class: Name.CHANGED_ON_BOTH,
    }
    for error_class, name in named.items():
        if error_class in each.asked:
            return name
    changed = (PAID_INVOICE_CHANGED, APPROVED_INVOICE_CHANGED, IDENTITY_CHANGED, PARTS_CHANGED)
    others = (*changed, PARTS_UNKNOWN, STANDS_AGAIN, REMOVED_IN_BOOKS)
    return Name.ASKED if each.asked & {question.error_class for question in others} else None

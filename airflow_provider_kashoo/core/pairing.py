"""Which invoice, written by hand, is which deal's? Evidence in rungs, strongest first.

Two sales to one customer may look the same, so likeness alone proves nothing: a rung counts only where one
deal and one invoice meet on it and nothing else of either side does. Whatever a rung left in question stays
in question: no weaker rung decides it, neither for the deal nor for an invoice that could be the deal's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

NEAR = timedelta(days=31)
"""How far apart a deal's date and the date of its invoice may lie when only the amount speaks for them."""


@dataclass(frozen=True)
class Deal:
    """A sale without an invoice.

    :param ident: Salesforce id.
    :param customer: Kashoo id of its customer.
    :param total: minor units, taxes included.
    :param po_number: the customer's number for it, as the mapping gives it.
    :param blocked: it may have been billed, so it competes but gets nothing.
    """

    ident: str
    customer: int
    currency: str
    total: int
    date: date
    po_number: str | None = None
    blocked: bool = False


@dataclass(frozen=True)
class Bill:
    """An invoice that is nobody's: it carries no reference of ours and is not linked.

    :param ident: Kashoo id.
    :param numbers: its own number and its PO number, where it has them.
    """

    ident: int
    customer: int
    currency: str
    total: int
    date: date
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the rungs say of one deal.

    :param bill: its invoice; None when there is none, or when it is in question.
    :param evidence: the rung that spoke.
    :param bills: every invoice that stands on that rung for this deal.
    :param rivals: other deals that one of these invoices could belong to.
    """

    bill: int | None
    evidence: str
    bills: tuple[int, ...]
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rung:
    """One kind of evidence, always of the same customer and in the same currency.

    :param of_deal: what a deal shows.
    :param of_bill: what an invoice shows; one thing in common is enough.
    :param near: whether their dates must also lie within :data:`NEAR`.
    """

    name: str
    of_deal: Callable[[Deal], Iterable[Hashable]]
    of_bill: Callable[[Bill], Iterable[Hashable]]
    near: bool = False


def _plain(number: str | None) -> str:
    return " ".join((number or "").casefold().split())


RUNGS = (
    Rung(
        "number or PO number",
        lambda deal: filter(None, [_plain(deal.po_number)]),
        lambda bill: filter(None, map(_plain, bill.numbers)),
    ),
    Rung(
        "customer, currency, total and date",
        lambda deal: [(deal.total, deal.date)],
        lambda bill: [(bill.total, bill.date)],
    ),
    Rung(
        f"customer, currency and total, within {NEAR.days} days",
        lambda deal: [deal.total],
        lambda bill: [bill.total],
        near=True,
    ),
)


def pair(deals: Iterable[Deal], bills: Iterable[Bill]) -> dict[str, Verdict]:
    """Find the invoice of each deal.

    :returns: deal -> verdict; a deal on which no rung speaks is left out.
    """
    unbilled, free = {deal.ident: deal for deal in deals}, {bill.ident: bill for bill in bills}
    verdicts: dict[str, Verdict] = {}
    doubtful = {deal.ident for deal in unbilled.values() if deal.blocked}
    askers: dict[int, set[str]] = defaultdict(set)
    for rung in RUNGS:
        seen = _meetings(rung, unbilled, free)
        claims: dict[int, set[str]] = defaultdict(set)
        for ident, found in seen.items():
            for bill in found:
                claims[bill].add(ident)
        certain = {
            ident: found[0]
            for ident, found in seen.items()
            if ident not in doubtful and len(found) == 1 and len(claims[found[0]]) == 1 and not askers[found[0]]
        }
        for ident, found in seen.items():
            rivals = set().union(*(claims[bill] | askers[bill] for bill in found)) - {ident}
            verdict = Verdict(certain.get(ident), rung.name, tuple(found), tuple(sorted(rivals)))
            verdicts.setdefault(ident, verdict)
        for ident in seen.keys() - certain.keys():
            doubtful.add(ident)
            for bill in seen[ident]:
                askers[bill].add(ident)
        for ident, bill in certain.items():
            del unbilled[ident], free[bill]
    return verdicts


def _meetings(rung: Rung, deals: dict[str, Deal], bills: dict[int, Bill]) -> dict[str, list[int]]:
    """List which invoices each deal meets on a rung; a deal that meets none is left out."""
    shown: dict[Hashable, list[Bill]] = defaultdict(list)
    for bill in bills.values():
        for key in rung.of_bill(bill):
            shown[bill.customer, bill.currency, key].append(bill)
    met = {}
    for deal in deals.values():
        found = {
            bill.ident
            for key in rung.of_deal(deal)
            for bill in shown.get((deal.customer, deal.currency, key), [])
            if not rung.near or abs(bill.date - deal.date) <= NEAR
        }
        if found:
            met[deal.ident] = sorted(found)
    return met

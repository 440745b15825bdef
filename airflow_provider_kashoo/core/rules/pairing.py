"""Which invoice, written by hand, belongs to which deal? Kinds of evidence ("rungs"), strongest first.

Two sales to one customer may look the same, so similarity alone proves nothing: a rung counts only if it matches
one deal with one invoice, and neither with anything else. What is ambiguous on one rung stays ambiguous: no
weaker rung decides it, neither for the deal nor for any invoice that could be the deal's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

NEAR = timedelta(days=31)
"""Longest time between the dates of a deal and its invoice when only customer, currency and total match."""


@dataclass(frozen=True)
class Deal:
    """A sale without an invoice.

    :param ident: Salesforce id; of a deal with several invoices, with the part.
    :param customer: Kashoo id of its customer.
    :param total: minor units, taxes included.
    :param po_number: the customer's number for it, as the mapping gives it.
    :param blocked: it may have been billed: its matches count as rivals, but it is never paired.
    """

    ident: str
    customer: int
    currency: str
    total: int
    date: date
    po_number: str | None = None
    blocked: bool = False


@dataclass(frozen=True)
class FreeInvoice:
    """An invoice that has none of our references and is not linked.

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
    """The result for one deal.

    :param invoice: its invoice; None when the match is ambiguous.
    :param evidence: name of the rung that matched.
    :param invoices: every invoice that matches the deal on that rung.
    :param rivals: other deals that one of these invoices could belong to.
    """

    invoice: int | None
    evidence: str
    invoices: tuple[int, ...]
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rung:
    """One kind of evidence, always for the same customer and currency.

    :param of_deal: values of a deal to match.
    :param of_invoice: values of an invoice; one in common is a match.
    :param near: whether the two dates must also be within :data:`NEAR`.
    """

    name: str
    of_deal: Callable[[Deal], Iterable[Hashable]]
    of_invoice: Callable[[FreeInvoice], Iterable[Hashable]]
    near: bool = False


def _plain(number: str | None) -> str:
    return " ".join((number or "").casefold().split())


RUNGS = (
    Rung(
        "number or PO number",
        lambda deal: filter(None, [_plain(deal.po_number)]),
        lambda invoice: filter(None, map(_plain, invoice.numbers)),
    ),
    Rung(
        "customer, currency, total and date",
        lambda deal: [(deal.total, deal.date)],
        lambda invoice: [(invoice.total, invoice.date)],
    ),
    Rung(
        f"customer, currency and total, within {NEAR.days} days",
        lambda deal: [deal.total],
        lambda invoice: [invoice.total],
        near=True,
    ),
)


def pair(deals: Iterable[Deal], invoices: Iterable[FreeInvoice]) -> dict[str, Verdict]:
    """Find the invoice of each deal.

    :returns: deal -> verdict; a deal without any match is left out.
    """
    unbilled, free = {deal.ident: deal for deal in deals}, {invoice.ident: invoice for invoice in invoices}
    verdicts: dict[str, Verdict] = {}
    doubtful = {deal.ident for deal in unbilled.values() if deal.blocked}
    askers: dict[int, set[str]] = defaultdict(set)
    for rung in RUNGS:
        seen = _meetings(rung, unbilled, free)
        claims: dict[int, set[str]] = defaultdict(set)
        for ident, found in seen.items():
            for invoice in found:
                claims[invoice].add(ident)
        certain = {
            ident: found[0]
            for ident, found in seen.items()
            if ident not in doubtful and len(found) == 1 and len(claims[found[0]]) == 1 and not askers[found[0]]
        }
        for ident, found in seen.items():
            rivals = set().union(*(claims[invoice] | askers[invoice] for invoice in found)) - {ident}
            verdict = Verdict(certain.get(ident), rung.name, tuple(found), tuple(sorted(rivals)))
            verdicts.setdefault(ident, verdict)
        for ident in seen.keys() - certain.keys():
            doubtful.add(ident)
            for invoice in seen[ident]:
                askers[invoice].add(ident)
        for ident, invoice in certain.items():
            del unbilled[ident], free[invoice]
    return verdicts


def _meetings(rung: Rung, deals: dict[str, Deal], invoices: dict[int, FreeInvoice]) -> dict[str, list[int]]:
    """List the invoices that match each deal on a rung; a deal that matches none is left out."""
    shown: dict[Hashable, list[FreeInvoice]] = defaultdict(list)
    for invoice in invoices.values():
        for key in rung.of_invoice(invoice):
            shown[invoice.customer, invoice.currency, key].append(invoice)
    met = {}
    for deal in deals.values():
        found = {
            invoice.ident
            for key in rung.of_deal(deal)
            for invoice in shown.get((deal.customer, deal.currency, key), [])
            if not rung.near or abs(invoice.date - deal.date) <= NEAR
        }
        if found:
            met[deal.ident] = sorted(found)
    return met

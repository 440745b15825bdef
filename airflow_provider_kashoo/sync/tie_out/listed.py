"""Read the invoices of the books by list pages, and by nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.tie_out import Lines, View
from airflow_provider_kashoo.core.rules.totals import tax_codes
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.money import Rounding, line_total
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.owed import Owed

A_DAY = timedelta(days=1)

FURTHER = timedelta(days=400)
"""An invoice that a list of the period misses is searched so far before and after it: its date may have been moved."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An invoice as a list shows it.

    :param view: None when it shows an odd value.
    :param owed: minor units.
    :param references: ours, of one that is not expected.
    :param lines: of one that differs from what is expected; None if the list shows none.
    """

    view: View | None
    owed: int | None = None
    references: tuple[Reference, ...] = ()
    lines: Lines | None = None


def list_books(
    sync: Sync, first: str, last: str, expected: Mapping[int, int | None], owed: Owed | None
) -> dict[int, Listed]:
    """List the invoices of a period, by their Kashoo ids.

    :param first: first day, ``YYYY-MM-DD``.
    :param last: last day.
    :param expected: Kashoo id -> total that is expected, of those that are linked.
    :param owed: counts what customers owe; for it more days are listed.
    """
    found = {}
    start, end = _days(first, last, owed)
    for entry in sync.kashoo.listing(INVOICE.name, start=start, end=end):
        if owed:
            owed.add(entry)
        if entry.id in expected or (entry.date is not None and first <= entry.date <= last):
            found[entry.id] = _listed(entry, expected)
    return found


def list_further(sync: Sync, first: str, last: str, missing: Collection[int], owed: Owed | None) -> dict[int, Listed]:
    """Search the lists before and after a period for invoices that the period does not have.

    :param missing: their Kashoo ids.
    :param owed: misses some, too; with none missing at all, nothing is listed.
    """
    found: dict[int, Listed] = {}
    wanted = {*missing, *(owed.missing if owed else ())}
    earliest, latest = map(date.fromisoformat, _days(first, last, owed))
    before, after = date.fromisoformat(first) - A_DAY, date.fromisoformat(last) + A_DAY
    for start, stop in ((earliest - FURTHER, before), (after, latest + FURTHER)):
        if not wanted:
            break
        for entry in sync.kashoo.listing(INVOICE.name, start=start.isoformat(), end=stop.isoformat()):
            if owed and entry.id in owed.missing:
                owed.add(entry)
            if entry.id in missing:
                found[entry.id] = _listed(entry, {})
            wanted.discard(entry.id)
            if not wanted:
                break
    return found


def _days(first: str, last: str, owed: Owed | None) -> tuple[str, str]:
    """Give the days that are listed: of the period, and those of what customers owe."""
    if owed is None:
        return first, last
    return min(first, owed.since.isoformat()), max(last, owed.until.isoformat())


def _listed(entry: Entry, expected: Mapping[int, int | None]) -> Listed:
    """Take of an invoice what is compared."""
    total, day, currency = entry.total, entry.date, entry.currency
    view = None if entry.odd or total is None or day is None or currency is None else View.of(currency, day, total)
    if expected.get(entry.id, -1) == total:
        return Listed(view, entry.balance)
    references = () if entry.id in expected else tuple(entry.references)
    return Listed(view, entry.balance, references, _lines(entry, entry.profile.counting.rounding))


def _lines(entry: Entry, rounding: Rounding) -> Lines | None:
    """Add up the lines of an invoice, if the list shows them (assumed) and each is readable."""
    net, codes = 0, set[str]()
    for line in entry.fields.get("lines", ()):
        rate, quantity = line.get("rate"), line.get("quantity")
        if not isinstance(rate, int) or not isinstance(quantity, str):
            return None
        net += line_total(Decimal(quantity), rate, rounding)
        codes.update(tax_codes(line.get("taxCode")))
    return Lines(net, tuple(sorted(codes))) if entry.fields.get("lines") else None

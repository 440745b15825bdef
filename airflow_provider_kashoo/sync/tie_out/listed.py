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
    start, end = (owed.since.isoformat(), owed.until.isoformat()) if owed else (first, last)
    for entry in sync.kashoo.listing(INVOICE.name, start=start, end=end):
        if owed:
            owed.add(entry)
        if entry.id in expected or (entry.date is not None and first <= entry.date <= last):
            found[entry.id] = _listed(entry, expected)
    return found


def list_further(sync: Sync, first: str, last: str, missing: Collection[int]) -> dict[int, Listed]:
    """Search the lists before and after a period for invoices that the period does not have.

    :param missing: their Kashoo ids; with none, nothing is listed.
    """
    found: dict[int, Listed] = {}
    begin, end, day = date.fromisoformat(first), date.fromisoformat(last), timedelta(days=1)
    for start, stop in ((begin - FURTHER, begin - day), (end + day, end + FURTHER)):
        if len(found) == len(missing):
            break
        for entry in sync.kashoo.listing(INVOICE.name, start=start.isoformat(), end=stop.isoformat()):
            if entry.id in missing:
                found[entry.id] = _listed(entry, {})
            if len(found) == len(missing):
                break
    return found


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

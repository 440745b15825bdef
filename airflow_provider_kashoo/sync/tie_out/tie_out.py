"""The tie-out of a period: won deals = expected invoices = books, by currency and month; every difference has a name.

It reads the books by list pages only, each object of Salesforce by one bulk query and Accounts that were told a
balance by their ids, and writes to neither. What a person said about a difference is kept in the store; only
:func:`note` changes it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.values.dates import midnight
from airflow_provider_kashoo.reports.difference import TODAY, Difference
from airflow_provider_kashoo.reports.receivables import Receivables
from airflow_provider_kashoo.reports.tie_out import Cell, Tie, TieOut
from airflow_provider_kashoo.store.differences import SHOWN, Mark, Noted
from airflow_provider_kashoo.store.rehearsal import Rehearsal
from airflow_provider_kashoo.sync.preflight import preflight
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, Sync
from airflow_provider_kashoo.sync.tie_out.accounts import Accounts, name_customers
from airflow_provider_kashoo.sync.tie_out.known import Known
from airflow_provider_kashoo.sync.tie_out.owed import Owed
from airflow_provider_kashoo.sync.tie_out.period import Period, last_day
from airflow_provider_kashoo.sync.tie_out.sides import Sides

NOT_TODAY = "What customers owe is not compared: it is as of today, and these days end before."


def tie_out(sync: Sync, period: Period, *, named: bool = False) -> TieOut:
    """Compare a period, and what customers owe if it reaches today. Nothing is written to either side or the store.

    :param sync: of ``salesforce_to_kashoo``; ``run.first`` is when its first window began, UTC.
    :param named: ask Salesforce for the names of customers.
    :raises ConfigurationError: when nothing was synced yet, and as the steps of a run.
    :raises BudgetSpent: when the request limit is reached.
    """
    if not any(sync.store.watermarks.get(f"salesforce.{each}") for each in sync.sources):
        raise ConfigurationError(
            "Nothing was synced yet: there is nothing that the books could be compared with.",
            remedy="Let salesforce_to_kashoo run first; if Kashoo has the invoices already: airflow kashoo adopt.",
        )
    with tempfile.TemporaryDirectory(prefix="kashoo-tie-out-") as folder:  # only its owner may read it
        known = Known.of(sync)
        read = replace(
            sync,
            store=Rehearsal(sync.store),
            files=Staging(Path(folder), sync.name, "tie-out", sync.run.run_id),
        )
        preflight(read)
        read.recall_describes()
        owed = Owed.of(read, known, period)
        sides = Sides(read, known, period, owed)
        tie = Tie(period.first.isoformat(), period.last.isoformat(), lambda each: _key(sync, each)[:SHOWN])
        tie.add_all(sides.billed())
        cells = tie.cells()
        receivables = _receivables(read, owed, named=named) if owed else None
        business = (read.files.read_json("business") or {}).get("name")
    marks = {key[:SHOWN]: mark for key, mark in sync.store.differences.marks().items()}
    report = TieOut(
        business=f"{business} ({sync.store.business_id})" if business else sync.store.business_id,
        first=period.first.isoformat(),
        last=period.last.isoformat(),
        made_at=sync.store.now(),
        cells=cells,
        notes=[*sides.notes, *([] if receivables else [NOT_TODAY])],
        receivables=receivables,
    )
    for part in report.parts:
        part.differences = [_marked(each, marks.get(each.id)) for each in part.differences]
    for cell in cells:
        cell.why_open = _why_open(sync, period, cell)
        cell.closed = not cell.why_open
    return report


def _receivables(sync: Sync, owed: Owed, *, named: bool) -> Receivables:
    """Put together what customers owe, and what payments and Accounts say of it."""
    accounts, customers = Accounts.of(sync), owed.customers()
    differences = [*owed.differences(), *accounts.compare(customers, waits=not owed.is_written_back)]
    if named:
        name_customers(sync, customers)
    return Receivables(
        since=owed.since.isoformat(),
        customers=customers,
        differences=[replace(each, id=_key(sync, each)[:SHOWN]) for each in differences],
        notes=[*owed.notes, *accounts.notes],
        unseen=owed.unseen,
    )


def note(sync: Sync, period: Period, report: TieOut) -> tuple[int, int]:
    """Keep in the store which differences were found, so that a person can decide about them, and resolve the others.

    :returns: how many are new, and how many are resolved.
    """
    months = {month for month in period.months if period.begins(month)} | ({TODAY} if report.receivables else set())
    found = (
        Noted(_key(sync, each), each.name, each.currency, each.month, each.source_id, each.kashoo_id)
        for each in report.differences
        if each.id
    )
    return sync.store.differences.note(found, months, report.receivables.unseen if report.receivables else ())


def _key(sync: Sync, each: Difference) -> str:
    """Name a difference by all that makes it this one; the amounts cannot be guessed from it."""
    record = [each.source_id, each.part, each.kashoo_id]
    return sync.store.hashes.of([each.name, *record, each.currency, each.month, each.deal_minor, each.books_minor])


def _marked(each: Difference, mark: Mark | None) -> Difference:
    """Add what a person said."""
    return each if mark is None else replace(each, state=mark.state, why=mark.why)


def _why_open(sync: Sync, period: Period, cell: Cell) -> list[str]:
    """Say why a month cannot be called closed; empty if it can."""
    why = [] if period.covers(cell.month) else ["not all of the month is compared"]
    end = midnight(last_day(cell.month) + timedelta(days=1), sync.settings.zone)
    sources = [f"salesforce.{each}" for each in sync.sources] + [f"kashoo.{each}" for each in KASHOO_SOURCES]
    marks = {source: sync.store.watermarks.get(source) for source in sources}
    if late := [source for source, mark in marks.items() if mark is None or mark < end]:
        why.append(f"not read up to its end: {', '.join(late)}")
    waiting = sum(each.is_open for each in cell.differences)
    return [*why, f"{waiting:,} differences are open"] if waiting else why

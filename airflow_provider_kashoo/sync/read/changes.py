"""Whether anything changed since a cursor, asked with as few requests as each side allows, to start a DAG.

What a run reads is decided by its windows, never by this: a wrong answer costs a run that finds nothing, or a wait for
the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.settlement import Payment, allocations
from airflow_provider_kashoo.core.values.dates import parse_instant
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.sync.read.books import PAYMENT_OVERLAP, staged_as

Json = Any


def salesforce_changes(client: SalesforceClient, sobjects: Sequence[str], cursor: Json) -> tuple[list[str], str]:
    """Say which objects hold a stamp after the cursor, deleted records included: one request for five objects.

    :param cursor: the newest stamp seen so far, ISO 8601; with None or anything unreadable, watching begins now.
    :returns: the objects, and the next cursor, which is a stamp or clock of the server and never goes back.
    """
    since = _instant(cursor)
    if since is None:
        return [], client.now().isoformat()
    changed, newest = [], since
    answers = client.queries([soql.newest_stamp(sobject, since) for sobject in sobjects], deleted=True)
    for sobject, found in zip(sobjects, answers, strict=True):
        for row in found.records:
            changed.append(sobject)
            newest = max(newest, _instant(row.get("SystemModstamp")) or newest)
    return changed, newest.isoformat()


def kashoo_changes(
    client: KashooClient, resources: Sequence[str], cursor: Json, *, today: date, hashes: KeyedHash
) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Say which collections differ from the cursor, as far as their records are dated a week back or later.

    Kashoo has no evidenced "modified since". A hash is kept per day and not of the whole, so that a day
    which leaves the week is no change.

    :param resources: of ``invoices`` and ``payments``.
    :param cursor: resource -> date -> hash; for a resource that it lacks, watching begins now.
    :returns: the resources that changed, and the next cursor.
    """
    start = (today - PAYMENT_OVERLAP).isoformat()
    changed, found = [], {}
    for resource in resources:
        now = _days(client, resource, start, hashes)
        before = cursor.get(resource) if isinstance(cursor, dict) else None
        if isinstance(before, dict) and {day: hash_ for day, hash_ in before.items() if day >= start} != now:
            changed.append(resource)
        found[resource] = now
    return changed, found


def _days(client: KashooClient, resource: str, start: str, hashes: KeyedHash) -> dict[str, str]:
    found = _invoices(client.listing(INVOICE.name, start=start))
    if resource == "payments":
        found = _allocations(client.payments(start=start))
    days: dict[str, list[str]] = {}
    for day, values in found:
        days.setdefault(day, []).append(hashes.of(values))
    return {day: hashes.of(sorted(each)) for day, each in days.items()}


def _invoices(entries: Iterable[Entry]) -> Iterator[tuple[str, Json]]:
    for each in entries:
        yield str(each.date), list(staged_as(each).values())


def _allocations(payments: Iterable[Payment]) -> Iterator[tuple[str, Json]]:
    for part in allocations(payments):
        yield part.date, list(vars(part).values())


def _instant(cursor: Json) -> datetime | None:
    try:
        return parse_instant(cursor).astimezone(UTC)
    except (TypeError, ValueError):
        return None

"""What waits for a person, by cause, and what is late: for the command line, and for pages.

All of it is in the store, but names, amounts of deals and numbers of invoices: those are read when they are shown, and
never kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.core.kinds import is_billed
from airflow_provider_kashoo.core.rules.pace import Pace
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.approvals import AskingPlan, asking_plans
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import Overview, overviews
from airflow_provider_kashoo.sync.by_hand.named import id_of
from airflow_provider_kashoo.sync.read.names import Named, names_of
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE, Sync

MOST_NUMBERS = 20
"""Invoices whose number is asked for: each takes a request of the limit that the syncs need."""

SYNC_OF = {"salesforce": TO_KASHOO, "kashoo": TO_SALESFORCE}
"""Where a source is read -> the sync that reads it."""


@dataclass(frozen=True)
class Waits:
    """One record that waits for a person, for another try, or for a look-up.

    :param id: names it in commands, and stays while it waits.
    :param state: parked, retry, sent, in_doubt; or asked.
    :param number: of the operation, or of the review item with an ``R`` before it.
    :param since: when it began to wait, epoch seconds UTC.
    :param total: of its invoice as it was sent or linked last, minor units.
    :param named: names and amount in Salesforce now; empty if nobody was asked.
    :param invoice: number of the invoice in Kashoo now; empty if nobody was asked.
    """

    id: str
    state: str
    number: str
    record: Record
    kashoo_id: int | None
    error_class: str
    cause: str
    fix: str
    since: float
    currency: str | None = None
    total: int | None = None
    named: Named = field(default_factory=Named)
    invoice: str = ""


@dataclass(frozen=True)
class Late:
    """A sync of which no full run ended within the limit.

    :param since: when one ended last, epoch seconds UTC.
    """

    sync: str
    since: float


@dataclass(frozen=True)
class Status:
    """What one org and business has to show.

    :param plans: that wait for an approval.
    :param watermarks: rows of the table ``watermarks``.
    :param not_asked: why names and numbers are missing; empty if both sides were asked, or nobody was to be.
    """

    org_id: str
    business_id: str
    waits: list[Waits]
    plans: list[AskingPlan]
    late: list[Late]
    watermarks: list[Mapping[str, Any]] = field(default_factory=list)
    not_asked: str = ""

    @property
    def by_cause(self) -> dict[str, list[Waits]]:
        """What waits by its error class, the most frequent first; in each, what waits longest first."""
        found: dict[str, list[Waits]] = defaultdict(list)
        for each in sorted(self.waits, key=lambda each: (each.since, each.id)):
            found[each.error_class].append(each)
        return dict(sorted(found.items(), key=lambda group: -len(group[1])))


@dataclass(frozen=True)
class Used:
    """What is used of one request limit.

    :param left: what is free now.
    """

    requests: int
    seconds: float
    used: int
    left: int


def status_of(database: Database, *, late_after: float) -> list[Status]:
    """Give what the store knows, for each org and business.

    :param late_after: hours after which a sync is late.
    """
    with database.begin() as connection:
        now = database.now(connection)
    plans = [plan for plan in asking_plans(database) if plan.decided is None]
    return [
        Status(
            each.org_id,
            each.business_id,
            waits_in(each),
            [plan for plan in plans if (plan.org_id, plan.business_id) == (each.org_id, each.business_id)],
            late_of(each.watermarks, now, late_after),
            each.watermarks,
        )
        for each in overviews(database)
    ]


def exit_status(found: Iterable[Status]) -> int:
    """Say it as a monitor takes it: 0 all is well, 1 something waits for a person, 2 a sync is late."""
    found = list(found)
    if any(each.late for each in found):
        return 2
    return int(any(each.waits or each.plans for each in found))


def late_of(watermarks: Iterable[Mapping[str, Any]], now: float, hours: float) -> list[Late]:
    """Say which syncs are late: none of their watermarks moved for so long. One that never ran is not late.

    The sources of a sync move together, at the end of each full run; one that no mapping reads any more stays behind.
    """
    last: dict[str, float] = {}
    for row in watermarks:
        sync = SYNC_OF[row["source"].partition(".")[0]]
        last[sync] = max(last.get(sync, 0.0), row["moved_at"])
    return [Late(sync, at) for sync, at in sorted(last.items()) if now - at > hours * 3600]


def used_of(pace: Pace) -> list[Used]:
    """Say what is used of each request limit, by all tasks, workers and hosts."""
    found = [(limit, pace.used_of(limit)) for limit in pace.limits]
    closed = pace.closed_until > pace.now
    return [
        Used(limit.requests, limit.seconds, used, 0 if closed else max(0, limit.requests - used))
        for limit, used in found
    ]


def named_live(sync: Sync, found: Status) -> Status:
    """Read names and amounts from Salesforce, and numbers of invoices from Kashoo, as far as the two answer."""
    missing = []
    names: dict[str, Named] = {}
    numbers: dict[int, str] = {}
    try:
        names = names_of(sync, (each.record for each in found.waits if is_record_id(each.record.id)))
    except SyncError as error:
        missing.append(f"no names: {error.what}")
    try:
        for each in [each for each in found.waits if each.kashoo_id and is_billed(each.record.kind)][:MOST_NUMBERS]:
            entry = sync.kashoo.read(each.record.kind, each.kashoo_id or 0)
            numbers[each.kashoo_id or 0] = (entry and entry.number) or ""
    except SyncError as error:
        missing.append(f"no numbers of invoices: {error.what}")
    waits = [
        replace(each, named=names.get(each.record.id, Named()), invoice=numbers.get(each.kashoo_id or 0, ""))
        for each in found.waits
    ]
    return replace(found, waits=waits, not_asked=" ".join(missing))


def waits_in(overview: Overview) -> list[Waits]:
    """Say of each record what waits, and why."""
    rows = [*((row, row["state"], str(row["id"])) for row in overview.waiting)]
    rows += [(row, "asked", f"R{row['id']}") for row in overview.asked]
    found = []
    for row, state, number in rows:
        named = row["target"], row["source_id"], row["part"]
        link = overview.links.get(named)
        billed = link or row  # of a write-back, or what was never linked, nothing else is known
        found.append(
            Waits(
                id=id_of(row),
                state=state,
                number=number,
                record=Record(row["target"], row["source_object"], row["source_id"], row["part"]),
                kashoo_id=row["kashoo_id"] or (link["kashoo_id"] if link else None),
                error_class=row["error_class"] or "no_answer_yet",
                cause=row["cause"] or "no answer yet",
                fix=row["fix"] or "",
                since=overview.since.get(named, 0.0) if state != "asked" else row["opened_at"],
                currency=billed.get("currency"),
                total=billed.get("expected_total"),
            )
        )
    return found

"""The story of one record: as it is now, what the last plans decided, what it is in the books, what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    BudgetSpent,
    ConfigurationError,
    UnreachableError,
    shown,
)
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.history import History, history_of
from airflow_provider_kashoo.sync.by_hand.explain import Now, now_of, sources_of_number
from airflow_provider_kashoo.sync.run.plan_file import decisions_about
from airflow_provider_kashoo.sync.run.record_links import newest_addresses
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync

PLANS = 5
"""Of so many plans, the newest, it is said what they decided."""

Story = dict[str, Any]


def tell(
    record: str,
    database: Database,
    runs: Iterable[tuple[str, str, Staging]],
    opened: Callable[[], AbstractContextManager[Sync]] | None,
) -> Story:
    """Tell the story of what a person named.

    :param record: a Salesforce id, the number of an invoice, or the id of a record in Kashoo.
    :param opened: opens the sync to ask both sides; None to ask neither.
    :returns: see :func:`story_of`; what kept it from asking is in ``not_asked``.
    :raises ConfigurationError: for what is no id and no number.
    """
    named = to_18(record) if is_record_id(record) else record.strip()  # 15 digits are a Salesforce id
    if not named:
        raise ConfigurationError("An empty text is no id and no number.")
    histories, now, not_asked = list(history_of(database, named)), list[Now](), ""
    try:
        if opened:
            with opened() as sync:
                named, histories, now = _asked(sync, named, database, histories)
        elif not histories and not is_record_id(named) and not named.isdecimal():
            raise ConfigurationError(f"{named!r} is neither a Salesforce id nor a Kashoo id.")
    except (UnreachableError, AuthenticationError, BudgetSpent) as error:
        not_asked = str(error)
    return story_of(named, histories, runs, now) | {"not_asked": not_asked}


def _asked(
    sync: Sync, named: str, database: Database, histories: list[History]
) -> tuple[str, list[History], list[Now]]:
    """Ask both sides about a record, or about those that an invoice bills.

    :raises ConfigurationError: when nothing has that number.
    """
    if is_record_id(named):
        return named, histories, [now_of(sync, named)]
    billed = [row["source_id"] for each in histories for row in each.links]
    if not billed and not (billed := sources_of_number(sync, named)):
        raise ConfigurationError(
            f"No record has the Kashoo id {shown(named)}, and no invoice of this sync that number.",
            remedy="Give the Salesforce id of the deal.",
        )
    if len(set(billed)) == 1 and not histories:
        named = billed[0]
        histories = list(history_of(database, named))
    return named, histories, [now_of(sync, each) for each in dict.fromkeys(billed)]


def story_of(
    named: str,
    histories: Iterable[History],
    runs: Iterable[tuple[str, str, Staging]],
    now: Iterable[Now] = (),
) -> Story:
    """Tell it as JSON: amounts in minor units, times ISO 8601 UTC.

    :param runs: staged runs, the newest first; those whose files were removed say nothing any more.
    :param now: the record, or the records of the invoice, as both sides have it now.
    """
    found, runs = list(histories), list(runs)
    addresses = [newest_addresses(each.org_id, each.business_id, runs) for each in found]
    opens = addresses[0].opens(named) if found and is_record_id(named) else {}
    sources = {row["source_id"] for each in found for row in each.links} | {named}
    return {
        "record": named,
        "opens": opens,
        "now": [_now(each) for each in now],
        "plans": list(_plans(sorted(sources), runs)),
        "links": [
            _link(row) | {"opens": known.opens(row["source_id"], row["target"], row["kashoo_id"])}
            for each, known in zip(found, addresses, strict=True)
            for row in each.links
        ],
        "waiting": [_waiting(row) for each in found for row in each.operations if row["closed_at"] is None],
        "questions": [_question(row) for each in found for row in each.questions],
        "done": [_entry(row) for each in found for row in each.entries],
    }


def _now(now: Now) -> Story:
    return {
        "source_id": now.source_id,
        "object": now.sobject,
        "name": now.named.name,
        "customer": now.named.customer,
        "found": now.found,
        "mappings": [asdict(each) for each in now.traces],
        "would": [
            {
                "target": each.kind,
                "part": each.part,
                "mapping": each.mapping,
                "action": each.action.value,
                "why": each.reason,
            }
            for each in now.decisions
        ],
    }


def _plans(sources: list[str], runs: Iterable[tuple[str, str, Staging]]) -> Iterator[Story]:
    told = 0
    for at, run_id, files in runs:
        decisions = [each for source in sources for each in decisions_about(files, source)]
        for each in decisions:
            yield {
                "at": at,
                "run_id": run_id,
                "sync": files.folder.parent.parent.name,
                "target": each.kind,
                "part": each.part,
                "mapping": each.mapping,
                "action": each.action.value,
                "why": each.reason,
            }
        told += bool(decisions)
        if told == PLANS:
            return


def _link(row: Any) -> Story:
    total = None if row["expected_total"] is None else format_minor(row["expected_total"], row["currency"] or "")
    return {
        **{name: row[name] for name in ("target", "source_object", "source_id", "sale_id", "part", "generation")},
        **{name: row[name] for name in ("kashoo_id", "state", "version", "currency")},
        "total_minor": row["expected_total"],
        "total": total,
        "date": row["journal_date"],
        "status": row["settlement"],
        "read": row["source_read"],
    }


def _waiting(row: Any) -> Story:
    names = ("id", "target", "part", "action", "state", "kashoo_id", "error_class", "cause", "fix")
    return {name: row[name] for name in names} | {"since": _instant(row["created_at"])}


def _question(row: Any) -> Story:
    names = ("id", "target", "part", "kashoo_id", "error_class", "cause", "fix", "dismissed_by", "dismissed_reason")
    times = {"opened": _instant(row["opened_at"]), "closed": _instant(row["closed_at"])}
    return {name: row[name] for name in names} | times


def _entry(row: Any) -> Story:
    names = ("run_id", "event", "target", "source_id", "kashoo_id", "reason")
    return {"at": _instant(row["at"])} | {name: row[name] for name in names}


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

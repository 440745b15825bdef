"""Print what waits for a person by its cause, what is late, and what is used of the request limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row, printer
from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.core.values.money import format_exact, format_minor
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import closed_until
from airflow_provider_kashoo.sync.by_hand.status import Status, Used, Waits, exit_status, named_live, status_of, used_of
from airflow_provider_kashoo.sync.run.approval import SHORT
from airflow_provider_kashoo.sync.run.sync import Sync

FORMAT = "1.0"
LATE_AFTER = 26.0
"""Hours: a day, and two for the run itself."""

Opened = Callable[[], AbstractContextManager[Sync]]


def read(database: Database, late_after: float = LATE_AFTER, opened: Opened | None = None) -> list[Status]:
    """Read what waits, with names if both sides answer.

    :param late_after: hours after which a sync is late.
    :param opened: opens the connections; None to ask neither side.
    :raises ConfigurationError: when the store is missing or old.
    :raises UnreachableError: when it does not answer.
    """
    database.check()
    found = status_of(database, late_after=late_after)
    if opened is None or not any(each.waits for each in found):
        return found
    try:
        with opened() as sync:
            ours = sync.store.org_id, sync.store.business_id
            return [named_live(sync, each) if (each.org_id, each.business_id) == ours else each for each in found]
    except SyncError as error:
        return [replace(each, not_asked=error.what) for each in found]


def limits_of(kashoo_conn_id: str) -> list[Used]:
    """Give what is used of the request limits of a connection; nothing if there is no such connection."""
    from airflow_provider_kashoo.hooks.kashoo import KashooHook

    try:
        return used_of(KashooHook(kashoo_conn_id).budget().pace())
    except (SyncError, AirflowNotFoundException):
        return []


def print_status(
    database: Database,
    console: Console | None = None,
    found: list[Status] | None = None,
    limits: Iterable[Used] = (),
) -> None:
    """Print it for people.

    :param found: what was read; the store is read if it is not given.
    """
    console, found = console or printer(), read(database) if found is None else found
    if until := closed_until(database):
        console.print(Text(f"Kashoo asked for a pause: no request is sent before {_instant(until)} UTC."))
    with database.begin() as connection:
        now = database.now(connection)
    for line in _about_limits(limits):
        console.print(Text(line))
    if not found:
        console.print("Nothing was synced yet.")
    for each in found:
        _print_scope(each, now, console)


def as_json(found: list[Status], limits: Iterable[Used] = ()) -> str:
    """Write it as one JSON object: amounts in minor units, times ISO 8601 UTC."""
    said = {
        "format_version": FORMAT,
        "exit_status": exit_status(found),
        "limits": [asdict(each) for each in limits],
        "scopes": [_as_json(each) for each in found],
    }
    return json.dumps(said, indent=2, ensure_ascii=False)


def _as_json(found: Status) -> dict[str, Any]:
    return {
        "org_id": found.org_id,
        "business_id": found.business_id,
        "late": [{"sync": each.sync, "since": _iso(each.since)} for each in found.late],
        "waits": [_waits_as_json(each) for group in found.by_cause.values() for each in group],
        "plans": [
            {"digest": plan.digest, "sync": plan.sync, "run_id": plan.run_id, "asks": plan.summary["asks"]}
            for plan in found.plans
        ],
        "watermarks": [
            {"source": row["source"], "read_up_to": _iso(row["value"]), "run_id": row["run_id"]}
            for row in found.watermarks
        ],
        "not_asked": found.not_asked,
    }


def _waits_as_json(each: Waits) -> dict[str, Any]:
    record, named = each.record, each.named
    return {
        "id": each.id,
        "number": each.number,
        "state": each.state,
        "target": record.kind,
        "source_object": record.object,
        "source_id": record.id,
        "part": record.part,
        "name": named.name,
        "customer": named.customer,
        "amount": "" if named.amount is None else str(named.amount),  # of the deal, which may have parts of a cent
        "amount_currency": named.currency,
        "kashoo_id": each.kashoo_id,
        "invoice": each.invoice,
        "total_minor": each.total,
        "currency": each.currency,
        "since": _iso(each.since),
        "error_class": each.error_class,
        "cause": each.cause,
        "fix": each.fix,
    }


def _print_scope(found: Status, now: float, console: Console) -> None:
    name = f"{found.org_id} / {found.business_id}"
    for late in found.late:
        said = f"LATE: no full run of {late.sync} ended since {_instant(late.since)} UTC. Look at its DAG."
        console.print(Text(said))
    for plan in found.plans:
        asks = "; ".join(f"{count} x {reason}" for reason, count in plan.summary["asks"].items())
        short = plan.digest[:SHORT]
        console.print(Text(f"Plan {short} of {plan.sync}, run {plan.run_id}, waits for a person: {asks}."))
        console.print(Text(f"    airflow kashoo approve {short}, or reject, or in the Airflow UI"))
    if found.not_asked:
        console.print(Text(f"Names and numbers are not shown, or not all: {found.not_asked}"))
    if not (found.waits or found.plans):
        console.print(Text(f"{name}: nothing waits for a person."))
    for error_class, group in found.by_cause.items():
        console.print(_group(f"{len(group)} x {error_class.replace('_', ' ')}", group, now))
    if found.watermarks:
        console.print(_watermarks(found, name))


def _group(title: str, group: list[Waits], now: float) -> Table:
    """Show what waits for one cause; what to do comes once, if it is the same for all."""
    fixes = {each.fix for each in group}
    table = Table(
        *(Column("id", no_wrap=True), Column("record", no_wrap=True), "in Salesforce", "cause", "what to do"),
        title=Text(title),
        title_justify="left",
    )
    for place, each in enumerate(group):
        fix = each.fix if len(fixes) > 1 or not place else ""
        add_row(table, f"{each.id}\n{each.number}", _record(each, now), _in_salesforce(each), each.cause, fix)
    return table


def _record(each: Waits, now: float) -> str:
    """Name it in short lines: an id that a terminal breaks in two cannot be copied."""
    books = f"Kashoo id {each.kashoo_id}" if each.kashoo_id else ""
    total = "" if each.total is None else format_minor(each.total, each.currency or "")
    said = [f"{each.record.kind}, {each.state.replace('_', ' ')}", each.invoice and f"number {each.invoice}"]
    return "\n".join(filter(None, [*said, "" if each.invoice else books, total, _age(now - each.since)]))


def _in_salesforce(each: Waits) -> str:
    named = each.named
    amount = "" if named.amount is None else f"{format_exact(named.amount * 100)} {named.currency}".strip()
    part = f"part {each.record.part}" if each.record.part > 1 else ""
    return "\n".join(filter(None, [named.name or each.record.object, named.customer, amount, part]))


def _age(seconds: float) -> str:
    """Say how long it waits, in the largest unit of which there are two."""
    for name, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"for {seconds // length:.0f} {name}"
    return f"for {max(0.0, seconds) // 60:.0f} min"


def _about_limits(limits: Iterable[Used]) -> Iterator[str]:
    for each in limits:
        yield f"Requests to Kashoo in {each.seconds:g} s: {each.used} of {each.requests} used, {each.left} left."


def _watermarks(found: Status, name: str) -> Table:
    table = Table("source", "read up to (UTC)", "by run", title=Text(f"{name}: watermarks"))
    for row in found.watermarks:
        add_row(table, row["source"], _instant(row["value"]), row["run_id"])
    return table


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

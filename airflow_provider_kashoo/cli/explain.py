"""Explain one record: as it is now, what the last plans decided, what it is in the books, what waits, what was done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    BudgetSpent,
    ConfigurationError,
    UnreachableError,
    shown,
)
from airflow_provider_kashoo.core.rules.intents import Action
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18
from airflow_provider_kashoo.core.values.money import decimals_of, format_minor
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.history import History, history_of
from airflow_provider_kashoo.sync.by_hand.explain import Now, now_of, sources_of_number
from airflow_provider_kashoo.sync.run.plan_file import decisions_about
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync

PLANS = 5
"""Of so many plans, the newest, it is said what they decided."""

_WOULD = {
    Action.CREATE: "create the {}",
    Action.UPDATE: "update the {}",
    Action.FOLLOW: "only move the link of the {}",
    Action.VOID: "void the {}",
    Action.LINK: "link the {} that is in Kashoo already",
    Action.WRITE_BACK: "write the {} back",
    Action.PARK: "park the {}",
    Action.REVIEW: "ask a person about the {}",
    Action.WAIT: "wait with the {}",
    Action.SKIP: "make no {}",
    Action.UNCHANGED: "leave the {} as it is",
}

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
    found = list(histories)
    sources = {row["source_id"] for each in found for row in each.links} | {named}
    return {
        "record": named,
        "now": [_now(each) for each in now],
        "plans": list(_plans(sorted(sources), runs)),
        "links": [_link(row) for each in found for row in each.links],
        "waiting": [_waiting(row) for each in found for row in each.operations if row["closed_at"] is None],
        "questions": [_question(row) for each in found for row in each.questions],
        "done": [_entry(row) for each in found for row in each.entries],
    }


def print_story(story: Story, console: Console) -> None:
    """Print it for people."""
    if story.get("not_asked"):
        console.print(Text(f"Neither side could be asked: {story['not_asked']}"))
    for each in story["now"]:
        _print_now(each, console)
    parts = [
        ("what the last plans decided", story["plans"], ("at", "sync", "target", "action", "why")),
        ("in the books", story["links"], ("target", "kashoo_id", "state", "total", "status")),
        ("waits", story["waiting"], ("target", "action", "state", "cause", "fix")),
        ("asked", story["questions"], ("target", "opened", "closed", "cause", "fix")),
        ("done", story["done"], ("at", "event", "target", "kashoo_id", "reason")),
    ]
    given = [part for part in parts if part[1]]
    known = bool(given or any(each["found"] for each in story["now"]))
    for title, rows, columns in given:
        table = Table(*columns, title=Text(f"{story['record']}: {title}"))
        for row in rows:
            add_row(table, *(_shown(row, name) for name in columns))
        console.print(table)
    if not known:
        console.print(
            Text(
                f"{story['record']}: neither the store nor the last runs know it. A run reads what changed in its "
                "window: was it changed before the first one, or is its object in no mapping?"
            )
        )


def _print_now(now: Story, console: Console) -> None:
    """Print what Salesforce says, what the mappings make of it, and what the next run would do."""
    who = f"{now['object'] or 'record'} {now['source_id']}"
    name = f" ({' of '.join(filter(None, [now['name'], now['customer']]))})" if now["name"] else ""
    if not now["object"]:
        console.print(Text(f"{who}: no mapping reads its object."))
        return
    if not now["found"]:
        console.print(Text(f"{who}: Salesforce does not show it; it was deleted, or the user may not see it."))
    for made in now["mappings"]:
        file = "".join(f" ({_short(each['place']).split(':')[0]})" for each in made["fields"][:1])
        console.print(Text(f"{who}{name} by {made['mapping']}{file}, to {made['target']}", style="bold"))
        for each in made["conditions"]:
            console.print(
                Text(f"  {'holds ' if each['holds'] else 'FAILS '} {each['what']}  ({_short(each['place'])})")
            )
        for each in made["rules"]:
            caught = "caught" if each["holds"] else "left  "
            when = f"  when {each['when']}" if each["when"] else ""
            console.print(Text(f"  {caught} rule {each['what']}{when}  ({_short(each['place'])})"))
        table = Table(Column("field", no_wrap=True), "value", "made from", Column("line", justify="right"))
        for each in made["fields"]:
            line = each["place"].split(":")[-2]
            add_row(table, each["target"], each["problem"] or each["value"] or "", _made_from(each), line)
        console.print(table)
        for number, document in enumerate(made["made"], 1):
            if "lines" in document:
                console.print(_lines_table(document, number, len(made["made"])))
    for each in now["would"]:
        console.print(
            Text(f"The next run would {_WOULD[each['action']].format(_shown(each, 'target'))}: {each['why']}")
        )


def _lines_table(document: Story, number: int, parts: int) -> Table:
    """Show the lines of an invoice as they would be written, after all rules, and what they come to without taxes."""
    which = f"part {number} of {parts}, " if parts > 1 else ""
    table = Table("line", "account", "project", title=Text(f"{which}{document['date']}, without taxes"))
    for name in ("quantity", "rate", "amount"):
        table.add_column(name, justify="right")
    total, places = Decimal(0), decimals_of(document["currency"])
    for line in document["lines"]:
        amount = Decimal(line["quantity"]) * Decimal(line["rate"])
        total += amount
        cells = (line.get(name, "") for name in ("description", "account", "project", "quantity"))
        add_row(table, *map(str, cells), f"{Decimal(line['rate']):,.{places}f}", f"{amount:,.{places}f}")
    add_row(table, "together", "", "", "", "", f"{total:,.{places}f}")
    return table


def _made_from(origin: Story) -> str:
    """Say how the file makes a field, and from which values."""
    sources = [f"{path} = {value or 'empty'}" for path, value in origin["sources"].items()]
    plain = {f"{{from: {path}}}" for path in origin["sources"]} | {origin["value"]}
    how = [] if origin["how"] in plain else [origin["how"]]
    return "\n".join([*how, *sources])


def _short(place: str) -> str:
    return place.rsplit("/", 1)[-1]


def _shown(row: Story, name: str) -> str:
    """Write one value for people; of several invoices of a deal, its target says which one it is."""
    said = str("" if row[name] is None else row[name])
    if name in {"at", "opened", "closed"} and said:
        return f"{said[:10]} {said[11:19]}Z"
    if name == "reason":
        return f"{said}\nrun {row['run_id']}"
    return f"{said}, part {row['part']}" if name == "target" and row.get("part", 1) > 1 else said


def as_json(story: Story) -> str:
    """Write it as one JSON object."""
    return json.dumps({"format_version": "1.0", **story}, indent=2, ensure_ascii=False)


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

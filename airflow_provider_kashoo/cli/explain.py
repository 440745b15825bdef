"""Print the story of one record, or write it as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.values.money import decimals_of
from airflow_provider_kashoo.sync.by_hand.story import Story

_WOULD = {
    Action.CREATE: "create the {}",
    Action.UPDATE: "update the {}",
    Action.FOLLOW: "only move the link of the {}",
    Action.VOID: "void the {}",
    Action.LINK: "link the {} that is in Kashoo already",
    Action.WRITE_BACK: "write the {} back",
    Action.UPSERT: "write the {} in Salesforce",
    Action.PARK: "park the {}",
    Action.REVIEW: "ask a person about the {}",
    Action.WAIT: "wait with the {}",
    Action.SKIP: "make no {}",
    Action.UNCHANGED: "leave the {} as it is",
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

"""``airflow kashoo audit``: write the audit trail for an auditor, or check that nothing was taken out of it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.cli.console import as_cell, writable
from airflow_provider_kashoo.store.audit import Chain, check, entries, heads
from airflow_provider_kashoo.store.database import Database

COLUMNS = (
    *("at", "org_id", "business_id", "event", "target", "source_object", "source_id", "kashoo_id", "fields"),
    *("reason", "run_id", "operation_id", "hash"),
)
"""Columns of the CSV, and keys of the JSON."""

FORMAT = "1.0"


def export(
    database: Database, since: datetime | None, until: datetime | None, form: str, output: str | None = None
) -> None:
    """Write the trail to a file or to standard output, and the heads to standard error.

    :param since: UTC.
    :param until: UTC, exclusive.
    :param form: csv, json or table.
    :raises ConfigurationError: when the file cannot be written.
    """
    now = heads(database)  # before the rows: what is added meanwhile is behind the head, and may be left out
    rows = entries(database, since.timestamp() if since else None, until.timestamp() if until else None)
    if output is None:
        sys.stdout.writelines(f"{line}\n" for line in as_lines(rows, now, form))
    else:
        with writable(output), Path(output).open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in as_lines(rows, now, form))
    for org_id, business_id, head in now:
        sys.stderr.write(f"Head of {org_id} / {business_id}: {head}\n")


def verify(database: Database, noted: str, say: Callable[[str], None]) -> bool:
    """Check the trail of every org and business, and say what was found.

    :param noted: a head that was noted earlier; empty for none.
    :returns: whether all is as it was written.
    """
    noted = noted.strip().lower()
    chains = list(check(database, noted))
    for chain in chains:
        say(said_of(chain))
    known = not noted or any(each.has_noted for each in chains)
    if not known:
        say(f"No row has the head {noted}: rows were removed at the end, or all were made anew; or it is mistyped.")
    return known and not any(each.broken for each in chains)


def as_lines(entries: Iterable[Mapping[str, Any]], heads: list[tuple[str, str, str]], form: str) -> Iterator[str]:
    """Write the trail, a line for each row, however many there are.

    :param heads: (org id, business id, head) of each.
    :param form: csv, json or table.
    """
    if form == "json":
        return _json(entries, heads)
    return _csv(entries) if form == "csv" else _table(entries)


def _json(entries: Iterable[Mapping[str, Any]], heads: list[tuple[str, str, str]]) -> Iterator[str]:
    named = [dict(zip(("org_id", "business_id", "head"), each, strict=True)) for each in heads]
    yield f'{{"format_version": "{FORMAT}", "heads": {json.dumps(named)}, "entries": ['
    before = ""
    for row in entries:
        # The time as the hash covers it, too: a text of whole seconds could not be checked.
        yield before + json.dumps({**_row(row), "at_seconds": row["at"]}, ensure_ascii=False)
        before = ","
    yield "]}"


def _csv(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in entries:
        given = _row(row) | {"fields": " ".join(row["fields"])}
        yield _line("" if given[name] is None else as_cell(str(given[name])) for name in COLUMNS)


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().removesuffix("\n")


def _table(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in entries:
        books = f" {row['kashoo_id']}" if row["kashoo_id"] else ""
        what = f"{row['event']} {row['target']}{books}, {row['source_object']} {row['source_id']}"
        yield f"{_at(row)}  {what}: {row['reason'] or '-'} (run {row['run_id']})"


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in COLUMNS} | {"at": _at(row)}


def _at(row: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(row["at"], UTC).isoformat(timespec="seconds")


def said_of(chain: Chain) -> str:
    """Say what was found in the trail of one org and business."""
    name = f"{chain.org_id} / {chain.business_id}: {chain.entries:,} rows"
    if row := chain.broken:
        what = f"{row['event']} {row['target']}, {row['source_object']} {row['source_id']}"
        return (
            f"{name}. Row {row['id']} of {_at(row)} ({what}) does not fit the one before it: it was altered, or "
            "rows between the two were removed. All rows before it are as they were written."
        )
    return f"{name}, and each fits the one before it. Head: {chain.head or 'none yet'}"

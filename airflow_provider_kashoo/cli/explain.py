"""Explain one record: what the last plans decided about it, what it is in the books, what waits, and what was done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_kashoo.cli.console import add_row
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.store.history import History
from airflow_provider_kashoo.sync.run.plan_file import decisions_about
from airflow_provider_kashoo.sync.run.staging import Staging

PLANS = 5
"""Of so many plans, the newest, it is said what they decided."""

Story = dict[str, Any]


def story_of(named: str, histories: Iterable[History], runs: Iterable[tuple[str, str, Staging]]) -> Story:
    """Tell it as JSON: amounts in minor units, times ISO 8601 UTC.

    :param runs: staged runs, the newest first; those whose files were removed say nothing any more.
    """
    found = list(histories)
    sources = {row["source_id"] for each in found for row in each.links} | {named}
    return {
        "record": named,
        "plans": list(_plans(sorted(sources), runs)),
        "links": [_link(row) for each in found for row in each.links],
        "waiting": [_waiting(row) for each in found for row in each.operations if row["closed_at"] is None],
        "questions": [_question(row) for each in found for row in each.questions],
        "done": [_entry(row) for each in found for row in each.entries],
    }


def print_story(story: Story, console: Console) -> None:
    """Print it for people."""
    parts = [
        ("what the last plans decided", story["plans"], ("at", "sync", "target", "action", "why")),
        ("in the books", story["links"], ("target", "kashoo_id", "state", "total", "status")),
        ("waits", story["waiting"], ("action", "state", "cause", "fix")),
        ("asked", story["questions"], ("opened", "closed", "cause", "fix")),
        ("done", story["done"], ("at", "event", "target", "kashoo_id", "reason")),
    ]
    shown = [part for part in parts if part[1]]
    for title, rows, columns in shown:
        table = Table(*columns, title=Text(f"{story['record']}: {title}"))
        for row in rows:
            add_row(table, *(str("" if row[name] is None else row[name]) for name in columns))
        console.print(table)
    if not shown:
        console.print(
            Text(
                f"{story['record']}: neither the store nor the last runs know it. A run reads what changed in its "
                "window: was it changed before the first one, or is its object in no mapping?"
            )
        )


def as_json(story: Story) -> str:
    """Write it as one JSON object."""
    return json.dumps({"format_version": "1.0", **story}, indent=2, ensure_ascii=False)


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
    names = ("id", "target", "action", "state", "kashoo_id", "error_class", "cause", "fix")
    return {name: row[name] for name in names} | {"since": _instant(row["created_at"])}


def _question(row: Any) -> Story:
    names = ("id", "target", "kashoo_id", "error_class", "cause", "fix", "dismissed_by", "dismissed_reason")
    times = {"opened": _instant(row["opened_at"]), "closed": _instant(row["closed_at"])}
    return {name: row[name] for name in names} | times


def _entry(row: Any) -> Story:
    names = ("run_id", "event", "target", "source_id", "kashoo_id", "reason")
    return {"at": _instant(row["at"])} | {name: row[name] for name in names}


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
